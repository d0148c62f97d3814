"""Loops over groups of products that are summed exactly and scaled, compiled by Numba."""

import math
from typing import Any

import numba
import numpy as np

FP32_LEAST = -126
"""The exponent of the smallest normal number."""

E8M0_LARGEST = 127
"""The largest exponent of a scale; that of NaN is one more."""

POWERS = 2.0 ** np.concatenate([np.arange(1024), np.arange(-1022, 0)])
"""Powers of two by their exponents, negative ones from the end: quicker than `math.ldexp`."""


@numba.njit(cache=True, nogil=True)
def _sum_groups(x: Any, b: Any, products: Any, first: int, group: int, totals: Any) -> int:
    """Sum the products of a step's groups exactly, from the operand `first` on; give the number of groups.

    Parameters
    ----------
    x : ndarray of int32, shape (K,)
        A row of the first factor: whole numbers, or codes where `products` has those of all pairs.
    b : ndarray of int32, shape (K, N)
    products : ndarray of int32, shape (2^W, 2^W) or (0, 0)
    first, group : int
    totals : ndarray of int32, shape (groups, N)
        Is written.
    """
    last = min(first + group * len(totals), len(x))
    groups = -(-(last - first) // group)
    totals[:groups] = 0
    for k in range(first, last):
        total = totals[(k - first) // group]
        if len(products):
            of_code = products[x[k]]
            for column in range(b.shape[1]):
                total[column] += of_code[b[k, column]]
        else:
            for column in range(b.shape[1]):
                total[column] += x[k] * b[k, column]
    return groups


@numba.njit(cache=True, nogil=True)
def add_fused(
    a: Any,
    b: Any,
    products: Any,
    a_significands: Any,
    a_exponents: Any,
    b_significands: Any,
    b_exponents: Any,
    layout: Any,
    rounding: Any,
    sums: Any,
) -> None:
    """Add exact sums of groups of products, times the scales of their blocks, to fp32 numbers.

    Parameters
    ----------
    a, b : ndarray of int32, shapes (M, K) and (K, N)
    products : ndarray of int32
        As `_sum_groups` takes them.
    a_significands, a_exponents : ndarray of int32 and int16, shape (M, S)
        Of the scales of every step.
    b_significands, b_exponents : ndarray of int32 and int16, shape (S, N)
    layout : tuple of four int
        Lanes of a step, operands of a block and of a group; the exponent of a unit of products times the
        significands of both scales.
    rounding : tuple of int, int, bool and int
        F, M, whether sums are rounded to nearest, and the least exponent that terms are aligned to.
    sums : ndarray of float32, shape (M, N)
        The running sums to begin with; is written.
    """
    (lanes, block, group, unit), (fraction, mantissa, nearest, least) = layout, rounding
    depth, columns = b.shape
    totals = np.zeros((lanes // group, columns), np.int32)
    parts = max(lanes // block, 1)
    for row in range(len(a)):
        for step in range(-(-depth // lanes)):
            groups = _sum_groups(a[row], b, products, step * lanes, group, totals)
            for column in range(columns):
                own = float(sums[row, column])
                if not math.isfinite(own):
                    continue
                top = max(math.frexp(own)[1] - 1, least) if own else least
                for index in range(groups):
                    place = step * parts + index * group // block
                    top = max(top, a_exponents[row, place] + b_exponents[place, column])
                units = np.trunc(own * POWERS[fraction - top])
                for index in range(groups):
                    place = step * parts + index * group // block
                    significand = a_significands[row, place] * b_significands[place, column]
                    exponent = a_exponents[row, place] + b_exponents[place, column] + unit
                    term = float(totals[index, column]) * significand
                    units += np.trunc(term * POWERS[exponent + fraction - top])
                last = max(math.frexp(units)[1] - 1 + top - fraction, FP32_LEAST) - mantissa
                kept = units * POWERS[top - fraction - last]
                kept = np.rint(kept) if nearest else np.trunc(kept)
                sums[row, column] = kept * POWERS[last] + 0.0


@numba.njit(cache=True, nogil=True)
def add_fixed(
    a: Any,
    b: Any,
    products: Any,
    a_exponents: Any,
    b_exponents: Any,
    layout: Any,
    limit: int,
    sums: Any,
    overflow: Any,
) -> None:
    """Add exact sums of groups of products, times powers of two, in a register that saturates.

    Parameters
    ----------
    a, b, products, a_exponents, b_exponents
        As `add_fused` takes them.
    layout : tuple of four int
        Lanes of a step, operands of a block and of a group; the exponent of a unit of products in units of
        the register.
    limit : int
        2^(BITS - 1), at most 2^61.
    sums : ndarray of int64, shape (M, N)
        The registers to begin with; is written.
    overflow : ndarray of bool, shape (M, N)
        Is set where a term or a sum left the range.
    """
    lanes, block, group, unit = layout
    depth, columns = b.shape
    totals = np.zeros((lanes // group, columns), np.int32)
    parts = max(lanes // block, 1)
    for row in range(len(a)):
        for step in range(-(-depth // lanes)):
            groups = _sum_groups(a[row], b, products, step * lanes, group, totals)
            for column in range(columns):
                total = sums[row, column]
                for index in range(groups):
                    place = step * parts + index * group // block
                    first, second = a_exponents[row, place], b_exponents[place, column]
                    if max(first, second) > E8M0_LARGEST:  # NaN counts as zero.
                        continue
                    term = float(totals[index, column]) * POWERS[first + second + unit]
                    if abs(term) >= limit:
                        overflow[row, column] = True
                        total += limit - 1 if term > 0 else 1 - limit
                    else:
                        total += np.int64(term)
                bounded = min(max(total, -limit), limit - 1)
                overflow[row, column] |= bounded != total
                sums[row, column] = bounded
