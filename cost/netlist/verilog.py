"""A mapped netlist as Verilog: the text for other tools, made of the one netlist that is kept."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from lmul.cost.library.reader import IDENTIFIER
from lmul.cost.netlist.modules import read_modules

Bit = int | str
"""Of a netlist of Yosys: the number of a net within its module, or a constant."""

Place = tuple[str, int]
"""A wire and the bit of it."""


def netlist_verilog(text: str) -> str:
    """Write a netlist as Verilog, with the names that `read_netlist` has.

    Parameters
    ----------
    text : str
        The netlist in the JSON format of Yosys.

    Returns
    -------
    str
        A module for each of its modules: declarations, instances with named connections, and assignments
        where an output is another net or a constant.
    """
    return "\n".join(_module(name, body) for name, body in read_modules(text).bodies.items())


def _module(name: str, body: Mapping[str, Any]) -> str:
    wires = _Wires(body["ports"], body["netnames"])
    cells = (_instance(cell, node, wires) for cell, node in body["cells"].items())
    lines = [*wires.declarations(), *chain.from_iterable(cells), *wires.assignments()]
    ports = ", ".join(map(_escaped, body["ports"]))
    return f"module {_escaped(name)}({ports});\n" + "".join(f"  {line}\n" for line in lines) + "endmodule\n"


def _instance(name: str, node: Mapping[str, Any], wires: "_Wires") -> Iterator[str]:
    pins = [f"    .{_escaped(pin)}({wires.joined(bits)})" for pin, bits in node["connections"].items()]
    yield f"{_escaped(node['type'])} {_escaped(name)} ("
    yield ",\n".join(pins).removeprefix("  ")
    yield ");"


class _Wires:
    """The wires of a module, and which bit of which wire each of its nets goes by."""

    def __init__(self, ports: Mapping[str, Any], names: Mapping[str, Any]):
        self._ports = ports
        # What drives a net comes first: an output that is an input's net is assigned, not the reverse.
        order = {"input": 0, "inout": 1, "output": 2}
        known = sorted(names, key=lambda name: order[ports[name]["direction"]] if name in ports else 3)
        self._bits = {name: (ports if name in ports else names)[name]["bits"] for name in known}
        self._places: dict[Bit, Place] = {}
        for name, bits in self._bits.items():
            for place, bit in enumerate(bits):
                if isinstance(bit, int):
                    self._places.setdefault(bit, (name, place))

    def declarations(self) -> Iterator[str]:
        """Declare the ports, and all wires that some net goes by."""
        named = {name for name, _ in self._places.values()}
        for name, bits in self._bits.items():
            width = f"[{len(bits) - 1}:0] " if len(bits) > 1 else ""
            if name in self._ports:
                yield f"{self._ports[name]['direction']} {width}{_escaped(name)};"
            elif name in named:
                yield f"wire {width}{_escaped(name)};"

    def assignments(self) -> Iterator[str]:
        """Assign the bits of outputs that go by another name or are constant."""
        outputs = (name for name, port in self._ports.items() if port["direction"] == "output")
        for name in outputs:
            for place, bit in enumerate(self._bits[name]):
                if self._places.get(bit) != (name, place):
                    yield f"assign {self._part(name, place, place)} = {self.joined([bit])};"

    def joined(self, bits: Sequence[Bit]) -> str:
        """Write nets side by side, the first one lowest, as runs of bits of the wires that they go by."""
        runs: list[tuple[str, int, int]] = []
        for bit in reversed(bits):
            name, place = self._places.get(bit, (f"1'b{bit}", 0))
            if runs and runs[-1][0] == name and runs[-1][2] == place + 1:
                runs[-1] = (name, runs[-1][1], place)
            else:
                runs.append((name, place, place))
        parts = [self._part(*run) for run in runs]
        return parts[0] if len(parts) == 1 else f"{{{', '.join(parts)}}}" if parts else ""

    def _part(self, name: str, high: int, low: int) -> str:
        if name not in self._bits:
            return name
        last = len(self._bits[name]) - 1
        if (high, low) == (last, 0):
            return _escaped(name)
        return f"{_escaped(name)}[{high}]" if high == low else f"{_escaped(name)}[{high}:{low}]"


def _escaped(name: str) -> str:
    return name if IDENTIFIER.fullmatch(name) else f"\\{name} "
