"""The multiply-accumulate of N lanes whose operands have scales in common, into an fp32 number.

Scales add the same exponent to all products of a block. So products are aligned among themselves without
them, and the exponent of their scales is added once, to the largest. What is cut off below the least exponent
of a sum is cut as a running sum of that exponent would: a running sum of zero has it.
"""

from types import SimpleNamespace

from amaranth import Cat, Const, Module, Signal, Value, signed

from lmul.design import Design
from lmul.golden.formats.block_scale import E8M0_BIAS, BlockScale
from lmul.hdl.accumulator.fused import FusedMultiplyAccumulate, Lane
from lmul.hdl.multiplier.unrounded import SCALE_BITS, scale_bits
from lmul.hdl.primitives.maximum import maximum


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
