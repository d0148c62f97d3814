"""Floating-point formats: where the bits of an operand are and what its codes mean."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A binary format without infinities: sign | exponent | mantissa, MSB first.

    The codes follow the OCP 8-bit floating point specification (OFP8 r1.0), E4M3: gradual
    underflow, and one magnitude, all ones, that is NaN.

    Parameters
    ----------
    name : str
        Name on the command line.
    exponent_bits, mantissa_bits : int
        Widths of the two fields below the sign.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int

    @property
    def width(self) -> int:
        """Bits of an operand, the sign included."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        """Exponent bias, 2^(E-1) - 1."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal number and of all subnormals (emin)."""
        return 1 - self.bias

    @property
    def magnitude_mask(self) -> int:
        """The exponent and mantissa bits of a code."""
        return (1 << (self.width - 1)) - 1

    @property
    def smallest_normal(self) -> int:
        """Magnitude code of the smallest normal number."""
        return 1 << self.mantissa_bits

    @property
    def nan(self) -> int:
        """Canonical NaN: sign 0 and the only NaN magnitude."""
        return self.magnitude_mask

    @property
    def largest_finite(self) -> int:
        """Magnitude code of the largest finite number."""
        return self.nan - 1


E4M3 = Format("e4m3", exponent_bits=4, mantissa_bits=3)

FORMATS = {format_.name: format_ for format_ in (E4M3,)}
