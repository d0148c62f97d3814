"""The cost of a placed design: its netlist with the wires of a layout, buffers and a tree for the clock."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

from lmul.cost.cells.estimate import PART, Cost, operands_key, part_of
from lmul.cost.cells.measure import (
    SOURCES,
    Block,
    Conditions,
    Measured,
    Simulated,
    figures_of,
    simulate_netlist,
)
from lmul.cost.cells.noise import AREA, DELAY, ENERGY, ZERO_DELAY, Ratio
from lmul.cost.layout.files.def_file import def_text
from lmul.cost.layout.files.legality import check_def
from lmul.cost.layout.placement.placement import ASPECT, UTILISATION, Placement, floorplan, place
from lmul.cost.layout.technology.published import wire_capacitances
from lmul.cost.layout.technology.technology import Technology
from lmul.cost.layout.wires.buffers import ClockTree, clock_tree, overloaded, with_buffers
from lmul.cost.layout.wires.wiring import WireModel, Wiring
from lmul.cost.netlist.netlist import Netlist, with_flat_names
from lmul.cost.power.energy import Energy
from lmul.cost.power.stimulus import stimulus, warmup
from lmul.cost.power.zero_delay import Bits
from lmul.design import Design
from lmul.errors import UserError
from lmul.host.cache import cached, digest, program_digest
from lmul.intervals import welch
from lmul.terminal.progress import Report
from lmul.workloads import Operands

PLACEMENTS = 3
"""Placements, each of another seed, where no number is given."""

CLOCK_TREE = "clock tree"
"""Block of the buffers and wires of the clock."""


@dataclass(frozen=True)
class Placing:
    """How designs are placed.

    Parameters
    ----------
    utilisation : float
        Share of the rows that cells take.
    aspect : float
        Height of the rows over their length.
    placements : int
        Each of a seed of its own.
    wire_capacitance : float or None
        Capacitance of a um of wire; None for that of the technology.
    """

    utilisation: float = UTILISATION
    aspect: float = ASPECT
    placements: int = PLACEMENTS
    wire_capacitance: float | None = None

    def wires(self, technology: Technology) -> WireModel:
        """Give what a um of wire has."""
        layers = technology.wires()
        known = wire_capacitances(technology)
        given = known if self.wire_capacitance is None else (self.wire_capacitance, self.wire_capacitance)
        return WireModel(given, (layers[0].resistance_ohm_um, layers[1].resistance_ohm_um))


@dataclass(frozen=True)
class Layout:
    """A netlist in its place.

    Parameters
    ----------
    wiring : Wiring
        Of the netlist with its buffers.
    clocks : mapping of int to ClockTree
        The tree of each net of the clock.
    buffers : int
        Put in on other nets.
    """

    wiring: Wiring
    clocks: Mapping[int, ClockTree]
    buffers: int

    @property
    def placement(self) -> Placement:
        """Where everything lies."""
        return self.wiring.placement

    @property
    def netlist(self) -> Netlist:
        """The netlist with buffers and with its wires."""
        tops = {net: tree.top_ff for net, tree in self.clocks.items()}
        return replace(self.placement.netlist, placed=replace(self.wiring.placed_wires, clock_loads=tops))


def lay_out(netlist: Netlist, technology: Technology, placing: Placing, seed: int) -> Layout:
    """Place a netlist, with the buffers that its library asks for and with room for those of its clock.

    Parameters
    ----------
    netlist : Netlist
    technology : Technology
    placing : Placing
    seed : int

    Raises
    ------
    UserError
        The LEF files do not fit the netlist, or there is no placer.
    """
    model, netlist = placing.wires(technology), with_flat_names(netlist)
    first = Wiring(_placed(netlist, technology, placing, seed, 0.0), model)
    buffered = with_buffers(first)
    trees = _clock_trees(first.placement, model)
    room = sum(tree.area_um2 for tree in trees.values())
    if room or buffered is not netlist:
        wiring = Wiring(_placed(buffered, technology, placing, seed, room), model)
    else:
        wiring = first
    added = len(buffered.instances) - len(netlist.instances)
    return Layout(wiring, _clock_trees(wiring.placement, model), added)


def _placed(
    netlist: Netlist, technology: Technology, placing: Placing, seed: int, room_um2: float
) -> Placement:
    technology.check({instance.cell.name: instance.cell for instance in netlist.instances}.values())
    macros = [technology.macros[instance.cell.name] for instance in netlist.instances]
    plan = floorplan(macros, technology.site, placing.utilisation, placing.aspect, room_um2)
    placement = place(netlist, technology, plan, seed)
    faults = check_def(def_text(placement), technology)
    if not faults.legal:
        raise UserError(f"the placer leaves {faults}: take a lower --utilisation")
    return placement


def _clock_trees(placement: Placement, model: WireModel) -> dict[int, ClockTree]:
    return {net: clock_tree(placement, net, model) for net in placement.netlist.clock_nets}


@dataclass(frozen=True)
class Placed:
    """Figures of one placement, plain values that can be kept.

    Parameters
    ----------
    measured : Measured
        The clock's tree is a block of its own.
    width_um, height_um : float
        Of the rows.
    wire_um, clock_wire_um : float
        Length of all wires but those of the clock, and of those.
    wire_ff : float
        Capacitance of all wires.
    buffers, clock_buffers : int
    overloaded : int
        Nets that load their driver with more than the library allows it all the same.
    """

    measured: Measured
    width_um: float
    height_um: float
    wire_um: float
    clock_wire_um: float
    wire_ff: float
    buffers: int
    clock_buffers: int
    overloaded: int

    @property
    def core_um2(self) -> float:
        """Area of the rows."""
        return self.width_um * self.height_um

    def as_json(self) -> dict[str, Any]:
        """Give all of it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Placed":
        """Make it from what `as_json` gave."""
        return cls(**values | {"measured": Measured.from_json(values["measured"])})


def measure_placed(
    layout: Layout, ports: Mapping[str, Bits], *, warmup: int, conditions: Conditions
) -> Placed:
    """Measure a placed netlist, as `simulate_netlist` does one without wires.

    Parameters
    ----------
    layout : Layout
    ports : mapping of str to uint8 array
    warmup : int
    conditions : Conditions
    """
    simulated = simulate_netlist(layout.netlist, ports, warmup=warmup, conditions=conditions)
    measured = figures_of(simulated)
    if layout.clocks:
        block = clock_block(layout.clocks, simulated)
        measured = replace(measured, blocks={**measured.blocks, CLOCK_TREE: block})
    plan, wiring, trees = layout.placement.floorplan, layout.wiring, layout.clocks.values()
    return Placed(
        measured,
        plan.width_um,
        plan.height_um,
        float(wiring.lengths_um.sum()),
        sum(tree.wire_um for tree in trees),
        float(wiring.capacitance_ff.sum()) + sum(tree.wire_ff for tree in trees),
        layout.buffers,
        sum(len(tree.loads_ff) for tree in trees),
        len(overloaded(wiring)),
    )


def clock_block(trees: Mapping[int, ClockTree], simulated: Simulated) -> Block:
    """Give what the trees of the clock take: their wires, and the pins and insides of their buffers."""
    library = simulated.netlist.library

    def energy(rates: Any) -> Energy:
        clock = sum(float(rates[net]) * tree.toggle_fj(library.voltage) for net, tree in trees.items())
        leakage = sum(tree.leakage_nw for tree in trees.values())
        return Energy(0.0, 0.0, clock, leakage * simulated.clock_ps * 1e-6)

    used, idle, unused = (
        energy(model.rates(None)) for model in (simulated.model, simulated.idle, simulated.unused)
    )
    cells = Counter(tree.buffer.name for tree in trees.values() for _ in tree.loads_ff)
    area = sum(tree.area_um2 for tree in trees.values())
    return Block(area, dict(cells), used, used, idle, unused)


FIGURES: Mapping[str, Callable[[Cost, Measured], float]] = {
    AREA: lambda _, found: found.area_um2,
    DELAY: lambda _, found: found.delay_ps,
    ENERGY: lambda cost, found: found.energy.total / cost.products_per_cycle,
    ZERO_DELAY: lambda cost, found: found.zero_delay.total / cost.products_per_cycle,
}
"""Figures that are compared, by their names in JSON."""


@dataclass(frozen=True)
class LaidOut:
    """A design without wires, and placed.

    Parameters
    ----------
    cost : Cost
        Before placement.
    placed : list of Placed
        The kept netlist, by seeds.
    technology : Technology
    placing : Placing
    """

    cost: Cost
    placed: list[Placed]
    technology: Technology
    placing: Placing

    @property
    def model(self) -> WireModel:
        """What a um of wire has."""
        return self.placing.wires(self.technology)

    def figures(self, name: str) -> list[float]:
        """Give a figure of `FIGURES` of every placement."""
        return [FIGURES[name](self.cost, placed.measured) for placed in self.placed]

    def mean(self, figure: Callable[[Placed], float]) -> float:
        """Give the mean of a figure over placements."""
        return mean(figure(placed) for placed in self.placed)

    @property
    def sampling(self) -> float:
        """Half of the 95 % interval that the energy has from drawing cycles, over its mean."""
        return self.mean(lambda placed: placed.measured.interval_fj / placed.measured.energy.total)

    @property
    def slacks_ps(self) -> list[float]:
        """What is left of the clock period in every placement, negative where it is missed; none without."""
        period = self.cost.conditions.period_ps
        return [] if period is None else [period - delay for delay in self.figures(DELAY)]

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values, units in the names."""
        return {
            **asdict(self.placing),
            "lef_files_sha256": [list(file) for file in self.technology.files],
            "wire_ff_per_um": list(self.model.capacitance_ff_um),
            "wire_ohm_per_um": list(self.model.resistance_ohm_um),
            **{name: self.figures(name) for name in FIGURES},
            "slack_ps": self.slacks_ps,
            **{name: [getattr(placed, name) for placed in self.placed] for name in OF_LAYOUT},
        }


OF_LAYOUT = (
    "width_um",
    "height_um",
    "wire_um",
    "clock_wire_um",
    "wire_ff",
    "buffers",
    "clock_buffers",
    "overloaded",
)
"""Figures of a placement alone, by their names in JSON."""


def ratio_before(name: str, ours: LaidOut, theirs: LaidOut) -> float:
    """Give the ratio of a figure of `FIGURES` before placement."""
    one, other = (FIGURES[name](laid.cost, laid.cost.measured) for laid in (ours, theirs))
    return one / other


def placed_ratio(name: str, ours: LaidOut, theirs: LaidOut) -> Ratio:
    """Give the ratio of the means of a figure over placements, with its 95 % interval.

    With other placements, and other cycles drawn, it is in there 19 times of 20. Other netlists do not count.
    """
    values = [laid.figures(name) for laid in (ours, theirs)]
    one, other = map(mean, values)
    half = welch([[value / mean(each) for value in each] for each in values])
    if name == ENERGY:
        # Every placement draws the same cycles, so that more of them tell no more of those.
        half = math.hypot(half, ours.sampling, theirs.sampling)
    return Ratio(one / other, one / other * (1 - half), one / other * (1 + half))


def check_size(design: Design) -> None:
    """Refuse arrays that are not simulated whole.

    Raises
    ------
    UserError
    """
    part = part_of(design)
    if part != design:
        raise UserError(f"--layout takes arrays of up to {PART} x {PART}, not {design.rows} x {design.cols}")


def estimate_layout(
    cost: Cost,
    operands: Sequence[Operands],
    technology: Technology,
    placing: Placing,
    *,
    cache: Path | None = None,
    progress: Report | None = None,
) -> LaidOut:
    """Place the netlist that was kept of a design, and measure it under the same operands.

    Parameters
    ----------
    cost : Cost
        Of the design.
    operands : sequence of Operands
        Those of the cost.
    technology : Technology
        Of the same library.
    placing : Placing
    cache : Path, optional
        Directory where figures are kept.
    progress : callable, optional
        Called with the numbers of finished and of all placements.

    Raises
    ------
    UserError
        The design is too large, or the LEF files do not fit the library.
    """
    design = cost.design
    check_size(design)
    inputs = lru_cache(partial(stimulus, design, operands))
    key = [
        program_digest(*SOURCES),
        operands_key(design, operands),
        asdict(cost.conditions),
        cost.library.checksum,
    ]
    key += [
        version("coloquinte"),
        digest(cost.mapped.json),
        technology.files,
        asdict(replace(placing, placements=1)),
    ]
    placed = []
    for seed in range(1, placing.placements + 1):
        make = partial(_figures, cost, inputs, technology, placing, seed)
        placed.append(Placed.from_json(cached(cache, [*key, seed], make)))
        if progress:
            progress(seed, placing.placements)
    return LaidOut(cost, placed, technology, placing)


def _figures(
    cost: Cost,
    inputs: Callable[[], Mapping[str, Bits]],
    technology: Technology,
    placing: Placing,
    seed: int,
) -> dict[str, Any]:
    layout = lay_out(cost.mapped.netlist, technology, placing, seed)
    found = measure_placed(layout, inputs(), warmup=warmup(cost.design), conditions=cost.conditions)
    return found.as_json()
