"""The loops that round numbers into a format, compiled by Numba."""

from typing import Any

import numba
import numpy as np

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
    for i in range(bits.shape[0]):
        codes[i] = _code(bits[i], layout, nearest, beyond)


@numba.njit(cache=True, nogil=True)
def find_peaks(bits: Any, magnitude: Any, peaks: Any) -> None:
    """Find the largest magnitude of each row of floats, which have the order of their bit patterns.

    Parameters
    ----------
    bits : ndarray of int32 or int64, shape (R, L)
        Bit patterns; L is at least 1.
    magnitude : int32 or int64
        The mask of all bits but the sign.
    peaks : ndarray of the same type, shape (R,)
        Is written: bit patterns. That of NaN is above all others.
    """
    for row in range(bits.shape[0]):
        peak = bits[row, 0] & magnitude
        for i in range(1, bits.shape[1]):
            peak = max(peak, bits[row, i] & magnitude)
        peaks[row] = peak


@numba.njit(cache=True, nogil=True)
def encode_rows(reals: Any, scales: Any, layout: Any, nearest: bool, beyond: Any, codes: Any) -> None:
    """Round the rows of an array (R, L), each divided by its scale, into a format, as `encode` does."""
    for row in range(reals.shape[0]):
        scale = scales[row]
        for i in range(reals.shape[1]):
            bits = np.float64(np.float64(reals[row, i]) / scale).view(np.int64)
            codes[row, i] = _code(bits, layout, nearest, beyond)


@numba.njit(cache=True, nogil=True)
def encode_integer_rows(
    reals: Any, scales: Any, largest: float, nearest: bool, mask: int, codes: Any
) -> None:
    """Round the rows of an array (R, L), each divided by its scale, to integers of at most some magnitude.

    Parameters
    ----------
    reals : ndarray of float32 or float64, shape (R, L)
    scales : ndarray of float64, shape (R,)
    largest : float64
    nearest : bool
        To nearest, ties to even; else toward zero.
    mask : int
        Of the bits of a code.
    codes : ndarray of unsigned integers, shape (R, L)
        Is written: two's complement.
    """
    for row in range(reals.shape[0]):
        scale = scales[row]
        for i in range(reals.shape[1]):
            number = np.float64(reals[row, i]) / scale
            whole = np.rint(number) if nearest else np.trunc(number)
            codes[row, i] = np.int64(min(max(whole, -largest), largest)) & mask


@numba.njit(inline="always")
def _code(bits: Any, layout: Any, nearest: bool, beyond: Any) -> Any:
    mantissa_bits, min_exponent, sign, largest = layout
    too_large, infinity, nan = beyond
    magnitude = bits & _FP64_MAGNITUDE
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
    return field | (sign if bits < 0 and field != nan else 0)
