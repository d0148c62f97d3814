"""The multiply-accumulate of N lanes into a floating-point register."""

from dataclasses import replace
from typing import Any

from amaranth import Module, Signal, Value

from lmul.golden.accumulators import Floating
from lmul.hdl.accumulator.base import Accumulator, Term
from lmul.hdl.floating.add import FloatAdd
from lmul.hdl.floating.term import FloatTerm
from lmul.hdl.framework.hierarchy import place
from lmul.hdl.framework.pipeline import values_of
from lmul.hdl.multiplier.unrounded import RawProduct, splits_nan


class FloatMultiplyAccumulate(Accumulator):
    """Add N products to a running sum every cycle, every addition rounded to nearest even.

    The lanes are added in a balanced tree, lane i with lane i + N/2, then to the running sum, which
    starts from +0.
    """

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        pipeline, operands, step = self.front(m)
        products, step = pipeline.cut_lanes("products", self.multiply(m, platform, operands), step)
        if splits_nan(self._design):
            # One is enough to make the sum NaN.
            products[0] = replace(products[0], nan=step.pop("nan"))
        terms = [Term(self._term(m, platform, lane, product)) for lane, product in enumerate(products)]
        lanes, step = pipeline.cut_lanes("terms", terms, step)
        step_sum = self._add_lanes(m, platform, [lane.term for lane in lanes])
        stage = pipeline.cut("step", number=step_sum, **step)
        own = Signal(len(self.sum), name="accumulator", reset_less=not self._clears_sum)
        total = self._add(m, platform, "add_step", self.augend(m, own, vars(stage), own.name), stage.number)
        m.d.comb += self.sum.eq(own)
        with m.If(self.en & stage.valid):
            m.d.sync += own.eq(total)
        self.complete(m, vars(stage))
        return m

    def _add_lanes(self, m: Module, platform: Any, terms: list[Value]) -> Value:
        level = 0
        while len(terms) > 1:
            half = (len(terms) + 1) // 2
            pairs = enumerate(zip(terms, terms[half:], strict=False))
            sums = [self._add(m, platform, f"add_{level}_{lane}", x, y) for lane, (x, y) in pairs]
            terms = sums + terms[len(sums) : half]
            level += 1
        return terms[0]

    def _term(self, m: Module, platform: Any, lane: int, product: RawProduct) -> Value:
        term = place(m, platform, f"term_{lane}", FloatTerm, self._design)
        m.d.comb += [getattr(term, name).eq(value) for name, value in values_of(product).items()]
        return term.term

    def _add(self, m: Module, platform: Any, name: str, x: Value, y: Value) -> Value:
        add = place(m, platform, name, FloatAdd, Floating.FORMATS[self._design.acc])
        m.d.comb += [add.a.eq(x), add.b.eq(y)]
        return add.c
