"""From the fixed-point accumulator to a floating-point output element."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FORMATS
from lmul.hdl.floating.convert import FloatConvert
from lmul.hdl.framework.flags import nan_and_infinity
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.framework.pipeline import Pipeline, stages_after_sum, sum_cuts
from lmul.hdl.primitives.rounding import rounds_up
from lmul.hdl.primitives.shift import normalise


class RoundToFloat(Block):
    """Round the accumulator to binary32 or bf16, ties to even.

    Combinational, or with as many register stages as `stages_after_sum` says. The accumulator's last
    bit weighs at least as much as the smallest normal number of the output, so that there are no
    subnormal results.

    Parameters
    ----------
    design : Design
        `out` is fp32 or bf16.

    Members
    -------
    en : In(1)
        Holds every register when low; only where there are registers.
    raw : In(A)
        Two's complement, last bit weighing 2^lsb_exponent.
    nan, inf, negative : In(1)
        What takes the place of the number; the sign of an infinity.
    value : Out(32) or Out(16)
    too_large : Out(1)
        The sum is finite, and rounds to infinity. Only where there is such a sum.
    """

    block_name = "round"

    en: Signal
    raw: Signal
    nan: Signal
    inf: Signal
    negative: Signal
    value: Signal
    too_large: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        self.sequential = stages_after_sum(design) > 0
        self.has_reset = False
        members = {
            "raw": In(design.accumulator_bits),
            "nan": In(1),
            "inf": In(1),
            "negative": In(1),
            "value": Out(design.output_bits),
        }
        members |= {"too_large": Out(1)} if design.output_overflows else {}
        super().__init__(({"en": In(1)} if self.sequential else {}) | members)

    @property
    def latency(self) -> int:
        """Cycles from a sum to its element."""
        return stages_after_sum(self._design)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        format_ = FORMATS[self._design.out]
        enable = self.en if self.sequential else None
        pipeline = Pipeline(m, sum_cuts(self._design), (), enable)
        sign = self.raw[-1]
        magnitude = Signal(len(self.raw))
        m.d.comb += magnitude.eq((self.raw ^ sign.replicate(len(self.raw))) + sign)
        special = {"nan": self.nan, "inf": self.inf, "negative": self.negative}
        s = pipeline.cut("magnitude", magnitude=magnitude, sign=sign, **special)
        normalised, zeros = normalise(m, s.magnitude, "magnitude")
        special = {"nan": s.nan, "inf": s.inf, "negative": s.negative}
        s = pipeline.cut("normalised", normalised=normalised, zeros=zeros, sign=s.sign, **special)
        field, too_large = self._round(m, s.normalised, s.zeros)
        infinity = format_.infinity or 0
        with m.If(s.nan):
            m.d.comb += self.value.eq(format_.nan or 0)
        with m.Elif(s.inf):
            m.d.comb += self.value.eq(Cat(Const(infinity, len(field)), s.negative))
        with m.Elif(s.normalised[-1]):
            m.d.comb += self.value.eq(Cat(Mux(too_large, infinity, field), s.sign))
        if self._design.output_overflows:
            m.d.comb += self.too_large.eq(too_large & s.normalised[-1] & ~s.nan & ~s.inf)
        return m

    def _round(self, m: Module, normalised: Value, zeros: Value) -> tuple[Value, Value]:
        """Give exponent and mantissa as one number, and whether the exponent is too large."""
        format_ = FORMATS[self._design.out]
        bits = len(normalised)
        # Zeros on the right, so that there is something to round off.
        wide = Cat(Const(0, max(0, format_.mantissa_bits + 3 - bits)), normalised)
        rest = len(wide) - 1 - format_.mantissa_bits
        mantissa = wide[rest:-1]
        round_up = Signal()
        largest_exponent = self._design.lsb_exponent + bits - 1 + format_.bias
        exponent = Signal(range(largest_exponent + 1))
        infinity = format_.infinity or 0
        # Only the most negative sum has the largest exponent, and it is a power of two: no carry makes more.
        fits = not self._design.output_overflows
        field = Signal(format_.width - 1 if fits else len(exponent) + 1 + format_.mantissa_bits)
        m.d.comb += [
            round_up.eq(rounds_up(wide, rest)),
            exponent.eq(largest_exponent - zeros),
            # A mantissa that rounds up to 2 carries into the exponent, which is what it should do.
            field.eq(Cat(mantissa, exponent) + round_up),
        ]
        return field[: format_.width - 1], Const(0, 1) if fits else field >= infinity


def output_element(
    m: Module, platform: Any, name: str, design: Design, *, en: Value, raw: Value, flags: Value
) -> tuple[Value, Value]:
    """Bring a complete sum into the form of `design.out`, `stages_after_sum` cycles of `en` later.

    Returns
    -------
    element : Value
    too_large : Value
        The sum is finite, and the element is infinite.
    """
    if not design.converts:
        return raw, Const(0, 1)
    if design.accumulator_format:
        convert = place(m, platform, name, FloatConvert, design)
        m.d.comb += convert.raw.eq(raw)
        return convert.value, convert.too_large if design.output_overflows else Const(0, 1)
    rounding = place(m, platform, name, RoundToFloat, design)
    nan, inf, negative = nan_and_infinity(design, raw, flags)
    m.d.comb += [
        rounding.raw.eq(raw),
        rounding.nan.eq(nan),
        rounding.inf.eq(inf),
        rounding.negative.eq(negative),
    ]
    if stages_after_sum(design):
        m.d.comb += rounding.en.eq(en)
    return rounding.value, rounding.too_large if design.output_overflows else Const(0, 1)
