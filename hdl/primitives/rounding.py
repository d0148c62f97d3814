"""Rounding to nearest, ties to even."""

from amaranth import Value


def rounds_up(value: Value, places: int) -> Value:
    """Tell whether a number is rounded up where its lowest bits are rounded off.

    Parameters
    ----------
    value : Value
        Unsigned.
    places : int
        Bits that are rounded off, at least 1.
    """
    return value[places - 1] & (value[: places - 1].any() | value[places])
