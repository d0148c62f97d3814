"""Mitchell's multiplication with a correction of two terms: the same twice, as NumPy and as hardware.

Integer addition leaves out x * y where the mantissas x and y do not carry, and half of (1 - x) * (1 - y)
where they do. Both are read off the two top bits of each mantissa:

* one mantissa from 1/4 to below 1/2, the other from 1/2 on: 1/8 more;
* both from 1/4 to below 1/2, or both from 1/2 to below 3/4: 1/16 more, or the last place where that is 1/8.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmul.multipliers import IntegerAdd, Integers

if TYPE_CHECKING:
    from amaranth import Module, Value

LEAST_BITS = 3
"""Mantissa bits from which on there is a correction."""


class Mitchell2(IntegerAdd):
    """Adds the operands' fields and two terms of which one at most is not zero."""

    description = "addition of the operands' fields with a correction of two terms (example of a plug-in)"
    caption = "integer addition + two terms"

    def correction(self, x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> Integers:
        """Give the terms, in units of the last place."""
        if mantissa_bits < LEAST_BITS:
            return np.zeros((), dtype=np.int64)
        (x1, x2), (y1, y2) = (_top_bits(mantissa, mantissa_bits) for mantissa in (x, y))
        crossed: Integers = (x1 & y2 & (y1 ^ 1)) | (y1 & x2 & (x1 ^ 1))
        alike = (x1 & y1 & (x2 ^ 1) & (y2 ^ 1)) | (x2 & y2 & (x1 ^ 1) & (y1 ^ 1))
        first, second = places(mantissa_bits)
        return (crossed << first) + (alike << second)

    def hardware(self, m: "Module", x: "Value", y: "Value", constant: int) -> "Value":
        """Describe the same terms; there is no constant."""
        from amaranth import Cat, Const, Signal

        if len(x) < LEAST_BITS:
            return Const(0)
        crossed, alike = Signal(name="crossed"), Signal(name="alike")
        m.d.comb += [
            crossed.eq((x[-1] & y[-2] & ~y[-1]) | (y[-1] & x[-2] & ~x[-1])),
            alike.eq((x[-1] & y[-1] & ~x[-2] & ~y[-2]) | (x[-2] & y[-2] & ~x[-1] & ~y[-1])),
        ]
        first, second = places(len(x))
        terms = crossed | alike if first == second else Cat(alike, crossed)
        return Cat(Const(0, second), terms)


def places(mantissa_bits: int) -> tuple[int, int]:
    """Give the places of the bits that stand for 1/8 and 1/16, or for the last place where that is larger."""
    return mantissa_bits - 3, max(mantissa_bits - 4, 0)


def _top_bits(mantissa: NDArray[Any], mantissa_bits: int) -> tuple[Integers, Integers]:
    return mantissa >> (mantissa_bits - 1) & 1, mantissa >> (mantissa_bits - 2) & 1
