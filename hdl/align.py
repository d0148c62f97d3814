"""From a floating-point product to a fixed-point term of a sum."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.hierarchy import Block


class Align(Block):
    """Shift a significand to its weight, and invert it if it is negative. Combinational.

    An inverted term is one less than the number that it stands for; the adders make up for it.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    sign : In(1)
    significand : In(M+1), or In(2M+2) for `exact`
    exponent : In(E+1)
        At least 2, unless the significand is zero.
    term : Out(B)
        In accumulator LSBs, the bits of the largest product; its sign is `sign`.
    """

    block_name = "align"
    sequential = False

    sign: Signal
    significand: Signal
    exponent: Signal
    term: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        super().__init__(
            {
                "sign": In(1),
                "significand": In(arithmetic.significand_bits),
                "exponent": In(arithmetic.format.exponent_bits + 1),
                "term": Out(arithmetic.product_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        value: Value = self.significand
        for power, select in enumerate(self.exponent):
            distance = 1 << power
            shifted: Value = Cat(Const(0, distance), value)
            unshifted: Value = Cat(value, Const(0, distance))
            if power == len(self.exponent) - 1:
                # The exponents of products begin at 2 and end at the largest product.
                shifted, unshifted = (v[2 : 2 + len(self.term)] for v in (shifted, unshifted))
            stage = Signal(len(shifted), name=f"shifted_by_{2 * distance - 1}")
            m.d.comb += stage.eq(Mux(select, shifted, unshifted))
            value = stage
        m.d.comb += self.term.eq(value ^ self.sign.replicate(len(self.term)))
        return m
