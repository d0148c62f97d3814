"""From the fixed-point accumulator to a floating-point output element."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.hierarchy import Block, place

FP32_MANTISSA = 23
FP32_BIAS = 127
FP32_NAN = 0x7FC00000


class RoundToFp32(Block):
    """Round the accumulator to IEEE binary32, ties to even. Combinational.

    The accumulators of this project's formats stay far from both ends of binary32's exponent
    range, so there is no overflow and no subnormal result.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    raw : In(A)
        Two's complement, last bit weighing 2^lsb_exponent.
    nan : In(1)
    value : Out(32)
    """

    block_name = "round"
    sequential = False

    raw: Signal
    nan: Signal
    value: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        super().__init__({"raw": In(arithmetic.accumulator_bits), "nan": In(1), "value": Out(32)})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        bits = len(self.raw)
        sign = self.raw[-1]
        magnitude = Signal(bits)
        inverted = Signal(bits)
        m.d.comb += [inverted.eq(self.raw ^ sign.replicate(bits)), magnitude.eq(inverted + sign)]
        normalised, leading_zeros = _normalise(m, magnitude)

        rest = bits - 1 - FP32_MANTISSA
        mantissa = normalised[rest:-1]
        half, sticky = normalised[rest - 1], normalised[: rest - 1].any()
        round_up = Signal()
        exponent = Signal(8)
        field = Signal(31)
        largest_exponent = self._arithmetic.lsb_exponent + bits - 1 + FP32_BIAS
        m.d.comb += [
            round_up.eq(half & (sticky | mantissa[0])),
            exponent.eq(largest_exponent - leading_zeros),
            # A mantissa that rounds up to 2 carries into the exponent, which is what it should do.
            field.eq(Cat(mantissa, exponent) + round_up),
        ]
        nonzero = normalised[-1]
        with m.If(self.nan):
            m.d.comb += self.value.eq(FP32_NAN)
        with m.Elif(nonzero):
            m.d.comb += self.value.eq(Cat(field, sign))
        return m


def output_element(
    m: Module, platform: Any, name: str, arithmetic: Arithmetic, *, raw: Value, nan: Value
) -> Value:
    """Bring a complete sum into the form of `arithmetic.out`. Combinational."""
    if arithmetic.out == "raw":
        return raw
    rounding = place(m, platform, name, RoundToFp32, arithmetic)
    m.d.comb += [rounding.raw.eq(raw), rounding.nan.eq(nan)]
    return rounding.value


def _normalise(m: Module, magnitude: Signal) -> tuple[Value, Value]:
    """Shift the leading one to the top bit; give the result and the distance, bits-1 at most."""
    value: Value = magnitude
    zeros: list[Value] = []
    for power in reversed(range((len(magnitude) - 1).bit_length())):
        distance = 1 << power
        occupied = Signal(name=f"top_{distance}_occupied")
        shifted = Signal(len(magnitude), name=f"normalised_{power}")
        m.d.comb += [
            occupied.eq(value[-distance:].any()),
            shifted.eq(Mux(occupied, value, Cat(Const(0, distance), value[:-distance]))),
        ]
        value = shifted
        zeros.insert(0, ~occupied)
    leading_zeros = Signal(len(zeros))
    m.d.comb += leading_zeros.eq(Cat(*zeros))
    return value, leading_zeros
