"""What the blocks that accumulate have in common: their ports and their lanes of products."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.flags import flag_bits
from lmul.hdl.hierarchy import Block, place
from lmul.hdl.product import WideProduct


class Accumulator(Block):
    """Add N products to a running sum every cycle.

    Latency: one cycle. Throughput: one step of N products every cycle; a sum may begin in the
    cycle after another one ended.

    Parameters
    ----------
    arithmetic : Arithmetic

    Members
    -------
    en : In(1)
        Holds every register when low.
    a, b : In(N*W)
        Lane n at bits n*W to (n+1)*W - 1, W of each operand's format.
    valid, first, last : In(1)
        A step, and whether it begins or ends a sum. First and last count with valid only.
    sum : Out(A)
        The register: two's complement, or a number of the accumulator's format.
    flags : Out(2), or Out(4) for formats with infinities
        Of the sum so far: {minus infinity, plus infinity, nan, overflow}, or {nan, overflow}. Only in
        fixed point: a floating-point sum is itself infinite or NaN.
    done : Out(1)
        The sum is complete.
    """

    block_name = "mac"
    sequential = True

    en: Signal
    a: Signal
    b: Signal
    valid: Signal
    first: Signal
    last: Signal
    sum: Signal
    flags: Signal
    done: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        first, second = arithmetic.formats
        members: dict[str, Any] = {
            "en": In(1),
            "a": In(arithmetic.lanes * first.width),
            "b": In(arithmetic.lanes * second.width),
            "valid": In(1),
            "first": In(1),
            "last": In(1),
            "sum": Out(arithmetic.accumulator_bits),
        }
        if flag_bits(arithmetic):
            members["flags"] = Out(flag_bits(arithmetic))
        super().__init__(members | {"done": Out(1)})

    def place_product(self, m: Module, platform: Any, lane: int) -> WideProduct:
        """Multiply the operands of a lane."""
        first, second = self._arithmetic.formats
        product = place(m, platform, f"product_{lane}", WideProduct, self._arithmetic)
        m.d.comb += [
            product.a.eq(self.a.word_select(lane, first.width)),
            product.b.eq(self.b.word_select(lane, second.width)),
        ]
        return product

    def complete(self, m: Module) -> None:
        """Say, in the cycle after the last step, that the sum is complete."""
        with m.If(self.en):
            m.d.sync += self.done.eq(self.valid & self.last)
