"""Costs of designs whose common blocks are held to one netlist, so that ratios tell what the products did.

Every block is mapped by itself. A block whose Verilog is that of the last design has its netlist; other
blocks but the products are mapped with the same script and seed on all sides, which mostly gives the same
cells where the logic is the same. Each side has the best products' netlist.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lmul.cost.cells.estimate import (
    Cost,
    kept,
    measure_under,
    module_areas,
    part_of,
    possible_scripts,
    scale_blocks,
    tried_scripts,
    without_waiting,
)
from lmul.cost.cells.measure import DEFAULT_CONDITIONS, Conditions, Measured
from lmul.cost.cells.noise import cost_figures
from lmul.cost.library.cells import Library
from lmul.cost.mapping.designs import map_to_cells
from lmul.cost.mapping.mapper import Mapped
from lmul.cost.mapping.scripts import SynthesisScript
from lmul.cost.netlist.modules import block_name, read_modules
from lmul.cost.power.stimulus import check_operands
from lmul.design import Design
from lmul.errors import Parameter, UserError
from lmul.hdl import Export, export
from lmul.terminal.progress import Report
from lmul.workloads import Operands

KEPT = (
    "script",
    "scripts",
    "area_um2",
    "critical_delay_ps",
    "slack_ps",
    "energy_per_product_fj",
    "energy_per_product_zero_delay_fj",
    "energy_per_idle_cycle_fj",
    "energy_per_unused_cycle_zero_delay_fj",
    "ratios",
)
"""Figures of `cost_figures` that sharing changes."""

PRODUCT = "product"
"""The block that is each side's own."""


@dataclass(frozen=True)
class Shared:
    """Designs side by side whose common blocks have one netlist.

    Parameters
    ----------
    costs : sequence of Cost
        In the order of the designs.
    alike : sequence of str
        Blocks that have the same cells on all sides, `top` what lies in no block.
    share : float
        Their part of the last design's area.
    """

    costs: Sequence[Cost]
    alike: Sequence[str]
    share: float


def shared_figures(shared: Shared) -> list[dict[str, Any]]:
    """Give the figures as plain values, those of `cost_figures` that sharing changes.

    Parameters
    ----------
    shared : Shared

    Returns
    -------
    list of dict
        With the blocks that have the same netlist in `blocks_alike`, and the part of the last design's area
        that they take in `area_alike`.
    """
    found = cost_figures(shared.costs, paired=True)
    alike = {"blocks_alike": list(shared.alike), "area_alike": round(shared.share, 4)}
    return [alike | {name: one[name] for name in KEPT if name in one} for one in found]


def check_sharing(designs: Sequence[Design]) -> None:
    """Refuse designs that have no block in common.

    Raises
    ------
    UserError
    """
    if len(designs) < 2 or designs[0].kind == "mul":
        what = "a multiplier" if designs[0].kind == "mul" else "one design"
        raise UserError(
            f"{what} has no block to share: ",
            *(Parameter("share_blocks"), " is for dot or array with ", Parameter("compare"), " lmul,exact"),
        )


def estimate_shared(
    designs: Sequence[Design],
    operands: Sequence[Operands],
    library: Library,
    *,
    conditions: Conditions = DEFAULT_CONDITIONS,
    cache: Path | None = None,
    progress: Report | None = None,
) -> Shared:
    """Map designs block by block, the common ones alike, and measure them.

    Parameters
    ----------
    designs : sequence of Design
        That differ in their multiplier.
    operands, library, conditions, cache, progress
        As `estimate` takes them.

    Raises
    ------
    UserError
        The designs have no common block, the library cannot be used, or the operands are too short.
    """
    check_sharing(designs)
    sides: list[_Side] = []
    for place, design in enumerate(designs):
        tell = progress and partial(_tell, progress, place, len(designs))
        sides.append(_map_side(design, designs[-1], operands, library, conditions, cache, tell))
    found = [_of_seed(sides, seed) for seed in range(1, conditions.seeds + 1)]
    best = min(found, key=lambda chosen: _rank([one.measured for one in chosen], conditions.period_ps))
    costs = [side.cost([chosen[place] for chosen in found], best[place]) for place, side in enumerate(sides)]
    return Shared(costs, *_alike([one.mapped for one in best]))


def _tell(progress: Report, place: int, sides: int, done: int, whole: int) -> None:
    """Tell the progress of all sides, by that of one."""
    progress(place * whole + done, sides * whole)


@dataclass(frozen=True)
class _Chosen:
    """A netlist put together: the products of one script, the rest of another."""

    name: str
    rest: str
    products: str
    mapped: Mapped
    measured: Measured


@dataclass(frozen=True)
class _Side:
    """A design's blocks, mapped with every script.

    Parameters
    ----------
    design, part, reference : Design
        The design, what is simulated of it, and the design that common blocks are taken from.
    scripts : mapping of str to SynthesisScript
    mapped, measured : mapping of str to Mapped, to Measured
        Of the part, each with one script throughout.
    operands, library, conditions, cache
        As `estimate` takes them.
    """

    design: Design
    part: Design
    reference: Design
    scripts: Mapping[str, SynthesisScript]
    mapped: Mapping[str, Mapped]
    measured: Mapping[str, Measured]
    operands: Sequence[Operands]
    library: Library
    conditions: Conditions
    cache: Path | None

    def of_seed(self, seed: int) -> list[str]:
        """Name the scripts of a seed."""
        return [name for name, script in self.scripts.items() if script.seed == seed]

    def with_best_products(self, rest: str, seed: int) -> _Chosen:
        """Take all but the products from one script's netlist, and the products that do best with it."""
        netlists: dict[str, tuple[str, Mapped]] = {}
        for name in self.of_seed(seed):
            joined = _with_blocks(self.mapped[rest], self.mapped[name], [PRODUCT])
            netlists.setdefault(joined.json, (name, joined))
        mapped = dict(netlists.values())
        measured = dict(measure_under(self.part, mapped, self.operands, self.conditions, self.cache))
        products = kept(measured, self.conditions.period_ps)
        name = f"{rest.rpartition(':')[0]}, products {products}"
        return _Chosen(name, rest, products, mapped[products], measured[products])

    def cost(self, found: Sequence[_Chosen], best: _Chosen) -> Cost:
        """Give the figures of each seed's netlist, of which one is kept."""
        candidates = {one.name: one.measured for one in found}
        netlists = {one.name: one.mapped for one in found}
        whole = Cost(self.design, self.library, self.conditions, candidates, netlists, choice=best.name)
        if self.part == self.design:
            return whole
        scripts = [self.scripts[name] for name in dict.fromkeys((best.rest, best.products))]
        mapped = _map(self.design, self.reference, scripts, self.library, self.cache)
        areas = module_areas(_with_blocks(mapped[best.rest], mapped[best.products], [PRODUCT]))
        scaled = {name: scale_blocks(one, best.measured, areas) for name, one in candidates.items()}
        return replace(whole, candidates=scaled, part=self.part)


def _map_side(
    design: Design,
    reference: Design,
    operands: Sequence[Operands],
    library: Library,
    conditions: Conditions,
    cache: Path | None,
    progress: Report | None,
) -> _Side:
    """Map and measure a design's blocks with every script, none of which waits for another."""
    part = part_of(design)
    check_operands(part, operands)
    scripts = possible_scripts(without_waiting(tried_scripts(design, conditions)), library)

    def tell(done: int, _total: int) -> None:
        if progress:
            progress(done, 2 * len(scripts))

    mapped = _map(part, part_of(reference), scripts, library, cache, tell)
    measured = {}
    for name, found in measure_under(part, mapped, operands, conditions, cache):
        measured[name] = found
        tell(len(scripts) + len(measured), 0)
    named = {script.name: script for script in scripts}
    return _Side(design, part, reference, named, mapped, measured, operands, library, conditions, cache)


def _map(
    design: Design,
    reference: Design,
    scripts: Sequence[SynthesisScript],
    library: Library,
    cache: Path | None,
    progress: Report | None = None,
) -> dict[str, Mapped]:
    """Map a design block by block; blocks with the Verilog of the reference's get its netlist."""
    text, other = export(design), export(reference)
    mapped = map_to_cells(
        text, design, library, scripts=scripts, flatten=False, cache=cache, progress=progress
    )
    if design == reference:
        return mapped
    texts, others = _blocks(text), _blocks(other)
    common = [name for name in texts if texts[name] == others.get(name)]
    netlists = map_to_cells(other, reference, library, scripts=scripts, flatten=False, cache=cache)
    return {name: _with_blocks(found, netlists[name], common) for name, found in mapped.items()}


def _blocks(text: Export) -> dict[str, str]:
    """Give the Verilog of each block, without comments and the design's name."""
    plain = re.sub(r"//.*", "", text.verilog)
    modules = re.findall(r"\bmodule (\w+)(.*?)\bendmodule", plain, re.DOTALL)
    return {block_name(name, text.name): re.sub(rf"\b{text.name}", "", body) for name, body in modules}


def _with_blocks(mapped: Mapped, other: Mapped, blocks: Sequence[str]) -> Mapped:
    """Put blocks of another netlist in place of those of one."""
    found, ours, theirs = json.loads(mapped.json), read_modules(mapped.json), read_modules(other.json)
    bodies = {theirs.block(name): body for name, body in theirs.bodies.items()}
    for name in ours.bodies:
        if ours.block(name) in blocks:
            found["modules"][name] = _renamed(bodies[ours.block(name)], theirs.top, ours.top)
    return replace(mapped, json=json.dumps(found))


def _renamed(body: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Give a module whose instances are those of another design's blocks."""
    cells = {
        name: cell | {"type": re.sub(rf"^{old}(?=_|$)", new, cell["type"])}
        for name, cell in body["cells"].items()
    }
    return body | {"cells": cells}


def _of_seed(sides: Sequence[_Side], seed: int) -> list[_Chosen]:
    """Choose the script of all but the products, the same for all sides, then each side's products."""
    names, period = sides[0].of_seed(seed), sides[0].conditions.period_ps
    rest = min(names, key=lambda name: _rank([side.measured[name] for side in sides], period, PRODUCT))
    return [side.with_best_products(rest, seed) for side in sides]


def _rank(
    measured: Sequence[Measured], period_ps: float | None, without: str | None = None
) -> tuple[float, float]:
    """Rank netlists of all sides: those that meet the period before others, then area times energy.

    Parameters
    ----------
    measured : sequence of Measured
        One a side.
    period_ps : float or None
    without : str, optional
        Block that does not count in area and energy.
    """
    slowest = max(found.delay_ps for found in measured)
    late = max(slowest - period_ps, 0.0) if period_ps else 0.0
    products = 0.0
    for found in measured:
        blocks = [block for name, block in found.blocks.items() if name != without]
        area, energy = sum(one.area_um2 for one in blocks), sum(one.energy.total for one in blocks)
        products += math.log(max(area * energy, 1e-30))
    return late, products


def _alike(netlists: Sequence[Mapped]) -> tuple[list[str], float]:
    """Tell which blocks have the same cells in all netlists, and their part of the last one's area."""
    sides = [_cells(mapped) for mapped in netlists]
    alike = [name for name, cells in sides[-1].items() if all(side.get(name) == cells for side in sides)]
    areas = module_areas(netlists[-1])
    share = sum(areas.get(name, 0.0) for name in alike) / sum(areas.values())
    return [name or "top" for name in alike if areas.get(name)], share


def _cells(mapped: Mapped) -> dict[str, Counter[Any]]:
    """Count the cells of each block, by their kinds."""
    modules = read_modules(mapped.json)
    return {
        modules.block(name): Counter(
            cell["type"] for cell in body["cells"].values() if cell["type"] not in modules.bodies
        )
        for name, body in modules.bodies.items()
    }
