"""Loops over float32 products that NumPy has no name for, compiled by Numba for the processor's vectors.

A product of two bit patterns is their sum, for multipliers that add fields, or the product of the two
float32, rounded to fewer bits or not. Bit patterns of zero are chosen so that their sums with others are
floats that vanish; four of them in a row of `x` are skipped. The last bit of a pattern of `x` does not belong
to its float32: it chooses among the patterns that `y` has for an operand.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

ADDED, MULTIPLIED, ROUNDED = range(3)
"""Kinds of products: sums of bit patterns; products of floats, also rounded."""

BLOCK = 512
"""Columns whose sums stay in the nearest cache."""

_FP32_MAGNITUDE, _FP32_POWER, _NOT_LAST = 0x7FFFFFFE, -1 << 23, ~1
"""Masks of a float32: without sign and last bit, without mantissa, without last bit."""

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
    """Give a product as a float32; `excess` is 2^23 times the number of bits that rounding takes off."""
    if kind_ == ADDED:
        return _to_float(x + y)
    product = _to_float(x) * _to_float(y)
    if kind_ == MULTIPLIED:
        return product
    # A sum with so large a power of two rounds to nearest even.
    power = _to_float((_to_bits(product) & np.int32(_FP32_POWER)) + excess)
    return (product + power) - power


@numba.njit(inline="always")
def _add_range(x: Any, y: Any, product: Any, first: int, last: int, start: int, total: Any) -> None:
    """Add the products of x (K,) and columns of y (V, K, N), for some k, to `total`, whose type they take."""
    kind_, excess, zero = product
    number, stop, not_last = total.dtype.type, start + total.shape[0], np.int32(_NOT_LAST)
    whole = last - (last - first) % 4
    # Four at a time spare three of four ways to the sums in memory.
    for k in range(first, whole, 4):
        if x[k] == zero and x[k + 1] == zero and x[k + 2] == zero and x[k + 3] == zero:
            continue
        x0, x1, x2, x3 = x[k] & not_last, x[k + 1] & not_last, x[k + 2] & not_last, x[k + 3] & not_last
        y0, y1 = y[x[k] & 1, k, start:stop], y[x[k + 1] & 1, k + 1, start:stop]
        y2, y3 = y[x[k + 2] & 1, k + 2, start:stop], y[x[k + 3] & 1, k + 3, start:stop]
        for j in range(total.shape[0]):
            total[j] += (
                number(_product(x0, y0[j], kind_, excess)) + number(_product(x1, y1[j], kind_, excess))
            ) + (number(_product(x2, y2[j], kind_, excess)) + number(_product(x3, y3[j], kind_, excess)))
    for k in range(whole, last):
        x0, y0 = x[k] & not_last, y[x[k] & 1, k, start:stop]
        for j in range(total.shape[0]):
            total[j] += number(_product(x0, y0[j], kind_, excess))


@numba.njit(cache=True, nogil=True)
def add_exactly(x: Any, y: Any, product: Any, unit: float, sums: Any) -> None:
    """Add products, which are integers, in double precision.

    Parameters
    ----------
    x : ndarray of int32, shape (M, K)
    y : ndarray of int32, shape (V, K, N)
        V is 2 where the last bit of a pattern of `x` chooses, 1 where it is 0.
    product : tuple of int, int32 and int32
        `ADDED`, `MULTIPLIED` or `ROUNDED`; 2^23 times the bits that rounding takes off; the bit pattern of
        zero in x.
    unit : float64
        What the sums are multiplied by.
    sums : ndarray of float64, shape (M, N)
        Is written.
    """
    for start in range(0, sums.shape[1], BLOCK):
        for row in range(sums.shape[0]):
            total = sums[row, start : start + BLOCK]
            total[:] = 0
            _add_range(x[row], y, product, 0, x.shape[1], start, total)
            for j in range(total.shape[0]):
                # What zeros left is far less than a half.
                total[j] = np.rint(total[j]) * unit


@numba.njit(cache=True, nogil=True)
def add_truncated(
    x: Any, y: Any, product: Any, reach: Any, lanes: int, limit: Any, sums: Any, extreme: Any
) -> None:
    """Add products truncated to integers, step by step, in a saturating register.

    Where no sum can have left the register since the last look, none is taken.

    Parameters
    ----------
    x, y, product
        Those of `add_exactly`.
    reach : ndarray of float64, shape (K,)
        No product of x[m, k] is larger than its float32 times reach[k].
    lanes : int
        Products of a step.
    limit : int32
        The register holds integers from -limit to limit - 1.
    sums : ndarray of int32, shape (M, N)
        Zero; is added to. A step's sum must fit.
    extreme : ndarray of int32, shape (M, N)
        Zero; is raised to the largest v, or -1 - v of a negative one, that was to be held, if too large.
    """
    magnitude = np.int32(_FP32_MAGNITUDE)
    for start in range(0, sums.shape[1], BLOCK):
        for row in range(sums.shape[0]):
            total, most = sums[row, start : start + BLOCK], extreme[row, start : start + BLOCK]
            bound = 0.0
            for first in range(0, x.shape[1], lanes):
                last = min(first + lanes, x.shape[1])
                _add_range(x[row], y, product, first, last, start, total)
                for k in range(first, last):
                    bound += _to_float(x[row, k] & magnitude) * reach[k]
                if bound >= limit:
                    bound = _saturate(total, most, limit)


@numba.njit(inline="always")
def _saturate(total: Any, most: Any, limit: Any) -> Any:
    """Bring sums back into the register, raise `most` to what they were, and give their largest magnitude."""
    largest = np.int32(0)
    for j in range(total.shape[0]):
        value = total[j]
        size = value ^ (value >> np.int32(31))
        most[j] = max(most[j], size)
        largest = max(largest, size)
        total[j] = min(max(value, -limit), limit - np.int32(1))
    return min(largest + 1.0, float(limit))


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
