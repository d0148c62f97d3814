"""What nobody reads, cut from netlists: bits of ports and results, and the cells that made them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lmul.hdl.verilog.netlist import BITWISE, MODULAR, REGISTERS, Bit, Cell, Netlist, Port


def cut_unread(netlists: Mapping[str, Netlist], top: str) -> dict[str, set[Bit]]:
    """Cut from modules what has no effect on the outputs of the top one, whose ports all stay.

    Parameters
    ----------
    netlists : mapping of str to Netlist
        They are changed.
    top : str

    Returns
    -------
    dict of str to set of Bit
        For each module that is left, the bits that have an effect.
    """
    needed = _Needed(netlists, top)
    left = [name for name in netlists if name == top or needed.instances[name]]
    for name in left:
        if name != top:
            _cut_ports(netlists[name], needed.ports[name])
    for name in left:
        netlist, bits = netlists[name], needed.bits[name]
        netlist.cells = [cell for cell in netlist.cells if any(map(bits.intersection, cell.outputs.values()))]
        for cell in netlist.cells:
            if cell.kind in netlists:
                cell.inputs = _cut_connections(cell.inputs, netlists[cell.kind])
                cell.outputs = _cut_connections(cell.outputs, netlists[cell.kind])
            else:
                _cut_result(cell, bits)
    return {name: needed.bits[name] for name in left}


class _Needed:
    """What the outputs of the top module depend on, followed backwards through all modules.

    All instances of a module are alike: a bit of a port is needed if one of them needs it.

    Attributes
    ----------
    bits : dict of str to set of Bit
        By module.
    ports : dict of str to set of (str, int)
        Bits of its ports by name and index.
    instances : dict of str to list of (str, Cell)
        Where it is placed.
    """

    def __init__(self, netlists: Mapping[str, Netlist], top: str) -> None:
        self._netlists = netlists
        constants: set[Bit] = {"0", "1"}
        self.bits = {name: constants.copy() for name in netlists}
        self.ports: dict[str, set[tuple[str, int]]] = {name: set() for name in netlists}
        self.instances: dict[str, list[tuple[str, Cell]]] = defaultdict(list)
        self._placed: set[Cell] = set()
        self._drivers = {name: _drivers(netlist) for name, netlist in netlists.items()}
        self._inputs = {name: _inputs(netlist) for name, netlist in netlists.items()}
        self._pending: list[tuple[str, Bit]] = []
        for port in netlists[top].ports.values():
            if port.direction == "output":
                self._need(top, port.bits)
        while self._pending:
            self._follow(*self._pending.pop())
        for bits in self.bits.values():
            bits.difference_update(constants)

    def _need(self, name: str, bits: Iterable[Bit]) -> None:
        needed = self.bits[name]
        for bit in bits:
            if bit not in needed:
                needed.add(bit)
                self._pending.append((name, bit))

    def _follow(self, name: str, bit: Bit) -> None:
        """Go on with what a bit depends on."""
        if bit in self._inputs[name]:
            port, index = self._inputs[name][bit]
            self.ports[name].add((port, index))
            for outer, cell in self.instances[name]:
                self._need(outer, [cell.inputs[port][index]])
        elif bit in self._drivers[name]:
            cell, port, index = self._drivers[name][bit]
            if cell.kind in self._netlists:
                self._place(name, cell)
                self.ports[cell.kind].add((port, index))
                self._need(cell.kind, [self._netlists[cell.kind].ports[port].bits[index]])
            else:
                self._need(name, _dependencies(cell, index))

    def _place(self, name: str, cell: Cell) -> None:
        if cell in self._placed:
            return
        self._placed.add(cell)
        self.instances[cell.kind].append((name, cell))
        for port, index in self.ports[cell.kind]:
            if port in cell.inputs:
                self._need(name, [cell.inputs[port][index]])


def _drivers(netlist: Netlist) -> dict[Bit, tuple[Cell, str, int]]:
    return {
        bit: (cell, port, index)
        for cell in netlist.cells
        for port, bits in cell.outputs.items()
        for index, bit in enumerate(bits)
    }


def _inputs(netlist: Netlist) -> dict[Bit, tuple[str, int]]:
    return {
        bit: (name, index)
        for name, port in netlist.ports.items()
        if port.direction == "input"
        for index, bit in enumerate(port.bits)
    }


def _dependencies(cell: Cell, index: int) -> Iterator[Bit]:
    """Give the bits that one bit of a cell's result depends on."""
    for port, bits in cell.inputs.items():
        if not cell.has_bit_each(port):
            yield from bits
        elif cell.kind in BITWISE | REGISTERS:
            yield from bits[index :: len(cell.result)]  # $pmux has several words.
        else:
            yield from bits[: index + 1] if cell.kind in MODULAR else bits


def _cut_ports(netlist: Netlist, needed: set[tuple[str, int]]) -> None:
    """Leave the bits of ports that are needed; a port with a gap becomes several."""
    ports: dict[str, Port] = {}
    for port in netlist.ports.values():
        runs = runs_of([index for index in range(len(port.bits)) if (port.name, index) in needed])
        for low, high in runs:
            name = part_name(port.name, low, high, len(port.bits))
            ports[name] = Port(name, port.direction, port.bits[low : high + 1], low, port.name)
    netlist.ports = ports


def _cut_connections(connections: Mapping[str, list[Bit]], placed: Netlist) -> dict[str, list[Bit]]:
    """Connect what is left of an instance's ports, in the order of its module."""
    return {
        name: connections[port.source][port.low : port.low + len(port.bits)]
        for name, port in placed.ports.items()
        if port.source in connections
    }


def _cut_result(cell: Cell, needed: set[Bit]) -> None:
    """Leave the bits of a result that are needed, as far as its operator can be that narrow."""
    width = len(cell.result)
    kept = [index for index, bit in enumerate(cell.result) if bit in needed]
    if cell.kind in MODULAR:
        kept = list(range(kept[-1] + 1))
    if cell.kind not in BITWISE | REGISTERS | MODULAR or len(kept) == width:
        return
    for port, bits in cell.inputs.items():
        if cell.has_bit_each(port):
            words = range(0, len(bits), width)
            cell.inputs[port] = [bits[word + index] for word in words for index in kept]
    resets = {name: value for name, value in cell.parameters.items() if name.endswith("RST_VALUE")}
    cut = {name: "".join(value[-1 - index] for index in reversed(kept)) for name, value in resets.items()}
    cell.parameters = {**cell.parameters, **cut}
    cell.outputs = {port: [bits[index] for index in kept] for port, bits in cell.outputs.items()}


def runs_of(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Give the first and last of each run of rising indices without a gap."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1] = runs[-1][0], index
        else:
            runs.append((index, index))
    return runs


def part_name(name: str, low: int, high: int, width: int, *, taken: bool = False) -> str:
    """Name some bits of a signal: its lower end as itself, if that name is free, others by their places.

    Verilator would have something to say about a signal `x_1` in an instance `x_1`.
    """
    if low == 0 and (high > 0 or width == 1) and not taken:
        return name
    return f"{name}_bits_{high}_{low}" if high > low else f"{name}_bit_{low}"
