"""The wide product of two operands, as the elements of a dot product take it."""

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic, Format
from lmul.hdl.hierarchy import Block


class Operand:
    """The fields of an operand and its class, as expressions.

    Parameters
    ----------
    code : Value
        W bits.
    format_ : Format
    """

    def __init__(self, code: Value, format_: Format) -> None:
        mantissa = format_.mantissa_bits
        self.sign = code[-1]
        self.field = code[:-1]
        self.mantissa = code[:mantissa]
        self.exponent = code[mantissa:-1]
        self.significand = Cat(self.mantissa, 1)
        self.nonzero = self.exponent.any()
        self.nan = self.field.all()


class WideProduct(Block):
    """Multiply without rounding, without bounds on the exponent. Combinational.

    The product is (-1)^sign * significand * 2^(exponent - 2), in units of the accumulator's last
    bit: the exponent is the sum of the operands' exponent fields, so it takes no subtraction, and
    it is at least 2 where the significand is not zero.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    a, b : In(W)
    sign : Out(1)
    significand : Out(M+1), or Out(2M+2) for `exact`
        Zero for a zero or NaN product.
    exponent : Out(E+1)
    nan : Out(1)
    """

    block_name = "product"
    sequential = False

    a: Signal
    b: Signal
    sign: Signal
    significand: Signal
    exponent: Signal
    nan: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        width = arithmetic.format.width
        super().__init__(
            {
                "a": In(width),
                "b": In(width),
                "sign": Out(1),
                "significand": Out(arithmetic.significand_bits),
                "exponent": Out(arithmetic.format.exponent_bits + 1),
                "nan": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        format_ = self._arithmetic.format
        x, y = Operand(self.a, format_), Operand(self.b, format_)
        nonzero = Signal()
        m.d.comb += [
            self.sign.eq(x.sign ^ y.sign),
            self.nan.eq(x.nan | y.nan),
            nonzero.eq(x.nonzero & y.nonzero & ~self.nan),
        ]
        if self._arithmetic.mul == "exact":
            product = Signal(self._arithmetic.significand_bits)
            m.d.comb += [
                product.eq(x.significand * y.significand),
                self.exponent.eq(x.exponent + y.exponent),
                self.significand.eq(product & nonzero.replicate(len(product))),
            ]
        else:
            field_sum = Signal(format_.width)
            field = Signal(format_.width)
            one_point_mantissa = Cat(field[: format_.mantissa_bits], 1)
            m.d.comb += [
                field_sum.eq(x.field + y.field),
                field.eq(field_sum + self._arithmetic.mul_constant),
                self.exponent.eq(field[format_.mantissa_bits :]),
                self.significand.eq(one_point_mantissa & nonzero.replicate(len(one_point_mantissa))),
            ]
        return m
