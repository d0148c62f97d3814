"""Blocks of fused sums: a product brought to its places, and a sum normalised and rounded."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FP32
from lmul.hdl.accumulator.fused_scale import Scale
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.primitives.leading_zeros import leading_zeros
from lmul.hdl.primitives.rounding import rounds_up
from lmul.hdl.primitives.shift import normalise, shift_right


class FusedAlign(Block):
    """Shift a product's significand right, and invert a negative one.

    Combinational. What is below the last place is cut off. An inverted term is one less than the number that
    it stands for; the adders make up for it.

    Parameters
    ----------
    design : Design

    Members
    -------
    sign : In(1)
    significand : In(S)
    distance : In(D)
        From the largest exponent of the products; all ones for what is shifted out.
    term : Out(T)
        F bits behind the binary point.
    """

    block_name = "align"
    sequential = False

    sign: Signal
    significand: Signal
    distance: Signal
    term: Signal

    def __init__(self, design: Design) -> None:
        scale = Scale(design)
        self._behind = scale.behind
        bits = scale.term_bits
        super().__init__(
            {
                "sign": In(1),
                "significand": In(scale.significand_bits),
                "distance": In(scale.distance_bits),
                "term": Out(bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        bits, below = len(self.term), max(-self._behind, 0)
        value: Value = Cat(Const(0, max(self._behind, 0)), self.significand)
        value = Cat(value, Const(0, bits + below - len(value)))
        magnitude = shift_right(m, value, self.distance, "shifted")[below:]
        m.d.comb += self.term.eq(magnitude ^ self.sign.replicate(bits))
        return m


class FusedRound(Block):
    """Normalise a sum and round it to an fp32 number of M mantissa bits. Combinational.

    Parameters
    ----------
    design : Design

    Members
    -------
    magnitude : In(W)
        F bits behind the binary point.
    sign : In(1)
    origin : In(X)
        The exponent that it counts from.
    nan, plus, minus : In(1)
        What takes the place of the number: NaN, an infinity.
    number : Out(1 + 8 + M)
        Without the mantissa's bits that are zero.
    """

    block_name = "fused_round"
    sequential = False

    magnitude: Signal
    sign: Signal
    origin: Signal
    nan: Signal
    plus: Signal
    minus: Signal
    number: Signal

    def __init__(self, design: Design) -> None:
        self._scale = Scale(design)
        super().__init__(
            {
                "magnitude": In(self._scale.total_bits - 1),
                "sign": In(1),
                "origin": In(self._scale.bits + 1),
                "nan": In(1),
                "plus": In(1),
                "minus": In(1),
                "number": Out(1 + FP32.exponent_bits + self._scale.design.fused.mantissa_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        field = self._round(m, *self._normalise(m, self.magnitude))
        infinity = Const((1 << FP32.exponent_bits) - 1, FP32.exponent_bits)
        mantissa_bits = self._scale.design.fused.mantissa_bits
        with m.If(self.nan):
            m.d.comb += self.number.eq(Cat(Const(0, mantissa_bits - 1), Const(1, 1), infinity))
        with m.Elif(self.plus | self.minus):
            m.d.comb += self.number.eq(Cat(Const(0, mantissa_bits), infinity, self.minus))
        with m.Else():
            m.d.comb += self.number.eq(Cat(field, self.sign & field.any()))
        return m

    def _normalise(self, m: Module, magnitude: Signal) -> tuple[Value, Value]:
        """Bring the leading one to the top, as far as the smallest exponent lets it, and give its field."""
        scale = self._scale
        above = scale.above
        if not scale.has_subnormals:
            shifted, zeros = normalise(m, magnitude, "total")
            exponent = Signal(range((2 << scale.bits) + abs(above)), name="exponent_field")
            m.d.comb += exponent.eq((self.origin + above - zeros) & shifted[-1].replicate(len(exponent)))
            return shifted, exponent
        padding = max(0, 1 - above - scale.least_origin)
        wide = Cat(magnitude, Const(0, padding))
        room = Signal(range((2 << scale.bits) + abs(above) + padding))
        zeros = leading_zeros(m, Cat(Const(1, 1), wide), "total")
        places = Signal(len(zeros))
        m.d.comb += [room.eq(self.origin + (above + padding)), places.eq(Mux(zeros < room, zeros, room - 1))]
        shifted = Signal(len(wide))
        m.d.comb += shifted.eq(wide << places)
        exponent = Signal(len(room), name="exponent_field")
        m.d.comb += exponent.eq(Mux(shifted[-1], room - places, 0))
        return shifted, exponent

    def _round(self, m: Module, shifted: Value, exponent: Value) -> Value:
        """Cut the mantissa, or round it to nearest even; infinity if the exponent is too large."""
        bits = self._scale.design.fused.mantissa_bits
        padding = max(0, bits + 2 - (len(shifted) - 1))
        wide = Cat(Const(0, padding), shifted)
        rest = len(wide) - 1 - bits
        field = Signal(bits + len(exponent) + 1, name="rounded")
        rounding = rounds_up(wide, rest) if self._scale.design.fused.nearest else Const(0, 1)
        m.d.comb += field.eq(Cat(wide[rest:-1], exponent) + rounding)
        if not self._scale.overflows:
            return field[: bits + FP32.exponent_bits]
        infinity = ((1 << FP32.exponent_bits) - 1) << bits
        limited = Signal(bits + FP32.exponent_bits, name="limited")
        m.d.comb += limited.eq(Mux(field >= infinity, infinity, field))
        return limited
