"""Mapped netlists: the cells of a flat design, the nets between them, and the order to evaluate them in."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.cost.boolean import Expression
from lmul.cost.liberty import Cell, ClockGate, FlipFlop, Library
from lmul.errors import UserError

CONSTANT_NETS = 2
"""Net 0 is always low and net 1 always high, in every netlist."""

_NAND2 = (True, True, True, False)


@dataclass(frozen=True)
class Port:
    """A port of the design.

    Parameters
    ----------
    name : str
        Name of the port.
    direction : str
        ``"input"`` or ``"output"``.
    nets : tuple of int
        Net of each bit, least significant first.
    """

    name: str
    direction: str
    nets: tuple[int, ...]


@dataclass(frozen=True)
class Instance:
    """A placed cell.

    Parameters
    ----------
    name : str
        Name of the instance.
    cell : Cell
        What it is an instance of.
    nets : mapping of str to int
        Net of every pin of the cell.
    """

    name: str
    cell: Cell
    nets: Mapping[str, int]


@dataclass(frozen=True)
class Netlist:
    """A flat netlist of library cells.

    Parameters
    ----------
    name : str
        Name of the design.
    library : Library
        Where its cells come from.
    ports : tuple of Port
        In the order of the design.
    instances : tuple of Instance
        In the order of the netlist file.
    nets : int
        Number of nets, the two constant ones included.
    """

    name: str
    library: Library
    ports: tuple[Port, ...]
    instances: tuple[Instance, ...]
    nets: int

    @property
    def area(self) -> float:
        """Sum of the cell areas in um2."""
        return sum(instance.cell.area for instance in self.instances)

    @property
    def leakage(self) -> float:
        """Sum of the cell leakages in nW."""
        return sum(instance.cell.leakage for instance in self.instances)

    @property
    def cell_counts(self) -> dict[str, int]:
        """Number of instances of each cell, by cell name in alphabetical order."""
        return dict(sorted(Counter(instance.cell.name for instance in self.instances).items()))

    @property
    def nand2_equivalents(self) -> float:
        """Area divided by that of the library's smallest two-input NAND."""
        return self.area / nand2(self.library).area

    @cached_property
    def inputs(self) -> tuple[Port, ...]:
        """Input ports apart from the clock."""
        return tuple(
            port for port in self.ports if port.direction == "input" and port.nets != (self.clock_net,)
        )

    @cached_property
    def outputs(self) -> tuple[Port, ...]:
        """Output ports."""
        return tuple(port for port in self.ports if port.direction == "output")

    @cached_property
    def flip_flops(self) -> tuple[Instance, ...]:
        """Edge-triggered instances."""
        return tuple(instance for instance in self.instances if instance.cell.flip_flop)

    @cached_property
    def clock_gates(self) -> tuple[Instance, ...]:
        """Clock-gating instances."""
        return tuple(instance for instance in self.instances if instance.cell.clock_gate)

    @cached_property
    def gated_clocks(self) -> tuple[int, ...]:
        """Net that each clock gate drives."""
        return tuple(net for gate in self.clock_gates for net in output_nets(gate))

    @cached_property
    def clock_net(self) -> int | None:
        """Net of the one clock, None without flip-flops.

        Raises
        ------
        UserError
            If the flip-flops have several clocks, one through anything but one clock gate, or use its
            falling edge.
        """
        nets = {instance.nets[clock_pin(instance.cell)] for instance in self.flip_flops}
        nets -= set(self.gated_clocks)
        nets |= {gate.nets[clock_pin(gate.cell)] for gate in self.clock_gates}
        if not nets:
            return None
        ports = {port.nets for port in self.ports if port.direction == "input"}
        if len(nets) > 1 or tuple(nets) not in ports:
            raise UserError(
                f"{self.name}: flip-flops need one clock, from an input port or through one clock gate"
            )
        return nets.pop()

    @cached_property
    def levels(self) -> tuple[tuple[Instance, ...], ...]:
        """Combinational instances in order of evaluation: each level reads only from those before it.

        Raises
        ------
        UserError
            If there is a combinational loop or a net without a driver.
        """
        clocked = {instance.name for instance in (*self.flip_flops, *self.clock_gates)}
        waiting = [instance for instance in self.instances if instance.name not in clocked]
        known = set(range(CONSTANT_NETS))
        known.update(net for port in self.ports if port.direction == "input" for net in port.nets)
        known.update(net for instance in self.flip_flops for net in output_nets(instance))
        return tuple(_levels(self.name, waiting, known))

    @cached_property
    def loads(self) -> NDArray[np.float64]:
        """Capacitance of the input pins on each net in fF, shape (nets,)."""
        loads = np.zeros(self.nets)
        for instance in self.instances:
            for pin in instance.cell.inputs:
                loads[instance.nets[pin.name]] += pin.capacitance
        return loads


def output_nets(instance: Instance) -> list[int]:
    """Nets that an instance drives."""
    return [instance.nets[pin.name] for pin in instance.cell.outputs]


def clock_pin(cell: Cell) -> str:
    """Name of the clock pin of a flip-flop or a clock gate.

    Parameters
    ----------
    cell : Cell
        Such a cell.

    Returns
    -------
    str
        The pin whose rising edge counts.

    Raises
    ------
    UserError
        If the cell stores at a falling edge or on a function of several pins.
    """
    if cell.clock_gate:
        return cell.clock_gate.clock
    if cell.flip_flop is None or cell.flip_flop.clocked_on.operator != "pin":
        raise UserError(f"cell {cell.name} does not store at the rising edge of one clock pin")
    return cell.flip_flop.clocked_on.pin


def nand2(library: Library) -> Cell:
    """Find the smallest two-input NAND of a library.

    Raises
    ------
    UserError
        If the library has none.
    """
    found = [
        cell for cell in library.cells.values() if not (cell.dont_use or cell.unusable) and _is_nand2(cell)
    ]
    if not found:
        raise UserError(f"library {library.name} has no two-input NAND")
    return min(found, key=lambda cell: cell.area)


def _is_nand2(cell: Cell) -> bool:
    functions = [pin.function for pin in cell.outputs]
    if len(functions) != 1 or len(cell.inputs) != 2 or functions[0] is None:
        return False
    return functions[0].truth_table() == _NAND2


def _levels(name: str, waiting: list[Instance], known: set[int]) -> Iterable[tuple[Instance, ...]]:
    readers: dict[int, list[int]] = {}
    missing = []
    for index, instance in enumerate(waiting):
        unknown = {instance.nets[pin.name] for pin in instance.cell.inputs} - known
        missing.append(len(unknown))
        for net in unknown:
            readers.setdefault(net, []).append(index)
    ready = [index for index, count in enumerate(missing) if count == 0]
    done = 0
    while ready:
        level = tuple(waiting[index] for index in ready)
        done += len(level)
        yield level
        ready = []
        for net in (net for instance in level for net in output_nets(instance)):
            for index in readers.pop(net, []):
                missing[index] -= 1
                if missing[index] == 0:
                    ready.append(index)
    if done < len(waiting):
        stuck = next(waiting[index].name for index, count in enumerate(missing) if count > 0)
        raise UserError(f"{name}: combinational loop or net without a driver at instance {stuck}")


def read_netlist(text: str, library: Library) -> Netlist:
    """Read a netlist in the JSON format of Yosys.

    Parameters
    ----------
    text : str
        What ``write_json`` wrote: one flat module whose cells are all in the library.
    library : Library
        The cells.

    Returns
    -------
    Netlist
        The netlist.

    Raises
    ------
    UserError
        If the design is not one flat module of library cells, each a plain gate, a flip-flop or a clock
        gate, or an input pin is left open.
    """
    modules = json.loads(text)["modules"]
    if len(modules) != 1:
        raise UserError(f"the netlist holds {len(modules)} modules, not one flat one")
    ((name, module),) = modules.items()
    nets = _NetNumbers()
    ports = tuple(
        Port(port_name, port["direction"], tuple(nets[bit] for bit in port["bits"]))
        for port_name, port in module["ports"].items()
    )
    instances = tuple(
        Instance(instance_name, cell, _pin_nets(instance_name, cell, node["connections"], nets))
        for instance_name, node in module["cells"].items()
        for cell in [_usable_cell(library, node["type"])]
    )
    return Netlist(name, library, ports, instances, nets.count)


class _NetNumbers(dict[Any, int]):
    """Numbers nets from 0 without gaps as they are met; constants come first, undefined bits are low."""

    def __init__(self) -> None:
        super().__init__({"0": 0, "x": 0, "z": 0, "1": 1})
        self.count = CONSTANT_NETS

    def __missing__(self, bit: Any) -> int:
        self[bit] = self.fresh()
        return self[bit]

    def fresh(self) -> int:
        """Give a number to a net that only one pin is on."""
        self.count += 1
        return self.count - 1


def _usable_cell(library: Library, name: str) -> Cell:
    cell = library.cells.get(name)
    if cell is None:
        raise UserError(f"{name} is no cell of library {library.name}")
    if cell.unusable:
        raise UserError(f"cell {name} cannot be used: {cell.unusable}")
    if cell.clock_gate is None and (cell.latch or any(pin.function is None for pin in cell.outputs)):
        raise UserError(f"cell {name} is a latch or three-state, which cannot be simulated here")
    return cell


def _pin_nets(
    instance: str, cell: Cell, connections: Mapping[str, list[Any]], nets: _NetNumbers
) -> dict[str, int]:
    found = {}
    for pin in cell.pins.values():
        bits = connections.get(pin.name, [])
        if not bits and pin.direction == "input":
            raise UserError(f"instance {instance}: input pin {pin.name} is open")
        # an open output toggles all the same, and takes internal power
        found[pin.name] = nets[bits[0]] if bits else nets.fresh()
    return found


def cell_models(library: Library, cells: Iterable[str]) -> str:
    """Write Verilog models of cells from their Liberty functions, without delays.

    Flip-flops start at 0, as in the simulation of `lmul.cost.activity`; clear is stronger than preset.
    A clock gate is a latch and an AND without delay: a simulator must settle the gated clock before any
    flip-flop changes, as Verilog's non-blocking assignments ask for.

    Parameters
    ----------
    library : Library
        The cells.
    cells : iterable of str
        Names of the cells to model, for example ``netlist.cell_counts``.

    Returns
    -------
    str
        One module for each cell, in alphabetical order.

    Raises
    ------
    UserError
        If a cell is not in the library or has no function that can be written.
    """
    models = (_cell_model(_usable_cell(library, name)) for name in sorted(cells))
    return "// verilator lint_off DECLFILENAME\n" + "".join(models)


def _cell_model(cell: Cell) -> str:
    ports = ", ".join(f"{pin.direction} {pin.name}" for pin in cell.pins.values())
    state = _state_model(cell, cell.flip_flop) if cell.flip_flop else []
    assigns = [f"assign {pin.name} = {pin.function.verilog()};" for pin in cell.outputs if pin.function]
    gate = _gate_model(cell.clock_gate) if cell.clock_gate else []
    body = "".join(f"  {line}\n" for line in [*state, *assigns, *gate])
    return f"\nmodule {cell.name}({ports});\n{body}endmodule\n"


def _gate_model(gate: ClockGate) -> list[str]:
    return [
        "reg enabled;",
        f"always_latch if (!{gate.clock}) enabled = {' | '.join(gate.enables)};",
        f"assign {gate.output} = {gate.clock} & enabled;",
    ]


def _state_model(cell: Cell, flip_flop: FlipFlop) -> list[str]:
    state = flip_flop.state
    asynchronous = [(flip_flop.clear, "1'b0"), (flip_flop.preset, "1'b1")]
    resets = [(condition, value) for condition, value in asynchronous if condition]
    steps = "".join(f"if ({condition.verilog()}) {state} <= {value}; else " for condition, value in resets)
    events = [f"posedge {clock_pin(cell)}", *(_event(cell, condition) for condition, _ in resets)]
    lines = [f"reg {state};", f"initial {state} = 1'b0;"]
    outputs = frozenset[str]().union(*(pin.function.pins() for pin in cell.outputs if pin.function))
    if flip_flop.complement in outputs | flip_flop.next_state.pins():
        lines.append(f"wire {flip_flop.complement} = ~{state};")
    update = f"{steps}{state} <= {flip_flop.next_state.verilog()};"
    return [*lines, f"always @({' or '.join(events)}) {update}"]


def _event(cell: Cell, condition: Expression) -> str:
    if condition.operator == "pin":
        return f"posedge {condition.pin}"
    if condition.operator == "!" and condition.operands[0].operator == "pin":
        return f"negedge {condition.operands[0].pin}"
    raise UserError(f"cell {cell.name}: its clear or preset depends on more than one pin")
