"""Event-driven simulation: how often nets toggle in a cycle when gates have delays, glitches included.

A cycle starts from settled nets. Input ports change at time 0, flip-flops a clock-to-output delay later, and
every change travels through the gates with its pin's mean delay, in whole femtoseconds. Delays are inertial,
as those of Verilog's module paths are in Icarus: when the inputs of a gate change its function, the output
takes the function's value of one delay later, so that shorter pulses vanish. The result of a cycle is a list
of times for each net; gate after gate merges those of its inputs.

The period is long enough for all nets to settle, so cycles are independent of each other, and a random part
of them can be simulated.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmul.cost.library.cells import Pin
from lmul.cost.library.functions import input_combinations
from lmul.cost.netlist.netlist import Instance, Netlist, clock_pin
from lmul.cost.power.zero_delay import Bits, Counts, Ends
from lmul.cost.timing.analysis import Timing
from lmul.cost.timing.path_delays import path_delays
from lmul.errors import UserError
from lmul.host.parallel import processors

MOST_PINS = 10
"""Most inputs of one output; the widest gates of the libraries we know have nine."""

_LONGEST_FS = np.iinfo(np.int32).max

_CYCLES_A_THREAD = 256
"""Fewer are not worth a thread."""

_EVENTS_PER_NET = 64
"""Room for the events of a cycle, grown when a cycle needs more."""


@dataclass(frozen=True)
class TimedCount:
    """Toggles of random cycles.

    Parameters
    ----------
    cycles : int
    toggles : int64 array, shape (nets,)
        All toggles of each net.
    late : int64 array, shape (nets,)
        Those after half a period, when the clock is low again, on nets that flip-flops read.
    glitches : int64 array, shape (nets,)
        Those beyond the one that a net needs to change, or beyond none.
    glitch_energy : float64 array, shape (cycles,)
        Sum of the glitches of each cycle, each weighted by what a toggle of its net takes, in fJ.
    """

    cycles: int
    toggles: Counts
    late: Counts
    glitches: Counts
    glitch_energy: NDArray[np.float64]

    @classmethod
    def nothing(cls, nets: int) -> "TimedCount":
        """Give the counts of no cycle."""
        zero = np.zeros(nets, dtype=np.int64)
        return cls(0, zero, zero, zero, np.zeros(0))

    def __add__(self, other: "TimedCount") -> "TimedCount":
        """Add the counts of other cycles."""
        return TimedCount(
            self.cycles + other.cycles,
            self.toggles + other.toggles,
            self.late + other.late,
            self.glitches + other.glitches,
            np.concatenate([self.glitch_energy, other.glitch_energy]),
        )


class _Gates(NamedTuple):
    """The gates of a netlist as the compiled loops take them, each behind those that drive its inputs."""

    outputs: NDArray[np.int32]
    inputs: NDArray[np.int32]
    widths: NDArray[np.int32]
    tables: NDArray[np.int32]
    functions: NDArray[np.uint8]
    delays: NDArray[np.int32]


class _Cases(NamedTuple):
    """Cycles: the nets that change first, how long after the edge of the clock, and from what to what."""

    sources: NDArray[np.int32]
    delays: NDArray[np.int32]
    before: Bits
    after: Bits


class _Weights(NamedTuple):
    """What a toggle of each net takes, which nets are watched, and when the clock falls, in fs."""

    toggle_energy: NDArray[np.float64]
    watched: NDArray[np.int32]
    half_period: np.int32


class _Memory(NamedTuple):
    """Room for the events of a cycle: when nets change, and what a gate's output waits for."""

    times: NDArray[np.int32]
    waiting: NDArray[np.int32]


class _Tallies(NamedTuple):
    """What the loops add to: counts of every net, and the energy of glitches of every cycle."""

    toggles: Counts
    late: Counts
    glitches: Counts
    energy: NDArray[np.float64]


class TimedNetlist:
    """A netlist with the delays of its gates, ready to simulate cycles.

    Parameters
    ----------
    netlist : Netlist
    timing : Timing
        Its delays.

    Raises
    ------
    UserError
        A cell has more inputs than the simulation can take.
    """

    def __init__(self, netlist: Netlist, timing: Timing):
        self._nets = netlist.nets
        self._timing = timing
        self._netlist = netlist
        gates = [
            (instance, pin)
            for level in netlist.levels
            for instance in level
            for pin in instance.cell.outputs
            if pin.function
        ]
        self._gates = self._compiled(gates)
        self._sources = np.array(netlist.sources, dtype=np.int32)
        self._source_delays = self._clock_delays()
        data = {
            instance.nets[pin.name] for instance in netlist.flip_flops for pin in instance.cell.inputs
        } - set(netlist.clock_nets)
        self._data_nets = np.array(sorted(data), dtype=np.int32)

    def _compiled(self, gates: list[tuple[Instance, Pin]]) -> _Gates:
        """Write the gates as arrays; those of one cell have one truth table."""
        inputs, widths, starts = np.zeros((len(gates), MOST_PINS), np.int32), [], []
        delays = np.zeros((len(gates), MOST_PINS, 2), dtype=np.int32)
        tables: dict[tuple[str, str], NDArray[np.uint8]] = {}
        places: dict[tuple[str, str], int] = {}
        for number, (instance, output) in enumerate(gates):
            pins = _function_pins(instance, output)
            key = instance.cell.name, output.name
            if key not in places:
                places[key] = sum(map(len, tables.values()))
                tables[key] = _truth_table(output, pins)
            starts.append(places[key])
            widths.append(len(pins))
            inputs[number, : len(pins)] = [instance.nets[pin] for pin in pins]
            for path in path_delays(self._timing, instance):
                if path.end == output.name and path.start in pins:
                    delays[number, pins.index(path.start)] = path.rise.mean, path.fall.mean
        outputs = [instance.nets[pin.name] for instance, pin in gates]
        return _Gates(
            np.array(outputs, dtype=np.int32),
            inputs,
            np.array(widths, dtype=np.int32),
            np.array(starts, dtype=np.int32),
            np.concatenate(list(tables.values())) if tables else np.zeros(1, dtype=np.uint8),
            delays,
        )

    def _clock_delays(self) -> NDArray[np.int32]:
        """Give the delays of the sources: none for input ports, clock to output for flip-flops."""
        delays = {
            instance.nets[path.end]: (path.rise.mean, path.fall.mean)
            for instance in self._netlist.flip_flops
            for path in path_delays(self._timing, instance)
            if path.start == clock_pin(instance.cell)
        }
        rows = [delays.get(net, (0, 0)) for net in self._netlist.sources]
        return np.array(rows, dtype=np.int32).reshape(-1, 2)

    def count(self, ends: Ends, toggle_energy: NDArray[np.float64], half_period_ps: float) -> TimedCount:
        """Simulate cycles and count toggles.

        Parameters
        ----------
        ends : Ends
            Of the cycles: before and after the edge of the clock.
        toggle_energy : float64 array, shape (nets,)
            What a toggle of each net takes, in fJ.
        half_period_ps : float
            When the clock falls.
        """
        half = np.int32(min(int(half_period_ps * 1e3), _LONGEST_FS))
        weights = _Weights(toggle_energy, self._data_nets, half)
        parts = min(processors(), max(1, len(ends) // _CYCLES_A_THREAD))
        cases = (
            _Cases(self._sources, self._source_delays, before, after)
            for before, after in zip(
                np.array_split(ends.before, parts), np.array_split(ends.after, parts), strict=True
            )
        )
        with ThreadPoolExecutor(parts) as pool:
            counts = pool.map(lambda some: self._count(some, weights), cases)
            return sum(counts, TimedCount.nothing(self._nets))

    def _count(self, cases: _Cases, weights: _Weights) -> TimedCount:
        from lmul.cost.power.event_driven_loops import simulate_cases

        events, cycles = _EVENTS_PER_NET * self._nets, len(cases.before)
        while True:
            memory = _Memory(np.empty(events, dtype=np.int32), np.empty(events, dtype=np.int32))
            toggles, late, glitches = np.zeros((3, self._nets), dtype=np.int64)
            tallies = _Tallies(toggles, late, glitches, np.zeros(cycles))
            if simulate_cases(self._gates, cases, weights, memory, tallies):
                return TimedCount(cycles, *tallies)
            events *= 2


def _function_pins(instance: Instance, output: Pin) -> list[str]:
    pins = sorted(output.function.pins()) if output.function else []
    if len(pins) > MOST_PINS:
        raise UserError(
            f"cell {instance.cell.name} has {len(pins)} inputs: at most {MOST_PINS} can be simulated"
        )
    return pins


def _truth_table(output: Pin, pins: list[str]) -> NDArray[np.uint8]:
    """List the values of an output; pin ``j`` is bit ``j`` of the place."""
    combinations = dict(zip(pins, input_combinations(len(pins)), strict=True))
    words = output.function.evaluate(combinations) if output.function else np.zeros(1, np.uint64)
    return np.broadcast_to(words != 0, 1 << len(pins)).astype(np.uint8)
