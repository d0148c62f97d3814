"""The multiplier whose result has its operands' format."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.hierarchy import Block
from lmul.hdl.product import Operand


class Multiplier(Block):
    """Multiply into the operands' format. Combinational.

    Subnormal operands count as zeros, results below the smallest normal number become zeros of
    their sign, results above the largest finite number become that number.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    a, b : In(W)
    p : Out(W)
    """

    block_name = "mul"
    sequential = False

    a: Signal
    b: Signal
    p: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        width = arithmetic.format.width
        super().__init__({"a": In(width), "b": In(width), "p": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        format_ = self._arithmetic.format
        x, y = Operand(self.a, format_), Operand(self.b, format_)
        mantissa = Signal(format_.mantissa_bits)
        exponent_sum = Signal(format_.exponent_bits + 1)
        multiply = self._round_product if self._arithmetic.mul == "exact" else self._add_fields
        multiply(m, x, y, mantissa, exponent_sum)

        nan = Signal()
        zero = Signal()
        m.d.comb += [
            nan.eq(x.nan | y.nan),
            # The exponent fields of a normal result add up to more than the bias.
            zero.eq(~x.nonzero | ~y.nonzero | ~exponent_sum[-2:].any()),
        ]
        self._pack(m, x.sign ^ y.sign, nan, zero, Cat(mantissa, exponent_sum))
        return m

    def _add_fields(self, m: Module, x: Operand, y: Operand, mantissa: Signal, exponent_sum: Signal) -> None:
        """Add exponents and mantissas as one number: L-Mul."""
        field_sum = Signal(self._arithmetic.format.width)
        field = Signal(self._arithmetic.format.width)
        m.d.comb += [
            field_sum.eq(x.field + y.field),
            field.eq(field_sum + self._arithmetic.mul_constant),
            Cat(mantissa, exponent_sum).eq(field),
        ]

    def _round_product(
        self, m: Module, x: Operand, y: Operand, mantissa: Signal, exponent_sum: Signal
    ) -> None:
        """Multiply the significands, normalise and round to nearest even."""
        bits = len(mantissa)
        product = Signal(2 * bits + 2)
        # Half a unit in the last place, which is twice as large for a product of 2 or more.
        half = Const(1 << (bits - 1), bits)
        rounded = Signal(len(product))
        at_least_two = rounded[-1]
        m.d.comb += [
            product.eq(x.significand * y.significand),
            rounded.eq(product + half + Cat(Const(0, bits - 1), product[-1])),
            mantissa.eq(
                Mux(at_least_two, _even_if_tie(rounded[:-1], bits), _even_if_tie(rounded[:-2], bits))
            ),
            exponent_sum.eq(x.exponent + y.exponent + at_least_two),
        ]

    def _pack(self, m: Module, sign: Value, nan: Signal, zero: Signal, field: Value) -> None:
        """Take the bias off the sum of the exponent fields, and see to what does not fit."""
        format_ = self._arithmetic.format
        mantissa = field[: format_.mantissa_bits]
        exponent_sum = field[format_.mantissa_bits :]
        top, second, low = exponent_sum[-1], exponent_sum[-2], exponent_sum[:-2]
        # The bias is one less than a power of two: taking it off a larger sum is adding one.
        exponent = Cat(*(bit ^ low[:index].all() for index, bit in enumerate(low)), low.all() | top)
        overflow = Signal()
        nonzero = Signal()
        all_ones = Signal()
        upper = Cat(mantissa[1:], exponent[:-1])
        m.d.comb += [
            # All ones is NaN.
            overflow.eq(top & (second | (low[1:].all() & (low[0] | mantissa.all())))),
            nonzero.eq(~zero),
            all_ones.eq(overflow | nan),
            # The largest finite number is the one magnitude with only its last bit clear.
            self.p[0].eq((mantissa[0] & nonzero & ~overflow) | nan),
            self.p[1:-2].eq((upper & nonzero.replicate(len(upper))) | all_ones.replicate(len(upper))),
            self.p[-2].eq((exponent[-1] & nonzero) | nan),
            self.p[-1].eq(sign & ~nan),
        ]


def _even_if_tie(value: Value, bits: int) -> Value:
    """Give the top bits of a value to which half a unit was added: a remainder of zero was a tie."""
    rest = len(value) - bits
    return Cat(value[rest] & value[:rest].any(), value[rest + 1 :])
