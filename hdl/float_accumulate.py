"""The multiply-accumulate of N lanes into a floating-point register."""

from typing import Any

from amaranth import Module, Signal, Value

from lmul.golden.arithmetic import FLOAT_ACCUMULATORS
from lmul.hdl.accumulator import Accumulator
from lmul.hdl.float_add import FloatAdd
from lmul.hdl.float_term import FloatTerm
from lmul.hdl.hierarchy import place
from lmul.hdl.product import has_special


class FloatMultiplyAccumulate(Accumulator):
    """Add N products to a running sum every cycle, every addition rounded to nearest even.

    The lanes are added in a balanced tree, lane i with lane i + N/2, then to the running sum, which
    starts from +0.
    """

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
        self.complete(m)
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
        product = self.place_product(m, platform, lane)
        term = place(m, platform, f"term_{lane}", FloatTerm, self._arithmetic)
        m.d.comb += [
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
