"""Checks a DEF file by itself: cells on rows and sites, as upright as their row, none over another."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from lmul.cost.layout.technology.technology import Technology

_ROW = re.compile(r"^ROW (\S+) (\S+) (\d+) (\d+) (\w+) DO (\d+) BY 1 STEP (\d+) 0 ;$", re.M)
_COMPONENT = re.compile(r"^- (\S+) (\S+) \+ PLACED \( (-?\d+) (-?\d+) \) (\w+) ;$", re.M)
_COUNT = re.compile(r"^COMPONENTS (\d+) ;$", re.M)


@dataclass(frozen=True)
class Legality:
    """Faults of a placement.

    Parameters
    ----------
    cells : int
        That are placed.
    missing : int
        That the file announces, and that are not placed.
    overlaps, off_row, off_site, turned : int
        Cells that lie over their neighbour, on no row or beyond its end, between sites, or the wrong way up.
    """

    cells: int
    missing: int
    overlaps: int
    off_row: int
    off_site: int
    turned: int

    def __str__(self) -> str:
        return (
            f"{self.missing} cells out, {self.overlaps} over others, {self.off_row} off their row, "
            f"{self.off_site} off their site and {self.turned} the wrong way up"
        )

    @property
    def legal(self) -> bool:
        """Whether there is no fault."""
        return not (self.missing or self.overlaps or self.off_row or self.off_site or self.turned)


def check_def(text: str, technology: Technology) -> Legality:
    """Find the faults of a placement in a DEF file.

    Parameters
    ----------
    text : str
        As `def_text` writes it.
    technology : Technology
        Sizes of its cells.
    """
    rows = {
        int(y): (int(x), side, int(count), int(step)) for _, _, x, y, side, count, step in _ROW.findall(text)
    }
    cells = list(_cells(text, technology))
    off_row = off_site = turned = overlaps = 0
    ends: dict[int, list[tuple[int, int]]] = {}
    for start, end, y, side in cells:
        first, upright, count, step = rows.get(y, (0, "", 0, 1))
        off_row += not first <= start <= end <= first + count * step
        off_site += (start - first) % step != 0
        turned += side != upright
        ends.setdefault(y, []).append((start, end))
    for inside in ends.values():
        inside.sort()
        overlaps += sum(start < end for (_, end), (start, _) in pairwise(inside))
    announced = sum(int(count) for count in _COUNT.findall(text))
    return Legality(len(cells), announced - len(cells), overlaps, off_row, off_site, turned)


def _cells(text: str, technology: Technology) -> Iterator[tuple[int, int, int, str]]:
    """Give both ends, the height above ground and the side of every cell, in steps of the grid."""
    macros: Mapping[str, float] = {name: macro.width_um for name, macro in technology.macros.items()}
    for _, kind, x, y, side in _COMPONENT.findall(text):
        yield int(x), int(x) + round(macros[kind] * technology.database_units), int(y), side
