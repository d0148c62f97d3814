"""Multiplication by integer addition: the operands' fields are added, and what corrects their sum."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lmul.multipliers.forms import Form

if TYPE_CHECKING:
    from amaranth import Module, Value

Integers = NDArray[np.int64]

FP32_MANTISSA_BITS = 23


class IntegerAdd(ABC):
    """A multiplier that adds the exponents and mantissas of its operands as one number each.

    The product of 1 + x / 2^M and 1 + y / 2^M is what the bits of x + y + constant + correction say, read as
    mantissa and, above it, exponent. A class says the same twice: as NumPy, which is the definition, and as
    hardware, which has to equal it in every bit.

    Attributes
    ----------
    description : str
        A line for `lmul list`.
    caption : str
        A few words above its picture.
    most_mantissa_bits : int
        M up to which it is defined.
    """

    description: ClassVar[str]
    caption: ClassVar[str] = "integer addition"
    most_mantissa_bits: ClassVar[int] = FP32_MANTISSA_BITS

    def constant(self, mantissa_bits: int) -> int:
        """Give what is added to every sum of fields, in units of the last place; at least 0.

        Parameters
        ----------
        mantissa_bits : int
            M.
        """
        return 0

    def form(self, mantissa_bits: int) -> Form | None:
        """Say what `correction` comes to, where fast loops know it; it is compared with that.

        Parameters
        ----------
        mantissa_bits : int
            M.

        Returns
        -------
        FieldSum, MarkedFieldSum, RoundedProduct or None
            None for anything else.
        """
        return None

    @abstractmethod
    def correction(self, x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> Integers:
        """Give what is added beside the constant, in units of the last place; at least 0.

        Parameters
        ----------
        x, y : ndarrays of int64 below 2^M, broadcast against each other
            The mantissas.
        mantissa_bits : int
            M.

        Returns
        -------
        ndarray of int64
            Of a shape that broadcasts to that of x + y.
        """

    @abstractmethod
    def hardware(self, m: "Module", x: "Value", y: "Value", constant: int) -> "Value":
        """Describe the correction in Amaranth, a constant added to it.

        Parameters
        ----------
        m : Module
            Takes the statements, in the domain ``comb``.
        x, y : Value
            The mantissas, M bits each.
        constant : int
            What `constant` gives, or 0 where it is added later.

        Returns
        -------
        Value
            Unsigned.
        """


def integer_add(mantissa_sum: NDArray[Any], mantissa_bits: int) -> Integers:
    """Read a sum of mantissas as the fields below an exponent of zero: its carries double the product.

    Returns
    -------
    ndarray of int64
        In units of 2^-M.
    """
    one = 1 << mantissa_bits
    significand: Integers = (one | (mantissa_sum & (one - 1))) << (mantissa_sum >> mantissa_bits)
    return significand
