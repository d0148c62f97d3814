"""How exponents and significands of fused sums are counted in hardware, and how many bits that takes."""

from dataclasses import dataclass

from lmul.design import Design
from lmul.golden import FP32
from lmul.hdl.multiplier.unrounded import exponent_offset, largest_exponent


@dataclass(frozen=True)
class Scale:
    """How exponents and significands of a fused sum are counted.

    Parameters
    ----------
    design : Design
        With a fused accumulator.
    """

    design: Design

    @property
    def product_bias(self) -> int:
        """What `UnroundedProduct` adds to the exponent of a product."""
        return exponent_offset(self.design) - self.design.fraction_bits

    @property
    def bias(self) -> int:
        """What is added to every exponent, so that none is negative."""
        return max(self.product_bias, FP32.bias)

    @property
    def rebias(self) -> int:
        """What is added to the exponent of a product to count it as the others."""
        return self.bias - self.product_bias

    @property
    def behind(self) -> int:
        """Places of a term behind those of a significand."""
        return self.design.fused.fraction_bits - self.design.fraction_bits

    @property
    def largest(self) -> int:
        """The largest exponent of a product."""
        return largest_exponent(self.design) + self.rebias

    @property
    def harmless(self) -> int:
        """A sum aligned to this exponent loses no bit: all terms are multiples of the least product bit."""
        if self.design.addend:  # It may have any bits.
            return 0
        return self.design.product_lsb_exponent + self.design.fused.fraction_bits + self.bias

    @property
    def bits(self) -> int:
        """Of an exponent with that bias."""
        products = self.largest
        running = (1 << FP32.exponent_bits) - 2 + self.bias - FP32.bias
        return max(products, running).bit_length()

    @property
    def least(self) -> int:
        """The exponent, with that bias, that a sum is aligned to at least."""
        return self.design.fused.floor + self.bias

    @property
    def has_subnormals(self) -> bool:
        """Whether there are sums below the smallest normal number, all multiples of the least product bit."""
        return self.design.addend or self.design.product_lsb_exponent < FP32.min_exponent

    @property
    def overflows(self) -> bool:
        """Whether a sum can be infinite, of finite terms or of infinite ones."""
        infinities = any(format_.infinity is not None for format_ in self.design.formats)
        return self.design.addend or infinities or self.highest > FP32.bias

    @property
    def highest(self) -> int:
        """The largest exponent of a finite sum: products that are all below its last bit do not change it."""
        return self.largest - self.bias + self.term_bits + 1 + self.design.lanes.bit_length()

    @property
    def term_bits(self) -> int:
        """Of a product's magnitude: F behind the binary point, two before it of exact products, else one."""
        whole = self.design.significand_bits - self.design.fraction_bits
        return self.design.fused.fraction_bits + max(whole, 1)

    @property
    def distance_bits(self) -> int:
        """Of the places by which a product is shifted: all ones shift it out."""
        return min((self.term_bits + max(-self.behind, 0)).bit_length(), self.bits)

    @property
    def reach(self) -> int:
        """Exponents by which the running sum is above all products where it has no bit in common with any."""
        return self.term_bits + 1

    @property
    def running_bits(self) -> int:
        """Of the running sum's magnitude, in the places of the products and above them."""
        return self.design.fused.fraction_bits + 1 + self.reach

    @property
    def total_bits(self) -> int:
        """Of the sum of a step's terms and the running sum, two's complement."""
        return max(self.running_bits, self.term_bits + (self.design.lanes - 1).bit_length()) + 2
