"""Tables of a report, for the page and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | float | int | None

NBSP = "\u00a0"
"""A space at which no line is broken."""


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    name : str
        Of its CSV file, without the suffix.
    title : str
    headings : sequence of str
        Units in them.
    rows : sequence of sequence
        Numbers as they are; None where there is nothing.
    note : str
        How to read it.
    """

    name: str
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def csv(self) -> str:
        """Give the table as CSV, numbers in full."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([self.headings, *self.rows])
        return text.getvalue()

    @property
    def texts(self) -> list[list[str]]:
        """All cells for people: four digits of a number."""
        return [[shown(cell) for cell in row] for row in self.rows]

    @property
    def numeric(self) -> list[bool]:
        """Which columns are numbers, to be aligned on the right."""
        columns = list(zip(*self.rows, strict=True))
        return [any(isinstance(cell, int | float) for cell in column) for column in columns]


def shown(cell: Cell) -> str:
    """Write a cell for people."""
    match cell:
        case None:
            return "-"
        case float():
            return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return str(cell)


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share as a percentage, its sign on the same line; `none` where there is no such figure."""
    return "none" if share is None else f"{100 * share:.{digits}f}{NBSP}%"
