"""Scales of blocks in fused sums: products, or exact sums of groups of them, times their scales."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.block_scale import BlockScale
from lmul.golden.formats.format import Codes
from lmul.host.parameters import ParameterError

Terms = tuple[NDArray[np.float64], NDArray[np.int16]]
"""Terms of a sum: exact values, infinities and NaN among them, and the exponents that a sum is aligned by."""


class Scales(NamedTuple):
    """Scales of the operands of matrix products, or of steps.

    Parameters
    ----------
    a : ndarray of codes, shape (M, S), or of a step (S, ...)
    b : ndarray of codes, shape (S, N), or of a step (S, ...)
        S in each step of the arithmetic: one for each block, or for the part of one in the step.
    """

    a: Codes
    b: Codes

    def of_step(self, step: int, count: int, rows: Any, cols: Any) -> "Scales":
        """Give those of one step of some rows and columns of a matrix product, to be broadcast."""
        part = slice(step * count, (step + 1) * count)
        return Scales(self.a[rows, part].T[:, :, None], self.b[part, cols][:, None])


def scaled_terms(terms: Terms, scales: Scales, arithmetic: Arithmetic) -> Terms:
    """Give the terms of a step whose operands have scales.

    Parameters
    ----------
    terms : Terms, shape (lanes, ...)
        Of the products alone.
    scales : Scales, shape (S, ...)
        Of the step.
    arithmetic : Arithmetic
        With a block scale.

    Returns
    -------
    Terms, shape (lanes, ...) or (groups, ...)
        NaN where a scale is.
    """
    scale = _scale(arithmetic)
    values, exponents = terms
    first = np.arange(0, len(values), scale.group)
    each = first // scale.block
    shift = (scale.exponents(scales.a) + scale.exponents(scales.b))[each]
    nan = (scale.is_nan(scales.a) | scale.is_nan(scales.b))[each]
    if scale.group == 1:
        return np.where(nan, np.nan, np.ldexp(values, shift)), (exponents + shift).astype(np.int16)
    significands = scale.significands(scales.a) * scale.significands(scales.b)
    sums = np.add.reduceat(values, first, axis=0) * significands[each]
    # A sum that is zero counts, too.
    return np.where(nan, np.nan, np.ldexp(sums, shift - 2 * scale.fraction_bits)), shift


def step_scales(
    a: ArrayLike | None, b: ArrayLike | None, x: NDArray[Any], y: NDArray[Any], arithmetic: Arithmetic
) -> Scales | None:
    """Check scales of shapes (..., S) of a step of operands of shapes (K, ...): give them as (S, ...)."""
    if not (scale := _given(a, b, arithmetic)):
        return None
    blocks = max(-(-len(x) // scale.block), 1)
    first = scale.as_codes(a, "a_scale", (*x.shape[1:], blocks))
    second = scale.as_codes(b, "b_scale", (*y.shape[1:], blocks))
    return Scales(np.moveaxis(first, -1, 0), np.moveaxis(second, -1, 0))


def matrix_scales(
    a: ArrayLike | None, b: ArrayLike | None, shape: tuple[int, int, int], arithmetic: Arithmetic
) -> Scales | None:
    """Check the scales of a matrix product of M x K and K x N operands, and give those of every step.

    Parameters
    ----------
    a, b : array_like of integers from 0 to 255, shapes (M, S) and (S, N), or None
        S for every block along K, or where a step has a part of one for every step.
    shape : tuple of int
        M, K and N.
    arithmetic : Arithmetic

    Raises
    ------
    ValueError
        Scales are missing, of other shapes, or no codes; or the arithmetic has no use for them.
    """
    if not (scale := _given(a, b, arithmetic)):
        return None
    rows, depth, columns = shape
    blocks, steps = -(-depth // scale.block), -(-depth // arithmetic.lanes)
    parts = steps if arithmetic.lanes < scale.block else blocks
    length = parts if np.asarray(a).shape == (rows, parts) else blocks
    x = scale.as_codes(a, "a_scale", (rows, length))
    y = scale.as_codes(b, "b_scale", (length, columns))
    if length == parts:
        return Scales(x, y)
    return Scales(scales_of_steps(x, depth, arithmetic), scales_of_steps(y.T, depth, arithmetic).T)


def scales_of_steps(codes: Codes, products: int, arithmetic: Arithmetic) -> Codes:
    """Give the scales of every step of some vectors, of those of every block.

    Parameters
    ----------
    codes : ndarray of codes, shape (M, blocks)
    products : int
        K.
    arithmetic : Arithmetic
        With a block scale.

    Returns
    -------
    ndarray of codes, shape (M, S)
        Zero where the last step lacks a block.
    """
    count = -(-products // arithmetic.lanes) * arithmetic.scales_a_step
    block = _scale(arithmetic).block
    if arithmetic.lanes < block:
        return codes[:, np.arange(count) * arithmetic.lanes // block]
    return np.pad(codes, ((0, 0), (0, count - codes.shape[1])))


def nan_sums(scales: Scales, arithmetic: Arithmetic) -> NDArray[np.bool_]:
    """Tell which sums of a matrix product are NaN since a scale is."""
    scale = _scale(arithmetic)
    rows = scale.is_nan(scales.a).any(axis=1, keepdims=True)
    return np.asarray(rows | scale.is_nan(scales.b).any(axis=0))


def _scale(arithmetic: Arithmetic) -> BlockScale:
    assert arithmetic.block_scale  # noqa: S101
    return arithmetic.block_scale


def _given(a: ArrayLike | None, b: ArrayLike | None, arithmetic: Arithmetic) -> BlockScale | None:
    """Give the kind of the scales that are given, None without any."""
    scale = arithmetic.block_scale
    if not scale and not (a is None and b is None):
        raise ParameterError("scale", "is none: scales of blocks mean nothing to it, take mx, mxfp4 or nvfp4")
    return scale
