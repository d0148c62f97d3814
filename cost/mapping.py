"""Technology mapping: Verilog to a netlist of library cells, with Yosys and ABC.

Every design is mapped with each recipe of a list, for none is best for all. Each run is a fresh process in
a directory of its own, which makes results reproducible and lets runs share the machine.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from lmul.cost.cache import cached
from lmul.cost.liberty import IDENTIFIER, liberty_text, read_liberty
from lmul.cost.library import Library
from lmul.cost.netlist import Netlist, read_netlist
from lmul.cost.recipes import RECIPES, Recipe, clock_gating, library_files
from lmul.errors import UserError
from lmul.golden.parallel import processors
from lmul.yosys import YosysError, run_yosys

CELLS = "cells"
"""Subdirectory of the build directory for mapped netlists."""

_AFTER = (
    "setundef -zero -undriven",
    "dfflibmap -liberty cells.lib{avoided}",
    "abc -liberty cells.lib{avoided} -script script.abc",
    "setundef -zero",
    "opt_clean -purge",
    "delete =A:blackbox",
    # Names that no tool has to escape, for those of Verilog's hierarchy hold dots.
    "rename -hide w:*",
    "rename -enumerate",
    "write_verilog -noattr -simple-lhs -noexpr netlist.v",
    "write_json netlist.json",
)


@dataclass(frozen=True)
class Mapped:
    """A design as cells of a library.

    Parameters
    ----------
    library : Library
    json : str
        The netlist as Yosys writes it.
    verilog : str
        The same netlist as Verilog, with the same names.
    """

    library: Library
    json: str
    verilog: str

    @cached_property
    def netlist(self) -> Netlist:
        """The netlist, flattened."""
        return read_netlist(self.json, self.library)


def map_design(
    verilog: str,
    top: str,
    liberty: Path,
    *,
    recipes: Sequence[Recipe] = RECIPES,
    flatten: bool = True,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Mapped]:
    """Map a design onto the cells of a library, once with each recipe.

    Parameters
    ----------
    verilog : str
        The design, all modules.
    top : str
        Name of its top module, a plain Verilog identifier.
    liberty : Path
        The library, plain or gzipped; any path will do, for Yosys sees only a copy of it.
    recipes : sequence of Recipe
        What to try, on as many processors as there are. Those that the library's full adder, or want of
        one, speaks against are left out.
    flatten : bool
        Map the design as one module. False maps each module by itself, faster by far for arrays, and
        flattens afterwards.
    cache : Path, optional
        Directory of netlists by the content that they were made from: design, library, recipe, Yosys.
    progress : callable, optional
        Called with the numbers of finished and of all runs.

    Returns
    -------
    dict of str to Mapped
        Netlists by name of the recipe, in the order of `recipes`.

    Raises
    ------
    UserError
        If Yosys is not installed or refuses the design, or the library cannot be read.
    """
    if IDENTIFIER.fullmatch(top) is None:
        raise UserError(f"top module {top!r} is not a plain Verilog identifier")
    library = read_liberty(liberty)
    files = library_files(library)
    texts = {"design.v": verilog, "cells.lib": liberty_text(liberty)} | files
    possible = [recipe for recipe in recipes if recipe.suits("full_adder.v" in files)]
    outputs: dict[str, Mapped] = {}
    with ThreadPoolExecutor(processors()) as pool:
        jobs = {
            pool.submit(
                _map,
                _flow(recipe, library, top, flatten),
                texts | {"script.abc": recipe.script + "\n"},
                cache,
                library,
            ): recipe.name
            for recipe in possible
        }
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                outputs[jobs[job]] = job.result()
                if progress:
                    progress(done, len(jobs))
        finally:
            # After Ctrl-C or a failure, what has not begun need not begin.
            pool.shutdown(wait=False, cancel_futures=True)
    return {recipe.name: outputs[recipe.name] for recipe in possible}


def _flow(recipe: Recipe, library: Library, top: str, flatten: bool) -> list[str]:
    synthesis = (
        command.format(top=top, flatten="-flatten" if flatten else "") for command in recipe.synthesis
    )
    read = ("read_verilog -sv design.v", "read_verilog -lib black_boxes.v")
    # Yosys reads the file itself, and may see cells in it that cannot be simulated here.
    avoided = "".join(f" -dont_use {cell.name}" for cell in library.cells.values() if cell.unusable)
    after = (command.format(avoided=avoided) for command in _AFTER)
    return [*read, *synthesis, *clock_gating(library), *after]


def _map(flow: Sequence[str], texts: Mapping[str, str], directory: Path | None, library: Library) -> Mapped:
    key = [version("pyosys"), flow, dict(texts)]
    netlist, text = cached(directory, key, lambda: _map_once(flow, texts))
    return Mapped(library, netlist, text)


def _map_once(flow: Sequence[str], texts: Mapping[str, str]) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="lmul-map-") as name:
        directory = Path(name)
        for file, text in texts.items():
            (directory / file).write_text(text, encoding="utf-8")
        try:
            run_yosys(flow, directory)
        except YosysError as error:
            raise UserError(f"Yosys: {error}") from None
        text = (directory / "netlist.v").read_text()
        # The first line is a comment with the machine that built Yosys.
        return (directory / "netlist.json").read_text(), text.partition("\n\n")[2]
