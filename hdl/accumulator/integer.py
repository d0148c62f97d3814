"""The multiply-accumulate of N lanes of integers into a fixed-point register."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from amaranth import Const, Module, Value

from lmul.design import Design
from lmul.hdl.accumulator.fixed import MultiplyAccumulate
from lmul.hdl.framework.pipeline import Pipeline, sum_cuts
from lmul.hdl.multiplier.integer import product_columns
from lmul.hdl.primitives.columns import Columns, add_constant, compress_columns, heights, rows_of

Multiply = Callable[[Value, Value, str], tuple[Columns, int]]
"""Gives the bits of a product by weight, and what is to be added to them, of operands and a name."""


def product_sum(
    operands: SimpleNamespace, design: Design, lanes: range, bits: int, multiply: Multiply
) -> tuple[Columns, int]:
    """Place the partial products of some lanes, whose sum is modulo 2^bits, and give their constant."""
    first, second = design.formats
    columns: Columns = [[] for _ in range(bits)]
    constant = 0
    for lane in lanes:
        a, b = operands.a.word_select(lane, first.width), operands.b.word_select(lane, second.width)
        product, correction = multiply(a, b, f"product_{lane}")
        constant += correction
        for weight, own in enumerate(product):
            columns[weight] += own
    return columns, constant


class IntegerMultiplyAccumulate(MultiplyAccumulate):
    """Add N products of integers to a sum every cycle.

    No product is computed by itself: the partial products of all lanes are added in one tree.
    """

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        pipeline, operands, step = self.front(m)
        lanes, multiply = range(self._design.lanes), partial(self.product, m, platform)
        columns, constant = product_sum(operands, self._design, lanes, self._wide, multiply)
        columns = add_constant(columns, constant)
        # No product is NaN, or too large.
        step |= {"nan": Const(0, 1), "overflow": Const(0, 1)}
        rows, step = self._rows(m, pipeline, columns, step)
        if self._design.carry == "save":
            self._accumulate_saved(m, rows, [], step)
        else:
            self._accumulate(m, rows, [], step)
        return m

    def product(self, m: Module, platform: Any, a: Value, b: Value, name: str) -> tuple[Columns, int]:
        """Give the bits of a product by weight, and what is to be added to them."""
        return product_columns(m, platform, a, b, name, self._design)

    def height(self, point: str, tallest: int) -> int:
        """Give the bits of the highest column where the tree is cut.

        After two thirds of its levels, where registers are few, or first after one third.
        """
        levels = [tallest, *heights(tallest, 2)]
        return levels[len(levels) * (2 if point == "terms" else 1) // 3]

    def _rows(
        self, m: Module, pipeline: Pipeline, columns: Columns, step: dict[str, Value]
    ) -> tuple[list[Value], dict[str, Value]]:
        """Make two numbers of the columns, with registers between adders where the datapath is cut."""
        tallest = max(map(len, columns))
        for point in ("products", "terms"):
            if point in sum_cuts(self._design):
                columns = compress_columns(m, columns, self.height(point, tallest), point)
                columns, step = pipeline.cut_columns(point, columns, step)
        columns = compress_columns(m, columns, 2, "last")
        columns, step = pipeline.cut_columns("step", columns, step)
        return list(rows_of(columns)), step
