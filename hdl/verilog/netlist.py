"""A design as Yosys's cells: modules, their ports, and cells whose operands are as wide as what is computed.

Widths and signs are settled where a netlist is read. An operand is a list of bits, as long as its operator
computes, so that what is written from it needs no rule of Verilog about widths.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmul.errors import UserError

Bit = int | str
"""A bit that something drives, by its number in its module, or a constant: `"0"` or `"1"`."""

BITWISE = {"$and", "$or", "$xor", "$xnor", "$not", "$mux", "$pmux"}
"""A bit of the result depends on one bit of each operand, and on what selects."""

MODULAR = {"$add", "$sub", "$mul", "$neg", "$shl", "$sshl"}
"""A bit of the result depends on bits of the operands that are no higher; places to shift by count whole."""

COMPARISONS = {"$eq", "$ne", "$lt", "$le", "$gt", "$ge"}
REDUCTIONS = {"$reduce_and", "$reduce_or", "$reduce_xor", "$reduce_xnor", "$reduce_bool", "$logic_not"}
LOGICAL = {"$logic_and", "$logic_or"}
LEFT_SHIFTS = {"$shl", "$sshl"}
RIGHT_SHIFTS = {"$shr", "$sshr", "$shift", "$shiftx"}
SHIFTS = LEFT_SHIFTS | RIGHT_SHIFTS

REGISTERS = {
    "$dff",
    "$dffe",
    "$sdff",
    "$sdffe",
    "$sdffce",
    "$adff",
    "$adffe",
    "$aldff",
    "$aldffe",
}

KINDS = BITWISE | MODULAR | COMPARISONS | REDUCTIONS | LOGICAL | RIGHT_SHIFTS | REGISTERS

_SELECTING = {"S", "CLK", "EN", "SRST", "ARST", "ALOAD"}


@dataclass(eq=False)
class Cell:
    """An operator, a register, or an instance of a module.

    Parameters
    ----------
    name : str
    kind : str
        Yosys's name of it, or that of the module.
    parameters : mapping of str to str
        Polarities and reset values in binary, `A_SIGNED`.
    inputs, outputs : dict of str to list of Bit
        By port, least significant bit first.
    """

    name: str
    kind: str
    parameters: Mapping[str, str]
    inputs: dict[str, list[Bit]]
    outputs: dict[str, list[Bit]]

    def rename_ports(self, names: Mapping[str, str]) -> None:
        """Give ports other names."""
        self.inputs = {names.get(port, port): bits for port, bits in self.inputs.items()}
        self.outputs = {names.get(port, port): bits for port, bits in self.outputs.items()}

    @property
    def result(self) -> list[Bit]:
        """The bits that an operator or a register drives."""
        return self.outputs["Q" if self.kind in REGISTERS else "Y"]

    def has_bit_each(self, port: str) -> bool:
        """Tell whether an operand has a bit for each of the result, and so can be cut with it."""
        return port not in _SELECTING and not (port == "B" and self.kind in SHIFTS)

    def is_high(self, parameter: str) -> bool:
        """Tell whether a parameter of one bit, such as a polarity, is 1."""
        return self.parameters.get(parameter, "1")[-1] == "1"

    @property
    def signed(self) -> bool:
        """Whether the operands are signed numbers; of a shift, the first one."""
        second = "1" if self.kind in SHIFTS else self.parameters.get("B_SIGNED", "1")
        return self.parameters.get("A_SIGNED", "0")[-1] == "1" and second[-1] == "1"


@dataclass
class Port:
    """A port of a module, or what is left of it.

    Parameters
    ----------
    name : str
    direction : {"input", "output"}
    bits : list of Bit
    low : int
        Place of the first of them in the whole port.
    source : str
        Name of the whole port.
    """

    name: str
    direction: str
    bits: list[Bit]
    low: int
    source: str


@dataclass
class Netlist:
    """One module.

    Parameters
    ----------
    name : str
    ports : dict of str to Port
    cells : list of Cell
        In the order of the source.
    nets : dict of str to list of Bit
        Signals with a name of their own, ports too.
    """

    name: str
    ports: dict[str, Port]
    cells: list[Cell] = field(default_factory=list)
    nets: dict[str, list[Bit]] = field(default_factory=dict)

    def rename_ports(self, names: Mapping[str, str]) -> None:
        """Give ports other names."""
        self.nets = {names.get(net, net): bits for net, bits in self.nets.items()}
        renamed = ((names.get(name, name), port) for name, port in self.ports.items())
        self.ports = {name: Port(name, port.direction, port.bits, 0, name) for name, port in renamed}


def read_netlists(text: str) -> dict[str, Netlist]:
    """Read what `write_json` wrote.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict of str to Netlist

    Raises
    ------
    UserError
        There is a cell that cannot be written as Verilog here.
    """
    modules = json.loads(text)["modules"]
    return {name: _read_module(name, content, modules) for name, content in sorted(modules.items())}


def _read_module(name: str, content: dict[str, Any], modules: Mapping[str, Any]) -> Netlist:
    ports = {
        port: Port(port, described["direction"], described["bits"], 0, port)
        for port, described in content["ports"].items()
    }
    netlist = Netlist(name, ports)
    fresh = _first_free(content)
    for cell_name in sorted(content["cells"], key=_source_order):
        described = content["cells"][cell_name]
        sides: dict[str, dict[str, list[Bit]]] = {"input": {}, "output": {}}
        if described["type"] not in KINDS and described["type"] not in modules:
            raise UserError(f"{name}: there is no Verilog for a cell of the kind {described['type']}")
        for port, bits in described["connections"].items():
            sides[described["port_directions"][port]][port] = list(bits)
        cell = Cell(cell_name, described["type"], described["parameters"], sides["input"], sides["output"])
        fresh = _settle_widths(cell, fresh)
        netlist.cells.append(cell)
    for net, described in sorted(content["netnames"].items()):
        if not described["hide_name"]:
            netlist.nets[net] = described["bits"]
    return netlist


def _first_free(content: Mapping[str, Any]) -> int:
    """Give a number that no bit of a module has."""
    nets = (described["bits"] for described in content["netnames"].values())
    return 1 + max((bit for bits in nets for bit in bits if isinstance(bit, int)), default=1)


def _source_order(name: str) -> tuple[int, int, str]:
    """Sort numbered cells, which have the order of the source, by number."""
    number = name[1:]
    return (0, int(number), "") if name[0] == "$" and number.isdigit() else (1, 0, name)


def _settle_widths(cell: Cell, fresh: int) -> int:
    """Extend operands to the width at which their operator computes, and give the next free number."""
    inputs, kind = cell.inputs, cell.kind
    if kind not in KINDS or kind in REGISTERS or kind in {"$mux", "$pmux"}:
        return fresh
    width = len(cell.result)
    if kind in RIGHT_SHIFTS:
        if kind in {"$shift", "$shiftx"} and cell.is_high("B_SIGNED"):
            raise UserError(f"there is no Verilog for a shift to either side, cell {cell.name}")
        # What is shifted out of the result's reach still has to be there, so the result is as wide.
        missing = max(0, len(inputs["A"]) - width)
        cell.outputs["Y"] = [*cell.result, *range(fresh, fresh + missing)]
        inputs["A"] = _extended(inputs["A"], len(cell.result), signed=cell.signed)
        return fresh + missing
    if kind in COMPARISONS:
        width = max(len(inputs["A"]), len(inputs["B"]))
    if kind in BITWISE | MODULAR | COMPARISONS:
        for port in "A" if kind in SHIFTS else inputs:
            inputs[port] = _extended(inputs[port], width, signed=cell.signed)
    return fresh


def _extended(bits: Sequence[Bit], width: int, *, signed: bool) -> list[Bit]:
    """Cut bits to a width, or extend them by zeros or by their sign."""
    sign = bits[-1] if signed and bits else "0"
    return [*bits[:width], *[sign] * (width - len(bits))]
