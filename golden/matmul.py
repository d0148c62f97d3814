"""Matrix products of codes, to the bit of the hardware."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.accumulators import Accumulator, Exact, Fixed, Floating, Fused
from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.format import FP32, as_codes
from lmul.golden.products.operand import finite_range, split
from lmul.golden.products.specials import special_sums
from lmul.golden.sums.blocks.compiled import fixed_group_sums, has_fixed_loops
from lmul.golden.sums.blocks.scales import Scales, matrix_scales, nan_sums
from lmul.golden.sums.compiled import exact_sums, has_loops, saturated_sums
from lmul.golden.sums.direct import direct_sums
from lmul.golden.sums.fixed_point import FP64_SIGNIFICAND_BITS, FixedPoint
from lmul.golden.sums.fused.step import fused_sums
from lmul.golden.sums.integer import integer_sums
from lmul.golden.sums.result import Sums
from lmul.golden.sums.separable import plan, separable_sums
from lmul.golden.sums.steps import fixed_sums, float_sums
from lmul.host.parameters import ParameterError

Parts = Iterator[tuple[NDArray[np.float64], int]]
"""Sums that make the exact ones together, and the exponents of powers of two that they are multiples of."""


def matmul_codes(
    a: ArrayLike,
    b: ArrayLike,
    arithmetic: Arithmetic,
    start: ArrayLike | None = None,
    a_scale: ArrayLike | None = None,
    b_scale: ArrayLike | None = None,
) -> Sums:
    """Multiply matrices of codes as the hardware does.

    The products of step s are those of k = s * lanes to s * lanes + lanes - 1; K need not be a
    multiple of the lanes.

    Parameters
    ----------
    a : array_like of integers from 0 to 2^W - 1, shape (M, K)
    b : array_like of integers from 0 to 2^W - 1, shape (K, N)
    arithmetic : Arithmetic
    start : array_like of integers from 0 to 2^32 - 1, shape (M, N), optional
        Codes of fp32 of any mantissa that the sums begin with, instead of +0. For fused sums only.
    a_scale, b_scale : array_like of integers from 0 to 255, shapes (M, S) and (S, N), optional
        Where the arithmetic has block scales: those of every block along K; or where a step has a part of a
        block, those of every step.

    Returns
    -------
    Sums
        Of shape (M, N). The bits do not depend on how they were computed.

    Raises
    ------
    ValueError
        The inner sizes differ, an operand is not a matrix, or there is no such code; or sums of another
        accumulator than a fused one are to begin with something; or scales are missing or are not those of
        the arithmetic.

    Examples
    --------
    >>> from lmul.golden import E4M3, Arithmetic, encode, matmul_codes
    >>> a, b = encode([[1.0, 2.0], [3.0, 4.0]], E4M3), encode([[1.0], [0.5]], E4M3)
    >>> matmul_codes(a, b, Arithmetic(mul="exact")).values().tolist()
    [[2.0], [5.0]]
    """
    first, second = arithmetic.formats
    x, y = as_codes(a, first), as_codes(b, second)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[0]:
        raise ValueError(f"operands must be M x K and K x N, not {x.shape} and {y.shape}")
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    scales = matrix_scales(a_scale, b_scale, (*x.shape, y.shape[1]), arithmetic)
    if scales and not isinstance(arithmetic.accumulator, Fused):
        return _scaled_fixed_result(x, y, arithmetic, scales)
    if scales or start is not None:
        begun = None if start is None else _start(start, x, y, arithmetic)
        return _float_result(partial(fused_sums, start=begun, scales=scales), x, y, arithmetic)
    return SUMS[type(arithmetic.accumulator)](x, y, arithmetic)


def check_promotion(arithmetic: Arithmetic, products: int, *, blocks: bool = False) -> None:
    """Refuse to promote sums that have no use for it, or that end elsewhere than at a step.

    Parameters
    ----------
    arithmetic : Arithmetic
    products : int
        As `promoted_sums` takes them.
    blocks : bool
        Whether blocks of K have scales, and so sums, of their own.

    Raises
    ------
    ParameterError
        The accumulator is no fused one, the output not fp32, the products are no whole steps, or there are
        blocks, whose sums are added outside as it is.
    """
    if not isinstance(arithmetic.accumulator, Fused):
        raise ParameterError(
            "promote", f"is for fused sums, not for acc {arithmetic.acc!r}: take {', '.join(Fused.WORDS)}"
        )
    if arithmetic.out == "bf16":
        raise ParameterError("promote", "adds fp32 numbers: take out fp32 or raw, not bf16")
    if blocks:
        raise ParameterError("promote", "is for one sum of all K: sums of blocks are added outside as it is")
    if type(products) is not int or products < 1 or products % arithmetic.lanes:
        raise ParameterError(
            "promote", f"must be whole steps of {arithmetic.lanes} products, not {products!r} products"
        )


def promoted_sums(a: ArrayLike, b: ArrayLike, arithmetic: Arithmetic, products: int) -> NDArray[np.float32]:
    """Multiply matrices of codes in tiles of K, whose fused sums are added outside in fp32.

    Each tile begins with +0. Its sum is added to an fp32 number, rounded to nearest even, in the order of K:
    what DeepSeek-V3 (arXiv 2412.19437, 3.3.2) does every 128 products.

    Parameters
    ----------
    a : array_like of integers from 0 to 2^W - 1, shape (M, K)
    b : array_like of integers from 0 to 2^W - 1, shape (K, N)
    arithmetic : Arithmetic
        With a `Fused` accumulator, and fp32 or raw outputs.
    products : int
        K of a tile, a multiple of the lanes; the last one may have fewer.

    Returns
    -------
    ndarray of float32, shape (M, N)

    Raises
    ------
    ValueError
        What `matmul_codes` and `check_promotion` raise.

    Examples
    --------
    >>> from lmul.golden import E4M3, Arithmetic, encode, promoted_sums
    >>> a, b = encode([[64.0, 0.0, 2**-6]], E4M3), encode([[64.0], [0.0], [0.25]], E4M3)
    >>> arithmetic = Arithmetic(mul="exact", acc="fused:13:13", lanes=2)
    >>> promoted_sums(a, b, arithmetic, 4).item(), promoted_sums(a, b, arithmetic, 2).item()
    (4096.0, 4096.00390625)
    """
    check_promotion(arithmetic, products)
    x, y = np.asarray(a), np.asarray(b)
    total = _fp32(matmul_codes(x[:, :products], y[:products], arithmetic))
    with np.errstate(over="ignore", invalid="ignore"):  # What is too large is infinite, and may meet another.
        for first in range(products, x.shape[1], products):
            tile = slice(first, first + products)
            total += _fp32(matmul_codes(x[:, tile], y[tile], arithmetic))
    return total


def _fp32(sums: Sums) -> NDArray[np.float32]:
    """Give the numbers in a floating-point register."""
    assert isinstance(sums.register, np.ndarray)  # noqa: S101
    return sums.register


def _start(codes: ArrayLike, a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> NDArray[np.float32]:
    """Give the numbers that fused sums begin with."""
    if not isinstance(arithmetic.accumulator, Fused):
        raise ParameterError("acc", f"{arithmetic.acc!r} begins with +0: take {', '.join(Fused.WORDS)}")
    start = as_codes(codes, FP32).astype(np.uint32)
    if start.shape != (len(a), b.shape[1]):
        raise ValueError(f"start must be {len(a)} x {b.shape[1]}, not {start.shape}")
    return start.view(np.float32)


def _fixed_result(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Sums:
    """Add in a fixed-point register, beside which infinities and NaN are kept as flags."""
    if arithmetic.integer:
        return integer_sums(a, b, arithmetic)
    infinity, nan = special_sums(a, b, arithmetic)
    overflow: NDArray[np.bool_] = np.zeros(nan.shape, dtype=np.bool_)
    register = _whole_sums(a, b, arithmetic)
    if register is None:
        register, overflow = _bounded_sums(a, b, arithmetic)
    return Sums(arithmetic, register, overflow, infinity, nan)


def _scaled_fixed_result(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, scales: Scales) -> Sums:
    """Add exact sums of groups, times their scales, in a fixed-point register."""
    loops = has_fixed_loops(arithmetic, a.size * b.shape[1])
    register, overflow = (fixed_group_sums if loops else fixed_sums)(a, b, arithmetic, scales)
    nan = nan_sums(scales, arithmetic)
    return Sums(arithmetic, register, overflow, np.zeros(nan.shape, np.int8), nan)


def _float_result(
    add: Callable[[NDArray[Any], NDArray[Any], Arithmetic], NDArray[np.float32]],
    a: NDArray[Any],
    b: NDArray[Any],
    arithmetic: Arithmetic,
) -> Sums:
    """Add in a floating-point register, which says it all."""
    register = add(a, b, arithmetic)
    nan, infinity = np.zeros(register.shape, np.bool_), np.zeros(register.shape, np.int8)
    if not np.isfinite(register).all():
        nan, infinite = np.isnan(register), np.isinf(register)
        infinity[infinite] = np.sign(register[infinite])
    return Sums(arithmetic, register, np.zeros(nan.shape, np.bool_), infinity, nan)


SUMS: dict[type[Accumulator], Callable[[NDArray[Any], NDArray[Any], Arithmetic], Sums]] = {
    Exact: _fixed_result,
    Fixed: _fixed_result,
    Floating: partial(_float_result, float_sums),
    Fused: partial(_float_result, fused_sums),
}
"""How the sums of each accumulator are computed."""


def _whole_sums(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> FixedPoint | None:
    """Give the exact sums, or None where they could need truncation or leave the register on their way."""
    smallest_bit, bound = _range(a, b, arithmetic)
    limit = 2.0 ** (arithmetic.accumulator_bits - 1 + arithmetic.lsb_exponent)
    if smallest_bit < arithmetic.lsb_exponent or bound >= limit:
        return None
    shape, bits = (len(a), b.shape[1]), arithmetic.accumulator_bits
    parts = _exact_parts(a, b, arithmetic)
    # Only the bits between the smallest product's last and the largest sum's sign.
    kept = max(math.frexp(bound)[1] - smallest_bit, 0) + 1
    if kept <= FP64_SIGNIFICAND_BITS + 1:
        return FixedPoint(_total(parts, shape)[None], bits, -arithmetic.lsb_exponent)
    register = FixedPoint.cleared(shape, bits, smallest_bit - arithmetic.lsb_exponent, kept)
    for sums, exponent in parts:
        units = np.multiply(sums, 2.0**-exponent, out=sums).astype(np.int64)
        register.add(units, exponent - arithmetic.lsb_exponent)
    register.normalise()
    return register


def _total(parts: Parts, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Add up parts whose sum and all that lead to it are doubles."""
    total = None
    for sums, _ in parts:
        total = sums if total is None else np.add(total, sums, out=total)
    return np.zeros(shape) if total is None else total


def _exact_parts(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Parts:
    """Give the exact sums in parts, the fastest way there is."""
    if arithmetic.mul != "exact" and has_loops(arithmetic, a.size * b.shape[1]):
        return exact_sums(a, b, arithmetic)
    windows = plan(a, b, arithmetic)
    return separable_sums(a, b, arithmetic, windows) if windows else direct_sums(a, b, arithmetic)


def _bounded_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic
) -> tuple[FixedPoint, NDArray[np.bool_]]:
    """Give the sums of a register that they may leave, and where they did."""
    sums = None
    if arithmetic.saturates and has_loops(arithmetic, a.size * b.shape[1]):
        sums = saturated_sums(a, b, arithmetic)
    return sums or fixed_sums(a, b, arithmetic)


def _range(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> tuple[int, float]:
    """Give the exponent of the smallest bit of any product, and a bound on the magnitude of any sum."""
    first, second = arithmetic.formats
    x, y = finite_range(a, first, arithmetic), finite_range(b, second, arithmetic)
    if x is None or y is None:
        return arithmetic.lsb_exponent, 0.0
    smallest, largest = split(x, first, arithmetic).power * split(y, second, arithmetic).power
    # The largest operands need not have the largest product, but none has a larger significand.
    product = float(largest) * arithmetic.largest_significand * 2.0**-arithmetic.fraction_bits
    product = min(product, arithmetic.largest_product * 2.0**arithmetic.product_lsb_exponent)
    lowest = int(np.frexp(smallest)[1]) - 1 - arithmetic.fraction_bits
    return max(lowest, arithmetic.product_lsb_exponent), product * a.shape[1]
