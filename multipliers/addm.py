"""`addm`: the sum of the fields, and more where both mantissas are in the middle."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmul.multipliers.forms import FieldSum, Form, MarkedFieldSum
from lmul.multipliers.integer_add import IntegerAdd, Integers

if TYPE_CHECKING:
    from amaranth import Module, Value

MIDDLE_MANTISSA_BITS = 3
"""From this mantissa width on `addm` adds something; below it is `mitchell`."""


class AddM(IntegerAdd):
    """Adds the operands' fields, and 2^-4 or the last place where both mantissas are in the middle.

    Integer addition leaves out the product of the two mantissas, or of what both lack to 2 if they carry: the
    most in the middle, where the two top bits differ. 2^-4, or the last place where that is 2^-3, takes more
    off the error than any other power of two; with fewer than three bits none does.
    """

    description = "the same with a correction where both mantissas are in the middle, from 1/4 to below 3/4"
    caption = "integer addition + correction in the middle"

    def constant(self, mantissa_bits: int) -> int:
        """Give 2^-5, from five mantissa bits on: it takes most of the mean error off."""
        return 1 << (mantissa_bits - 5) if mantissa_bits >= 5 else 0

    def correction(self, x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> Integers:
        """Give a bit at `middle_place` where both mantissas are in the middle."""
        if mantissa_bits < MIDDLE_MANTISSA_BITS:
            return np.zeros((), dtype=np.int64)
        both: Integers = in_the_middle(x, mantissa_bits) & in_the_middle(y, mantissa_bits)
        return both << middle_place(mantissa_bits)

    def form(self, mantissa_bits: int) -> Form:
        """Say that mantissas in the middle are marked."""
        if mantissa_bits < MIDDLE_MANTISSA_BITS:
            return FieldSum()
        return MarkedFieldSum(
            middle_place(mantissa_bits), lambda mantissa: in_the_middle(mantissa, mantissa_bits) == 1
        )

    def hardware(self, m: "Module", x: "Value", y: "Value", constant: int) -> "Value":
        """Give the bit, above the constant."""
        from amaranth import Cat, Const, Signal

        if len(x) < MIDDLE_MANTISSA_BITS:
            return Const(constant)
        middle = Signal()
        m.d.comb += middle.eq((x[-1] ^ x[-2]) & (y[-1] ^ y[-2]))
        return Cat(Const(constant, middle_place(len(x))), middle)


def in_the_middle(mantissa: NDArray[Any], mantissa_bits: int) -> Integers:
    """Give 1 for mantissas from 1/4 to below 3/4, whose two top bits differ, else 0."""
    middle: Integers = (mantissa >> (mantissa_bits - 1) ^ mantissa >> (mantissa_bits - 2)) & 1
    return middle


def middle_place(mantissa_bits: int) -> int:
    """Give the place of the bit that `addm` adds where both mantissas are in the middle."""
    return max(mantissa_bits - 4, 0)
