"""Technology mapping: Verilog to a netlist of library cells, with Yosys and ABC.

Every design is mapped with each recipe of a list, for none is best for all. Each run is a fresh process in
a directory of its own, which makes results reproducible and lets runs share the machine.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from lmul.cost.liberty import Library, liberty_text, read_liberty
from lmul.cost.netlist import Netlist, read_netlist
from lmul.cost.recipes import RECIPES, Recipe, clock_gating, library_files
from lmul.errors import UserError
from lmul.files import write_files
from lmul.yosys import YosysError, run_yosys

CELLS = "cells"
"""Subdirectory of the build directory for mapped netlists."""

_AFTER = (
    "setundef -zero -undriven",
    "dfflibmap -liberty cells.lib",
    "abc -liberty cells.lib -script script.abc",
    "flatten",
    "setundef -zero",
    "opt_clean -purge",
    "delete =A:blackbox",
    "rename -enumerate",
    "write_verilog -noattr -simple-lhs -noexpr netlist.v",
    "write_json netlist.json",
)

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


@dataclass(frozen=True)
class Mapped:
    """A design as cells of a library.

    Parameters
    ----------
    netlist : Netlist
    verilog : str
        The same netlist as Verilog, with the same instance names.
    """

    netlist: Netlist
    verilog: str


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
        What to try, on as many processors as there are. Those that need a full adder are left out for
        libraries that have none.
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
    if _IDENTIFIER.fullmatch(top) is None:
        raise UserError(f"top module {top!r} is not a plain Verilog identifier")
    library = read_liberty(liberty)
    files = library_files(library)
    texts = {"design.v": verilog, "cells.lib": liberty_text(liberty)} | files
    possible = [recipe for recipe in recipes if "full_adder.v" in files or not recipe.full_adders]
    outputs: dict[str, tuple[str, str]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {
            pool.submit(
                _cached,
                _flow(recipe, library, top, flatten),
                texts | {"script.abc": recipe.script + "\n"},
                cache,
            ): recipe.name
            for recipe in possible
        }
        for done, job in enumerate(as_completed(jobs), start=1):
            outputs[jobs[job]] = job.result()
            if progress:
                progress(done, len(jobs))
    return {
        recipe.name: Mapped(read_netlist(outputs[recipe.name][0], library), outputs[recipe.name][1])
        for recipe in possible
    }


def _flow(recipe: Recipe, library: Library, top: str, flatten: bool) -> list[str]:
    synthesis = (
        command.format(top=top, flatten="-flatten" if flatten else "") for command in recipe.synthesis
    )
    read = ("read_verilog -sv design.v", "read_verilog -lib black_boxes.v")
    return [*read, *synthesis, *clock_gating(library), *_AFTER]


def _cached(flow: Sequence[str], texts: Mapping[str, str], cache: Path | None) -> tuple[str, str]:
    """Give the netlist as JSON and as Verilog, from the cache if it has them whole."""
    if cache is None:
        return _map_once(flow, texts)
    key = json.dumps([version("pyosys"), flow, texts], sort_keys=True)
    entry = cache / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    with suppress(OSError, ValueError, KeyError):
        found = json.loads(entry.read_text())
        return found["json"], found["verilog"]
    netlist, text = _map_once(flow, texts)
    write_files(cache, {entry.name: json.dumps({"json": netlist, "verilog": text})})
    return netlist, text


def _map_once(flow: Sequence[str], texts: Mapping[str, str]) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="lmul-map-") as name:
        directory = Path(name)
        for file, text in texts.items():
            (directory / file).write_text(text, encoding="utf-8")
        try:
            run_yosys(flow, directory)
        except YosysError as error:
            raise UserError(f"Yosys: {error}") from None
        return (directory / "netlist.json").read_text(), (directory / "netlist.v").read_text()
