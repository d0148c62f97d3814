"""Multiply-accumulates whose products are summed exactly in groups, each of which is a term with a scale."""

from dataclasses import replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value

from lmul.design import Design
from lmul.golden.formats.block_scale import E8M0_BIAS, NO_SCALE, BlockScale
from lmul.hdl.accumulator.align import place_align, shift_within
from lmul.hdl.accumulator.base import Accumulator, Term
from lmul.hdl.accumulator.block_scales import any_nan, scale_codes
from lmul.hdl.accumulator.fixed import MultiplyAccumulate
from lmul.hdl.accumulator.fused import FusedMultiplyAccumulate, Lane
from lmul.hdl.accumulator.integer import product_sum
from lmul.hdl.framework.pipeline import Pipeline, sum_cuts
from lmul.hdl.multiplier.integer import product_columns
from lmul.hdl.multiplier.unrounded import RawProduct
from lmul.hdl.primitives.adder import sum_and_next
from lmul.hdl.primitives.columns import Columns, add_constant, compress_columns, rows_of
from lmul.hdl.primitives.compressor import add_all, compress
from lmul.hdl.primitives.maximum import maximum
from lmul.hdl.primitives.signed import signed_rows

CUT_HEIGHTS = {"products": 28, "groups": 3}
"""Bits of a column in registers: levels of adders are left for the next stage, beside a shifter one."""

Sum = tuple[Value, Value]
"""The sign of a group's sum, and its magnitude."""


class GroupAccumulator(Accumulator):
    """Sums the products of each group exactly."""

    @cached_property
    def factors(self) -> Design:
        """A group's products as an exact accumulator takes them."""
        size = self._groups.group
        plain: dict[str, Any] = {"scale": NO_SCALE, "interleave": 1, "addend": False}
        return replace(self._design, acc="exact", lanes=size, depth=size, **plain)

    @property
    def _groups(self) -> BlockScale:
        scale = self._design.block_scale
        assert scale is not None  # noqa: S101
        return scale

    def sums(
        self, m: Module, platform: Any, pipeline: Pipeline, operands: SimpleNamespace, step: dict[str, Value]
    ) -> tuple[list[Sum], dict[str, Value]]:
        """Multiply the operands, and give the sums of a step's groups and what else belongs to it."""
        own = self._integer_sums if self._design.integer else self._product_sums
        return own(m, platform, pipeline, operands, step)

    def _product_sums(
        self, m: Module, platform: Any, pipeline: Pipeline, operands: SimpleNamespace, step: dict[str, Value]
    ) -> tuple[list[Sum], dict[str, Value]]:
        """Do it with a product of each lane, aligned to those of its group."""
        products, step = pipeline.cut_lanes("products", self.multiply(m, platform, operands), step)
        groups, size = range(self._design.terms), self._groups.group
        parts = [products[number * size : (number + 1) * size] for number in groups]
        pairs = [self._pair(m, platform, number, part) for number, part in enumerate(parts)]
        rows, ones = ([value for pair in pairs for value in pair[kind]] for kind in (0, 1))
        (rows, ones), step = pipeline.cut_lists("groups", {"row": rows, "one": ones}, step)
        spare = len(ones) // len(groups)
        return [
            self._sum(m, number, rows[2 * number :][:2], ones[spare * number :][:spare]) for number in groups
        ], step

    def _integer_sums(
        self, m: Module, platform: Any, pipeline: Pipeline, operands: SimpleNamespace, step: dict[str, Value]
    ) -> tuple[list[Sum], dict[str, Value]]:
        """Do it with the partial products of all lanes of a group in one tree."""
        groups, wide = range(self._design.terms), self.factors.step_bits
        columns = [bits for number in groups for bits in self._columns(m, platform, operands, number)]
        columns, step = self._lowered(m, pipeline, "products", columns, step)
        columns, step = self._lowered(m, pipeline, "groups", columns, step)
        return [
            self._sum_of_columns(m, number, columns[number * wide : (number + 1) * wide]) for number in groups
        ], step

    def _pair(
        self, m: Module, platform: Any, number: int, products: list[RawProduct]
    ) -> tuple[list[Value], list[Value]]:
        """Add a group's products in fixed point until there are two numbers, and single bits beside them."""
        terms: list[Value] = [
            place_align(m, platform, f"group_{number}_{lane}", self.factors, product).term
            for lane, product in enumerate(products)
        ]
        signs, bits = [product.sign for product in products], self.factors.step_bits
        return compress(m, signed_rows(terms, signs, bits), signs, bits, f"group_{number}")

    def _sum(self, m: Module, number: int, rows: list[Value], ones: list[Value]) -> Sum:
        """Add the two numbers of a group."""
        total = add_all(m, rows, ones, self.factors.step_bits, f"group_{number}")
        magnitude = Signal(len(total) - 1, name=f"group_{number}_magnitude")
        m.d.comb += magnitude.eq(Mux(total[-1], -total, total))
        return total[-1], magnitude

    def _columns(self, m: Module, platform: Any, operands: SimpleNamespace, number: int) -> Columns:
        """Give the partial products of a group of integers.

        Their sum is one less than the group's, so that its inverse is that one's negative.
        """
        size = self._groups.group
        columns, constant = product_sum(
            operands,
            self._design,
            range(number * size, (number + 1) * size),
            self.factors.step_bits,
            lambda a, b, name: product_columns(m, platform, a, b, name, self._design),
        )
        return add_constant(columns, constant - 1)

    def _lowered(
        self, m: Module, pipeline: Pipeline, point: str, columns: Columns, step: dict[str, Value]
    ) -> tuple[Columns, dict[str, Value]]:
        """Add until columns are as low as they shall be in registers, where there are any."""
        if point not in sum_cuts(self._design):
            return columns, step
        wide, lowered = self.factors.step_bits, list[list[Value]]()
        for number in range(self._design.terms):
            own = columns[number * wide : (number + 1) * wide]
            lowered += compress_columns(m, own, CUT_HEIGHTS[point], f"{point}_{number}")
        return pipeline.cut_columns(point, lowered, step)

    def _sum_of_columns(self, m: Module, number: int, columns: Columns) -> Sum:
        """Add what is left of a group of integers."""
        x, y = rows_of(compress_columns(m, columns, 2, f"group_{number}_last"))
        less, total = sum_and_next(m, x, y, f"group_{number}_less_1")
        magnitude = Signal(len(total) - 1, name=f"group_{number}_magnitude")
        m.d.comb += magnitude.eq(Mux(less[-1], ~less, total))
        return less[-1], magnitude


class GroupedMultiplyAccumulate(GroupAccumulator, FusedMultiplyAccumulate):
    """Add sums of groups, times their scales, to an fp32 number every cycle."""

    def lanes(
        self, m: Module, platform: Any, pipeline: Pipeline, operands: SimpleNamespace, step: dict[str, Value]
    ) -> tuple[list[Lane], dict[str, Value]]:
        """Sum the products of every group, and give the sums the exponents of their scales."""
        sums, step = self.sums(m, platform, pipeline, operands, step | self.scales(m, operands, step))
        lanes = [self._scaled(m, number, *both, step) for number, both in enumerate(sums)]
        return pipeline.cut_lanes("terms", lanes, step)

    def _scaled(self, m: Module, number: int, sign: Value, magnitude: Value, step: dict[str, Value]) -> Lane:
        """Multiply a group's sum by the significands of its scales."""
        block = self._groups.block_of(number)
        significand = Signal(self._scale.significand_bits, name=f"group_{number}_significand")
        m.d.comb += significand.eq(magnitude * step.get(f"factor_{block}", Const(1, 1)))
        return Lane(sign, significand, step[f"shift_{block}"])

    def scales(self, m: Module, operands: SimpleNamespace, step: dict[str, Value]) -> dict[str, Value]:
        """Add the exponents of the scales of each block, and multiply their significands."""
        codes = scale_codes(self._design, operands)
        found: dict[str, Value] = {"nan": any_nan(self._groups, codes)}
        for block, both in enumerate(codes):
            exponents, significands = zip(*(self._taken_apart(code) for code in both), strict=True)
            found[f"shift_{block}"] = exponents[0] + exponents[1]
            if self._groups.number:
                found[f"factor_{block}"] = significands[0] * significands[1]
        return found

    def _taken_apart(self, code: Value) -> tuple[Value, Value]:
        """Give the exponent of a scale with its bias, 0 of zero, and its significand."""
        number = self._groups.number
        if number is None:
            return code, Const(1, 1)
        mantissa, field = code[: number.mantissa_bits], code[number.mantissa_bits : -1]
        normal = field.any()
        exponent = Cat(field[0] | ~normal, field[1:]) + (self._scale.product_bias // 2 - number.bias)
        return Mux(code[:-1].any(), exponent, 0), Cat(mantissa, normal)

    def tops(self, m: Module, lanes: list[Lane], step: dict[str, Value]) -> tuple[Value, Value]:
        """Find the largest exponent of the groups, whether or not they are zero, and of the least sum."""
        scale = self._scale
        bits = scale.largest_found.bit_length()
        exponents: list[Value] = [Const(scale.least - scale.rebias, bits)]
        for number, lane in enumerate(lanes):
            exponents.append(Signal(bits, name=f"group_{number}_exponent"))
            m.d.comb += exponents[-1].eq(lane.exponent)
        largest = maximum(m, exponents, "group")
        reached = Signal(scale.bits + 1, name="reached")
        m.d.comb += reached.eq(largest + (scale.rebias + scale.reach))
        return largest, reached


class FixedGroupedMultiplyAccumulate(GroupAccumulator, MultiplyAccumulate):
    """Add sums of groups, times their scales, to a fixed-point register every cycle."""

    def terms(
        self, m: Module, platform: Any, pipeline: Pipeline, operands: SimpleNamespace, step: dict[str, Value]
    ) -> tuple[list[Term], dict[str, Value]]:
        """Sum the products of every group, and shift the sums by the exponents of their scales."""
        for block, both in enumerate(scale_codes(self._design, operands)):
            step |= {f"shift_{block}": both[0] + both[1], f"nan_{block}": any_nan(self._groups, [both])}
        sums, step = self.sums(m, platform, pipeline, operands, step)
        terms = [self._scaled(m, number, *both, step) for number, both in enumerate(sums)]
        return terms, step | {"nan": Cat(step[name] for name in step if name.startswith("nan_")).any()}

    def _scaled(self, m: Module, number: int, sign: Value, magnitude: Value, step: dict[str, Value]) -> Term:
        """Shift a group's sum to its weight, as an aligner does a product; NaN counts as zero."""
        block, bits = self._groups.block_of(number), self._design.term_bits
        shift, nonzero = step[f"shift_{block}"], magnitude.any() & ~step[f"nan_{block}"]
        # At this exponent of both scales a group's sum counts accumulator LSBs.
        unit = self._design.lsb_exponent - self._design.product_lsb_exponent + 2 * E8M0_BIAS
        whole = shift_within(m, magnitude, nonzero, shift, unit, bits, f"group_{number}_")
        term, clamped = Signal(bits, name=f"term_{number}"), Signal(name=f"clamped_{number}")
        m.d.comb += [
            clamped.eq(whole[bits:].any()),
            term.eq((whole[:bits] | clamped.replicate(bits)) ^ sign.replicate(bits)),
        ]
        return Term(term, sign, clamped)
