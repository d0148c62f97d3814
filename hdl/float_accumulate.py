"""The multiply-accumulate of N lanes into a floating-point register."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.golden.arithmetic import FLOAT_ACCUMULATORS
from lmul.hdl.float_add import FloatAdd
from lmul.hdl.float_term import FloatTerm
from lmul.hdl.hierarchy import Block, place
from lmul.hdl.product import WideProduct, has_special


class FloatMultiplyAccumulate(Block):
    """Add N products to a running sum every cycle, every addition rounded to nearest even.

    The lanes are added in a balanced tree, lane i with lane i + N/2, then to the running sum, which
    starts from +0. Latency: one cycle. Throughput: one step of N products every cycle.

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
        A number of the accumulator's format. There are no flags: it is itself infinite or NaN.
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
    done: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        first, second = arithmetic.formats
        super().__init__(
            {
                "en": In(1),
                "a": In(arithmetic.lanes * first.width),
                "b": In(arithmetic.lanes * second.width),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "sum": Out(arithmetic.accumulator_bits),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        accumulator = Signal(len(self.sum), reset_less=True)
        augend = Signal(len(self.sum))
        m.d.comb += [
            self.sum.eq(accumulator),
            augend.eq(accumulator & ~self.first.replicate(len(augend))),
        ]
        step_sum = self._add_lanes(m, platform)
        total = self._add(m, platform, "add_step", augend, step_sum)
        with m.If(self.en & self.valid):
            m.d.sync += accumulator.eq(total)
        with m.If(self.en):
            m.d.sync += self.done.eq(self.valid & self.last)
        return m

    def _add_lanes(self, m: Module, platform: Any) -> Value:
        terms: list[Value] = [self._term(m, platform, lane) for lane in range(self._arithmetic.lanes)]
        level = 0
        while len(terms) > 1:
            half = (len(terms) + 1) // 2
            pairs = enumerate(zip(terms, terms[half:], strict=False))
            sums = [self._add(m, platform, f"add_{level}_{lane}", x, y) for lane, (x, y) in pairs]
            terms = sums + terms[len(sums) : half]
            level += 1
        return terms[0]

    def _term(self, m: Module, platform: Any, lane: int) -> Value:
        first, second = self._arithmetic.formats
        product = place(m, platform, f"product_{lane}", WideProduct, self._arithmetic)
        term = place(m, platform, f"term_{lane}", FloatTerm, self._arithmetic)
        m.d.comb += [
            product.a.eq(self.a.word_select(lane, first.width)),
            product.b.eq(self.b.word_select(lane, second.width)),
            term.sign.eq(product.sign),
            term.significand.eq(product.significand),
            term.exponent.eq(product.exponent),
        ]
        for name in ("inf", "nan"):
            if has_special(name, self._arithmetic):
                m.d.comb += getattr(term, name).eq(getattr(product, name))
        return term.term

    def _add(self, m: Module, platform: Any, name: str, x: Value, y: Value) -> Value:
        add = place(m, platform, name, FloatAdd, FLOAT_ACCUMULATORS[self._arithmetic.acc])
        m.d.comb += [add.a.eq(x), add.b.eq(y)]
        return add.c
