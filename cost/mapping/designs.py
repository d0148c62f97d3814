"""Designs to library cells: which scripts a design is mapped with, and how."""

from collections.abc import Sequence
from pathlib import Path

from lmul.cost.library.cells import Library
from lmul.cost.mapping.mapper import Mapped, map_design
from lmul.cost.mapping.requirements import check_asynchronous_reset
from lmul.cost.mapping.scripts import (
    DEEP_SCRIPTS,
    QUICK_SCRIPTS,
    SCRIPTS,
    SUM_SCRIPTS,
    SynthesisScript,
    timed_scripts,
)
from lmul.design import Design
from lmul.hdl import Export
from lmul.terminal.progress import Report

SMALL_FORMAT_BITS, DEEP_FORMAT_BITS = 8, 16
"""Multipliers of formats up to these widths are mapped with `SCRIPTS` and with `DEEP_SCRIPTS`."""


def scripts_for(design: Design, period_ps: float | None = None) -> tuple[SynthesisScript, ...]:
    """Give the scripts that the size of a design allows, the same for every multiplier."""
    timed = () if period_ps is None else timed_scripts(period_ps)
    if design.kind == "mul" and design.format.width <= SMALL_FORMAT_BITS:
        return (*SCRIPTS, *timed)
    if design.kind == "mul" and design.format.width <= DEEP_FORMAT_BITS:
        return (*DEEP_SCRIPTS, *timed)
    # A float32 sum is one addition among other logic, and an array is mapped one block at a time.
    several = design.kind == "dot" and design.lanes > 1 and design.acc != "fp32"
    return (*(SUM_SCRIPTS if several else QUICK_SCRIPTS), *timed)


def map_to_cells(
    text: Export,
    design: Design,
    library: Library,
    *,
    scripts: Sequence[SynthesisScript],
    flatten: bool = True,
    cache: Path | None = None,
    progress: Report | None = None,
) -> dict[str, Mapped]:
    """Map a design's export: an array one kind of block at a time, the other designs as a whole if wanted.

    Parameters, results and errors are those of `map_design`.
    """
    if design.reset == "async":
        check_asynchronous_reset(library)
    return map_design(
        text.verilog,
        text.name,
        library,
        scripts=scripts,
        flatten=flatten and design.kind != "array",
        design=design.parameters(),
        cache=cache,
        progress=progress,
    )
