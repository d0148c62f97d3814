"""Placed designs side by side, beside what they were before, for people."""

import math
from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.cells.noise import DELAY, Ratio
from lmul.cost.cells.table import ratio_text, three_digits
from lmul.cost.layout.estimate import FIGURES, LaidOut, placed_ratio, ratio_before

SIZES: tuple[tuple[str, str, Callable[[LaidOut], float]], ...] = (
    ("Rows", "um2", lambda laid: laid.mean(lambda placed: placed.core_um2)),
    ("Wires", "um", lambda laid: laid.mean(lambda placed: placed.wire_um)),
    ("  of the clock", "um", lambda laid: laid.mean(lambda placed: placed.clock_wire_um)),
    ("  load, all", "fF", lambda laid: laid.mean(lambda placed: placed.wire_ff)),
    ("Buffers", "", lambda laid: laid.mean(lambda placed: placed.buffers)),
    ("  of the clock", "", lambda laid: laid.mean(lambda placed: placed.clock_buffers)),
)

PLACED = "    placed"
"""Row below a figure without wires."""

LABELS = {
    "area_um2": ("Cells", "um2"),
    "critical_delay_ps": ("Delay", "ps"),
    "energy_per_product_fj": ("Energy", "fJ"),
    "energy_per_product_zero_delay_fj": ("  zero delay", "fJ"),
}


def layout_table(laid: Sequence[LaidOut]) -> Group:
    """Lay out designs before and after placement, with ratios to the last one of each.

    Parameters
    ----------
    laid : sequence of LaidOut
        Of one library, placed alike.
    """
    parts: list[RenderableType] = [Text("\nPlaced", style="bold"), _figures(laid)]
    if len(laid) > 1:
        parts.append(_ratios(laid))
    return Group(*parts, Text("\n".join(_notes(laid))))


def _figures(laid: Sequence[LaidOut]) -> Table:
    columns = (Column(one.cost.label, justify="right") for one in laid)
    table = Table("", "unit", *columns, box=SIMPLE_HEAD)
    for name, (label, unit) in LABELS.items():
        before = (FIGURES[name](one.cost, one.cost.measured) for one in laid)
        table.add_row(label, unit, *map(three_digits, before))
        table.add_row(PLACED, unit, *(_spread(one.figures(name)) for one in laid))
        if name == DELAY and laid[-1].slacks_ps:
            table.add_row("    slack", unit, *(_spread(one.slacks_ps) for one in laid))
    for label, unit, figure in SIZES:
        values = [figure(one) for one in laid]
        if any(values):
            table.add_row(label, unit, *(three_digits(value) if unit else f"{value:.0f}" for value in values))
    return table


def _spread(figures: Sequence[float]) -> str:
    """Write the mean of some placements, and half of their range, with no more digits than that allows."""
    middle, half = sum(figures) / len(figures), (max(figures) - min(figures)) / 2
    digits = three_digits(middle)
    decimals = len(digits.partition(".")[2])
    if not half:
        return digits
    decimals = min(decimals, max(0, -math.floor(math.log10(half))))
    return f"{middle:.{decimals}f} ± {half:.{decimals}f}"


def _ratios(laid: Sequence[LaidOut]) -> Table:
    *others, last = laid
    columns = (Column(one.cost.label, justify="right") for one in others)
    table = Table(f"over {last.cost.label}", *columns, box=SIMPLE_HEAD)
    for name, (label, _) in LABELS.items():
        table.add_row(label, *(f"{ratio_before(name, one, last):.3f}" for one in others))
        table.add_row(PLACED, *(_ratio(placed_ratio(name, one, last)) for one in others))
    return table


def _ratio(ratio: Ratio) -> str:
    return ratio_text(ratio).rstrip(" =") if ratio.half_width else f"{ratio.value:.3f}"


def _notes(laid: Sequence[LaidOut]) -> list[str]:
    last = laid[-1]
    placing, model = last.placing, last.model
    across, up = (f"{value:.3g}" for value in model.capacitance_ff_um)
    bare = " and ".join(f"{layer.capacitance_ff_um:.3g}" for layer in last.technology.wires())
    placements = len(last.placed)
    lines = [f"Placed at a utilisation of {placing.utilisation:g}; energy is of a product."]
    if placements > 1:
        lines += [
            f"±: of a figure half of the range of {placements} placements, of a ratio",
            "the 95 % interval of the means, other placements and cycles counted.",
        ]
    lines += [
        f"Wires: {across} and {up} fF/um across and up; without neighbours {bare}.",
        "Steiner lengths, Elmore delays; buffers where the library's limits ask for them.",
    ]
    if most := max(placed.overloaded for one in laid for placed in one.placed):
        lines.append(f"Up to {most} nets load their driver with more than the library allows it.")
    if any(one.cost.measured.energy.clock for one in laid):
        lines.append("The clock's tree, its wires and buffers, is in the energy, and arrives at once.")
    return lines
