"""Floating-point addition, and what it shares with other roundings."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Format
from lmul.hdl.floating.rounding import GUARD_BITS, limit, round_field, select_special
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.multiplier.operand import Operand
from lmul.hdl.primitives.leading_zeros import leading_zeros
from lmul.hdl.primitives.shift import shift_right_sticky


class FloatAdd(Block):
    """Add two IEEE 754 numbers, rounded to nearest even, subnormals included. Combinational.

    Parameters
    ----------
    format_ : Format
        With infinities.

    Members
    -------
    a, b : In(W)
    c : Out(W)
    """

    block_name = "add"
    sequential = False

    a: Signal
    b: Signal
    c: Signal

    def __init__(self, format_: Format) -> None:
        self._format = format_
        super().__init__({"a": In(format_.width), "b": In(format_.width), "c": Out(format_.width)})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        swap = Signal()
        larger = Signal(len(self.a))
        smaller = Signal(len(self.a))
        m.d.comb += [
            swap.eq(self.b[:-1] > self.a[:-1]),
            larger.eq(Mux(swap, self.b, self.a)),
            smaller.eq(Mux(swap, self.a, self.b)),
        ]
        x = Operand(m, larger, self._format, "flush", "larger")
        y = Operand(m, smaller, self._format, "flush", "smaller")
        total, exponent = self._add(m, x, y)
        field = self._round(m, *self._normalise(m, total, exponent)) & total.any().replicate(len(self.c) - 1)
        sign = Mux(total.any(), x.sign, x.sign & y.sign)
        nan = x.nan | y.nan | (x.inf & y.inf & (x.sign ^ y.sign))
        m.d.comb += self.c.eq(
            select_special(field, sign, nan=nan, inf=x.inf, negative=x.sign, format_=self._format)
        )
        return m

    def _add(self, m: Module, x: Operand, y: Operand) -> tuple[Signal, Signal]:
        """Add or subtract the significands at the larger one's exponent, which is at least 1."""
        # Subnormals have the exponent of the smallest normal number and no leading one.
        wide = Cat(Const(0, GUARD_BITS), x.mantissa, x.nonzero)
        narrow = Cat(Const(0, GUARD_BITS), y.mantissa, y.nonzero)
        exponent = Signal(len(x.exponent))
        distance = Signal(len(x.exponent))
        larger_subnormal = Signal()
        smaller_subnormal = Signal()
        m.d.comb += [
            larger_subnormal.eq(~x.nonzero),
            smaller_subnormal.eq(~y.nonzero),
            exponent.eq(x.exponent | larger_subnormal),
            distance.eq(exponent - (y.exponent | smaller_subnormal)),
        ]
        aligned = shift_right_sticky(m, narrow, distance, "aligned")
        total = Signal(len(wide) + 1)
        m.d.comb += total.eq(Mux(x.sign ^ y.sign, wide - aligned, wide + aligned))
        return total, exponent

    def _normalise(self, m: Module, total: Signal, exponent: Signal) -> tuple[Value, Value]:
        """Bring the leading one to its place, as far as the exponent goes."""
        carry = total[-1]
        shifted_right = Cat(total[0] | total[1], total[2:])
        zeros = leading_zeros(m, total[:-1], "total")
        places = Signal(max(len(exponent), len(zeros)))
        shifted_left = Signal(len(total) - 1)
        significand = Signal(len(total) - 1)
        final_exponent = Signal(len(exponent) + 1)
        m.d.comb += [
            places.eq(Mux(zeros < exponent, zeros, exponent - 1)),
            shifted_left.eq(total[:-1] << places[: len(zeros)]),
            significand.eq(Mux(carry, shifted_right, shifted_left)),
            final_exponent.eq(Mux(carry, exponent + 1, exponent - places)),
        ]
        return significand, final_exponent

    def _round(self, m: Module, significand: Value, exponent: Value) -> Value:
        """Round the guard bits off: exponent and mantissa as one number, infinity if it is too large."""
        return limit(m, round_field(m, significand, exponent, self._format), self._format)
