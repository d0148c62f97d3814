"""The loop over panels of an exact matrix product, compiled by Numba: `lmul.golden.sums.whole` calls it."""

from typing import Any

import numba
import numpy as np

from lmul.golden.sums.compiled_loops import STEP, TILE_BYTES, TILE_ROWS, _add_tile

COLUMNS = TILE_BYTES // 8


@numba.njit(cache=True, nogil=True)
def multiply(
    x: Any, codes: Any, table: Any, product: Any, used: Any, panels: Any, scales: Any, ending: Any, out: Any
) -> None:
    """Multiply all rows of the first factor by some panels of the second, and scale the sums.

    Parameters
    ----------
    x : ndarray of int64, shape (G, K, 4)
        Bit patterns of the first factor, four rows side by side.
    codes : ndarray of unsigned integers, shape (K, N)
        Of the second.
    table : ndarray of int64, shape (V, 2^W)
        Bit patterns of its codes; V is 2 for `CHOSEN` products, 1 for others.
    product, used
        As `add_exactly` of `lmul.golden.sums.compiled_loops` has them.
    panels : tuple of int
        The first panel of `COLUMNS` columns, and the one behind the last.
    scales : tuple of ndarray of float64, shapes (M,) and (N,)
        Of the rows of the first factor and the columns of the second.
    ending : tuple of float64, bool and float64
        The unit of sums; whether they are rounded to float32; what results are divided by.
    out : ndarray of float64 or float32, shape (M, N)
        Is written.
    """
    patterns = np.zeros((1, x.shape[1], table.shape[0], COLUMNS), np.int64)
    sums = np.zeros((1, TILE_ROWS, COLUMNS))
    for panel in range(panels[0], panels[1]):
        start = panel * COLUMNS
        count = min(COLUMNS, codes.shape[1] - start)
        _expand(codes, table, start, count, patterns)
        for group in range(x.shape[0]):
            sums[:] = 0
            for step in range(used.shape[1]):
                if used[group, step]:
                    last = min((step + 1) * STEP, x.shape[1])
                    _add_tile(x[group : group + 1], patterns, (0, 0, step * STEP, last), product, sums)
            rows = min(TILE_ROWS, out.shape[0] - group * TILE_ROWS)
            _finish(sums, group * TILE_ROWS, rows, start, count, scales, ending, out)


@numba.njit(inline="always")
def _expand(codes: Any, table: Any, start: int, count: int, patterns: Any) -> None:
    for k in range(codes.shape[0]):
        for pattern in range(table.shape[0]):
            for j in range(count):
                patterns[0, k, pattern, j] = table[pattern, codes[k, start + j]]


@numba.njit(inline="always")
def _finish(
    sums: Any, first: int, rows: int, start: int, count: int, scales: Any, ending: Any, out: Any
) -> None:
    unit, single, gain = ending
    for row in range(rows):
        scale = scales[0][first + row]
        for j in range(count):
            # What zeros left is far less than a half.
            value = np.rint(sums[0, row, j]) * unit
            if single:
                value = np.float64(np.float32(value))
            value = value * scale * scales[1][start + j] / gain
            out[first + row, start + j] = value + 0.0  # No negative zero.
