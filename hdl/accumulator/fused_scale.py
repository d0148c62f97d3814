"""How exponents and significands of fused sums are counted in hardware, and how many bits that takes."""

from dataclasses import dataclass

from lmul.design import Design
from lmul.golden import FP32
from lmul.golden.formats.block_scale import E8M0_BIAS, ZERO_EXPONENT, BlockScale
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
    def groups(self) -> BlockScale | None:
        """The scales of blocks, where products are summed exactly in groups, and those are the terms."""
        return self.design.block_scale if self.design.grouped else None

    @property
    def significand_bits(self) -> int:
        """Of a term."""
        if not self.groups:
            return self.design.significand_bits
        factor = (2 << self.groups.fraction_bits) - 1
        return (self.groups.group * self.design.largest_product * factor**2).bit_length()

    @property
    def fraction_bits(self) -> int:
        """Of a term's significand, behind the binary point."""
        if not self.groups:
            return self.design.fraction_bits
        return 2 * self.groups.fraction_bits - self.design.product_lsb_exponent

    @property
    def product_bias(self) -> int:
        """What is added to the exponent of a term as it is found: by `UnroundedProduct`, or of its scales."""
        if self.groups:
            return -2 * (ZERO_EXPONENT if self.groups.number else -E8M0_BIAS)
        return exponent_offset(self.design) - self.design.fraction_bits

    @property
    def largest_found(self) -> int:
        """The largest exponent of a term as it is found."""
        if not self.groups:
            return largest_exponent(self.design)
        if not self.groups.number:
            return 4 * E8M0_BIAS
        field = self.groups.number.largest_finite >> self.groups.number.mantissa_bits
        return 2 * (field - self.groups.number.bias) + self.product_bias

    @property
    def bias(self) -> int:
        """What is added to every exponent, so that none is negative."""
        if self.design.block_scale:  # The least one is 1: 0 is that of no number.
            return 1 - self.design.least_exponent
        return max(self.product_bias, FP32.bias)

    @property
    def rebias(self) -> int:
        """What is added to the exponent of a product to count it as the others."""
        return self.bias - self.product_bias

    @property
    def behind(self) -> int:
        """Places of a term behind those of a significand."""
        return self.design.fused.fraction_bits - self.fraction_bits

    @property
    def largest(self) -> int:
        """The largest exponent of a term."""
        return self.largest_found + self.rebias + 2 * E8M0_BIAS * self.least_of_zero

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
        return self.design.least_exponent + self.bias

    @property
    def has_subnormals(self) -> bool:
        """Whether there are sums below the smallest normal number, all multiples of the least product bit."""
        any_size = self.design.addend or self.design.block_scale is not None
        return any_size or self.design.product_lsb_exponent < FP32.min_exponent

    @property
    def overflows(self) -> bool:
        """Whether a sum can be infinite, of finite terms or of infinite ones."""
        infinities = any(format_.infinity is not None for format_ in self.design.formats)
        return self.design.addend or infinities or self.highest > FP32.bias

    @property
    def highest(self) -> int:
        """The largest exponent of a finite sum: products that are all below its last bit do not change it."""
        return self.largest - self.bias + self.term_bits + 1 + self.design.terms.bit_length()

    @property
    def term_bits(self) -> int:
        """Of a product's magnitude: F behind the binary point, two before it of exact products, else one."""
        whole = self.significand_bits - self.fraction_bits
        return self.design.fused.fraction_bits + max(whole, 1)

    @property
    def least_of_zero(self) -> bool:
        """Whether a running sum of zero has the least exponent, as products are not aligned to that."""
        return self.design.block_scale is not None and not self.groups

    @property
    def above(self) -> int:
        """The exponent field of a sum whose leading one is on top, beyond the exponent of its first place."""
        return self.total_bits - 1 - self.running_bits + FP32.bias - self.bias

    @property
    def least_kept(self) -> int:
        """The exponent of the first place, with that bias, below which sums of products alone round to zero.

        That of a leading one on top with the smallest exponent field, if the largest sum of a step below it
        is less than the last place of subnormal numbers, or its half if sums are rounded; else 0.
        """
        smallest = 1 - self.above
        whole = self.term_bits - self.design.fused.fraction_bits
        # Products are below 2^whole times their exponent's power of two, `reach` below the first place.
        largest = smallest - 1 - self.bias - self.reach + whole + (self.design.terms - 1).bit_length()
        last = FP32.min_exponent - self.design.fused.mantissa_bits - self.design.fused.nearest
        return smallest if smallest > 0 and largest <= last else 0

    @property
    def least_origin(self) -> int:
        """The least exponent, with that bias, of the first place of a sum."""
        if self.least_of_zero:
            return max(self.least, self.least_kept)
        return self.reach + max(self.least, 0 if self.design.addend else 1)

    @property
    def distance_bits(self) -> int:
        """Of the places by which a product is shifted: all ones shift it out."""
        bits = self.largest_found.bit_length() if self.least_of_zero else self.bits
        return min(self.shifted_out.bit_length(), bits)

    @property
    def shifted_out(self) -> int:
        """Places by which a term is shifted until nothing is left of it."""
        return self.term_bits + max(-self.behind, 0)

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
        return max(self.running_bits, self.term_bits + (self.design.terms - 1).bit_length()) + 2
