"""The exponents that occur in matrices of codes, and ranges of exponents cut into windows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.format import Format
from lmul.golden.products.operand import finite_range, split

Window = tuple[int, int]
"""The first and the last of some exponents."""

Ranges = tuple[Window | None, Window | None]
"""Those of the operands of both sides, None where all are zero."""

PAIR_BITS = 104
"""Sums of so many bits are exact as the sum of two doubles."""


def exponent_ranges(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Ranges:
    """Give the smallest and the largest exponent of finite nonzero operands, None where there are none.

    Parameters
    ----------
    a, b : ndarrays of integer codes, of any shapes
    arithmetic : Arithmetic
    """
    first, second = arithmetic.formats
    return _exponents(a, first, arithmetic), _exponents(b, second, arithmetic)


def fit_two_doubles(ranges: Ranges, depth: int, arithmetic: Arithmetic) -> bool:
    """Tell whether the bits of the smallest product up to the sign of the largest sum fit two doubles.

    Parameters
    ----------
    ranges : pair of (int, int)
        Exponents of the operands, as `exponent_ranges` gives them.
    depth : int
        Products of a sum.
    arithmetic : Arithmetic
    """
    span = sum(window[1] - window[0] for window in ranges if window)
    return span + arithmetic.fraction_bits + 3 + depth.bit_length() <= PAIR_BITS


def cut(exponents: Window | None, size: int) -> tuple[Window, ...]:
    """Cut a range of exponents into windows of some size, the largest first, the last one smaller."""
    if exponents is None:
        return ()
    first, last = exponents
    return tuple((max(high - size + 1, first), high) for high in range(last, first - 1, -size))


def _exponents(codes: NDArray[Any], format_: Format, arithmetic: Arithmetic) -> Window | None:
    ends = finite_range(codes, format_, arithmetic)
    if ends is None:
        return None
    low, high = np.frexp(split(ends, format_, arithmetic).power)[1] - 1
    return int(low), int(high)
