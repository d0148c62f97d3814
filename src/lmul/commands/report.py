"""`lmul report`: one page, figures for papers, and the numbers behind them."""

import argparse
import platform
import shlex
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmul.commands.cost import check_seeds
from lmul.commands.shared.library import library_files, library_options
from lmul.cost.mapping.mapper import CELLS
from lmul.errors import UserError
from lmul.host.cache import cached, program_digest
from lmul.host.files import check_output, read_input, write_files
from lmul.host.processes import check_jobs
from lmul.report.contents import Contents
from lmul.report.language_model import read_results
from lmul.report.measure import ADDER, CAPTURED_MANTISSA_BITS, DRAWN, PRECISION, Setup, measure_designs
from lmul.report.page.page import check_drawing, parted, read_contents, report_files
from lmul.report.plan import ADDED, Plan
from lmul.report.sections.answer import accuracy_sentences, answer
from lmul.report.sections.recommendation import integer_sentences, recommendations
from lmul.terminal.console import console, say
from lmul.terminal.progress import working

CLAIMED_BY = ("accuracy", "cost", "golden", "multipliers")
"""Files of this program that the recomputed claims depend on."""

LARGEST = 1 << 26
"""Bytes of a report.json."""

RESULTS = "report"
"""Directory of finished figures in the build directory."""


def run_report(options: argparse.Namespace) -> int:
    """Measure what is missing and write the report.

    Parameters
    ----------
    options : argparse.Namespace
        `output`, `formats`, `multipliers`, `seeds`, `operands`, `liberty`, `dont_use`, `llm`, `build`, `jobs`
        and `quiet`.

    Raises
    ------
    UserError
        An option cannot be used, or the extra `report` is not installed; nothing has then been written.
    """
    check_jobs(options.jobs)
    _check_place(options.output)
    check_seeds(options.seeds)
    plan = Plan(options.formats.split(","), options.multipliers.split(","), options.seeds)
    model = read_results(options.llm)
    check_drawing()
    setup = _setup(options)
    adders = [None] if ADDED in plan.formats else []
    designs = [*plan.designs(setup.given), *adders]
    made = _made(setup)
    with working("Measuring designs", quiet=options.quiet) as progress:
        figures = measure_designs(designs, setup, options.jobs, progress)
    with working("Recomputing the paper's claims", quiet=options.quiet) as progress:
        claims = cached(setup.results, ["claims", program_digest(*CLAIMED_BY)], lambda: _claims(progress))
    adder = figures.pop(ADDER, {})
    for found in figures.values():
        found["measured_by"] += _given(options)
    contents = Contents(plan, figures, adder, claims["accuracy"], claims["gates"], model, made)
    with working("Drawing", quiet=options.quiet):
        files = report_files(contents)
    write_files(options.output, files)
    for tell in (answer, recommendations, integer_sentences, accuracy_sentences):
        for text in tell(contents):
            console().print(text)
    say(f"Report: {options.output / 'index.html'}")
    return 0


def check_report(directory: Path) -> int:
    """Tell whether the page and the tables of a report are made of its figures; 1 if some are not.

    Raises
    ------
    UserError
        There is no report, or one of another version.
    """
    wanted = "name a directory that `lmul report -o` wrote"
    path = directory / "report.json"
    try:
        contents = read_contents(read_input(path, wanted, LARGEST).decode())
        made, own = contents.made.get("lmul", "another"), _program()
    except (AttributeError, ValueError):
        raise UserError(f"{path} is not the figures of a report: {wanted}") from None
    if made != own:
        raise UserError(f"{path} is of lmul {made}, this is {own}: each version checks its own")
    check_drawing()
    try:
        names = parted(contents, directory)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise UserError(f"{path} lacks figures of a report, or has others: {wanted}") from None
    if names:
        say(f"Not what report.json says: {', '.join(names)}")
        return 1
    say(f"{directory}: the page and all tables are what report.json says")
    return 0


def _check_place(directory: Path) -> None:
    """Refuse a directory of programs, such as that of the sources of this one."""
    if found := next(iter(sorted(directory.glob("*.py"))), None):
        raise UserError(
            f"cannot write a report into {str(directory)!r}: it holds {found.name!r}, no part of one; "
            "name a directory of its own"
        )


def _setup(options: argparse.Namespace) -> Setup:
    """Give what measurements have in common; files by absolute paths, for other processes."""
    cells, results = ((options.build / name).absolute() for name in (CELLS, RESULTS))
    for directory in (cells, results):
        check_output(directory, directory=True)
    library = library_files(options).absolute()
    library.read()
    return Setup(library, cells, results, options.operands and options.operands.absolute(), options.seeds)


def _given(options: argparse.Namespace) -> str:
    """Give the options by which a command measures on the user's files."""
    operands = f" --operands {shlex.quote(str(options.operands))}" if options.operands else ""
    return operands + library_options(library_files(options))


def _claims(progress: Any) -> dict[str, Any]:
    from lmul.accuracy.paper.claims import recompute_claims
    from lmul.cost.published.claims import paper_claims

    accuracy = recompute_claims(progress)
    return {
        "accuracy": [asdict(claim) for claim in accuracy.statements if claim.recomputed],
        "gates": [asdict(claim) for claim in paper_claims().totals],
    }


def _made(setup: Setup) -> dict[str, str]:
    """Say what the figures are made with."""
    library = setup.library.read()
    captured = "tiles of SmolLM2-135M, of which workloads/smollm2/provenance.json tells"
    wide = f"operands of more than {CAPTURED_MANTISSA_BITS} mantissa bits"
    return {
        "lmul": _program(),
        "cell library": f"{library.name}, {library.voltage:g} V, SHA-256 {library.checksum[:12]}",
        **({"cells left out": " ".join(library.dont_use)} if library.dont_use else {}),
        "Yosys (pyosys)": version("pyosys"),
        "Python": platform.python_version(),
        "NumPy": version("numpy"),
        **(
            {"operands": setup.given[0].name}
            if setup.operands
            else {
                "operands": f"{len(setup.given)} {captured}",
                wide: f"{DRAWN}, standard normal: captured ones are float16",
            }
        ),
        "scripts": "all that the size of a design allows, slow ones where a cheaper one came close",
        "seeds": f"{setup.seeds} of each script; noise of synthesis: "
        + ("of these designs" if setup.seeds > 1 else "recorded with this version"),
        "energy": f"glitches included, half of the 95 % interval within {100 * PRECISION:g} %",
    }


def _program() -> str:
    """Give the version, and a checksum of the source."""
    return f"{version('lmul')}, source {program_digest()[:12]}"
