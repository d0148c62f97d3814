"""What each multiplier makes of two mantissas: the definitions that all products are built on.

A finite nonzero operand is (1 + m / 2^M) * 2^e. A product is then 2^(ex + ey) times a function of
the two mantissas alone, which is all that the multipliers differ in. Operands of different widths
are first brought to the wider mantissa, with zeros on the right.
"""

from typing import Any

from numpy.typing import NDArray

from lmul.multipliers.forms import ExactProduct, Form
from lmul.multipliers.integer_add import Integers, integer_add
from lmul.multipliers.lmul import lmul_constant
from lmul.multipliers.table import find_multiplier


def added_constant(mul: str, mantissa_bits: int) -> int:
    """Give what a multiplier adds to every sum of fields, in units of the last place."""
    if mul == "exact":
        return 0
    return lmul_constant(mantissa_bits) if mul == "formula" else find_multiplier(mul).constant(mantissa_bits)


def fraction_bits(mul: str, mantissa_bits: int) -> int:
    """Bits of a product's significand behind the binary point."""
    return 2 * mantissa_bits if mul == "exact" else mantissa_bits


def product_form(mul: str, mantissa_bits: int) -> Form | None:
    """Say what a multiplier's products are made of, None where no loop but the definition's knows it."""
    if mul == "exact":
        return ExactProduct()
    return None if mul == "formula" else find_multiplier(mul).form(mantissa_bits)


def significand_product(x: NDArray[Any], y: NDArray[Any], mul: str, mantissa_bits: int) -> Integers:
    """Multiply the significands 1 + x / 2^M and 1 + y / 2^M as a multiplier does.

    Parameters
    ----------
    x, y : ndarrays of int64 below 2^M, broadcast against each other
        The mantissas.
    mul : str
        Name of a multiplier.
    mantissa_bits : int
        M.

    Returns
    -------
    ndarray of int64
        In units of 2^-fraction_bits; from 1 to below 8, and from 4 on where the sum carries twice.
    """
    one = 1 << mantissa_bits
    if mul == "exact":
        exact: Integers = (one + x) * (one + y)
        return exact
    if mul == "formula":
        linear: Integers = x + y + (one + lmul_constant(mantissa_bits))
        return linear
    multiplier = find_multiplier(mul)
    total = x + y + multiplier.constant(mantissa_bits) + multiplier.correction(x, y, mantissa_bits)
    return integer_add(total, mantissa_bits)
