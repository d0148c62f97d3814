"""The cost of a design: area, delay and energy in a library's cells under real operands.

A design is mapped with several scripts, several times each, and every netlist is measured under the same
operands; the best one is kept. The slowest scripts are tried only where a cheaper one came close to the best.
An array larger than `PART` is not simulated whole: a part of that size is, every block of which then counts
as often as the whole array has it.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from lmul.cost.cells.measure import DEFAULT_CONDITIONS, Block, Conditions, Measured, measure_all
from lmul.cost.library.cells import Library
from lmul.cost.mapping.designs import map_to_cells, scripts_for
from lmul.cost.mapping.mapper import Mapped
from lmul.cost.mapping.scripts import (
    SynthesisScript,
    full_adder,
    hopeless,
    with_seeds,
)
from lmul.cost.netlist.modules import read_modules
from lmul.cost.power.energy import Energy
from lmul.cost.power.stimulus import check_operands, stimulus, warmup
from lmul.design import Design
from lmul.hdl import export
from lmul.terminal.progress import Report
from lmul.workloads import Operands

PART = 4
"""Rows and columns of an array that are simulated at most."""


class Outsider(Protocol):
    """What is told of a multiplier that somebody else wrote beside its figures: `lmul.cost.cells.foreign`."""

    @property
    def name(self) -> str:
        """What stands above its figures."""

    @property
    def products_per_cycle(self) -> float:
        """Products that it computes in a cycle."""

    @property
    def pairs(self) -> int:
        """Pairs of operands that it was given."""

    @property
    def values(self) -> int:
        """Products among them that have another value than the model's."""

    @property
    def notes(self) -> Iterator[str]:
        """What has to be known beside its figures."""

    def description(self, design: Design) -> dict[str, Any]:
        """Give all of it as plain values."""


@dataclass(frozen=True)
class Cost:
    """What a design takes.

    Parameters
    ----------
    design : Design
    library : Library
    conditions : Conditions
    candidates : mapping of str to Measured
        The figures of each netlist, by script and seed.
    netlists : mapping of str to Mapped
        The netlists; those of a `part` where the array is larger.
    part : Design or None
        What was simulated in place of a large array.
    stopped : mapping of str to float
        Scripts that were not tried, and how many times the least product of area and energy the cheaper
        script had that each comes after.
    foreign : Outsider or None
        The multiplier that somebody wrote, whose figures these are; `design` is then the model closest to it.
    choice : str
        Name of the netlist that is kept, where others than this design had a say; empty if it is the best.
    """

    design: Design
    library: Library
    conditions: Conditions
    candidates: Mapping[str, Measured]
    netlists: Mapping[str, Mapped]
    part: Design | None = None
    stopped: Mapping[str, float] = field(default_factory=dict)
    foreign: Outsider | None = None
    choice: str = ""

    @property
    def label(self) -> str:
        """What stands above its figures where designs are side by side."""
        return self.foreign.name if self.foreign else self.design.mul

    @property
    def products_per_cycle(self) -> float:
        """Products that are computed every cycle at full throughput."""
        return self.foreign.products_per_cycle if self.foreign else self.design.products_per_cycle

    @property
    def other_values(self) -> int:
        """Products whose values are not the model's: none but of what somebody else wrote."""
        return self.foreign.values if self.foreign else 0

    @cached_property
    def script(self) -> str:
        """SynthesisScript and seed whose netlist is kept."""
        return self.choice or kept(self.candidates, self.conditions.period_ps)

    @cached_property
    def of_seeds(self) -> list[Measured]:
        """Figures of the netlist that each seed alone would have kept."""
        seeds: dict[str, dict[str, Measured]] = {}
        for name, found in self.candidates.items():
            seeds.setdefault(name.rpartition(":")[2], {})[name] = found
        return [found[kept(found, self.conditions.period_ps)] for found in seeds.values()]

    @property
    def measured(self) -> Measured:
        """Figures of that netlist."""
        return self.candidates[self.script]

    @property
    def mapped(self) -> Mapped:
        """That netlist, or the one of the part that was simulated."""
        return self.netlists[self.script]

    @property
    def area_um2(self) -> float:
        """Area of the cells."""
        return self.measured.area_um2

    @property
    def slack_ps(self) -> float | None:
        """What is left of the period after the slowest path, negative if the path is too slow."""
        period = self.conditions.period_ps
        return None if period is None else period - self.measured.delay_ps

    @property
    def clock_ps(self) -> float:
        """Period that the energy is of: the one asked for, or the critical delay where that is longer."""
        return max(self.conditions.period_ps or 0.0, self.measured.delay_ps)

    @property
    def energy_per_product(self) -> Energy:
        """Energy of one product at full throughput, glitches included, in fJ."""
        return self.measured.energy.scaled(1 / self.products_per_cycle)

    @property
    def zero_delay_per_product(self) -> Energy:
        """The same without glitches."""
        return self.measured.zero_delay.scaled(1 / self.products_per_cycle)

    @property
    def glitches_per_product(self) -> float:
        """Energy of the glitches of one product, in fJ."""
        return self.energy_per_product.total - self.zero_delay_per_product.total

    @property
    def interval_per_product(self) -> float:
        """Half of the 95 % confidence interval of the energy of one product, in fJ."""
        return self.measured.interval_fj / self.products_per_cycle

    @property
    def area_spread(self) -> tuple[float, float]:
        """Least and largest area of all netlists, in um2."""
        areas = [found.area_um2 for found in self.candidates.values()]
        return min(areas), max(areas)

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values, units in the names."""
        measured = self.measured
        return {
            "design": self.design.parameters(),
            **(self.foreign.description(self.design) if self.foreign else {}),
            "estimate": "cells",
            "library": self.library.name,
            "library_files_sha256": dict(self.library.files),
            "dont_use": list(self.library.dont_use),
            "voltage_v": self.library.voltage,
            "area_um2": round(measured.area_um2, 4),
            "area_nand2": round(measured.area_um2 / measured.nand2_um2, 2),
            "cells": measured.cells,
            "blocks": {name or "top": asdict(block) for name, block in measured.blocks.items()},
            "simulated_part": None if self.part is None else self.part.parameters(),
            "script": self.script,
            "scripts": {name: self._figures(found) for name, found in self.candidates.items()},
            "scripts_stopped": {name: round(times, 4) for name, times in self.stopped.items()},
            "critical_delay_ps": round(measured.delay_ps, 2),
            "clock_period_ps": self.conditions.period_ps,
            "slack_ps": None if self.slack_ps is None else round(self.slack_ps, 2),
            "critical_path": [asdict(step) for step in measured.path],
            "energy_per_cycle_fj": _parts(measured.energy),
            "energy_per_cycle_zero_delay_fj": _parts(measured.zero_delay),
            "energy_per_idle_cycle_fj": _parts(measured.idle),
            "energy_per_unused_cycle_zero_delay_fj": _parts(measured.unused),
            "energy_interval_95_fj": measured.interval_fj,
            "timed_cycles": measured.cycles,
            "cycles": measured.population,
            "energy_per_product_fj": self.energy_per_product.total,
            "energy_per_product_zero_delay_fj": self.zero_delay_per_product.total,
            "products_per_cycle": self.products_per_cycle,
        }

    def _figures(self, found: Measured) -> dict[str, float]:
        return {
            "area_um2": round(found.area_um2, 4),
            "energy_per_product_fj": found.energy.total / self.products_per_cycle,
            "critical_delay_ps": round(found.delay_ps, 2),
        }


def kept(candidates: Mapping[str, Measured], period_ps: float | None) -> str:
    """Choose the netlist of the least product of area and energy of those that meet a period.

    The fastest one if none does.
    """
    period = math.inf if period_ps is None else period_ps
    meet = [name for name, found in candidates.items() if found.delay_ps <= period]
    if meet:
        return min(meet, key=lambda name: candidates[name].area_energy)
    return min(candidates, key=lambda name: candidates[name].delay_ps)


def _parts(energy: Energy) -> dict[str, float]:
    return asdict(energy) | {"total": energy.total}


def estimate(
    design: Design,
    operands: Sequence[Operands],
    library: Library,
    *,
    conditions: Conditions = DEFAULT_CONDITIONS,
    scripts: Sequence[SynthesisScript] | None = None,
    cache: Path | None = None,
    progress: Report | None = None,
) -> Cost:
    """Map a design to a library's cells and measure it.

    Parameters
    ----------
    design : Design
    operands : sequence of Operands
        Matrix products; each counts as much as any other.
    library : Library
    conditions : Conditions
    scripts : sequence of SynthesisScript, optional
        In place of those that the size of the design allows.
    cache : Path, optional
        Directory where netlists and figures are kept.
    progress : callable, optional
        Called with the numbers of finished and of all pieces of work: mapping runs, then measurements.

    Raises
    ------
    UserError
        The library cannot be used, or the operands are too short.
    """
    part = part_of(design)
    check_operands(part, operands)
    if scripts is None:
        scripts = tried_scripts(design, conditions)
    if conditions.period_ps is not None:
        # The least product says nothing of who meets the period.
        scripts = without_waiting(scripts)
    text = export(part)
    netlists, candidates, stopped = try_scripts(
        lambda tried, tell: map_to_cells(text, part, library, scripts=tried, cache=cache, progress=tell),
        lambda mapped: measure_under(part, mapped, operands, conditions, cache),
        possible_scripts(scripts, library),
        progress,
    )
    if part == design:
        return Cost(design, library, conditions, candidates, netlists, None, stopped)
    kept = Cost(design, library, conditions, candidates, netlists, part).script
    (script,) = (script for script in scripts if script.name == kept)
    whole = map_to_cells(export(design), design, library, scripts=[script], cache=cache)[kept]
    areas = module_areas(whole)
    scaled = {name: scale_blocks(found, candidates[kept], areas) for name, found in candidates.items()}
    return Cost(design, library, conditions, scaled, netlists, part, stopped)


def possible_scripts(scripts: Sequence[SynthesisScript], library: Library) -> list[SynthesisScript]:
    """Leave out scripts that a library's full adder, or want of one, speaks against."""
    adder = full_adder(library) is not None
    return [script for script in scripts if script.suits(adder)]


def try_scripts(
    map_with: Callable[[Sequence[SynthesisScript], Report], Mapping[str, Mapped]],
    measure: Callable[[Mapping[str, Mapped]], Iterator[tuple[str, Measured]]],
    scripts: Sequence[SynthesisScript],
    progress: Report | None,
) -> tuple[dict[str, Mapped], dict[str, Measured], dict[str, float]]:
    """Map and measure with each script that is worth it, in their order; tell which were not.

    Parameters
    ----------
    map_with : callable
        Takes scripts, and what is to be told how many are done; gives the netlists by script.
    measure : callable
        Gives the figures of netlists by script, one after the other.
    scripts : sequence of SynthesisScript
    progress : callable or None
        As `estimate` takes it.
    """
    netlists: dict[str, Mapped] = {}
    candidates: dict[str, Measured] = {}
    stopped: dict[str, float] = {}

    def tell(mapped: int) -> None:
        if progress:
            progress(mapped + len(candidates), 2 * (len(scripts) - len(stopped)))

    def tell_mapped(done: int, _total: int) -> None:
        tell(len(netlists) + done)

    first = [script for script in scripts if not script.after]
    for stage in (first, [script for script in scripts if script.after]):
        stopped |= hopeless(scripts, {name: found.area_energy for name, found in candidates.items()})
        tell(len(netlists))
        going = [script for script in stage if script.name not in stopped]
        mapped = map_with(going, tell_mapped)
        netlists |= mapped
        for name, measured in measure(mapped):
            candidates[name] = measured
            tell(len(netlists))
    tried = [script.name for script in scripts if script.name not in stopped]
    return {name: netlists[name] for name in tried}, {name: candidates[name] for name in tried}, stopped


def measure_under(
    design: Design,
    netlists: Mapping[str, Mapped],
    operands: Sequence[Operands],
    conditions: Conditions,
    cache: Path | None,
) -> Iterator[tuple[str, Measured]]:
    """Measure netlists of a design under operands one after the other, as `measure_all` does.

    Parameters
    ----------
    design : Design
    netlists : mapping of str to Mapped
    operands : sequence of Operands
    conditions : Conditions
    cache : Path or None
        Directory where figures are kept.
    """
    return measure_all(
        netlists,
        lambda: stimulus(design, operands),
        operands_key(design, operands),
        warmup=warmup(design),
        conditions=conditions,
        cache=cache,
    )


def map_blocks(cost: Cost, *, cache: Path | None = None) -> Mapped:
    """Map the blocks of a design one by one, with the script that was kept, to tell their figures apart.

    Parameters
    ----------
    cost : Cost
        Of the design.
    cache : Path, optional
        Directory where netlists are kept.
    """
    (script,) = (one for one in tried_scripts(cost.design, cost.conditions) if one.name == cost.script)
    mapped = map_to_cells(
        export(cost.design), cost.design, cost.library, scripts=[script], flatten=False, cache=cache
    )
    return mapped[script.name]


def tried_scripts(design: Design, conditions: Conditions) -> tuple[SynthesisScript, ...]:
    """Give the scripts that a design is mapped with, each as often as the conditions say."""
    return with_seeds(scripts_for(design, conditions.period_ps), conditions.seeds)


def without_waiting(scripts: Sequence[SynthesisScript]) -> tuple[SynthesisScript, ...]:
    """Give the same scripts, none of which waits for what a cheaper one reaches: all are tried."""
    return tuple(replace(script, after="") for script in scripts)


def part_of(design: Design) -> Design:
    """Give the array that is simulated in place of a larger one; other designs are simulated whole."""
    if design.kind != "array":
        return design
    return replace(design, rows=min(design.rows, PART), cols=min(design.cols, PART))


def operands_key(design: Design, operands: Sequence[Operands]) -> list[Any]:
    """Give what a stimulus depends on as JSON values."""
    return [design.parameters(), [pair.checksum for pair in operands]]


def scale_blocks(part: Measured, mapped: Measured, areas: Mapping[str, float]) -> Measured:
    """Give the figures of a whole whose blocks are those of a part, in other numbers.

    Parameters
    ----------
    part : Measured
    mapped : Measured
        Another netlist of the part, by the script that the whole was mapped with.
    areas : mapping of str to float
        Area that each block takes in the whole, in um2. One that the part lacks, such as registers between
        groups of elements, takes as much energy for its area as the part does.
    """
    average = Block(part.area_um2, {}, part.zero_delay, part.energy, part.idle, part.unused)
    blocks = {}
    for name, area in areas.items():
        if name in part.blocks and name in mapped.blocks:
            blocks[name] = part.blocks[name].scaled(area / mapped.blocks[name].area_um2)
        else:
            blocks[name] = average.scaled(area / average.area_um2)
    growth = sum(block.energy.total for block in blocks.values()) / part.energy.total
    return replace(part, blocks=blocks, interval_fj=part.interval_fj * growth)


def module_areas(mapped: Mapped) -> dict[str, float]:
    """Give the area of all cells that lie directly in each module of a hierarchy, in um2.

    Parameters
    ----------
    mapped : Mapped

    Returns
    -------
    dict of str to float
        By the name of the module without that of the design; modules without cells are left out.
    """
    netlist = read_modules(mapped.json)
    modules = netlist.bodies
    placed: Counter[str] = Counter()

    def place(module: str, times: int) -> None:
        placed[module] += times
        for kind, count in Counter(cell["type"] for cell in modules[module]["cells"].values()).items():
            if kind in modules:
                place(kind, times * count)

    place(netlist.top, 1)
    cells = mapped.library.cells
    areas = {}
    for name, module in modules.items():
        kinds = (cell["type"] for cell in module["cells"].values())
        area = placed[name] * sum(cells[kind].area for kind in kinds if kind in cells)
        if area:
            areas[netlist.block(name)] = area
    return areas
