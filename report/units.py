"""Units as accelerators have them, all at one clock, as `bench/record.py` recorded them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lmul.cost.cells.noise import Noise, Ratio
from lmul.report.language_model import recorded

Figures = Mapping[str, Any]

RECOMMENDED = ("fused:13:13", 32)
"""Sum and lanes of the unit of which all multipliers are recorded: that of an H100's fp8."""

RECOMMENDED_SUM = "acc=h100"
"""How the language model's results name that sum."""


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

    def ratio(self, name: str) -> Ratio:
        """Give the figure of `lmul` over that of `exact`, with the interval of synthesis."""
        return recorded_noise("unit").ratio(name, self.lmul[name], self.exact[name])

    def beside_fixed(self, name: str) -> float | None:
        """Give the figure of `lmul` over that of `lmul` with a fixed-point sum."""
        return None if self.fixed is None else float(self.lmul[name] / self.fixed[name])


def recorded_units() -> Iterator[Unit]:
    """Give the units in the order of their record."""
    found = recorded("units")
    pairs = list(zip(found[::2], found[1::2], strict=True))
    fixed = {_size(lmul): lmul for lmul, _ in pairs if lmul["design"]["acc"].startswith("fixed")}
    for lmul, exact in pairs:
        yield Unit(lmul, exact, fixed.get(_size(lmul)))


def recommended_units() -> list[Figures]:
    """Give the figures of one unit with every multiplier that is recorded."""
    found: list[Figures] = recorded("units") + recorded("rivals")
    return list(filter(is_recommended, found))


def is_recommended(figures: Figures) -> bool:
    """Tell whether this is the unit of which all multipliers are recorded."""
    design = figures["design"]
    return (design["acc"], design["lanes"], design["format"]) == (*RECOMMENDED, "e4m3")


def recorded_noise(name: str) -> Noise:
    """Give the noise of figures that one seed has, of `mul`, `dot` or `unit`."""
    found = recorded("noise")[name]
    return Noise(found["deviations"], found["freedom"])


def _size(figures: Figures) -> tuple[str, int]:
    """Give the format and the lanes of a unit."""
    return figures["design"]["format"], figures["design"]["lanes"]
