"""Designs to library cells: which recipes a design is mapped with, and how."""

from collections.abc import Sequence
from pathlib import Path

from lmul.cost.library.cells import Library
from lmul.cost.mapping.mapper import Mapped, map_design
from lmul.cost.mapping.recipes import (
    DEEP_RECIPES,
    QUICK_RECIPES,
    RECIPES,
    SUM_RECIPES,
    Recipe,
    timed_recipes,
)
from lmul.cost.mapping.requirements import check_asynchronous_reset
from lmul.design import Design
from lmul.hdl import Export
from lmul.terminal.progress import Report

SMALL_FORMAT_BITS, DEEP_FORMAT_BITS = 8, 16
"""Multipliers of formats up to these widths are mapped with `RECIPES` and with `DEEP_RECIPES`."""


def recipes_for(design: Design, period_ps: float | None = None) -> tuple[Recipe, ...]:
    """Give the recipes that the size of a design allows, the same for every multiplier."""
    timed = () if period_ps is None else timed_recipes(period_ps)
    if design.kind == "mul" and design.format.width <= SMALL_FORMAT_BITS:
        return (*RECIPES, *timed)
    if design.kind == "mul" and design.format.width <= DEEP_FORMAT_BITS:
        return (*DEEP_RECIPES, *timed)
    # A float32 sum is one addition among other logic, and an array is mapped one block at a time.
    several = design.kind == "dot" and design.lanes > 1 and design.acc != "fp32"
    return (*(SUM_RECIPES if several else QUICK_RECIPES), *timed)


def map_to_cells(
    text: Export,
    design: Design,
    library: Library,
    *,
    recipes: Sequence[Recipe],
    cache: Path | None = None,
    progress: Report | None = None,
) -> dict[str, Mapped]:
    """Map a design's export: an array one kind of block at a time, the other designs as a whole.

    Parameters, results and errors are those of `map_design`.
    """
    if design.reset == "async":
        check_asynchronous_reset(library)
    return map_design(
        text.verilog,
        text.name,
        library,
        recipes=recipes,
        flatten=design.kind != "array",
        design=design.parameters(),
        cache=cache,
        progress=progress,
    )
