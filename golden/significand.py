"""What each multiplier makes of two mantissas: the definitions that all products are built on.

A finite nonzero operand is (1 + m / 2^M) * 2^e. A product is then 2^(ex + ey) times a function of
the two mantissas alone, which is all that the multipliers differ in. Operands of different widths
are first brought to the wider mantissa, with zeros on the right.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MULTIPLIERS = {
    "lmul": "addition of the operands' fields and a constant (arXiv 2410.00907)",
    "mitchell": "addition of the operands' fields",
    "addm": "the same with a correction where both mantissas are in the middle, from 1/4 to below 3/4",
    "addc": "the same with a carry that rounds it correctly; up to 4 mantissa bits",
    "exact": "correctly rounded product; unrounded inside a dot product",
    "formula": "the paper's arithmetic form of lmul; a model, there is no hardware",
}

ADDC_MANTISSA_BITS = 4
"""`addc` is defined up to this mantissa width."""

MIDDLE_MANTISSA_BITS = 3
"""From this mantissa width on `addm` adds something; below it is `mitchell`."""

Integers = NDArray[np.int64]


def lmul_offset(mantissa_bits: int) -> int:
    """L-Mul's offset exponent l(m): the constant added to a product is 2^-l(m).

    Luo and Sun, arXiv 2410.00907: m for m <= 3, 3 for m = 4, 4 above.
    """
    if mantissa_bits <= 3:
        return mantissa_bits
    return 3 if mantissa_bits == 4 else 4


def lmul_constant(mantissa_bits: int) -> int:
    """L-Mul's constant in units of the last place, 2^(M - l(M))."""
    return 1 << (mantissa_bits - lmul_offset(mantissa_bits))


def added_constant(mul: str, mantissa_bits: int) -> int:
    """Give what a multiplier adds to every sum of fields, in units of the last place.

    The 2^-5 of `addm`, from five mantissa bits on, is what takes most of the mean error off.
    """
    if mul in {"lmul", "formula"}:
        return lmul_constant(mantissa_bits)
    return 1 << (mantissa_bits - 5) if mul == "addm" and mantissa_bits >= 5 else 0


def middle_correction(x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> Integers:
    """Give what `addm` adds where both mantissas are in the middle, in units of the last place.

    Integer addition leaves out the product of the two mantissas, or of what both lack to 2 if they carry: the
    most in the middle, where the two top bits differ. 2^-4, or the last place where that is 2^-3, takes more
    off the error than any other power of two; with fewer than three bits none does.

    Parameters
    ----------
    x, y : ndarrays of int64 below 2^M, broadcast against each other
        The mantissas.
    mantissa_bits : int
        M.
    """
    if mantissa_bits < MIDDLE_MANTISSA_BITS:
        nothing: Integers = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(y)), dtype=np.int64)
        return nothing
    top, second = mantissa_bits - 1, mantissa_bits - 2
    both: Integers = ((x >> top) ^ (x >> second)) & ((y >> top) ^ (y >> second)) & 1
    return both << middle_place(mantissa_bits)


def middle_place(mantissa_bits: int) -> int:
    """Give the place of the bit that `addm` adds where both mantissas are in the middle."""
    return max(mantissa_bits - 4, 0)


def fraction_bits(mul: str, mantissa_bits: int) -> int:
    """Bits of a product's significand behind the binary point."""
    return 2 * mantissa_bits if mul == "exact" else mantissa_bits


def significand_product(x: NDArray[Any], y: NDArray[Any], mul: str, mantissa_bits: int) -> Integers:
    """Multiply the significands 1 + x / 2^M and 1 + y / 2^M as a multiplier does.

    Parameters
    ----------
    x, y : ndarrays of int64 below 2^M, broadcast against each other
        The mantissas.
    mul : str
        A name of `MULTIPLIERS`.
    mantissa_bits : int
        M.

    Returns
    -------
    ndarray of int64
        In units of 2^-fraction_bits; from 1 to below 4.
    """
    one = 1 << mantissa_bits
    if mul == "exact":
        exact: Integers = (one + x) * (one + y)
        return exact
    if mul == "formula":
        linear: Integers = x + y + (one + lmul_constant(mantissa_bits))
        return linear
    total = x + y + added_constant(mul, mantissa_bits)
    if mul == "addc":
        total = total + addc_carry(mantissa_bits)[x, y]
    if mul == "addm":
        total = total + middle_correction(x, y, mantissa_bits)
    return integer_add(total, mantissa_bits)


def integer_add(mantissa_sum: NDArray[Any], mantissa_bits: int) -> Integers:
    """Read a sum of mantissas as the fields below an exponent of zero: its carries double the product.

    Returns
    -------
    ndarray of int64
        In units of 2^-M.
    """
    one = 1 << mantissa_bits
    significand: Integers = (one | (mantissa_sum & (one - 1))) << (mantissa_sum >> mantissa_bits)
    return significand


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
    """
    mantissa = np.arange(1 << mantissa_bits)
    x, y = mantissa[:, None], mantissa[None, :]
    rounded = _round_to_even(significand_product(x, y, "exact", mantissa_bits), mantissa_bits)
    carry = np.full(rounded.shape, -1)
    candidate = 0
    while np.any(carry < 0):
        fits = integer_add(x + y + candidate, mantissa_bits) == rounded
        carry = np.where((carry < 0) & fits, candidate, carry)
        candidate += 1
    carry.flags.writeable = False
    return carry


def _round_to_even(product: Integers, mantissa_bits: int) -> Integers:
    """Round exact products, in units of 2^-2M, to M bits behind the leading one; in units of 2^-M."""
    excess = np.where(product >> (2 * mantissa_bits + 1), mantissa_bits + 1, mantissa_bits)
    half = 1 << (excess - 1)
    odd = (product >> excess) & 1
    rounded: Integers = (product + half - 1 + odd) >> excess << (excess - mantissa_bits)
    return rounded
