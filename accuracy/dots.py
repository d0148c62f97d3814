"""Errors of dot products: how much they are stretched, and how much is left after that."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.accuracy.products import SEED
from lmul.accuracy.statistics import Reals
from lmul.golden import Arithmetic, Format, quantise
from lmul.golden.formats.codec import Rounding
from lmul.golden.formats.quantise import Quantised
from lmul.golden.scaled import multiply_scaled

MOST_PRODUCTS = 1 << 26
"""Products of all dot products together; bounds time and memory."""

MOST_ROWS = 256
"""Rows, and columns, of the matrix of dot products."""


@dataclass(frozen=True)
class DotErrors:
    """Errors of dot products y' against the true ones y.

    Parameters
    ----------
    count : int
        Dot products that were compared.
    bias : float
        Least-squares gain less one, sum(y' y) / sum(y y) - 1: how much they are stretched. NaN where
        every y is zero.
    noise : float
        RMS of y' - (1 + bias) y over the RMS of y: what no factor can repair.
    """

    count: int
    bias: float
    noise: float


def compare_dots(approximated: Reals, true: Reals) -> DotErrors:
    """Compare dot products with the true ones, arrays of one shape."""
    power = float(np.vdot(true, true))
    if not power:
        return DotErrors(true.size, math.nan, math.nan)
    gain = float(np.vdot(approximated, true)) / power
    residual = approximated - gain * true
    return DotErrors(true.size, gain - 1.0, math.sqrt(float(np.vdot(residual, residual)) / power))


def drawn_matrices(length: int, same_sign: bool) -> tuple[Reals, Reals]:
    """Draw the factors of a matrix of dot products, always the same ones.

    Parameters
    ----------
    length : int
        Products of one dot product.
    same_sign : bool
        Magnitudes of Gaussian numbers, where nothing cancels, instead of Gaussian numbers.

    Returns
    -------
    a : ndarray of float64, shape (M, length)
    b : ndarray of float64, shape (length, N)
        M and N at most `MOST_ROWS`, fewer for long dot products.
    """
    rows = dot_rows(length)
    rng = np.random.default_rng(SEED)
    a, b = rng.standard_normal((rows, length)), rng.standard_normal((length, rows))
    return (np.abs(a), np.abs(b)) if same_sign else (a, b)


def dot_rows(length: int) -> int:
    """Give the number of rows, and of columns, that dot products of a length may have."""
    return max(1, min(MOST_ROWS, math.isqrt(MOST_PRODUCTS // length)))


def dot_errors(
    a: NDArray[Any],
    b: NDArray[Any],
    format_: Format,
    rounding: Rounding,
    muls: tuple[str, ...],
    quantised: tuple[Quantised, Quantised] | None = None,
) -> dict[str, DotErrors]:
    """Compare dot products of quantised operands, products unrounded, with those of the operands.

    Parameters
    ----------
    a : ndarray of float, shape (M, K)
    b : ndarray of float, shape (K, N)
        Where there are many dot products, evenly spaced rows and columns are taken.
    format_ : Format
    rounding : {"nearest", "truncate"}
        Of the operands.
    muls : tuple of str
        Names of multipliers.
    quantised : tuple of two Quantised, optional
        The operands with their scales; sums of blocks are scaled before they are added. Default: each
        with one scale.

    Returns
    -------
    dict of str to DotErrors
    """
    x, y = quantised or (quantise(a, format_, rounding), quantise(b, format_, rounding))
    rows, columns = (spread(size, dot_rows(a.shape[1])) for size in (a.shape[0], b.shape[1]))
    true = a[rows].astype(np.float64) @ b[:, columns].astype(np.float64)
    x = replace(x, codes=x.codes[rows], scale=x.scale[rows] if x.scale.ndim else x.scale)
    y = replace(y, codes=y.codes[:, columns], scale=y.scale[:, columns] if y.scale.ndim else y.scale)
    return {mul: compare_dots(_sums(x, y, format_, mul), true) for mul in muls}


def spread(size: int, most: int) -> NDArray[np.int64]:
    """Give indices below a size, all or as many as may be, evenly spaced."""
    count = min(size, most)
    return np.arange(count) * size // count


def _sums(x: Quantised, y: Quantised, format_: Format, mul: str) -> Reals:
    """Give dot products as the exact accumulator holds them, scaled back."""
    arithmetic = Arithmetic(format=format_, mul=mul, acc="exact", out="raw", depth=x.codes.shape[1])
    return multiply_scaled(x, y, arithmetic)[0]
