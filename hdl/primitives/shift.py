"""Shifts: to the leading one, and to the right with a sticky bit or without."""

from amaranth import Cat, Const, Module, Mux, Signal, Value


def normalise(m: Module, magnitude: Value, name: str) -> tuple[Value, Value]:
    """Shift the leading one to the top bit.

    Parameters
    ----------
    m : Module
    magnitude : Value
    name : str
        Prefix of the signals' names.

    Returns
    -------
    normalised : Value
        As wide as the magnitude.
    zeros : Value
        The distance; meaningless for a magnitude of zero.
    """
    value: Value = magnitude
    places: list[Value] = []
    for power in reversed(range((len(magnitude) - 1).bit_length())):
        distance = 1 << power
        occupied = Signal(name=f"{name}_top_{distance}_occupied")
        shifted = Signal(len(magnitude), name=f"{name}_normalised_{power}")
        m.d.comb += [
            occupied.eq(value[-distance:].any()),
            shifted.eq(Mux(occupied, value, Cat(Const(0, distance), value[:-distance]))),
        ]
        value = shifted
        places.insert(0, ~occupied)
    zeros = Signal(max(len(places), 1), name=f"{name}_leading_zeros")
    m.d.comb += zeros.eq(Cat(*places))
    return value, zeros


def shift_right_sticky(m: Module, value: Value, distance: Value, name: str) -> Signal:
    """Shift right; the last bit stays set if a one was shifted out."""
    bits = len(value)
    stages = min(len(distance), bits.bit_length())
    for power in range(stages):
        places = min(1 << power, bits)
        stage = Signal(bits, name=f"{name}_{power}")
        moved = Cat(value[: places + 1].any(), value[places + 1 :])
        m.d.comb += stage.eq(Mux(distance[power], moved, value))
        value = stage
    result = Signal(bits, name=name)
    if stages < len(distance):
        value = Mux(distance[stages:].any(), value.any(), value)
    m.d.comb += result.eq(value)
    return result


def shift_right(m: Module, value: Value, distance: Value, name: str) -> Value:
    """Shift right by any distance; what is shifted out is lost."""
    stages = min(len(distance), len(value).bit_length())
    for power in range(stages):
        shifted = Signal(len(value), name=f"{name}_{power}")
        m.d.comb += shifted.eq(Mux(distance[power], value >> (1 << power), value))
        value = shifted
    if stages < len(distance):
        value &= (~distance[stages:].any()).replicate(len(value))
    return value
