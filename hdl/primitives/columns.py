"""Adding many bits of many weights: columns of bits, made lower by full and half adders."""

from collections import defaultdict
from collections.abc import Iterator

from amaranth import Cat, Const, Module, Signal, Value

Columns = list[list[Value]]
"""The bits of every weight, from the lowest, those that arrive first in front."""


def add_constant(columns: Columns, number: int) -> Columns:
    """Put the ones of a constant, modulo two to the number of columns, before other bits."""
    return [[Const(1, 1)] * (number >> weight & 1) + bits for weight, bits in enumerate(columns)]


def compress_columns(m: Module, columns: Columns, height: int, name: str) -> Columns:
    """Add until no column has more than so many bits, modulo two to the number of columns.

    As Dadda does (Alta Frequenza 34, 1965): every level takes as few adders as let the next ones be as few as
    can be.

    Parameters
    ----------
    m : Module
    columns : list of list of Value
    height : int
        At least 2.
    name : str
        Prefix of the signals' names.
    """
    for level, target in enumerate(heights(max(map(len, columns)), height)):
        columns = _lower(m, columns, target, f"{name}_{level}")
    return columns


def heights(tallest: int, height: int) -> list[int]:
    """Give the heights of columns after every level, from one of `tallest` down to `height`."""
    found = [height]
    while (higher := found[-1] * 3 // 2) < tallest:
        found.append(higher)
    return found[::-1] if tallest > height else []


def rows_of(columns: Columns) -> tuple[Value, Value]:
    """Give columns of at most two bits as two numbers."""
    filled = [(bits + [Const(0, 1)] * 2)[:2] for bits in columns]
    return Cat(bits[0] for bits in filled), Cat(bits[1] for bits in filled)


def _lower(m: Module, columns: Columns, target: int, name: str) -> Columns:
    """Make every column as low as a target, by one level of adders."""
    carried: Columns = [[] for _ in range(len(columns) + 1)]
    added: Columns = [[] for _ in columns]
    left: Columns = []
    groups: dict[tuple[int, int], list[tuple[int, list[Value]]]] = defaultdict(list)
    incoming = 0
    for weight, column in enumerate(columns):
        bits = list(column)
        excess = len(bits) + incoming - target
        incoming = 0
        while excess > 0:
            size = min(excess + 1, 3)
            groups[size, incoming].append((weight, bits[:size]))
            bits = bits[size:]
            excess -= size - 1
            incoming += 1
        left.append(bits)
    for (size, place), group in groups.items():
        label = f"{name}_{'full' if size == 3 else 'half'}_{place}"
        for weight, total, carry in _adders(m, group, label):
            added[weight].append(total)
            carried[weight + 1].append(carry)
    return [bits + carries + sums for bits, carries, sums in zip(left, carried, added, strict=False)]


def _adders(m: Module, group: list[tuple[int, list[Value]]], name: str) -> Iterator[tuple[int, Value, Value]]:
    """Add two or three bits of each weight: give the weight, the sum and the carry."""
    x, y, *others = [Cat(bits) for bits in zip(*(bits for _, bits in group), strict=True)]
    half, both = Signal(len(group), name=f"{name}_half"), Signal(len(group), name=f"{name}_both")
    m.d.comb += [half.eq(x ^ y), both.eq(x & y)]
    sums, carries = half, both
    if others:
        sums, carries = Signal(len(group), name=f"{name}_sum"), Signal(len(group), name=f"{name}_carry")
        m.d.comb += [sums.eq(half ^ others[0]), carries.eq(both | (half & others[0]))]
    for index, (weight, _) in enumerate(group):
        yield weight, sums[index], carries[index]
