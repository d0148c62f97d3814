"""Whether loops are compiled, and their work divided among processors."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

COMPILED = find_spec("numba") is not None

FEWEST = 1 << 18
"""Fewer products, or numbers, take less time in NumPy than compiled loops take to begin."""


def worth_compiling(steps: int) -> bool:
    """Tell whether so many steps are for `lmul.golden.loops`."""
    return COMPILED and steps >= FEWEST


def run_parts(loop: Callable[[slice], None], length: int) -> None:
    """Run a loop that lets go of Python's lock over the parts of a range, on every processor."""
    processors = len(os.sched_getaffinity(0))
    parts = min(4 * processors, length)
    edges = [length * part // parts for part in range(parts + 1)] if length else []
    with ThreadPoolExecutor(processors) as pool:
        list(pool.map(lambda start, stop: loop(slice(start, stop)), edges[:-1], edges[1:]))
