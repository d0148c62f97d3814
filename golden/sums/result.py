"""Accumulated sums: registers, flags, and the outputs made of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import decode, encode
from lmul.golden.formats.format import FORMATS, FP32, Codes, Format
from lmul.golden.sums.fixed_point import FixedPoint


@dataclass(frozen=True)
class Sums:
    """Accumulated sums and their flags, all of one shape.

    Parameters
    ----------
    arithmetic : Arithmetic
        Of the accumulator.
    register : FixedPoint or ndarray of float32
        The accumulator: in units of 2^lsb_exponent, or the number in a floating-point one. Products
        that are infinite or NaN count as zero in a fixed-point register.
    overflow : ndarray of bool
        A fixed-point register left its range. `exact` then holds the sum modulo its width, `fixed`
        has been saturated. Floating-point accumulators overflow to infinity instead. What the output
        cannot hold is `too_large`; the hardware's flag is set by both.
    infinity : ndarray of int8
        Sign of an infinite sum, 0 for all others.
    nan : ndarray of bool
        The sum is NaN: a product was, or infinities of both signs met.

    Examples
    --------
    >>> from lmul.golden import E4M3, Arithmetic, encode, matmul_codes
    >>> a, b = encode([[448.0, 448.0]], E4M3), encode([[448.0], [448.0]], E4M3)
    >>> sums = matmul_codes(a, b, Arithmetic(mul="exact", acc="fixed:16:0", out="raw"))
    >>> sums.raw.tolist(), sums.flags.tolist()
    ([[32767]], [[4]])
    """

    arithmetic: Arithmetic
    register: FixedPoint | NDArray[np.float32]
    overflow: NDArray[np.bool_]
    infinity: NDArray[np.int8]
    nan: NDArray[np.bool_]

    @property
    def inf(self) -> NDArray[np.bool_]:
        """The sum is infinite."""
        infinite: NDArray[np.bool_] = self.infinity != 0
        return infinite

    @property
    def too_large(self) -> NDArray[np.bool_]:
        """The sum is finite, and its output is not: it rounds to more than the largest number."""
        if not self.arithmetic.output_overflows:
            return np.zeros(self.nan.shape, dtype=np.bool_)
        lost: NDArray[np.bool_] = np.isinf(self.values()) & ~self.inf
        return lost

    @property
    def flags(self) -> NDArray[np.int64]:
        """The flags as the hardware's bits: {overflow, inf, nan}."""
        overflow = (self.overflow | self.too_large).astype(np.int64)
        return (overflow << 2) | (self.inf.astype(np.int64) << 1) | self.nan

    @property
    def raw(self) -> NDArray[Any]:
        """The registers: signed integers (Python's beyond 63 bits), or codes of a floating-point format."""
        if isinstance(self.register, FixedPoint):
            return self.register.integers()
        return self._encoded(self.arithmetic.accumulator.format or FP32).astype(np.int64)

    def output(self) -> NDArray[Any]:
        """Give the output elements as bit patterns: int64, or Python's integers beyond 63 bits."""
        if self.arithmetic.out != "raw":
            return self._encoded(FORMATS[self.arithmetic.out]).astype(np.int64)
        raw: NDArray[Any] = self.raw & ((1 << self.arithmetic.output_bits) - 1)
        return raw

    def values(self) -> NDArray[np.float64]:
        """Give the numbers that the output elements stand for; `raw` ones of more than 53 bits rounded."""
        if self.arithmetic.out == "fp32" and isinstance(self.register, np.ndarray):
            return self._reals()
        if self.arithmetic.out != "raw":
            format_ = FORMATS[self.arithmetic.out]
            return decode(self._encoded(format_), format_).astype(np.float64)
        if isinstance(self.register, FixedPoint):
            units = self.register.integers().astype(np.float64)
            return self._with_specials(units * 2.0**self.arithmetic.lsb_exponent)
        return self._reals()

    def _encoded(self, format_: Format) -> Codes:
        return encode(self._reals(), format_, "nearest", "ieee")

    def _reals(self) -> NDArray[np.float64]:
        """Give the sums as doubles, for one more rounding: fixed-point ones rounded to odd."""
        if not isinstance(self.register, FixedPoint):
            return self.register.astype(np.float64)
        return self._with_specials(self.register.to_odd(self.arithmetic.lsb_exponent))

    def _with_specials(self, reals: NDArray[np.float64]) -> NDArray[np.float64]:
        if np.any(self.infinity):
            reals = np.where(self.infinity != 0, np.copysign(np.inf, self.infinity), reals)
        if np.any(self.nan):
            reals[self.nan] = np.nan
        return reals
