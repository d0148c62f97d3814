"""Relative errors added up, block by block."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Relative errors of products, as fractions of the true product.

    Parameters
    ----------
    count : int
        Products that were compared.
    mean : float
        Mean error; what does not average out in a long sum.
    mean_absolute : float
        Mean of the magnitudes.
    rms : float
        Root of the mean square.
    largest : float
        The error of the largest magnitude, with its sign.
    """

    count: int
    mean: float
    mean_absolute: float
    rms: float
    largest: float


@dataclass
class ErrorSums:
    """Sums from which `Errors` are made; blocks of products are added to them.

    Parameters
    ----------
    count : int
        Errors that have been added.
    total, absolute, squares : float
        Sums of the errors, of their magnitudes and of their squares.
    lowest, highest : float
        The smallest and the largest error.
    """

    count: int = 0
    total: float = 0.0
    absolute: float = 0.0
    squares: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    @classmethod
    def of(cls, errors: Reals) -> "ErrorSums":
        """Add up an array of relative errors, of any shape."""
        if not errors.size:
            return cls()
        flat = errors.ravel()
        return cls(
            flat.size,
            float(np.sum(flat)),
            float(np.sum(np.abs(flat))),
            float(np.dot(flat, flat)),
            float(np.min(flat)),
            float(np.max(flat)),
        )

    def add(self, other: "ErrorSums") -> None:
        """Add the sums of another block."""
        self.count += other.count
        self.total += other.total
        self.absolute += other.absolute
        self.squares += other.squares
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)

    def errors(self) -> Errors:
        """Give the statistics of all that was added, which must be something."""
        return Errors(
            self.count,
            self.total / self.count,
            self.absolute / self.count,
            math.sqrt(self.squares / self.count),
            self.highest if self.highest >= -self.lowest else self.lowest,
        )
