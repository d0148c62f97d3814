"""The picture of narrow sums in docs/accuracy.md: report/recorded/narrow.json to docs/images/narrow_sums.svg.

`python docs/narrow_sums.py` draws it anew. Area and energy are those of report/recorded/units.json, of the
widths that are recorded there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from figures_records import AREA, ENERGY, MODEL, Figures, recorded

from lmul.llm.narrow import LANES, Width
from lmul.terminal.pictures import COLOURS, write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

PICTURE = Path(__file__).parent / "images" / "narrow_sums.svg"

MANTISSA_COLOURS = {5: "#D55E00", 7: "#E69F00", 10: "#009E73", 13: "#56B4E9", 23: "#0072B2"}

LINEAR = 0.01
"""Nats below which the axis of losses is linear."""


def width_of(row: Figures) -> Width:
    """Give the width of a row of the record."""
    return Width(row["fraction_bits"], row["mantissa_bits"], row["nearest"])


def label(width: Width) -> str:
    """Write a width as its accumulator's word has it."""
    return width.acc.removeprefix("fused:").replace(":rne", " rne")


def cost_of(row: Figures) -> Figures | None:
    """Give the recorded cost of the unit that a row is about, None where there is none."""
    wanted = {"mul": row["mul"], "acc": width_of(row).acc, "format": "e4m3", "lanes": LANES}.items()
    return next((one for one in recorded("units", MODEL) if wanted <= one["design"].items()), None)


def rows_of(rows: Sequence[Figures], mul: str) -> list[Figures]:
    """Give the rows of a multiplier."""
    return [row for row in rows if row["mul"] == mul]


def draw(record: Figures) -> "Figure":
    """Draw errors of products, losses, and losses over what sums cost where that is recorded."""
    from matplotlib.figure import Figure

    muls = list(dict.fromkeys(row["mul"] for row in record["errors"]))
    priced = [row for row in record["losses"] if cost_of(row)]
    rows = 3 if priced else 2
    figure = Figure(figsize=(10.5, 3.7 * rows), dpi=100, layout="constrained")
    parts = figure.subfigures(rows, 1, squeeze=False)[:, 0]
    _draw_errors(parts[0], record, muls)
    _draw_losses(parts[1], record, muls)
    if priced:
        _draw_costs(parts[2], priced)
    return figure


def _draw_errors(part: "SubFigure", record: Figures, muls: Sequence[str]) -> None:
    """Draw the error of products over F, a line for each M and rounding, a panel a multiplier."""
    axes = part.subplots(1, len(muls), sharey=True, squeeze=False)[0]
    for axis, mul in zip(axes, muls, strict=True):
        for mantissa, colour in MANTISSA_COLOURS.items():
            for nearest, style in ((False, "-"), (True, "--")):
                kind = {"mantissa_bits": mantissa, "nearest": nearest}
                rows = [row for row in rows_of(record["errors"], mul) if kind.items() <= row.items()]
                words = f"M = {mantissa}{', rne' if nearest else ''}"
                points = [row["fraction_bits"] for row in rows], [row["rms_percent"] for row in rows]
                axis.plot(*points, style, color=colour, label=words, marker="o", markersize=3, linewidth=1.2)
        axis.set_title(mul, fontweight="bold", fontsize=11)
        axis.set_xlabel("F")
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("error of a layer's products, %")
    part.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)


def _draw_losses(part: "SubFigure", record: Figures, muls: Sequence[str]) -> None:
    """Draw loss and divergence of each width, a panel a multiplier."""
    axes = part.subplots(1, len(muls), sharey=True, squeeze=False)[0]
    for axis, mul in zip(axes, muls, strict=True):
        rows = rows_of(record["losses"], mul)
        for figure, shift, face in (("loss", -0.15, "none"), ("divergence", 0.15, COLOURS[mul])):
            _draw_intervals(axis, [place + shift for place in range(len(rows))], rows, figure, face)
        axis.set_xticks(range(len(rows)), [label(width_of(row)) for row in rows], rotation=60, ha="right")
        axis.set_xlabel("F[:M[ rne]]")
        _nats(axis)
        axis.legend(fontsize=8, frameon=False)
    axes[0].set_ylabel("above exact sums, nats a token")


def _draw_costs(part: "SubFigure", rows: Sequence[Figures]) -> None:
    """Draw the divergence over energy and area, of rows that have a cost."""
    axes = part.subplots(1, 2, sharey=True)
    for axis, name, words in zip(axes, (ENERGY, AREA), ("energy of a product, fJ", "area, um2"), strict=True):
        for mul in dict.fromkeys(row["mul"] for row in rows):
            own = rows_of(rows, mul)
            across = [(cost_of(row) or {})[name] for row in own]
            _draw_intervals(axis, across, own, "divergence", COLOURS[mul], mul)
            for place, row in zip(across, own, strict=True):
                at = (place, row["divergence"]["value"])
                axis.annotate(label(width_of(row)), at, (4, 4), textcoords="offset points", fontsize=8)
        axis.set_xlabel(f"{words} (16 lanes, e4m3, Nangate 45 nm)")
        _nats(axis)
    axes[0].set_ylabel("divergence above exact sums, nats")
    axes[0].legend(fontsize=8, frameon=False)


def _draw_intervals(
    axis: "Axes",
    across: Sequence[float],
    rows: Sequence[Figures],
    figure: str,
    face: str,
    words: str | None = None,
) -> None:
    """Draw a figure of some rows as points with their intervals."""
    values, spreads = ([row[figure][name] for row in rows] for name in ("value", "half_width"))
    colour = COLOURS[rows[0]["mul"]]
    axis.errorbar(
        across,
        values,
        spreads,
        fmt="o",
        color=colour,
        markerfacecolor=face,
        markersize=4,
        label=words or figure,
    )


def _nats(axis: "Axes") -> None:
    """Have small losses on a linear scale, and large ones on a logarithmic one."""
    axis.axhline(0, color="grey", linewidth=0.8)
    axis.set_yscale("symlog", linthresh=LINEAR)
    axis.grid(alpha=0.3)


if __name__ == "__main__":
    write_picture(PICTURE, lambda: draw(recorded("narrow", MODEL)))
