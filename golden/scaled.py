"""Matrix products of real numbers: quantised, multiplied as a design does, and scaled back."""

import math
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.codec import Rounding
from lmul.golden.formats import Codes
from lmul.golden.matmul import matmul_codes
from lmul.golden.quantise import BLOCK, SCALINGS, Quantised, quantise, quantise_blocks, quantise_by_power
from lmul.golden.tiles import TILE_COLUMNS

Reals = NDArray[np.float64]


def matmul(
    a: ArrayLike, b: ArrayLike, spec: Arithmetic, *, rounding: Rounding = "nearest", scaling: str = "tensor"
) -> Reals:
    """Multiply matrices of real numbers as a design would: quantise, multiply, accumulate, dequantise.

    Parameters
    ----------
    a : array_like of finite floats, shape (..., M, K)
    b : array_like of finite floats, shape (..., K, N)
        Leading axes are broadcast, as by `numpy.matmul`.
    spec : Arithmetic
        What decides the bits.
    rounding : {"nearest", "truncate"}
        Of the operands.
    scaling : str
        A name of `SCALINGS`. The scales are multiplied back; with `block`, the design's sums are those of
        blocks, which are scaled and added in double precision.

    Returns
    -------
    ndarray of float64, shape (..., M, N)

    Raises
    ------
    ValueError
        The inner sizes differ, an operand is no matrix or not finite, or K exceeds `spec.depth`
        with the `exact` accumulator.

    Warns
    -----
    RuntimeWarning
        Sums left the range of the accumulator: they are saturated, or infinite.
    """
    reals = [np.asarray(operand, dtype=np.float64) for operand in (a, b)]
    if min(real.ndim for real in reals) < 2 or reals[0].shape[-1] != reals[1].shape[-2]:
        raise ValueError(
            f"operands must be ... x M x K and ... x K x N, not {reals[0].shape} and {reals[1].shape}"
        )
    x, y = (quantise_factor(real, side, spec, rounding, scaling) for side, real in enumerate(reals))
    values, left_range = multiply_scaled(x, y, spec)
    if left_range:
        warnings.warn(
            f"{left_range} of {values.size} sums left the range of the accumulator {spec.acc}",
            RuntimeWarning,
            stacklevel=2,
        )
    return values


def quantise_factor(
    reals: ArrayLike, side: int, spec: Arithmetic, rounding: Rounding, scaling: str
) -> Quantised:
    """Quantise one factor of a matrix product.

    Parameters
    ----------
    reals : array_like of finite floats, shape (..., M, K) or (..., K, N)
    side : {0, 1}
        Which factor it is.
    spec : Arithmetic
    rounding : {"nearest", "truncate"}
    scaling : str
        A name of `SCALINGS`.

    Raises
    ------
    ValueError
        There is no such scaling, or the factor is not finite.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"scaling {scaling!r} is unknown: it must be one of {', '.join(SCALINGS)}")
    inner = (-1, -2)[side]
    if scaling == "power":
        return quantise_by_power(reals, spec.formats[side], rounding)
    if scaling == "block":
        return quantise_blocks(reals, spec.formats[side], rounding, inner)
    return quantise(reals, spec.formats[side], rounding, inner if scaling == "row" else None)


def multiply_scaled(x: Quantised, y: Quantised, spec: Arithmetic) -> tuple[Reals, int]:
    """Multiply quantised factors of one scaling.

    Parameters
    ----------
    x, y : Quantised
        As `quantise_factor` gives them, of sides 0 and 1.
    spec : Arithmetic

    Returns
    -------
    values : ndarray of float64, shape (..., M, N)
    left_range : int
        Sums that left the range of the accumulator.

    Raises
    ------
    ValueError
        More products than `spec.depth` with the `exact` accumulator.
    """
    axes = np.broadcast_shapes(x.codes.shape[:-2], y.codes.shape[:-2])
    total, left_range = np.zeros((*axes, x.codes.shape[-2], y.codes.shape[-1])), 0
    for part_x, part_y in _scaled_parts(x, y):
        depth = part_x.codes.shape[-1]
        if spec.acc == "exact" and depth > spec.depth:
            raise ValueError(
                f"K is {depth}, more than the depth {spec.depth} of the accumulator: ask for depth={depth}"
            )
        values, left = _batched(part_x.codes, part_y.codes, spec)
        # The product of the scales alone may be no double.
        values *= part_x.scale
        values *= part_y.scale
        total += values
        left_range += left
    return total, left_range


def _scaled_parts(x: Quantised, y: Quantised) -> Iterator[tuple[Quantised, Quantised]]:
    """Give the parts along K that have scales of their own: all at once, or the blocks."""
    blocks = x.scale.shape[-1] if x.scale.ndim else 1
    if blocks == 1:
        yield x, y
        return
    for block in range(blocks):
        inner, scale = slice(BLOCK * block, BLOCK * (block + 1)), slice(block, block + 1)
        yield (
            Quantised(x.codes[..., inner], x.scale[..., scale]),
            Quantised(y.codes[..., inner, :], y.scale[..., scale, :]),
        )


def _batched(x: Codes, y: Codes, spec: Arithmetic) -> tuple[Reals, int]:
    """Multiply stacks of matrices of codes: their values, and how many left the accumulator's range."""
    if y.ndim == 2:  # One matrix product of all rows.
        rows, left_range = _tiled(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), y, spec)
        return rows.reshape(*x.shape[:-1], y.shape[-1]), left_range
    axes = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = np.broadcast_to(x, axes + x.shape[-2:]), np.broadcast_to(y, axes + y.shape[-2:])
    values = np.empty((*axes, x.shape[-2], y.shape[-1]))
    left_range = 0
    for index in np.ndindex(axes):
        values[index], left = _tiled(x[index], y[index], spec)
        left_range += left
    return values, left_range


def _tiled(x: Codes, y: Codes, spec: Arithmetic) -> tuple[Reals, int]:
    """Multiply two matrices of codes as `_batched` does, so many columns at once as stay in the cache."""
    values, left_range = np.empty((len(x), y.shape[1])), 0
    for start in range(0, y.shape[1], TILE_COLUMNS):
        columns = slice(start, start + TILE_COLUMNS)
        sums = matmul_codes(x, y[:, columns], spec)
        values[:, columns] = sums.values()
        left_range += int(np.count_nonzero(sums.overflow | sums.inf | sums.nan))
    return values, left_range
