"""Ratios of placed designs, as `bench/layout.py` recorded them."""

from collections.abc import Sequence

from lmul.cost.cells.noise import AREA, DELAY, ENERGY
from lmul.metrics import METRICS
from lmul.report.language_model import RECORDED, recorded
from lmul.report.sections.tables import Cell, Table

PICTURE = "layout.svg"
"""The picture that is recorded with them."""


def layouts_table() -> Table:
    """Lay out the ratios of every pair, without wires and placed."""
    headings = ["lmul over exact"]
    for name in (AREA, DELAY, ENERGY):
        headings += [METRICS[name].label, f"{METRICS[name].label}, placed", "+-"]
    rows: list[Sequence[Cell]] = []
    for pair, found in recorded("layout")["rows"].items():
        row: list[Cell] = [pair]
        for name in (AREA, DELAY, ENERGY):
            placed = found[0]["placed"][name]
            row += [
                round(found[0]["before"][name], 3),
                round(placed["value"], 3),
                round(placed["half_width"], 3),
            ]
        rows.append(row)
    note = (
        "The same netlists, of one seed of synthesis, without wires and placed at a utilisation of 0.7. "
        "+-: half of the 95 % interval over three placements and the cycles drawn."
    )
    return Table("layouts", "Ratios with wires", headings, rows, note)


def picture() -> str:
    """Give the picture of a placed design, as SVG."""
    return (RECORDED / PICTURE).read_text(encoding="utf-8")
