"""Functional coverage, for people."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.sim.coverage.products import Group


def coverage_table(title: str, groups: Sequence[Group]) -> Lines:
    """Lay out groups of bins, a line each; and below the bins that were left out, by their reason.

    Parameters
    ----------
    title : str
        What was covered.
    groups : sequence of Group
    """
    right = [Column(name, justify="right") for name in ("bins", "hit", "share, %")]
    table = Table("group", *right, "least hit", Column("times", justify="right"), box=SIMPLE_HEAD)
    for group in groups:
        hit = len(group.bins) - len(group.holes)
        least = min(group.bins, key=lambda name: group.bins[name])
        figures = f"{len(group.bins)}", f"{hit}", f"{100 * hit / len(group.bins):.1f}"
        table.add_row(group.name, *figures, least, f"{group.bins[least]:,}")
    return Lines(Text(f"Coverage of {title}", style="bold"), table, *_left_out(groups))


def _left_out(groups: Sequence[Group]) -> list[RenderableType]:
    """Give a line for each reason to leave bins out."""
    lines = []
    for group in groups:
        for reason in dict.fromkeys(group.left_out.values()):
            names = [name for name, other in group.left_out.items() if other == reason]
            lines.append(f"Left out of {group.name}, since {reason}: {', '.join(names)}.")
    return [Text("\n".join([*lines, ""]))] if lines else []
