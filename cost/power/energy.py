"""Energy per cycle of a netlist from its toggle counts and the library's power tables.

Output ports are unloaded: what they drive belongs to the energy of what comes next.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmul.cost.library.cells import Cell, InternalPower, Pin
from lmul.cost.library.functions import ONES, Expression, Words, input_combinations
from lmul.cost.netlist.netlist import Instance, Netlist, clock_pin
from lmul.cost.power.event_driven import TimedCount
from lmul.cost.power.zero_delay import Activity, Counts, state_pins
from lmul.cost.timing.analysis import FALL, INPUT_SLEW_NS, RISE, Timing

Rates = NDArray[np.float64]

_FEMTOJOULE_PER_NW_PS = 1e-6


@dataclass(frozen=True)
class Energy:
    """Energy of one clock cycle, or of one operation where there is no clock, in fJ.

    Parameters
    ----------
    net : float
        Charging of the input pins on each net.
    internal : float
        Inside the cells when their signal pins toggle.
    clock : float
        Charging of the clock pins, and inside the flip-flops and clock gates at every edge of theirs.
    leakage : float
        Leakage power over the clock period.
    """

    net: float
    internal: float
    clock: float
    leakage: float

    @property
    def total(self) -> float:
        """Sum of the four parts."""
        return self.net + self.internal + self.clock + self.leakage

    def scaled(self, factor: float) -> "Energy":
        """Give every part times a factor."""
        return Energy(*(part * factor for part in astuple(self)))


def sum_energies(parts: Iterable[Energy]) -> Energy:
    """Add energies, part by part."""
    return Energy(*(sum(column) for column in zip(*map(astuple, parts), strict=True)))


class _Kind(NamedTuple):
    """A cell with the places of its instances in the netlist, and the nets of their pins."""

    cell: Cell
    places: NDArray[np.intp]
    nets: Mapping[str, NDArray[np.intp]]


class EnergyModel:
    """What a mean cycle of a netlist takes, and where.

    A toggle of a net takes ``C V^2 / 2`` of the pins and the wire on it. A toggle of an output pin takes
    the mean of the rise and fall tables at the load of its net and the slew of the input that caused it.
    Causes share the toggles of an output: each input counts as often as it toggles while the other inputs
    let it through, taken as independent of each other and high as often as was counted. A toggle of a
    flip-flop's data pin and the two edges of its clock take the tables of the states that were counted.

    Without glitches, data and enables change just after the rising edge, so with the clock high, unless a
    gate holds it low in that cycle. With glitches, toggles in the second half of a cycle find it low.

    Parameters
    ----------
    netlist : Netlist
        A flat netlist.
    activity : Activity
        Its toggle counts.
    timing : Timing
        Its slews; the mean of rise and fall is used.
    clock_ps : float
        Clock period in ps, for leakage alone.
    """

    def __init__(self, netlist: Netlist, activity: Activity, timing: Timing, clock_ps: float):
        self._netlist = netlist
        self._activity = activity
        self._slews: NDArray[np.float64] = timing.slews.mean(axis=1)
        self._ones: NDArray[np.float64] = activity.ones / activity.transitions
        self._clock_ps = clock_ps
        self._states = {
            cell.name: (_States(cell, 0), _States(cell, 1))
            for cell in {instance.cell.name: instance.cell for instance in netlist.flip_flops}.values()
        }

    def energy(self, timed: TimedCount | None = None) -> Energy:
        """Add up a mean cycle, with glitches where an event-driven simulation counted them."""
        return sum_energies(self.by_module(timed).values())

    def by_module(self, timed: TimedCount | None = None) -> dict[str, Energy]:
        """Give the energy of a mean cycle by the module that cells were in before flattening.

        Parameters
        ----------
        timed : TimedCount, optional
            Glitches; none without.

        Returns
        -------
        dict of str to Energy
            A pin's capacitance belongs to the cell that has the pin, a wire's to its driver, or to the first
            cell that reads it where a port drives it.
        """
        return self._without_glitches if timed is None else self._add_up(timed)

    @cached_property
    def _without_glitches(self) -> dict[str, Energy]:
        return self._add_up(None)

    def _add_up(self, timed: TimedCount | None) -> dict[str, Energy]:
        rates = self.rates(timed)
        parts = np.zeros((len(self._netlist.instances), len(fields(Energy))))
        for kind in self._kinds:
            net, internal = self._gates(kind, rates)
            parts[kind.places, :2] = np.stack([net, internal], axis=1)
        parts[:, 0] += self._port_wires(rates)
        parts[:, 2] = self._clocks
        parts[self._flip_flops, 1] += self._data(rates, timed)
        parts[:, 3] = self._leakages
        modules = np.array([instance.module for instance in self._netlist.instances])
        return {
            str(module): Energy(*(float(part) for part in parts[modules == module].sum(axis=0)))
            for module in np.unique(modules)
        }

    def toggle_energy(self) -> NDArray[np.float64]:
        """Give what a toggle of each net takes, clocks and data pins of flip-flops left out, in fJ."""
        rates = self.rates(None)
        energy = 0.5 * self._netlist.loads * self._netlist.library.voltage**2
        for cell, _, nets in self._kinds:
            if not cell.clock_gate:
                for pin in cell.outputs:
                    energy[nets[pin.name]] += self._output(cell, pin, nets, rates)
            if not cell.clock_gate and not cell.flip_flop:
                for pin in cell.inputs:
                    np.add.at(energy, nets[pin.name], self._input(cell, pin, nets))
        return energy

    def rates(self, timed: TimedCount | None = None) -> Rates:
        """Give the toggles of each net in a mean cycle, shape (nets,)."""
        rates: Rates = self._activity.toggles / self._activity.transitions
        return rates if timed is None else rates + timed.glitches / timed.cycles

    @cached_property
    def _kinds(self) -> list[_Kind]:
        names = np.array([instance.cell.name for instance in self._netlist.instances])
        kinds = []
        for name in np.unique(names):
            places = np.flatnonzero(names == name)
            instances = [self._netlist.instances[place] for place in places]
            cell = instances[0].cell
            nets = {pin: np.array([instance.nets[pin] for instance in instances]) for pin in cell.pins}
            kinds.append(_Kind(cell, places, nets))
        return kinds

    @cached_property
    def _flip_flops(self) -> NDArray[np.intp]:
        return np.flatnonzero([bool(instance.cell.flip_flop) for instance in self._netlist.instances])

    @cached_property
    def _clock_nets(self) -> NDArray[np.bool_]:
        clocks = np.zeros(self._netlist.nets, dtype=np.bool_)
        clocks[list(self._netlist.clock_nets)] = True
        return clocks

    def _switching(self, capacitance: float | NDArray[np.float64], rates: Rates) -> NDArray[np.float64]:
        return 0.5 * capacitance * self._netlist.library.voltage**2 * rates

    def _gates(self, kind: _Kind, rates: Rates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Switching of the nets of instances of one cell, and energy inside it; flip-flops: the outputs'."""
        cell, places, nets = kind
        net, internal = np.zeros((2, len(places)))
        data = np.where(self._clock_nets, 0.0, rates)
        for pin in cell.inputs:
            net += self._switching(pin.capacitance, data[nets[pin.name]])
        for pin in cell.outputs:
            net += self._switching(self._netlist.wires[nets[pin.name]], data[nets[pin.name]])
            if not cell.clock_gate:
                internal += rates[nets[pin.name]] * self._output(cell, pin, nets, rates)
        if not cell.clock_gate and not cell.flip_flop:
            for pin in cell.inputs:
                internal += rates[nets[pin.name]] * self._input(cell, pin, nets)
        return net, internal

    def _port_wires(self, rates: Rates) -> NDArray[np.float64]:
        """Switching of the wires on input ports, at the first instance that reads each."""
        taken = self._switching(self._netlist.wires, rates)
        unread = {net for port in self._netlist.inputs for net in port.nets}
        energy = np.zeros(len(self._netlist.instances))
        for place, instance in enumerate(self._netlist.instances):
            first = unread.intersection(instance.nets.values())
            energy[place] = sum(taken[net] for net in first)
            unread -= first
        return energy

    def _output(
        self, cell: Cell, pin: Pin, nets: Mapping[str, NDArray[np.intp]], rates: Rates
    ) -> NDArray[np.float64]:
        """Energy inside a cell for a toggle of one output, shared among the inputs that cause it."""
        load = self._netlist.loads[nets[pin.name]]
        energy = np.zeros(len(load))
        for powers in _supplies(pin):
            weights, energies = [], []
            for power in powers:
                if power.related_pin is not None:
                    cause = nets[power.related_pin]
                    weights.append(rates[cause] * self._likelihood(_lets_through(cell, pin, power), nets))
                    energies.append(power.mean_at(self._slews[cause], load))
            energy += _weighted_mean(weights, energies)
        return energy

    def _input(self, cell: Cell, pin: Pin, nets: Mapping[str, NDArray[np.intp]]) -> NDArray[np.float64]:
        """Energy inside a gate for a toggle of an input, whatever the outputs do."""
        slew = self._slews[nets[pin.name]]
        energy = np.zeros(len(slew))
        for power in pin.powers:
            holds = self._likelihood(_condition(power.when, cell), nets)
            energy += holds * power.mean_at(slew, np.zeros(len(slew)))
        return energy

    def _likelihood(
        self, holds: tuple[tuple[str, ...], NDArray[np.bool_]], nets: Mapping[str, NDArray[np.intp]]
    ) -> NDArray[np.float64]:
        """How often a function of pins holds if they are independent of each other."""
        pins, table = holds
        likelihood = np.ones((1, 1))
        for pin in pins:
            high = self._ones[nets[pin]][:, np.newaxis]
            likelihood = np.concatenate([likelihood * (1 - high), likelihood * high], axis=1)
        found: NDArray[np.float64] = likelihood @ table.astype(np.float64)
        return found

    @cached_property
    def _leakages(self) -> NDArray[np.float64]:
        """Leakage of every instance, gates by the states of their inputs."""
        leakages = np.array([instance.cell.leakage for instance in self._netlist.instances])
        for cell, places, nets in self._kinds:
            if cell.leakage_states and not cell.flip_flop and not cell.clock_gate:
                leakages[places] = self._leakage(cell, nets)
        return leakages * self._clock_ps * _FEMTOJOULE_PER_NW_PS

    def _leakage(self, cell: Cell, nets: Mapping[str, NDArray[np.intp]]) -> NDArray[np.float64]:
        """Mean leakage over the states of a cell, supply by supply; the plain one in states not listed."""
        leakage = np.zeros(1)
        supplies = dict.fromkeys(state.related_pg_pin for state in cell.leakage_states)
        for supply in supplies:
            states = [state for state in cell.leakage_states if state.related_pg_pin == supply]
            listed = [state for state in states if state.when]
            others = [state.power for state in states if not state.when]
            rest = others[0] if others else cell.leakage / len(supplies)
            shares = [self._likelihood(_condition(state.when, cell), nets) for state in listed]
            leakage = leakage + rest
            for state, share in zip(listed, shares, strict=True):
                leakage = leakage + (state.power - rest) * share
        return leakage

    @cached_property
    def _clocks(self) -> NDArray[np.float64]:
        """Energy of the clock in every instance: its pins' charge, and inside flip-flops and gates."""
        rates, energy = self.rates(None), np.zeros(len(self._netlist.instances))
        gate_steps = dict(
            zip((gate.name for gate in self._netlist.clock_gates), self._activity.gate_steps, strict=True)
        )
        states = dict(
            zip((one.name for one in self._netlist.flip_flops), self._activity.registers.states, strict=True)
        )
        for place, instance in enumerate(self._netlist.instances):
            if instance.cell.clock_gate or instance.cell.flip_flop:
                pin = instance.cell.pins[clock_pin(instance.cell)]
                rate = float(rates[instance.nets[pin.name]])
                energy[place] = 0.5 * pin.capacitance * self._netlist.library.voltage**2 * rate
                if instance.cell.clock_gate:
                    energy[place] += self._gate(instance, gate_steps[instance.name])
                else:
                    high = self._states[instance.cell.name][1]
                    energy[place] += rate * high.mean(pin, INPUT_SLEW_NS, states[instance.name][1])
        return energy

    def _data(self, rates: Rates, timed: TimedCount | None) -> NDArray[np.float64]:
        """Energy inside every flip-flop for the toggles of its inputs."""
        energy = np.zeros(len(self._netlist.flip_flops))
        late = np.zeros(self._netlist.nets) if timed is None else timed.late / timed.cycles
        registers = self._activity.registers
        for place, (instance, counts, clocked) in enumerate(
            zip(self._netlist.flip_flops, registers.states, registers.clocked_toggles, strict=True)
        ):
            low, high = self._states[instance.cell.name]
            for pin, toggles in zip(state_pins(instance.cell)[:-1], clocked, strict=True):
                net = instance.nets[pin]
                slew = float(self._slews[net])
                early = max(0.0, float(rates[net] - late[net]))
                # Of the toggles just after an edge, those with an edge at this flip-flop.
                while_high = early * int(toggles) / max(1, int(self._activity.toggles[net]))
                energy[place] += while_high * high.mean(instance.cell.pins[pin], slew, counts.sum(axis=0))
                resting = float(rates[net]) - while_high
                energy[place] += resting * low.mean(instance.cell.pins[pin], slew, counts.sum(axis=0))
        return energy

    def _gate(self, instance: Instance, steps: Counts) -> float:
        """Energy inside a clock gate: the clock's edges and those of the enable, which falls in between."""
        gate = instance.cell.clock_gate
        if gate is None:
            return 0.0
        clock, output = instance.cell.pins[gate.clock], instance.cell.pins[gate.output]
        enable = instance.cell.pins[gate.enables[0]]
        load = self._netlist.clock_load(instance.nets[gate.output])
        slew = float(self._slews[instance.nets[enable.name]])
        energy = 0.0
        for before, after in ((0, 0), (0, 1), (1, 0), (1, 1)):
            old = {gate.clock: 1, gate.output: before, gate.enables[-1]: 0, enable.name: before}
            new = old | {enable.name: after}
            pin, capacitance = (output, load) if before else (clock, 0.0)
            step = _edge(pin, RISE, old, INPUT_SLEW_NS, capacitance)
            step += _edge(pin, FALL, new, INPUT_SLEW_NS, capacitance)
            if before != after:
                step += _edge(enable, FALL if before else RISE, new, slew, 0.0)
            energy += int(steps[before, after]) * step
        return energy / self._activity.transitions


def _edge(pin: Pin, edge: int, values: Mapping[str, int], slew: float, load: float) -> float:
    """Energy of one edge of a pin in fJ, the mean of the tables that hold while pins have these values."""
    words: dict[str, Words] = {
        name: np.asarray(ONES if value else 0, np.uint64) for name, value in values.items()
    }
    energy = 0.0
    for powers in _supplies(pin):
        held = [
            power.energy[edge]
            for power in powers
            if power.when is None or (power.when.pins() <= set(words) and power.when.evaluate(words).any())
        ]
        energy += sum(table.at(slew, load) for table in held if table) / max(1, len(held))
    return energy


def _supplies(pin: Pin) -> list[list[InternalPower]]:
    """Group the tables of a pin by the supply that they draw from: those of several add up."""
    supplies: dict[str | None, list[InternalPower]] = {}
    for power in pin.powers:
        supplies.setdefault(power.related_pg_pin, []).append(power)
    return list(supplies.values())


def _lets_through(cell: Cell, output: Pin, power: InternalPower) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Find when a table's input toggles its output: the pins that decide it, and for which values."""
    pins = tuple(pin.name for pin in cell.inputs)
    values: dict[str, Words] = dict(zip(pins, input_combinations(len(pins)), strict=True))
    holds: Words = np.full(1 << len(pins), ONES)
    if output.function is not None and power.related_pin in output.function.pins():
        low = output.function.evaluate(values | {power.related_pin: np.zeros_like(holds)})
        holds = low ^ output.function.evaluate(values | {power.related_pin: holds})
    if power.when is not None and power.when.pins() <= set(pins):
        holds = holds & power.when.evaluate(values)
    return pins, np.broadcast_to(holds != 0, 1 << len(pins))


def _condition(when: Expression | None, cell: Cell) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Give a condition as the pins it reads and the values for which it holds."""
    if when is None or not when.pins() <= set(cell.pins):
        return (), np.ones(1, dtype=np.bool_)
    return tuple(sorted(when.pins())), np.array(when.truth_table())


def _weighted_mean(
    weights: list[NDArray[np.float64]], values: list[NDArray[np.float64]]
) -> NDArray[np.float64] | float:
    """Mean of rows by their weights; the plain mean where all weights are zero."""
    if not weights:
        return 0.0
    total = np.sum(weights, axis=0)
    plain = np.mean(values, axis=0)
    weighted = np.sum(np.multiply(weights, values), axis=0)
    mean: NDArray[np.float64] = np.where(total > 0, weighted / np.where(total > 0, total, 1.0), plain)
    return mean


class _States:
    """All combinations of a flip-flop's pins at one level of its clock, to find the tables that hold."""

    def __init__(self, cell: Cell, clock: int):
        pins = state_pins(cell)
        values: dict[str, Words] = dict(zip(pins, input_combinations(len(pins)), strict=True))
        if cell.flip_flop:
            values[cell.flip_flop.complement] = ~values[cell.flip_flop.state]
            values[clock_pin(cell)] = np.full(1 << len(pins), ONES if clock else 0, np.uint64)
        outputs = {pin.name: pin.function.evaluate(values) for pin in cell.outputs if pin.function}
        self._values: dict[str, Words] = values | outputs

    def mean(self, pin: Pin, slew: float, counts: Counts) -> float:
        """Energy of one toggle of an input pin in fJ, over the states as often as they were counted."""
        energy = np.zeros(1)
        for powers in _supplies(pin):
            held = [(power, self._holds(power)) for power in powers]
            ways = np.sum([holds for _, holds in held], axis=0)
            energies = np.sum([power.mean(slew, 0.0) * holds for power, holds in held], axis=0)
            energy = energy + energies / np.maximum(ways, 1.0)
        return float((energy * counts).sum() / max(1, counts.sum()))

    def _holds(self, power: InternalPower) -> NDArray[np.float64]:
        state = next(iter(self._values.values()))
        words = np.asarray(ONES) if power.when is None else power.when.evaluate(self._values)
        return np.broadcast_to(words != 0, state.shape).astype(np.float64)
