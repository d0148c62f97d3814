"""Whether loops are compiled, and their work divided among processors."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec

COMPILED = find_spec("numba") is not None

FEWEST = 1 << 18
"""Fewer products, or numbers, take less time in NumPy than compiled loops take to begin."""

PARTS = 4
"""Parts of the work for each processor, since some may be busy elsewhere."""


def worth_compiling(steps: int) -> bool:
    """Tell whether so many steps are for `lmul.golden.loops`."""
    return COMPILED and steps >= FEWEST


def run_parts(loop: Callable[[slice], None], length: int) -> None:
    """Run a loop that lets go of Python's lock over the parts of a range, on every processor."""
    if processors() == 1:
        loop(slice(0, length))
        return
    parts = min(PARTS * processors(), length)
    edges = [length * part // parts for part in range(parts + 1)] if length else []
    list(_threads().map(lambda start, stop: loop(slice(start, stop)), edges[:-1], edges[1:]))


def processors() -> int:
    """Give the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(processors(), "lmul")


# A copy of this process has the pool, but none of its threads.
os.register_at_fork(after_in_child=_threads.cache_clear)
