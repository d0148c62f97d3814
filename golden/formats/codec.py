"""Real numbers to codes of a format and back."""

from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arguments import as_reals, check_choice
from lmul.golden.formats.format import FP32, Codes, Format, Integer, as_codes, check_format
from lmul.golden.formats.integer import integer_codes, integers
from lmul.host.parallel import run_parts, worth_compiling


class RoundMode(StrEnum):
    """How real numbers are rounded into a format, by the names of IEEE 754-2019, 4.3.

    Each is the string that the command line has for it, which may be given in its place.

    Examples
    --------
    >>> from lmul.golden import E4M3, RoundMode, decode, encode
    >>> [float(decode(encode(1.9, E4M3, mode), E4M3)) for mode in RoundMode]
    [1.875, 1.875]
    """

    roundTiesToEven = "nearest"  # noqa: N815
    roundTowardZero = "truncate"  # noqa: N815


Rounding = Literal["nearest", "truncate"] | RoundMode
Overflow = Literal["saturate", "ieee"]

ROUNDINGS: dict[Rounding, str] = {
    RoundMode.roundTiesToEven: "to nearest, ties to even",
    RoundMode.roundTowardZero: "toward zero",
}
OVERFLOWS = {
    "saturate": "results above the largest finite number become that number",
    "ieee": "they become infinity; NaN in fn formats, the largest finite number in finite-only ones",
}

TABLE_WIDTH = 16
"""Formats up to this width are decoded by a table of all codes."""

STEPS = 8
"""NumPy takes as long to encode a number as to multiply and add so many."""

FP64_MANTISSA_BITS, FP64_BIAS = 52, 1023


def encode(
    values: ArrayLike,
    format_: Format,
    rounding: Rounding = "nearest",
    overflow: Overflow = "saturate",
) -> Codes:
    """Round real numbers into a format. NaN becomes the canonical NaN, zeros keep their sign.

    Parameters
    ----------
    values : array_like of real numbers, any shape
        Of any integer or floating-point type, or Python's: integers of any size, fractions. They are
        rounded once.
    format_ : Format
    rounding : RoundMode or {"nearest", "truncate"}
        Nearest with ties to even, or toward zero.
    overflow : {"saturate", "ieee"}
        What becomes of magnitudes that round to more than the largest finite number. `saturate`:
        that number, for infinity too (the saturating conversion of OFP8), of an integer the end of its range
        on that side. `ieee`: infinity; NaN in `fn` formats, the same as with `saturate` in `finite` ones and
        integers. Truncation makes no infinity of a finite number, and no NaN.

    Returns
    -------
    ndarray of unsigned int, same shape
        Of `format_.dtype`.

    Raises
    ------
    ValueError
        A value is NaN, and the format has none, or it is no real number; or a name is unknown.

    Examples
    --------
    >>> from lmul.golden import E4M3, encode
    >>> encode([1.0, -0.3, 1000.0], E4M3)
    array([ 56, 170, 126], dtype=uint8)
    """
    check_format(format_)
    check_choice("rounding", rounding, ROUNDINGS)
    check_choice("overflow", overflow, OVERFLOWS)
    reals = as_reals(values)
    nan = np.isnan(reals)
    if format_ == FP32 and (rounding, overflow) == ("nearest", "ieee"):
        with np.errstate(over="ignore", invalid="ignore"):
            singles = reals.astype(np.float32)
        singles[nan] = np.nan
        return singles.view(format_.dtype)
    if np.any(nan) and format_.nan is None:
        raise ValueError(f"{format_.name} has no NaN: values must be numbers")
    if isinstance(format_, Integer):
        rounded = np.rint(reals) if rounding == RoundMode.roundTiesToEven else np.trunc(reals)
        return integer_codes(rounded, format_)
    rounded_up: Overflow = "saturate" if rounding == RoundMode.roundTowardZero else overflow
    beyond = _beyond(format_, rounded_up), _beyond(format_, overflow)
    if worth_compiling(reals.size * STEPS):
        return _encode_compiled(reals, format_, rounding, beyond)
    magnitude = np.abs(reals)
    magnitude_or_one = np.where(np.isfinite(reals), magnitude, 1.0)
    # In units of the last place; subnormals share the binade of the smallest normal number.
    exponent = _exponent(np.maximum(magnitude_or_one, format_.smallest))
    units = magnitude_or_one * power_of_two(format_.mantissa_bits - exponent)
    units = np.rint(units) if rounding == RoundMode.roundTiesToEven else np.trunc(units)
    # A binade's field starts where the last one ended, so a significand rounded up to 2 needs no care.
    field = units.astype(np.int64) + ((exponent - format_.min_exponent) << format_.mantissa_bits)
    field = np.where(field > format_.largest_finite, beyond[0], field)
    field = np.where(np.isinf(reals), beyond[1], field)
    sign = np.where(np.signbit(reals), format_.sign_mask, 0)
    if format_.specials == "fn":
        sign = np.where(field == format_.magnitude_mask, 0, sign)
    codes = sign | field
    if format_.nan is not None:
        codes = np.where(nan, format_.nan, codes)
    return codes.astype(format_.dtype)


def _encode_compiled(
    reals: NDArray[np.float64], format_: Format, rounding: Rounding, beyond: tuple[int, int]
) -> Codes:
    from lmul.golden.formats import encode_loop

    codes = np.empty(reals.size, dtype=format_.dtype)
    bits = np.ascontiguousarray(reals).reshape(-1).view(np.int64)
    how = loop_arguments(format_, rounding, beyond)

    def part(numbers: slice) -> None:
        encode_loop.encode(bits[numbers], *how, codes[numbers])

    run_parts(part, codes.size)
    return codes.reshape(reals.shape)


def loop_arguments(
    format_: Format, rounding: Rounding, beyond: tuple[int, int] | None = None
) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
    """Give what `encode_loop.encode` takes of a format and a rounding; by default numbers saturate."""
    too_large, infinity = beyond or (_beyond(format_, "saturate"),) * 2
    layout = format_.mantissa_bits, format_.min_exponent, format_.sign_mask, format_.largest_finite
    nan = -1 if format_.nan is None else format_.nan
    return layout, rounding == RoundMode.roundTiesToEven, (too_large, infinity, nan)


def decode(codes: ArrayLike, format_: Format) -> NDArray[np.float32]:
    """Give the real numbers that codes stand for, exactly.

    Parameters
    ----------
    codes : array_like of integers from 0 to 2^W - 1, any shape
    format_ : Format

    Returns
    -------
    ndarray of float32, same shape

    Raises
    ------
    ValueError
        There is no such code.

    Examples
    --------
    >>> from lmul.golden import E4M3, decode
    >>> decode([56, 170, 126], E4M3).tolist()
    [1.0, -0.3125, 448.0]
    """
    known = as_codes(codes, format_)
    if format_ == FP32:
        return known.view(np.float32)
    if format_.width > TABLE_WIDTH:
        return _decode(known, format_)
    reals: NDArray[np.float32] = _decode_table(format_)[known]
    return reals


def power_of_two(exponent: NDArray[Any]) -> NDArray[np.float64]:
    """Give 2^exponent in double precision, exponents from -1022 to 1023."""
    bits = (exponent.astype(np.int64) + FP64_BIAS) << FP64_MANTISSA_BITS
    reals: NDArray[np.float64] = bits.view(np.float64)
    return reals


def _exponent(normal: NDArray[np.float64]) -> NDArray[np.int64]:
    """Give floor(log2) of positive normal doubles."""
    exponent: NDArray[np.int64] = (normal.view(np.int64) >> FP64_MANTISSA_BITS) - FP64_BIAS
    return exponent


def _beyond(format_: Format, overflow: Overflow) -> int:
    """Give the magnitude code of what is too large."""
    if overflow == "saturate" or format_.specials == "finite":
        return format_.largest_finite
    return format_.magnitude_mask if format_.infinity is None else format_.infinity


@lru_cache
def _decode_table(format_: Format) -> NDArray[np.float32]:
    table = _decode(np.arange(1 << format_.width), format_)
    table.flags.writeable = False
    return table


def _decode(codes: NDArray[Any], format_: Format) -> NDArray[np.float32]:
    if isinstance(format_, Integer):
        return integers(codes, format_).astype(np.float32)
    field = codes.astype(np.int64) & format_.magnitude_mask
    exponent = field >> format_.mantissa_bits
    fraction = field & format_.mantissa_mask
    significand = np.where(exponent > 0, format_.smallest_normal + fraction, fraction)
    weight = np.maximum(exponent, 1) - format_.bias - format_.mantissa_bits
    magnitude = significand * power_of_two(weight)
    magnitude = np.where(field > format_.largest_finite, np.nan, magnitude)
    if format_.infinity is not None:
        magnitude = np.where(field == format_.infinity, np.inf, magnitude)
    negative = (codes & format_.sign_mask) != 0
    reals: NDArray[np.float32] = np.where(negative, -magnitude, magnitude).astype(np.float32)
    return reals
