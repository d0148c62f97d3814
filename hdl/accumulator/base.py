"""What the blocks that accumulate have in common: their ports and their lanes of products."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.golden import FP32
from lmul.hdl.framework.flags import flag_bits
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.framework.pipeline import Pipeline, cycles_to_sum, stages_before_sum, sum_cuts
from lmul.hdl.multiplier.unrounded import (
    RawProduct,
    UnroundedProduct,
    operand_bits,
    product_specials,
    raw_product,
    splits_nan,
)


@dataclass(frozen=True)
class Term:
    """What a lane adds to the sum.

    Parameters
    ----------
    term : Value
        A magnitude in fixed point, a number in floating point.
    sign, clamped : Value or None
        Of a magnitude: a bit each; whether the product was more than it holds, where there are such ones.
    """

    term: Value
    sign: Value | None = None
    clamped: Value | None = None


class Accumulator(Block):
    """Add N products to a sum every cycle.

    The sum is the block's own, or in a weight-stationary array one that comes with the products and
    goes on.

    Latency: one cycle, one for each register stage before the sum, and one with `--carry save`.
    Throughput: one step of N products every cycle; a sum may begin in the cycle after another one ended.

    Parameters
    ----------
    design : Design

    Members
    -------
    en : In(1)
        Holds every register when low.
    a, b : In(N*W), or one more
        Lane n at bits n*W to (n+1)*W - 1, W of each operand's format; above them whether one of them
        was NaN, where `splits_nan` says so, and the scales of blocks, 8 bits each.
    valid : In(1)
        A step.
    first, last : In(1)
        Whether it begins or ends a sum; they count with valid only. Not where sums travel.
    addend : In(32)
        What the first step of a sum is added to, a code of fp32. Only with `--addend`.
    sum_in, flags_in : In
        The sum to add to, where sums travel: one cycle before the result, whatever the pipeline.
    sum : Out(A)
        The register: two's complement, or a number of the accumulator's format.
    flags : Out(2), or Out(4) for formats with infinities
        Of the sum so far: {minus infinity, plus infinity, nan, overflow}, or {nan, overflow}. Only in
        fixed point: a floating-point sum is itself infinite or NaN.
    done : Out(1)
        The sum is complete. Not where sums travel.
    """

    block_name = "mac"
    sequential = True

    en: Signal
    a: Signal
    b: Signal
    valid: Signal
    first: Signal
    last: Signal
    addend: Signal
    sum_in: Signal
    flags_in: Signal
    sum: Signal
    flags: Signal
    done: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        self._travels = design.weight_stationary
        # Of a dot product whose result is the sum itself; others hide it until it is complete.
        self._clears_sum = design.kind == "dot" and not design.converts
        self.has_reset = not self._travels or stages_before_sum(design) > 0
        first, second = operand_bits(design)
        sums = {"sum": design.accumulator_bits} | ({"flags": flag_bits(design)} if flag_bits(design) else {})
        members: dict[str, Any] = {
            "en": In(1),
            "a": In(first),
            "b": In(second),
            "valid": In(1),
        }
        if self._travels:
            members |= {f"{name}_in": In(bits) for name, bits in sums.items()}
        else:
            members |= {"first": In(1), "last": In(1)}
        if design.addend:
            members["addend"] = In(FP32.width)
        members |= {name: Out(bits) for name, bits in sums.items()}
        super().__init__(members | ({} if self._travels else {"done": Out(1)}))

    @property
    def latency(self) -> int:
        """Cycles from the operands of a step to the sum."""
        return cycles_to_sum(self._design)

    def front(self, m: Module) -> tuple[Pipeline, SimpleNamespace, dict[str, Value]]:
        """Give the register stages before the sum, the operands, and what else belongs to a step."""
        pipeline = Pipeline(m, sum_cuts(self._design), ("valid",), self.en)
        names = ["valid"] if self._travels else ["valid", "first", "last"]
        names += ["addend"] if self._design.addend else []
        control = {name: getattr(self, name) for name in names}
        a, b = (self._operands(m, name) for name in ("a", "b"))
        operands = pipeline.cut("inputs", a=a, b=b, **control)
        step = {name: getattr(operands, name) for name in names}
        if splits_nan(self._design):
            pairs = zip((operands.a, operands.b), self._design.formats, strict=True)
            lanes = self._design.lanes
            found = (codes[lanes * format_.width] for codes, format_ in pairs if format_.nan is not None)
            step["nan"] = Cat(found).any()
        return pipeline, operands, step

    def _operands(self, m: Module, name: str) -> Value:
        """Give operands as the multipliers see them: with `--isolate` zero while they are not valid."""
        codes: Signal = getattr(self, name)
        if not self._design.isolate:
            return codes
        isolated = Signal(len(codes), name=f"{name}_isolated")
        m.d.comb += isolated.eq(codes & self.valid.replicate(len(codes)))
        return isolated

    @property
    def factors(self) -> Design:
        """What the multipliers are made for."""
        return self._design

    def multiply(self, m: Module, platform: Any, operands: SimpleNamespace) -> list[RawProduct]:
        """Multiply the operands of every lane."""
        first, second = self._design.formats
        products: list[RawProduct] = []
        for lane in range(self._design.lanes):
            product = place(m, platform, f"product_{lane}", UnroundedProduct, self.factors)
            m.d.comb += [
                product.a.eq(operands.a.word_select(lane, first.width)),
                product.b.eq(operands.b.word_select(lane, second.width)),
            ]
            products.append(raw_product(product, self.factors))
        return products

    def special_flags(self, products: list[RawProduct]) -> dict[str, Value]:
        """Tell whether products of a step are NaN or infinite, as far as there are such ones."""
        specials, found = product_specials(self._design), dict[str, Value]()
        if "nan" in specials:
            found["nan"] = Cat(p.nan for p in products if p.nan is not None).any()
        if "inf" in specials:
            found["plus"] = Cat(p.inf & ~p.sign for p in products if p.inf is not None).any()
            found["minus"] = Cat(p.inf & p.sign for p in products if p.inf is not None).any()
        return found

    def augend(self, m: Module, own: Value, step: dict[str, Value], name: str) -> Value:
        """Give what a step is added to: the sum that comes in, or this one's, zero in the first step."""
        if self._travels:
            return self.sum_in
        augend = Signal(len(own), name=f"{name}_augend")
        m.d.comb += augend.eq(own & ~step["first"].replicate(len(own)))
        return augend

    def complete(self, m: Module, step: dict[str, Value]) -> None:
        """Say, in the cycle after the last step, that the sum is complete."""
        if not self._travels:
            with m.If(self.en):
                m.d.sync += self.done.eq(step["valid"] & step["last"])
