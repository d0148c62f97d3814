"""Dot products and matrix products of codes, to the bit of the hardware."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.multiply import product_table

CANONICAL_NAN_FP32 = np.uint32(0x7FC00000)


@dataclass(frozen=True)
class Sums:
    """Accumulated sums and their flags, all of one shape.

    Parameters
    ----------
    raw : ndarray of int64
        The accumulator register, in units of 2^lsb_exponent.
    overflow : ndarray of bool
        The register left its range; `raw` is then the sum modulo its width.
    nan : ndarray of bool
        A product was NaN; `raw` then counts it as zero.
    """

    raw: NDArray[np.int64]
    overflow: NDArray[np.bool_]
    nan: NDArray[np.bool_]

    def output(self, arithmetic: Arithmetic) -> NDArray[np.int64]:
        """Give the output elements as bit patterns, `arithmetic.output_bits` wide."""
        if arithmetic.out == "raw":
            return self.raw & ((1 << arithmetic.accumulator_bits) - 1)
        return self._fp32(arithmetic).view(np.uint32).astype(np.int64)

    def _fp32(self, arithmetic: Arithmetic) -> NDArray[np.float32]:
        # The integer is rounded once; the power of two is exact, far from both ends of binary32.
        reals = np.ldexp(self.raw.astype(np.float32), arithmetic.lsb_exponent)
        return np.where(self.nan, CANONICAL_NAN_FP32.view(np.float32), reals).astype(np.float32)


def matmul(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Sums:
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
        Of shape (M, N).

    Raises
    ------
    ValueError
        The inner sizes differ, or an operand is not a matrix.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"operands must be M x K and K x N, not {a.shape} and {b.shape}")
    products, nans = product_table(arithmetic)
    limit = 1 << (arithmetic.accumulator_bits - 1)
    raw = np.zeros((a.shape[0], b.shape[1]), dtype=np.int64)
    overflow, nan = np.zeros(raw.shape, dtype=np.bool_), np.zeros(raw.shape, dtype=np.bool_)
    for first in range(0, a.shape[1], arithmetic.lanes):
        for k in range(first, min(first + arithmetic.lanes, a.shape[1])):
            raw += products[a[:, k, None], b[None, k, :]]
            nan |= nans[a[:, k, None], b[None, k, :]]
        left_range = (raw < -limit) | (raw >= limit)
        overflow |= left_range
        raw = np.where(left_range, (raw + limit) % (2 * limit) - limit, raw)
    return Sums(raw, overflow, nan)
