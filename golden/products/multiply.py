"""Multiplication of codes, to the bit: rounded to the operands' format, and wide."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import FP64_MANTISSA_BITS, decode, encode
from lmul.golden.formats.format import Codes, Format, as_codes
from lmul.golden.products.operand import split
from lmul.multipliers.forms import FieldSum
from lmul.multipliers.significand import significand_product

PRODUCTS_AT_ONCE = 1 << 17
"""Products computed at once, so that what lies between two steps stays in the cache."""

TABLE_WIDTH = 8
"""Products of formats up to this width are looked up in a table of all pairs of codes."""


def multiply(a: ArrayLike, b: ArrayLike, arithmetic: Arithmetic) -> Codes:
    """Multiply codes into codes of the same format, of integers into the whole product.

    Parameters
    ----------
    a, b : array_like of integers from 0 to 2^W - 1, broadcast against each other
    arithmetic : Arithmetic
        Its `format`, `mul`, `subnormals` and `overflow` count.

    Returns
    -------
    ndarray of unsigned int
        Of the format's dtype. Of integers two's complement of `product_bits`, as many as both operands have.

    Raises
    ------
    ValueError
        The operands have two floating-point formats: the result would have neither. Or there is no such code.

    Examples
    --------
    >>> from lmul.golden import BF16, Arithmetic, decode, encode, multiply
    >>> codes = multiply(encode([1.5, -3.0], BF16), encode([1.5, 0.25], BF16), Arithmetic(format=BF16))
    >>> decode(codes, BF16).tolist()
    [2.125, -0.78125]
    """
    first, second = arithmetic.formats
    if arithmetic.integer:
        return _whole_products(a, b, arithmetic)
    if first != second:
        raise ValueError(f"a product of {first.name} and {second.name} has no format: use wide_product")
    x, y = np.broadcast_arrays(as_codes(a, first), as_codes(b, first))
    products = np.empty(x.shape, dtype=first.dtype)
    flat = x.ravel(), y.ravel(), products.ravel()
    if first.width <= TABLE_WIDTH:
        _look_up(*flat, arithmetic)
    elif isinstance(arithmetic.product_form, FieldSum) and arithmetic.subnormals == "flush":
        _add_fields(*flat, arithmetic)
    else:
        for block in _blocks(products.size):
            flat[2][block] = _round(wide_product(flat[0][block], flat[1][block], arithmetic), arithmetic)
    return products


def wide_product(a: ArrayLike, b: ArrayLike, arithmetic: Arithmetic) -> NDArray[np.float64]:
    """Multiply codes as a dot product takes them: no rounding, no bounds on the exponent.

    Every such product is a double: it has at most 48 significant bits and an exponent between -340
    and 257. Infinities, NaN and signed zeros are those of the double.

    Parameters
    ----------
    a, b : array_like of integers from 0 to 2^W - 1, broadcast against each other
    arithmetic : Arithmetic
        Its formats, `mul` and `subnormals` count.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    ValueError
        There is no such code.

    Examples
    --------
    >>> from lmul.golden import E4M3, Arithmetic, encode, wide_product
    >>> float(wide_product(encode(1.125, E4M3), encode(1.125, E4M3), Arithmetic(mul="exact")))
    1.265625
    """
    first, second = arithmetic.formats
    product: NDArray[np.float64]
    if arithmetic.integer:
        product = decode(a, first).astype(np.float64) * decode(b, second)
        # A product of integers has one zero.
        return np.ldexp(product + 0.0, arithmetic.product_lsb_exponent)
    x, y = split(as_codes(a, first), first, arithmetic), split(as_codes(b, second), second, arithmetic)
    significand = significand_product(x.mantissa, y.mantissa, arithmetic.mul, arithmetic.mantissa_bits)
    with np.errstate(invalid="ignore"):  # Infinity times zero is NaN.
        power = x.power * y.power
        product = significand * 2.0**-arithmetic.fraction_bits * power
    return product


def _whole_products(a: ArrayLike, b: ArrayLike, arithmetic: Arithmetic) -> Codes:
    """Multiply integers: two's complement, nothing is lost."""
    mask = (1 << arithmetic.product_bits) - 1
    products = wide_product(a, b, arithmetic).astype(np.int64) & mask
    codes: Codes = products.astype(np.min_scalar_type(mask))
    return codes


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, start + PRODUCTS_AT_ONCE) for start in range(0, size, PRODUCTS_AT_ONCE))


def _look_up(a: Codes, b: Codes, products: Codes, arithmetic: Arithmetic) -> None:
    table = _product_codes(arithmetic)
    for block in _blocks(a.size):
        index = a[block].astype(np.intp)
        index <<= arithmetic.format.width
        index |= b[block]
        products[block] = np.take(table, index)


@lru_cache(maxsize=16)
def _product_codes(arithmetic: Arithmetic) -> Codes:
    codes = np.arange(1 << arithmetic.format.width)
    return _round(wide_product(codes[:, None], codes[None, :], arithmetic), arithmetic).ravel()


def _round(wide: NDArray[np.float64], arithmetic: Arithmetic) -> Codes:
    """Round unrounded products into the format. What is too small or too large is decided after rounding."""
    format_ = arithmetic.format
    # IEEE 754 rounds the true product once; all others are rounded before they meet the subnormal grid.
    once = arithmetic.mul == "exact" and arithmetic.subnormals == "full"
    rounded = wide if once else _round_significand(wide, format_)
    if arithmetic.subnormals == "flush":
        rounded = np.where(np.abs(rounded) < format_.smallest, np.copysign(0.0, rounded), rounded)
    if arithmetic.overflow == "saturate":
        bounded = np.clip(rounded, -format_.largest, format_.largest)
        rounded = np.where(np.isinf(wide), wide, bounded)
    return encode(rounded, format_, "nearest", "ieee")


def _round_significand(reals: NDArray[np.float64], format_: Format) -> NDArray[np.float64]:
    """Round to M+1 significant bits, ties to even; the exponent is unbounded."""
    excess = FP64_MANTISSA_BITS - format_.mantissa_bits
    bits = reals.view(np.int64)
    odd = (bits >> excess) & 1
    rounded = (bits + ((1 << (excess - 1)) - 1) + odd) >> excess << excess
    return np.where(np.isnan(reals), reals, rounded.view(np.float64))


def _add_fields(a: Codes, b: Codes, products: Codes, arithmetic: Arithmetic) -> None:
    """Do what the hardware does, in integers of the format's width, for formats with infinities."""
    format_ = arithmetic.format
    integer = format_.dtype.type
    offset = (format_.bias << format_.mantissa_bits) - arithmetic.mul_constant
    largest = format_.largest_finite + (arithmetic.overflow == "ieee")
    # The field just below the smallest normal number stands for all that are smaller.
    low, high = integer(offset + format_.smallest_normal - 1), integer(offset + largest)
    scratch = np.empty((4, min(PRODUCTS_AT_ONCE, a.size)), dtype=format_.dtype)
    for block in _blocks(a.size):
        field = products[block]
        x, y, smaller, larger = scratch[:, : field.size]
        np.bitwise_and(a[block], integer(format_.magnitude_mask), out=x)
        np.bitwise_and(b[block], integer(format_.magnitude_mask), out=y)
        np.minimum(x, y, out=smaller)
        np.maximum(x, y, out=larger)
        np.add(x, y, out=field)
        np.clip(field, low, high, out=field)
        np.subtract(field, integer(offset), out=field)
        field[np.minimum(smaller, field, out=smaller) < format_.smallest_normal] = 0
        np.bitwise_xor(a[block], b[block], out=y)
        np.bitwise_and(y, integer(format_.sign_mask), out=y)
        np.bitwise_or(field, y, out=field)
        if larger.max() > format_.largest_finite:
            special = larger > format_.largest_finite
            field[special] = _round(
                wide_product(a[block][special], b[block][special], arithmetic), arithmetic
            )
