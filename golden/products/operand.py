"""Operands taken apart: every finite nonzero one is a power of two times 1 + mantissa / 2^M."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import FP64_MANTISSA_BITS, TABLE_WIDTH, decode
from lmul.golden.formats.format import Format


@dataclass(frozen=True)
class Operand:
    """Operands as a multiplier takes them, of any shape.

    Parameters
    ----------
    mantissa : ndarray of int64
        The M bits behind the leading one, M that of the wider operand of the product.
    power : ndarray of float64
        The power of two, with the operand's sign. Zeros, infinities and NaN are themselves.
    """

    mantissa: NDArray[np.int64]
    power: NDArray[np.float64]


def split(codes: NDArray[Any], format_: Format, arithmetic: Arithmetic) -> Operand:
    """Take codes apart. Subnormals become zeros or are normalised, as `arithmetic.subnormals` says.

    Parameters
    ----------
    codes : ndarray of integers below 2^W, any shape
    format_ : Format
        Of these operands: one of `arithmetic.formats`.
    arithmetic : Arithmetic
    """
    if format_.width > TABLE_WIDTH:
        return _split(codes, format_, arithmetic.subnormals, arithmetic.mantissa_bits)
    table = _split_table(format_, arithmetic.subnormals, arithmetic.mantissa_bits)
    return Operand(table.mantissa[codes], table.power[codes])


def finite_range(codes: NDArray[Any], format_: Format, arithmetic: Arithmetic) -> NDArray[np.int64] | None:
    """Give the smallest and the largest magnitude code of the finite operands that count, None without any.

    Parameters
    ----------
    codes : ndarray of unsigned integers below 2^W, any shape
    format_ : Format
    arithmetic : Arithmetic
        Flushed subnormals do not count, nor do zeros.
    """
    integer = codes.dtype.type
    smallest = integer(format_.smallest_normal if arithmetic.subnormals == "flush" else 1)
    magnitude = codes & integer(format_.magnitude_mask)
    highest = np.max(magnitude, initial=0)
    if highest > format_.largest_finite:
        highest = np.max(magnitude, initial=0, where=magnitude <= format_.largest_finite)
    if highest < smallest:
        return None
    # What is too small wraps around to large integers.
    lowest = np.min(magnitude - smallest) + smallest
    return np.array([lowest, highest], dtype=np.int64)


@lru_cache(maxsize=16)
def _split_table(format_: Format, subnormals: str, mantissa_bits: int) -> Operand:
    return _split(np.arange(1 << format_.width), format_, subnormals, mantissa_bits)


def operand_reals(codes: NDArray[Any], format_: Format, subnormals: str) -> NDArray[np.float64]:
    """Give the numbers that codes stand for; subnormals become zeros of their sign if they are flushed."""
    with np.errstate(invalid="ignore"):  # Signalling NaN warns when it is converted.
        reals = decode(codes, format_).astype(np.float64)
    if subnormals == "flush":
        reals = np.where(np.abs(reals) < format_.smallest, np.copysign(0.0, reals), reals)
    return reals


def _split(codes: NDArray[Any], format_: Format, subnormals: str, mantissa_bits: int) -> Operand:
    reals = operand_reals(codes, format_, subnormals)
    bits = reals.view(np.int64)
    fraction_mask = (1 << FP64_MANTISSA_BITS) - 1
    power = np.where(np.isnan(reals), reals, (bits & ~fraction_mask).view(np.float64))
    return Operand((bits & fraction_mask) >> (FP64_MANTISSA_BITS - mantissa_bits), power)
