"""Pareto fronts: points that no other one beats in everything."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def dominates(costs: ArrayLike, others: ArrayLike) -> NDArray[np.bool_]:
    """Tell which points are at least as good as another one in everything, and better in something.

    Parameters
    ----------
    costs : array_like of float, shape (..., objectives)
        Less is better.
    others : array_like of float, shape (..., objectives)

    Returns
    -------
    ndarray of bool, shape (...)
    """
    x, y = np.asarray(costs), np.asarray(others)
    found: NDArray[np.bool_] = np.all(x <= y, axis=-1) & np.any(x < y, axis=-1)
    return found


def front(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Tell which points no other one dominates; a point with an infinite cost never counts.

    Parameters
    ----------
    costs : sequence of sequence of float, shape (points, objectives)
        Less is better.
    """
    table = np.array(costs, dtype=np.float64)
    return [bool(np.all(np.isfinite(row)) and not np.any(dominates(table, row))) for row in table]
