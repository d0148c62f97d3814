"""What integer-add multipliers add to the sum of the fields, as each multiplier's class describes it."""

import warnings

from amaranth import Module, Value
from amaranth.hdl import UnusedElaboratable

from lmul.golden import Arithmetic
from lmul.host.parameters import ParameterError


def correction(m: Module, x: Value, y: Value, arithmetic: Arithmetic, constant: int) -> Value:
    """Give what an integer-add multiplier adds to the sum of the fields, in units of the last place.

    Parameters
    ----------
    m : Module
    x, y : Value
        The mantissas, M bits each.
    arithmetic : Arithmetic
    constant : int
        What to add to every sum: the multiplier's constant, or 0 where it is added later.

    Raises
    ------
    UserError
        The multiplier has no such hardware.
    """
    try:
        return Value.cast(arithmetic.integer_add.hardware(m, x, y, constant))
    except Exception as error:
        # The module that was being described is dropped.
        warnings.simplefilter("ignore", UnusedElaboratable)
        raise ParameterError(
            "mul",
            f"{arithmetic.mul} has no hardware for {arithmetic.format_names}: "
            f"{type(error).__name__}: {error}",
        ) from error
