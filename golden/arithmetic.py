"""The numeric half of a design: what is multiplied, how, and what comes out."""

from dataclasses import dataclass

from lmul.golden.formats import E4M3, Format

MULTIPLIERS = {
    "lmul": "integer addition of the operands' fields, with the paper's constant (arXiv 2410.00907)",
    "exact": "correctly rounded product; unrounded inside a dot product",
}
ACCUMULATORS = {"exact": "fixed point, wide enough for every product of --depth: no rounding at all"}
OUTPUTS = {
    "fp32": "the sum, rounded once to IEEE binary32, ties to even",
    "raw": "the accumulator register, two's complement",
}


def lmul_offset(mantissa_bits: int) -> int:
    """L-Mul's offset exponent l(m): the constant added to a product is 2^-l(m).

    Luo and Sun, arXiv 2410.00907: m for m <= 3, 3 for m = 4, 4 above.
    """
    if mantissa_bits <= 3:
        return mantissa_bits
    return 3 if mantissa_bits == 4 else 4


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What decides the bits of a result.

    Parameters
    ----------
    format : Format
        Format of both operands.
    mul : str
        A name of `MULTIPLIERS`.
    acc : str
        A name of `ACCUMULATORS`.
    out : str
        A name of `OUTPUTS`.
    lanes : int
        Products that are added in one step.
    depth : int
        Products that a dot product may have without leaving the accumulator's range.
    """

    format: Format = E4M3
    mul: str = "lmul"
    acc: str = "exact"
    out: str = "fp32"
    lanes: int = 4
    depth: int = 2048

    @property
    def mul_constant(self) -> int:
        """What an integer-add multiplier adds to the sum of the fields, in units of the last place."""
        mantissa = self.format.mantissa_bits
        return 1 << (mantissa - lmul_offset(mantissa))

    @property
    def significand_bits(self) -> int:
        """Bits of a wide product's significand."""
        mantissa = self.format.mantissa_bits
        return 2 * mantissa + 2 if self.mul == "exact" else mantissa + 1

    @property
    def lsb_exponent(self) -> int:
        """The accumulator's least significant bit weighs 2 to this power.

        It is the last significand bit of the smallest product of two normal operands.
        """
        mantissa = self.format.mantissa_bits
        fraction = 2 * mantissa if self.mul == "exact" else mantissa
        return 2 * self.format.min_exponent - fraction

    @property
    def largest_product(self) -> int:
        """Magnitude of the product of the two largest operands, in accumulator LSBs."""
        mantissa, largest = self.format.mantissa_bits, self.format.largest_finite
        exponent, fraction = divmod(largest, 1 << mantissa)
        if self.mul == "exact":
            significand = (1 << mantissa) | fraction
            return significand**2 << (2 * exponent - 2)
        exponent, fraction = divmod(2 * largest + self.mul_constant, 1 << mantissa)
        return ((1 << mantissa) | fraction) << (exponent - 2)

    @property
    def product_bits(self) -> int:
        """Bits of a product's magnitude, in accumulator LSBs."""
        return self.largest_product.bit_length()

    @property
    def step_bits(self) -> int:
        """Width of the sum of one step's products, two's complement."""
        return self.product_bits + (self.lanes - 1).bit_length() + 1

    @property
    def accumulator_bits(self) -> int:
        """Width of the accumulator register, its sign included: `depth` products fit, and one step."""
        return max((self.depth * self.largest_product).bit_length() + 1, self.step_bits)

    @property
    def output_bits(self) -> int:
        """Width of one output element."""
        return self.accumulator_bits if self.out == "raw" else 32
