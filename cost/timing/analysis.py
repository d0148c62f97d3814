"""Static timing from the library's delay tables: slowest path, arrival times and slews of every net.

Wires have no load and no delay; the clock arrives everywhere at once, behind clock gates too. Input ports
change at time 0 with `INPUT_SLEW_NS`, as does the clock, and each bit of an output port drives
`OUTPUT_LOAD_FF`. A net with the load of more than `LARGEST_FANOUT` NAND inputs, such as an array's enable, is
taken to be buffered and counts as that many.

In a placed netlist wires have loads, and Elmore's delay to every pin, which belongs to the arc that begins
there. Its buffers are cells like others.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmul.cost.library.cells import Constraint, TimingArc
from lmul.cost.netlist.netlist import Instance, Netlist, clock_pin, nand2_load

INPUT_SLEW_NS = 0.02
OUTPUT_LOAD_FF = 5.0
LARGEST_FANOUT = 64

RISE, FALL = 0, 1
BOTH = (RISE, FALL)
_START_EDGES = {"rising_edge": (RISE,), "falling_edge": (FALL,)}
_COMBINATIONAL = {
    "combinational": BOTH,
    "combinational_rise": (RISE,),
    "combinational_fall": (FALL,),
}


@dataclass(frozen=True)
class Step:
    """One cell on a path.

    Parameters
    ----------
    instance, cell : str
        Names of the instance and of its cell.
    start, end : str
        Pins of the arc; the setup time of a flip-flop or a clock gate goes from its data pin to its clock
        pin.
    edge : str
        ``"rise"`` or ``"fall"``, at the end of the arc, or of the data for a setup time.
    delay_ps, arrival_ps : float
        Delay of the arc, and the time at its end.
    """

    instance: str
    cell: str
    start: str
    end: str
    edge: str
    delay_ps: float
    arrival_ps: float


@dataclass(frozen=True)
class Timing:
    """What static timing found.

    Parameters
    ----------
    delay_ps : float
        Time of the slowest path: from inputs and flip-flops to outputs and flip-flops, setup included.
    path : tuple of Step
        That path, from its start.
    arrivals : float64 array, shape (nets, 2)
        Latest arrival of the rising and the falling edge in ns; minus infinity where a net never changes.
    slews : float64 array, shape (nets, 2)
        Slowest slew of either edge in ns.
    delays : mapping of tuple to list of float
        Delays of all arcs in ns, by the name of the instance, its input and output pin, and the edge of the
        output; none for those that never cause an edge.
    """

    delay_ps: float
    path: tuple[Step, ...]
    arrivals: NDArray[np.float64]
    slews: NDArray[np.float64]
    delays: Mapping[tuple[str, str, str, int], list[float]]


def analyse_timing(netlist: Netlist) -> Timing:
    """Find the slowest path of a netlist.

    Parameters
    ----------
    netlist : Netlist
        A flat netlist.

    Returns
    -------
    Timing
        The path and the edges of all nets.

    Raises
    ------
    UserError
        If the netlist has a combinational loop or more than one clock.
    """
    return _Propagation(netlist).timing()


def edges_before(arc: TimingArc, edge: int) -> tuple[int, ...]:
    """Edges of the related pin that can cause an edge of the output.

    Parameters
    ----------
    arc : TimingArc
        The arc.
    edge : int
        `RISE` or `FALL` of the output.

    Returns
    -------
    tuple of int
        Edges of the related pin; empty for arcs that are not timed, such as an asynchronous clear.
    """
    if arc.kind in _START_EDGES:
        return _START_EDGES[arc.kind]
    if edge not in _COMBINATIONAL.get(arc.kind, ()):
        return ()
    return {"positive_unate": (edge,), "negative_unate": (1 - edge,)}.get(arc.sense, BOTH)


class _Cause(NamedTuple):
    """What makes an edge of a net the latest: an edge of another net, and the arc between them."""

    before: tuple[int, int]
    instance: Instance
    start: str
    end: str
    delay: float


class _Propagation:
    """Arrival times and slews while they spread through the netlist, and where each came from."""

    def __init__(self, netlist: Netlist):
        self._netlist = netlist
        # Lists, whose single numbers are quicker to reach than an array's.
        self._arrivals = [[-math.inf, -math.inf] for _ in range(netlist.nets)]
        self._slews = [[INPUT_SLEW_NS, INPUT_SLEW_NS] for _ in range(netlist.nets)]
        self._delays: dict[tuple[str, str, str, int], list[float]] = {}
        self._causes: dict[tuple[int, int], _Cause] = {}
        self._wire_delays = netlist.placed.delays if netlist.placed else {}
        loads = netlist.edge_loads.copy()
        for net in (net for port in netlist.outputs for net in port.nets):
            loads[net] += OUTPUT_LOAD_FF
        most = math.inf if netlist.placed else LARGEST_FANOUT * nand2_load(netlist.library)
        self._loads = np.minimum(loads, most).tolist()

    def timing(self) -> Timing:
        starts = [net for port in self._netlist.inputs for net in port.nets]
        starts += self._netlist.clock_nets
        for net in starts:
            self._arrivals[net] = [0.0, 0.0]
        for instance in self._netlist.flip_flops:
            self._pass(instance)
        for level in self._netlist.levels:
            for instance in level:
                self._pass(instance)
        delay, path = self._slowest()
        return Timing(delay * 1e3, path, np.array(self._arrivals), np.array(self._slews), self._delays)

    def _pass(self, instance: Instance) -> None:
        for pin in instance.cell.outputs:
            for arc in pin.arcs:
                for edge in BOTH:
                    for before in edges_before(arc, edge):
                        self._follow(instance, pin.name, arc, before, edge)

    def _follow(self, instance: Instance, output: str, arc: TimingArc, before: int, edge: int) -> None:
        start, end = instance.nets[arc.related_pin], instance.nets[output]
        delay_table, slew_table = arc.delay[edge], arc.slew[edge]
        if delay_table is None or slew_table is None or self._arrivals[start][before] == -math.inf:
            return
        point = self._slews[start][before], self._loads[end][edge]
        delay = self._wire_delays.get((instance.name, arc.related_pin), 0.0) + delay_table.at(*point)
        self._delays.setdefault((instance.name, arc.related_pin, output, edge), []).append(delay)
        arrival = self._arrivals[start][before] + delay
        slew, latest = slew_table.at(*point), self._arrivals[end][edge]
        self._slews[end][edge] = slew if latest == -math.inf else max(slew, self._slews[end][edge])
        if arrival > latest:
            self._arrivals[end][edge] = arrival
            self._causes[end, edge] = _Cause((start, before), instance, arc.related_pin, output, delay)

    def _slowest(self) -> tuple[float, tuple[Step, ...]]:
        latest, end, last = 0.0, None, None
        for time, edge, step in self._ends():
            if time > latest:
                latest, end, last = time, edge, step
        path = [] if last is None else [last]
        while end in self._causes:
            cause, arrival = self._causes[end], self._arrivals[end[0]][end[1]]
            path.append(_step(cause.instance, (cause.start, cause.end), end[1], cause.delay, arrival))
            end = cause.before
        return latest, tuple(reversed(path))

    def _ends(self) -> Iterator[tuple[float, tuple[int, int], Step | None]]:
        for port in self._netlist.outputs:
            for name, net in port.bits.items():
                wire = self._wire_delays.get(("", name), 0.0)
                for edge in BOTH:
                    yield self._arrivals[net][edge] + wire, (net, edge), None
        for instance in (*self._netlist.flip_flops, *self._netlist.clock_gates):
            for pin in instance.cell.inputs:
                for constraint in pin.constraints:
                    yield from self._setups(instance, pin.name, constraint)

    def _setups(
        self, instance: Instance, pin: str, constraint: Constraint
    ) -> Iterator[tuple[float, tuple[int, int], Step]]:
        if constraint.kind != "setup_rising" or constraint.related_pin != clock_pin(instance.cell):
            return
        net = instance.nets[pin]
        for edge in BOTH:
            table = constraint.limit[edge]
            if table is not None:
                wire = self._wire_delays.get((instance.name, pin), 0.0)
                setup = wire + table.at(self._slews[net][edge], INPUT_SLEW_NS)
                time = self._arrivals[net][edge] + setup
                yield time, (net, edge), _step(instance, (pin, constraint.related_pin), edge, setup, time)


def _step(instance: Instance, pins: tuple[str, str], edge: int, delay: float, arrival: float) -> Step:
    name = ("rise", "fall")[edge]
    return Step(instance.name, instance.cell.name, *pins, name, delay * 1e3, arrival * 1e3)
