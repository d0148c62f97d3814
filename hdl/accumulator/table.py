"""The block that accumulates, by the name of the accumulator."""

from typing import Any

from amaranth import Const, Value

from lmul.design import Design
from lmul.hdl.accumulator.base import Accumulator
from lmul.hdl.accumulator.fixed import MultiplyAccumulate
from lmul.hdl.accumulator.floating import FloatMultiplyAccumulate
from lmul.hdl.framework.flags import flag_bits


def accumulator(design: Design) -> type[Accumulator]:
    """Give the class of the block that accumulates."""
    return FloatMultiplyAccumulate if design.accumulator_format else MultiplyAccumulate


def sum_flags(mac: Any, design: Design) -> Value:
    """Give the flags that go with the sum of a placed block, of no bits in floating point."""
    flags: Value = mac.flags if flag_bits(design) else Const(0, 0)
    return flags
