"""Timed simulation: how often nets toggle in a cycle when gates have delays, glitches included.

A cycle starts from settled nets. Input ports change at time 0, flip-flops a clock-to-output delay later, and
every change travels through the gates with its pin's mean delay, in whole femtoseconds. Delays are inertial,
as those of Verilog's module paths are in Icarus: when the inputs of a gate change its function, the output
takes the function's value of one delay later, so that shorter pulses vanish. The result of a cycle is a list
of times for each net; gate after gate merges those of its inputs.

The period is long enough for all nets to settle, so cycles are independent of each other and can be drawn.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lmul.cost.activity import Bits, Counts
from lmul.cost.boolean import input_combinations
from lmul.cost.delays import path_delays
from lmul.cost.library import Pin
from lmul.cost.netlist import Instance, Netlist, clock_pin
from lmul.cost.timing import Timing
from lmul.errors import UserError
from lmul.golden.parallel import processors

_PINS = 10
"""Most inputs of one output; the widest gates of the libraries we know have nine."""

_NEVER = np.int32(np.iinfo(np.int32).max)

_CYCLES_A_THREAD = 256
"""Fewer are not worth a thread."""

_EVENTS_PER_NET = 64
"""Room for the events of a cycle, grown when a cycle needs more."""


@dataclass(frozen=True)
class TimedCount:
    """Toggles of drawn cycles.

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
        self._outputs = np.array([instance.nets[pin.name] for instance, pin in gates], dtype=np.int32)
        self._inputs = np.zeros((len(gates), _PINS), dtype=np.int32)
        self._widths = np.zeros(len(gates), dtype=np.int32)
        self._tables = np.zeros(len(gates), dtype=np.int32)
        self._delays = np.zeros((len(gates), _PINS, 2), dtype=np.int32)
        self._add_gates(gates)
        self._sources = np.array(netlist.sources, dtype=np.int32)
        self._source_delays = self._clock_delays()
        data = {
            instance.nets[pin.name] for instance in netlist.flip_flops for pin in instance.cell.inputs
        } - set(netlist.clock_nets)
        self._data_nets = np.array(sorted(data), dtype=np.int32)

    def _add_gates(self, gates: list[tuple[Instance, Pin]]) -> None:
        tables: list[NDArray[np.uint8]] = []
        places: dict[tuple[str, str], int] = {}
        size = 0
        for number, (instance, output) in enumerate(gates):
            pins = _function_pins(instance, output)
            key = instance.cell.name, output.name
            if key not in places:
                places[key] = size
                tables.append(_truth_table(output, pins))
                size += len(tables[-1])
            self._tables[number] = places[key]
            self._widths[number] = len(pins)
            self._inputs[number, : len(pins)] = [instance.nets[pin] for pin in pins]
            for path in path_delays(self._timing, instance):
                if path.end == output.name and path.start in pins:
                    self._delays[number, pins.index(path.start)] = path.rise.mean, path.fall.mean
        self._functions = np.concatenate(tables) if tables else np.zeros(1, dtype=np.uint8)

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

    def count(
        self, before: Bits, after: Bits, toggle_energy: NDArray[np.float64], half_period_ps: float
    ) -> TimedCount:
        """Simulate cycles and count toggles.

        Parameters
        ----------
        before, after : uint8 array, shape (cycles, sources)
            Settled values of `Netlist.sources` before and after the edge of the clock.
        toggle_energy : float64 array, shape (nets,)
            What a toggle of each net takes, in fJ.
        half_period_ps : float
            When the clock falls.
        """
        half = np.int32(min(int(half_period_ps * 1e3), int(_NEVER)))
        parts = min(processors(), max(1, len(before) // _CYCLES_A_THREAD))
        with ThreadPoolExecutor(parts) as pool:
            counts = pool.map(
                lambda ends: self._count(ends[0], ends[1], (toggle_energy, self._data_nets, half)),
                zip(np.array_split(before, parts), np.array_split(after, parts), strict=True),
            )
            return sum(counts, TimedCount.nothing(self._nets))

    def _count(self, before: Bits, after: Bits, weighting: Any) -> TimedCount:
        events = _EVENTS_PER_NET * self._nets
        while True:
            toggles, late, glitches = np.zeros((3, self._nets), dtype=np.int64)
            energy = np.zeros(len(before))
            if _simulate(
                (self._outputs, self._inputs, self._widths, self._tables, self._functions, self._delays),
                (self._sources, self._source_delays, before, after),
                (np.empty(events, dtype=np.int32), np.empty(events, dtype=np.int32)),
                weighting,
                (toggles, late, glitches),
                energy,
            ):
                return TimedCount(len(before), toggles, late, glitches, energy)
            events *= 2


def _function_pins(instance: Instance, output: Pin) -> list[str]:
    pins = sorted(output.function.pins()) if output.function else []
    if len(pins) > _PINS:
        raise UserError(f"cell {instance.cell.name} has {len(pins)} inputs: at most {_PINS} can be simulated")
    return pins


def _truth_table(output: Pin, pins: list[str]) -> NDArray[np.uint8]:
    """List the values of an output; pin ``j`` is bit ``j`` of the place."""
    combinations = dict(zip(pins, input_combinations(len(pins)), strict=True))
    words = output.function.evaluate(combinations) if output.function else np.zeros(1, np.uint64)
    return np.broadcast_to(words != 0, 1 << len(pins)).astype(np.uint8)


@numba.njit(cache=True, nogil=True)
def _simulate(gates: Any, cases: Any, memory: Any, weighting: Any, counts: Any, energy: Any) -> bool:
    """Simulate cases and add to their counts; false where the memory is too small for one of them."""
    outputs, inputs, widths, tables, functions, delays = gates
    sources, source_delays, before, after = cases
    toggle_energy, watched, half = weighting
    toggles, late, glitches = counts
    times, waiting = memory
    nets = toggles.shape[0]
    # Of every net: the place of its first change in `times`, and twice the number of its changes plus its
    # settled value.
    start = np.zeros(nets, dtype=np.int32)
    state = np.zeros(nets, dtype=np.int32)
    state[1] = 1
    place = np.zeros(_PINS, dtype=np.int32)
    end = np.zeros(_PINS, dtype=np.int32)
    upcoming = np.zeros(_PINS, dtype=np.int32)
    for case in range(before.shape[0]):
        top = _begin(sources, source_delays, before[case], after[case], start, state, times, toggles)
        for gate in range(outputs.shape[0]):
            index, events, single = 0, 0, 0
            for pin in range(widths[gate]):
                found = state[inputs[gate, pin]]
                index |= (found & 1) << pin
                events += found >> 1
                if found >> 1:
                    single = pin
            output = outputs[gate]
            state[output] = functions[tables[gate] + index]
            if top + events > times.shape[0]:
                return False
            if events == 1:
                # Most changes come alone: nothing to merge.
                result = functions[tables[gate] + (index ^ (1 << single))]
                if result != state[output]:
                    start[output] = top
                    times[top] = times[start[inputs[gate, single]]] + delays[gate, single, 1 - result]
                    top += 1
                    state[output] += 2
                    toggles[output] += 1
            elif events:
                start[output] = top
                changes = _merge(gates, gate, index, start, state, times, top, waiting, place, end, upcoming)
                state[output] += 2 * changes
                top += changes
                toggles[output] += changes
                if changes > 1:
                    glitches[output] += changes & ~1
                    energy[case] += (changes & ~1) * toggle_energy[output]
        for net in watched:
            for i in range(start[net], start[net] + (state[net] >> 1)):
                late[net] += times[i] > half
    return True


@numba.njit(inline="always")
def _begin(
    sources: Any,
    delays: Any,
    before: Any,
    after: Any,
    start: Any,
    state: Any,
    times: Any,
    toggles: Any,
) -> int:
    """Let the sources change; give the number of those that do."""
    top = 0
    for i in range(sources.shape[0]):
        changes = before[i] ^ after[i]
        start[sources[i]] = top
        state[sources[i]] = 2 * changes + before[i]
        toggles[sources[i]] += changes
        if changes:
            times[top] = delays[i, 1 - after[i]]
            top += 1
    return top


@numba.njit(inline="always")
def _merge(
    gates: Any,
    gate: int,
    index: int,
    start: Any,
    state: Any,
    times: Any,
    top: int,
    waiting: Any,
    place: Any,
    end: Any,
    upcoming: Any,
) -> int:
    """Merge the changes of a gate's inputs into those of its output, from `top` on; give their number."""
    _, inputs, widths, tables, functions, delays = gates
    width, table = widths[gate], tables[gate]
    for pin in range(width):
        net = inputs[gate, pin]
        place[pin] = start[net]
        end[pin] = start[net] + (state[net] >> 1)
        upcoming[pin] = times[place[pin]] if place[pin] < end[pin] else _NEVER
    wanted = driven = functions[table + index]
    first, due = top, 0
    while True:
        now = upcoming[0]
        for pin in range(1, width):
            now = min(now, upcoming[pin])
        # Delays that have passed: the output takes what the function is by then.
        while due and waiting[due - 1] < now:
            due -= 1
            if driven != wanted:
                driven = wanted
                times[top] = waiting[due]
                top += 1
        if now == _NEVER:
            return top - first
        rise, fall = _NEVER, _NEVER
        for pin in range(width):
            if upcoming[pin] == now:
                index ^= 1 << pin
                place[pin] += 1
                upcoming[pin] = times[place[pin]] if place[pin] < end[pin] else _NEVER
                rise = min(rise, delays[gate, pin, 0])
                fall = min(fall, delays[gate, pin, 1])
        if functions[table + index] != wanted:
            wanted = functions[table + index]
            due = _insert(waiting, due, now + (rise if wanted else fall))


@numba.njit(inline="always")
def _insert(waiting: Any, due: int, time: int) -> int:
    """Put a time among those that are due, the earliest last."""
    place = due
    while place and waiting[place - 1] < time:
        waiting[place] = waiting[place - 1]
        place -= 1
    waiting[place] = time
    return due + 1
