"""Energies of memory, an assumption: published ones for 45 nm, or those of a file that a user names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmul.cost.published.energies import HOROWITZ
from lmul.errors import UserError, one_line
from lmul.host.toml import read_toml

MOST_PJ = 1e6
"""More than any memory takes for a byte, in pJ."""

SRAM, DRAM, SOURCE = "sram_pj_per_byte", "dram_pj_per_byte", "source"
"""Keys of a file."""


@dataclass(frozen=True)
class MemoryEnergy:
    """What reading a byte takes, in pJ.

    Parameters
    ----------
    sram : float
    dram, dram_high : float
        Low and high end of what DRAM takes; the same where it is one figure.
    source : str
        Who says so.
    """

    sram: float
    dram: float
    dram_high: float
    source: str

    @property
    def text(self) -> str:
        """Say what memory is taken to need, and who says so."""
        high = "" if self.dram_high == self.dram else f" to {self.dram_high:g}"
        return f"SRAM {self.sram:g} and DRAM {self.dram:g}{high} pJ a byte ({self.source})"


PUBLISHED = MemoryEnergy(HOROWITZ.sram_byte, *HOROWITZ.dram_byte, f"{HOROWITZ.source}, {HOROWITZ.node}")
"""For an SRAM of 32 KB and for DRAM, of the node that the elements' cells have, too."""


def read_memory_energy(path: Path) -> MemoryEnergy:
    """Read energies of memory.

    Parameters
    ----------
    path : Path
        A TOML file with `sram_pj_per_byte`, `dram_pj_per_byte`, a number or low and high end, and `source`.

    Raises
    ------
    UserError
        It cannot be used; the message says why.
    """
    values = read_toml(path)
    try:
        return _memory_energy(values)
    except UserError as error:
        raise error.behind(f"{path}: ") from None


def _memory_energy(values: Mapping[str, Any]) -> MemoryEnergy:
    if unknown := sorted(values.keys() - {SRAM, DRAM, SOURCE}):
        raise UserError(f"it has no {unknown[0]!r}, but {SRAM}, {DRAM} and {SOURCE}")
    for name in (SRAM, DRAM, SOURCE):
        if name not in values:
            raise UserError(f"{name} is missing")
    sram, dram, source = (values[name] for name in (SRAM, DRAM, SOURCE))
    number = f"a number from 0 to {MOST_PJ:,.0f}"
    if not _is_energy(sram):
        raise UserError(f"{SRAM} must be {number}, not {sram!r}")
    ends = dram if isinstance(dram, list) else [dram, dram]
    if len(ends) != 2 or not all(map(_is_energy, ends)) or ends[0] > ends[1]:
        raise UserError(f"{DRAM} must be {number}, or low and high end, such as [30, 60], not {dram!r}")
    if not isinstance(source, str) or not source.strip():
        raise UserError(f"{SOURCE} must be a text that says where the figures are from, not {source!r}")
    low, high = map(float, ends)
    return MemoryEnergy(float(sram), low, high, one_line(source))


def _is_energy(value: Any) -> bool:
    """Tell whether this is a number that a memory may take; NaN is not, for it compares false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_PJ
