"""Proof that an export is what Amaranth described, module by module.

What a module reads from its registers and from modules placed in it is an input of both copies here, what it
gives them an output. So each module is proven by itself, for any contents of its registers, and with all
modules the design. A bit that the export left out may have any value in the copy that has it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lmul.evidence.formal.model_checker import check
from lmul.programs.yosys import run_yosys

SECONDS = 60

COPIES = ("gold", "gate")


def prove_export(rtlil: str, verilog: str, top: str, directory: Path) -> bool | None:
    """Prove that every module of an export gives what its RTLIL gives.

    Parameters
    ----------
    rtlil : str
        All modules, as Amaranth wrote them.
    verilog : str
    top : str
        Name of the top module.
    directory : Path
        For what is written between.

    Returns
    -------
    bool or None
        None: not decided in time.
    """
    (directory / "gold.il").write_text(rtlil)
    (directory / "gate.v").write_text(verilog)
    for copy, read in zip(COPIES, ("read_rtlil gold.il", "read_verilog gate.v"), strict=True):
        _single_bits(read, top, copy, directory)
    gold, gate = (json.loads((directory / f"{copy}.json").read_text())["modules"] for copy in COPIES)
    commands = []
    for copy in COPIES:
        commands.append(f"read_rtlil {copy}.il")
        for index, module in enumerate(gate):
            names = _old_names(gate[module], gold[module]) if copy == "gate" else {}
            commands += [f"cd {module}", *(f"rename {new} {old}" for new, old in names.items()), "cd .."]
            commands.append(f"rename {module} {copy}_{index}")
        commands.append(f"design -stash {copy}")
    for index in range(len(gate)):
        commands += [f"design -copy-from {copy} -as {copy}_{index} {copy}_{index}" for copy in COPIES]
        commands.append(f"expose -evert-dff -dff -shared gold_{index} gate_{index}")
    run_yosys(
        [*commands, "opt_clean -purge", "write_json copies.json", "write_verilog -noattr copies.v"], directory
    )
    copies = json.loads((directory / "copies.json").read_text())["modules"]
    miter = ["module miter;"]
    for index, module in enumerate(gate):
        ports = [copies[f"{copy}_{index}"]["ports"] for copy in COPIES]
        miter += _compared(index, *ports, whole=module == top)
    sources = {
        "copies.v": (directory / "copies.v").read_text(),
        "miter.sv": "\n".join([*miter, "endmodule\n"]),
    }
    return check(sources, "miter", method="sec", seconds=SECONDS).holds


def _single_bits(read: str, top: str, copy: str, directory: Path) -> None:
    """Split the nets of every module into bits, and take out the modules that are placed in it."""
    commands = [
        read,
        f"hierarchy -check -top {top}",
        # With what `proc` tidies up: an operand of no bits has no Verilog.
        "proc -norom",
        "dffunmap",
        "opt_clean -purge",
        # Factors of one width in both copies: else nothing in their products is alike.
        "wreduce t:$mul",
        "opt_clean -purge",
        "select -set placed t:* t:$* %d",
        "expose -evert @placed",
        "splitnets -ports",
        "opt_clean -purge",
        f"write_json {copy}.json",
        f"write_rtlil {copy}.il",
    ]
    run_yosys(commands, directory)


def _old_names(gate: Mapping[str, Any], gold: Mapping[str, Any]) -> dict[str, str]:
    """Find what bits of split nets were called: `x_bits_7_5[1]` was `x[6]`, `x_bit_2` was `x[2]`."""
    names = {}
    for name in sorted(gate["netnames"].keys() - gold["netnames"].keys()):
        split = re.fullmatch(r"(.+)_bits?_(?:\d+_)?(\d+)(?:\[(\d+)\])?", name)
        old = split and f"{split[1]}[{int(split[2]) + int(split[3] or 0)}]"
        if old in gold["netnames"] and old not in gate["netnames"]:
            names[name] = old
    return names


def _compared(index: int, gold: Mapping[str, Any], gate: Mapping[str, Any], *, whole: bool) -> Iterator[str]:
    """Put both copies of a module on the same inputs, which have no driver, and compare their outputs."""
    inputs = {name for ports in (gold, gate) for name, port in ports.items() if port["direction"] == "input"}
    outputs = [name for name in gate if name not in inputs]
    assert gold.keys() >= set(outputs), "the export has other outputs"
    own = {name for name in gold if "." not in name}
    assert not whole or own <= gate.keys(), "the export lacks a port"
    for copy, ports in zip(COPIES, (gold, gate), strict=True):
        nets = {name: f"{index}.{name}" if name in inputs else f"{index}.{copy}.{name}" for name in ports}
        pins = ", ".join(f".{_escaped(name)}({_escaped(net)})" for name, net in nets.items())
        yield from (f"  wire {_escaped(net)};" for name, net in nets.items() if name not in inputs)
        yield f"  {copy}_{index} {copy}_{index} ({pins});"
    yield from (f"  wire {_escaped(f'{index}.{name}')};" for name in sorted(inputs))
    for name in outputs:
        one, other = (_escaped(f"{index}.{copy}.{name}") for copy in COPIES)
        yield f"  always @* assert ({one} == {other});"


def _escaped(name: str) -> str:
    return f"\\{name} "
