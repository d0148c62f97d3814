"""The multiply-accumulate of N lanes into a fixed-point register."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from lmul.hdl.accumulator import Accumulator
from lmul.hdl.align import Align
from lmul.hdl.compressor import add_all
from lmul.hdl.hierarchy import place
from lmul.hdl.product import WideProduct, has_special


class MultiplyAccumulate(Accumulator):
    """Add N products to a running sum every cycle."""

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        products: list[WideProduct] = []
        aligns: list[Align] = []
        for lane in range(self._arithmetic.lanes):
            product = self.place_product(m, platform, lane)
            align = place(m, platform, f"align_{lane}", Align, self._arithmetic)
            m.d.comb += [
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
        kept = _saturated(total, left_range, bits) if self._arithmetic.saturates else total[:bits]
        with m.If(step):
            m.d.sync += [
                accumulator.eq(kept),
                flags.eq((flags & ~self.first.replicate(len(flags))) | step_flags | left_range),
            ]
        self.complete(m)


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
