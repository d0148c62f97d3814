"""What people read on standard output: tables and lines, whatever names are in them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lmul.errors import printable
from lmul.host.files import write_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

TABLE_WIDTH = 80

WIDEST = 10_000
"""Columns of a file that a table may need."""


def console() -> "Console":
    """Give a console on standard output: the terminal's width, or 80 columns elsewhere."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else TABLE_WIDTH
    # Names of cells and files hold brackets and colons that mean nothing.
    return Console(width=width, markup=False, emoji=False)


def print_whole(table: "RenderableType") -> None:
    """Print a table, in files as wide as it is: a terminal may fold what programs want on one line."""
    from rich.measure import Measurement

    target = console()
    if not sys.stdout.isatty():
        unlimited = target.options.update(max_width=WIDEST)
        target.width = max(TABLE_WIDTH, Measurement.get(target, unlimited, table).maximum)
    target.print(table)


def write_figures(path: Path | None, figures: object) -> None:
    """Write figures as JSON and say where they are, if a file was asked for."""
    if path:
        write_json(path, figures)
        say(f"Figures: {path}")


def say(text: object) -> None:
    """Print a line that may hold names of files."""
    print(printable(text))
