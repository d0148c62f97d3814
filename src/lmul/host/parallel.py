"""Whether loops are compiled, and their work divided among processors."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Argument = TypeVar("Argument")
Result = TypeVar("Result")

COMPILED = find_spec("numba") is not None

FEWEST = 1 << 18
"""Fewer products, or numbers, take less time in NumPy than compiled loops take to begin."""

PARTS = 4
"""Parts of the work for each processor, since some may be busy elsewhere."""


def worth_compiling(steps: int) -> bool:
    """Tell whether so many steps are for `lmul.golden.sums.compiled_loops`."""
    return COMPILED and steps >= FEWEST


def run_parts(loop: Callable[[slice], None], length: int) -> None:
    """Run a loop that lets go of Python's lock over the parts of a range, on every processor."""
    if processors() == 1:
        loop(slice(0, length))
        return
    list(_threads("loop").map(loop, equal_parts(length, PARTS * processors())))


def run_each(task: Callable[[Argument], Result], arguments: Iterable[Argument]) -> list[Result]:
    """Run a task, which may call `run_parts`, with each of some arguments, on every processor."""
    if processors() == 1:
        return list(map(task, arguments))
    # Of threads of their own: they wait for those of the loops.
    return list(_threads("task").map(task, arguments))


def one_blas_thread() -> Any:
    """Make a context in which each matrix product of NumPy takes one processor: for tasks on all of them."""
    return _libraries().limit(limits=1, user_api="blas")


def equal_parts(length: int, most: int) -> list[slice]:
    """Cut a range into so many parts of equal length, or into as many as it is long."""
    parts = min(most, length)
    return [slice(length * part // parts, length * (part + 1) // parts) for part in range(parts)]


def processors() -> int:
    """Give the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


@cache
def _threads(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(processors(), name)


@cache
def _libraries() -> Any:
    """Find the libraries that have threads of their own."""
    return ThreadpoolController()


# A copy of this process has the pool, but none of its threads.
os.register_at_fork(after_in_child=_threads.cache_clear)
