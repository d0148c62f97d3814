"""Products of integers: the partial ones, which sums take as they are, and the multiplier of its own."""

from typing import Any

from amaranth import Module, Signal, Value
from amaranth.lib.wiring import In, Out

from lmul.design import Design
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.framework.pipeline import Pipeline
from lmul.hdl.primitives.columns import Columns, add_constant, compress_columns, rows_of

CUTS = (
    (),
    ("rows",),
    ("rows", "result"),
    ("input", "rows", "result"),
    ("input", "columns", "rows", "result"),
)
"""Where the registers of a pipeline are, by its number of stages."""

CUT_HEIGHT = 4
"""Bits of a column at `columns`: as many levels of adders before as behind for 8 bits."""


class PartialProducts(Block):
    """Multiply every bit of an integer by every bit of another one. Combinational.

    Products with one sign bit have a negative weight. They are inverted, as Baugh and Wooley do (IEEE Trans.
    Computers C-22(12), 1973): -x 2^k is (1 - x) 2^k less 2^k, and what is to be taken off is a constant.

    Parameters
    ----------
    design : Design

    Members
    -------
    a, b : In(W)
        W of each operand's format.
    bits : Out
        That of bit i of b and bit j of a at i times the bits of a, plus j; it weighs 2^(i+j).
    """

    block_name = "partial"
    sequential = False

    a: Signal
    b: Signal
    bits: Signal

    def __init__(self, design: Design) -> None:
        first, second = (format_.width for format_ in design.formats)
        super().__init__({"a": In(first), "b": In(second), "bits": Out(first * second)})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        bits = len(self.a)
        for place_, bit in enumerate(self.b):
            row = self.a & bit.replicate(bits)
            signs = 1 << (bits - 1)
            if place_ == len(self.b) - 1:
                signs -= 1
            m.d.comb += self.bits[place_ * bits : (place_ + 1) * bits].eq(row ^ signs)
        return m


def product_columns(
    m: Module, platform: Any, a: Value, b: Value, name: str, design: Design
) -> tuple[Columns, int]:
    """Place the partial products of two integers.

    Returns
    -------
    columns : list of list of Value
        Their bits, by weight.
    constant : int
        What is to be added to them.
    """
    partial = place(m, platform, name, PartialProducts, design)
    m.d.comb += [partial.a.eq(a), partial.b.eq(b)]
    columns: Columns = [[] for _ in range(len(a) + len(b) - 1)]
    for index, bit in enumerate(partial.bits):
        columns[sum(divmod(index, len(a)))].append(bit)
    first, second = 1 << (len(a) - 1), 1 << (len(b) - 1)
    return columns, first + second - 2 * first * second


class IntegerMultiplierBlock(Block):
    """Multiply integers: the whole product, two's complement.

    Latency: `design.pipeline` cycles, 0 for a combinational multiplier. Throughput: one product every
    cycle. A pipeline gives 0 once `rst` was high for as many cycles.

    Parameters
    ----------
    design : Design

    Members
    -------
    a, b : In(W)
        W of each operand's format.
    p : Out
        As wide as both.
    """

    block_name = "mul"

    a: Signal
    b: Signal
    p: Signal

    def __init__(self, design: Design) -> None:
        self._design = design
        self.sequential = design.pipeline > 0
        first, second = design.formats
        super().__init__({"a": In(first.width), "b": In(second.width), "p": Out(design.product_bits)})

    @property
    def latency(self) -> int:
        """Cycles from the operands to their product."""
        return self._design.pipeline

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        # A reset lets no product out that was on its way.
        live: Value = Signal()
        m.d.comb += live.eq(1)
        pipeline = Pipeline(m, CUTS[self._design.pipeline], ("live",))
        s = pipeline.cut("input", a=self.a, b=self.b, live=live)
        columns, constant = product_columns(m, platform, s.a, s.b, "partial", self._design)
        columns = add_constant([*columns, []], constant)
        live = s.live
        if "columns" in CUTS[self._design.pipeline]:
            columns = compress_columns(m, columns, CUT_HEIGHT, "first")
            columns, step = pipeline.cut_columns("columns", columns, {"live": live})
            live = step["live"]
        x, y = rows_of(compress_columns(m, columns, 2, "last"))
        s = pipeline.cut("rows", x=x, y=y, live=live)
        product = Signal(len(self.p))
        m.d.comb += product.eq(s.x + s.y)
        s = pipeline.cut("result", product=product, live=s.live)
        m.d.comb += self.p.eq(s.product & s.live.replicate(len(self.p)) if self.sequential else s.product)
        return m
