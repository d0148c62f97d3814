"""Loops over float32 products that NumPy has no name for, compiled by Numba for the processor's vectors.

A product of two bit patterns is their sum, for multipliers that add fields, or the product of the two
float32, rounded to fewer bits or not. Bit patterns of 0 in `x`, and `NOTHING` in `y`, add nothing.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

ADDED, MULTIPLIED, ROUNDED = range(3)
"""Kinds of products."""

NOTHING = 1
"""No operand has a bit that far down."""

BLOCK = 512
"""Columns whose sums stay in the nearest cache."""

_FP64_FRACTION, _FP64_INFINITY, _FP64_MAGNITUDE = (1 << 52) - 1, 0x7FF << 52, (1 << 63) - 1


def kind(mul: str) -> int:
    """Give the kind of a multiplier's products."""
    return {"exact": MULTIPLIED, "addc": ROUNDED}.get(mul, ADDED)


def _bit_cast(result: Any, argument: Any, type_: ir.Type) -> Any:
    """Make a function that reads the bits of a number as another type."""

    def cast(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], type_)

    return intrinsic(lambda context, bits: (result(argument), cast))


_to_float = _bit_cast(numba.float32, numba.int32, ir.FloatType())
_to_bits = _bit_cast(numba.int32, numba.float32, ir.IntType(32))


@numba.njit(inline="always")
def _product(x: Any, y: Any, kind_: int, excess: Any) -> Any:
    """Give a product as a float32; `excess` is the number of bits that rounding takes off."""
    if kind_ == ADDED:
        return np.float32(0) if y == NOTHING else _to_float(x + y)
    product = _to_float(x) * _to_float(y)
    if kind_ == MULTIPLIED:
        return product
    bits = _to_bits(product)
    odd = (bits >> excess) & np.int32(1)
    bits += (np.int32(1) << (excess - np.int32(1))) - np.int32(1) + odd
    return _to_float(bits & (np.int32(-1) << excess))


@numba.njit(cache=True, nogil=True)
def add_exactly(x: Any, y: Any, kind_: int, excess: Any, sums: Any) -> None:
    """Add products in double precision.

    Parameters
    ----------
    x : ndarray of int32, shape (M, K)
    y : ndarray of int32, shape (K, N)
    kind_ : int
        `ADDED`, `MULTIPLIED` or `ROUNDED`.
    excess : int32
    sums : ndarray of float64, shape (M, N)
        Is added to.
    """
    for start in range(0, sums.shape[1], BLOCK):
        for row in range(sums.shape[0]):
            total = sums[row, start : start + BLOCK]
            for k in range(x.shape[1]):
                if x[row, k] != 0:
                    second = y[k, start : start + BLOCK]
                    for j in range(total.shape[0]):
                        total[j] += np.float64(_product(x[row, k], second[j], kind_, excess))


@numba.njit(cache=True, nogil=True)
def add_truncated(
    x: Any, y: Any, kind_: int, excess: Any, lanes: int, limit: Any, sums: Any, extreme: Any
) -> None:
    """Add products truncated to integers, step by step, in a saturating register.

    The parameters are those of `add_exactly`, and:

    Parameters
    ----------
    lanes : int
        Products of a step.
    limit : int32
        The register holds integers from -limit to limit - 1.
    sums : ndarray of int32, shape (M, N)
        Is added to. A step's sum must fit.
    extreme : ndarray of int32, shape (M, N)
        Is raised to the largest v, or -1 - v of a negative one, that was to be held.
    """
    for start in range(0, sums.shape[1], BLOCK):
        for row in range(sums.shape[0]):
            total, most = sums[row, start : start + BLOCK], extreme[row, start : start + BLOCK]
            for first in range(0, x.shape[1], lanes):
                for k in range(first, min(first + lanes, x.shape[1])):
                    if x[row, k] != 0:
                        second = y[k, start : start + BLOCK]
                        for j in range(total.shape[0]):
                            total[j] += np.int32(_product(x[row, k], second[j], kind_, excess))
                for j in range(total.shape[0]):
                    value = total[j]
                    most[j] = max(most[j], value ^ (value >> np.int32(31)))
                    total[j] = min(max(value, -limit), limit - np.int32(1))


@numba.njit(cache=True, nogil=True)
def encode(bits: Any, layout: Any, nearest: bool, beyond: Any, codes: Any) -> None:
    """Round doubles into a format.

    Parameters
    ----------
    bits : ndarray of int64, shape (N,)
        Their bit patterns.
    layout : tuple of int
        The format's mantissa bits, smallest exponent, sign bit and largest finite code.
    nearest : bool
        To nearest, ties to even; else toward zero.
    beyond : tuple of int
        Codes of numbers that are too large, of infinity, and of NaN. Of the last there is no negative.
    codes : ndarray of unsigned integers, shape (N,)
        Is written.
    """
    mantissa_bits, min_exponent, sign, largest = layout
    too_large, infinity, nan = beyond
    for i in range(bits.shape[0]):
        magnitude = bits[i] & _FP64_MAGNITUDE
        exponent = (magnitude >> 52) - 1023
        kept = max(exponent, min_exponent)
        # Numbers below a quarter of the smallest subnormal one are all zero.
        shift = min(52 - mantissa_bits + kept - exponent, 54)
        significand = (magnitude & _FP64_FRACTION) | (1 << 52)
        half = ((1 << (shift - 1)) - 1 + ((significand >> shift) & 1)) if nearest else 0
        field = ((significand + half) >> shift) + ((kept - min_exponent) << mantissa_bits)
        if magnitude >= _FP64_INFINITY:
            field = infinity if magnitude == _FP64_INFINITY else nan
        elif field > largest:
            field = too_large
        codes[i] = field | (sign if bits[i] < 0 and field != nan else 0)
