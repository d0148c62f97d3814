"""The numeric half of a design: what is multiplied, how, and what comes out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from lmul.golden.accumulators import Accumulator, Exact, Fixed, Fused, find_accumulator
from lmul.golden.arguments import check_choice, checked_multiplier
from lmul.golden.formats.block_scale import (
    NO_SCALE,
    SCALE_NAMES,
    SCALES,
    BlockScale,
    element_fraction_bits,
)
from lmul.golden.formats.codec import OVERFLOWS, Overflow
from lmul.golden.formats.format import E4M3, FORMATS, FP32, Format, Integer, check_format
from lmul.host.parameters import ParameterError
from lmul.multipliers import IntegerAdd, find_multiplier
from lmul.multipliers.forms import Form
from lmul.multipliers.significand import added_constant, fraction_bits, product_form, significand_product
from lmul.multipliers.table import NOT_ADDED, check_name, check_plug_in

OUTPUTS = {
    "fp32": "the sum, rounded once to IEEE binary32, ties to even",
    "bf16": "the sum, rounded once to bf16, ties to even",
    "raw": "the accumulator register: two's complement, or the floating-point code",
}
INTEGER_OUTPUTS = ("raw", "fp32")
"""Those of integers."""

SUBNORMALS = {
    "flush": "subnormal operands and results become zeros of their sign",
    "full": "subnormal operands are normalised, results rounded to nearest even onto the subnormal grid",
}

Subnormals = Literal["flush", "full"]


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What decides the bits of a result.

    Parameters
    ----------
    format : Format
        Format of both operands, or of the first.
    format_b : Format, optional
        Format of the second operand, where it is another one.
    mul : str
        A name of `MULTIPLIERS`, or of a plug-in's multiplier.
    acc : str
        A name of `ACCUMULATORS`.
    out : str
        A name of `OUTPUTS`.
    lanes : int
        Products that are added in one step.
    depth : int
        Products that a dot product may have without leaving the range of the `exact` accumulator.
    subnormals : {"flush", "full"}
        What becomes of subnormal operands, and of results below the smallest normal number.
    overflow : {"saturate", "ieee"}
        What becomes of results above the largest finite number. Inside a dot product there are none.
    scale : str
        A name of `SCALE_NAMES`: which scales blocks of operands have, in fused sums.

    Raises
    ------
    ParameterError
        A name is unknown, a format is none, a multiplier not defined for the formats, or a scale not for the
        accumulator, the formats or the lanes. Or there are integers, and what is not for them: another
        multiplier than `exact`, another accumulator than `exact` or `fixed:BITS:0`, another output than `raw`
        or `fp32`.

    Examples
    --------
    >>> from lmul.golden import Arithmetic
    >>> arithmetic = Arithmetic(mul="exact", acc="fixed:24:-8")
    >>> arithmetic.format.name, arithmetic.accumulator_bits, arithmetic.lsb_exponent
    ('e4m3', 24, -8)
    """

    format: Format = E4M3
    format_b: Format | None = None
    mul: str = "lmul"
    acc: str = "exact"
    out: str = "fp32"
    lanes: int = 4
    depth: int = 2048
    subnormals: Subnormals = "flush"
    overflow: Overflow = "saturate"
    scale: str = NO_SCALE

    def __post_init__(self) -> None:
        for format_ in self.formats:
            check_format(format_)
        with checked_multiplier():
            check_name(self.mul)
        check_choice("out", self.out, OUTPUTS)
        check_choice("subnormals", self.subnormals, SUBNORMALS)
        check_choice("overflow", self.overflow, OVERFLOWS)
        if any(isinstance(format_, Integer) for format_ in self.formats):
            self._check_integers()
        find_accumulator(self.acc, self.formats)
        for name in ("lanes", "depth"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ParameterError(name, f"must be a whole number from 1, not {value!r}")
        if self.mul not in NOT_ADDED:
            self._check_width()
        check_choice("scale", self.scale, SCALE_NAMES)
        if self.block_scale:
            self._check_scale(self.block_scale)

    def _check_scale(self, scale: BlockScale) -> None:
        """Refuse block scales of other sums, formats or lanes."""
        kinds: tuple[type[Accumulator], ...] = (Fused,)
        sums = "fused"
        if self.grouped and scale.power_of_two:
            kinds, sums = (Fused, Fixed), "fused and fixed-point"
        if not isinstance(self.accumulator, kinds):
            right = ", ".join(word for kind in kinds for word in kind.WORDS)
            raise ParameterError("scale", f"is for {sums} sums, not for acc {self.acc!r}: take {right}")
        if not {format_.name for format_ in self.formats} <= set(scale.formats):
            known = ", ".join(scale.formats)
            raise ParameterError("scale", f"{scale.name} is for {known}, not for {self.format_names}")
        whole = self.lanes % scale.block == 0 or scale.block % self.lanes == 0
        if not whole or self.lanes % scale.group:
            parts = [lanes for lanes in range(scale.group, scale.block) if scale.block % lanes == 0]
            fewer = f"{', '.join(map(str, parts))} or " if parts else ""
            right = f"must be {fewer}a multiple of {scale.block} with scale {scale.name}"
            raise ParameterError("lanes", f"{right}, not {self.lanes}")

    def _check_integers(self) -> None:
        """Refuse what is not for integers."""
        first, second = self.formats
        if not (isinstance(first, Integer) and isinstance(second, Integer)):
            both = f"{second.name} beside {first.name}: take two integers, or none"
            raise ParameterError("format_b", both)
        usual = {"mul": "exact", "subnormals": "flush", "overflow": "saturate"}
        for name, right in usual.items():
            if (value := getattr(self, name)) != right:
                raise ParameterError(name, f"{value!r} is not for integers: take {right}")
        if self.out not in INTEGER_OUTPUTS:
            right = " or ".join(INTEGER_OUTPUTS)
            raise ParameterError("out", f"{self.out!r} is not for integers: take {right}")
        words = str(self.acc).split(":")
        if self.block_scale and words[0] in ("fused", "fixed"):
            return
        if words[0] not in Exact.WORDS and (words[0] != "fixed" or words[-1] not in ("0", "LSB")):
            right = "take exact or fixed:BITS:0, or fused sums with scale mx16"
            raise ParameterError("acc", f"{self.acc!r} is not for integers: {right}")
        register = self.accumulator
        if register.bits is not None and register.bits < self.product_bits:
            raise ParameterError(
                "acc", f"{self.acc!r} is narrower than a product: take BITS of {self.product_bits} or more"
            )

    def _check_width(self) -> None:
        """Refuse formats that an integer-add multiplier is not defined for."""
        most = self.integer_add.most_mantissa_bits
        if self.mantissa_bits > most:
            raise ParameterError(
                "mul",
                f"{self.mul!r} is defined for at most {most} mantissa bits, "
                f"not for the {self.mantissa_bits} of {self.format_names}",
            )
        # Above infinity's exponent there is room for one carry more.
        infinite = all(format_.infinity is not None for format_ in self.formats)
        with checked_multiplier():
            check_plug_in(self.mul, self.mantissa_bits, 2 if infinite else 1)

    @property
    def formats(self) -> tuple[Format, Format]:
        """The formats of the two operands."""
        return self.format, self.format_b or self.format

    @property
    def format_names(self) -> str:
        """The operands' formats as a name: one, or both joined by an x."""
        first, second = self.formats
        return first.name if first == second else f"{first.name}x{second.name}"

    @property
    def integer(self) -> bool:
        """Whether the operands are integers."""
        return isinstance(self.format, Integer)

    @property
    def product_bits(self) -> int:
        """Bits of a product as `multiply` gives it: of integers as many as both operands have together."""
        first, second = self.formats
        return first.width + second.width if self.integer else first.width

    @property
    def mantissa_bits(self) -> int:
        """Mantissa bits of the wider operand, and of an integer-add product (M)."""
        return max(format_.mantissa_bits for format_ in self.formats)

    @property
    def integer_add(self) -> IntegerAdd:
        """The multiplier, where it is integer addition."""
        return find_multiplier(self.mul)

    @property
    def mul_constant(self) -> int:
        """What the multiplier adds to every sum of fields, in units of the last place."""
        return added_constant(self.mul, self.mantissa_bits)

    @property
    def product_form(self) -> Form | None:
        """What products are made of, where there are loops for it."""
        return product_form(self.mul, self.mantissa_bits)

    @property
    def fraction_bits(self) -> int:
        """Bits of an unrounded product's significand behind the binary point."""
        return fraction_bits(self.mul, self.mantissa_bits)

    @property
    def significand_bits(self) -> int:
        """Bits of an unrounded product's significand."""
        return {"exact": 2, "formula": 2}.get(self.mul, 1) + self.fraction_bits

    @property
    def largest_significand(self) -> int:
        """Significand of the product of the two largest mantissas, which no other pair's exceeds."""
        largest = np.array((1 << self.mantissa_bits) - 1)
        return int(significand_product(largest, largest, self.mul, self.mantissa_bits))

    @property
    def accumulator(self) -> Accumulator:
        """What `acc` names."""
        return find_accumulator(self.acc, self.formats)

    @property
    def fused(self) -> Fused:
        """The accumulator, where it is a fused one."""
        accumulator = self.accumulator
        assert isinstance(accumulator, Fused)  # noqa: S101
        return accumulator

    @property
    def block_scale(self) -> BlockScale | None:
        """The scales of blocks, where there are any."""
        return SCALES.get(self.scale)

    @property
    def scales_a_step(self) -> int:
        """Scales of either operand in a step, one for each block or for the part of one: 0 without any."""
        return max(self.lanes // self.block_scale.block, 1) if self.block_scale else 0

    @property
    def grouped(self) -> bool:
        """Whether products are summed exactly in groups, each of which is a term with a scale."""
        return self.block_scale is not None and self.block_scale.group > 1

    @property
    def terms(self) -> int:
        """What is added in a step: products, or exact sums of groups of them."""
        return self.lanes // self.block_scale.group if self.block_scale else self.lanes

    @property
    def least_exponent(self) -> int:
        """The smallest exponent that the terms of a fused sum are aligned to."""
        # Beside groups a running sum of zero counts as the smallest normal number does.
        return FP32.min_exponent if self.grouped else self.fused.floor

    @property
    def accumulator_format(self) -> Format | None:
        """The format of a floating-point accumulator, None for the fixed-point ones."""
        return self.accumulator.format

    @property
    def saturates(self) -> bool:
        """Whether the accumulator is `fixed`, which truncates products and saturates."""
        return self.accumulator.saturates

    @property
    def lsb_exponent(self) -> int:
        """A fixed-point accumulator's least significant bit weighs 2 to this power.

        Of the `exact` one it is the last significand bit of the smallest product: of two normal
        operands, or with full subnormals of two normalised subnormals.
        """
        lsb_exponent = self.accumulator.lsb_exponent
        return self.product_lsb_exponent if lsb_exponent is None else lsb_exponent

    @property
    def product_lsb_exponent(self) -> int:
        """No product has a bit below 2 to this power."""
        first, second = self.formats
        if self.integer:
            bits = map(element_fraction_bits, self.formats)
            return -sum(bits) if self.block_scale else 0
        exponent = first.min_exponent + second.min_exponent
        if self.mul == "exact":  # The trailing zeros of a normalised subnormal are zeros of the product.
            return exponent - first.mantissa_bits - second.mantissa_bits
        if self.subnormals == "full":
            exponent -= first.mantissa_bits + second.mantissa_bits
        return exponent - self.mantissa_bits

    @cached_property
    def largest_product(self) -> int:
        """Magnitude of the product of the two largest operands, in units of 2^product_lsb_exponent."""
        if self.integer:  # Of the two most negative ones.
            return 1 << (self.product_bits - 2)
        mantissas, exponents = [], 0
        for format_ in self.formats:
            exponent, mantissa = divmod(format_.largest_finite, 1 << format_.mantissa_bits)
            mantissas.append(np.array(mantissa << (self.mantissa_bits - format_.mantissa_bits)))
            exponents += exponent - format_.bias
        product = int(significand_product(mantissas[0], mantissas[1], self.mul, self.mantissa_bits))
        shift = exponents - self.fraction_bits - self.product_lsb_exponent
        return product << shift if shift >= 0 else product >> -shift

    @property
    def largest_term(self) -> int:
        """Magnitude of the largest product, truncated to accumulator LSBs."""
        shift = self.product_lsb_exponent - self.lsb_exponent
        return self.largest_product << shift if shift >= 0 else self.largest_product >> -shift

    @property
    def clamps(self) -> bool:
        """Whether there are products that do not fit a `fixed` accumulator; with scales there are."""
        if not self.saturates:
            return False
        return self.block_scale is not None or self.largest_term >> (self.accumulator_bits - 1) > 0

    @property
    def term_bits(self) -> int:
        """Bits of the magnitude that a product adds to a fixed-point accumulator, in its LSBs."""
        return self.accumulator_bits - 1 if self.clamps else max(self.largest_term.bit_length(), 1)

    @property
    def step_bits(self) -> int:
        """Width of the sum of one step's terms, two's complement."""
        return self.term_bits + (self.terms - 1).bit_length() + 1

    @property
    def accumulator_bits(self) -> int:
        """Width of the accumulator register, its sign included.

        `depth` products fit the `exact` one, and one step.
        """
        if self.accumulator.bits is not None:
            return self.accumulator.bits
        return max((self.depth * self.largest_product).bit_length() + 1, self.step_bits)

    @property
    def output_overflows(self) -> bool:
        """Whether a finite sum can round to more than the output's largest number."""
        if self.out == "raw":
            return False
        output, register = FORMATS[self.out], self.accumulator_format
        if register is None:  # The most negative sum is a power of two.
            return self.lsb_exponent + self.accumulator_bits - 1 > output.bias
        return register.bias == output.bias and register.mantissa_bits > output.mantissa_bits

    @property
    def output_bits(self) -> int:
        """Width of one output element."""
        return self.accumulator_bits if self.out == "raw" else FORMATS[self.out].width
