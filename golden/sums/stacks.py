"""Stacks of quantised matrices, of the same leading axes on both sides, for products matrix by matrix."""

import math
from dataclasses import replace

import numpy as np

from lmul.golden.formats.quantise import Quantised

Shape = tuple[int, ...]


def stacks(x: Quantised, y: Quantised, parts: int) -> tuple[Quantised, Quantised, Shape]:
    """Give both factors of products of matrices as stacks of the same leading axes.

    Parameters
    ----------
    x, y : Quantised
        Codes (..., M, K) and (..., K, N).
    parts : int
        Of K, that have scales of their own.

    Returns
    -------
    x, y : Quantised
        With scales (..., M, parts) and (..., parts, N). Where y is one matrix, x is one of all rows.
    shape : tuple of int
        Of the products, (..., M, N), as they were asked for.
    """
    axes = np.broadcast_shapes(x.codes.shape[:-2], y.codes.shape[:-2])
    shape = (*axes, x.codes.shape[-2], y.codes.shape[-1])
    if y.codes.ndim == 2:  # One matrix product of all rows.
        x, axes = _all_rows(x, parts), ()
    x = _stacked(x, axes, (x.codes.shape[-2], parts))
    return x, _stacked(y, axes, (parts, y.codes.shape[-1])), shape


def _all_rows(x: Quantised, parts: int) -> Quantised:
    """Give a stack of matrices as one of all their rows, with a scale for each part of a row."""
    scales, rows = np.broadcast_to(x.scale, (*x.codes.shape[:-1], parts)), math.prod(x.codes.shape[:-1])
    return replace(x, codes=x.codes.reshape(rows, x.codes.shape[-1]), scale=scales.reshape(rows, parts))


def _stacked(factor: Quantised, axes: Shape, scales: tuple[int, int]) -> Quantised:
    """Give a stack of matrices, each with scales of some shape."""
    codes = np.broadcast_to(factor.codes, axes + factor.codes.shape[-2:])
    return replace(factor, codes=codes, scale=np.broadcast_to(factor.scale, axes + scales))
