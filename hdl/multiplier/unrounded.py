"""The unrounded product of two operands, as the elements of a dot product take it."""

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import Arithmetic, Format
from lmul.golden.accumulators import Floating
from lmul.hdl.framework.flags import has_special
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.multiplier.correction import correction
from lmul.hdl.multiplier.operand import Operand, operand_offset

SCALE_BITS = 8
"""Of the scale of a block."""


@dataclass(frozen=True)
class RawProduct:
    """What a product is on its way to a sum, as `UnroundedProduct` gives it.

    Parameters
    ----------
    sign, nonzero : Value
        A bit each.
    significand, exponent : Value
    inf, nan : Value or None
        A bit each where products are looked through for them, and until that is told for the whole step.
    """

    sign: Value
    nonzero: Value
    significand: Value
    exponent: Value
    inf: Value | None = None
    nan: Value | None = None


class UnroundedProduct(Block):
    """Multiply without rounding, without bounds on the exponent. Combinational.

    A finite product that is not zero is (-1)^sign * significand * 2^(exponent - exponent_offset): the
    exponent is the sum of the operands' exponent fields, so it takes no subtraction.

    Parameters
    ----------
    design : Design

    Members
    -------
    a, b : In(W)
        W of each operand's format.
    sign : Out(1)
    nonzero : Out(1)
        Low for products that are zero, infinite or NaN; what follows then means nothing.
    significand : Out(M+1), or Out(2M+2) for `exact`
    exponent : Out(X)
        At least 2.
    inf, nan : Out(1)
        Only those of `product_specials`.
    """

    block_name = "product"
    sequential = False

    a: Signal
    b: Signal
    sign: Signal
    nonzero: Signal
    significand: Signal
    exponent: Signal
    inf: Signal
    nan: Signal

    def __init__(self, design: Design) -> None:
        self._arithmetic = design
        self._specials = product_specials(design)
        first, second = design.formats
        members: dict[str, Any] = {
            "a": In(first.width),
            "b": In(second.width),
            "sign": Out(1),
            "nonzero": Out(1),
            "significand": Out(design.significand_bits),
            "exponent": Out(largest_exponent(design).bit_length()),
        }
        super().__init__(members | {name: Out(1) for name in self._specials})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        first, second = self._arithmetic.formats
        subnormals = kept_subnormals(self._arithmetic)
        x, y = Operand(m, self.a, first, subnormals, "a"), Operand(m, self.b, second, subnormals, "b")
        nan = x.nan | y.nan | (x.inf & ~y.nonzero) | (y.inf & ~x.nonzero)
        special: Value = Const(0, 1)
        if "nan" in self._specials:
            m.d.comb += self.nan.eq(nan)
            special = self.nan
        if "inf" in self._specials:
            m.d.comb += self.inf.eq((x.inf | y.inf) & ~self.nan)
            special = self.nan | self.inf
        m.d.comb += [
            self.sign.eq(x.sign ^ y.sign),
            self.nonzero.eq(x.nonzero & y.nonzero & ~special),
        ]
        if self._arithmetic.mul == "exact":
            self._multiply(m, x, y)
        else:
            self._add_fields(m, x, y)
        return m

    def _multiply(self, m: Module, x: Operand, y: Operand) -> None:
        bits = self._arithmetic.mantissa_bits
        m.d.comb += [
            self.significand.eq(Cat(x.aligned(bits), x.leading) * Cat(y.aligned(bits), y.leading)),
            self.exponent.eq(x.exponent + y.exponent),
        ]

    def _add_fields(self, m: Module, x: Operand, y: Operand) -> None:
        """Add exponents and mantissas as one number; the mantissa's carry runs into the exponent."""
        bits = self._arithmetic.mantissa_bits
        mantissas = x.aligned(bits), y.aligned(bits)
        field_sum = Signal(bits + len(self.exponent))
        field = Signal(len(field_sum))
        m.d.comb += [
            field_sum.eq(Cat(mantissas[0], x.exponent) + Cat(mantissas[1], y.exponent)),
            field.eq(field_sum + correction(m, *mantissas, self._arithmetic, self._arithmetic.mul_constant)),
            self.exponent.eq(field[bits:]),
            self.significand.eq(Cat(field[:bits], 1)),
        ]


def raw_product(ports: Any, design: Design) -> RawProduct:
    """Give the outputs of a placed `UnroundedProduct`."""
    specials = {name: getattr(ports, name) for name in product_specials(design)}
    return RawProduct(ports.sign, ports.nonzero, ports.significand, ports.exponent, **specials)


def kept_subnormals(arithmetic: Arithmetic) -> str:
    """Say what becomes of subnormal operands: exact products are normalised for floating-point sums alone."""
    full = arithmetic.subnormals == "full"
    rounded = isinstance(arithmetic.accumulator, Floating)
    return "kept" if full and arithmetic.mul == "exact" and not rounded else arithmetic.subnormals


def splits_nan(design: Design) -> bool:
    """Tell whether NaN is taken out of the operands where they enter an array, once for all elements.

    Infinities stay, since what they make depends on the other operand.
    """
    return design.kind == "array" and has_special("nan", design) and not has_special("inf", design)


def product_specials(design: Design) -> list[str]:
    """Give the special values that the products of an element are looked through for."""
    return [name for name in ("inf", "nan") if has_special(name, design) and not splits_nan(design)]


def operand_bits(design: Design) -> tuple[int, int]:
    """Give the bits of both operands of a step.

    N codes, NaN where it is split from a format's codes, and scales.
    """
    first, second = (
        design.lanes * format_.width + (splits_nan(design) and format_.nan is not None) + scale_bits(design)
        for format_ in design.formats
    )
    return first, second


def scale_bits(design: Design) -> int:
    """Give the bits of the scales of an operand of a step."""
    return SCALE_BITS * design.scales_a_step


def split_nan(m: Module, codes: Value, design: Design, format_: Format, name: str) -> Value:
    """Put zeros in the place of NaN, and above them whether there was one, where an array does so.

    Parameters
    ----------
    m : Module
    codes : Value
        N codes, and above them scales.
    design : Design
    format_ : Format
    name : str
        Of the signal.
    """
    if not splits_nan(design) or format_.nan is None:
        return codes
    words = [codes.word_select(lane, format_.width) for lane in range(design.lanes)]
    numbers = [word & ~word[:-1].all().replicate(len(word)) for word in words]
    operands = Signal(len(codes) + 1, name=name)
    found, scales = Cat(word[:-1].all() for word in words).any(), codes[design.lanes * format_.width :]
    m.d.comb += operands.eq(Cat(*numbers, found, scales))
    return operands


def exponent_offset(arithmetic: Arithmetic) -> int:
    """Give the exponent at which the unit of the significand weighs one."""
    return _sum_of_offsets(arithmetic) + arithmetic.fraction_bits


def largest_exponent(arithmetic: Arithmetic) -> int:
    """Give the largest exponent of a finite product."""
    if arithmetic.mul == "exact":
        fields = sum(format_.largest_finite >> format_.mantissa_bits for format_ in arithmetic.formats)
        normal = sum(format_.bias for format_ in arithmetic.formats)
        return fields - normal + _sum_of_offsets(arithmetic)
    # The leading one of the significand counts units of the product.
    leading = arithmetic.largest_product.bit_length() - 1 + arithmetic.product_lsb_exponent
    return leading + _sum_of_offsets(arithmetic)


def _sum_of_offsets(arithmetic: Arithmetic) -> int:
    return sum(operand_offset(format_, kept_subnormals(arithmetic)) for format_ in arithmetic.formats)
