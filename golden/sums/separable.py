"""Exact matrix products as a few ordinary ones, for multipliers whose product separates.

An unrounded product is a sum of terms f_r(x) * g_r(y), r = 1 .. R. `exact` has one. The paper's formula
has two, for (1 + x + y + c) = (1 + c + x) * 1 + 1 * y. Integer addition has one for each value of the first
mantissa: f_r picks the operands with mantissa r, g_r is row r of the table of significand products.
So the matrix product is R ordinary ones, and exact in double precision while every sum fits 53 bits.
Where the exponents span too much for that, the operands are divided into windows of exponents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import TABLE_WIDTH, power_of_two
from lmul.golden.products.exponents import Window, cut, exponent_ranges
from lmul.golden.products.operand import split
from lmul.golden.products.specials import is_special
from lmul.multipliers.significand import significand_product

MOST_TERMS = 32
"""More terms need tables too large for the cache."""

MOST_PRODUCTS = 256
"""More ordinary matrix products than these take longer than one product after the other."""

BLOCK_COLUMNS = 2048
"""Columns of the factors that are multiplied at once; bounds the memory."""


@dataclass(frozen=True)
class Plan:
    """How the exponents are divided.

    Parameters
    ----------
    windows_a, windows_b : tuple of (int, int)
        First and last exponent of each window.
    """

    windows_a: tuple[Window, ...]
    windows_b: tuple[Window, ...]


def plan(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Plan | None:
    """Divide the exponents that occur into the fewest pairs of windows whose sums fit 53 bits.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic

    Returns
    -------
    Plan or None
        None where there is no way, or only a slow one.
    """
    return fewest_windows(exponent_ranges(a, b, arithmetic), a.shape[1], arithmetic)


@lru_cache
def fewest_windows(
    ranges: tuple[Window | None, Window | None], depth: int, arithmetic: Arithmetic
) -> Plan | None:
    """Divide ranges of exponents as `plan` does those of matrices.

    Parameters
    ----------
    ranges : pair of (int, int)
        As `exponent_ranges` gives them.
    depth : int
        Products of a sum.
    arithmetic : Arithmetic
    """
    first, second = ranges
    spare_bits = (2**53 // (arithmetic.largest_significand * max(depth, 1))).bit_length() - 1
    if spare_bits < 0 or _terms(arithmetic) > MOST_TERMS:
        return None
    pairs = [Plan(cut(first, size), cut(second, spare_bits + 2 - size)) for size in range(1, spare_bits + 2)]
    best = min(pairs, key=lambda pair: len(pair.windows_a) * len(pair.windows_b))
    if _terms(arithmetic) * len(best.windows_a) * len(best.windows_b) > MOST_PRODUCTS:
        return None
    return best


def separable_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, windows: Plan
) -> Iterator[tuple[NDArray[np.float64], int]]:
    """Multiply matrices of codes. Infinities and NaN count as zero.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
    windows : Plan

    Yields
    ------
    sums : ndarray of float64, shape (M, N)
        One for each pair of windows, exact; together they are the matrix product.
    exponent : int
        The sums are multiples of 2^exponent.
    """
    b_rows = np.ascontiguousarray(b.T)
    for window_a in windows.windows_a:
        for window_b in windows.windows_b:
            unit = window_a[0] + window_b[0] - arithmetic.fraction_bits
            sums = _window_sums(a, b_rows, arithmetic, (window_a, window_b))
            yield sums, max(unit, arithmetic.product_lsb_exponent)


def _window_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, windows: tuple[Window, Window]
) -> NDArray[np.float64]:
    """Multiply a by the transpose of b, taking only operands with exponents in the windows."""
    sums = np.zeros((a.shape[0], b.shape[0]))
    part = np.empty_like(sums)
    step = max(1, BLOCK_COLUMNS // _terms(arithmetic))
    buffers = [np.empty((len(m), min(step, m.shape[1]), _terms(arithmetic))) for m in (a, b)]
    for k in range(0, a.shape[1], step):
        factors = [
            _factors(m[:, k : k + step], side, arithmetic, windows[side], buffer)
            for side, (m, buffer) in enumerate(zip((a, b), buffers, strict=True))
        ]
        np.matmul(factors[0], factors[1].T, out=part if k else sums)
        if k:
            sums += part
    return sums


def _terms(arithmetic: Arithmetic) -> int:
    """Count the terms of a product, R."""
    return {"exact": 1, "formula": 2}.get(arithmetic.mul, 1 << arithmetic.mantissa_bits)


def _factors(
    codes: NDArray[Any], side: int, arithmetic: Arithmetic, window: Window, buffer: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give f_r of the first operand (side 0) or g_r of the second, those of one operand side by side."""
    factors = buffer[:, : codes.shape[1]]
    if arithmetic.formats[side].width > TABLE_WIDTH:
        factors[...] = _compute_factors(codes, side, arithmetic, window)
    else:
        # Clipping, which never happens, saves the copy that np.take makes for its error.
        np.take(factor_table(side, arithmetic, window), codes, axis=0, out=factors, mode="clip")
    return factors.reshape(len(codes), -1)


@lru_cache(maxsize=16)
def factor_table(side: int, arithmetic: Arithmetic, window: Window) -> NDArray[np.float64]:
    """Give f_r of each code of the first operand (side 0) or g_r of the second, shape (2^W, R).

    Parameters
    ----------
    side : {0, 1}
    arithmetic : Arithmetic
        Its format on that side has at most `TABLE_WIDTH` bits.
    window : (int, int)
        Operands with other exponents are zero.
    """
    codes = np.arange(1 << arithmetic.formats[side].width)
    return _compute_factors(codes, side, arithmetic, window)


def _compute_factors(
    codes: NDArray[Any], side: int, arithmetic: Arithmetic, window: Window
) -> NDArray[np.float64]:
    format_ = arithmetic.formats[side]
    operand = split(codes, format_, arithmetic)
    magnitude = np.abs(operand.power)
    low, high = power_of_two(np.array(window))
    inside = (magnitude >= low) & (magnitude <= high) & ~is_special(codes, format_)
    power = np.where(inside, operand.power, 0.0)
    terms = (_first_terms if side == 0 else _second_terms)(operand.mantissa, arithmetic)
    return terms * (power[..., None] * (1.0 if side == 0 else 2.0**-arithmetic.fraction_bits))


def _first_terms(mantissa: NDArray[np.int64], arithmetic: Arithmetic) -> NDArray[Any]:
    one = 1 << arithmetic.mantissa_bits
    if arithmetic.mul == "exact":
        return one + mantissa[..., None]
    if arithmetic.mul == "formula":
        return np.stack([mantissa + (one + arithmetic.mul_constant), np.ones_like(mantissa)], axis=-1)
    selected: NDArray[np.bool_] = mantissa[..., None] == np.arange(one)
    return selected


def _second_terms(mantissa: NDArray[np.int64], arithmetic: Arithmetic) -> NDArray[Any]:
    one = 1 << arithmetic.mantissa_bits
    if arithmetic.mul == "exact":
        return one + mantissa[..., None]
    if arithmetic.mul == "formula":
        return np.stack([np.ones_like(mantissa), mantissa], axis=-1)
    return significand_product(np.arange(one), mantissa[..., None], arithmetic.mul, arithmetic.mantissa_bits)
