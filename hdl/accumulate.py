"""The multiply-accumulate of N lanes into a fixed-point register."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.golden import Arithmetic
from lmul.hdl.align import Align
from lmul.hdl.compressor import add_all
from lmul.hdl.flags import flag_bits
from lmul.hdl.hierarchy import Block, place
from lmul.hdl.product import WideProduct, has_special


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
        Lane n at bits n*W to (n+1)*W - 1, W of each operand's format.
    valid, first, last : In(1)
        A step, and whether it begins or ends a sum. First and last count with valid only.
    sum : Out(A)
        The register, two's complement.
    flags : Out(2), or Out(4) for formats with infinities
        Of the sum so far: {minus infinity, plus infinity, nan, overflow}, or {nan, overflow}.
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
        super().__init__(
            {
                "en": In(1),
                "a": In(arithmetic.lanes * first.width),
                "b": In(arithmetic.lanes * second.width),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "sum": Out(arithmetic.accumulator_bits),
                "flags": Out(flag_bits(arithmetic)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        first, second = self._arithmetic.formats
        products: list[WideProduct] = []
        aligns: list[Align] = []
        for lane in range(self._arithmetic.lanes):
            product = place(m, platform, f"product_{lane}", WideProduct, self._arithmetic)
            align = place(m, platform, f"align_{lane}", Align, self._arithmetic)
            m.d.comb += [
                product.a.eq(self.a.word_select(lane, first.width)),
                product.b.eq(self.b.word_select(lane, second.width)),
                align.sign.eq(product.sign),
                align.significand.eq(product.significand),
                align.exponent.eq(product.exponent),
            ]
            products.append(product)
            aligns.append(align)
        step_flags = self._step_flags(aligns, products)
        terms: list[Value] = [align.term for align in aligns]
        signs: list[Value] = [product.sign for product in products]
        self._accumulate(m, terms, signs, step_flags)
        return m

    def _step_flags(self, aligns: list[Align], products: list[WideProduct]) -> Value:
        """Give the flags that a step sets, as far as there are any."""
        no = Const(0, 1)
        clamped = Cat(align.clamped for align in aligns).any() if self._arithmetic.clamps else no
        nan = Cat(p.nan for p in products).any() if has_special("nan", self._arithmetic) else no
        if not has_special("inf", self._arithmetic):
            return Cat(clamped, nan)
        plus = Cat(p.inf & ~p.sign for p in products).any()
        minus = Cat(p.inf & p.sign for p in products).any()
        return Cat(clamped, nan, plus, minus)

    def _accumulate(self, m: Module, terms: list[Value], signs: list[Value], step_flags: Value) -> None:
        """Add a step to the running sum, or to zero in the first step."""
        bits = self._arithmetic.accumulator_bits
        accumulator = Signal(bits, reset_less=True)
        flags = Signal(len(step_flags), reset_less=True)
        m.d.comb += [self.sum.eq(accumulator), self.flags.eq(flags)]
        augend = Signal(bits)
        m.d.comb += augend.eq(accumulator & ~self.first.replicate(bits))
        # One bit more than the register, or a step's sum if that is wider: the true sum.
        wide = max(bits, self._arithmetic.step_bits) + 1
        rows = [*signed_rows(terms, signs, wide), sign_extend(augend, wide)]
        total = add_all(m, rows, signs, wide, "total")
        left_range = Signal()
        m.d.comb += left_range.eq((total[bits - 1 : -1] ^ total[-1].replicate(wide - bits)).any())
        step = Signal()
        m.d.comb += step.eq(self.en & self.valid)
        saturates = self._arithmetic.acc.startswith("fixed:")
        with m.If(step):
            m.d.sync += [
                accumulator.eq(_saturated(total, left_range, bits) if saturates else total[:bits]),
                flags.eq((flags & ~self.first.replicate(len(flags))) | step_flags | left_range),
            ]
        with m.If(self.en):
            m.d.sync += self.done.eq(self.valid & self.last)


def _saturated(total: Value, left_range: Value, bits: int) -> Value:
    """Stop a sum at the ends of the register's range."""
    sign = total[-1]
    return Mux(left_range, Cat((~sign).replicate(bits - 1), sign), total[:bits])


def signed_rows(terms: list[Value], signs: list[Value], bits: int) -> list[Value]:
    """Write signed numbers as unsigned ones that have the same sum modulo 2^bits.

    A sign bit of weight -2^T is its inverse of weight 2^T, less 2^T. What is to be taken off, the
    same for all, is one constant, which fits above the first number's sign. With an odd number of
    terms one is extended by its sign instead.

    Parameters
    ----------
    terms : list of Value
        T bits each.
    signs : list of Value
    bits : int
    """
    width = len(terms[0])
    rows: list[Value] = [Cat(term, ~sign) for term, sign in zip(terms, signs, strict=True)]
    if len(terms) % 2:
        rows[-1] = Cat(terms[-1], signs[-1].replicate(bits - width))
    pairs = len(terms) // 2
    if pairs:
        above = bits - width - 1
        rows[0] = Cat(rows[0], Const(-pairs % (1 << above), above))
    return rows


def sign_extend(value: Value, bits: int) -> Value:
    """Widen a two's complement number."""
    return Cat(value, value[-1].replicate(bits - len(value)))
