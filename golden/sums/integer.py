"""Sums of products of integers: ordinary matrix products, exact in floating point where sums are small.

Every step of a sum of K products of at most 2^P is a whole number of at most K 2^P, which float32 holds up to
2^24. So K is cut into blocks of 2^(24-P) products (1,024 of int8), whose sums are added in double precision.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import decode
from lmul.golden.formats.format import FP32
from lmul.golden.sums.fixed_point import FixedPoint
from lmul.golden.sums.result import Sums


def integer_sums(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Sums:
    """Multiply matrices of codes of integers in a fixed-point register.

    A register that sums can leave is followed step by step: `exact` wraps, `fixed` saturates. A sum of
    magnitudes that fits says that none can.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
    """
    x, y = (decode(codes, format_) for codes, format_ in zip((a, b), arithmetic.formats, strict=True))
    limit = 2.0 ** (arithmetic.accumulator_bits - 1)
    overflow = np.zeros((len(x), y.shape[1]), dtype=np.bool_)
    fits = _bound(x, y) < limit or np.max(_products(np.abs(x), np.abs(y), arithmetic), initial=0) < limit
    if fits:
        register = FixedPoint(_products(x, y, arithmetic)[None], arithmetic.accumulator_bits)
    else:
        register = _stepwise(x, y, arithmetic, overflow)
    return Sums(arithmetic, register, overflow, np.zeros(overflow.shape, np.int8), np.zeros_like(overflow))


def _bound(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Bound the magnitude of every sum and of all that leads to it."""
    first, second = (float(np.max(np.abs(side), initial=0)) for side in (x, y))
    bound: float = x.shape[1] * first * second
    return bound


def _products(x: NDArray[np.float32], y: NDArray[np.float32], arithmetic: Arithmetic) -> NDArray[np.float64]:
    """Multiply matrices of integers exactly."""
    block = (2 << FP32.mantissa_bits) // arithmetic.largest_product
    total = np.zeros((len(x), y.shape[1]))
    for first in range(0, x.shape[1], block):
        total += x[:, first : first + block] @ y[first : first + block]
    return total


def _stepwise(
    x: NDArray[np.float32], y: NDArray[np.float32], arithmetic: Arithmetic, overflow: NDArray[np.bool_]
) -> FixedPoint:
    """Add step after step in a register that sums may leave; `overflow` is set where one did."""
    limit = 2.0 ** (arithmetic.accumulator_bits - 1)
    total = np.zeros(overflow.shape)
    for first in range(0, x.shape[1], arithmetic.lanes):
        total += x[:, first : first + arithmetic.lanes] @ y[first : first + arithmetic.lanes]
        outside = (total < -limit) | (total >= limit)
        overflow |= outside
        if arithmetic.saturates:
            np.clip(total, -limit, limit - 1, out=total)
        elif outside.any():
            total[...] = (total + limit) % (2 * limit) - limit
    return FixedPoint(total[None], arithmetic.accumulator_bits)
