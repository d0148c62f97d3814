"""The block that accumulates, by the name of the accumulator."""

from typing import Any

from amaranth import Const, Value

from lmul.design import Design
from lmul.golden import accumulators
from lmul.hdl.accumulator.base import Accumulator
from lmul.hdl.accumulator.block_scales import ScaledMultiplyAccumulate
from lmul.hdl.accumulator.fixed import MultiplyAccumulate
from lmul.hdl.accumulator.floating import FloatMultiplyAccumulate
from lmul.hdl.accumulator.fused import FusedMultiplyAccumulate
from lmul.hdl.accumulator.groups import FixedGroupedMultiplyAccumulate, GroupedMultiplyAccumulate
from lmul.hdl.accumulator.integer import IntegerMultiplyAccumulate
from lmul.hdl.framework.flags import flag_bits

BLOCKS: dict[type[accumulators.Accumulator], type[Accumulator]] = {
    accumulators.Exact: MultiplyAccumulate,
    accumulators.Fixed: MultiplyAccumulate,
    accumulators.Floating: FloatMultiplyAccumulate,
    accumulators.Fused: FusedMultiplyAccumulate,
}
"""The block of each accumulator of floating-point products."""

OF_GROUPS: dict[type[accumulators.Accumulator], type[Accumulator]] = {
    accumulators.Fixed: FixedGroupedMultiplyAccumulate,
    accumulators.Fused: GroupedMultiplyAccumulate,
}
"""That of sums of groups of products."""


def accumulator(design: Design) -> type[Accumulator]:
    """Give the class of the block that accumulates."""
    kind = type(design.accumulator)
    if design.block_scale:
        return OF_GROUPS[kind] if design.grouped else ScaledMultiplyAccumulate
    return IntegerMultiplyAccumulate if design.integer else BLOCKS[kind]


def sum_flags(mac: Any, design: Design) -> Value:
    """Give the flags that go with the sum of a placed block, of no bits in floating point."""
    flags: Value = mac.flags if flag_bits(design) else Const(0, 0)
    return flags
