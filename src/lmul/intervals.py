"""Confidence intervals: of normal and of Student's distribution."""

import math
from collections.abc import Sequence
from statistics import stdev

NORMAL_95 = 1.96
"""Standard deviations of a normal distribution that hold 95 % of it, to both sides."""


def student(freedom: int) -> float:
    """Give how many standard deviations hold 95 % of Student's distribution, to both sides.

    By the expansion of Cornish and Fisher, which is short with few degrees of freedom: the values of tables
    stand for those.

    Parameters
    ----------
    freedom : int
        Degrees of freedom; with none the interval is infinite.
    """
    if freedom < 1:
        return math.inf
    if freedom <= len(_FEW):
        return _FEW[freedom - 1]
    z = NORMAL_95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def welch(samples: Sequence[Sequence[float]]) -> float:
    """Give half of the 95 % interval of the difference of two means, whose variances may differ.

    Degrees of freedom by Satterthwaite (Biometrics Bulletin 2(6), 1946), rounded down.

    Parameters
    ----------
    samples : sequence of two sequences of float
    """
    if min(map(len, samples)) < 2:
        return math.inf
    squares = [stdev(each) ** 2 / len(each) for each in samples]
    if not sum(squares):
        return 0.0
    known = sum(square**2 / (len(each) - 1) for square, each in zip(squares, samples, strict=True))
    return student(int(sum(squares) ** 2 / known)) * math.sqrt(sum(squares))


_FEW = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447)
"""The values for 1 to 6 degrees of freedom."""
