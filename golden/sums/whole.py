"""Exact sums of real matrices in one pass: from codes to scaled results, panel by panel.

Where the exponents that a format has fit one window, the bit patterns of a code do not depend on the other
codes. So each panel of the second factor is made of its codes when it is needed, and stays in the cache; sums
are rounded, scaled and written once. The bits are those of `lmul.golden.matmul`.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.accumulators import Exact
from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.quantise import Quantised
from lmul.golden.products.exponents import Window, exponent_ranges
from lmul.golden.sums.compiled import fewest_exact_windows, has_loops, pattern_tables, row_groups
from lmul.host.parallel import run_parts

OUTPUTS = ("fp32", "raw")


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
    depth, width = y.codes.shape[-2:]
    axes = np.broadcast_shapes(x.codes.shape[:-2], y.codes.shape[:-2])
    rows = math.prod(x.codes.shape[:-1] if y.codes.ndim == 2 else x.codes.shape[-2:-1])
    if x.block or y.block or not _in_one_pass(spec, depth) or not has_loops(spec, rows * depth * width):
        return None
    out = np.empty((*axes, x.codes.shape[-2], width), dtype=dtype)
    first, second = (
        np.broadcast_to(side.scale, (*side.codes.shape[:-2], *edge))
        for side, edge in ((x, (x.codes.shape[-2], 1)), (y, (1, width)))
    )
    if y.codes.ndim == 2:  # One matrix product of all rows.
        merged = x.codes.reshape(rows, depth), first.reshape(rows)
        _multiply(merged, (y.codes, second[0]), spec, gain, out.reshape(rows, width))
        return out
    a, first = (np.broadcast_to(each, (*axes, *each.shape[-2:])) for each in (x.codes, first))
    b, second = (np.broadcast_to(each, (*axes, *each.shape[-2:])) for each in (y.codes, second))
    for index in np.ndindex(axes):
        _multiply((a[index], first[index][:, 0]), (b[index], second[index][0]), spec, gain, out[index])
    return out


def _in_one_pass(spec: Arithmetic, depth: int) -> bool:
    """Tell whether sums are exact, no output can be too large, and all exponents fit one window."""
    plain = isinstance(spec.accumulator, Exact) and not spec.integer and spec.out in OUTPUTS
    if not plain or spec.output_overflows or depth > spec.depth or spec.product_form is None:
        return False
    return _windows(spec, depth) is not None


@lru_cache
def _windows(spec: Arithmetic, depth: int) -> tuple[Window, Window] | None:
    """Give the exponents of the formats of both factors, None where they do not fit one window."""
    first, second = (np.arange(1 << format_.width, dtype=format_.dtype) for format_ in spec.formats)
    windows = fewest_exact_windows(exponent_ranges(first, second, spec), depth, spec)
    return None if max(map(len, windows)) > 1 else (windows[0][0], windows[1][0])


def _multiply(
    x: tuple[NDArray[Any], NDArray[np.float64]],
    y: tuple[NDArray[Any], NDArray[np.float64]],
    spec: Arithmetic,
    gain: float,
    out: NDArray[Any],
) -> None:
    """Multiply codes (M, K) and (K, N) with the scales of rows and columns into `out`, on every processor."""
    from lmul.golden.sums import compiled_loops, whole_loops

    (a, a_scale), (b, b_scale) = x, y
    windows = _windows(spec, a.shape[1])
    assert windows is not None  # noqa: S101
    unit = windows[0][0] + windows[1][0] - spec.fraction_bits
    x_table, y_table, product, zero = pattern_tables(spec, windows, -unit, np.float64)
    groups = np.take(x_table, row_groups(a, compiled_loops.TILE_ROWS))
    steps = np.arange(0, a.shape[1], compiled_loops.STEP)
    used = np.logical_or.reduceat(np.any(groups != zero, axis=2), steps, axis=1)
    b, scales = np.ascontiguousarray(b), (np.ascontiguousarray(a_scale), np.ascontiguousarray(b_scale))
    ending = 2.0**unit, spec.out == "fp32", gain

    def part(panels: slice) -> None:
        whole_loops.multiply(
            groups, b, y_table, product, used, (panels.start, panels.stop), scales, ending, out
        )

    run_parts(part, -(-b.shape[1] // whole_loops.COLUMNS))
