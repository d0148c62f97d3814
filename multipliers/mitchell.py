"""`mitchell`: the sum of the fields and nothing else (Mitchell, IRE Trans. EC-11(4), 1962)."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmul.multipliers.forms import FieldSum, Form
from lmul.multipliers.integer_add import IntegerAdd, Integers

if TYPE_CHECKING:
    from amaranth import Module, Value


class Mitchell(IntegerAdd):
    """Adds the operands' fields."""

    description = "addition of the operands' fields"

    def correction(self, x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> Integers:
        """Give zero."""
        return np.zeros((), dtype=np.int64)

    def form(self, mantissa_bits: int) -> Form:
        """Say that there is no correction."""
        return FieldSum()

    def hardware(self, m: "Module", x: "Value", y: "Value", constant: int) -> "Value":
        """Give the constant."""
        from amaranth import Const

        return Const(constant)
