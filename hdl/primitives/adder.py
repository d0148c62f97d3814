"""A carry-propagate adder of two results."""

from amaranth import Cat, Const, Module, Signal, Value


def sum_and_next(m: Module, x: Value, y: Value, name: str) -> tuple[Signal, Signal]:
    """Add two numbers, with and without a carry into the last place, modulo 2^bits.

    Carries are made once, by a parallel prefix of Brent and Kung (IEEE Trans. Computers C-31(3), 1982).

    Parameters
    ----------
    m : Module
    x, y : Value
        Unsigned, of one width.
    name : str
        Prefix of the signals' names.

    Returns
    -------
    sum, next : Signal
        x + y, and one more.
    """
    bits = len(x)
    half = Signal(bits, name=f"{name}_half")
    both = Signal(bits, name=f"{name}_both")
    m.d.comb += [half.eq(x ^ y), both.eq(x & y)]
    generate, propagate = list(both), list(half)
    for level, pairs in enumerate(_brent_kung(bits)):
        made = Signal(len(pairs), name=f"{name}_generate_{level}")
        passed = Signal(len(pairs), name=f"{name}_propagate_{level}")
        for index, (upper, lower) in enumerate(pairs):
            m.d.comb += [
                made[index].eq(generate[upper] | (propagate[upper] & generate[lower])),
                passed[index].eq(propagate[upper] & propagate[lower]),
            ]
        for index, (upper, _) in enumerate(pairs):
            generate[upper], propagate[upper] = made[index], passed[index]
    total, following = Signal(bits, name=name), Signal(bits, name=f"{name}_next")
    carries = Cat(Const(0, 1), *generate[:-1])
    with_one = Cat(
        Const(1, 1), *(one | all_ for one, all_ in zip(generate[:-1], propagate[:-1], strict=True))
    )
    m.d.comb += [total.eq(half ^ carries), following.eq(half ^ with_one)]
    return total, following


def _brent_kung(bits: int) -> list[list[tuple[int, int]]]:
    """Give the groups of places that are joined, level by level: the upper one and that below it."""
    levels = []
    distance = 1
    while distance < bits:
        levels.append([(i, i - distance) for i in range(2 * distance - 1, bits, 2 * distance)])
        distance *= 2
    while distance > 1:
        distance //= 2
        levels.append([(i, i - distance) for i in range(3 * distance - 1, bits, 2 * distance)])
    return [pairs for pairs in levels if pairs]
