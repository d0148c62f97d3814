"""Hardware from a table: what is added for every pair of mantissas, as sums of products of their bits."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lmul.multipliers.integer_add import Integers

if TYPE_CHECKING:
    from amaranth import Module, Value

Cube = tuple[int, int]
"""A product of variables: the value of those that count, and a mask of those that do not."""


def tabulated(m: "Module", x: "Value", y: "Value", table: Integers, name: str) -> "Value":
    """Look up a small number for each pair of mantissas.

    Parameters
    ----------
    m : Module
    x, y : Value
        The mantissas, M bits each; M up to 4, or minimising takes too long.
    table : ndarray of int64, shape (2^M, 2^M)
        Indexed by the two mantissas; from 0.
    name : str
        Of the signal.

    Returns
    -------
    Value
        Unsigned.
    """
    from amaranth import Cat, Const, Signal

    entries = table.T.ravel()
    mantissas = Cat(x, y)
    found = Signal(range(int(entries.max()) + 1), name=name)
    steps: list[Value] = []
    # One function for each step of the number: it takes fewer terms than one for each bit.
    for step in range(1, int(entries.max()) + 1):
        ones = frozenset(np.flatnonzero(entries >= step).tolist())
        at_least = Signal(name=f"{name}_at_least_{step}")
        terms = [_term(mantissas, cube) for cube in sum_of_products(ones, len(mantissas))]
        m.d.comb += at_least.eq(Cat(*terms).any())
        steps.append(at_least)
    m.d.comb += found.eq(sum(steps, Const(0, 0)))
    return found


def _term(variables: "Value", cube: Cube) -> "Value":
    from amaranth import Cat

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
