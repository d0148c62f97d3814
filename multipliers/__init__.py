"""What each multiplier is: a class with what it adds to a sum of fields, as NumPy and as hardware.

A new multiplier is one file here and one row of `lmul.multipliers.table.BUILT_IN`; or a class in a package of
its own, named by an entry point of the group `lmul.multipliers`.
"""

from lmul.multipliers.integer_add import IntegerAdd, Integers
from lmul.multipliers.table import BUILT_IN, find_multiplier, plug_ins
from lmul.multipliers.tabulated import tabulated

__all__ = ["BUILT_IN", "IntegerAdd", "Integers", "find_multiplier", "plug_ins", "tabulated"]
