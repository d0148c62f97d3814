"""The multiply-accumulate of N lanes of integers into a fixed-point register."""

from typing import Any

from amaranth import Const, Module, Value

from lmul.hdl.accumulator.fixed import MultiplyAccumulate
from lmul.hdl.framework.pipeline import Pipeline, sum_cuts
from lmul.hdl.multiplier.integer import product_columns
from lmul.hdl.primitives.columns import Columns, add_constant, compress_columns, heights, rows_of


class IntegerMultiplyAccumulate(MultiplyAccumulate):
    """Add N products of integers to a sum every cycle.

    No product is computed by itself: the partial products of all lanes are added in one tree.
    """

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        pipeline, operands, step = self.front(m)
        first, second = self._design.formats
        columns: Columns = [[] for _ in range(self._wide)]
        constant = 0
        for lane in range(self._design.lanes):
            a, b = operands.a.word_select(lane, first.width), operands.b.word_select(lane, second.width)
            product, correction = self.product(m, platform, a, b, f"product_{lane}")
            constant += correction
            for weight, bits in enumerate(product):
                columns[weight] += bits
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
