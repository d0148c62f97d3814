"""Multiplication of codes, to the bit: rounded to the operands' format, and wide."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.codec import Codes
from lmul.golden.formats import Format


@dataclass(frozen=True)
class WideProduct:
    """Products as a dot product takes them: unrounded, unbounded, not yet aligned.

    A product is (-1)^sign * significand * 2^exponent. Zeros have significand 0.

    Parameters
    ----------
    sign : ndarray of bool
    significand : ndarray of int64
        M+1 bits, or 2M+2 for `exact`.
    exponent : ndarray of int64
        Weight of the significand's last bit.
    nan : ndarray of bool
    """

    sign: NDArray[np.bool_]
    significand: NDArray[np.int64]
    exponent: NDArray[np.int64]
    nan: NDArray[np.bool_]


def multiply(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Codes:
    """Multiply codes into codes of the same format.

    Subnormal operands count as zeros, results below the smallest normal number become zeros of
    their sign, results above the largest finite number become that number.

    Parameters
    ----------
    a, b : ndarrays of integer codes, broadcast against each other
    arithmetic : Arithmetic
        Its `format` and `mul` count.

    Returns
    -------
    ndarray of uint8
    """
    format_ = arithmetic.format
    wide = wide_product(a, b, arithmetic)
    field = _rounded_field(wide, format_)
    field = np.minimum(field, format_.largest_finite)
    field = np.where((wide.significand == 0) | (field < format_.smallest_normal), 0, field)
    code = (wide.sign.astype(np.int64) << (format_.width - 1)) | field
    return np.where(wide.nan, format_.nan, code).astype(np.uint8)


def wide_product(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> WideProduct:
    """Multiply codes without rounding and without bounds on the exponent.

    Parameters
    ----------
    a, b : ndarrays of integer codes, broadcast against each other
    arithmetic : Arithmetic
        Its `format` and `mul` count.
    """
    format_ = arithmetic.format
    codes = np.broadcast_arrays(np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64))
    sign = ((codes[0] ^ codes[1]) >> (format_.width - 1)).astype(np.bool_)
    x, y = (code & format_.magnitude_mask for code in codes)
    nan = (x == format_.nan) | (y == format_.nan)
    zero = (x < format_.smallest_normal) | (y < format_.smallest_normal)
    significand, exponent = (_exact if arithmetic.mul == "exact" else _integer_add)(x, y, arithmetic)
    return WideProduct(sign, np.where(zero | nan, 0, significand), exponent, nan)


@lru_cache(maxsize=8)
def product_table(arithmetic: Arithmetic) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Tabulate the wide products of all pairs of codes, in accumulator LSBs.

    Returns
    -------
    products : ndarray of int64, shape (2^W, 2^W)
    nan : ndarray of bool, shape (2^W, 2^W)
    """
    codes = np.arange(1 << arithmetic.format.width)
    wide = wide_product(codes[:, None], codes[None, :], arithmetic)
    shift = np.where(wide.significand == 0, 0, wide.exponent - arithmetic.lsb_exponent)
    magnitude = wide.significand << shift
    products = np.where(wide.sign, -magnitude, magnitude)
    for table in (products, wide.nan):
        table.flags.writeable = False
    return products, wide.nan


def _integer_add(
    x: NDArray[np.int64], y: NDArray[np.int64], arithmetic: Arithmetic
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add the fields: X + Y - K(c), the mantissa's carry runs into the exponent."""
    format_ = arithmetic.format
    field = x + y - ((format_.bias << format_.mantissa_bits) - arithmetic.mul_constant)
    significand = format_.smallest_normal + (field & (format_.smallest_normal - 1))
    return significand, (field >> format_.mantissa_bits) - format_.bias - format_.mantissa_bits


def _exact(
    x: NDArray[np.int64], y: NDArray[np.int64], arithmetic: Arithmetic
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Multiply the significands, add the exponents."""
    format_ = arithmetic.format
    mantissa = format_.mantissa_bits
    fraction_mask = format_.smallest_normal - 1
    significand = (format_.smallest_normal + (x & fraction_mask)) * (
        format_.smallest_normal + (y & fraction_mask)
    )
    return significand, (x >> mantissa) + (y >> mantissa) - 2 * format_.bias - 2 * mantissa


def _rounded_field(wide: WideProduct, format_: Format) -> NDArray[np.int64]:
    """Round significands to M+1 bits, ties to even: the field, its exponent unbounded.

    Meaningless where the significand is zero.
    """
    reals = wide.significand.astype(np.float64)
    excess = np.frexp(reals)[1].astype(np.int64) - (format_.mantissa_bits + 1)
    rounded = np.rint(np.ldexp(reals, -excess)).astype(np.int64)
    exponent = wide.exponent + excess + format_.mantissa_bits + format_.bias
    # The hidden bit adds one to the exponent field, and so does a significand rounded up to 2.
    field: NDArray[np.int64] = ((exponent - 1) << format_.mantissa_bits) + rounded
    return field
