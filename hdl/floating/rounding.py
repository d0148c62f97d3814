"""Rounding to nearest even, and what takes the place of a number."""

from amaranth import Cat, Const, Module, Mux, Signal, Value

from lmul.golden import Format
from lmul.hdl.primitives.rounding import rounds_up

GUARD_BITS = 3
"""Guard, round and sticky bit: enough to round a sum as if it were exact."""


def limit(m: Module, field: Signal, format_: Format) -> Signal:
    """Give infinity in the place of what is too large."""
    bits = format_.width - 1
    infinity = format_.infinity or 0
    finite_field = Signal(bits)
    m.d.comb += finite_field.eq(Mux(field >= infinity, infinity, field[:bits]))
    return finite_field


def round_field(m: Module, significand: Value, exponent: Value, format_: Format) -> Signal:
    """Round a significand to nearest even.

    Parameters
    ----------
    m : Module
    significand : Value
        At least M+3 bits, its top bit the leading one, or zero for subnormals.
    exponent : Value
        Biased, at least 1; with more bits than the format's where it may be too large.
    format_ : Format

    Returns
    -------
    Signal
        Exponent and mantissa as one number, and a bit for a carry where the exponent may be too large.
    """
    rest = len(significand) - 1 - format_.mantissa_bits
    kept = significand[rest:]
    round_up = Signal(name="round_up")
    below = Signal(len(exponent), name="exponent_less_one")
    carry_bits = 1 if len(exponent) > format_.exponent_bits else 0
    field = Signal(len(exponent) + format_.mantissa_bits + carry_bits, name="rounded_field")
    m.d.comb += [
        round_up.eq(rounds_up(significand, rest)),
        # The leading one makes up for the exponent that is one too small.
        below.eq(exponent - 1),
        field.eq(Cat(Const(0, format_.mantissa_bits), below) + kept + round_up),
    ]
    return field


def select_special(
    field: Value, sign: Value, *, nan: Value, inf: Value, negative: Value, format_: Format
) -> Value:
    """Put the canonical NaN or an infinity, perhaps negative, in the place of a number."""
    magnitude = Mux(nan, format_.nan or 0, Mux(inf, format_.infinity or 0, field))
    return Cat(magnitude[: format_.width - 1], Mux(inf, negative, sign) & ~nan)
