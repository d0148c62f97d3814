"""Technology mapping: Verilog to a netlist of library cells, with Yosys and ABC.

ABC finds different netlists with different scripts, so every design is mapped with each script of a list
and the smallest netlist is kept. Each run is a fresh process in a directory of its own, which makes
results reproducible and lets runs share the machine.
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

from lmul.cost.liberty import liberty_text, read_liberty
from lmul.cost.netlist import Netlist, read_netlist
from lmul.errors import UserError
from lmul.files import write_files
from lmul.yosys import YosysError, run_yosys

Script = tuple[str, str]

CELLS = "cells"
"""Subdirectory of the build directory for mapped netlists."""

_RESUBSTITUTE = (
    "balance -l; resub -K 6 -l; rewrite -l; resub -K 6 -N 2 -l; refactor -l; resub -K 8 -l; "
    "balance -l; resub -K 8 -N 2 -l; rewrite -l; resub -K 10 -l; rewrite -z -l; resub -K 10 -N 2 -l; "
    "balance -l; resub -K 12 -l; refactor -z -l; resub -K 12 -N 2 -l; balance -l"
)

QUICK_SCRIPTS: tuple[Script, ...] = (
    # Finds the library's full adders in the ripple-carry structure of adders.
    ("emap", "strash; emap -a"),
    ("resub", f"strash; ifraig; scorr; dc2; {_RESUBSTITUTE}; {_RESUBSTITUTE}; dch; amap -m"),
    ("dch", "strash; ifraig; scorr; dc2; dch; amap -m"),
)
"""Names and ABC scripts for designs of thousands of gates."""

# Limits of deepsyn are counts, not seconds, so that results do not depend on the machine.
SCRIPTS: tuple[Script, ...] = (
    *QUICK_SCRIPTS,
    ("deepsyn-emap", "strash; &get -n; &deepsyn -I 4 -J 20; &put; emap -a"),
    ("deepsyn-amap", "strash; &get -n; &deepsyn -I 8 -J 20; &put; dch; amap -m"),
)
"""Names and ABC scripts for designs of a few hundred gates, each some seconds."""

_FLOW = (
    "read_verilog -sv design.v",
    "synth {flatten} -top {top}",
    "setundef -zero -undriven",
    "dfflibmap -liberty cells.lib",
    "abc -liberty cells.lib -script script.abc",
    "flatten",
    "setundef -zero",
    "opt_clean -purge",
    "rename -enumerate",
    "write_verilog -noattr -simple-lhs -noexpr netlist.v",
    "write_json netlist.json",
)

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


@dataclass(frozen=True)
class Mapped:
    """The best of several mappings of one design.

    Parameters
    ----------
    netlist : Netlist
        The netlist that was kept.
    verilog : str
        The same netlist as Verilog, with the same instance names.
    script : str
        Name of the script that found it.
    areas : mapping of str to float
        Area in um2 that each script reached: the spread is what choosing a script can do.
    """

    netlist: Netlist
    verilog: str
    script: str
    areas: Mapping[str, float]


def map_design(
    verilog: str,
    top: str,
    liberty: Path,
    *,
    scripts: Sequence[Script] = SCRIPTS,
    flatten: bool = True,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Mapped:
    """Map a design onto the cells of a library.

    Parameters
    ----------
    verilog : str
        The design, all modules.
    top : str
        Name of its top module, a plain Verilog identifier.
    liberty : Path
        The library, plain or gzipped; any path will do, for Yosys sees only a copy of it.
    scripts : sequence of (str, str)
        Names and ABC scripts to try, run on as many processors as there are.
    flatten : bool
        Map the design as one module. False maps each module by itself, faster by far for arrays, and
        flattens afterwards.
    cache : Path, optional
        Directory of netlists by the content that they were made from: design, library, script, Yosys.
    progress : callable, optional
        Called with the numbers of finished and of all runs.

    Returns
    -------
    Mapped
        The smallest netlist.

    Raises
    ------
    UserError
        If Yosys is not installed or refuses the design, or the library cannot be read.
    """
    if _IDENTIFIER.fullmatch(top) is None:
        raise UserError(f"top module {top!r} is not a plain Verilog identifier")
    library = read_liberty(liberty)
    flow = [command.format(top=top, flatten="-flatten" if flatten else "") for command in _FLOW]
    texts = {"design.v": verilog, "cells.lib": liberty_text(liberty)}
    outputs: dict[str, tuple[str, str]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {
            pool.submit(_cached, flow, texts | {"script.abc": script + "\n"}, cache): name
            for name, script in scripts
        }
        for done, job in enumerate(as_completed(jobs), start=1):
            outputs[jobs[job]] = job.result()
            if progress:
                progress(done, len(jobs))
    netlists = {name: read_netlist(outputs[name][0], library) for name, _ in scripts}
    areas = {name: netlist.area for name, netlist in netlists.items()}
    best = min(areas, key=lambda name: areas[name])
    return Mapped(netlists[best], outputs[best][1], best, areas)


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
