"""Classes of operand codes: what a multiplier may treat in its own way, each with both signs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden import Codes, Format, Integer


@dataclass(frozen=True)
class Classes:
    """The classes of a format's codes: consecutive magnitudes of one name, with either sign.

    Parameters
    ----------
    format_ : Format
    starts : ndarray of int64
        The first magnitude of each range of magnitudes; the next one's ends it.
    kinds : ndarray of int64
        For each range the place of its name among the names without a sign.
    names : tuple of str
        Names of the classes that have codes: those with a plus, then those with a minus.
    """

    format_: Format
    starts: NDArray[np.int64]
    kinds: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def of(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Give the class of each code, as a place in `names`."""
        magnitude = codes.astype(np.int64) & self.format_.magnitude_mask
        kinds = self.kinds[np.searchsorted(self.starts, magnitude, side="right") - 1]
        negative = (codes.astype(np.int64) >> (self.format_.width - 1)) & 1
        found: NDArray[np.int64] = kinds + negative * (len(self) // 2)
        return found

    def draw(self, classes: NDArray[Any], rng: np.random.Generator) -> Codes:
        """Draw a code of each class, given as places in `names`."""
        negative, kinds = np.divmod(classes, len(self) // 2)
        stops = np.append(self.starts[1:], self.format_.magnitude_mask + 1)
        codes = np.zeros(kinds.shape, dtype=np.int64)
        for kind in np.unique(kinds):
            where = kinds == kind
            ranges = np.flatnonzero(self.kinds == kind)
            chosen = ranges[rng.integers(0, len(ranges), np.count_nonzero(where))]
            codes[where] = rng.integers(self.starts[chosen], stops[chosen])
        codes |= negative * self.format_.sign_mask
        return codes

    def places(self, *names: str) -> NDArray[np.int64]:
        """Give the classes of these names without a sign, as far as the format has them, in `names`."""
        return np.array([place for place, name in enumerate(self.names) if name[1:] in names], dtype=np.int64)

    @property
    def finite(self) -> NDArray[np.int64]:
        """The classes of numbers, as places in `names`."""
        return np.setdiff1d(np.arange(len(self)), self.special)

    @property
    def special(self) -> NDArray[np.int64]:
        """The classes of infinities and NaN, as places in `names`."""
        return self.places("infinity", "NaN")


class IntegerClasses(Classes):
    """The classes of an integer's codes: consecutive codes of one name."""

    def of(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Give the class of each code, as a place in `names`."""
        found: NDArray[np.int64] = np.searchsorted(self.starts, codes.astype(np.int64), side="right") - 1
        return found

    def draw(self, classes: NDArray[Any], rng: np.random.Generator) -> Codes:
        """Draw a code of each class, given as places in `names`."""
        stops = np.append(self.starts[1:], 1 << self.format_.width)
        codes: Codes = rng.integers(self.starts[classes], stops[classes])
        return codes


@cache
def classes_of(format_: Format) -> Classes:
    """Give the classes of a format's codes.

    Where two names fit one code, as in formats whose smallest normal number is 1, the first one in this
    order holds: zero, subnormal, smallest normal, largest, one. The largest integers are both ends of the
    range.
    """
    if isinstance(format_, Integer):
        sign, last = format_.sign_mask, 2 * format_.sign_mask - 1
        integers = np.array([0, 1, 2, sign - 1, sign, sign + 1, last])
        classes = ("+zero", "+one", "+normal", "+largest", "-largest", "-normal", "-one")
        return IntegerClasses(format_, integers, np.arange(len(classes)), classes)
    one, largest = format_.bias << format_.mantissa_bits, format_.largest_finite
    smallest = format_.smallest_normal
    named: dict[int, str] = {}
    for start, name in ((0, "zero"), (1, "subnormal"), (smallest, "smallest"), (largest, "largest")):
        named.setdefault(start, name)
    for start, name in ((one, "one"), (smallest + 1, "normal"), (one + 1, "normal")):
        named.setdefault(start, name)
    named.setdefault(largest + 1, "NaN" if format_.infinity is None else "infinity")
    named.setdefault(largest + 2, "NaN")
    starts = sorted(start for start in named if start <= format_.magnitude_mask)
    unsigned = list(dict.fromkeys(named[start] for start in starts))
    kinds = [unsigned.index(named[start]) for start in starts]
    names = tuple(sign + name for sign in "+-" for name in unsigned)
    return Classes(format_, np.array(starts), np.array(kinds), names)
