"""`addc`: the sum of the fields and a carry that makes it the correctly rounded product."""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmul.multipliers.forms import Form, RoundedProduct, rounded_product
from lmul.multipliers.integer_add import IntegerAdd, Integers, integer_add
from lmul.multipliers.tabulated import tabulated

if TYPE_CHECKING:
    from amaranth import Module, Value

ADDC_MANTISSA_BITS = 4
"""`addc` is defined up to this mantissa width."""


class AddC(IntegerAdd):
    """Adds the operands' fields, and a carry from a table of all pairs of mantissas."""

    description = "the same with a carry that rounds it correctly; up to 4 mantissa bits"
    caption = "integer addition + carry"
    most_mantissa_bits = ADDC_MANTISSA_BITS

    def correction(self, x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> Integers:
        """Give the carry of each pair of mantissas."""
        carry: Integers = addc_carry(mantissa_bits)[x, y]
        return carry

    def form(self, mantissa_bits: int) -> Form:
        """Say that the carry rounds."""
        return RoundedProduct()

    def hardware(self, m: "Module", x: "Value", y: "Value", constant: int) -> "Value":
        """Give the carry; there is no constant."""
        return tabulated(m, x, y, addc_carry(len(x)), "carry")


@cache
def addc_carry(mantissa_bits: int) -> Integers:
    """Find the smallest carry that makes integer addition round to nearest even, for each pair of mantissas.

    Carries 0, 1, 2, ... are tried until all products are the correctly rounded ones.

    Parameters
    ----------
    mantissa_bits : int
        M, at most 4.

    Returns
    -------
    ndarray of int64, shape (2^M, 2^M)
        Indexed by the two mantissas.

    Examples
    --------
    >>> from lmul.golden import addc_carry
    >>> addc_carry(2)[1].tolist()
    [0, 0, 1, 0]
    """
    mantissa = np.arange(1 << mantissa_bits)
    x, y = mantissa[:, None], mantissa[None, :]
    rounded = rounded_product(x, y, mantissa_bits)
    carry = np.full(rounded.shape, -1)
    candidate = 0
    while np.any(carry < 0):
        fits = integer_add(x + y + candidate, mantissa_bits) == rounded
        carry = np.where((carry < 0) & fits, candidate, carry)
        candidate += 1
    carry.flags.writeable = False
    return carry
