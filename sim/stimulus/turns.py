"""The order of the steps of dot products that take turns."""

from collections.abc import Iterator, Sequence

FILLER = -1
"""Stands for a dot product of one step of zeros, where no other one has its turn."""


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
