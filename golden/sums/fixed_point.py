"""Arrays of fixed-point numbers of any width: the registers of exact accumulators."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.formats.codec import FP64_MANTISSA_BITS, power_of_two

INT64_BITS = 63
"""Registers up to this width are one integer each."""

FP64_SIGNIFICAND_BITS = FP64_MANTISSA_BITS + 1

DIGIT_BITS = 32
_DIGIT_MASK = (1 << DIGIT_BITS) - 1


class FixedPoint:
    """Two's complement registers.

    Parameters
    ----------
    digits : ndarray of int64, shape (D,) + shape
        Base 2^32, least significant first, the last one with the sign. A single one may have any size, and
        be of another type whose numbers are doubles.
    bits : int
        Width of a register, its sign included.
    zeros : int
        The digits stand for the registers divided by 2^zeros.
    """

    def __init__(self, digits: NDArray[Any], bits: int, zeros: int = 0) -> None:
        self.digits = digits
        self.bits = bits
        self.zeros = zeros

    @classmethod
    def cleared(
        cls, shape: tuple[int, ...], bits: int, zeros: int = 0, kept: int | None = None
    ) -> "FixedPoint":
        """Make registers that are zero.

        Parameters
        ----------
        shape : tuple of int
        bits : int
        zeros : int
            Last bits of all registers that are zero, and not kept.
        kept : int, optional
            Bits above those that are kept; all bits above are the sign. Default: all.
        """
        kept = bits - zeros if kept is None else kept
        count = 1 if kept <= INT64_BITS else -(-kept // DIGIT_BITS)
        return cls(np.zeros((count, *shape), dtype=np.int64), bits, zeros)

    @classmethod
    def from_integers(cls, integers: NDArray[Any], bits: int) -> "FixedPoint":
        """Make registers that hold integers, of int64 or of Python's."""
        registers = cls.cleared(integers.shape, bits)
        for position, digit in enumerate(registers.digits):
            last = position == len(registers.digits) - 1
            digit[...] = integers if last else integers & _DIGIT_MASK
            integers = integers >> DIGIT_BITS if not last else integers
        return registers

    def add(self, values: NDArray[np.int64], shift: int) -> None:
        """Add values * 2^shift, magnitudes of the values below 2^62. The sums must fit the registers."""
        shift -= self.zeros
        first, shift = divmod(shift, DIGIT_BITS) if len(self.digits) > 1 else (0, shift)
        digits = self.digits[first:]
        if len(digits) == 1:
            digits[0] += values << shift if shift else values
            return
        low = (values & _DIGIT_MASK) << shift
        high = (low >> DIGIT_BITS) + ((values >> DIGIT_BITS) << shift)
        digits[0] += low & _DIGIT_MASK
        if len(digits) == 2:
            digits[1] += high
        else:
            digits[1] += high & _DIGIT_MASK
            digits[2] += high >> DIGIT_BITS

    def normalise(self) -> None:
        """Carry, so that all digits but the last are from 0 to 2^32 - 1. To be called after additions."""
        for position in range(len(self.digits) - 1):
            self.digits[position + 1] += self.digits[position] >> DIGIT_BITS
            self.digits[position] &= _DIGIT_MASK

    def integers(self) -> NDArray[Any]:
        """Give the registers as int64, or as Python integers where they have more than 63 bits."""
        if self.digits.dtype == np.float64:
            units = self.digits[0] * 2.0**self.zeros
            return units.astype(np.int64) if self.bits <= INT64_BITS else python_integers(units)
        if self.bits <= INT64_BITS:
            first: NDArray[np.int64] = self.digits[0].astype(np.int64) << self.zeros
            return first
        value: NDArray[Any] = self.digits[-1].astype(object)
        for digit in self.digits[-2::-1]:
            value = (value << DIGIT_BITS) | digit.astype(object)
        return value << self.zeros

    def to_odd(self, exponent: int) -> NDArray[np.float64]:
        """Give the registers times 2^exponent as doubles, rounded to odd where they do not fit.

        They keep at least 32 bits, so that a later rounding to 30 bits or fewer is the only one. Rounding to
        odd truncates and sets the last bit if anything was lost (Boldo and Melquiond, IEEE Trans. Computers
        57(4), 2008).
        """
        if self.digits.dtype != np.int64 or self.bits <= FP64_SIGNIFICAND_BITS + 1:
            exact: NDArray[np.float64] = self.digits[0] * 2.0 ** (self.zeros + exponent)
            # A register has one zero; a sum of doubles that are all -0 is -0.
            exact += 0.0
            return exact
        negative = self.digits[-1] < 0
        magnitude = FixedPoint(np.where(negative, -self.digits, self.digits), self.bits)
        magnitude.normalise()
        head, lost = magnitude.digits[-1].copy(), np.zeros(negative.shape, dtype=np.bool_)
        place = np.full(negative.shape, DIGIT_BITS * (len(self.digits) - 1) + self.zeros + exponent)
        for digit in magnitude.digits[-2::-1]:
            room = head < (1 << (INT64_BITS - DIGIT_BITS))
            lost |= ~room & (digit != 0)
            head = np.where(room, (head << DIGIT_BITS) | digit, head)
            place -= DIGIT_BITS * room
        odd = _int64_to_odd(head, lost)
        return np.where(negative, -odd, odd) * power_of_two(place)


def python_integers(numbers: NDArray[np.float64]) -> NDArray[Any]:
    """Give whole doubles as Python's integers."""
    return np.array(np.frompyfunc(int, 1, 1)(numbers))


def _int64_to_odd(head: NDArray[np.int64], lost: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Round non-negative integers to odd doubles; `lost` says that there was more behind them."""
    excess = INT64_BITS - FP64_SIGNIFICAND_BITS
    short = head < (1 << FP64_SIGNIFICAND_BITS)
    lost = lost | (~short & ((head & ((1 << excess) - 1)) != 0))
    truncated = np.bitwise_or(np.where(short, head, head >> excess), lost)
    return truncated.astype(np.float64) * np.where(short, 1.0, 2.0**excess)
