"""Technology mapping: Verilog to a netlist of library cells, with Yosys and ABC.

Every design is mapped with each recipe of a list, for none is best for all. Each run is a fresh process in
a directory of its own, which makes results reproducible and lets runs share the machine.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmul.cost.cache import cached
from lmul.cost.liberty import IDENTIFIER, liberty_text, read_liberty
from lmul.cost.library import Library
from lmul.cost.netlist import Netlist, read_netlist
from lmul.cost.netlist_verilog import netlist_verilog
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
    """

    library: Library
    json: str

    @cached_property
    def netlist(self) -> Netlist:
        """The netlist, flattened."""
        return read_netlist(self.json, self.library)

    @property
    def verilog(self) -> str:
        """The netlist as Verilog, module by module, with the same names."""
        return netlist_verilog(self.json)


def map_design(
    verilog: str,
    top: str,
    liberty: Path,
    *,
    recipes: Sequence[Recipe] = RECIPES,
    flatten: bool = True,
    design: Mapping[str, Any] | None = None,
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
    design : mapping of str to JSON value, optional
        Parameters of the design, kept beside its netlists: with them an entry can be taken elsewhere.
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
    texts = mapping_texts(verilog, liberty)
    possible = [recipe for recipe in recipes if recipe.suits("full_adder.v" in texts)]

    def mapped(recipe: Recipe) -> Mapped:
        key = mapping_key(texts, top, library, recipe, flatten)
        origin = design and mapping_origin(design, library, recipe, flatten)
        return Mapped(library, cached(cache, key, partial(_map_once, key), origin=origin))

    outputs: dict[str, Mapped] = {}
    with ThreadPoolExecutor(processors()) as pool:
        jobs = {pool.submit(mapped, recipe): recipe.name for recipe in possible}
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                outputs[jobs[job]] = job.result()
                if progress:
                    progress(done, len(jobs))
        finally:
            # After Ctrl-C or a failure, what has not begun need not begin.
            pool.shutdown(wait=False, cancel_futures=True)
    return {recipe.name: outputs[recipe.name] for recipe in possible}


def mapping_texts(verilog: str, liberty: Path) -> dict[str, str]:
    """Give the files that Yosys reads whatever the recipe, by name.

    Parameters
    ----------
    verilog : str
        The design.
    liberty : Path
        The library.
    """
    files = library_files(read_liberty(liberty))
    return {"design.v": verilog, "cells.lib": liberty_text(liberty)} | files


def mapping_key(
    texts: Mapping[str, str], top: str, library: Library, recipe: Recipe, flatten: bool
) -> list[Any]:
    """Give all that a netlist depends on: the version of Yosys, its commands, and the files it reads.

    Parameters
    ----------
    texts : mapping of str to str
        As `mapping_texts` gives them.
    top : str
        Name of the design's top module.
    library : Library
    recipe : Recipe
    flatten : bool
        Whether the design is mapped as one module.
    """
    files = dict(texts) | {"script.abc": recipe.script + "\n"}
    return [version("pyosys"), _flow(recipe, library, top, flatten), files]


def mapping_origin(
    design: Mapping[str, Any], library: Library, recipe: Recipe, flatten: bool
) -> dict[str, Any]:
    """Say what a netlist is made from, so that its key can be made again where the same library is.

    Parameters
    ----------
    design : mapping of str to JSON value
        Parameters of the design.
    library : Library
    recipe : Recipe
        Its script holds the clock period, if it is made for one.
    flatten : bool
    """
    return {
        "design": dict(design),
        "recipe": recipe.name,
        "synthesis": list(recipe.synthesis),
        "script": recipe.script,
        "flatten": flatten,
        "library": library.name,
        "library_sha256": library.checksum,
        "pyosys": version("pyosys"),
    }


def _flow(recipe: Recipe, library: Library, top: str, flatten: bool) -> list[str]:
    synthesis = (
        # No `format`: the recipe may be out of a file, where `{top:>9999999999}` would fill the memory.
        command.replace("{top}", top).replace("{flatten}", "-flatten" if flatten else "")
        for command in recipe.synthesis
    )
    read = ("read_verilog -sv design.v", "read_verilog -lib black_boxes.v")
    # Yosys reads the file itself, and may see cells in it that cannot be simulated here.
    avoided = "".join(f" -dont_use {cell.name}" for cell in library.cells.values() if cell.unusable)
    after = (command.format(avoided=avoided) for command in _AFTER)
    return [*read, *synthesis, *clock_gating(library), *after]


def _map_once(key: Sequence[Any]) -> str:
    _, flow, texts = key
    with tempfile.TemporaryDirectory(prefix="lmul-map-") as name:
        directory = Path(name)
        for file, text in texts.items():
            (directory / file).write_text(text, encoding="utf-8")
        try:
            run_yosys(flow, directory)
        except YosysError as error:
            raise UserError(f"Yosys: {error}") from None
        return (directory / "netlist.json").read_text()
