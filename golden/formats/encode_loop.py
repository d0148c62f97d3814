"""The loop that rounds numbers into a format, compiled by Numba."""

from typing import Any

import numba

_FP64_FRACTION, _FP64_INFINITY, _FP64_MAGNITUDE = (1 << 52) - 1, 0x7FF << 52, (1 << 63) - 1


@numba.njit(cache=True, nogil=True)
def encode(bits: Any, layout: Any, nearest: bool, beyond: Any, codes: Any) -> None:
    """Round doubles into a format.

    Parameters
    ----------
    bits : ndarray of int64, shape (N,)
        Their bit patterns.
    layout : tuple of int
        The format's mantissa bits, smallest exponent, sign bit and largest finite code.
    nearest : bool
        To nearest, ties to even; else toward zero.
    beyond : tuple of int
        Codes of numbers that are too large, of infinity, and of NaN. Of the last there is no negative.
    codes : ndarray of unsigned integers, shape (N,)
        Is written.
    """
    mantissa_bits, min_exponent, sign, largest = layout
    too_large, infinity, nan = beyond
    for i in range(bits.shape[0]):
        magnitude = bits[i] & _FP64_MAGNITUDE
        exponent = (magnitude >> 52) - 1023
        kept = max(exponent, min_exponent)
        # Numbers below a quarter of the smallest subnormal one are all zero.
        shift = min(52 - mantissa_bits + kept - exponent, 54)
        significand = (magnitude & _FP64_FRACTION) | (1 << 52)
        half = ((1 << (shift - 1)) - 1 + ((significand >> shift) & 1)) if nearest else 0
        field = ((significand + half) >> shift) + ((kept - min_exponent) << mantissa_bits)
        if magnitude >= _FP64_INFINITY:
            field = infinity if magnitude == _FP64_INFINITY else nan
        elif field > largest:
            field = too_large
        codes[i] = field | (sign if bits[i] < 0 and field != nan else 0)
