"""The constant that would make integer addition most accurate, found on random operands.

With S = xm + ym + d, integer addition gives V = 1 + S for S < 1, 2S for S < 2 and 4(S - 1) above. Its RMS
relative error against the operands before rounding depends on d, which need not be a power of two here.
"""

import math
from dataclasses import dataclass

import numpy as np

from lmul.accuracy.products import PAIRS, draw, unbounded_format
from lmul.accuracy.statistics import Reals
from lmul.golden import encode
from lmul.golden.formats.codec import Rounding
from lmul.multipliers.lmul import lmul_offset

WIDTHS = (1, 2, 3, 4, 5, 6, 7, 10)
"""Mantissa widths that are looked at."""

OFFSETS = range(1, 13)
"""Offsets l that are tried. Above M the constant is less than a unit in the last place."""


@dataclass(frozen=True)
class Moments:
    """All that the RMS error of integer addition depends on, by the sum of the two integer mantissas.

    Parameters
    ----------
    mantissa_bits : int
        M.
    first, second : ndarray of float64, shape (2^(M+1) - 1,)
        Sums of r and of r^2, r being 2^e of the rounded operands over the true product.
    count : int
        Products.
    """

    mantissa_bits: int
    first: Reals
    second: Reals
    count: int


@dataclass(frozen=True)
class BestConstants:
    """The best constants for one mantissa width and one way to round operands.

    Parameters
    ----------
    mantissa_bits : int
        M.
    rounding : {"nearest", "truncate"}
        Of the operands.
    none_rms : float
        RMS relative error with no constant.
    paper_offset : int
        The paper's l(M); its constant is 2^-l.
    paper_rms : float
        RMS relative error with it.
    offset : int
        The best l of `OFFSETS`.
    offset_rms : float
        RMS relative error with it.
    constant : float
        The best real constant.
    constant_rms : float
        RMS relative error with it.
    """

    mantissa_bits: int
    rounding: Rounding
    none_rms: float
    paper_offset: int
    paper_rms: float
    offset: int
    offset_rms: float
    constant: float
    constant_rms: float


def best_constants(mantissa_bits: int, rounding: Rounding, pairs: int = PAIRS) -> BestConstants:
    """Find the best l and the best real constant, on uniformly random mantissas.

    Parameters
    ----------
    mantissa_bits : int
        M.
    rounding : {"nearest", "truncate"}
        Of the operands.
    pairs : int
        How many products to draw.
    """
    moments = collect_moments(mantissa_bits, rounding, pairs)
    paper = lmul_offset(mantissa_bits)
    by_offset = {offset: rms_error(moments, 2.0**-offset) for offset in OFFSETS}
    offset = min(by_offset, key=by_offset.__getitem__)
    constant = best_constant(moments)
    return BestConstants(
        mantissa_bits,
        rounding,
        rms_error(moments, 0.0),
        paper,
        by_offset[paper],
        offset,
        by_offset[offset],
        constant,
        rms_error(moments, constant),
    )


def collect_moments(mantissa_bits: int, rounding: Rounding, pairs: int = PAIRS) -> Moments:
    """Draw operands, round them, and sort their products by the sum of the mantissas."""
    format_ = unbounded_format(mantissa_bits)
    x, y = draw("uniform", pairs)
    codes = [encode(values, format_, rounding).astype(np.int64) for values in (x, y)]
    mantissa_sum = sum(code & format_.mantissa_mask for code in codes)
    # Rounded up, a number just below 2 is in the next binade.
    exponent = sum((code >> mantissa_bits) - format_.bias for code in codes)
    ratio: Reals = np.ldexp(1.0 / (x * y), exponent)
    size = (2 << mantissa_bits) - 1
    first: Reals = np.bincount(mantissa_sum, weights=ratio, minlength=size).astype(np.float64)
    second: Reals = np.bincount(mantissa_sum, weights=ratio * ratio, minlength=size).astype(np.float64)
    return Moments(mantissa_bits, first, second, pairs)


def rms_error(moments: Moments, constant: float) -> float:
    """Give the RMS relative error of integer addition with a constant from 0 to 1."""
    s = np.arange(moments.first.size) / (1 << moments.mantissa_bits) + constant
    value = np.where(s < 1, 1 + s, np.where(s < 2, 2 * s, 4 * (s - 1)))
    squares = np.dot(moments.second, value * value) - 2 * np.dot(moments.first, value) + moments.count
    return math.sqrt(float(squares) / moments.count)


def best_constant(moments: Moments) -> float:
    """Find the real constant from 0 to 1 with the smallest RMS error.

    Between two neighbouring multiples of 2^-M no carry changes, so the mean square is a parabola there.
    """
    one = 1 << moments.mantissa_bits
    candidates = [_vertex(moments, low) for low in range(one)]
    return min(candidates, key=lambda constant: rms_error(moments, constant))


def _vertex(moments: Moments, low: int) -> float:
    """Give the best constant from low / 2^M to (low + 1) / 2^M."""
    one = 1 << moments.mantissa_bits
    mantissa_sum = np.arange(moments.first.size)
    carry = (mantissa_sum + low) // one
    slope = np.choose(carry, [1.0, 2.0, 4.0])
    start = slope * mantissa_sum / one + np.choose(carry, [1.0, 0.0, -4.0])
    linear = float(np.dot(moments.second, start * slope) - np.dot(moments.first, slope))
    vertex = -linear / float(np.dot(moments.second, slope * slope))
    return min(max(vertex, low / one), (low + 1) / one)
