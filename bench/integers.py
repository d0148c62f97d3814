"""Ways to add products of integers: area and energy of a dot product of 16 lanes of int8 in Nangate 45 nm.

`python bench/integers.py`; netlists and figures are kept in `build/cells`. The first one is what is exported.
Energy has glitches, on operands of SmolLM2.
"""

import sys
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out
from hardware import measured
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from lmul.cost.cells.estimate import Cost, tried_scripts
from lmul.cost.cells.measure import Conditions
from lmul.design import Design, make_design
from lmul.hdl import export
from lmul.hdl.accumulator.integer import IntegerMultiplyAccumulate
from lmul.hdl.framework.hierarchy import Block, place
from lmul.hdl.primitives.columns import Columns
from lmul.terminal.console import console

CONDITIONS = Conditions(period_ps=1000.0, seeds=1)
DESIGN = make_design("dot", format="int8", lanes=16, out="raw", pipeline=2)


class Product(Block):
    """A part of a product, whose bits are not to be seen through by what adds them."""

    sequential = False
    a: Signal
    b: Signal
    bits: Signal

    def __init__(self, design: Design, bits: int) -> None:
        first, second = (format_.width for format_ in design.formats)
        super().__init__({"a": In(first), "b": In(second), "bits": Out(bits)})


class BoothProducts(Product):
    """Give the multiples of one operand that digits of the other one ask for: Booth's, of radix 4."""

    block_name = "booth"

    def __init__(self, design: Design) -> None:
        first, second = (format_.width for format_ in design.formats)
        super().__init__(design, second // 2 * (first + 2))

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        rows: list[Value] = []
        double, single = Cat(Const(0, 1), self.a), Cat(self.a, self.a[-1])
        for low in range(0, len(self.b), 2):
            below = self.b[low - 1] if low else Const(0, 1)
            one, two = Signal(name=f"one_{low}"), Signal(name=f"two_{low}")
            m.d.comb += [one.eq(self.b[low] ^ below), two.eq(~one & (self.b[low + 1] ^ self.b[low]))]
            bits = len(single)
            multiple = (single & one.replicate(bits)) | (double & two.replicate(bits))
            negative = self.b[low + 1]
            # The sign has a negative weight.
            rows.append((multiple ^ negative.replicate(bits)) ^ (1 << (bits - 1)))
            rows.append(negative)
        m.d.comb += self.bits.eq(Cat(*rows))
        return m


class Multiplied(Product):
    """Multiply, however Yosys does."""

    block_name = "product"

    def __init__(self, design: Design) -> None:
        super().__init__(design, design.product_bits)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        product = Signal(len(self.bits))
        m.d.comb += [product.eq(self.a.as_signed() * self.b.as_signed())]
        m.d.comb += self.bits.eq(product ^ (1 << (len(product) - 1)))
        return m


class SignMagnitude(Product):
    """Multiply magnitudes, and invert a negative product, which is then one less than it should be."""

    block_name = "magnitude"

    def __init__(self, design: Design) -> None:
        super().__init__(design, design.product_bits + 1)

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        magnitudes = []
        for name, operand in (("a", self.a), ("b", self.b)):
            magnitude = Signal(len(operand), name=f"{name}_magnitude")
            sign = operand[-1]
            m.d.comb += magnitude.eq((operand ^ sign.replicate(len(operand))) + sign)
            magnitudes.append(magnitude)
        product, negative = Signal(len(self.bits) - 1), Signal()
        m.d.comb += [product.eq(magnitudes[0] * magnitudes[1]), negative.eq(self.a[-1] ^ self.b[-1])]
        term = (product ^ negative.replicate(len(product))) ^ (1 << (len(product) - 1))
        m.d.comb += self.bits.eq(Cat(term, negative))
        return m


class Booth(IntegerMultiplyAccumulate):
    """Adds the multiples of all lanes in one tree."""

    def product(self, m: Module, platform: Any, a: Value, b: Value, name: str) -> tuple[Columns, int]:
        """Give the bits of a product by weight, and what is to be added to them."""
        booth = place(m, platform, name, BoothProducts, self._design)
        m.d.comb += [booth.a.eq(a), booth.b.eq(b)]
        columns: Columns = [[] for _ in range(len(a) + len(b))]
        bits, constant = len(a) + 1, 0
        for digit in range(len(b) // 2):
            row = booth.bits[digit * (bits + 1) : (digit + 1) * (bits + 1)]
            for place_, bit in enumerate(row[:-1]):
                columns[2 * digit + place_].append(bit)
            columns[2 * digit].append(row[-1])
            constant -= 1 << (2 * digit + bits - 1)
        return columns, constant


class Whole(IntegerMultiplyAccumulate):
    """Adds whole products in a tree; what multiplies fills the first cycle."""

    block: type[Product] = Multiplied

    def height(self, point: str, tallest: int) -> int:
        """Give the bits of the highest column where the tree is cut."""
        return tallest

    def product(self, m: Module, platform: Any, a: Value, b: Value, name: str) -> tuple[Columns, int]:
        """Give the bits of a product by weight, and what is to be added to them."""
        product = place(m, platform, name, self.block, self._design)
        m.d.comb += [product.a.eq(a), product.b.eq(b)]
        width = self._design.product_bits
        columns = [[bit] for bit in product.bits[:width]]
        if len(product.bits) > width:
            columns[0].append(product.bits[-1])
        return columns, -1 << (width - 1)


class Magnitudes(Whole):
    """Adds whole products of magnitudes in a tree."""

    block = SignMagnitude


WAYS: dict[str, tuple[type[IntegerMultiplyAccumulate], str]] = {
    "partial products in one tree": (IntegerMultiplyAccumulate, ""),
    "multiples of Booth's digits in one tree": (Booth, ""),
    "products by Yosys": (Whole, ""),
    "products by Yosys, of Booth's digits": (Whole, " -booth"),
    "products of magnitudes": (Magnitudes, ""),
}
"""What adds the products, and an option of Yosys' synthesis."""


def measure(way: type[IntegerMultiplyAccumulate], option: str) -> Cost:
    """Measure the dot product that adds products in one of the ways."""
    scripts = [
        replace(script, yosys=tuple(line.replace("synth ", f"synth{option} ", 1) for line in script.yosys))
        for script in tried_scripts(DESIGN, CONDITIONS)
    ]
    with patch("lmul.hdl.accumulator.table.IntegerMultiplyAccumulate", way):
        export.cache_clear()
        found = measured(DESIGN, CONDITIONS, scripts=scripts, name=f"{way.__name__}{option}")
    export.cache_clear()
    return found


def main() -> int:
    """Measure every way at one clock, and print the figures."""
    table = Table(
        Column("16 lanes of int8, 1 GHz", no_wrap=True),
        *(Column(name, justify="right") for name in ("um2", "fJ a product", "ps")),
        box=SIMPLE_HEAD,
    )
    for name, (way, option) in WAYS.items():
        cost = measure(way, option)
        figures = cost.area_um2, cost.energy_per_product.total, cost.measured.delay_ps
        table.add_row(name, *(f"{figure:.0f}" for figure in figures))
    console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
