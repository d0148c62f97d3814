"""The cost of a design: area, delay and energy in a library's cells under real operands."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lmul.cost.activity import simulate
from lmul.cost.energy import Energy, energy_per_cycle
from lmul.cost.mapping import QUICK_SCRIPTS, SCRIPTS, Mapped, map_design
from lmul.cost.stimulus import stimulus, warmup
from lmul.cost.timing import Timing, analyse_timing
from lmul.design import Design
from lmul.hdl import Export, export
from lmul.workloads import Operands

SMALL_FORMAT_BITS = 8
"""Multipliers of formats up to this width are mapped with every script."""

METHOD = "zero-delay toggles, no glitches, no wires; leakage over one critical delay"


@dataclass(frozen=True)
class Cost:
    """What a design takes.

    Parameters
    ----------
    design : Design
    mapped : Mapped
        The smallest netlist that was found.
    timing : Timing
    energy : Energy
        Of a mean cycle at full throughput, in fJ.
    """

    design: Design
    mapped: Mapped
    timing: Timing
    energy: Energy

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
            "area_by_script_um2": dict(self.mapped.areas),
            "script": self.mapped.script,
            "critical_delay_ps": round(self.timing.delay_ps, 2),
            "critical_path": [asdict(step) for step in self.timing.path],
            "energy_method": METHOD,
            "energy_per_cycle_fj": asdict(self.energy) | {"total": self.energy.total},
            "energy_per_product_fj": self.energy_per_product.total,
            "products_per_cycle": self.design.products_per_cycle,
        }


def estimate(
    design: Design,
    operands: Sequence[Operands],
    liberty: Path,
    *,
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
    cache : Path, optional
        Directory where netlists are kept.
    progress : callable, optional
        Called with the numbers of finished and of all mapping runs.

    Raises
    ------
    UserError
        The library cannot be used.
    """
    mapped = map_to_cells(export(design), design, liberty, cache=cache, progress=progress)
    timing = analyse_timing(mapped.netlist)
    activity = simulate(mapped.netlist, stimulus(design, operands), warmup(design))
    energy = energy_per_cycle(mapped.netlist, activity, timing, timing.delay_ps)
    return Cost(design, mapped, timing, energy)


def map_to_cells(
    text: Export,
    design: Design,
    liberty: Path,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Mapped:
    """Map a design's export with the effort that its size allows, the same for every multiplier.

    An array is mapped one kind of block at a time, the other designs as a whole. Parameters and
    errors are those of `map_design`.
    """
    small = design.kind == "mul" and design.format.width <= SMALL_FORMAT_BITS
    return map_design(
        text.verilog,
        text.name,
        liberty,
        scripts=SCRIPTS if small else QUICK_SCRIPTS,
        flatten=design.kind != "array",
        cache=cache,
        progress=progress,
    )
