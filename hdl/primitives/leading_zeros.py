"""The count of zeros above the leading one."""

from amaranth import Cat, Const, Module, Mux, Signal, Value


def leading_zeros(m: Module, value: Value, name: str) -> Signal:
    """Count the zeros above the leading one of a number that has one.

    Parameters
    ----------
    m : Module
    value : Value
        At least two bits.
    name : str
        Prefix of the signals' names.
    """
    size = 1 << (len(value) - 1).bit_length()
    # Below the number a one, so that the count ends.
    bits = Cat(Const((1 << (size - len(value))) - 1, size - len(value)), value)
    empty: list[Value] = [~bit for bit in bits]
    counts: list[Value] = [Const(0, 0)] * size
    for level in range(size.bit_length() - 1):
        pairs = range(0, len(empty), 2)
        merged = [Mux(empty[i + 1], Cat(counts[i], 1), Cat(counts[i + 1], 0)) for i in pairs]
        counts = [Signal(level + 1, name=f"{name}_zeros_{level}_{i}") for i in range(len(merged))]
        m.d.comb += [count.eq(value) for count, value in zip(counts, merged, strict=True)]
        empty = [empty[i] & empty[i + 1] for i in pairs]
    zeros = Signal(len(counts[0]), name=f"{name}_leading_zeros")
    m.d.comb += zeros.eq(counts[0])
    return zeros
