"""Energy per cycle of a netlist from its toggle counts and the library's power tables.

The toggles come from a simulation with zero delay and the netlist has no placement, so the result holds no
glitches and no wires: it is a lower bound on what a chip would take. Output ports are unloaded: what they
drive belongs to the energy of what comes next.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lmul.cost.activity import Activity, Counts, state_pins
from lmul.cost.boolean import ONES, Words, input_combinations
from lmul.cost.liberty import Cell, InternalPower, Pin
from lmul.cost.netlist import Instance, Netlist, clock_pin
from lmul.cost.timing import FALL, INPUT_SLEW_NS, RISE, Timing

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


def energy_per_cycle(netlist: Netlist, activity: Activity, timing: Timing, clock_ps: float) -> Energy:
    """Estimate the energy of a mean cycle.

    A toggle of a net takes ``C V^2 / 2``. A toggle of an output pin takes the mean of the rise and fall
    tables at the load of its net and the slew of the input that caused it; causes share the toggles of an
    output in the ratio in which they toggle themselves, and tables that differ only by the state of other
    pins count alike. A toggle of a flip-flop's data pin and the two edges of its clock take the tables of
    the states that were counted. Data and enables change just after the rising edge, so with the clock
    high, unless a gate holds it low in that cycle.

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

    Returns
    -------
    Energy
        In fJ.
    """
    return _Estimate(netlist, activity, timing).energy(clock_ps)


class _Estimate:
    """Rates and slews of all nets, which every part of the energy is made from."""

    def __init__(self, netlist: Netlist, activity: Activity, timing: Timing):
        self._netlist = netlist
        self._activity = activity
        self._rates: NDArray[np.float64] = activity.toggles / activity.transitions
        self._slews: NDArray[np.float64] = timing.slews.mean(axis=1)

    def energy(self, clock_ps: float) -> Energy:
        internal = sum(self._outputs(instance) for instance in self._netlist.instances)
        internal += sum(self._inputs(instance) for instance in self._netlist.instances)
        data, clock = self._registers()
        leakage = self._netlist.leakage * clock_ps * _FEMTOJOULE_PER_NW_PS
        gates = sum(map(self._gate, self._netlist.clock_gates, self._activity.gate_steps))
        return Energy(
            net=float(self._switching.sum()) - self._clock_switching,
            internal=internal + data,
            clock=clock + gates + self._clock_switching,
            leakage=leakage,
        )

    @cached_property
    def _switching(self) -> NDArray[np.float64]:
        return 0.5 * self._netlist.loads * self._netlist.library.voltage**2 * self._rates

    @property
    def _clock_switching(self) -> float:
        net = self._netlist.clock_net
        clocks = [] if net is None else [net, *self._netlist.gated_clocks]
        return float(self._switching[clocks].sum())

    def _outputs(self, instance: Instance) -> float:
        if instance.cell.clock_gate:
            return 0.0
        return sum(self._output(instance, pin) for pin in instance.cell.outputs)

    def _output(self, instance: Instance, pin: Pin) -> float:
        """Energy inside a cell for the toggles of one output, shared among the inputs that cause them."""
        net = instance.nets[pin.name]
        causes = {power.related_pin for power in pin.powers if power.related_pin}
        rates = {cause: float(self._rates[instance.nets[cause]]) for cause in causes}
        total = sum(rates.values())
        if total == 0.0 or self._rates[net] == 0.0:
            return 0.0
        load = float(self._netlist.loads[net])
        energy = 0.0
        for cause in sorted(causes):
            slew = float(self._slews[instance.nets[cause]])
            means = [power.mean(slew, load) for power in pin.powers if power.related_pin == cause]
            energy += rates[cause] / total * sum(means) / len(means)
        return float(self._rates[net]) * energy

    def _inputs(self, instance: Instance) -> float:
        """Energy inside a combinational cell for the toggles of its inputs, whatever the outputs do."""
        if instance.cell.flip_flop or instance.cell.clock_gate:
            return 0.0
        energy = 0.0
        for pin in instance.cell.inputs:
            net = instance.nets[pin.name]
            means = [power.mean(float(self._slews[net]), 0.0) for power in pin.powers]
            energy += float(self._rates[net]) * sum(means) / max(1, len(means))
        return energy

    def _registers(self) -> tuple[float, float]:
        """Energy inside the flip-flops for the toggles of their inputs, and for their clock's edges."""
        cells = {instance.cell.name: instance.cell for instance in self._netlist.flip_flops}
        states = {name: (_States(cell, 0), _States(cell, 1)) for name, cell in cells.items()}
        activity = self._activity
        data = clock = 0.0
        for instance, counts, clocked in zip(
            self._netlist.flip_flops, activity.states, activity.clocked_toggles, strict=True
        ):
            low, high = states[instance.cell.name]
            data_pins = dict(zip(state_pins(instance.cell)[:-1], clocked / activity.transitions, strict=True))
            for pin in instance.cell.inputs:
                net = instance.nets[pin.name]
                rate = float(self._rates[net])
                if pin.name not in data_pins:
                    clock += rate * high.mean(pin, INPUT_SLEW_NS, counts[1])
                    continue
                slew = float(self._slews[net])
                while_high = float(data_pins[pin.name])
                data += while_high * high.mean(pin, slew, counts.sum(axis=0))
                data += (rate - while_high) * low.mean(pin, slew, counts.sum(axis=0))
        return data, clock

    def _gate(self, instance: Instance, steps: Counts) -> float:
        """Energy inside a clock gate: the clock's edges and those of the enable, which falls in between."""
        gate = instance.cell.clock_gate
        if gate is None:
            return 0.0
        clock, output = instance.cell.pins[gate.clock], instance.cell.pins[gate.output]
        enable = instance.cell.pins[gate.enables[0]]
        load = float(self._netlist.loads[instance.nets[gate.output]])
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
    held = [
        power.energy[edge]
        for power in pin.powers
        if power.when is None or (power.when.pins() <= set(words) and power.when.evaluate(words).any())
    ]
    return sum(table.at(slew, load) for table in held if table) / max(1, len(held))


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
        held = [(power, self._holds(power)) for power in pin.powers]
        ways = _add(holds for _, holds in held)
        energies = _add(power.mean(slew, 0.0) * holds for power, holds in held)
        return float((energies / np.maximum(ways, 1.0) * counts).sum() / max(1, counts.sum()))

    def _holds(self, power: InternalPower) -> NDArray[np.float64]:
        state = next(iter(self._values.values()))
        words = np.asarray(ONES) if power.when is None else power.when.evaluate(self._values)
        return np.broadcast_to(words != 0, state.shape).astype(np.float64)


def _add(parts: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    total = np.zeros(1)
    for part in parts:
        total = total + part
    return total
