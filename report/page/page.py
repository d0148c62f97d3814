"""The page and all files of a report."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmul.design import make_design
from lmul.host.files import scratch
from lmul.programs.extras import require
from lmul.report.contents import Contents
from lmul.report.language_model import LanguageModel
from lmul.report.measure import DRAWN, Figures, drawn_file
from lmul.report.plan import Plan
from lmul.report.sections.charts import Chart
from lmul.report.sections.sections import Section, sections
from lmul.report.sections.tables import NBSP

PLACE = Path(__file__).parent

VEGALITE = "6.4"

PDF_PAGE = """\
#set document(date: none)
#set page(width: auto, height: auto, margin: 2pt)
#image("figure.svg")
"""
"""A page as large as the figure, for Typst. Without a date, the same figure gives the same bytes."""

UNIT = re.compile(r"(?<=[\d,]) (?=(?:%|[fpu]J|um2|[np]s|nm|V|mW|MHz|ppm)(?!\w))")
"""The space before a unit, behind a number or the comma of a heading."""

OPTIONS = re.compile(r",(?=[a-z])")
"""A comma without a space, as in the name of an arithmetic."""

CODE = re.compile(r"`([^`]+)`")

REPORT = "report"
"""What the JSON file says that it is."""


def check_drawing() -> None:
    """Refuse to begin without what draws the page.

    Raises
    ------
    UserError
        The extra `report` is not installed.
    """
    require("report")


def report_files(contents: Contents) -> dict[str, str | bytes]:
    """Make all files of a report.

    Parameters
    ----------
    contents : Contents

    Returns
    -------
    dict of str to str or bytes
        By name: index.html, report.json, random operands, a CSV file for each table, SVG and PDF for each
        figure.
    """
    found = sections(contents)
    files: dict[str, str | bytes] = {**written(found), "report.json": report_json(contents)}
    files[DRAWN] = drawn_file()
    files |= {f"{each.name}.svg": each.svg for section in found for each in section.pictures}
    for chart in [chart for section in found for chart in section.charts]:
        files |= figure_files(chart)
    return files


def written(found: list[Section]) -> dict[str, str]:
    """Give the page and the tables, by the names of their files."""
    tables = {f"{table.name}.csv": table.csv() for section in found for table in section.all_tables}
    return {"index.html": page(found), **tables}


def page(found: list[Section]) -> str:
    """Write the page, which needs nothing beside itself."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PLACE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_for_people,
    )
    charts = {chart.name: chart.page_spec() for section in found for chart in section.charts}
    return environment.get_template("page.html").render(
        sections=found,
        version=version("lmul"),
        style=(PLACE / "page.css").read_text(encoding="utf-8"),
        script=(PLACE / "page.js").read_text(encoding="utf-8"),
        library=chart_library(),
        charts=in_script(charts),
    )


def _for_people(value: Any) -> Any:
    """Set plain text: units on the line of their numbers, lists of options broken at commas, code as such."""
    from markupsafe import Markup, escape

    if type(value) is not str:  # What is marked as safe is of another type.
        return value
    text = UNIT.sub(NBSP, str(escape(value)))
    return Markup(CODE.sub(r"<code>\1</code>", OPTIONS.sub(",<wbr>", text)))  # noqa: S704 - escaped above.


def report_json(contents: Contents) -> str:
    """Write all figures, for programs and `lmul compare`."""
    content = {
        "report": REPORT,
        "plan": asdict(contents.plan),
        "made": contents.made,
        "points": [_finite(figures) for figures in contents.figures.values()],
        "fp32_add": contents.adder,
        "gates": contents.gates,
        "accuracy_claims": contents.claims,
        "language_model": {
            name: getattr(contents.model, name)
            for name in ("source", "accuracy", "bias", "questions", "sums", "energy")
        },
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def read_contents(text: str) -> Contents:
    """Take figures from what `report_json` wrote.

    Raises
    ------
    ValueError
        It is something else.
    """
    try:
        found = json.loads(text)
        figures = {make_design(**one["design"]).name: _infinite(one) for one in found["points"]}
        return Contents(
            Plan(**found["plan"]),
            figures,
            found["fp32_add"],
            found["accuracy_claims"],
            found["gates"],
            LanguageModel(**found["language_model"]),
            found["made"],
        )
    except (AttributeError, TypeError, LookupError, RecursionError) as error:
        raise ValueError("not the figures of a report") from error


def parted(contents: Contents, directory: Path) -> list[str]:
    """Name the files of a report that are not what the page makes of its figures.

    Parameters
    ----------
    contents : Contents
        Of its report.json.
    directory : Path
        Of the report.

    Returns
    -------
    list of str
        Of the page and the tables; pictures are drawn from the same figures, but not compared.
    """
    wanted = written(sections(contents))
    paths = {directory / name: text.encode() for name, text in wanted.items()}
    return [path.name for path, text in paths.items() if not path.is_file() or path.read_bytes() != text]


def _finite(figures: Figures) -> Figures:
    """Give figures for JSON, which has no infinity: errors of sums that overflow are none."""
    return {name: None if value == math.inf else value for name, value in figures.items()}


def _infinite(figures: Figures) -> Figures:
    """Give figures that were written for JSON."""
    lost = {name: math.inf for name in OVERFLOWING if figures.get(name, 0.0) is None}
    return {**figures, **lost}


OVERFLOWING = {"rms_error_percent", "noise_percent"}
"""Figures that are infinite where sums overflow."""


def figure_files(chart: Chart) -> dict[str, str | bytes]:
    """Draw a figure for a paper.

    vl-convert writes PDF too, the parts of it in another order every time.
    """
    import typst
    import vl_convert

    svg = vl_convert.vegalite_to_svg(chart.figure_spec(), vl_version=VEGALITE)
    with scratch() as directory:
        (directory / "figure.svg").write_text(svg, encoding="utf-8")
        page = directory / "page.typ"
        page.write_text(PDF_PAGE, encoding="utf-8")
        return {f"{chart.name}.svg": svg, f"{chart.name}.pdf": typst.compile(page, ignore_system_fonts=True)}


def in_script(values: Mapping[str, Any]) -> str:
    """Write plain values as JavaScript that no text in them can end."""
    return json.dumps(values).replace("<", "\\u003c")


@cache
def chart_library() -> str:
    """Give Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGALITE)
    return bundle.replace("</script", "<\\/script")
