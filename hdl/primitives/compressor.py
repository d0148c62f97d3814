"""Adding many numbers at once: carry-save rows of full adders, and one carry-propagate adder."""

from amaranth import Cat, Const, Module, Signal, Value


def add_all(m: Module, rows: list[Value], carry_ins: list[Value], bits: int, name: str) -> Signal:
    """Add numbers modulo 2^bits.

    Parameters
    ----------
    m : Module
    rows : list of Value
        The numbers, unsigned, of at most `bits` bits.
    carry_ins : list of Value
        Single bits of weight 1, fewer than there are numbers.
    bits : int
    name : str
        Of the sum, and prefix of the signals' names.
    """
    pair, left = compress(m, rows, carry_ins, bits, name)
    total = Signal(bits, name=name)
    without_carry = Signal(bits, name=f"{name}_without_carry")
    m.d.comb += [without_carry.eq(sum(pair, Const(0, 0))), total.eq(without_carry + sum(left, Const(0, 0)))]
    return total


def compress(
    m: Module, rows: list[Value], carry_ins: list[Value], bits: int, name: str
) -> tuple[list[Value], list[Value]]:
    """Turn numbers into at most two that have the same sum modulo 2^bits.

    Every row of full adders turns three numbers into two. Its carries move up one place, which
    leaves the last place for a single bit: N numbers take N - 1 single bits for nothing.

    Parameters
    ----------
    m : Module
    rows : list of Value
        The numbers, unsigned, of at most `bits` bits.
    carry_ins : list of Value
        Single bits of weight 1.
    bits : int
    name : str
        Prefix of the signals' names.

    Returns
    -------
    rows : list of Value
    carry_ins : list of Value
        The single bits that are left to add: one fewer for every row of full adders.
    """
    spare = list(carry_ins)
    level = 0
    while len(rows) > 2:
        whole = len(rows) - len(rows) % 3
        reduced: list[Value] = []
        for place in range(0, whole, 3):
            carry_in = spare.pop(0) if spare else Const(0, 1)
            label = f"{name}_{level}_{place // 3}"
            reduced += _full_adders(m, rows[place : place + 3], carry_in, bits, label)
        rows = reduced + rows[whole:]
        level += 1
    return rows, spare


def _full_adders(m: Module, rows: list[Value], carry_in: Value, bits: int, name: str) -> list[Value]:
    """Give the sums and the carries of three numbers, place by place."""
    x, y, z = (Cat(row, Const(0, bits - len(row))) for row in rows)
    both = Signal(bits, name=f"{name}_both")
    half = Signal(bits, name=f"{name}_half")
    sums = Signal(bits, name=f"{name}_sum")
    carries = Signal(bits, name=f"{name}_carry")
    m.d.comb += [
        both.eq(x & y),
        half.eq(x ^ y),
        sums.eq(half ^ z),
        carries.eq(both | (half & z)),
    ]
    return [sums, Cat(carry_in, carries[:-1])]


def count_ones(m: Module, rows: list[Value], name: str) -> list[Value]:
    """Count the ones of every place of numbers.

    Parameters
    ----------
    m : Module
    rows : list of Value
        All of one width.
    name : str
        Prefix of the signals' names.

    Returns
    -------
    counts : list of Value
        As wide as the numbers: of every place the bit of weight 1, that of weight 2, and so on.
    """
    counts: list[Value] = []
    adders = 0
    while rows:
        carries: list[Value] = []
        while len(rows) > 1:
            group, rows = rows[:3], rows[3:]
            total, carry = (
                Signal(len(group[0]), name=f"{name}_{kind}_{adders}") for kind in ("sum", "carry")
            )
            x, y, z = [*group, Const(0, len(group[0]))][:3]
            m.d.comb += [total.eq(x ^ y ^ z), carry.eq((x & y) | ((x ^ y) & z))]
            adders += 1
            rows.append(total)
            carries.append(carry)
        counts += rows
        rows = carries
    return counts
