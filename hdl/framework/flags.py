"""Flags of sums in hardware: how they travel, and what they say in the end."""

from amaranth import Const, Value

from lmul.golden import Arithmetic

OVERFLOW, NAN, PLUS_INFINITY, MINUS_INFINITY = range(4)
"""Bits of the flags that go with a fixed-point sum, as far as it can have them."""

FLAGS = ("nan", "inf", "overflow")
"""The flags of a result, from the lowest."""


def flag_bits(arithmetic: Arithmetic) -> int:
    """Count the flags that go with a sum.

    None in floating point, where the sum says it all; no infinities without formats that have them.
    """
    if arithmetic.accumulator_format:
        return 0
    return 4 if has_special("inf", arithmetic) else 2


def nan_and_infinity(arithmetic: Arithmetic, raw: Value, flags: Value) -> tuple[Value, Value, Value]:
    """Tell whether a sum is NaN, which infinities of both signs make, or infinite, and the sign of that."""
    format_ = arithmetic.accumulator_format
    if format_:
        magnitude, infinity = raw[:-1], format_.infinity or 0
        return magnitude > infinity, magnitude == infinity, raw[-1]
    if len(flags) == 2:
        return flags[NAN], Const(0, 1), Const(0, 1)
    plus, minus = flags[PLUS_INFINITY], flags[MINUS_INFINITY]
    nan = flags[NAN] | (plus & minus)
    return nan, (plus | minus) & ~nan, minus


def output_flags(arithmetic: Arithmetic, raw: Value, flags: Value) -> tuple[Value, Value, Value]:
    """Give the flags of a sum in the order of the ports, from the lowest: nan, inf, overflow.

    What the output cannot hold is for its conversion to tell.
    """
    nan, inf, _ = nan_and_infinity(arithmetic, raw, flags)
    overflow = Const(0, 1) if arithmetic.accumulator_format else flags[OVERFLOW]
    return nan, inf, overflow


def possible_flags(arithmetic: Arithmetic) -> list[int]:
    """Give the places of the ports' flags that a design can ever set: {overflow, inf, nan}."""
    floating = arithmetic.accumulator_format is not None
    infinite = floating or has_special("inf", arithmetic)
    overflows = not floating or arithmetic.output_overflows
    return [0, *([1] if infinite else []), *([2] if overflows else [])]


def has_special(name: str, arithmetic: Arithmetic) -> bool:
    """Tell whether products can be infinite (`inf`) or NaN (`nan`)."""
    attribute = "infinity" if name == "inf" else "nan"
    return any(getattr(format_, attribute) is not None for format_ in arithmetic.formats)
