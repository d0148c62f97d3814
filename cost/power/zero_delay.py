"""Switching activity: how often each net of a netlist toggles under given operands.

The simulation is cycle by cycle with zero delay, so it sees no glitches; `lmul.cost.power.event_driven` adds
them for random steps. Sixty-four cases run at once in the bits of a word: consecutive cycles
where there are no flip-flops, else independent streams.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from lmul.cost.library.cells import Cell, FlipFlop
from lmul.cost.library.functions import ONES, Expression, Words
from lmul.cost.netlist.netlist import Instance, Netlist, Port, clock_pin
from lmul.cost.power.bit_parallel import Program
from lmul.errors import UserError

Bits = NDArray[np.uint8]
Counts = NDArray[np.int64]

_WORD = 64
_BLOCK_WORDS = 1024
_SEED = 1


@dataclass(frozen=True)
class Steps:
    """Steps from one cycle to the next.

    Parameters
    ----------
    cycles, streams : int array, shape (steps,)
        The cycle that each step leaves, and its stream.
    """

    cycles: NDArray[np.intp]
    streams: NDArray[np.intp]


@dataclass(frozen=True)
class Ends:
    """Settled values of `Netlist.sources` at both ends of some steps.

    Parameters
    ----------
    before, after : uint8 array, shape (steps, sources)
    """

    before: Bits
    after: Bits

    def __len__(self) -> int:
        return len(self.before)

    def __getitem__(self, steps: slice) -> "Ends":
        return Ends(self.before[steps], self.after[steps])


@dataclass(frozen=True)
class RegisterCounts:
    """What a simulation counted at the flip-flops of a netlist, an array for each in the netlist's order.

    Parameters
    ----------
    states : tuple of int64 array, shape (2, 2 ** pins)
        How often its pins held each combination at the end of the cycle before a step; bit ``j`` of the
        column is entry ``j`` of `state_pins`. Steps in which its clock rests are in row 0, those with a
        clock edge in row 1.
    clocked_toggles : tuple of int64 array, shape (pins - 1,)
        The toggles of each input of its `state_pins` in steps with a clock edge.
    """

    states: tuple[Counts, ...] = ()
    clocked_toggles: tuple[Counts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a simulation counted.

    Parameters
    ----------
    transitions : int
        Number of steps from one cycle to the next that were counted, over all streams.
    toggles : int64 array, shape (nets,)
        Toggles of each net over all counted steps. The clock is not simulated: it has two a step, and a
        gated clock two in each step whose edge the gate lets through.
    ones : int64 array, shape (nets,)
        In how many of these steps each net ends high. A clock is high for half of a step with an edge.
    registers : RegisterCounts
    gate_steps : tuple of int64 array, shape (2, 2)
        For each clock gate, the steps by its enable before (row) and after (column).
    outputs : mapping of str to uint8 array, shape (cycles, streams, bits)
        Output ports, least significant bit first, for all cycles.
    ends : Ends
        Of the steps that were asked for.
    """

    transitions: int
    toggles: Counts
    ones: Counts
    outputs: Mapping[str, Bits]
    ends: Ends
    registers: RegisterCounts = RegisterCounts()
    gate_steps: tuple[Counts, ...] = ()


def draw_steps(stimulus: Mapping[str, Bits], warmup: int, most: int) -> Steps:
    """Draw steps of a stimulus without putting any back, the same ones every time.

    Parameters
    ----------
    stimulus : mapping of str to uint8 array, shape (cycles, streams, bits)
    warmup : int
        Number of first cycles that are left out.
    most : int
        Number of steps, unless there are fewer.
    """
    cycles, streams, _ = next(iter(stimulus.values())).shape
    population = (cycles - 1 - warmup) * streams
    drawn = _shuffled(population)[:most]
    return Steps(warmup + drawn // streams, drawn % streams)


@lru_cache(maxsize=1)
def _shuffled(population: int) -> NDArray[np.int64]:
    """Shuffle whole numbers, once for all netlists of a design."""
    return np.random.default_rng(_SEED).permutation(population)


def state_pins(cell: Cell) -> tuple[str, ...]:
    """Names behind the bits of a flip-flop's state counts.

    Parameters
    ----------
    cell : Cell
        A cell with a flip-flop.

    Returns
    -------
    tuple of str
        Its inputs apart from the clock, then the state itself.
    """
    if cell.flip_flop is None:
        return ()
    clock = clock_pin(cell)
    return (*(pin.name for pin in cell.inputs if pin.name != clock), cell.flip_flop.state)


def simulate(
    netlist: Netlist, stimulus: Mapping[str, Bits], warmup: int = 0, steps: Steps | None = None
) -> Activity:
    """Simulate a netlist and count toggles.

    Flip-flops start at 0. Outputs of a cycle follow its inputs at once and the flip-flops as the cycles
    before left them; an asynchronous clear or preset acts in the cycle in which it is seen. A clock gate
    lets the edge at the end of a cycle through if its enable is high in that cycle.

    Parameters
    ----------
    netlist : Netlist
        A flat netlist.
    stimulus : mapping of str to uint8 array, shape (cycles, streams, bits)
        Zeros and ones for every input port but the clock, least significant bit first. A reset is part of
        the stimulus like any other input.
    warmup : int
        Number of first cycles to leave out of the counts: the first step counted leads from cycle `warmup`
        to the next.
    steps : Steps, optional
        Steps whose ends are wanted.

    Returns
    -------
    Activity
        Toggle counts and output values.

    Raises
    ------
    UserError
        If the stimulus does not fit the ports, leaves no step to count, or the netlist cannot be simulated.
    """
    _check_stimulus(netlist, stimulus, warmup)
    simulation = _Sequential if netlist.flip_flops else _Combinational
    none = np.zeros(0, dtype=np.intp)
    return simulation(netlist, stimulus, warmup, steps or Steps(none, none)).run()


def _check_stimulus(netlist: Netlist, stimulus: Mapping[str, Bits], warmup: int) -> None:
    widths = {port.name: len(port.nets) for port in netlist.inputs}
    if set(stimulus) != set(widths):
        raise UserError(
            f"{netlist.name} has the inputs {sorted(widths)}, the stimulus has {sorted(stimulus)}"
        )
    if not stimulus:
        raise UserError(f"{netlist.name} has no inputs to drive")
    cycles, streams = next(iter(stimulus.values())).shape[:2]
    for name, bits in stimulus.items():
        if bits.shape != (cycles, streams, widths[name]):
            expected = (cycles, streams, widths[name])
            raise UserError(f"stimulus of {name} has the shape {bits.shape}, not {expected}")
    if not 0 <= warmup < cycles - 1 or streams < 1:
        raise UserError(f"{cycles} cycles of {streams} streams leave no step to count after {warmup}")


def _pack(bits: Bits) -> Words:
    """Pack the last axis into words, the first case in the least significant bit."""
    missing = -bits.shape[-1] % _WORD
    padded = np.pad(np.ascontiguousarray(bits), [(0, 0)] * (bits.ndim - 1) + [(0, missing)])
    return np.packbits(padded, axis=-1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def _unpack(words: Words, cases: int) -> Bits:
    """Unpack the last axis into `cases` bits: the inverse of `_pack`."""
    data = np.ascontiguousarray(words).astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(data, axis=-1, count=cases, bitorder="little")


def _count(words: Words) -> Counts:
    counts: Counts = np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
    return counts


@dataclass(frozen=True)
class _Group:
    """Instances of one cell that can be evaluated at once."""

    cell: Cell
    inputs: Mapping[str, NDArray[np.intp]]
    outputs: tuple[tuple[Expression, NDArray[np.intp]], ...]

    def read(self, values: Words) -> dict[str, Words]:
        return {pin: values[nets] for pin, nets in self.inputs.items()}

    def drive(self, values: Words, pins: Mapping[str, Words]) -> None:
        for function, nets in self.outputs:
            values[nets] = function.evaluate(pins)


def _group(alike: list[Instance]) -> _Group:
    cell = alike[0].cell

    def nets(pin: str) -> NDArray[np.intp]:
        return np.array([instance.nets[pin] for instance in alike])

    outputs = ((pin.function, nets(pin.name)) for pin in cell.outputs if pin.function)
    return _Group(cell, {pin.name: nets(pin.name) for pin in cell.inputs}, tuple(outputs))


class _Simulation:
    """What both ways of packing cases share: the stimulus, the groups of cells, the counts."""

    def __init__(self, netlist: Netlist, stimulus: Mapping[str, Bits], warmup: int, steps: Steps):
        self._netlist = netlist
        self._stimulus = stimulus
        self._warmup = warmup
        shape: tuple[int, int] = next(iter(stimulus.values())).shape[:2]
        self._cycles, self._streams = shape
        self._gate_program = Program((gate for level in netlist.levels for gate in level), netlist.nets)
        self._steps = steps
        self._toggles = np.zeros(netlist.nets, dtype=np.int64)
        self._ones = np.zeros(netlist.nets, dtype=np.int64)
        self._outputs = {
            port.name: np.empty((*shape, len(port.nets)), dtype=np.uint8) for port in netlist.outputs
        }

    def _blank(self, words: int) -> Words:
        values = np.zeros((self._netlist.nets, words), dtype=np.uint64)
        values[1] = ONES
        return values

    @property
    def _transitions(self) -> int:
        return self._streams * (self._cycles - 1 - self._warmup)


class _Combinational(_Simulation):
    """Cycles in the bits of a word, in blocks of streams and of time that stay in the cache."""

    def run(self) -> Activity:
        block = min(self._streams, _BLOCK_WORDS)
        for first in range(0, self._streams, block):
            self._run_streams(slice(first, min(first + block, self._streams)))
        sources = [self._stimulus[port.name] for port in self._netlist.inputs]
        before, after = (
            np.concatenate([bits[self._steps.cycles + end, self._steps.streams] for bits in sources], axis=-1)
            for end in (0, 1)
        )
        return Activity(
            transitions=self._transitions,
            toggles=self._toggles,
            ones=self._ones,
            outputs=self._outputs,
            ends=Ends(before, after),
        )

    def _run_streams(self, streams: slice) -> None:
        count = streams.stop - streams.start
        length = max(1, _BLOCK_WORDS // count) * _WORD
        last = np.zeros((self._netlist.nets, count), dtype=np.uint64)
        for start in range(0, self._cycles, length):
            cycles = slice(start, min(start + length, self._cycles))
            last = self._run_block(cycles, streams, last)

    def _run_block(self, cycles: slice, streams: slice, last: Words) -> Words:
        width = -(-(cycles.stop - cycles.start) // _WORD)
        values = self._blank((streams.stop - streams.start) * width)
        for port in self._netlist.inputs:
            bits = self._stimulus[port.name][cycles, streams].transpose(2, 1, 0)
            values[list(port.nets)] = _pack(bits).reshape(len(port.nets), -1)
        self._gate_program.run(values)
        by_stream = values.reshape(self._netlist.nets, -1, width)
        counted = self._counted(cycles.start, width)
        changes = self._changes(by_stream, last) & counted
        self._toggles += _count(changes.reshape(values.shape))
        self._ones += _count((by_stream & counted).reshape(values.shape))
        for port in self._netlist.outputs:
            bits = _unpack(by_stream[list(port.nets)], cycles.stop - cycles.start)
            self._outputs[port.name][cycles, streams] = bits.transpose(2, 1, 0)
        return by_stream[:, :, -1] >> np.uint64(_WORD - 1)

    def _changes(self, values: Words, last: Words) -> Words:
        """Mark the cycles in which a net differs from the cycle before."""
        before = values << np.uint64(1)
        before[:, :, 0] |= last
        before[:, :, 1:] |= values[:, :, :-1] >> np.uint64(_WORD - 1)
        before ^= values
        return before

    def _counted(self, start: int, width: int) -> Words:
        """Mark the cycles that end a counted step, in words from cycle `start` on."""
        cycle = start + np.arange(width * _WORD)
        return _pack(((cycle > self._warmup) & (cycle < self._cycles)).astype(np.uint8))


class _Registers:
    """The flip-flops of one cell type, with their states over the streams.

    The net of a gated clock holds whether the gate lets the next edge through; net 1 stands for a clock
    without a gate.
    """

    def __init__(self, members: list[Instance], flip_flop: FlipFlop, gated: Collection[int], words: int):
        self.members = members
        self._group = _group(members)
        self._flip_flop = flip_flop
        clocks = (instance.nets[clock_pin(instance.cell)] for instance in members)
        self._clocks = np.array([net if net in gated else 1 for net in clocks])
        self._state = np.zeros((len(members), words), dtype=np.uint64)
        self._pins = state_pins(members[0].cell)
        self.counts = np.zeros((len(members), 2, 1 << len(self._pins)), dtype=np.int64)
        self.clocked_toggles = np.zeros((len(members), len(self._pins) - 1), dtype=np.int64)

    def _read(self, values: Words) -> dict[str, Words]:
        states = {self._flip_flop.state: self._state, self._flip_flop.complement: ~self._state}
        return self._group.read(values) | states

    def drive(self, values: Words) -> None:
        self._group.drive(values, self._read(values))

    def clock(self, values: Words) -> None:
        """Store where the clock has an edge; a clear or preset that holds then is stronger."""
        edges = values[self._clocks]
        stored = self._flip_flop.next_state.evaluate(self._read(values)) & edges
        self._state = self._forced(stored | (self._state & ~edges), values)

    def reset(self, values: Words) -> bool:
        """Apply clear and preset; tell whether a state changed."""
        state = self._forced(self._state, values)
        changed = bool((state != self._state).any())
        self._state = state
        return changed

    def _forced(self, state: Words, values: Words) -> Words:
        pins = self._read(values)
        if self._flip_flop.preset:
            state = state | self._flip_flop.preset.evaluate(pins)
        if self._flip_flop.clear:
            state = state & ~self._flip_flop.clear.evaluate(pins)
        return np.broadcast_to(state, self._state.shape)

    def count_states(self, values: Words, lanes: Words) -> None:
        """Add the cases of this cycle to the counts of pin combinations."""
        pins = self._read(values)
        edges = values[self._clocks]
        for row, cases in enumerate((lanes & ~edges, lanes & edges)):
            matches = [cases]
            for pin in self._pins:
                low = [match & ~pins[pin] for match in matches]
                matches = low + [match & pins[pin] for match in matches]
            for column, match in enumerate(matches):
                self.counts[:, row, column] += _count(match)

    def count_toggles(self, changes: Words, before: Words, lanes: Words) -> None:
        """Add the toggles of data pins that follow an edge of the clock."""
        edges = before[self._clocks] & lanes
        for column, pin in enumerate(self._pins[:-1]):
            self.clocked_toggles[:, column] += _count(changes[self._group.inputs[pin]] & edges)


class _Gates:
    """The clock gates of a netlist, and how often each lets the clock through."""

    def __init__(self, gates: Sequence[Instance]):
        roles = [(gate.nets, gate.cell.clock_gate) for gate in gates if gate.cell.clock_gate]
        self._outputs = np.array([nets[role.output] for nets, role in roles], dtype=np.intp)
        enables = [[nets[role.enables[0]], nets[role.enables[-1]]] for nets, role in roles]
        self._enables = np.array(enables, dtype=np.intp).reshape(-1, 2)
        self.steps = np.zeros((len(gates), 2, 2), dtype=np.int64)

    def drive(self, values: Words) -> None:
        """Put on each gated clock whether it has an edge at the end of this cycle."""
        values[self._outputs] = values[self._enables[:, 0]] | values[self._enables[:, 1]]

    def count(self, values: Words, before: Words, lanes: Words) -> None:
        """Add a step to the counts of enables before and after."""
        old, new = before[self._outputs], values[self._outputs]
        for row, first in enumerate((~old, old)):
            for column, second in enumerate((~new, new)):
                self.steps[:, row, column] += _count(first & second & lanes)


class _Sequential(_Simulation):
    """Streams in the bits of a word, cycle after cycle."""

    def run(self) -> Activity:
        values = self._blank(-(-self._streams // _WORD))
        before = values.copy()
        shape = (len(self._steps.cycles), len(self._netlist.sources))
        self._ends = np.zeros((2, *shape), dtype=np.uint8)
        for cycle in range(self._cycles):
            self._settle(cycle, values)
            self._record(cycle, values)
            if cycle > self._warmup:
                self._count_step(values, before)
            before[:] = values
            for registers in self._registers:
                if self._warmup <= cycle < self._cycles - 1:
                    registers.count_states(values, self._lanes)
                registers.clock(values)
        return self._activity()

    @cached_property
    def _lanes(self) -> Words:
        return _pack(np.ones(self._streams, dtype=np.uint8))

    def _count_step(self, values: Words, before: Words) -> None:
        changes = (values ^ before) & self._lanes
        self._toggles += _count(changes)
        self._ones += _count(values & self._lanes)
        self._gates.count(values, before, self._lanes)
        for registers in self._registers:
            registers.count_toggles(changes, before, self._lanes)

    def _activity(self) -> Activity:
        self._toggles[self._netlist.clock_net] = 2 * self._transitions
        self._toggles[list(self._netlist.gated_clocks)] = 2 * self._gates.steps[:, 1].sum(axis=1)
        clocks = list(self._netlist.clock_nets)
        self._ones[clocks] = self._toggles[clocks] // 4
        order = [instance.name for instance in self._netlist.flip_flops]
        rows = {
            instance.name: (counts, toggles)
            for registers in self._registers
            for instance, counts, toggles in zip(
                registers.members, registers.counts, registers.clocked_toggles, strict=True
            )
        }
        states, clocked_toggles = zip(*(rows[name] for name in order), strict=True)
        return Activity(
            transitions=self._transitions,
            toggles=self._toggles,
            ones=self._ones,
            outputs=self._outputs,
            ends=Ends(*self._ends),
            registers=RegisterCounts(states, clocked_toggles),
            gate_steps=tuple(self._gates.steps),
        )

    @cached_property
    def _gates(self) -> _Gates:
        return _Gates(self._netlist.clock_gates)

    @cached_property
    def _registers(self) -> list[_Registers]:
        words = -(-self._streams // _WORD)
        gated = frozenset(self._netlist.gated_clocks)
        by_cell: dict[str, list[Instance]] = {}
        for instance in self._netlist.flip_flops:
            by_cell.setdefault(instance.cell.name, []).append(instance)
        return [
            _Registers(members, members[0].cell.flip_flop, gated, words)
            for members in by_cell.values()
            if members[0].cell.flip_flop
        ]

    def _settle(self, cycle: int, values: Words) -> None:
        """Set the inputs of a cycle and let everything follow, asynchronous resets included."""
        for port, words in self._packed:
            values[list(port.nets)] = words[cycle]
        for _ in range(len(self._netlist.flip_flops) + 1):
            for registers in self._registers:
                registers.drive(values)
            self._gate_program.run(values)
            self._gates.drive(values)
            changed = [registers.reset(values) for registers in self._registers]
            if not any(changed):
                return
        raise UserError(f"{self._netlist.name}: its asynchronous resets do not settle")

    @cached_property
    def _packed(self) -> list[tuple[Port, Words]]:
        return [(port, _pack(self._stimulus[port.name].transpose(0, 2, 1))) for port in self._netlist.inputs]

    def _record(self, cycle: int, values: Words) -> None:
        for port in self._netlist.outputs:
            self._outputs[port.name][cycle] = _unpack(values[list(port.nets)], self._streams).T
        ends = [(end, steps) for end in (0, 1) if (steps := self._steps_of(cycle - end)).size]
        if not ends:
            return
        # All bits of these words once: to pick each by itself takes three times as long.
        bits = _unpack(values[self._sources], self._streams)
        for end, steps in ends:
            self._ends[end, steps] = bits[:, self._steps.streams[steps]].T

    def _steps_of(self, cycle: int) -> NDArray[np.intp]:
        """Give the places of the random steps that begin in a cycle."""
        order, starts = self._steps_by_cycle
        return order[starts[cycle] : starts[cycle + 1]] if cycle >= 0 else order[:0]

    @cached_property
    def _steps_by_cycle(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        order = np.argsort(self._steps.cycles, kind="stable")
        return order, np.searchsorted(self._steps.cycles[order], np.arange(self._cycles + 1))

    @cached_property
    def _sources(self) -> NDArray[np.intp]:
        return np.array(self._netlist.sources, dtype=np.intp)
