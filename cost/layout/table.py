"""Placed designs side by side, beside what they were before, for people."""

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.cells.noise import Ratio
from lmul.cost.cells.table import ratio_text, three_digits
from lmul.cost.layout.estimate import FIGURES, LaidOut, placed_ratio, ratio_before

SIZES: tuple[tuple[str, str, Callable[[LaidOut], float]], ...] = (
    ("Rows, with free sites", "um2", lambda laid: laid.mean(lambda placed: placed.core_um2)),
    ("Wires", "um", lambda laid: laid.mean(lambda placed: placed.wire_um)),
    ("  of the clock", "um", lambda laid: laid.mean(lambda placed: placed.clock_wire_um)),
    ("  load, all", "fF", lambda laid: laid.mean(lambda placed: placed.wire_ff)),
    ("Buffers put in", "", lambda laid: laid.mean(lambda placed: placed.buffers)),
    ("  for the clock", "", lambda laid: laid.mean(lambda placed: placed.clock_buffers)),
)

LABELS = {
    "area_um2": ("Area of cells", "um2"),
    "critical_delay_ps": ("Critical delay", "ps"),
    "energy_per_product_fj": ("Energy of a product", "fJ"),
    "energy_per_product_zero_delay_fj": ("Zero delay instead", "fJ"),
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
    columns = [
        Column(heading, justify="right")
        for one in laid
        for heading in (one.cost.label, f"{one.cost.label}, placed")
    ]
    table = Table("", "unit", *columns, box=SIMPLE_HEAD)
    for name, (label, unit) in LABELS.items():
        cells = [
            text
            for one in laid
            for text in (three_digits(FIGURES[name](one.cost, one.cost.measured)), _spread(one.figures(name)))
        ]
        table.add_row(label, unit, *cells)
    for label, unit, figure in SIZES:
        values = [figure(one) for one in laid]
        if any(values):
            cells = [
                text for value in values for text in ("", three_digits(value) if unit else f"{value:.0f}")
            ]
            table.add_row(label, unit, *cells)
    return table


def _spread(figures: Sequence[float]) -> str:
    """Write the mean of some placements, and how far the least and the largest lie apart."""
    middle, half = sum(figures) / len(figures), (max(figures) - min(figures)) / 2
    digits = three_digits(middle)
    decimals = len(digits.partition(".")[2])
    return f"{digits} ± {half:.{decimals}f}" if len(figures) > 1 else digits


def _ratios(laid: Sequence[LaidOut]) -> Table:
    *others, last = laid
    headings = [text for one in others for text in (one.cost.label, f"{one.cost.label}, placed")]
    columns = (Column(text, justify="right") for text in headings)
    table = Table(f"over {last.cost.label}", *columns, box=SIMPLE_HEAD)
    for name, (label, _) in LABELS.items():
        cells = [
            text
            for one in others
            for text in (f"{ratio_before(name, one, last):.3f}", _ratio(placed_ratio(name, one, last)))
        ]
        table.add_row(label, *cells)
    return table


def _ratio(ratio: Ratio) -> str:
    return ratio_text(ratio).rstrip(" =")


def _notes(laid: Sequence[LaidOut]) -> list[str]:
    last = laid[-1]
    placing, model = last.placing, last.model
    across, up = (f"{value:.3g}" for value in model.capacitance_ff_um)
    bare = " and ".join(f"{layer.capacitance_ff_um:.3g}" for layer in last.technology.wires())
    placements = len(last.placed)
    lines = [
        f"Placed {placements} times, at a utilisation of {placing.utilisation:g};",
        "± of a figure is half of their range, of a ratio the 95 % interval of their mean.",
        f"Wires: {across} and {up} fF/um across and up; without neighbours {bare}.",
        "Steiner lengths, Elmore delays; buffers where the library's limits ask for them.",
    ]
    if any(one.cost.measured.energy.clock for one in laid):
        lines.append("The clock's tree, its wires and buffers, is in the energy, and arrives at once.")
    return lines
