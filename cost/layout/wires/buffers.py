"""Buffers: trees of them for the clock, and for nets that load their driver more than the library allows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmul.cost.layout.placement.placement import Pin, Placement
from lmul.cost.layout.wires.steiner import steiner_tree
from lmul.cost.layout.wires.wiring import WireModel, Wiring
from lmul.cost.library.cells import Cell, Library
from lmul.cost.netlist.netlist import Instance, Netlist, is_buffer, nand2_load
from lmul.cost.timing.analysis import INPUT_SLEW_NS
from lmul.errors import UserError

BUFFER_FANOUT = 20
"""Loads of the smallest NAND's inputs that a buffer drives at most, its wires included."""

MARGIN = 0.9
"""Of what a driver may drive: beyond, a net gets buffers. After those the wires are a little different."""

SPARE = 4
"""How many times that the library allows the buffer at least, so that its edges are not the slowest."""


class Sink(NamedTuple):
    """What a buffer drives.

    Parameters
    ----------
    x_um, y_um : float
    load_ff : float
    key : int
        What it is, to whoever asks.
    """

    x_um: float
    y_um: float
    load_ff: float
    key: int


def choose_buffer(library: Library) -> Cell:
    """Choose the smallest buffer that may drive `SPARE` times what is asked of it, or else the strongest.

    Raises
    ------
    UserError
        The library has none.
    """
    found = buffers_of(library)
    if not found:
        raise UserError(
            f"library {library.name} has no buffer that may be used, which a net of this layout needs"
        )
    wanted = SPARE * most_load(library)
    strong = [cell for cell in found if cell.outputs[0].largest_load >= wanted]
    if strong:
        return min(strong, key=lambda cell: (cell.area, cell.name))
    return max(found, key=lambda cell: cell.outputs[0].largest_load)


def buffers_of(library: Library) -> list[Cell]:
    """Give the buffers that may be used."""
    return [cell for cell in library.cells.values() if not cell.left_out and is_buffer(cell)]


def most_load(library: Library) -> float:
    """Give what a buffer drives at most, in fF."""
    return BUFFER_FANOUT * nand2_load(library)


def clusters(sinks: Sequence[Sink], model: WireModel, most_ff: float) -> Iterator[list[Sink]]:
    """Give groups of neighbours, each of which loads a buffer with no more than is allowed, or is one sink.

    Groups that are too large are halved across their longer side.
    """
    if len(sinks) == 1 or load_of(sinks, model)[0] <= most_ff:
        yield list(sinks)
        return
    x, y = np.array([(sink.x_um, sink.y_um) for sink in sinks]).T
    along = x if np.ptp(x) >= np.ptp(y) else y
    order = np.argsort(along, kind="stable").tolist()
    for half in (order[: len(order) // 2], order[len(order) // 2 :]):
        yield from clusters([sinks[place] for place in half], model, most_ff)


def load_of(
    sinks: Sequence[Sink], model: WireModel, source: tuple[float, float] | None = None
) -> tuple[float, NDArray[np.float64]]:
    """Give the load of some sinks in fF, and the wires across and up in um.

    Parameters
    ----------
    sinks : sequence of Sink
    model : WireModel
    source : tuple of float, optional
        Where the driver is; default: in their middle.
    """
    places = np.array([(sink.x_um, sink.y_um) for sink in sinks])
    points = np.vstack([places.mean(axis=0) if source is None else source, places])
    # The bound of half the circumference is enough to know that there are too many.
    wires = np.ptp(points, axis=0)
    if len(sinks) <= 4 * BUFFER_FANOUT:
        wires = steiner_tree(points).lengths.sum(axis=0)
    return sum(sink.load_ff for sink in sinks) + float(wires @ np.array(model.capacitance_ff_um)), wires


class Level(NamedTuple):
    """Groups of sinks, each of which has a buffer, and what they load it with."""

    groups: list[list[Sink]]
    loads_ff: list[float]
    wires_um: NDArray[np.float64]


def buffer_levels(
    sinks: Sequence[Sink],
    buffer: Cell,
    model: WireModel,
    most_ff: float,
    driver: tuple[tuple[float, float], float],
) -> tuple[list[Level], list[Sink]]:
    """Put buffers in the middle of what they drive, level by level, until the driver may drive what is left.

    Parameters
    ----------
    sinks : sequence of Sink
    buffer : Cell
    model : WireModel
    most_ff : float
        What a buffer drives at most.
    driver : tuple
        Where the driver is, and what it drives at most.

    Returns
    -------
    levels : list of Level
        Those next to the sinks first. The sinks of each but the first are buffers of the level before, whose
        keys are their places in its groups.
    left : list of Sink
        What the driver drives.
    """
    levels: list[Level] = []
    left = list(sinks)
    source, driver_ff = driver
    while len(left) > 1 and load_of(left, model, source)[0] > driver_ff:
        groups = list(clusters(left, model, most_ff))
        if len(groups) == len(left):  # Each alone is too much already.
            break
        found = [load_of(group, model) for group in groups]
        wires = np.sum([wire for _, wire in found], axis=0)
        levels.append(Level(groups, [load for load, _ in found], wires))
        left = [_in_the_middle(group, buffer, place) for place, group in enumerate(groups)]
    return levels, left


def _in_the_middle(group: Sequence[Sink], buffer: Cell, key: int) -> Sink:
    x, y = np.mean([(sink.x_um, sink.y_um) for sink in group], axis=0)
    return Sink(float(x), float(y), buffer.inputs[0].capacitance, key)


def _sinks(placement: Placement, pins: Sequence[Pin]) -> list[Sink]:
    return [Sink(*placement.place(pin), placement.load_ff(pin), key) for key, pin in enumerate(pins)]


@dataclass(frozen=True)
class ClockTree:
    """A tree of buffers from the clock's port, or from a clock gate, to the pins that it clocks.

    Parameters
    ----------
    buffer : Cell
    top_ff : float
        What the port or the gate drives, wires included.
    loads_ff : tuple of float
        What each buffer drives.
    wire_um, wire_ff : float
        Of all wires.
    """

    buffer: Cell
    top_ff: float
    loads_ff: tuple[float, ...]
    wire_um: float
    wire_ff: float

    @property
    def area_um2(self) -> float:
        """Of the buffers."""
        return len(self.loads_ff) * self.buffer.area

    @property
    def leakage_nw(self) -> float:
        """Of the buffers."""
        return len(self.loads_ff) * self.buffer.leakage

    def toggle_fj(self, voltage: float) -> float:
        """Energy of one edge in fJ, but for the pins that are clocked."""
        (entry,), (exit_,) = self.buffer.inputs, self.buffer.outputs
        charged = self.wire_ff + len(self.loads_ff) * entry.capacitance
        inside = sum(power.mean(INPUT_SLEW_NS, load) for power in exit_.powers for load in self.loads_ff)
        return 0.5 * charged * voltage**2 + inside


def clock_tree(placement: Placement, net: int, model: WireModel) -> ClockTree:
    """Make the tree of a clock net.

    Parameters
    ----------
    placement : Placement
    net : int
    model : WireModel
    """
    library = placement.netlist.library
    buffer, most = choose_buffer(library), most_load(library)
    source, *pins = placement.pins[net]
    place = placement.place(source)
    levels, left = buffer_levels(_sinks(placement, pins), buffer, model, most, (place, most))
    top_ff, wires = load_of(left, model, place)
    wires = wires + sum(level.wires_um for level in levels)
    loads = tuple(load for level in levels for load in level.loads_ff)
    capacitance = float(wires @ np.array(model.capacitance_ff_um))
    return ClockTree(buffer, top_ff, loads, float(wires.sum()), capacitance)


def with_buffers(wiring: Wiring) -> Netlist:
    """Give a netlist buffers on every net whose load is more than `MARGIN` of what its driver may drive.

    Parameters
    ----------
    wiring : Wiring
        Of the netlist without buffers.

    Returns
    -------
    Netlist
        The same one where no net asks for any.

    Raises
    ------
    UserError
        The library has no buffer.
    """
    placement = wiring.placement
    netlist = placement.netlist
    nets = overloaded(wiring, MARGIN)
    if not nets:
        return netlist
    buffer, most, changed = choose_buffer(netlist.library), most_load(netlist.library), _Changed(netlist)
    for net in nets:
        driver, *pins = placement.pins[net]
        limit = min(most, MARGIN * _largest_load(placement, driver, most))
        sinks = _sinks(placement, pins)
        levels, _ = buffer_levels(sinks, buffer, wiring.model, most, (placement.place(driver), limit))
        changed.insert(net, driver, pins, levels, buffer)
    return changed.netlist()


def overloaded(wiring: Wiring, share: float = 1.0) -> list[int]:
    """Give the nets that load their driver with more than a share of what the library allows it.

    An input port may drive what the buffer of `choose_buffer` may.
    """
    placement = wiring.placement
    library = placement.netlist.library
    port_ff = choose_buffer(library).outputs[0].largest_load if buffers_of(library) else math.inf
    loads = placement.netlist.loads + wiring.capacitance_ff
    return [
        net
        for net in wiring.trees
        if loads[net] > share * _largest_load(placement, placement.pins[net][0], port_ff)
    ]


def _largest_load(placement: Placement, driver: Pin, port_ff: float) -> float:
    if driver.instance < 0:
        return port_ff
    return placement.netlist.instances[driver.instance].cell.pins[driver.name].largest_load


class _Changed:
    """A netlist while buffers come into it."""

    def __init__(self, netlist: Netlist):
        self._before = netlist
        self._names = list(netlist.names)
        self._taken = {*netlist.names, *(instance.name for instance in netlist.instances)}
        self._cells = [dict(instance.nets) for instance in netlist.instances]
        self._ports = {name: net for port in netlist.ports for name, net in port.bits.items()}
        self._buffers: list[Instance] = []

    def insert(
        self, net: int, driver: Pin, pins: Sequence[Pin], levels: Sequence[Level], buffer: Cell
    ) -> None:
        """Put the buffers of a net between its driver and its pins."""
        instances = self._before.instances
        module = instances[driver.instance].module if driver.instance >= 0 else self._before.name
        (entry,), (exit_,) = buffer.inputs, buffer.outputs
        sinks = list(pins)
        for level in levels:
            first = len(self._before.instances) + len(self._buffers)
            for group in level.groups:
                behind = len(self._names)
                self._names.append("")
                self._buffers.append(Instance(self._free_name(), buffer, {}, module))
                self._cells.append({entry.name: net, exit_.name: behind})
                for sink in group:
                    self._connect(sinks[sink.key], behind)
            sinks = [Pin(first + place, entry.name, False) for place in range(len(level.groups))]

    def _free_name(self) -> str:
        name = f"buffer{len(self._buffers)}"
        while name in self._taken:
            name += "_"
        return name

    def _connect(self, pin: Pin, net: int) -> None:
        if pin.instance < 0:
            self._ports[pin.name] = net
        else:
            self._cells[pin.instance][pin.name] = net

    def netlist(self) -> Netlist:
        """Give the netlist with its buffers."""
        if not self._buffers:
            return self._before
        instances = zip((*self._before.instances, *self._buffers), self._cells, strict=True)
        ports = [
            replace(port, nets=tuple(self._ports[name] for name in port.bits)) for port in self._before.ports
        ]
        return replace(
            self._before,
            ports=tuple(ports),
            instances=tuple(replace(instance, nets=nets) for instance, nets in instances),
            names=tuple(self._names),
        )
