"""What people read on standard output: tables and lines, whatever names are in them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lmul.errors import printable
from lmul.files import write_json

if TYPE_CHECKING:
    from rich.console import Console

TABLE_WIDTH = 80


def console() -> "Console":
    """Give a console on standard output: the terminal's width, or 80 columns elsewhere."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else TABLE_WIDTH
    # Names of cells and files hold brackets and colons that mean nothing.
    return Console(width=width, markup=False, emoji=False)


def write_figures(path: Path | None, figures: object) -> None:
    """Write figures as JSON and say where they are, if a file was asked for."""
    if path:
        write_json(path, figures)
        say(f"Figures: {path}")


def say(text: object) -> None:
    """Print a line that may hold names of files."""
    print(printable(text))
