"""The loop over panels of an exact matrix product, compiled by Numba: `lmul.golden.sums.whole` calls it."""

from typing import Any

import numba
import numpy as np

from lmul.golden.sums.compiled_loops import STEP, TILE_BYTES, TILE_ROWS, _add_tile, _gather_panel

COLUMNS = TILE_BYTES // 8


@numba.njit(cache=True, nogil=True)
def multiply(
    x: Any, codes: Any, table: Any, product: Any, used: Any, panels: Any, scales: Any, ending: Any, out: Any
) -> None:
    """Multiply all rows of the first factor by some panels of the second, and scale the sums.

    Parameters
    ----------
    x : ndarray of int64, shape (A, G, K, 4)
        Bit patterns of the first factor for each window of its exponents, four rows side by side.
    codes : ndarray of unsigned integers, shape (K, N)
        Of the second.
    table : ndarray of int64, shape (B, V, 2^W)
        Bit patterns of its codes for each window of their exponents; V is 2 for `CHOSEN` products, 1 for
        others.
    product : tuple
        As `add_exactly` of `lmul.golden.sums.compiled_loops` has it.
    used : ndarray of bool, shape (A, G, ceil(K / STEP))
        Whether any of so many operands of x is not zero.
    panels : tuple of int
        The first panel of `COLUMNS` columns, and the one behind the last.
    scales : tuple of ndarray of float64, shapes (M,) and (N,)
        Of the rows of the first factor and the columns of the second.
    ending : tuple
        The units of sums of each pair of windows, float64, shape (A, B); whether sums are rounded to float32;
        what results are divided by.
    out : ndarray of float64 or float32, shape (M, N)
        Is written.
    """
    windows_b, variants, _ = table.shape
    patterns = np.zeros((windows_b, 1, codes.shape[0], variants, COLUMNS), np.int64)
    sums, totals = np.zeros((1, TILE_ROWS, COLUMNS)), np.zeros((2, TILE_ROWS, COLUMNS))
    units = ending[0]
    for panel in range(panels[0], panels[1]):
        start = panel * COLUMNS
        count = min(COLUMNS, codes.shape[1] - start)
        for b in range(windows_b):
            _gather_panel(table[b], codes, start, count, patterns[b, 0])
        for group in range(x.shape[1]):
            totals[:] = 0
            for a in range(x.shape[0]):
                for b in range(windows_b):
                    sums[:] = 0
                    for step in range(used.shape[2]):
                        if used[a, group, step]:
                            last = min((step + 1) * STEP, x.shape[2])
                            tile = (0, 0, step * STEP, last)
                            _add_tile(x[a, group : group + 1], patterns[b], tile, product, sums)
                    _add_pair(sums[0], units[a, b], totals[0], totals[1])
            rows = min(TILE_ROWS, out.shape[0] - group * TILE_ROWS)
            _finish(totals, (group * TILE_ROWS, rows), (start, count), scales, ending, out)


@numba.njit(cache=True, nogil=True)
def pattern_groups(codes: Any, table: Any, zero: int, first: int, groups: Any, used: Any) -> None:
    """Put the bit patterns of rows of the first factor side by side, as `multiply` takes them.

    Parameters
    ----------
    codes : ndarray of unsigned integers, shape (M, K)
    table : ndarray of int64, shape (A, 2^W)
        Bit patterns of all codes for each window.
    zero : int64
        That of zero.
    first : int
        The first row.
    groups : ndarray of int64, shape (A, G, K, 4)
        Is written: rows behind the last are zero.
    used : ndarray of bool, shape (A, G, ceil(K / STEP))
        False; is written.
    """
    for a in range(table.shape[0]):
        for group in range(groups.shape[1]):
            for row in range(TILE_ROWS):
                place = first + group * TILE_ROWS + row
                for k in range(codes.shape[1]):
                    pattern = table[a, codes[place, k]] if place < codes.shape[0] else zero
                    groups[a, group, k, row] = pattern
                    if pattern != zero:
                        used[a, group, k // STEP] = True


@numba.njit(inline="always")
def _two_sum(a: float, b: float) -> tuple[float, float]:
    """Give a sum and what its rounding left out (Knuth, The Art of Computer Programming 2, 4.2.2)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


@numba.njit(inline="always")
def _add_pair(sums: Any, unit: float, high: Any, low: Any) -> None:
    """Add the sums of a pair of windows to those of two doubles, without rounding."""
    for row in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            # What zeros left is far less than a half.
            total, left = _two_sum(high[row, j], np.rint(sums[row, j]) * unit)
            high[row, j] = total
            low[row, j] += left


@numba.njit(inline="always")
def _finish(totals: Any, rows: Any, columns: Any, scales: Any, ending: Any, out: Any) -> None:
    _, single, gain = ending
    for row in range(rows[1]):
        scale = scales[0][rows[0] + row]
        for j in range(columns[1]):
            value, left = _two_sum(totals[0, row, j], totals[1, row, j])
            if single:
                value = np.float64(np.float32(_to_odd(value, left)))
            value = value * scale * scales[1][columns[0] + j] / gain
            out[rows[0] + row, columns[0] + j] = value + 0.0  # No negative zero.


@numba.njit(inline="always")
def _to_odd(nearest: float, left: float) -> float:
    """Round a number to odd, given the nearest double and what that left out: one more rounding is right."""
    bits = np.float64(nearest).view(np.int64)
    if left == 0 or bits & 1:
        return nearest
    step = 1 if (left > 0) == (nearest > 0) else -1
    return np.int64(bits + step).view(np.float64)
