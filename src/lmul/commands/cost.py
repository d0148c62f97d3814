"""`lmul cost`: what designs take, by one of several estimates that are never mixed."""

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Group, RenderableType

from lmul.commands.shared.layout import LAYOUT, layouts
from lmul.commands.shared.library import library_files
from lmul.cost.library.cells import Library
from lmul.cost.mapping.mapper import CELLS
from lmul.design import Design
from lmul.errors import UserError
from lmul.host.files import check_output, write_files
from lmul.terminal.console import console, print_whole, say, write_figures
from lmul.terminal.progress import working
from lmul.workloads import Operands

if TYPE_CHECKING:
    from lmul.cost.cells.estimate import Cost
    from lmul.cost.cells.foreign import Foreign
    from lmul.cost.cells.measure import Conditions
    from lmul.cost.layout.estimate import LaidOut

Found = TypeVar("Found")

PLACED = "placed"
"""Subdirectory of `--netlist` for placed designs."""

FPGA = "fpga"
"""Subdirectory of the build directory for designs placed in an FPGA."""

MOST_SEEDS = 100

MOST_PERCENT = 20

OF_CELLS = (
    "rtl",
    "operands",
    "codes",
    "scaling",
    "liberty",
    "dont-use",
    "clock",
    "wires",
    *LAYOUT,
    "seeds",
    "precision",
    "path",
    "share-blocks",
    "csv",
    "accelergy",
    "netlist",
)
"""Options of the estimate *cells* alone."""


def run_cost(designs: Sequence[Design], operands: Sequence[Operands], options: argparse.Namespace) -> int:
    """Estimate the cost of designs side by side."""
    if options.estimate != "cells":
        without = (*OF_CELLS, "build") if options.estimate == "paper" else OF_CELLS
        _refuse(options, without, f"--estimate {options.estimate}")
    ESTIMATES[options.estimate](designs, operands, options)
    return 0


def run_claims(options: argparse.Namespace) -> int:
    """Recompute what the paper says of gates and energy."""
    from lmul.cost.published.claims import paper_claims
    from lmul.cost.published.table import paper_claims_table

    claims = paper_claims()
    _show(paper_claims_table(claims), claims.as_dict(), options)
    return 0


def run_calibration(options: argparse.Namespace) -> int:
    """Put operations that were published for this technology through our own flow."""
    from lmul.cost.calibration.calibrate import calibrate
    from lmul.cost.calibration.table import calibration_table

    with working("Mapping and measuring the operations of the table") as progress:
        found = calibrate(library_files(options).read(), cache=_cache(options, CELLS), progress=progress)
    _show(calibration_table(found), found.as_dict(), options)
    return 0


def run_cache(options: argparse.Namespace) -> int:
    """Write the netlists of a library into one file, or take them out of one.

    Parameters
    ----------
    options : argparse.Namespace
        `cache`, what is to be done and the file; `build`, `liberty`.
    """
    from lmul.cost.cells.exchange import export_netlists, import_netlists

    action, name = options.cache
    if action not in ("export", "import"):
        raise UserError(f"--cache takes export FILE or import FILE, not {action!r}")
    cells, path = _cache(options, CELLS), Path(name)
    library = library_files(options).read()
    if action == "export":
        check_output(path)
        with working("Collecting netlists") as progress:
            found = export_netlists(cells, library, progress)
        write_files(path.parent, {path.name: found.data})
        say(f"{path}: {_netlists(found.netlists)}; {found.left_out:,} other entries of {cells} are left out")
        return 0
    with working("Checking netlists") as progress:
        taken, there = import_netlists(path, cells, library, progress)
    say(f"{cells}: {_netlists(taken)} imported, {there:,} there already; figures are measured when asked for")
    return 0


def _netlists(count: int) -> str:
    return f"{count:,} netlist{'' if count == 1 else 's'}"


def _refuse(options: argparse.Namespace, names: Sequence[str], asked: str) -> None:
    """Refuse options that mean nothing to what is asked for."""
    for name in names:
        if name in options.given:
            raise UserError(f"--{name} means nothing to {asked}: leave it out")


def _cells(designs: Sequence[Design], operands: Sequence[Operands], options: argparse.Namespace) -> None:
    from lmul.cost.cells.estimate import estimate, tried_scripts, without_waiting
    from lmul.cost.cells.noise import cost_figures
    from lmul.cost.cells.shared import check_sharing, estimate_shared, shared_figures
    from lmul.cost.cells.table import cost_table, path_table, shared_table

    if options.share_blocks:
        check_sharing(designs)
    library = library_files(options).read()
    conditions, cache = conditions_of(options, library), _cache(options, CELLS)
    foreign = _foreign(designs, options) if options.rtl else None
    given: dict[str, Any] = {
        "operands": operands,
        "library": library,
        "conditions": conditions,
        "cache": cache,
    }
    layout_of = layouts(options, designs, library, cache)
    costs = []
    if foreign:
        from lmul.cost.cells.foreign import estimate_foreign

        designs = [foreign.beside(design, options.chosen) for design in designs]
        costs.append(_measured(foreign.name, partial(estimate_foreign, foreign, **given)))
    for design in designs:
        # All sides get the scripts that somebody else's does.
        scripts = without_waiting(tried_scripts(design, conditions)) if foreign else None
        costs.append(_measured(design.name, partial(estimate, design, scripts=scripts, **given)))
    tables, figures = [cost_table(costs)], cost_figures(costs)
    if options.share_blocks:
        shared = _measured("with common blocks", partial(estimate_shared, designs, **given))
        tables.append(shared_table(shared))
        for whole, held in zip(figures, shared_figures(shared), strict=True):
            whole["shared_blocks"] = held
    laid = _placed(costs, operands, layout_of) if layout_of else []
    if laid:
        from lmul.cost.layout.table import layout_table

        tables.append(layout_table(laid))
    for whole, one in zip(figures, laid, strict=False):
        whole["layout"] = one.as_dict()
    _show(Group(*tables), figures, options)
    for cost in costs if options.path else []:
        print_whole(path_table(cost))
    # All are made before one is written.
    for directory, texts in list(_files(costs, laid, operands, options)):
        for path in write_files(directory, texts):
            say(path)


def _placed(costs: Sequence["Cost"], operands: Sequence[Operands], layout_of: Any) -> "list[LaidOut]":
    return [_measured(cost.label, partial(layout_of, cost, operands), "Placing") for cost in costs]


def _files(
    costs: Sequence["Cost"],
    laid: Sequence["LaidOut"],
    operands: Sequence[Operands],
    options: argparse.Namespace,
) -> Iterator[tuple[Path, Mapping[str, str | bytes]]]:
    """Give the files that are asked for, by directory."""
    from lmul.cost.handover.accelergy import accelergy_files, csv_text
    from lmul.cost.handover.opensta import handover_files

    if options.csv:
        yield options.csv.parent, {options.csv.name: csv_text(costs)}
    if options.accelergy:
        yield options.accelergy, accelergy_files(costs)
    for cost in costs if options.netlist else []:
        yield options.netlist, handover_files(cost, operands)
    if options.netlist and laid:
        from lmul.cost.handover.layout import layout_files

        for one in laid:
            yield options.netlist / PLACED, layout_files(one, operands)


def _foreign(designs: Sequence[Design], options: argparse.Namespace) -> "Foreign":
    """Read the multiplier of `--rtl`, and find out what it computes, before its cost is measured."""
    from lmul.commands.shared.rtl import USUAL, check_rtl
    from lmul.cost.cells.foreign import Foreign
    from lmul.sim.simulate import SimulationError

    muls = dict.fromkeys([*(design.mul for design in designs), USUAL])
    try:
        return Foreign(check_rtl(options, options.chosen, list(muls), remade=True))
    except SimulationError as error:
        raise UserError(str(error)) from None


def conditions_of(options: argparse.Namespace, library: Library) -> "Conditions":
    """Give the conditions that `clock`, `seeds`, `precision` and `wires` of the options ask for.

    Raises
    ------
    UserError
        One of them is out of range, or no wire load model of the library.
    """
    from lmul.cost.cells.measure import Conditions

    given: dict[str, Any] = {}
    if options.clock is not None:
        given["period_ps"] = _period_ps(options.clock, library)
    if options.seeds is not None:
        check_seeds(options.seeds)
        given["seeds"] = options.seeds
    if options.precision is not None:
        if not 0 < options.precision <= MOST_PERCENT:
            raise UserError(
                f"--precision must be above 0 and at most {MOST_PERCENT} %, not {options.precision:g}"
            )
        given["precision"] = options.precision / 100
    if options.wires is not None:
        name = library.default_wire_load if options.wires == "default" else options.wires
        if name not in library.wire_loads:
            models = ", ".join(library.wire_loads) or "none"
            raise UserError(
                f"--wires {options.wires!r} is no wire load model of the library: it has {models}"
            )
        given["wires"] = name
    return Conditions(**given)


def check_seeds(seeds: int) -> None:
    """Refuse a number of seeds that is out of range.

    Raises
    ------
    UserError
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"--seeds must be from 1 to {MOST_SEEDS}, not {seeds}")


def _period_ps(text: str, library: Library) -> float:
    """Read a clock period in ns, or in delays of the library's inverter that drives four."""
    from lmul.cost.timing.fo4 import fo4_ps

    number, fo4, _ = text.upper().partition("FO4")
    try:
        period = float(number)
    except ValueError:
        period = math.nan
    if not 0 < period < math.inf or text.upper() != number + fo4:
        raise UserError(
            f"--clock must be a period in ns above 0 such as 1.5, or one such as 70FO4, not {text!r}"
        )
    if not fo4:
        return period * 1e3
    delay = fo4_ps(library)
    say(f"FO4 of {library.name}: {delay:.1f} ps, so that {text} is {period * delay / 1e3:.4g} ns")
    return round(period * delay, 1)


def _gates(designs: Sequence[Design], operands: Sequence[Operands], options: argparse.Namespace) -> None:
    from lmul.cost.gates.estimate import estimate_gates
    from lmul.cost.gates.table import gates_table

    costs = [
        _measured(design.name, partial(estimate_gates, design, cache=_cache(options, CELLS)))
        for design in designs
    ]
    _show(gates_table(costs), [cost.as_dict() for cost in costs], options)


def _paper(designs: Sequence[Design], operands: Sequence[Operands], options: argparse.Namespace) -> None:
    from lmul.cost.published.paper import estimate_paper
    from lmul.cost.published.table import paper_table

    costs = [estimate_paper(design) for design in designs]
    _show(paper_table(costs), [cost.as_dict() for cost in costs], options)


def _fpga(designs: Sequence[Design], operands: Sequence[Operands], options: argparse.Namespace) -> None:
    from lmul.cost.fpga.estimate import estimate_fpga
    from lmul.cost.fpga.table import fpga_table

    cache = _cache(options, FPGA)
    costs = [
        _measured(design.name, partial(estimate_fpga, design, options.estimate, cache=cache))
        for design in designs
    ]
    _show(fpga_table(costs), [cost.as_dict() for cost in costs], options)


def _cache(options: argparse.Namespace, name: str) -> Path:
    """Give the directory of finished work, refused before any work if it cannot be written."""
    directory: Path = options.build / name
    check_output(directory, directory=True)
    return directory


def _measured(name: str, estimate: Callable[..., Found], work: str = "Mapping and measuring") -> Found:
    with working(f"{work} {name}") as progress:
        return estimate(progress=progress)


def _show(table: RenderableType, figures: Any, options: argparse.Namespace) -> None:
    console().print(table)
    write_figures(options.json, figures)


ESTIMATES = {"cells": _cells, "gates": _gates, "paper": _paper, "ice40": _fpga, "ecp5": _fpga}
