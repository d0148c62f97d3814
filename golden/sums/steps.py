"""Sums whose every addition counts: rounded, saturated or wrapped, in the order of the hardware."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.accumulators import Floating
from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import decode, encode
from lmul.golden.formats.format import FP16, FP32, Format
from lmul.golden.products.multiply import TABLE_WIDTH, wide_product
from lmul.golden.sums.blocks.scales import Scales
from lmul.golden.sums.fixed_point import INT64_BITS, FixedPoint, python_integers
from lmul.golden.sums.fused.step import step_products
from lmul.golden.sums.tiles import tiles

Terms = NDArray[Any]
ToTerms = Callable[[NDArray[np.float64], Arithmetic], Terms]


def fixed_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, scales: Scales | None = None
) -> tuple[FixedPoint, NDArray[np.bool_]]:
    """Multiply matrices of codes in a fixed-point register, step by step.

    `fixed` truncates products toward zero and saturates; `exact` keeps them and wraps. A step's
    products are added first, then their sum to the register.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
    scales : Scales, optional
        Of every step, where the arithmetic has block scales: exact sums of groups are its terms.

    Returns
    -------
    register : FixedPoint, shape (M, N)
        Infinities and NaN count as zero.
    overflow : ndarray of bool, shape (M, N)
    """
    shape = (a.shape[0], b.shape[1])
    limit = 1 << (arithmetic.accumulator_bits - 1)
    register = np.zeros(shape, dtype=_integer_type(arithmetic))
    overflow = np.zeros(shape, dtype=np.bool_)
    for rows, cols in tiles(*shape):
        total, over = register[rows, cols], overflow[rows, cols]
        if scales:
            steps = _scaled_steps(a, b, arithmetic, scales, (rows, cols))
        else:
            steps = _steps(a[rows], b[:, cols], arithmetic, _fixed_terms)
        for step in steps:
            for terms in step:
                if arithmetic.clamps:
                    over |= np.abs(terms) == limit
                    np.clip(terms, 1 - limit, limit - 1, out=terms)
                total += terms
            outside = (total < -limit) | (total >= limit)
            over |= outside
            if arithmetic.saturates:
                np.clip(total, -limit, limit - 1, out=total)
            elif np.any(outside):
                total[...] = (total + limit) % (2 * limit) - limit
    return FixedPoint.from_integers(register, arithmetic.accumulator_bits), overflow


def float_sums(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> NDArray[np.float32]:
    """Multiply matrices of codes in a floating-point register, every addition rounded to nearest even.

    A step's products, each rounded to the register's format, are added in a balanced tree (lane i
    with lane i + N/2), and their sum to the register, which starts from +0.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic

    Returns
    -------
    ndarray of float32, shape (M, N)
        Numbers of the register's format.
    """
    format_ = Floating.FORMATS[arithmetic.acc]
    register = np.zeros((a.shape[0], b.shape[1]), dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # Infinities and NaN are results here.
        for rows, cols in tiles(*register.shape):
            total = register[rows, cols]
            for step in _steps(a[rows], b[:, cols], arithmetic, _float_terms):
                total[...] = _add(total, _tree_sum(list(step), arithmetic.lanes, format_), format_)
    return register


def _steps(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, to_terms: ToTerms
) -> Iterator[Iterable[Terms]]:
    """Give the terms of each step, lane by lane."""
    tabulated = max(format_.width for format_ in arithmetic.formats) <= TABLE_WIDTH

    def lane(k: int) -> Terms:
        if not tabulated:
            return to_terms(wide_product(a[:, k, None], b[None, k], arithmetic), arithmetic)
        # One row for every code of a, then whole rows are copied.
        rows = np.take(_term_table(arithmetic, to_terms), b[k], axis=1)
        return np.take(rows, a[:, k], axis=0)

    for first in range(0, a.shape[1], arithmetic.lanes):
        yield (lane(k) for k in range(first, min(first + arithmetic.lanes, a.shape[1])))


def _scaled_steps(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, scales: Scales, tile: tuple[slice, slice]
) -> Iterator[Iterable[Terms]]:
    """Give the terms of each step of a tile, the exact sums of groups times their scales."""
    for groups in step_products(a, b, arithmetic, scales, tile):
        yield _fixed_terms(groups.values, arithmetic)


@lru_cache(maxsize=8)
def _term_table(arithmetic: Arithmetic, to_terms: ToTerms) -> Terms:
    x, y = (np.arange(1 << format_.width) for format_ in arithmetic.formats)
    return to_terms(wide_product(x[:, None], y[None, :], arithmetic), arithmetic)


def _integer_type(arithmetic: Arithmetic) -> np.dtype[Any]:
    """Give the smallest type that holds a register plus a step's sum; Python's integers beyond int64."""
    bits = max(arithmetic.step_bits, arithmetic.accumulator_bits) + 2
    return np.dtype(np.int32 if bits < 32 else np.int64 if bits <= INT64_BITS else object)


def _fixed_terms(products: NDArray[np.float64], arithmetic: Arithmetic) -> Terms:
    """Truncate products to the register's unit; those that do not fit `fixed` become +-2^(BITS-1)."""
    units = np.trunc(np.where(np.isfinite(products), products, 0.0) * 2.0**-arithmetic.lsb_exponent)
    if arithmetic.saturates:
        limit = 2.0 ** (arithmetic.accumulator_bits - 1)
        units = np.clip(units, -limit, limit)
    integer = _integer_type(arithmetic)
    return python_integers(units) if integer == np.object_ else units.astype(integer)


def _float_terms(products: NDArray[np.float64], arithmetic: Arithmetic) -> NDArray[np.float32]:
    format_ = Floating.FORMATS[arithmetic.acc]
    if format_ == FP32:
        return products.astype(np.float32)
    return decode(encode(products, format_, "nearest", "ieee"), format_)


def _tree_sum(terms: list[NDArray[np.float32]], lanes: int, format_: Format) -> NDArray[np.float32]:
    """Add lane i and lane i + N/2 until one is left; with an odd number, the middle one waits.

    Lanes that the last step lacks are zeros, which change nothing.
    """
    while lanes > 1:
        lanes = (lanes + 1) // 2
        sums = [_add(x, y, format_) for x, y in zip(terms, terms[lanes:], strict=False)]
        terms = sums + terms[len(sums) : lanes]
    return terms[0]


def _add(x: NDArray[np.float32], y: NDArray[np.float32], format_: Format) -> NDArray[np.float32]:
    """Add numbers of a format, rounded to nearest even.

    The sum in float32 has more than twice the bits of bf16 and fp16, so that rounding it once more
    changes nothing (Figueroa, ACM SIGNUM 30(3), 1995).
    """
    total = x + y
    if format_ == FP32:
        return total
    excess = FP32.mantissa_bits - format_.mantissa_bits
    bits = total.view(np.uint32)
    odd = (bits >> np.uint32(excess)) & np.uint32(1)
    bits += np.uint32((1 << (excess - 1)) - 1)
    bits += odd
    bits &= np.uint32(-1 << excess & 0xFFFFFFFF)
    if format_ == FP16:
        # Above fp16's range into float32's infinity and back; a sum below it has no bit below fp16's last.
        total *= np.float32(2.0 ** (FP32.bias - FP16.bias))
        total *= np.float32(2.0 ** (FP16.bias - FP32.bias))
    return total
