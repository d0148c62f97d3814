"""Mapped netlists: the cells of a flat design, the nets between them, and the order to evaluate them in."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.cost.library.cells import Cell, ClockGate, FlipFlop, Library, Pin, WireLoad
from lmul.cost.library.functions import Expression
from lmul.cost.netlist.modules import read_modules
from lmul.cost.netlist.wires import PlacedWires
from lmul.errors import UserError

CONSTANT_NETS = 2
"""Net 0 is always low and net 1 always high, in every netlist."""

_CONSTANTS: dict[Any, int] = {"0": 0, "x": 0, "z": 0, "1": 1}
"""Undefined bits are low."""

_INVERTER, _BUFFER = (True, False), (False, True)
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

    @property
    def bits(self) -> dict[str, int]:
        """Net of every bit by its name, which is the port's own where it has one."""
        if len(self.nets) == 1:
            return {self.name: self.nets[0]}
        return {f"{self.name}[{bit}]": net for bit, net in enumerate(self.nets)}


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
    module : str
        Name of the module that it is in, before flattening.
    """

    name: str
    cell: Cell
    nets: Mapping[str, int]
    module: str


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
    names : tuple of str
        Name of every net, the two constant ones first; empty where it has none. A bit of a vector is
        ``name[bit]``.
    wire_load : WireLoad or None
        What the wires of nets are guessed to be; nothing if None.
    placed : PlacedWires or None
        What they are where the cells lie, in place of a guess.
    """

    name: str
    library: Library
    ports: tuple[Port, ...]
    instances: tuple[Instance, ...]
    names: tuple[str, ...]
    wire_load: WireLoad | None = None
    placed: PlacedWires | None = None

    @property
    def nets(self) -> int:
        """Number of nets, the two constant ones included."""
        return len(self.names)

    @property
    def area(self) -> float:
        """Sum of the cell areas in um2."""
        return sum(instance.cell.area for instance in self.instances)

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
    def sources(self) -> tuple[int, ...]:
        """Nets that all others follow from: input ports but the clock, then outputs of flip-flops."""
        ports = [net for port in self.inputs for net in port.nets]
        return (*ports, *(net for instance in self.flip_flops for net in output_nets(instance)))

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
    def clock_nets(self) -> tuple[int, ...]:
        """Nets that carry the clock, gated or not."""
        return () if self.clock_net is None else (self.clock_net, *self.gated_clocks)

    @property
    def clock_port(self) -> str:
        """Name of the clock's port, empty without flip-flops."""
        return next((port.name for port in self.ports if port.nets == (self.clock_net,)), "")

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
    def wires(self) -> NDArray[np.float64]:
        """Capacitance of the wire of each net in fF, shape (nets,); the two constant nets have none."""
        if self.placed is not None:
            return self.placed.capacitance
        if self.wire_load is None:
            return np.zeros(self.nets)
        pins = [net for port in self.outputs for net in port.nets]
        pins += [i.nets[pin.name] for i in self.instances for pin in i.cell.inputs]
        fanouts = np.bincount(pins, minlength=self.nets)
        fanouts[:CONSTANT_NETS] = 0
        return np.array([self.wire_load.capacitance(fanout) for fanout in range(fanouts.max() + 1)])[fanouts]

    @cached_property
    def loads(self) -> NDArray[np.float64]:
        """Capacitance of the input pins and the wire of each net in fF, shape (nets,)."""
        return self._loads(lambda pin: pin.capacitance)

    def clock_load(self, net: int) -> float:
        """Give what drives a net of the clock is loaded with in fF: all of it, or the top of its tree."""
        known = self.placed.clock_loads if self.placed else {}
        return known.get(net, float(self.loads[net]))

    @cached_property
    def edge_loads(self) -> NDArray[np.float64]:
        """The same for rising and falling edges, shape (nets, 2)."""
        rise = self._loads(lambda pin: pin.edge_capacitances[0])
        fall = self._loads(lambda pin: pin.edge_capacitances[1])
        return np.stack([rise, fall], axis=1)

    def _loads(self, capacitance: Callable[[Pin], float]) -> NDArray[np.float64]:
        loads = self.wires.copy()
        for instance in self.instances:
            for pin in instance.cell.inputs:
                loads[instance.nets[pin.name]] += capacitance(pin)
        return loads


def with_flat_names(netlist: Netlist) -> Netlist:
    """Give a netlist whose names have no steps of a hierarchy: underscores stand for the points."""
    taken: set[str] = set()

    def flat(name: str) -> str:
        name = name.replace(".", "_")
        while name in taken:
            name += "_"
        taken.update(filter(None, [name]))
        return name

    instances = tuple(replace(instance, name=flat(instance.name)) for instance in netlist.instances)
    names = tuple(name.replace(".", "_") for name in netlist.names)
    return replace(netlist, instances=instances, names=names)


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
    found = [cell for cell in library.cells.values() if not cell.left_out and is_nand2(cell)]
    smallest = min(found, key=lambda cell: cell.area, default=None)
    if smallest is None or smallest.area <= 0:
        raise UserError(
            f"library {library.name} has no two-input NAND with an area, which others are told in"
        )
    return smallest


def nand2_load(library: Library) -> float:
    """Give the mean load of an input of the smallest two-input NAND, in fF."""
    loads = [pin.capacitance for pin in nand2(library).inputs]
    return sum(loads) / len(loads)


def is_inverter(cell: Cell) -> bool:
    """Tell whether logic can be mapped to a cell that inverts its only input."""
    return _is_of_one_input(cell, _INVERTER)


def is_buffer(cell: Cell) -> bool:
    """Tell whether logic can be mapped to a cell that repeats its only input."""
    return _is_of_one_input(cell, _BUFFER)


def _is_of_one_input(cell: Cell, table: tuple[bool, bool]) -> bool:
    if not cell.is_gate or len(cell.inputs) != 1 or len(cell.outputs) != 1:
        return False
    function = cell.outputs[0].function
    return function is not None and function.truth_table() == table


def is_nand2(cell: Cell) -> bool:
    """Tell whether a cell has one output, the NAND of two inputs."""
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
        What ``write_json`` wrote: a top module of library cells and of other modules, which are flattened.
    library : Library
        The cells.

    Returns
    -------
    Netlist
        The netlist; names inside modules have the instance in front, as ``core.round``.

    Raises
    ------
    UserError
        If a cell is not in the library, is not a plain gate, a flip-flop or a clock gate, or an input pin
        is left open.
    """
    modules = read_modules(text)
    return _Flattener(modules.bodies, library).netlist(modules.top)


class _Flattener:
    """Numbers the nets of a hierarchy of modules while its cells are placed; constants come first."""

    def __init__(self, modules: Mapping[str, Any], library: Library):
        self._modules = modules
        self._library = library
        self._names = [""] * CONSTANT_NETS
        self._joined = {net: net for net in range(CONSTANT_NETS)}
        self._instances: list[Instance] = []

    def netlist(self, top: str) -> Netlist:
        ports = self._modules[top]["ports"]
        bits = self._place(top, "", {})
        root = {net: self._root(net) for net in self._joined}
        # Nets that are one are numbered as one, without gaps.
        number = {net: place for place, net in enumerate(sorted(set(root.values())))}
        placed = [
            Port(name, port["direction"], tuple(number[root[bits[bit]]] for bit in port["bits"]))
            for name, port in ports.items()
        ]
        instances = [
            replace(instance, nets={pin: number[root[net]] for pin, net in instance.nets.items()})
            for instance in self._instances
        ]
        names = tuple(self._names[net] for net in number)
        return Netlist(top, self._library, tuple(placed), tuple(instances), names)

    def _root(self, net: int) -> int:
        while self._joined[net] != net:
            net = self._joined[net]
        return net

    def _fresh(self, name: str) -> int:
        net = len(self._names)
        self._names.append(name)
        self._joined[net] = net
        return net

    def _place(self, module: str, path: str, outside: Mapping[Any, int]) -> dict[Any, int]:
        """Place the cells of a module whose ports are connected; give the net of each of its bits."""
        body = self._modules[module]
        nets: dict[Any, int] = _CONSTANTS | dict(outside)
        # A net of several names goes by that of its port.
        for name in sorted(body["netnames"], key=lambda name: name not in body["ports"]):
            bits = body["netnames"][name]["bits"]
            for place, bit in enumerate(bits):
                if bit not in nets:
                    nets[bit] = self._fresh(path + (name if len(bits) == 1 else f"{name}[{place}]"))
        for name, node in body["cells"].items():
            if node["type"] in self._modules:
                self._descend(path + name, node, nets)
            else:
                cell = _usable_cell(self._library, node["type"])
                pins = self._pins(path + name, cell, node["connections"], nets)
                self._instances.append(Instance(path + name, cell, pins, module))
        return nets

    def _descend(self, path: str, node: Mapping[str, Any], nets: Mapping[Any, int]) -> None:
        ports = self._modules[node["type"]]["ports"]
        outside: dict[Any, int] = {}
        for name, port in ports.items():
            for inner, outer in zip(port["bits"], node["connections"].get(name, []), strict=False):
                # An output may be constant, or the same net as another port.
                known = _CONSTANTS[inner] if inner in _CONSTANTS else outside.setdefault(inner, nets[outer])
                self._join(known, nets[outer])
        self._place(node["type"], f"{path}.", outside)

    def _join(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._joined[second] = first

    def _pins(
        self, instance: str, cell: Cell, connections: Mapping[str, list[Any]], nets: Mapping[Any, int]
    ) -> dict[str, int]:
        found = {}
        for pin in cell.pins.values():
            bits = connections.get(pin.name, [])
            if not bits and pin.direction == "input":
                raise UserError(f"instance {instance}: input pin {pin.name} is open")
            # an open output toggles all the same, and takes internal power
            found[pin.name] = nets[bits[0]] if bits else self._fresh("")
        return found


def _usable_cell(library: Library, name: str) -> Cell:
    cell = library.cells.get(name)
    if cell is None:
        raise UserError(f"{name} is no cell of library {library.name}")
    if cell.unusable:
        raise UserError(f"cell {name} cannot be used: {cell.unusable}")
    if cell.clock_gate is None and (cell.latch or any(pin.function is None for pin in cell.outputs)):
        raise UserError(f"cell {name} is a latch or three-state, which cannot be simulated here")
    return cell


def cell_models(library: Library, cells: Iterable[str], *, paths: bool = False) -> str:
    """Write Verilog models of cells from their Liberty functions, without delays.

    Flip-flops start at 0, as in the simulation of `lmul.cost.power.zero_delay`; clear is stronger than
    preset. A clock gate is a latch and an AND without delay: a simulator must settle the gated clock before
    any flip-flop changes, as Verilog's non-blocking assignments ask for.

    Parameters
    ----------
    library : Library
        The cells.
    cells : iterable of str
        Names of the cells to model, for example ``netlist.cell_counts``.
    paths : bool
        Declare a path from each input to each output, for an SDF file to give delays to.

    Returns
    -------
    str
        One module for each cell, in alphabetical order.

    Raises
    ------
    UserError
        If a cell is not in the library or has no function that can be written.
    """
    models = (_cell_model(_usable_cell(library, name), paths) for name in sorted(cells))
    return "// verilator lint_off DECLFILENAME\n" + "".join(models)


def _cell_model(cell: Cell, paths: bool) -> str:
    ports = ", ".join(f"{pin.direction} {pin.name}" for pin in cell.pins.values())
    state = _state_model(cell, cell.flip_flop) if cell.flip_flop else []
    assigns = [f"assign {pin.name} = {pin.function.verilog()};" for pin in cell.outputs if pin.function]
    gate = _gate_model(cell.clock_gate) if cell.clock_gate else []
    declared = _path_declarations(cell) if paths and not cell.clock_gate else []
    body = "".join(f"  {line}\n" for line in [*state, *assigns, *gate, *declared])
    return f"\nmodule {cell.name}({ports});\n{body}endmodule\n"


def _path_declarations(cell: Cell) -> list[str]:
    starts = {pin.name: {arc.related_pin for arc in pin.arcs} for pin in cell.outputs}
    ends = [f"({start} => {end}) = 0;" for end in starts for start in sorted(starts[end])]
    return ["specify", *(f"  {path}" for path in ends), "endspecify"] if ends else []


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
