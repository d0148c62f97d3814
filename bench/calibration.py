"""A fixed loop of Python and NumPy, by which machines are compared: `python bench/calibration.py` times it.

Its processor time on the machine that goals and bars were set on is recorded here.
"""

import time
from collections.abc import Iterator

import numpy as np

REFERENCE_SECONDS = 0.30
"""What `calibration_seconds` gives on the reference machine: AMD EPYC of family 26, Python 3.11."""

ROUNDS = 3

STEPS, PASSES = 680_000, 38
"""Of the two halves, which take about as long as each other."""


def calibration_seconds() -> float:
    """Time the loop.

    Returns
    -------
    float
        Processor time of this process in seconds, the best of three.
    """
    return min(_timed_loop() for _ in range(ROUNDS))


def relative_speed() -> float:
    """Give this machine's speed as a share of the reference machine's."""
    return REFERENCE_SECONDS / calibration_seconds()


def _timed_loop() -> float:
    start = time.process_time()
    _python_part()
    _numpy_part()
    return time.process_time() - start


def _python_part() -> int:
    """Resume a generator, look things up, make integers of two machine words and take them apart."""

    def beats() -> Iterator[int]:
        word, table = 1, {place: place * 0x9E3779B97F4A7C15 for place in range(64)}
        while True:
            word = ((word << 7) ^ table[word & 63]) & ((1 << 128) - 1)
            yield word

    source = beats()
    return sum(len(str(next(source))) for _ in range(STEPS))


def _numpy_part() -> int:
    """Sort, gather, shift and compare arrays of the sizes that the golden model works on, all on one core."""
    codes = np.arange(1 << 16, dtype=np.uint32) * np.uint32(2654435761)
    total = 0
    for _ in range(PASSES):
        order = np.argsort(codes, kind="stable")
        codes = (codes[order] >> 3) ^ (codes << 5) ^ np.cumsum(codes, dtype=np.uint32)
        total += int(np.count_nonzero(codes & 1))
    return total


if __name__ == "__main__":
    seconds = calibration_seconds()
    print(f"{seconds:.3f} s, {REFERENCE_SECONDS / seconds:.2f} of the reference's speed")
