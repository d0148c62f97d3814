"""Rectilinear Steiner trees: how short the wires of a net can be.

Iterated 1-Steiner (Kahng and Robins, IEEE Trans. CAD 11(7), 1992): the point that makes the least spanning
tree of all points shortest joins them, until none makes it shorter. Tried is every point of the Hanan grid,
and in nets of more than `GRID_PINS` pins every one that joins three
neighbours in the tree.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

GRID_PINS = 20
"""Pins of a net whose whole grid is tried."""


class Tree(NamedTuple):
    """A tree that joins the pins of a net.

    Parameters
    ----------
    points : float64 array, shape (nodes, 2)
        x and y of the pins in their order, then of the Steiner points.
    parents : int64 array, shape (nodes,)
        The next point on the way to the first pin; -1 of the first pin.
    """

    points: NDArray[np.float64]
    parents: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.float64]:
        """How far each point lies from its parent, across and up, shape (nodes, 2)."""
        found: NDArray[np.float64] = np.abs(self.points - self.points[self.parents])
        found[0] = 0.0
        return found


def steiner_tree(pins: NDArray[np.float64]) -> Tree:
    """Join the pins of a net.

    Parameters
    ----------
    pins : float64 array, shape (pins, 2)
        x and y; the first one drives the others.
    """
    points = np.zeros((2 * len(pins), 2))
    points[: len(pins)] = pins
    found, parents = _steiner(points, len(pins))
    return Tree(points[:found], parents)


@numba.njit(cache=True)
def _steiner(points: Any, pins: int) -> Any:
    """Add Steiner points behind the pins; give the number of all points, and the parent of each."""
    count = pins
    parents, length = _spanning_tree(points, count)
    while count < len(points) - 1:
        if pins <= GRID_PINS:
            saved = _add_of_grid(points, pins, count, length)
        else:
            saved = _add_of_neighbours(points, parents, count)
        if saved <= 1e-9:
            break
        parents, _ = _spanning_tree(points, count + 1)
        count = _without_useless(points, parents, pins, count + 1)
        parents, length = _spanning_tree(points, count)
    return count, parents


@numba.njit(cache=True)
def _add_of_grid(points: Any, pins: int, count: int, length: float) -> float:
    """Put the best point of the grid behind the others; give by how much it shortens the tree."""
    best, x, y = length, 0.0, 0.0
    for i in range(pins):
        for j in range(pins):
            points[count, 0], points[count, 1] = points[i, 0], points[j, 1]
            _, found = _spanning_tree(points, count + 1)
            if found < best:
                best, x, y = found, points[i, 0], points[j, 1]
    points[count, 0], points[count, 1] = x, y
    return length - best


@numba.njit(cache=True)
def _add_of_neighbours(points: Any, parents: Any, count: int) -> float:
    """Put the best point between three neighbours behind the others; give what it saves at least."""
    best, x, y = 0.0, 0.0, 0.0
    for i in range(count):
        for j in range(i):
            middle = -1
            if parents[i] == parents[j] or (parents[i] >= 0 and parents[parents[i]] == j):
                middle = parents[i]
            elif parents[j] >= 0 and parents[parents[j]] == i:
                middle = parents[j]
            if middle >= 0:
                across = _median(points[i, 0], points[j, 0], points[middle, 0])
                up = _median(points[i, 1], points[j, 1], points[middle, 1])
                saved = _distance(points, i, middle) + _distance(points, j, middle)
                for k in (i, j, middle):
                    saved -= abs(points[k, 0] - across) + abs(points[k, 1] - up)
                if saved > best:
                    best, x, y = saved, across, up
    points[count, 0], points[count, 1] = x, y
    return best


@numba.njit(cache=True)
def _without_useless(points: Any, parents: Any, pins: int, count: int) -> int:
    """Take away Steiner points that join fewer than three; give how many points are left."""
    degrees = np.zeros(count, dtype=np.int64)
    for i in range(count):
        if parents[i] >= 0:
            degrees[i] += 1
            degrees[parents[i]] += 1
    kept = pins
    for i in range(pins, count):
        if degrees[i] > 2:
            points[kept] = points[i]
            kept += 1
    return kept


@numba.njit(cache=True)
def _median(a: float, b: float, c: float) -> float:
    return max(min(a, b), min(max(a, b), c))


@numba.njit(cache=True)
def _distance(points: Any, i: int, j: int) -> Any:
    return abs(points[i, 0] - points[j, 0]) + abs(points[i, 1] - points[j, 1])


@numba.njit(cache=True)
def _spanning_tree(points: Any, count: int) -> Any:
    """Give the least spanning tree by Prim's algorithm: the parent of each point, and the length."""
    parents = np.full(count, -1, dtype=np.int64)
    near = np.full(count, np.inf)
    done = np.zeros(count, dtype=np.bool_)
    near[0], length = 0.0, 0.0
    for _ in range(count):
        best = -1
        for i in range(count):
            if not done[i] and (best < 0 or near[i] < near[best]):
                best = i
        done[best] = True
        length += near[best]
        for i in range(count):
            far = _distance(points, i, best)
            if not done[i] and far < near[i]:
                near[i], parents[i] = far, best
    return parents, length
