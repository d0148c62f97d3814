"""Where tables go: the terminal's width, or 80 columns elsewhere."""

import sys

from rich.console import Console

TABLE_WIDTH = 80


def console() -> Console:
    """Give a console on standard output."""
    return Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
