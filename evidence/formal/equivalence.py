"""Whether two Verilog texts of a module behave alike, for every input and any number of cycles.

Both copies run side by side on the same inputs. What a register holds before the first cycle is free,
but the same in both copies where they have a register of that name and width: a proof says that from
whatever contents, the copies give the same outputs. So a change that is proven equivalent passes every
test that the original passes, and one with a counterexample differs from the original for some
contents. Registers of one copy only begin with anything.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from lmul.evidence.formal.model_checker import check
from lmul.host.files import scratch
from lmul.programs.yosys import run_yosys

COPIES = ("gold", "gate")


def equivalent(
    gold: str,
    gate: str,
    top: str,
    *,
    seconds: float = 60,
    reset_cycles: int = 1,
    masks: Mapping[str, str] | None = None,
    assumed: str = "",
) -> bool | None:
    """Prove that two modules give the same outputs, or find inputs for which they do not.

    Parameters
    ----------
    gold, gate : str
        Verilog of both, with all modules below. One clock, `clk`.
    top : str
        Name of the top module in both.
    seconds : float
        Time for the model checker.
    reset_cycles : int
        Cycles in which `rst` is high at the beginning, where there is one, and free afterwards. Outputs are
        compared after them.
    masks : mapping of str to str, optional
        Outputs that count only while another one is high: the other's name by theirs.
    assumed : str
        SystemVerilog with what inputs keep to.

    Returns
    -------
    bool or None
        None: not decided in time.

    Raises
    ------
    ValueError
        The modules have different ports.
    UserError
        pyosys is not installed.
    YosysError
        The Verilog cannot be read.
    """
    with scratch() as directory:
        copies, directions = _expose_registers(gold, gate, top, directory)
    miter = _miter(directions[0], directions[1], reset_cycles, masks or {}, assumed)
    sources = {"copies.v": copies, "miter.sv": miter}
    return check(sources, "miter", method="sec", seconds=seconds).holds


def _expose_registers(gold: str, gate: str, top: str, directory: Path) -> tuple[str, list[dict[str, str]]]:
    """Flatten both copies into single bits, and take the registers that they share out of them, as ports.

    Returns
    -------
    verilog : str
    directions : list of dict of str to str
        Of the ports of both copies, by name.
    """
    commands = []
    for copy, text in zip(COPIES, (gold, gate), strict=True):
        (directory / f"{copy}.v").write_text(text)
        commands += [
            f"read_verilog -icells {copy}.v",
            f"hierarchy -check -top {top}",
            "proc -norom -noopt",
            "flatten",
            "dffunmap",
            # One net for each bit, with one name: so registers are found that lost some of their bits.
            "splitnets -ports",
            "opt_clean -purge",
            f"rename {top} {copy}",
            f"design -stash {copy}",
        ]
    commands += [f"design -copy-from {copy} -as {copy} {copy}" for copy in COPIES]
    commands += [
        "expose -evert-dff -dff -shared gold gate",
        "opt_clean -purge",
        "write_json copies.json",
        "write_verilog -noattr copies.v",
    ]
    run_yosys(commands, directory)
    modules = json.loads((directory / "copies.json").read_text())["modules"]
    directions = [
        {name: port["direction"] for name, port in modules[copy]["ports"].items()} for copy in COPIES
    ]
    return (directory / "copies.v").read_text(), directions


def _miter(
    gold: dict[str, str], gate: dict[str, str], reset_cycles: int, masks: Mapping[str, str], assumed: str
) -> str:
    """Write a module that runs both copies and asserts that their outputs are equal."""
    registers = [name.removesuffix(".q") for name in gold if name.endswith(".q")]
    exposed = {f"{register}.{end}" for register in registers for end in "cdq"}
    ports, others = ({name: copy[name] for name in copy if name not in exposed} for copy in (gold, gate))
    if ports != others:
        raise ValueError("gold and gate must have the same ports")
    inputs = [name for name, direction in ports.items() if direction == "input"]
    outputs = [name for name, direction in ports.items() if direction == "output"]
    return "\n".join(
        [
            f"module miter ({', '.join(f'input {_escaped(name)}' for name in inputs)});",
            *_cycles(inputs, reset_cycles),
            assumed,
            *(_register(index) for index in range(len(registers))),
            *(_instance(copy, inputs, outputs, registers) for copy in COPIES),
            *(_comparison(name, masks.get(name.partition("[")[0])) for name in outputs),
            "endmodule\n",
        ]
    )


def _cycles(inputs: list[str], reset_cycles: int) -> list[str]:
    """Count the cycles of the reset, in which outputs are not compared."""
    if "clk" not in inputs:
        return ["  wire compared = 1;"]
    return [
        "  integer cycle = 0;",
        f"  wire begun = cycle != 0, compared = cycle >= {reset_cycles};",
        f"  always @(posedge clk) if (cycle < {max(reset_cycles, 1)}) cycle <= cycle + 1;",
        *(["  always @* assume (compared || rst);"] if "rst" in inputs else []),
    ]


def _register(index: int) -> str:
    """Write a register of both copies, whose undriven `any` is what it holds in the first cycle."""
    lines = [f"  wire any{index};"]
    for copy in COPIES:
        state = f"{copy}_state{index}"
        lines += [
            f"  reg {state} = 0;",
            f"  wire {copy}_d{index}, {copy}_q{index} = begun ? {state} : any{index};",
            f"  always @(posedge clk) {state} <= {copy}_d{index};",
        ]
    return "\n".join(lines)


def _instance(copy: str, inputs: list[str], outputs: list[str], registers: list[str]) -> str:
    """Place a copy between the inputs, outputs of its own and its registers."""
    nets = {name: name for name in inputs} | {name: f"{copy}.{name}" for name in outputs}
    for index, register in enumerate(registers):
        nets |= {f"{register}.{end}": f"{copy}_{end}{index}" for end in "dq"}
    pins = ", ".join(f".{_escaped(pin)}({_escaped(net)})" for pin, net in nets.items())
    wires = [f"  wire {_escaped(nets[name])};" for name in outputs]
    return "\n".join([*wires, f"  {copy} {copy} ({pins});"])


def _comparison(name: str, mask: str | None) -> str:
    gold, gate = (_escaped(f"{copy}.{name}") for copy in COPIES)
    counts = f"compared && {_escaped(f'gold.{mask}')}" if mask else "compared"
    return f"  always @* assert (!({counts}) || {gold} == {gate});"


def _escaped(name: str) -> str:
    """Write any name as an identifier of Verilog."""
    return f"\\{name} "
