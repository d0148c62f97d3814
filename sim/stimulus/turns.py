"""The order of the steps of dot products, and of tiles of arrays, that take turns."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

FILLER = -1
"""Stands for zeros, where no other one has its turn: of a dot product of one step, or of no tile."""


def turns(lengths: Sequence[int], interleave: int) -> Iterator[tuple[int, int]]:
    """Give the steps of dot products, so many of which take turns.

    Parameters
    ----------
    lengths : sequence of int
        Steps of each. Those that begin together leave their turns to `FILLER` when they end.
    interleave : int

    Yields
    ------
    tuple of int
        The dot product, and its step.
    """
    for first in range(0, len(lengths), interleave):
        group = range(first, first + interleave)
        counts = [lengths[place] if place < len(lengths) else 0 for place in group]
        for step in range(max(counts)):
            for place, count in zip(group, counts, strict=True):
                yield (place, step) if step < count else (FILLER, 0)


def turns_of_tiles(lengths: Sequence[int], interleave: int) -> list[tuple[int, int]]:
    """Give the steps of tiles of an array, so many of which take turns.

    Each turn begins a part of a tile later than the one before, so that tiles of one length end about as far
    apart as they are long: their rows leave one after the other. Steps of zeros come before, and where a turn
    has no tile left. They are those of no tile: a sum of zeros is what the next one begins with.

    Parameters
    ----------
    lengths : sequence of int
        Steps of each.
    interleave : int

    Returns
    -------
    list of (int, int)
        The tile, or `FILLER`, and its step, up to the last step of a tile.
    """
    lag = lengths[0] // interleave if lengths else 0
    queues = [
        [(FILLER, 0)] * (turn * lag)
        + [(tile, step) for tile in range(turn, len(lengths), interleave) for step in range(lengths[tile])]
        for turn in range(interleave)
    ]
    order = [step for together in zip_longest(*queues, fillvalue=(FILLER, 0)) for step in together]
    while order and order[-1][0] == FILLER:
        order.pop()
    return order
