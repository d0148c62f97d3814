"""Where L-Mul's formula and L-Mul's integer addition part.

With S = xm + ym + 2^-l both give 1 + S while the mantissas do not carry. Then integer addition gives 2S, and
from S = 2 on 4(S - 1); the formula goes on with 1 + S.
"""

from dataclasses import dataclass

import numpy as np

from lmul.accuracy.statistics import Reals
from lmul.multipliers.integer_add import integer_add
from lmul.multipliers.lmul import lmul_constant

SUMS_AT_ONCE = 1 << 20
"""Sums of mantissas looked at together."""

REGIONS = ("S < 1", "1 <= S < 2", "S >= 2")


@dataclass(frozen=True)
class Parting:
    """How much formula and integer addition differ, all pairs of mantissas counting the same.

    Parameters
    ----------
    mantissa_bits : int
        M.
    shares : tuple of three floats
        Share of the pairs in each of `REGIONS`.
    mean : float
        Mean of integer addition less formula, over the formula.
    largest : float
        The largest of these.
    """

    mantissa_bits: int
    shares: tuple[float, float, float]
    mean: float
    largest: float


def parting(mantissa_bits: int) -> Parting:
    """Compare formula and integer addition over all pairs of mantissas, by the sum of the two.

    Parameters
    ----------
    mantissa_bits : int
        M.
    """
    one = 1 << mantissa_bits
    counts, total, largest = np.zeros(3), 0.0, 0.0
    for start in range(0, 2 * one - 1, SUMS_AT_ONCE):
        mantissa_sum = np.arange(start, min(start + SUMS_AT_ONCE, 2 * one - 1))
        pairs = one - np.abs(mantissa_sum - (one - 1))
        s = mantissa_sum + lmul_constant(mantissa_bits)
        difference: Reals = integer_add(s, mantissa_bits) / (one + s) - 1.0
        counts += np.bincount(np.minimum(s >> mantissa_bits, 2), weights=pairs, minlength=3)
        total += float(np.dot(pairs, difference))
        largest = max(largest, float(np.max(difference)))
    low, middle, high = (float(count) for count in counts / float(one) ** 2)
    return Parting(mantissa_bits, (low, middle, high), total / float(one) ** 2, largest)
