"""The cost of a design: area, delay and energy in a library's cells under real operands."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lmul.cost.activity import Bits, simulate
from lmul.cost.energy import Energy, energy_per_cycle
from lmul.cost.mapping import Mapped, map_design
from lmul.cost.recipes import QUICK_RECIPES, RECIPES, Recipe, timed_recipes
from lmul.cost.stimulus import stimulus, warmup
from lmul.cost.timing import Timing, analyse_timing
from lmul.design import Design
from lmul.hdl import Export, export
from lmul.workloads import Operands

SMALL_FORMAT_BITS = 16
"""Multipliers of formats up to this width are mapped with every recipe."""

METHOD = "zero-delay toggles, no glitches, no wires; leakage over one {period}"


@dataclass(frozen=True)
class Measured:
    """A netlist and its figures.

    Parameters
    ----------
    mapped : Mapped
    timing : Timing
    energy : Energy
        Of a mean cycle at full throughput, in fJ.
    """

    mapped: Mapped
    timing: Timing
    energy: Energy

    @property
    def area_energy(self) -> float:
        """Product of area and energy of a cycle, in um2 fJ."""
        return self.mapped.netlist.area * self.energy.total


@dataclass(frozen=True)
class Cost:
    """What a design takes.

    Parameters
    ----------
    design : Design
    candidates : mapping of str to Measured
        The netlist of each recipe.
    period_ps : float or None
        Clock period that was asked for.
    """

    design: Design
    candidates: Mapping[str, Measured]
    period_ps: float | None = None

    @cached_property
    def recipe(self) -> str:
        """Name of the recipe whose netlist is kept.

        That is the netlist of the least product of area and energy of those that meet the period, or the
        fastest one if none does.
        """
        period = math.inf if self.period_ps is None else self.period_ps
        meet = [name for name, found in self.candidates.items() if found.timing.delay_ps <= period]
        if meet:
            return min(meet, key=lambda name: self.candidates[name].area_energy)
        return min(self.candidates, key=lambda name: self.candidates[name].timing.delay_ps)

    @property
    def slack_ps(self) -> float | None:
        """What is left of the period after the slowest path, negative if the path is too slow."""
        return None if self.period_ps is None else self.period_ps - self.timing.delay_ps

    @property
    def method(self) -> str:
        """How the energy was found."""
        return METHOD.format(period="critical delay" if self.period_ps is None else "clock period")

    @property
    def mapped(self) -> Mapped:
        """The netlist that is kept."""
        return self.candidates[self.recipe].mapped

    @property
    def timing(self) -> Timing:
        """Timing of that netlist."""
        return self.candidates[self.recipe].timing

    @property
    def energy(self) -> Energy:
        """Energy of that netlist in a mean cycle at full throughput, in fJ."""
        return self.candidates[self.recipe].energy

    @property
    def energy_per_product(self) -> Energy:
        """Energy of one product at full throughput, in fJ."""
        parts = asdict(self.energy)
        return Energy(**{name: value / self.design.products_per_cycle for name, value in parts.items()})

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values, units in the names."""
        netlist = self.mapped.netlist
        return {
            "design": self.design.parameters(),
            "library": netlist.library.name,
            "voltage_v": netlist.library.voltage,
            "area_um2": round(netlist.area, 4),
            "area_nand2": round(netlist.nand2_equivalents, 2),
            "cells": netlist.cell_counts,
            "recipe": self.recipe,
            "recipes": {name: self._figures(found) for name, found in self.candidates.items()},
            "critical_delay_ps": round(self.timing.delay_ps, 2),
            "clock_period_ps": self.period_ps,
            "slack_ps": None if self.slack_ps is None else round(self.slack_ps, 2),
            "critical_path": [asdict(step) for step in self.timing.path],
            "energy_method": self.method,
            "energy_per_cycle_fj": asdict(self.energy) | {"total": self.energy.total},
            "energy_per_product_fj": self.energy_per_product.total,
            "products_per_cycle": self.design.products_per_cycle,
        }

    def _figures(self, found: Measured) -> dict[str, float]:
        return {
            "area_um2": round(found.mapped.netlist.area, 4),
            "energy_per_product_fj": found.energy.total / self.design.products_per_cycle,
            "critical_delay_ps": round(found.timing.delay_ps, 2),
        }


def estimate(
    design: Design,
    operands: Sequence[Operands],
    liberty: Path,
    *,
    period_ps: float | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Cost:
    """Map a design to a library's cells and measure it.

    Parameters
    ----------
    design : Design
    operands : sequence of Operands
        Matrix products; each counts as much as any other.
    liberty : Path
    period_ps : float, optional
        Clock period to map for; without it nothing is made faster than its least product of area and
        energy asks for.
    cache : Path, optional
        Directory where netlists are kept.
    progress : callable, optional
        Called with the numbers of finished and of all mapping runs.

    Raises
    ------
    UserError
        The library cannot be used.
    """
    found = map_to_cells(
        export(design),
        design,
        liberty,
        recipes=recipes_for(design, period_ps),
        cache=cache,
        progress=progress,
    )
    ports = stimulus(design, operands)
    measured = {name: measure_netlist(mapped, design, ports, period_ps) for name, mapped in found.items()}
    return Cost(design, measured, period_ps)


def measure_netlist(
    mapped: Mapped, design: Design, ports: Mapping[str, Bits], period_ps: float | None = None
) -> Measured:
    """Measure timing and energy of a netlist.

    Parameters
    ----------
    mapped : Mapped
    design : Design
        What the netlist is of.
    ports : mapping of str to ndarray
        Its input ports in every cycle, as `stimulus` gives them.
    period_ps : float, optional
        Clock period; default: the critical delay.
    """
    timing = analyse_timing(mapped.netlist)
    activity = simulate(mapped.netlist, ports, warmup(design))
    # A netlist too slow for the period would run at its own.
    clock_ps = max(period_ps or 0.0, timing.delay_ps)
    return Measured(mapped, timing, energy_per_cycle(mapped.netlist, activity, timing, clock_ps))


def recipes_for(design: Design, period_ps: float | None = None) -> tuple[Recipe, ...]:
    """Give the recipes that the size of a design allows, the same for every multiplier."""
    small = design.kind == "mul" and design.format.width <= SMALL_FORMAT_BITS
    relaxed = RECIPES if small else QUICK_RECIPES
    return relaxed if period_ps is None else (*relaxed, *timed_recipes(period_ps))


def map_to_cells(
    text: Export,
    design: Design,
    liberty: Path,
    *,
    recipes: Sequence[Recipe],
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Mapped]:
    """Map a design's export: an array one kind of block at a time, the other designs as a whole.

    Parameters, results and errors are those of `map_design`.
    """
    return map_design(
        text.verilog,
        text.name,
        liberty,
        recipes=recipes,
        flatten=design.kind != "array",
        cache=cache,
        progress=progress,
    )
