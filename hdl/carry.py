"""What integer-add multipliers add to the sum of the fields; that of `addc` is a sum of products of bits."""

from functools import cache

import numpy as np
from amaranth import Cat, Const, Module, Signal, Value

from lmul.golden import Arithmetic, addc_carry
from lmul.golden.significand import MIDDLE_MANTISSA_BITS, middle_place

Cube = tuple[int, int]
"""A product of variables: the value of those that count, and a mask of those that do not."""


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
    """
    if arithmetic.mul == "addm" and arithmetic.mantissa_bits >= MIDDLE_MANTISSA_BITS:
        middle = Signal()
        m.d.comb += middle.eq((x[-1] ^ x[-2]) & (y[-1] ^ y[-2]))
        # The constant is below the place of the correction.
        return Cat(Const(constant, middle_place(arithmetic.mantissa_bits)), middle)
    if arithmetic.mul != "addc":
        return Const(constant)
    table = addc_carry(arithmetic.mantissa_bits).T.ravel()
    mantissas = Cat(x, y)
    carry = Signal(range(int(table.max()) + 1), name="carry")
    steps: list[Value] = []
    # One function for each step of the carry: it takes fewer terms than one for each bit.
    for step in range(1, int(table.max()) + 1):
        ones = frozenset(np.flatnonzero(table >= step).tolist())
        at_least = Signal(name=f"carry_at_least_{step}")
        terms = [_term(mantissas, cube) for cube in sum_of_products(ones, len(mantissas))]
        m.d.comb += at_least.eq(Cat(*terms).any())
        steps.append(at_least)
    m.d.comb += carry.eq(sum(steps, Const(0, 0)))
    return carry


def _term(variables: Value, cube: Cube) -> Value:
    value, ignored = cube
    literals = [
        variable if value >> index & 1 else ~variable
        for index, variable in enumerate(variables)
        if not ignored >> index & 1
    ]
    return Cat(*literals).all()


@cache
def sum_of_products(ones: frozenset[int], variables: int) -> tuple[Cube, ...]:
    """Cover a Boolean function with few prime implicants: Quine and McCluskey, the largest cubes first.

    Parameters
    ----------
    ones : frozenset of int
        Where the function is 1; variable i is bit i.
    variables : int

    Returns
    -------
    tuple of (int, int)
    """
    covered = {
        cube: frozenset(one for one in ones if one & ~cube[1] == cube[0])
        for cube in sorted(_prime_implicants(ones, variables))
    }
    chosen: list[Cube] = []
    missing = set(ones)
    while missing:
        chosen.append(max(covered, key=lambda cube: (len(covered[cube] & missing), cube[1].bit_count())))
        missing -= covered[chosen[-1]]
    for cube in list(chosen):
        others = [covered[other] for other in chosen if other != cube]
        if frozenset().union(*others) == ones:
            chosen.remove(cube)
    return tuple(chosen)


def _prime_implicants(ones: frozenset[int], variables: int) -> set[Cube]:
    """Merge cubes that differ in one variable, until none do."""
    primes: set[Cube] = set()
    cubes = {(one, 0) for one in ones}
    while cubes:
        merged: set[Cube] = set()
        used: set[Cube] = set()
        for value, ignored in cubes:
            for bit in (1 << index for index in range(variables)):
                neighbour = value ^ bit, ignored
                if not ignored & bit and neighbour in cubes:
                    merged.add((value & ~bit, ignored | bit))
                    used.add(neighbour)
        primes |= cubes - used
        cubes = merged
    return primes
