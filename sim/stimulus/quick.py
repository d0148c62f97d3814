"""Random operands of the quick tests: codes of every kind, sizes that fill no tile, NaN storms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design

Matrices = list[tuple[NDArray[Any], NDArray[Any]]]
Shape = tuple[int, int, int]


def draw_codes(*shapes: Shape, seed: int = 1, nan: float = 0.0) -> Matrices:
    """Draw matrix products of e4m3 codes of every kind.

    Parameters
    ----------
    *shapes : (int, int, int)
        M, K and N of each.
    seed : int
    nan : float
        Share of the codes that are NaN.

    Returns
    -------
    list of (ndarray of uint8, ndarray of uint8), shapes (M, K) and (K, N)
    """
    rng = np.random.default_rng(seed)
    products = []
    for rows, depth, cols in shapes:
        pair = []
        for shape in ((rows, depth), (depth, cols)):
            codes = rng.integers(0, 256, shape).astype(np.uint8)
            codes = np.where(codes % 128 == 127, codes - 1, codes)
            pair.append(np.where(rng.random(shape) < nan, codes | 0x7F, codes).astype(np.uint8))
        products.append((pair[0], pair[1]))
    return products


QUICK_SHAPES: dict[str, tuple[Sequence[Shape], Shape]] = {
    "dot": (((6, 1, 6), (6, 24, 6), (4, 37, 9)), (9, 24, 9)),
    "array": (((5, 1, 7), (9, 30, 5), (4, 64, 4)), (8, 12, 8)),
}
"""By the kind of design: K of 1 and K beyond the depth, sizes that fill no tile; the last ones with NaN."""


def quick_operands(design: Design) -> Matrices:
    """Draw what a design of e4m3 operands is tested with in `make test`; multipliers draw their own pairs."""
    if design.kind not in QUICK_SHAPES:
        return []
    finite, storm = QUICK_SHAPES[design.kind]
    return draw_codes(*finite) + draw_codes(storm, nan=0.02)


def shortest_tiles(design: Design) -> Matrices:
    """Draw a hundred of the shortest tiles that may keep an array busy: R steps, or R rows."""
    steps, cols = design.rows * design.lanes, 10 * design.cols
    travels = design.weight_stationary
    return draw_codes((design.rows, 10 * steps, cols) if travels else (10 * design.rows, steps, cols))
