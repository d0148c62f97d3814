"""The N-lane dot product as a design of its own."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.accumulators import accumulator, sum_flags
from lmul.hdl.flags import output_flags
from lmul.hdl.hierarchy import Block, place
from lmul.hdl.rounding import output_element


class DotProduct(Block):
    """Dot products of any length, N lanes at a time. Valid-only: there is no backpressure.

    Latency: two cycles from the last step to the result. Throughput: one step every cycle.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    a, b : In(N*W)
        Lane n at bits n*W to (n+1)*W - 1, W of each operand's format.
    in_valid, in_first, in_last : In(1)
        A step, and whether it begins or ends a dot product.
    c : Out(A)
        The result, while c_valid is high.
    c_valid : Out(1)
    c_flags : Out(3)
        {overflow, inf, nan}.
    """

    block_name = "dot"
    sequential = True

    a: Signal
    b: Signal
    in_valid: Signal
    in_first: Signal
    in_last: Signal
    c: Signal
    c_valid: Signal
    c_flags: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        first, second = arithmetic.formats
        super().__init__(
            {
                "a": In(arithmetic.lanes * first.width),
                "b": In(arithmetic.lanes * second.width),
                "in_valid": In(1),
                "in_first": In(1),
                "in_last": In(1),
                "c": Out(arithmetic.output_bits),
                "c_valid": Out(1),
                "c_flags": Out(3),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        mac = place(m, platform, "mac", accumulator(self._arithmetic), self._arithmetic)
        mac_flags = sum_flags(mac, self._arithmetic)
        m.d.comb += [
            mac.en.eq(1),
            mac.a.eq(self.a),
            mac.b.eq(self.b),
            mac.valid.eq(self.in_valid),
            mac.first.eq(self.in_first),
            mac.last.eq(self.in_last),
        ]
        # Partial sums are kept away from the output logic, which would follow every one of them.
        complete_sum = Signal(self._arithmetic.accumulator_bits)
        m.d.comb += complete_sum.eq(mac.sum & mac.done.replicate(len(complete_sum)))
        result = output_element(m, platform, "round", self._arithmetic, raw=complete_sum, flags=mac_flags)
        m.d.sync += self.c_valid.eq(mac.done)
        element = Signal(len(self.c), reset_less=True)
        nan = Signal(reset_less=True)
        inf = Signal(reset_less=True)
        overflow = Signal(reset_less=True)
        with m.If(mac.done):
            m.d.sync += [
                element.eq(result),
                Cat(nan, inf, overflow).eq(output_flags(self._arithmetic, mac.sum, mac_flags)),
            ]
        m.d.comb += [self.c.eq(element), self.c_flags.eq(Cat(nan, inf, overflow))]
        return m
