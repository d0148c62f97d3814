"""Sums whose terms are exact sums of groups of products, by compiled loops, where Numba is installed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import decode
from lmul.golden.products.multiply import wide_product
from lmul.golden.sums.blocks.scales import Scales
from lmul.golden.sums.fixed_point import FixedPoint
from lmul.host.parallel import run_parts, worth_compiling

WIDEST_REGISTER = 62
"""Bits of a register to which an int64 holds the sum of a step."""

Factors = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
"""Both factors as `loops.add_fused` takes them, and the products of all pairs of codes, or none."""


def has_fixed_loops(arithmetic: Arithmetic, products: int) -> bool:
    """Tell whether there are loops for an arithmetic's sums of groups in a fixed-point register."""
    fits = arithmetic.accumulator_bits <= WIDEST_REGISTER
    return worth_compiling(products) and fits and arithmetic.grouped


def fused_group_sums(
    a: NDArray[Any],
    b: NDArray[Any],
    start: NDArray[np.float32],
    arithmetic: Arithmetic,
    scales: Scales,
) -> NDArray[np.float32]:
    """Multiply matrices of codes in a fused sum.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    start : ndarray of float32, shape (M, N)
        Running sums to begin with, not NaN.
    arithmetic : Arithmetic
        One that is `grouped`, with a `Fused` accumulator.
    scales : Scales
        Of every step; what NaN among them gives means nothing.

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    from lmul.golden.sums.blocks import loops

    scale, fused, register = arithmetic.block_scale, arithmetic.fused, start.copy()
    assert scale is not None  # noqa: S101
    x, y, products = _factors(a, b, arithmetic)
    first, second = ((scale.significands(codes).astype(np.int32), scale.exponents(codes)) for codes in scales)
    unit = arithmetic.product_lsb_exponent - 2 * scale.fraction_bits
    layout = (arithmetic.lanes, scale.block, scale.group, unit)
    rounding = (fused.fraction_bits, fused.mantissa_bits, fused.nearest, arithmetic.least_exponent)

    def part(rows: slice) -> None:
        own = first[0][rows], first[1][rows]
        loops.add_fused(x[rows], y, products, *own, *second, layout, rounding, register[rows])

    run_parts(part, len(a))
    return register


def fixed_group_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, scales: Scales
) -> tuple[FixedPoint, NDArray[np.bool_]]:
    """Multiply matrices of codes in a fixed-point register, where `has_fixed_loops`.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
    scales : Scales
        Of every step, powers of two.

    Returns
    -------
    register : FixedPoint, shape (M, N)
    overflow : ndarray of bool, shape (M, N)
    """
    from lmul.golden.sums.blocks import loops

    scale, shape = arithmetic.block_scale, (len(a), b.shape[1])
    assert scale is not None  # noqa: S101
    register, overflow = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    x, y, products = _factors(a, b, arithmetic)
    first, second = (scale.exponents(codes) for codes in scales)
    unit = arithmetic.product_lsb_exponent - arithmetic.lsb_exponent
    layout = (arithmetic.lanes, scale.block, scale.group, unit)
    limit = 1 << (arithmetic.accumulator_bits - 1)

    def part(rows: slice) -> None:
        results = register[rows], overflow[rows]
        loops.add_fixed(x[rows], y, products, first[rows], second, layout, limit, *results)

    run_parts(part, len(a))
    return FixedPoint.from_integers(register, arithmetic.accumulator_bits), overflow


def _factors(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Factors:
    """Give integers as numbers, which are multiplied, and others as codes, whose products are looked up."""
    if arithmetic.integer:
        x, y = (decode(codes, format_) for codes, format_ in zip((a, b), arithmetic.formats, strict=True))
        return x.astype(np.int32), y.astype(np.int32), np.zeros((0, 0), np.int32)
    first, second = (np.arange(1 << format_.width) for format_ in arithmetic.formats)
    products = np.ldexp(
        wide_product(first[:, None], second, arithmetic), -arithmetic.product_lsb_exponent
    ).astype(np.int32)
    return a.astype(np.int32), b.astype(np.int32), products
