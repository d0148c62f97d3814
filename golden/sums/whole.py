"""Exact sums of real matrices in one pass: from codes to scaled results, panel by panel.

Exponents are divided into windows as `lmul.golden.sums.compiled` does, but all those that a format has: so
the bit patterns of a code do not depend on the other codes. Each panel of the second factor is made of its
codes when it is needed, and stays in the cache; sums are rounded, scaled and written once.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.accumulators import Exact
from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.quantise import Quantised
from lmul.golden.products.exponents import Window, exponent_ranges, fit_two_doubles
from lmul.golden.sums.compiled import fewest_exact_windows, has_loops, pattern_tables
from lmul.golden.sums.stacks import stacks
from lmul.host.parallel import run_parts

OUTPUTS = ("fp32", "raw")

MOST_PAIRS = 4
"""More pairs of windows take longer than to look for the exponents that occur."""


def whole_products(
    x: Quantised, y: Quantised, spec: Arithmetic, dtype: Any = np.float64, gain: float = 1.0
) -> NDArray[Any] | None:
    """Multiply quantised factors, where one pass is enough.

    Parameters
    ----------
    x, y : Quantised
        Codes (..., M, K) and (..., K, N), with one scale, or one for each row of x and column of y.
    spec : Arithmetic
    dtype : data type, optional
        float64 or float32, which the scaled result is rounded to.
    gain : float
        What results are divided by before they are rounded.

    Returns
    -------
    ndarray of float64 or float32, shape (..., M, N)
        None where the sums are not exact, are of blocks, may be too large, or need more than one pass.
    """
    if x.block or y.block or not _in_one_pass(spec, x.codes.shape[-1]):
        return None
    x, y, shape = stacks(x, y, 1)
    if not has_loops(spec, math.prod(x.codes.shape[-2:]) * y.codes.shape[-1]):
        return None
    out = np.empty((*x.codes.shape[:-1], y.codes.shape[-1]), dtype=dtype)
    for index in np.ndindex(out.shape[:-2]):
        first, second = x.codes[index], y.codes[index]
        scales = x.scale[index][:, 0], y.scale[index][0]
        _multiply(first, second, scales, spec, gain, out[index])
    return out.reshape(shape)


def _in_one_pass(spec: Arithmetic, depth: int) -> bool:
    """Tell whether sums are exact, no output can be too large, and few windows have all exponents."""
    plain = isinstance(spec.accumulator, Exact) and not spec.integer and spec.out in OUTPUTS
    if not plain or spec.output_overflows or depth > spec.depth or spec.product_form is None:
        return False
    return _windows(spec, depth) is not None


@lru_cache
def _windows(spec: Arithmetic, depth: int) -> tuple[list[Window], list[Window]] | None:
    """Give windows of the exponents that the formats of both factors have, those of one factor equally wide.

    None where there are many, or two doubles do not hold the sums of all.
    """
    first, second = (np.arange(1 << format_.width, dtype=format_.dtype) for format_ in spec.formats)
    ranges = exponent_ranges(first, second, spec)
    windows = fewest_exact_windows(ranges, depth, spec)
    if not 0 < math.prod(map(len, windows)) <= MOST_PAIRS or not fit_two_doubles(ranges, depth, spec):
        return None
    sizes = [each[0][1] - each[0][0] for each in windows]
    wide = [[(high - size, high) for _, high in each] for each, size in zip(windows, sizes, strict=True)]
    return wide[0], wide[1]


def _multiply(
    a: NDArray[Any],
    b: NDArray[Any],
    scales: tuple[NDArray[np.float64], NDArray[np.float64]],
    spec: Arithmetic,
    gain: float,
    out: NDArray[Any],
) -> None:
    """Multiply codes (M, K) and (K, N) with the scales of rows and columns into `out`, on every processor."""
    from lmul.golden.sums import whole_loops

    tables = _tables(spec, a.shape[1])
    groups, used = _groups(np.ascontiguousarray(a), tables)
    b = b if b.flags.f_contiguous else np.ascontiguousarray(b)
    scales = np.ascontiguousarray(scales[0]), np.ascontiguousarray(scales[1])
    ending = tables.units, spec.out == "fp32", gain

    def part(panels: slice) -> None:
        ends = panels.start, panels.stop
        whole_loops.multiply(groups, b, tables.y, tables.product, used, ends, scales, ending, out)

    run_parts(part, -(-b.shape[1] // whole_loops.COLUMNS))


@dataclass(frozen=True)
class _Tables:
    """Bit patterns of the codes of both factors.

    Parameters
    ----------
    x : ndarray of int64, shape (A, 2^W)
        For each window of the first factor.
    y : ndarray of int64, shape (B, V, 2^W)
    product : tuple
        How products are formed of them.
    zero : int
        Bit pattern of zero in x.
    units : ndarray of float64, shape (A, B)
        What products of each pair of windows are multiples of.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    product: tuple[int, tuple[Any, Any]]
    zero: int
    units: NDArray[np.float64]


def _groups(codes: NDArray[Any], tables: _Tables) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give the bit patterns of rows side by side, (A, G, K, 4), and where any of some is not zero."""
    from lmul.golden.sums import whole_loops
    from lmul.golden.sums.compiled_loops import STEP, TILE_ROWS

    windows, (rows, depth) = len(tables.x), codes.shape
    groups = np.empty((windows, -(-rows // TILE_ROWS), depth, TILE_ROWS), np.int64)
    used = np.zeros((*groups.shape[:2], -(-depth // STEP)), np.bool_)

    def part(some: slice) -> None:
        first = some.start * TILE_ROWS
        whole_loops.pattern_groups(codes, tables.x, tables.zero, first, groups[:, some], used[:, some])

    run_parts(part, groups.shape[1])
    return groups, used


@lru_cache
def _tables(spec: Arithmetic, depth: int) -> _Tables:
    windows = _windows(spec, depth)
    assert windows is not None  # noqa: S101
    first, second = windows

    def patterns(a: Window, b: Window) -> Any:
        return pattern_tables(spec, (a, b), spec.fraction_bits - a[0] - b[0], np.float64)

    # Those of a factor do not depend on the window of the other.
    x = np.stack([patterns(window, second[0])[0] for window in first])
    y = np.stack([patterns(first[0], window)[1] for window in second])
    units = np.array([[2.0 ** (a[0] + b[0] - spec.fraction_bits) for b in second] for a in first])
    *_, how, zero = patterns(first[0], second[0])
    return _Tables(x, y, how, zero, units)
