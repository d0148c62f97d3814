"""Dot products and matrix products, to the bit of the hardware."""

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arithmetic import FLOAT_ACCUMULATORS, Arithmetic
from lmul.golden.codec import Rounding
from lmul.golden.compiled import exact_sums, has_loops, saturated_sums
from lmul.golden.direct import direct_sums
from lmul.golden.fixed_point import FixedPoint
from lmul.golden.formats import Codes
from lmul.golden.multiply import wide_product
from lmul.golden.operand import finite_range, split
from lmul.golden.quantise import quantise
from lmul.golden.separable import plan, separable_sums
from lmul.golden.specials import special_sums
from lmul.golden.steps import fixed_sums, float_sums
from lmul.golden.sums import Sums


def matmul(
    a: ArrayLike, b: ArrayLike, spec: Arithmetic, *, rounding: Rounding = "nearest"
) -> NDArray[np.float64]:
    """Multiply matrices of real numbers as a design would: quantise, multiply, accumulate, dequantise.

    Each operand is scaled as a whole (see `quantise`), and the scales are multiplied back.

    Parameters
    ----------
    a : array_like of finite floats, shape (..., M, K)
    b : array_like of finite floats, shape (..., K, N)
        Leading axes are broadcast, as by `numpy.matmul`.
    spec : Arithmetic
        What decides the bits.
    rounding : {"nearest", "truncate"}
        Of the operands.

    Returns
    -------
    ndarray of float64, shape (..., M, N)

    Raises
    ------
    ValueError
        The inner sizes differ, an operand is no matrix or not finite, or K exceeds `spec.depth`
        with the `exact` accumulator.

    Warns
    -----
    RuntimeWarning
        Sums left the range of the accumulator: they are saturated, or infinite.
    """
    reals = [np.asarray(operand, dtype=np.float64) for operand in (a, b)]
    if min(real.ndim for real in reals) < 2 or reals[0].shape[-1] != reals[1].shape[-2]:
        raise ValueError(
            f"operands must be ... x M x K and ... x K x N, not {reals[0].shape} and {reals[1].shape}"
        )
    depth = reals[0].shape[-1]
    if spec.acc == "exact" and depth > spec.depth:
        raise ValueError(
            f"K is {depth}, more than the depth {spec.depth} of the accumulator: ask for depth={depth}"
        )
    x, y = (quantise(real, format_, rounding) for real, format_ in zip(reals, spec.formats, strict=True))
    values, left_range = _batched(x.codes, y.codes, spec)
    if left_range:
        warnings.warn(
            f"{left_range} of {values.size} sums left the range of the accumulator {spec.acc}",
            RuntimeWarning,
            stacklevel=2,
        )
    return values * x.scale * y.scale  # The product of the scales alone may be no double.


def matmul_codes(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Sums:
    """Multiply matrices of codes as the hardware does.

    The products of step s are those of k = s * lanes to s * lanes + lanes - 1; K need not be a
    multiple of the lanes.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic

    Returns
    -------
    Sums
        Of shape (M, N). The bits do not depend on how they were computed.

    Raises
    ------
    ValueError
        The inner sizes differ, or an operand is not a matrix.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"operands must be M x K and K x N, not {a.shape} and {b.shape}")
    a, b = (
        np.ascontiguousarray(m, dtype=format_.dtype)
        for m, format_ in zip((a, b), arithmetic.formats, strict=True)
    )
    if arithmetic.acc in FLOAT_ACCUMULATORS:
        return _float_result(float_sums(a, b, arithmetic), arithmetic)
    infinity, nan = special_sums(a, b, arithmetic)
    overflow: NDArray[np.bool_] = np.zeros(nan.shape, dtype=np.bool_)
    register = _whole_sums(a, b, arithmetic)
    if register is None:
        register, overflow = _bounded_sums(a, b, arithmetic)
    return Sums(arithmetic, register, overflow, infinity, nan)


def _whole_sums(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> FixedPoint | None:
    """Give the exact sums, or None where they could need truncation or leave the register on their way."""
    smallest_bit, bound = _range(a, b, arithmetic)
    register = FixedPoint((a.shape[0], b.shape[1]), arithmetic.accumulator_bits)
    limit = 2.0 ** (arithmetic.accumulator_bits - 1 + arithmetic.lsb_exponent)
    if smallest_bit < arithmetic.lsb_exponent or bound >= limit:
        return None
    for sums, exponent in _exact_parts(a, b, arithmetic):
        units = np.multiply(sums, 2.0**-exponent, out=sums).astype(np.int64)
        register.add(units, exponent - arithmetic.lsb_exponent)
    register.normalise()
    return register


def _exact_parts(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic
) -> Iterator[tuple[NDArray[np.float64], int]]:
    """Give sums, multiples of a power of two, that make the exact ones together, the fastest way there is."""
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
    bound = float(wide_product(x, y, arithmetic)[1]) * a.shape[1]
    smallest = split(x[:1], first, arithmetic).power * split(y[:1], second, arithmetic).power
    lowest = int(np.frexp(smallest[0])[1]) - 1 - arithmetic.fraction_bits
    return max(lowest, arithmetic.product_lsb_exponent), bound


def _batched(x: Codes, y: Codes, spec: Arithmetic) -> tuple[NDArray[np.float64], int]:
    """Multiply stacks of matrices of codes: their values, and how many left the accumulator's range."""
    if y.ndim == 2:  # One matrix product of all rows.
        rows = matmul_codes(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), y, spec)
        return rows.values().reshape(*x.shape[:-1], y.shape[-1]), _count_left_range(rows)
    axes = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = np.broadcast_to(x, axes + x.shape[-2:]), np.broadcast_to(y, axes + y.shape[-2:])
    values = np.empty((*axes, x.shape[-2], y.shape[-1]))
    left_range = 0
    for index in np.ndindex(axes):
        sums = matmul_codes(x[index], y[index], spec)
        values[index] = sums.values()
        left_range += _count_left_range(sums)
    return values, left_range


def _count_left_range(sums: Sums) -> int:
    return int(np.count_nonzero(sums.overflow | sums.inf | sums.nan))


def _float_result(register: NDArray[np.float32], arithmetic: Arithmetic) -> Sums:
    nan, infinite = np.isnan(register), np.isinf(register)
    infinity = np.where(infinite, np.copysign(1, np.where(nan, 0, register)), 0).astype(np.int8)
    return Sums(arithmetic, register, np.zeros(nan.shape, dtype=np.bool_), infinity, nan)
