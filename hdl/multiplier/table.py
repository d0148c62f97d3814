"""The block that multiplies, by the kind of its operands."""

from lmul.design import Design
from lmul.hdl.multiplier.integer import IntegerMultiplierBlock
from lmul.hdl.multiplier.rounded import MultiplierBlock


def multiplier(design: Design) -> type[IntegerMultiplierBlock] | type[MultiplierBlock]:
    """Give the class of the block of a `mul`."""
    return IntegerMultiplierBlock if design.integer else MultiplierBlock
