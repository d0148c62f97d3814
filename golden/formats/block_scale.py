"""Scales that blocks of operands along K have in common: what their codes mean, and for which operands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.formats.codec import decode
from lmul.golden.formats.format import E4M3, INTEGERS, Format, Integer

E8M0_BIAS, E8M0_NAN = 127, 255
"""Of OCP's E8M0: a code s below 255 stands for 2^(s - 127)."""

ZERO_EXPONENT = -126
"""What a scale of zero has for an exponent."""

ScaleCodes = NDArray[np.uint8]


@dataclass(frozen=True)
class BlockScale:
    """A kind of block scale.

    Parameters
    ----------
    name : str
        Of the parameter `scale`.
    block : int
        Operands along K that have a scale in common.
    group : int
        Products that are summed exactly before their scales are multiplied in; 1 where each is a term.
    formats : tuple of str
        Of the operands.
    number : Format or None
        Of the scales, whose sign is not looked at; None for E8M0, powers of two.

    Examples
    --------
    >>> from lmul.golden.formats.block_scale import SCALES
    >>> SCALES["mx"].exponents([0, 127, 254]).tolist()
    [-127, 0, 127]
    >>> nvfp4 = SCALES["nvfp4"]
    >>> nvfp4.exponents([0, 1, 0x3C]).tolist(), nvfp4.significands([0, 1, 0x3C]).tolist()
    ([-126, -6, 0], [0, 1, 12])
    """

    name: str
    block: int
    group: int
    formats: tuple[str, ...]
    number: Format | None = None

    @property
    def power_of_two(self) -> bool:
        """Whether all scales are."""
        return self.number is None

    @property
    def fraction_bits(self) -> int:
        """Bits of a scale's significand behind the binary point."""
        return self.number.mantissa_bits if self.number else 0

    def block_of(self, group: int) -> int:
        """Give the block in a step that a group of its products is of."""
        return group * self.group // self.block

    def is_nan(self, codes: ArrayLike) -> NDArray[np.bool_]:
        """Tell which scales are NaN."""
        given = np.asarray(codes)
        if self.number is None:
            return np.asarray(given == E8M0_NAN)
        return np.asarray((given & self.number.magnitude_mask) > self.number.largest_finite)

    def exponents(self, codes: ArrayLike) -> NDArray[np.int16]:
        """Give the exponents of scales; a subnormal's is that of the smallest normal number."""
        given = np.asarray(codes).astype(np.int16)
        if self.number is None:
            return given - np.int16(E8M0_BIAS)
        magnitude = given & self.number.magnitude_mask
        field = np.maximum(magnitude >> self.number.mantissa_bits, 1)
        return np.where(magnitude == 0, ZERO_EXPONENT, field - self.number.bias).astype(np.int16)

    def significands(self, codes: ArrayLike) -> NDArray[np.int16]:
        """Give the significands of scales, in units of 2^-fraction_bits."""
        given = np.asarray(codes).astype(np.int16)
        if self.number is None:
            return np.ones_like(given)
        normal = (given & self.number.magnitude_mask) >= self.number.smallest_normal
        return np.where(normal, self.number.smallest_normal, 0).astype(np.int16) | (
            given & self.number.mantissa_mask
        )

    def values(self, codes: ArrayLike) -> NDArray[np.float64]:
        """Give the numbers that scales stand for."""
        exact = np.ldexp(self.significands(codes).astype(np.float64), self.exponents(codes))
        return np.where(self.is_nan(codes), np.nan, np.ldexp(exact, -self.fraction_bits))

    def codes(self, values: ArrayLike, format_: Format) -> ScaleCodes:
        """Give the codes of scales that `lmul.golden.formats.quantise` made for operands of a format."""
        numbers = np.ldexp(np.asarray(values, dtype=np.float64), element_fraction_bits(format_))
        if self.number is None:
            return np.asarray(np.frexp(numbers)[1] - 1 + E8M0_BIAS).astype(np.uint8)
        every = np.arange(self.number.largest_finite + 1, dtype=np.uint8)
        return every[np.searchsorted(decode(every, self.number), numbers)]

    def as_codes(self, codes: ArrayLike | None, name: str, shape: tuple[int, ...]) -> ScaleCodes:
        """Give the codes of scales in their type.

        Parameters
        ----------
        codes : array_like of integers from 0 to 255
        name : str
            What the message calls them.
        shape : tuple of int
            What their shape must be.

        Raises
        ------
        ValueError
            They are missing, or others.
        """
        if codes is None:
            raise ValueError(f"{name} is missing: scale {self.name} takes it, of shape {shape}")
        given = np.asarray(codes)
        if given.dtype.kind not in "ui" or np.min(given, initial=0) < 0 or np.max(given, initial=0) > 255:
            raise ValueError(f"{name} must be integers from 0 to 255, not {codes!r}")
        if given.shape != shape:
            raise ValueError(f"{name} must be of shape {shape}, not {given.shape}")
        return given.astype(np.uint8)


def element_fraction_bits(format_: Format) -> int:
    """Give the bits of an element of OCP MX behind the binary point, where its code is an integer: else 0."""
    return format_.width - 2 if isinstance(format_, Integer) else 0


_FP4 = ("e2m1",)

SCALES: dict[str, BlockScale] = {
    "mx": BlockScale("mx", 32, 1, ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1")),
    "mxfp4": BlockScale("mxfp4", 32, 16, _FP4),
    "nvfp4": BlockScale("nvfp4", 16, 16, _FP4, E4M3),
    "mx16": BlockScale("mx16", 32, 16, ("e3m2", "e2m3", "e2m1", *INTEGERS)),
}
"""The kinds by name. The formats and sizes of OCP's are those of its Microscaling Formats (MX) v1.0."""

NO_SCALE = "none"

SCALE_NAMES = {
    NO_SCALE: "operands are what their codes stand for",
    "mx": "OCP MX: a power of two (E8M0) for each 32 operands along K",
    "mxfp4": "the same of e2m1, whose products are summed exactly 16 at a time, as Blackwell does",
    "nvfp4": "an e4m3 scale for each 16 operands of e2m1, whose 16 products are summed exactly",
    "mx16": "OCP MX of formats up to 6 bits and of integers, whose products are summed exactly 16 at a time",
}
