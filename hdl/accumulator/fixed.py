"""The multiply-accumulate of N lanes into a fixed-point register."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from lmul.hdl.accumulator.align import place_align
from lmul.hdl.accumulator.base import Accumulator, Term
from lmul.hdl.framework.pipeline import Pipeline, sum_cuts
from lmul.hdl.multiplier.unrounded import RawProduct
from lmul.hdl.primitives.compressor import add_all, compress
from lmul.hdl.primitives.signed import sign_extend, signed_rows


class MultiplyAccumulate(Accumulator):
    """Add N products to a sum every cycle."""

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        pipeline, operands, step = self.front(m)
        terms, step = self.terms(m, platform, pipeline, operands, step)
        clamped = Cat(term.clamped for term in terms if term.clamped is not None).any()
        overflow = {"overflow": clamped if self._design.clamps else Const(0, 1)}
        terms, step = pipeline.cut_lanes("terms", [replace(t, clamped=None) for t in terms], step | overflow)
        signs = [term.sign for term in terms if term.sign is not None]
        rows = signed_rows([lane.term for lane in terms], signs, self._wide)
        if "step" in sum_cuts(self._design):
            # Two numbers, which are added with the running sum: no carry is waited for twice.
            rows, ones = compress(m, rows, signs, self._wide, "step")
            (rows, signs), step = pipeline.cut_lists("step", {"row": rows, "one": ones}, step)
        if self._design.carry == "save":
            self._accumulate_saved(m, rows, signs, step)
        else:
            self._accumulate(m, rows, signs, step)
        return m

    def terms(
        self, m: Module, platform: Any, pipeline: Pipeline, operands: SimpleNamespace, step: dict[str, Value]
    ) -> tuple[list[Term], dict[str, Value]]:
        """Multiply the operands, and give what they add to the sum and what else belongs to a step."""
        products = self.multiply(m, platform, operands)
        special = {"nan": Const(0, 1)} | self.special_flags(products)
        finite = [replace(product, inf=None, nan=None) for product in products]
        products, step = pipeline.cut_lanes("products", finite, special | step)
        return [self._align(m, platform, lane, product) for lane, product in enumerate(products)], step

    @property
    def _wide(self) -> int:
        """One bit more than the register, or a step's sum if that is wider: enough for the true sum."""
        return max(self._design.accumulator_bits, self._design.step_bits) + 1

    def _align(self, m: Module, platform: Any, lane: int, product: RawProduct) -> Term:
        align = place_align(m, platform, f"align_{lane}", self._design, product)
        return Term(align.term, product.sign, align.clamped if self._design.clamps else None)

    def _accumulate(self, m: Module, rows: list[Value], ones: list[Value], step: dict[str, Value]) -> None:
        """Add a step to the sum."""
        own = Signal(len(self.sum), name="accumulator", reset_less=not self._clears_sum)
        augend = sign_extend(self.augend(m, own, step, own.name), self._wide)
        total = add_all(m, [*rows, augend], ones, self._wide, "total")
        self._register_sum(m, own, total, step)
        self.complete(m, step)

    def _accumulate_saved(
        self, m: Module, rows: list[Value], ones: list[Value], step: dict[str, Value]
    ) -> None:
        """Add a step to a sum of two numbers, and those to one number in the next cycle."""
        bits = self._wide
        pair = [Signal(bits, name=f"accumulator_{name}", reset_less=True) for name in ("sum", "carry")]
        augends = [self.augend(m, register, step, register.name) for register in pair]
        load = Signal(name="accumulator_load")
        m.d.comb += load.eq(self.en & step["valid"])
        # There are as many places as single bits: none is left.
        saved, _ = compress(m, [*rows, *augends], ones, bits, "saved")
        after = Pipeline(m, ("saved",), ("valid",), self.en).cut("saved", **step)
        with m.If(load):
            m.d.sync += [register.eq(row) for register, row in zip(pair, saved, strict=True)]
        total = add_all(m, list(pair), [], bits, "total")
        own = Signal(len(self.sum), name="accumulator", reset_less=not self._clears_sum)
        self._register_sum(m, own, total, vars(after))
        self.complete(m, vars(after))

    def _register_sum(self, m: Module, own: Signal, total: Value, step: dict[str, Value]) -> None:
        """Keep a true sum as far as the register goes, and the flags of all its steps."""
        bits = len(own)
        left_range = Signal()
        m.d.comb += left_range.eq((total[bits - 1 : -1] ^ total[-1].replicate(len(total) - bits)).any())
        flags = Signal(len(self.flags), name="sum_flags", reset_less=not self._clears_sum)
        step_flags = Cat(step[name] for name in ("overflow", "nan", "plus", "minus") if name in step)
        before = self.flags_in if self._travels else flags & ~step["first"].replicate(len(flags))
        m.d.comb += [self.sum.eq(own), self.flags.eq(flags)]
        load = Signal(name="sum_load")
        m.d.comb += load.eq(self.en & step["valid"])
        with m.If(load):
            m.d.sync += [
                own.eq(_saturated(total, left_range, bits) if self._design.saturates else total[:bits]),
                flags.eq(before | step_flags | left_range),
            ]


def _saturated(total: Value, left_range: Value, bits: int) -> Value:
    """Stop a sum at the ends of the register's range."""
    sign = total[-1]
    return Mux(left_range, Cat((~sign).replicate(bits - 1), sign), total[:bits])
