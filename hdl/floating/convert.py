"""From a floating-point accumulator to an output element of another format."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FORMATS
from lmul.hdl.floating.rounding import GUARD_BITS, round_field, select_special
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.multiplier.operand import Operand, operand_offset


class FloatConvert(Block):
    """Convert to a format that reaches as far, rounded to nearest even. Combinational.

    Parameters
    ----------
    design : Design
        With a floating-point accumulator and another output, whose exponent range holds the accumulator's.

    Members
    -------
    raw : In(W)
    value : Out(W)
    too_large : Out(1)
        The sum is finite, and rounds to infinity. Only where there is such a sum.
    """

    block_name = "convert"
    sequential = False

    raw: Signal
    value: Signal
    too_large: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        members = {"raw": In(design.accumulator_bits), "value": Out(design.output_bits)}
        super().__init__(members | ({"too_large": Out(1)} if design.output_overflows else {}))

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        source, target = self._design.accumulator_format, FORMATS[self._design.out]
        assert source is not None  # noqa: S101
        # Subnormals of a narrower exponent range are normal numbers of the target.
        same_range = source.exponent_bits == target.exponent_bits
        subnormals = "flush" if same_range else "full"
        x = Operand(m, self.raw, source, subnormals, "raw")
        rebias = target.bias - operand_offset(source, subnormals)
        exponent = Signal(target.exponent_bits)
        padding = Const(0, max(0, target.mantissa_bits - source.mantissa_bits) + GUARD_BITS)
        leading = x.nonzero if same_range else Const(1, 1)
        m.d.comb += exponent.eq(Mux(x.nonzero, x.exponent + rebias, 1))
        field = round_field(m, Cat(padding, x.mantissa, leading), exponent, target)
        zero = Const(0, 1) if same_range else ~x.nonzero
        finite = field & ~zero.replicate(target.width - 1)
        special = {"nan": x.nan, "inf": x.inf, "negative": x.sign}
        m.d.comb += self.value.eq(select_special(finite, x.sign, **special, format_=target))
        if self._design.output_overflows:
            m.d.comb += self.too_large.eq((finite >= (target.infinity or 0)) & ~x.special)
        return m
