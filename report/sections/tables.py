"""Tables of a report, for the page and as CSV."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Cell = str | float | int | None

DIGITS = 4

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
        """All cells for people: a column's numbers have as many decimals."""
        columns = [_shown(column) for column in zip(*self.rows, strict=True)]
        return [list(row) for row in zip(*columns, strict=True)]

    @property
    def numeric(self) -> list[bool]:
        """Which columns are numbers, or have nothing, to be aligned on the right."""
        columns = list(zip(*self.rows, strict=True))
        return [
            any(isinstance(cell, int | float) for cell in column) or not any(map(bool, column))
            for column in columns
        ]


def _shown(column: Sequence[Cell]) -> list[str]:
    """Write a column for people."""
    numbers = sorted(abs(cell) for cell in column if isinstance(cell, float) and cell and math.isfinite(cell))
    decimals = _decimals(numbers) if numbers else 0
    return [_text(cell, decimals) for cell in column]


def _decimals(numbers: Sequence[float]) -> int:
    """Give what four digits of the number in the middle need, and no more than any number has of four."""
    needed = DIGITS - 1 - math.floor(math.log10(numbers[len(numbers) // 2]))
    most = max(-int(Decimal(f"{number:.{DIGITS}g}").as_tuple().exponent) for number in numbers)
    return max(0, min(needed, most))


def _text(cell: Cell, decimals: int) -> str:
    match cell:
        case None:
            return "-"
        case float():
            text = f"{cell:,.{decimals}f}"
            # What is too small for the column is no zero.
            return f"{cell:.1g}" if cell and not float(text.replace(",", "")) else text
    return str(cell)


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share as a percentage, its sign on the same line; `none` where there is no such figure."""
    return "none" if share is None else f"{100 * share:.{digits}f}{NBSP}%"
