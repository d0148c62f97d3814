"""The multiply-accumulate of N lanes whose operands have scales in common, into an fp32 number.

Scales add the same exponent to all products of a block. So products are aligned among themselves without
them, and the exponent of their scales is added once, to the largest. What is cut off below the least exponent
of a sum is cut as a running sum of that exponent would: a running sum of zero has it.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed

from lmul.design import Design
from lmul.golden.formats.block_scale import E8M0_BIAS, NO_SCALE, BlockScale
from lmul.hdl.accumulator.align import place_align
from lmul.hdl.accumulator.fused import FusedMultiplyAccumulate, Lane
from lmul.hdl.multiplier.unrounded import SCALE_BITS, RawProduct, scale_bits
from lmul.hdl.primitives.compressor import add_all
from lmul.hdl.primitives.maximum import maximum
from lmul.hdl.primitives.signed import signed_rows


def scale_codes(design: Design, operands: SimpleNamespace) -> list[tuple[Value, Value]]:
    """Give the codes of both operands' scales in a step, block by block."""
    both = [codes[len(codes) - scale_bits(design) :] for codes in (operands.a, operands.b)]
    parts = range(design.scales_a_step)
    first, second = ([codes.word_select(part, SCALE_BITS) for part in parts] for codes in both)
    return list(zip(first, second, strict=True))


def any_nan(scale: BlockScale, codes: list[tuple[Value, Value]]) -> Value:
    """Tell whether a scale of a step is NaN: all ones, but for a sign that is not looked at."""
    bits = slice(None) if scale.number is None else slice(-1)
    return Cat(code[bits].all() for both in codes for code in both).any()


class ScaledMultiplyAccumulate(FusedMultiplyAccumulate):
    """Add N products of one block, times a power of two, to a running sum every cycle."""

    def scales(self, m: Module, operands: SimpleNamespace, step: dict[str, Value]) -> dict[str, Value]:
        """Add the exponents of both scales, once for all products."""
        scale, codes = self._design.block_scale, scale_codes(self._design, operands)
        assert scale is not None and len(codes) == 1  # noqa: S101
        shift = Signal(SCALE_BITS + 1, name="scale_exponent")
        m.d.comb += shift.eq(codes[0][0] + codes[0][1])
        return {"shift": shift, "nan": step.get("nan", Const(0, 1)) | any_nan(scale, codes)}

    def tops(self, m: Module, lanes: list[Lane], step: dict[str, Value]) -> tuple[Value, Value]:
        """Find the largest exponent of the products, 0 without any: which it is no scale changes."""
        greatest = maximum(m, [lane.exponent for lane in lanes], "product")
        return greatest, greatest

    def reached(self, m: Module, step: dict[str, Value]) -> Value:
        """Add the exponent of the scales, where there are products: without any the running sum is above."""
        scale, greatest = self._scale, step["reached"]
        scaled = Signal(signed(scale.bits + 2), name="scaled_reached")
        reached = Signal(scale.bits + 1, name="reached")
        kept = scaled >= scale.least_kept if scale.least_kept else ~scaled[-1]
        within = kept & greatest.any()
        m.d.comb += [
            scaled.eq(greatest + step["shift"] + (scale.rebias + scale.reach - 2 * E8M0_BIAS)),
            reached.eq(scaled[:-1] & within.replicate(len(reached))),
        ]
        return reached


class GroupedMultiplyAccumulate(FusedMultiplyAccumulate):
    """Sum groups of 16 products exactly, and add them, times their scales, to a running sum every cycle."""

    @property
    def factors(self) -> Design:
        """A group's products as an exact accumulator takes them."""
        return replace(
            self._design,
            acc="exact",
            scale=NO_SCALE,
            lanes=self._groups.group,
            depth=self._groups.group,
            interleave=1,
            addend=False,
        )

    @property
    def _groups(self) -> BlockScale:
        scale = self._design.block_scale
        assert scale is not None  # noqa: S101
        return scale

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

    def terms(
        self, m: Module, platform: Any, products: list[RawProduct], step: dict[str, Value]
    ) -> list[Lane]:
        """Sum the products of each group exactly, and multiply by the significands of their scales."""
        size = self._groups.group
        return [
            self._group(m, platform, number, products[number * size : (number + 1) * size], step)
            for number in range(self._scale.terms)
        ]

    def _group(
        self, m: Module, platform: Any, number: int, products: list[RawProduct], step: dict[str, Value]
    ) -> Lane:
        terms: list[Value] = [
            place_align(m, platform, f"group_{number}_{lane}", self.factors, product).term
            for lane, product in enumerate(products)
        ]
        signs, bits = [product.sign for product in products], self.factors.step_bits
        total = add_all(m, signed_rows(terms, signs, bits), signs, bits, f"group_{number}")
        magnitude = Signal(bits - 1, name=f"group_{number}_magnitude")
        m.d.comb += magnitude.eq(Mux(total[-1], -total, total))
        block = number * self._groups.group // self._groups.block
        exponent, factor = step[f"shift_{block}"], step.get(f"factor_{block}", Const(1, 1))
        significand = Signal(self._scale.significand_bits, name=f"group_{number}_significand")
        m.d.comb += significand.eq(magnitude * factor)
        return Lane(total[-1], significand, exponent)

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
