"""Figures of a mapped netlist: area, timing, and energy under given operands, with and without glitches."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from lmul.cost.mapping.mapper import Mapped
from lmul.cost.netlist.modules import block_name
from lmul.cost.netlist.netlist import Netlist, nand2
from lmul.cost.power.energy import Energy, EnergyModel, sum_energies
from lmul.cost.power.event_driven import TimedNetlist
from lmul.cost.power.sampling import Glitches, sample_glitches
from lmul.cost.power.stimulus import idle_cycles
from lmul.cost.power.zero_delay import Activity, Bits, draw_steps, simulate
from lmul.cost.timing.analysis import Step, Timing, analyse_timing
from lmul.errors import UserError
from lmul.host.cache import cached, digest, program_digest

PRECISION = 0.01
"""Half of the 95 % confidence interval of an energy, as a share of it."""

MOST_CYCLES = 1 << 16
"""Cycles that are simulated with delays at most, fewer for netlists of many flip-flops."""

_MOST_BITS = 1 << 25

SEEDS = 3
"""How often each script is tried."""


@dataclass(frozen=True)
class Conditions:
    """What designs are mapped and measured for, the same for all that are compared.

    Parameters
    ----------
    period_ps : float or None
        Clock period to map for; without it nothing is made faster than its least product of area and
        energy asks for.
    seeds : int
        How often each script is tried.
    precision : float
        Half of the 95 % confidence interval of an energy, as a share of it.
    wires : str
        Name of the library's wire load model that guesses the capacitance of wires; none if empty.
    """

    period_ps: float | None = None
    seeds: int = SEEDS
    precision: float = PRECISION
    wires: str = ""

    def wired(self, netlist: Netlist) -> Netlist:
        """Give a netlist the wires."""
        return replace(netlist, wire_load=netlist.library.wire_loads[self.wires]) if self.wires else netlist


DEFAULT_CONDITIONS = Conditions()


@dataclass(frozen=True)
class Block:
    """The cells of a netlist that come from one module.

    Parameters
    ----------
    area_um2 : float
    cells : mapping of str to int
        Number of instances of each cell of the library.
    zero_delay, energy : Energy
        Of a mean cycle, without and with glitches, in fJ.
    idle : Energy
        Of a cycle without operands, in fJ.
    unused : Energy
        Of a cycle whose operands change but are not valid, without glitches, in fJ.
    """

    area_um2: float
    cells: Mapping[str, int]
    zero_delay: Energy
    energy: Energy
    idle: Energy
    unused: Energy

    def scaled(self, factor: float) -> "Block":
        """Give so many times the block."""
        cells = {name: round(count * factor) for name, count in self.cells.items()}
        energies = (one.scaled(factor) for one in (self.zero_delay, self.energy, self.idle, self.unused))
        return Block(self.area_um2 * factor, cells, *energies)


@dataclass(frozen=True)
class Measured:
    """Figures of a netlist, plain values that can be kept.

    Parameters
    ----------
    blocks : mapping of str to Block
        By the module that cells were in before flattening.
    nand2_um2 : float
        Area of the library's smallest two-input NAND.
    delay_ps : float
        Time of the slowest path.
    path : tuple of Step
        That path.
    interval_fj : float
        Half of the 95 % confidence interval of the energy of a mean cycle, from drawing cycles to simulate
        with delays.
    cycles, population : int
        Random cycles, and those that they were taken from. Without delays, all are simulated.
    """

    blocks: Mapping[str, Block]
    nand2_um2: float
    delay_ps: float
    path: tuple[Step, ...]
    interval_fj: float
    cycles: int
    population: int

    @property
    def area_um2(self) -> float:
        """Sum of the cells' areas."""
        return sum(block.area_um2 for block in self.blocks.values())

    @property
    def cells(self) -> dict[str, int]:
        """Number of instances of each cell, by name."""
        names = sorted({name for block in self.blocks.values() for name in block.cells})
        return {name: sum(block.cells.get(name, 0) for block in self.blocks.values()) for name in names}

    @property
    def zero_delay(self) -> Energy:
        """Energy of a mean cycle without glitches, in fJ."""
        return sum_energies(block.zero_delay for block in self.blocks.values())

    @property
    def energy(self) -> Energy:
        """Energy of a mean cycle, in fJ."""
        return sum_energies(block.energy for block in self.blocks.values())

    @property
    def idle(self) -> Energy:
        """Energy of a cycle without operands, in fJ."""
        return sum_energies(block.idle for block in self.blocks.values())

    @property
    def unused(self) -> Energy:
        """Energy of a cycle whose operands change but are not valid, without glitches, in fJ."""
        return sum_energies(block.unused for block in self.blocks.values())

    @property
    def area_energy(self) -> float:
        """Product of area and energy of a mean cycle, in um2 fJ."""
        return self.area_um2 * self.energy.total

    def as_json(self) -> dict[str, Any]:
        """Give all of it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Measured":
        """Make it from what `as_json` gave."""
        blocks = {
            name: Block(
                block["area_um2"],
                block["cells"],
                *(Energy(**block[kind]) for kind in ("zero_delay", "energy", "idle", "unused")),
            )
            for name, block in values["blocks"].items()
        }
        path = tuple(Step(**step) for step in values["path"])
        return cls(**values | {"blocks": blocks, "path": path})


SOURCES = (
    "cost",
    "multipliers",
    "golden",
    "hdl",
    "sim/stimulus/scales.py",
    "sim/stimulus/tiles.py",
    "sim/stimulus/turns.py",
    "workloads",
    "design.py",
)
"""Parts of this program that figures of a netlist depend on."""

LONGEST_NS = 1000
"""Longest delay that is simulated: the simulation counts femtoseconds in 32 bits."""


@dataclass(frozen=True)
class Simulated:
    """A netlist after both simulations: what its figures are made of.

    Parameters
    ----------
    netlist : Netlist
    timing : Timing
    activity : Activity
        Counts without delays, over all cycles.
    glitches : Glitches
        Counts with delays, over random cycles.
    model : EnergyModel
    idle, unused : EnergyModel
        Of cycles without operands, and of those whose operands change but are not valid.
    clock_ps : float
        The period that the energy is of.
    """

    netlist: Netlist
    timing: Timing
    activity: Activity
    glitches: Glitches
    model: EnergyModel
    idle: EnergyModel
    unused: EnergyModel
    clock_ps: float


def simulate_netlist(
    netlist: Netlist, ports: Mapping[str, Bits], *, warmup: int, conditions: Conditions
) -> Simulated:
    """Simulate a netlist without and with delays.

    Parameters
    ----------
    netlist : Netlist
    ports : mapping of str to uint8 array, shape (cycles, streams, bits)
        Its inputs but the clock in every cycle.
    warmup : int
        First cycles that do not count.
    conditions : Conditions
        A netlist too slow for their clock period, or without one, runs at its critical delay.

    Raises
    ------
    UserError
        The library gives no delays, or such as no circuit has.
    """
    netlist = conditions.wired(netlist)
    timing = analyse_timing(netlist)
    most = min(MOST_CYCLES, _MOST_BITS // max(1, len(netlist.sources)))
    _check_times(timing, netlist.library.name)
    activity = simulate(netlist, ports, warmup, draw_steps(ports, warmup, most))
    clock_ps = max(conditions.period_ps or 0.0, timing.delay_ps)
    model = EnergyModel(netlist, activity, timing, clock_ps)
    glitches = sample_glitches(
        TimedNetlist(netlist, timing),
        activity,
        model.toggle_energy(),
        # Glitches only add, so this share of the energy without them is at most as large of the whole.
        within_fj=conditions.precision * model.energy().total,
        half_period_ps=clock_ps / 2,
    )
    # Nothing changes but the clock in the first, so that it has no glitches.
    idle, unused = (
        EnergyModel(netlist, simulate(netlist, *idle_cycles(ports, warmup, change=change)), timing, clock_ps)
        for change in (False, True)
    )
    return Simulated(netlist, timing, activity, glitches, model, idle, unused, clock_ps)


def _check_times(timing: Timing, library: str) -> None:
    """Refuse delays that no simulation can take, such as those of a wrong unit."""
    delays = (delay for arc in timing.delays.values() for delay in arc)
    longest = max(map(abs, (timing.delay_ps / 1e3, *timing.slews.flat, *delays)))
    if not timing.delays and longest <= LONGEST_NS:
        raise UserError("no output follows an input through a cell: there is nothing to measure")
    if timing.delay_ps <= 0 or not longest <= LONGEST_NS:
        raise UserError(
            f"library {library} gives a slowest path of {timing.delay_ps:.3g} ps and delays or slews up to "
            f"{longest:.3g} ns: wanted some delay, and none above {LONGEST_NS} ns"
        )


def measure_all(
    netlists: Mapping[str, Mapped],
    ports: Callable[[], Mapping[str, Bits]],
    made_from: Any,
    *,
    warmup: int,
    conditions: Conditions,
    cache: Path | None,
) -> Iterator[tuple[str, Measured]]:
    """Measure netlists of one design one after the other, from the cache where it has them.

    Parameters
    ----------
    netlists : mapping of str to Mapped
    ports : callable
        Gives the inputs, as `simulate_netlist` takes them.
    made_from : JSON value
        All that these depend on beside this program.
    warmup : int
        First cycles that do not count.
    conditions : Conditions
    cache : Path or None
        Directory where figures are kept.

    Yields
    ------
    tuple of str and Measured
    """
    inputs = lru_cache(ports)

    def figures(mapped: Mapped) -> dict[str, Any]:
        simulated = simulate_netlist(mapped.netlist, inputs(), warmup=warmup, conditions=conditions)
        return figures_of(simulated).as_json()

    common = [program_digest(*SOURCES), made_from, warmup, asdict(conditions)]
    for name, mapped in netlists.items():
        key = [*common, digest(mapped.json), mapped.library.checksum]
        yield name, Measured.from_json(cached(cache, key, partial(figures, mapped)))


def figures_of(simulated: Simulated) -> Measured:
    """Give the figures of a simulated netlist."""
    return Measured(
        blocks=_blocks(simulated),
        nand2_um2=nand2(simulated.netlist.library).area,
        delay_ps=simulated.timing.delay_ps,
        path=simulated.timing.path,
        interval_fj=simulated.glitches.interval_fj,
        cycles=simulated.glitches.timed.cycles,
        population=simulated.glitches.population,
    )


def _blocks(simulated: Simulated) -> dict[str, Block]:
    netlist, model = simulated.netlist, simulated.model
    zero_delay, timed = model.by_module(), model.by_module(simulated.glitches.timed)
    idle, unused = simulated.idle.by_module(), simulated.unused.by_module()
    modules = np.array([instance.module for instance in netlist.instances])
    cells = np.array([instance.cell.name for instance in netlist.instances])
    areas = np.array([instance.cell.area for instance in netlist.instances])
    blocks = {}
    for module in zero_delay:
        inside = modules == module
        names, counts = np.unique(cells[inside], return_counts=True)
        blocks[block_name(module, netlist.name)] = Block(
            float(areas[inside].sum()),
            dict(zip(names.tolist(), counts.tolist(), strict=True)),
            zero_delay[module],
            timed[module],
            idle[module],
            unused[module],
        )
    return blocks
