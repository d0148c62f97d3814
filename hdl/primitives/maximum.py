"""The largest of some numbers."""

from amaranth import Module, Mux, Signal, Value


def maximum(m: Module, values: list[Value], name: str) -> Value:
    """Give the largest of some numbers.

    Parameters
    ----------
    m : Module
    values : list of Value
        Unsigned, all of one width.
    name : str
        Prefix of the signals' names.
    """
    level = 0
    while len(values) > 1:
        larger = []
        for pair, (x, y) in enumerate(zip(values[::2], values[1::2], strict=False)):
            larger.append(Signal(len(x), name=f"{name}_maximum_{level}_{pair}"))
            m.d.comb += larger[-1].eq(Mux(x > y, x, y))
        values = larger + values[len(larger) * 2 :]
        level += 1
    return values[0]
