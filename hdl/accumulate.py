"""The multiply-accumulate of N lanes into a fixed-point register."""

from collections.abc import Callable
from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.align import Align
from lmul.hdl.hierarchy import Block, place
from lmul.hdl.product import WideProduct


class MultiplyAccumulate(Block):
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
        Lane n at bits n*W to (n+1)*W - 1.
    valid, first, last : In(1)
        A step, and whether it begins or ends a sum. First and last count with valid only.
    sum : Out(A)
        The register, two's complement.
    overflow, nan : Out(1)
        Flags of the sum so far.
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
    overflow: Signal
    nan: Signal
    done: Signal

    def __init__(self, arithmetic: Arithmetic) -> None:
        self._arithmetic = arithmetic
        operands = arithmetic.lanes * arithmetic.format.width
        super().__init__(
            {
                "en": In(1),
                "a": In(operands),
                "b": In(operands),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "sum": Out(arithmetic.accumulator_bits),
                "overflow": Out(1),
                "nan": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        width = self._arithmetic.format.width
        products: list[WideProduct] = []
        terms: list[Value] = []
        for lane in range(self._arithmetic.lanes):
            product = place(m, platform, f"product_{lane}", WideProduct, self._arithmetic)
            align = place(m, platform, f"align_{lane}", Align, self._arithmetic)
            m.d.comb += [
                product.a.eq(self.a.word_select(lane, width)),
                product.b.eq(self.b.word_select(lane, width)),
                align.sign.eq(product.sign),
                align.significand.eq(product.significand),
                align.exponent.eq(product.exponent),
            ]
            products.append(product)
            terms.append(Cat(align.term, product.sign))
        step_sum = self._add_terms(m, terms)
        step_nan = Cat(product.nan for product in products).any()
        self._accumulate(m, step_sum, step_nan)
        return m

    def _add_terms(self, m: Module, terms: list[Value]) -> Value:
        """Add the lanes, and the one that each negative term lacks."""
        total = _tree_sum(m, terms, "terms", sign_extend)
        negative_terms = _tree_sum(m, [term[-1:] for term in terms], "negative_terms", zero_extend)
        step_sum = Signal(len(total))
        m.d.comb += step_sum.eq(total + zero_extend(negative_terms, len(total)))
        return step_sum

    def _accumulate(self, m: Module, step_sum: Value, step_nan: Value) -> None:
        """Add the step to the running sum, or to zero in the first step."""
        bits = self._arithmetic.accumulator_bits
        accumulator = Signal(bits, reset_less=True)
        overflow = Signal(reset_less=True)
        nan = Signal(reset_less=True)
        m.d.comb += [self.sum.eq(accumulator), self.overflow.eq(overflow), self.nan.eq(nan)]
        augend = Signal(bits)
        addend = Signal(bits)
        total = Signal(bits)
        left_range = Signal()
        m.d.comb += [
            augend.eq(accumulator & ~self.first.replicate(bits)),
            addend.eq(sign_extend(step_sum, bits)),
            total.eq(augend + addend),
            left_range.eq((augend[-1] == addend[-1]) & (total[-1] != augend[-1])),
        ]
        step = Signal()
        m.d.comb += step.eq(self.en & self.valid)
        with m.If(step):
            m.d.sync += [
                accumulator.eq(total),
                overflow.eq((overflow & ~self.first) | left_range),
                nan.eq((nan & ~self.first) | step_nan),
            ]
        with m.If(self.en):
            m.d.sync += self.done.eq(self.valid & self.last)


def zero_extend(value: Value, bits: int) -> Value:
    """Widen an unsigned number."""
    return Cat(value, Const(0, bits - len(value)))


def sign_extend(value: Value, bits: int) -> Value:
    """Widen a two's complement number."""
    return Cat(value, value[-1].replicate(bits - len(value)))


def _tree_sum(m: Module, terms: list[Value], name: str, extend: Callable[[Value, int], Value]) -> Value:
    """Add in a balanced binary tree, every level one bit wider than the one before."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    low = _tree_sum(m, terms[:half], f"{name}_l", extend)
    high = _tree_sum(m, terms[half:], f"{name}_h", extend)
    bits = max(len(low), len(high)) + 1
    total = Signal(bits, name=name)
    m.d.comb += total.eq(extend(low, bits) + extend(high, bits))
    return total
