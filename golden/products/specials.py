"""Infinities and NaN of matrix products, apart from the finite sums."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.format import Format, Integer
from lmul.golden.products.operand import split

Flags = tuple[NDArray[np.int8], NDArray[np.bool_]]


def is_special(codes: NDArray[Any], format_: Format) -> NDArray[np.bool_]:
    """Tell which codes are infinity or NaN; no integer is."""
    if isinstance(format_, Integer):
        return np.zeros(codes.shape, np.bool_)
    special: NDArray[np.bool_] = (codes & codes.dtype.type(format_.magnitude_mask)) > format_.largest_finite
    return special


def special_sums(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Flags:
    """Find the sums that are infinite or NaN because a product is.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic

    Returns
    -------
    infinity : ndarray of int8, shape (M, N)
        The sign of an infinite sum, 0 for others.
    nan : ndarray of bool, shape (M, N)
    """
    first, second = arithmetic.formats
    special_a, special_b = is_special(a, first), is_special(b, second)
    k = np.flatnonzero(special_a.any(axis=0) | special_b.any(axis=1))
    if not k.size:
        shape = (a.shape[0], b.shape[1])
        return np.zeros(shape, dtype=np.int8), np.zeros(shape, dtype=np.bool_)
    x = split(a[:, k], first, arithmetic).power.astype(np.float32)
    y = split(b[k, :], second, arithmetic).power.astype(np.float32)
    nan = np.isnan(x).any(axis=1, keepdims=True) | np.isnan(y).any(axis=0, keepdims=True)
    inf_x, inf_y = np.isinf(x), np.isinf(y)
    nan |= (_count(inf_x, y == 0) + _count(x == 0, inf_y)) > 0
    positive = _count(inf_x & (x > 0), y > 0) + _count(inf_x & (x < 0), y < 0)
    positive += _count(x > 0, inf_y & (y > 0)) + _count(x < 0, inf_y & (y < 0))
    negative = _count(inf_x & (x > 0), y < 0) + _count(inf_x & (x < 0), y > 0)
    negative += _count(x > 0, inf_y & (y < 0)) + _count(x < 0, inf_y & (y > 0))
    nan |= (positive > 0) & (negative > 0)
    infinity = (positive > 0).astype(np.int8) - (negative > 0)
    return np.where(nan, 0, infinity).astype(np.int8), nan


def _count(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Count the k at which both are true. A count that float32 rounds is still not zero."""
    count: NDArray[np.float32] = a.astype(np.float32) @ b.astype(np.float32)
    return count
