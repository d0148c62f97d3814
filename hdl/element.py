"""One element of the array: a multiply-accumulate, and a result register on the way out."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.accumulators import accumulator, sum_flags
from lmul.hdl.flags import flag_bits
from lmul.hdl.hierarchy import Block, place


class Element(Block):
    """Accumulate a sum and keep the previous one until it has left down the column.

    Latency: a complete sum is in the result register two cycles after its last step.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    en : In(1)
        Holds every register when low.
    a, b : In(N*W)
    valid, first, last : In(1)
        A step, and whether it begins or ends a sum.
    shift : In(1)
        Takes the result of the element above. A sum that completes in the same cycle comes first.
    result_in, result : In, Out
        {flags, sum}, from the element above and of this one.
    """

    block_name = "element"
    sequential = True

    en: Signal
    a: Signal
    b: Signal
    valid: Signal
    first: Signal
    last: Signal
    shift: Signal
    result_in: Signal
    result: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        first, second = arithmetic.formats
        result_bits = arithmetic.accumulator_bits + flag_bits(arithmetic)
        super().__init__(
            {
                "en": In(1),
                "a": In(arithmetic.lanes * first.width),
                "b": In(arithmetic.lanes * second.width),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "shift": In(1),
                "result_in": In(result_bits),
                "result": Out(result_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        mac = place(m, platform, "mac", accumulator(self._arithmetic), self._arithmetic)
        m.d.comb += [
            mac.en.eq(self.en),
            mac.a.eq(self.a),
            mac.b.eq(self.b),
            mac.valid.eq(self.valid),
            mac.first.eq(self.first),
            mac.last.eq(self.last),
        ]
        result = Signal(len(self.result), reset_less=True)
        m.d.comb += self.result.eq(result)
        with m.If(self.en):
            with m.If(mac.done):
                m.d.sync += result.eq(Cat(mac.sum, sum_flags(mac, self._arithmetic)))
            with m.Elif(self.shift):
                m.d.sync += result.eq(self.result_in)
        return m
