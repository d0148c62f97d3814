"""The sections of the page, in the order in which people ask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmul.llm.memory_energy import MemoryEnergy
from lmul.llm.suites import FULL_PRECISION_IS
from lmul.metrics import METRICS
from lmul.report.contents import Contents, format_names
from lmul.report.libraries import RATIOS, ratio, recorded_libraries
from lmul.report.measure import Figures
from lmul.report.plan import BEST_SUM, SUMS
from lmul.report.sections.answer import (
    accuracy_sentences,
    answer,
    answer_table,
    first_table,
    units_table,
)
from lmul.report.sections.arithmetics import (
    arithmetics_chart,
    arithmetics_sentences,
    arithmetics_table,
)
from lmul.report.sections.charts import (
    Chart,
    area_chart,
    blocks_chart,
    dot_errors_chart,
    dots_chart,
    model_chart,
    product_errors_chart,
    products_chart,
    savings_chart,
    token_chart,
)
from lmul.report.sections.layouts import layouts_table, picture
from lmul.report.sections.peers import peers_table
from lmul.report.sections.recommendation import integer_sentences, recommendations
from lmul.report.sections.tables import NBSP, Cell, Table
from lmul.report.sections.verdicts import claims_table

COLUMNS = (
    "energy_per_product_fj",
    "energy_per_product_zero_delay_fj",
    "area_um2",
    "critical_delay_ps",
    "rms_error_percent",
    "noise_percent",
)
"""Figures of the tables of designs, names of `lmul.metrics.METRICS`."""


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Parameters
    ----------
    name : str
        Of its file, without the suffix.
    title : str
    svg : str
    """

    name: str
    title: str
    svg: str


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Parameters
    ----------
    name : str
        For links.
    title : str
    texts : sequence of str
        Paragraphs.
    lead : Table or None
        Behind the first of them.
    charts : sequence of Chart
    tables : sequence of Table
    pictures : sequence of Picture
    """

    name: str
    title: str
    texts: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    lead: Table | None = None
    pictures: Sequence[Picture] = ()

    @property
    def all_tables(self) -> Sequence[Table]:
        """Give all tables, that behind the first paragraph too."""
        return [*filter(None, [self.lead]), *self.tables]


def sections(contents: Contents) -> list[Section]:
    """Make all sections."""
    return [make(contents) for make in _SECTIONS]


def _answer(contents: Contents) -> Section:
    texts = answer(contents)
    return Section("answer", "The answer", texts, [savings_chart(contents)], lead=answer_table(contents))


def _choice(contents: Contents) -> Section:
    texts = [*recommendations(contents), *integer_sentences(contents), *accuracy_sentences(contents)]
    tables = [units_table(), first_table(contents)]
    return Section("choice", "Which design to take", texts, tables=tables)


def _arithmetics(contents: Contents) -> Section:
    texts = [*arithmetics_sentences(), "Recorded with this version: `python bench/arithmetics.py`."]
    return Section(
        "arithmetics", "Which arithmetic to build", texts, [arithmetics_chart()], [arithmetics_table()]
    )


def _claims(contents: Contents) -> Section:
    return Section("claims", "The paper's claims beside what was measured", tables=[claims_table(contents)])


def _products(contents: Contents) -> Section:
    text = (
        "A multiplier whose result is in the format of its operands, flushed and saturated the same way, "
        "under the operands that the end of this page names. mitchell: integer addition without a constant; "
        "lmul: with the paper's; addm: with a correction where both mantissas are in the middle; addc: with "
        "the carry that rounds correctly; exact: conventional, rounded to nearest even."
    )
    table = _designs("multipliers", "Multipliers", contents.products())
    return Section("energy", "Energy of an operation", [text], [products_chart(contents)], [table])


def _dots(contents: Contents) -> Section:
    text = (
        "The element of an accelerator: products, their alignment, the sum and its register, one result in "
        "fp32. Energies are over its lanes. What a better multiplier can save is bounded by what it does not "
        "do."
    )
    found = [(sum_.title, figures) for sum_ in SUMS for figures in contents.dots(sum_)]
    titles, designs = zip(*found, strict=True)
    tables = [_designs("dot_products", "Dot products", designs, {"sum": titles}), _blocks(contents)]
    charts = [dots_chart(contents), blocks_chart(contents)]
    return Section("dot", "Where the energy of a dot product goes", [text], charts, tables)


def _area(contents: Contents) -> Section:
    text = "The figures are in the tables above. Delays are by the library's tables, without wires."
    return Section("area", "Area and clock", [text], [area_chart(contents)])


def _wires(contents: Contents) -> Section:
    text = (
        "All other figures of this page are before placement. Here cells lie in rows, and are measured again "
        "with the wires between them, buffers, and a tree for the clock; docs/cost.md says how. Recorded "
        "with this version: `python bench/layout.py`."
    )
    title = "An 8-lane dot product with exact products, placed"
    return Section(
        "wires",
        "With wires",
        [text],
        tables=[layouts_table()],
        pictures=[Picture("layout", title, picture())],
    )


def _libraries(contents: Contents) -> Section:
    libraries = recorded_libraries()
    text = (
        "The same designs in four published libraries, recorded with this version: each column compares two "
        "multipliers in one library. A figure of one library over that of another means nothing, for node, "
        "voltage and corner differ. docs/cost.md has the figures, files and commands."
    )
    rows: list[Sequence[Cell]] = [
        (design, METRICS[name].label, *(ratio(library["designs"][design], name) for library in libraries))
        for design in libraries[0]["designs"]
        for name in RATIOS
    ]
    titles = [library["title"] for library in libraries]
    table = Table("libraries", "lmul over exact, e4m3", ("design", "figure", *titles), rows)
    return Section("libraries", "In other cell libraries", [text], tables=[table])


def _error(contents: Contents) -> Section:
    text = (
        "RMS error of dot products of these operands against those before they were quantised. A line joins "
        "the multipliers of a format. Bars: where other seeds of synthesis, or other cycles, put the energy, "
        f"19{NBSP}times of 20. Point at a dot for the command that writes its Verilog."
    )
    charts = [chart(contents) for chart in (product_errors_chart, dot_errors_chart)]
    return Section("error", "Error against energy", [text], [chart for chart in charts if chart.values])


def _model(contents: Contents) -> Section:
    text = (
        "SmolLM2-135M-Instruct reads 8,192 tokens of George Eliot, its matrix products computed by the "
        "golden model, which has the bits of the hardware. These figures take hours; they are "
        f"{contents.model.source}."
    )
    tables = [
        _accuracies("accuracy", "Perplexity and next token", contents.model.accuracy),
        _accuracies("bias", "Mending the mean error", contents.model.bias),
        _accuracies("sums", "Sums of tensor cores", contents.model.sums),
        _accuracies("questions", "160 questions with four choices", contents.model.questions),
        token_table(contents),
    ]
    charts = [chart for chart in (model_chart(contents), token_chart(contents)) if chart.values]
    return Section("model", "Accuracy of a language model", [text], charts, tables)


def _peers(contents: Contents) -> Section:
    text = "Other libraries, other flows, other baselines: they show what was reached, not what is less."
    return Section("peers", "What others published", [text], tables=[peers_table()])


def _made(contents: Contents) -> Section:
    rows: list[Sequence[Cell]] = list(contents.made.items())
    commands = [
        (name, figures["measured_by"], figures["verilog"]) for name, figures in contents.figures.items()
    ]
    text = (
        "Every figure of a design is that of the command beside it. Energies are means over real operands, "
        "glitches included, without wires and placement; ratios are more trustworthy than values."
    )
    tables = [
        Table("made", "What the figures were made with", ("what", "which"), rows),
        Table("commands", "Commands", ("design", "figures", "Verilog"), commands),
    ]
    return Section("made", "How each number was made", [text], tables=tables)


_SECTIONS: tuple[Callable[[Contents], Section], ...] = (
    _answer,
    _choice,
    _arithmetics,
    _claims,
    _products,
    _dots,
    _area,
    _wires,
    _libraries,
    _error,
    _model,
    _peers,
    _made,
)


def _designs(
    name: str, title: str, found: Sequence[Figures], more: Mapping[str, Sequence[Cell]] | None = None
) -> Table:
    """Lay out figures of designs, a row each, with more columns by their headings."""
    more = more or {}
    metrics = [METRICS[column] for column in COLUMNS]
    headings = ["format", "multiplier", *more, *(f"{metric.label}, {metric.unit}" for metric in metrics)]
    rows = [
        [
            format_names(figures["design"]),
            figures["design"]["mul"],
            *(column[index] for column in more.values()),
            *(figures[metric.name] for metric in metrics),
        ]
        for index, figures in enumerate(found)
    ]
    note = "RMS error: of dot products of real operands; noise: what is left of it after the best factor."
    return Table(name, title, headings, rows, note)


def _blocks(contents: Contents) -> Table:
    split = contents.dots(BEST_SUM)
    rows: list[Sequence[Cell]] = []
    for figures in split:
        parts, design = figures["blocks"], figures["design"]
        whole = figures["energy_per_product_fj"]
        rows.append((format_names(design), design["mul"], *parts.values(), sum(parts.values()), whole))
    parts = [f"{part}, fJ" for part in split[0]["blocks"]]
    headings = ["format", "multiplier", *parts, "sum, fJ", "mapped as a whole, fJ"]
    title = f"Energy of a product, block by block: {BEST_SUM.title}"
    return Table("blocks", title, headings, rows, "Blocks that are mapped one by one take more.")


def _accuracies(name: str, title: str, found: Sequence[Mapping[str, Any]]) -> Table:
    headings = (
        "arithmetic",
        "perplexity",
        "over full precision",
        "+-",
        "same next token, %",
        "right answers, %",
        "sums out of range, ppm",
    )
    rows = []
    for row in found:
        ratio, right = row["ratio"], row["right"]
        rows.append(
            (
                row["arithmetic"],
                row["perplexity"]["value"],
                ratio["value"],
                ratio["half_width"],
                100 * row["agreement"]["value"],
                100 * right["value"] if right else None,
                1e6 * row["left_range"],
            )
        )
    return Table(
        name, title, headings, rows, f"+-: half of the 95 % interval of the ratio. {FULL_PRECISION_IS}"
    )


def token_table(contents: Contents) -> Table:
    """Lay out what a token takes, and what memory is assumed to take."""
    headings = ("multiplier", "tokens a weight", "multipliers, uJ", "rest of the elements, uJ", "SRAM, uJ")
    rows = []
    for found in contents.model.energy:
        sums = [
            sum(kind[part] for kind in found["kinds"]) for part in ("multipliers", "elements", "sram", "dram")
        ]
        totals = found["total"], found["total_high"]
        rows.append((found["design"]["mul"], found["machine"]["batch"], *sums, *totals))
    memories = (MemoryEnergy(**found["memory_pj_per_byte"]).text for found in contents.model.energy)
    assumed = "; ".join(dict.fromkeys(memories))
    note = f"Memory is assumed: {assumed}. DRAM is at its low end but in the last column." if assumed else ""
    more = "DRAM, uJ", "all, uJ", "all with DRAM at its high end, uJ"
    return Table("token", "Energy of one token", (*headings, *more), rows, note)
