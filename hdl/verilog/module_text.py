"""The Verilog of a module, from its cells.

A cell that is read once, and whole, is written where it is read; others have a wire of their own.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmul.hdl.verilog.expressions import Expression, concatenation, expression, literal
from lmul.hdl.verilog.names import Names
from lmul.hdl.verilog.netlist import REGISTERS, Bit, Cell, Netlist
from lmul.hdl.verilog.signals import Signal, Signals, order_of

LONGEST = 200
"""Characters of an expression within another."""

NOUNS = {
    "$add": "sum",
    "$sub": "difference",
    "$mul": "product",
    "$neg": "negated",
    "$not": "inverted",
    "$and": "masked",
    "$or": "merged",
    "$xor": "differing",
    "$xnor": "matching",
    "$mux": "chosen",
    "$pmux": "chosen",
    "$eq": "equal",
    "$ne": "unequal",
    "$lt": "less",
    "$le": "at_most",
    "$gt": "greater",
    "$ge": "at_least",
    "$reduce_and": "all",
    "$reduce_or": "any",
    "$reduce_bool": "any",
    "$reduce_xor": "odd",
    "$reduce_xnor": "even",
    "$logic_not": "none",
    "$logic_and": "both",
    "$logic_or": "either",
    "$shl": "shifted_left",
    "$sshl": "shifted_left",
    "$shr": "shifted_right",
    "$sshr": "shifted_right",
    "$shift": "selected",
    "$shiftx": "selected",
}
"""What a wire is called that the source has no name for, by the cell that drives it."""

NAMED_PORTS = ("CLK", "ARST", "ALOAD")
"""What a process waits for is a signal, not an expression."""

Owner = Signal | Cell | None
"""What a bit is part of; None for constants."""


@dataclass(slots=True)
class Run:
    """Bits that are written as one: neighbours of one owner, one bit several times, or constants.

    Parameters
    ----------
    owner : Owner
    low, high : int
        First and last bit in the owner.
    bits : list of Bit
        The most significant one first.
    """

    owner: Owner
    low: int
    high: int
    bits: list[Bit]

    @property
    def repeats(self) -> bool:
        """Whether it is one bit several times."""
        return self.owner is not None and self.low == self.high and len(self.bits) > 1


def module_text(netlist: Netlist, needed: set[Bit]) -> str:
    """Write a module.

    Parameters
    ----------
    netlist : Netlist
        Its ports in the order wanted.
    needed : set of Bit
        What its outputs depend on.
    """
    return _ModuleText(netlist, needed).text()


class _ModuleText:
    def __init__(self, netlist: Netlist, needed: set[Bit]) -> None:
        self._netlist = netlist
        self._needed = needed
        self._names = Names(netlist.ports)
        self._instances = {
            cell: self._names.new(cell.name) for cell in netlist.cells if not cell.kind.startswith("$")
        }
        self._signals = Signals(netlist, needed, self._names)
        logic = [cell for cell in netlist.cells if cell.kind.startswith("$") and cell.kind not in REGISTERS]
        self._drivers = {bit: (cell, index) for cell in logic for index, bit in enumerate(cell.result)}
        self._inlined: dict[Cell, Expression] = {}
        self._unused: list[Signal] = []
        self._assigns = self._write_logic(logic)

    def text(self) -> str:
        """Give the whole module."""
        head = [f"module {self._netlist.name} (", ",\n".join(self._port_lines()), ");"]
        registers = [cell for cell in self._netlist.cells if cell.kind in REGISTERS]
        body = [line for cell in registers for line in ("", *self._process(cell))]
        instances = [line for cell in self._instances for line in self._instance(cell)]
        inner = sorted([*self._signals.inner, *self._unused], key=lambda signal: signal.name)
        declarations = [f"  {signal.declaration};" for signal in inner]
        assigns = [f"  assign {target} = {value};" for target, value in self._assigns]
        blocks = [declarations, assigns, self._unread_inputs(), body[1:], instances]
        return "\n".join([*head, "\n\n".join("\n".join(block) for block in blocks if block), "endmodule"])

    def _port_lines(self) -> Iterator[str]:
        for name, port in self._netlist.ports.items():
            direction = "input " if port.direction == "input" else "output"
            yield f"  {direction} {self._signals.ports[name].declaration}"

    def _unread_inputs(self) -> list[str]:
        """Read the inputs that nothing depends on, so that no tool asks about them."""
        inputs = [port.bits for port in self._netlist.ports.values() if port.direction == "input"]
        bits = [bit for bits in reversed(inputs) for bit in bits if bit not in self._needed]
        if not bits:
            return []
        read = self._read([*bits, "0"]).text
        signal = Signal(self._names.new("unused"), 1, is_unused=True)
        comment = "  // Inputs that nothing depends on."
        return [comment, f"  {signal.declaration};", f"  assign {signal.name} = &{read};"]

    def _write_logic(self, logic: Sequence[Cell]) -> list[tuple[str, str]]:
        """Assign what has a name, and keep the expressions of the rest for those that read them."""
        reads = self._count_reads()
        assigns = []
        for cell in order_of(logic, {bit: cell for bit, (cell, _) in self._drivers.items()}):
            value = expression(cell, self._read)
            hidden = len(self._signals.unnamed(cell.result)) == len(cell.result)
            once = reads[cell] == [True] and len(value.text) <= LONGEST
            if hidden and (once or (self._is_inversion(cell) and None not in reads[cell])):
                self._inlined[cell] = value
            else:
                assigns.append((self._target(cell.result, self._wish(cell)), value.text))
        for name, port in self._netlist.ports.items():
            signal = self._signals.ports[name]
            if port.direction == "output" and self._signals.of.get(port.bits[0], (None,))[0] is not signal:
                assigns.append((name, self._read(port.bits).text))
        return assigns

    def _count_reads(self) -> dict[Cell, list[bool | None]]:
        """Tell for each time that a cell is read whether it is read whole; None where only a name will do."""
        reads: dict[Cell, list[bool | None]] = defaultdict(list)
        for port, bits in self._reading():
            for run in self._runs(bits):
                if isinstance(run.owner, Cell):
                    whole = run.high - run.low + 1 == len(run.owner.result)
                    reads[run.owner].append(None if port in NAMED_PORTS else whole)
        return reads

    def _reading(self) -> Iterator[tuple[str, list[Bit]]]:
        """Give all that is read, with the port of the cell that reads it."""
        for cell in self._netlist.cells:
            for port, bits in cell.inputs.items():
                if cell.kind == "$pmux" and port in "BS":
                    words = len(cell.result) if port == "B" else 1
                    yield from ((port, bits[at : at + words]) for at in range(0, len(bits), words))
                else:
                    yield port, bits
        for whole in self._netlist.ports.values():
            if whole.direction == "output":
                yield "", whole.bits

    def _is_inversion(self, cell: Cell) -> bool:
        """Tell whether a cell inverts bits that have a name, which takes no wire."""
        if cell.kind != "$not":
            return False
        runs = self._runs(cell.inputs["A"])
        return len(runs) == 1 and isinstance(runs[0].owner, Signal) and not runs[0].repeats

    def _wish(self, cell: Cell) -> str:
        """Find a name for what a cell computes: after the only signal that it is made of, if there is one."""
        noun = NOUNS[cell.kind]
        runs = [run for bits in cell.inputs.values() for run in self._runs(bits) if run.owner is not None]
        owner = runs[0].owner if len(runs) == 1 else None
        return f"{owner.name}_{noun}" if isinstance(owner, Signal) else noun

    def _runs(self, bits: Sequence[Bit]) -> list[Run]:
        """Split bits into runs, the most significant one first."""
        runs: list[Run] = []
        for bit in reversed(bits):
            owner, index = self._signals.of.get(bit) or self._drivers.get(bit) or (None, 0)
            if owner is None and isinstance(bit, int):
                raise ValueError(f"nothing drives bit {bit} of {self._netlist.name}")
            last = runs[-1] if runs else None
            if last is None or owner is not last.owner:
                runs.append(Run(owner, index, index, [bit]))
            elif index == last.low == last.high:  # Constants all have the index 0.
                last.bits.append(bit)
            elif index == last.low - 1 and last.repeats:
                # The last one begins the neighbours, such as a number after its sign.
                runs.append(Run(owner, index, last.low, [last.bits.pop(), bit]))
            elif index == last.low - 1:
                last.low = index
                last.bits.append(bit)
            else:
                runs.append(Run(owner, index, index, [bit]))
        return runs

    def _read(self, bits: Sequence[Bit]) -> Expression:
        """Write bits, as wide as they are many."""
        return concatenation([self._part(run) for run in self._runs(bits)])

    def _part(self, run: Run) -> Expression:
        if run.repeats:
            return Expression(f"{{{len(run.bits)}{{{self._read(run.bits[:1]).text}}}}}")
        if run.owner is None:
            return Expression(literal(run.bits[::-1]))
        if isinstance(run.owner, Signal):
            return Expression(run.owner.bits(run.low, run.high))
        if len(run.bits) == len(run.owner.result):
            return self._inlined[run.owner]
        return Expression(f"~{self._read(run.owner.inputs['A'][run.low : run.high + 1]).text}")

    def _target(self, bits: Sequence[Bit], wish: str) -> str:
        """Write what bits are assigned to; those without a name get one, as do those that nobody reads."""
        hidden = self._signals.unnamed(bits)
        if hidden:
            self._signals.add(wish, hidden)
        unused = [bit for bit in bits if bit not in self._signals.of]
        if unused:
            named = [self._signals.of[bit][0].name for bit in bits if bit in self._signals.of]
            signal = Signal(self._names.new(f"{[wish, *named][-1]}_unused"), len(unused), is_unused=True)
            self._unused.append(signal)
            self._signals.of |= {bit: (signal, index) for index, bit in enumerate(unused)}
        return self._read(bits).text

    def _process(self, cell: Cell) -> Iterator[str]:
        """Write a register."""
        target = self._read(cell.result).text
        reset, load, enable = (self._condition(cell, port) for port in ("SRST", "ALOAD", "EN"))
        data = self._read(cell.inputs["D"]).text
        events = [self._event(cell, port) for port in NAMED_PORTS if port in cell.inputs]
        branches = []
        if "ARST" in cell.inputs:
            branches.append((self._condition(cell, "ARST"), self._constant(cell, "ARST_VALUE")))
        if load:
            branches.append((load, self._read(cell.inputs["AD"]).text))
        if reset:
            value = self._constant(cell, "SRST_VALUE")
            if cell.kind == "$sdffce":  # The enable holds the reset back, too.
                data = f"({reset}) ? {value} : {self._read(cell.inputs['D']).operand}"
            else:
                branches.append((reset, value))
        branches.append((enable, data))
        yield f"  always @({' or '.join(events)})"
        for index, (condition, value) in enumerate(branches):
            before = "else " if index else ""
            yield f"    {before}{f'if ({condition}) ' if condition else ''}{target} <= {value};"

    def _condition(self, cell: Cell, port: str) -> str:
        if port not in cell.inputs:
            return ""
        signal = self._read(cell.inputs[port])
        return signal.text if cell.is_high(f"{port}_POLARITY") else f"!{signal.operand}"

    def _event(self, cell: Cell, port: str) -> str:
        edge = "posedge" if cell.is_high(f"{port}_POLARITY") else "negedge"
        return f"{edge} {self._read(cell.inputs[port]).text}"

    def _constant(self, cell: Cell, parameter: str) -> str:
        return literal(list(reversed(cell.parameters[parameter])))

    def _instance(self, cell: Cell) -> list[str]:
        name = self._instances[cell]
        connections = [f"    .{port}({self._read(bits).text})" for port, bits in cell.inputs.items()]
        for port, bits in cell.outputs.items():
            connections.append(f"    .{port}({self._target(bits, f'{name}_{port}')})")
        return [f"  {cell.kind} {name} (", ",\n".join(connections), "  );"]
