"""What is simulated, and whether it can be: for the commands that run a simulator."""

import argparse
from pathlib import Path

from lmul.commands.shared.library import library_files
from lmul.cost.library.reader import LibraryFiles
from lmul.cost.mapping.designs import map_to_cells
from lmul.cost.mapping.mapper import CELLS
from lmul.cost.mapping.scripts import RIPPLE_EMAP
from lmul.cost.netlist.netlist import cell_models
from lmul.design import Design
from lmul.errors import UserError, printable
from lmul.hdl import Export
from lmul.sim.simulators.four_state import icarus_runner, unknown_while_idle
from lmul.terminal.progress import working


def check_simulator(options: argparse.Namespace) -> None:
    """Refuse to go on without a simulator, or with a directory of no use to it, before anything is written.

    Raises
    ------
    UserError
    """
    from lmul.sim.simulators.verilator import verilator_environment

    if options.four_state:
        icarus_runner()
    else:
        verilator_environment()
    if printable(options.build.absolute()) != str(options.build.absolute()):
        raise UserError(
            f"--build {str(options.build.absolute())!r} has characters that no report of cocotb's can hold: "
            "name a directory without control characters"
        )


def directory_of(text: Export, options: argparse.Namespace, *more: str) -> Path:
    """Give the directory of a simulation: another one for whatever is simulated, or what with."""
    kinds = [name for name in ("netlist", "four-state") if getattr(options, name.replace("-", "_"))]
    directory: Path = options.build / "sim" / "-".join([text.name, *kinds, *more])
    return directory


def design_sources(design: Design, text: Export, options: argparse.Namespace) -> tuple[dict[str, str], str]:
    """Give the Verilog by file name, the design's own first, and the name of the top module.

    Parameters
    ----------
    design : Design
    text : Export
    options : Namespace
        Of `lmul sim`.
    """
    sources = {f"{text.name}.v": text.verilog}
    if options.netlist:
        sources = _netlist(design, text, library_files(options), options.build / CELLS)
    if not options.four_state:
        return sources, text.name
    top = f"{text.name}_unknown_while_idle"
    return sources | {f"{top}.v": unknown_while_idle(design.bench, text.name, top, text.ports)}, top


def _netlist(design: Design, text: Export, files: LibraryFiles, cache: Path) -> dict[str, str]:
    """Map a design: the netlist and models of the cells in it."""
    with working(f"Mapping {text.name} to cells") as progress:
        (mapped,) = map_to_cells(
            text, design, files.read(), scripts=[RIPPLE_EMAP], cache=cache, progress=progress
        ).values()
    models = cell_models(mapped.netlist.library, mapped.netlist.cell_counts)
    return {f"{text.name}.v": mapped.verilog, "cells.v": models}
