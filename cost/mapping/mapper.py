"""Technology mapping: Verilog to a netlist of library cells, with Yosys and ABC.

Every design is mapped with each script of a list, for none is best for all. Scripts that begin alike share a
fresh process until ABC begins, and each goes on in a copy of it, in a directory of its own: results are those
of a process for each, and reproducible.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmul.cost.library.cells import Library
from lmul.cost.library.reader import IDENTIFIER
from lmul.cost.library.writer import mapping_library
from lmul.cost.mapping.requirements import check_mappable
from lmul.cost.mapping.scripts import SCRIPTS, SynthesisScript, clock_gating, library_files
from lmul.cost.netlist.netlist import Netlist, read_netlist
from lmul.cost.netlist.verilog import netlist_verilog
from lmul.errors import UserError
from lmul.host.cache import cached, entry_name, find_cached, making
from lmul.host.files import scratch
from lmul.host.parallel import processors
from lmul.programs.yosys import YosysError, run_branches

CELLS = "cells"
"""Subdirectory of the build directory for mapped netlists."""

_EDGE = re.compile(r"\b(pos|neg)edge\b")

CELLS_FILE, SCRIPT = "cells.lib", "script.abc"
"""Files that Yosys' commands name."""

_BEFORE_ABC = ("setundef -zero -undriven", "dfflibmap -liberty cells.lib")
_AFTER = (
    "abc -liberty cells.lib -script script.abc",
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
    library: Library,
    *,
    scripts: Sequence[SynthesisScript] = SCRIPTS,
    flatten: bool = True,
    design: Mapping[str, Any] | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Mapped]:
    """Map a design onto the cells of a library, once with each script.

    Parameters
    ----------
    verilog : str
        The design, all modules.
    top : str
        Name of its top module, a plain Verilog identifier.
    library : Library
        Yosys sees only what was understood of it.
    scripts : sequence of SynthesisScript
        What to try, on as many processors as there are. Those that the library's full adder, or want of
        one, speaks against are left out.
    flatten : bool
        Map the design as one module. False maps each module by itself, faster by far for arrays, and
        flattens afterwards.
    design : mapping of str to JSON value, optional
        Parameters of the design, kept beside its netlists: with them an entry can be taken elsewhere.
    cache : Path, optional
        Directory of netlists by the content that they were made from: design, library, script, Yosys.
    progress : callable, optional
        Called with the numbers of finished and of all runs.

    Returns
    -------
    dict of str to Mapped
        Netlists by name of the script, in the order of `scripts`.

    Raises
    ------
    UserError
        If Yosys is not installed or refuses the design, or the library lacks what every design needs.
    """
    if IDENTIFIER.fullmatch(top) is None:
        raise UserError(f"top module {top!r} is not a plain Verilog identifier")
    check_mappable(library, registers=_EDGE.search(verilog) is not None)
    texts = mapping_texts(verilog, library)
    possible = [script for script in scripts if script.suits("full_adder.v" in texts)]
    alike: dict[tuple[str, ...], list[SynthesisScript]] = {}
    for script in possible:
        alike.setdefault(script.yosys, []).append(script)
    found = {script.name: Future[Mapped]() for script in possible}
    with ThreadPoolExecutor(processors()) as pool:
        for group in alike.values():
            work = _Work(texts, top, library, flatten, design, cache, len(alike))
            pool.submit(_map, work, group, found)
        try:
            for done, job in enumerate(as_completed(found.values()), start=1):
                job.result()
                if progress:
                    progress(done, len(found))
        finally:
            # After Ctrl-C or a failure, what has not begun need not begin.
            pool.shutdown(wait=False, cancel_futures=True)
    return {name: job.result() for name, job in found.items()}


def mapping_texts(verilog: str, library: Library) -> dict[str, str]:
    """Give the files that Yosys reads whatever the script, by name.

    Parameters
    ----------
    verilog : str
        The design.
    library : Library
    """
    return {"design.v": verilog, CELLS_FILE: mapping_library(library, delays=False)} | library_files(library)


def mapping_key(
    texts: Mapping[str, str], top: str, library: Library, script: SynthesisScript, flatten: bool
) -> list[Any]:
    """Give all that a netlist depends on: the version of Yosys, its commands, and the files it reads.

    Parameters
    ----------
    texts : mapping of str to str
        As `mapping_texts` gives them.
    top : str
        Name of the design's top module.
    library : Library
    script : SynthesisScript
    flatten : bool
        Whether the design is mapped as one module.
    """
    before, after = _flow(script, library, top, flatten)
    return [version("pyosys"), [*before, *after], [dict(texts), _abc_texts(script, library)]]


def mapping_origin(
    design: Mapping[str, Any], library: Library, script: SynthesisScript, flatten: bool
) -> dict[str, Any]:
    """Say what a netlist is made from, so that its key can be made again where the same library is.

    Parameters
    ----------
    design : mapping of str to JSON value
        Parameters of the design.
    library : Library
    script : SynthesisScript
        Its ABC commands hold the clock period, if it is made for one.
    flatten : bool
    """
    return {
        "design": dict(design),
        "script": script.name,
        "yosys": list(script.yosys),
        "abc": script.abc,
        "flatten": flatten,
        "library": library.name,
        "library_sha256": library.checksum,
        "pyosys": version("pyosys"),
    }


@dataclass(frozen=True)
class _Work:
    """What mapping with scripts that begin alike takes: parameters of `map_design`.

    Parameters
    ----------
    texts : mapping of str to str
        Files but ABC's script.
    groups : int
        How many such groups of scripts share the machine.
    """

    texts: Mapping[str, str]
    top: str
    library: Library
    flatten: bool
    design: Mapping[str, Any] | None
    cache: Path | None
    groups: int

    def key(self, script: SynthesisScript) -> list[Any]:
        """Give all that a netlist depends on."""
        return mapping_key(self.texts, self.top, self.library, script, self.flatten)

    def keep(self, script: SynthesisScript, directory: Path) -> Mapped:
        """Take the netlist that a script left in a directory."""
        origin = self.design and mapping_origin(self.design, self.library, script, self.flatten)
        read = (directory / "netlist.json").read_text
        return Mapped(self.library, cached(self.cache, self.key(script), read, origin=origin))

    def kept(self, script: SynthesisScript) -> Mapped | None:
        """Give the netlist of an earlier run."""
        netlist = self.cache and find_cached(self.cache, self.key(script))
        return Mapped(self.library, netlist) if netlist else None


def _flow(script: SynthesisScript, library: Library, top: str, flatten: bool) -> tuple[list[str], list[str]]:
    synthesis = (
        # No `format`: the script may be out of a file, where `{top:>9999999999}` would fill the memory.
        command.replace("{top}", top).replace("{flatten}", "-flatten" if flatten else "")
        for command in script.yosys
    )
    read = ("read_verilog -sv design.v", "read_verilog -lib black_boxes.v")
    return [*read, *synthesis, *clock_gating(library), *_BEFORE_ABC], list(_AFTER)


def _map(work: _Work, scripts: Sequence[SynthesisScript], found: Mapping[str, Future[Mapped]]) -> None:
    """Map with scripts that begin alike, those left out that were mapped before or are being mapped."""
    try:
        together = "group-" + entry_name(work.key(scripts[0]))
        with making(work.cache, together):
            missing = []
            for script in scripts:
                kept = work.kept(script)
                if kept:
                    found[script.name].set_result(kept)
                else:
                    missing.append(script)
            if missing:
                _map_missing(work, missing, found)
    except BaseException as error:
        for script in scripts:
            if not found[script.name].done():
                found[script.name].set_exception(error)


def _map_missing(
    work: _Work, scripts: Sequence[SynthesisScript], found: Mapping[str, Future[Mapped]]
) -> None:
    branches = {str(number): script for number, script in enumerate(scripts)}
    with scratch() as directory:
        for file, text in work.texts.items():
            (directory / file).write_text(text, encoding="utf-8")
        for branch, script in branches.items():
            (directory / branch).mkdir()
            for file, text in _abc_texts(script, work.library).items():
                (directory / branch / file).write_text(text, encoding="utf-8")

        def finished(branch: str) -> None:
            script = branches[branch]
            found[script.name].set_result(work.keep(script, directory / branch))

        before, after = _flow(scripts[0], work.library, work.top, work.flatten)
        at_a_time = -(-processors() // work.groups)
        try:
            run_branches(
                before, directory, then=after, branches=list(branches), at_a_time=at_a_time, finished=finished
            )
        except YosysError as error:
            raise UserError(f"Yosys: {error}") from None


def _abc_texts(script: SynthesisScript, library: Library) -> dict[str, str]:
    """Give the files that ABC reads, by name."""
    return {SCRIPT: script.abc + "\n", CELLS_FILE: mapping_library(library, delays=script.timed)}
