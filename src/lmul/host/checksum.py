"""A checksum of large arrays at the speed of the memory, compiled by Numba."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lmul.host.parallel import equal_parts, processors, run_each

STEP = 0x1E3779B97F4A7C16
"""Even, so that all factors are odd: no bit of a word is lost."""


def place_sum(words: NDArray[np.int64]) -> int:
    """Give the sum of words, (N,), each times 1 + STEP times its place, modulo 2^64."""
    parts = equal_parts(len(words), processors())
    sums = run_each(lambda part: _place_sum(words[part], part.start), parts)
    return sum(map(int, sums)) % (1 << 64)


@numba.njit(cache=True, nogil=True)
def _place_sum(words: Any, first: int) -> Any:
    total = np.int64(0)
    for place in range(words.shape[0]):
        total += words[place] * (np.int64(STEP) * (first + place) + 1)
    return total
