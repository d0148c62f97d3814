"""What products are made of, for loops that are faster than the definition.

A multiplier that says so, by `IntegerAdd.form`, is computed by these loops; any other by its `correction`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FieldSum:
    """The sum of the fields and the multiplier's constant, and nothing else."""


@dataclass(frozen=True)
class MarkedFieldSum:
    """That sum, and one bit where both mantissas are marked.

    Parameters
    ----------
    place : int
        The bit's place: 2^place units of the last place.
    marked : callable
        Tells of mantissas, an ndarray of int64 below 2^M, which are marked.
    """

    place: int
    marked: Callable[[NDArray[Any]], NDArray[np.bool_]]


@dataclass(frozen=True)
class ExactProduct:
    """The product of the significands, in 2M bits behind the binary point."""


@dataclass(frozen=True)
class RoundedProduct:
    """The product of the significands, rounded to M bits behind its leading one, ties to even."""


Form = FieldSum | MarkedFieldSum | ExactProduct | RoundedProduct


def rounded_product(x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> NDArray[np.int64]:
    """Multiply significands 1 + x / 2^M, and round to M bits behind the leading one, ties to even.

    Returns
    -------
    ndarray of int64
        In units of 2^-M.
    """
    one = 1 << mantissa_bits
    product = (one + x) * (one + y)
    excess = np.where(product >> (2 * mantissa_bits + 1), mantissa_bits + 1, mantissa_bits)
    half = 1 << (excess - 1)
    odd = (product >> excess) & 1
    rounded: NDArray[np.int64] = (product + half - 1 + odd) >> excess << (excess - mantissa_bits)
    return rounded
