"""Which name of a netlist stands for which bit in the Verilog."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lmul.hdl.verilog.names import Names
from lmul.hdl.verilog.netlist import REGISTERS, Bit, Cell, Netlist
from lmul.hdl.verilog.unread import part_name, runs_of


@dataclass(eq=False)
class Signal:
    """A port, a wire or a register of Verilog.

    Parameters
    ----------
    name : str
    width : int
    is_register : bool
    is_unused : bool
        Whether nobody reads it, which tools are told.
    """

    name: str
    width: int
    is_register: bool = False
    is_unused: bool = False

    @property
    def declaration(self) -> str:
        """Kind, range and name, behind a mark if nobody reads it."""
        mark = "(* unused *) " if self.is_unused else ""
        kind = "reg " if self.is_register else "wire"
        span = f"[{self.width - 1}:0] " if self.width > 1 else ""
        return f"{mark}{kind} {span}{self.name}"

    def bits(self, low: int, high: int) -> str:
        """Write some bits."""
        if high - low + 1 == self.width:
            return self.name
        return f"{self.name}[{high}]" if high == low else f"{self.name}[{high}:{low}]"


class Signals:
    """The signals of a module, and what bit each of their bits is.

    A bit has one name, though the netlist may have several: the name of a port, or that of the signal that is
    what one cell computes. Bits that nothing depends on have none.

    Parameters
    ----------
    netlist : Netlist
    needed : set of Bit
    names : Names

    Attributes
    ----------
    ports : dict of str to Signal
    inner : list of Signal
    of : dict of Bit to (Signal, int)
        The signal of a bit, and the bit's place in it.
    """

    def __init__(self, netlist: Netlist, needed: set[Bit], names: Names) -> None:
        self.ports: dict[str, Signal] = {}
        self.inner: list[Signal] = []
        self.of: dict[Bit, tuple[Signal, int]] = {}
        self._names = names
        self._needed = needed
        self._registers = {bit for cell in netlist.cells if cell.kind in REGISTERS for bit in cell.result}
        for name, port in netlist.ports.items():
            self.ports[name] = Signal(name, len(port.bits))
            # An input has a name of its own, whoever reads it.
            if port.direction == "input" or self._is_own(port.bits):
                self.ports[name].is_register = port.bits[0] in self._registers
                self._name(port.bits, self.ports[name])
        self._name_nets(netlist)
        self._name_results(netlist.cells)

    def add(self, wish: str, bits: Sequence[Bit]) -> Signal:
        """Add a signal for bits."""
        signal = Signal(self._names.new(wish), len(bits), bits[0] in self._registers)
        self.inner.append(signal)
        self._name(bits, signal)
        return signal

    def unnamed(self, bits: Iterable[Bit]) -> list[Bit]:
        """Give those of some bits that something depends on and that have no name yet."""
        return [bit for bit in bits if bit in self._needed and bit not in self.of]

    def _name(self, bits: Sequence[Bit], signal: Signal) -> None:
        self.of |= {bit: (signal, index) for index, bit in enumerate(bits)}

    def _is_own(self, bits: Sequence[Bit]) -> bool:
        """Tell whether bits are different ones without a name, either all registers or none."""
        free = len(set(self.unnamed(bits))) == len(bits)
        return free and len({bit in self._registers for bit in bits}) == 1

    def _name_nets(self, netlist: Netlist) -> None:
        """Name bits after the nets that the source has names for, those that one cell computes first."""
        computed = {tuple(bits) for cell in netlist.cells for bits in cell.outputs.values()}

        def preference(net: str) -> tuple[bool, bool, int]:
            bits = netlist.nets[net]
            whole = len(set(self.unnamed(bits))) == len(self._needed.intersection(bits))
            return tuple(bits) not in computed, not whole, -len(bits)

        for net in sorted(netlist.nets, key=preference):
            bits = netlist.nets[net]
            free = set(self.unnamed(bits))
            for low, high in self._parts(bits, free):
                name = part_name(net, low, high, len(bits), taken=net in self.ports)
                self.add(name, bits[low : high + 1])

    def _parts(self, bits: Sequence[Bit], free: set[Bit]) -> Iterator[tuple[int, int]]:
        """Split the free bits of a net into runs without a gap, of registers and of others, each bit once."""
        first = {bit: index for index, bit in reversed(list(enumerate(bits))) if bit in free}
        for kept in (free & self._registers, free - self._registers):
            yield from runs_of(sorted(first[bit] for bit in kept))

    def _name_results(self, cells: Iterable[Cell]) -> None:
        """Name what registers and instances drive and the source has no name for."""
        for cell in cells:
            for port, bits in cell.outputs.items():
                free = self.unnamed(bits)
                if free and cell.kind in REGISTERS:
                    self.add("register", free)
                elif free and not cell.kind.startswith("$"):
                    self.add(f"{cell.name}_{port}", free)


def order_of(cells: Sequence[Cell], drivers: Mapping[Bit, Cell]) -> list[Cell]:
    """Sort combinational cells so that what a cell reads stands before it, else as in the source."""
    ordered: dict[Cell, None] = {}
    entered: set[Cell] = set()
    for start in cells:
        pending = [(start, False)]
        while pending:
            cell, is_left = pending.pop()
            if is_left:
                ordered[cell] = None
            elif cell not in entered:
                entered.add(cell)
                pending.append((cell, True))
                read = [drivers[bit] for bits in cell.inputs.values() for bit in bits if bit in drivers]
                pending += [(driver, False) for driver in reversed(read) if driver not in entered]
    return list(ordered)
