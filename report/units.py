"""Units as accelerators have them, all at one clock, as `bench/record.py` recorded them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lmul.report.language_model import RECORDED

Figures = Mapping[str, Any]


class Unit(NamedTuple):
    """A unit with each multiplier, and the fixed-point one of as many lanes.

    Parameters
    ----------
    lmul, exact, fixed : mapping of str to figures
        As `lmul cost --json` has them; `fixed` None where none of the format was recorded.
    """

    lmul: Figures
    exact: Figures
    fixed: Figures | None

    def saved(self, name: str) -> float:
        """Give the figure of `lmul` over that of `exact`."""
        return float(self.lmul[name] / self.exact[name])

    def beside_fixed(self, name: str) -> float | None:
        """Give the figure of `lmul` over that of `lmul` with a fixed-point sum."""
        return None if self.fixed is None else float(self.lmul[name] / self.fixed[name])


def recorded_units() -> Iterator[Unit]:
    """Give the units in the order of their record."""
    found: list[Figures] = json.loads((RECORDED / "units.json").read_text(encoding="utf-8"))
    pairs = list(zip(found[::2], found[1::2], strict=True))
    fixed = {_size(lmul): lmul for lmul, _ in pairs if lmul["design"]["acc"].startswith("fixed")}
    for lmul, exact in pairs:
        yield Unit(lmul, exact, fixed.get(_size(lmul)))


def _size(figures: Figures) -> tuple[str, int]:
    """Give the format and the lanes of a unit."""
    return figures["design"]["format"], figures["design"]["lanes"]
