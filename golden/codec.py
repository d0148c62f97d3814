"""Real numbers to codes of a format and back."""

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.formats import Format

Codes = NDArray[np.uint8]
Rounding = Literal["nearest", "truncate"]


def encode(values: ArrayLike, format_: Format, rounding: Rounding = "nearest") -> Codes:
    """Round real numbers into a format.

    Magnitudes above the largest finite number become that number (the saturating conversion of
    OFP8), NaN becomes the canonical NaN, zeros keep their sign.

    Parameters
    ----------
    values : array_like of float, any shape
    format_ : Format
    rounding : {"nearest", "truncate"}
        Nearest with ties to even, or toward zero.

    Returns
    -------
    ndarray of uint8, same shape
    """
    reals = np.asarray(values, dtype=np.float64)
    magnitude = np.where(np.isnan(reals), 0.0, np.minimum(np.abs(reals), _largest(format_)))
    # frexp puts zero, which has no binade, above the small numbers.
    exponent = np.where(magnitude == 0, format_.min_exponent, np.frexp(magnitude)[1] - 1)
    binade = np.maximum(exponent, format_.min_exponent)
    # Scaled so that one unit in the last place is 1; a binade's field then starts where the last one ended.
    scaled = np.ldexp(magnitude, format_.mantissa_bits - binade)
    units = (np.rint(scaled) if rounding == "nearest" else np.trunc(scaled)).astype(np.int64)
    field = units + ((binade.astype(np.int64) - format_.min_exponent) << format_.mantissa_bits)
    sign = np.signbit(reals).astype(np.int64) << (format_.width - 1)
    return np.where(np.isnan(reals), format_.nan, sign | field).astype(np.uint8)


def decode(codes: NDArray[Any], format_: Format) -> NDArray[np.float32]:
    """Give the real numbers that codes stand for, exactly.

    Parameters
    ----------
    codes : ndarray of integers below 2^W, any shape

    Returns
    -------
    ndarray of float32, same shape
    """
    reals: NDArray[np.float32] = _decode_table(format_)[codes]
    return reals


@lru_cache
def _decode_table(format_: Format) -> NDArray[np.float32]:
    codes = np.arange(1 << format_.width)
    field = codes & format_.magnitude_mask
    exponent = field >> format_.mantissa_bits
    fraction = field & (format_.smallest_normal - 1)
    significand = np.where(exponent > 0, format_.smallest_normal + fraction, fraction)
    weight = np.maximum(exponent, 1) - format_.bias - format_.mantissa_bits
    magnitude = np.ldexp(significand.astype(np.float32), weight)
    magnitude[field == format_.nan] = np.nan
    table: NDArray[np.float32] = np.where(codes >> (format_.width - 1), -magnitude, magnitude)
    table.flags.writeable = False
    return table


def _largest(format_: Format) -> float:
    return float(_decode_table(format_)[format_.largest_finite])
