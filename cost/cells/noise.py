"""The noise of synthesis: how far a figure moves with the order in which the mapper meets its gates.

A seed is such an order, and means nothing. Designs that are compared are mapped with as many seeds, and each
seed alone would have kept some netlist: how far the figures of those scatter, around each design's own mean,
is the noise, taken from all designs together. What is kept of several seeds scatters less: as the least of so
many normal numbers does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.cost.cells.estimate import Cost
from lmul.cost.cells.measure import Measured
from lmul.intervals import student

AREA, DELAY, ENERGY = "area_um2", "critical_delay_ps", "energy_per_product_fj"
ZERO_DELAY = "energy_per_product_zero_delay_fj"

FIGURES = (AREA, DELAY, ENERGY, ZERO_DELAY)
"""Figures of which ratios are given, by their names in JSON."""

LEAST_VARIANCE = 1e-30
"""Of a product of area and energy, so that seeds that change nothing are no error."""


@dataclass(frozen=True)
class Ratio:
    """A figure of one design over that of another.

    Parameters
    ----------
    value : float
    low, high : float
        Of the 95 % interval: with other seeds, and other cycles drawn, the ratio is in it 19 times of 20.
    """

    value: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        """Whether a difference is shown: 1 is outside the interval."""
        return not self.low <= 1 <= self.high

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Noise:
    """The noise of synthesis of several designs.

    Parameters
    ----------
    deviations : mapping of str to float
        For each of `FIGURES` the standard deviation of its logarithm, in what is kept of some seeds.
    freedom : int
        Degrees of freedom that it is known with: 0 of one seed, whose noise is not known.
    """

    deviations: Mapping[str, float]
    freedom: int

    def ratio(self, name: str, ours: float, theirs: float, sampling: float = 0.0) -> Ratio:
        """Give a ratio with the interval in which another comparison's has to be.

        Parameters
        ----------
        name : str
            Of `FIGURES`.
        ours, theirs : float
        sampling : float
            Half of the 95 % interval, relative, that the ratio has from drawing cycles.
        """
        # Two designs, in this comparison and in the other one.
        synthesis = 2 * self.deviations[name] * student(self.freedom) if self.freedom else math.inf
        half, value = math.hypot(synthesis, math.sqrt(2) * sampling), _over(ours, theirs)
        return Ratio(value, value * math.exp(-half), value * math.exp(half))

    def interval(self, name: str, value: float, sampling: float = 0.0) -> tuple[float, float]:
        """Give the ends of the 95 % interval of a figure: where another seed, and other cycles, put it.

        Parameters
        ----------
        name : str
            Of `FIGURES`.
        value : float
        sampling : float
            Half of the 95 % interval, relative, that it has from drawing cycles.
        """
        # Of a ratio two designs are drawn anew, of a figure one: less by the root of two.
        drawn, root = self.ratio(name, value, value, math.sqrt(2) * sampling), math.sqrt(0.5)
        return value * drawn.low**root, value * drawn.high**root


def noise_of(costs: Sequence[Cost], of: int | None = None, *, paired: bool = False) -> Noise:
    """Tell the noise of designs that were mapped alike.

    Parameters
    ----------
    costs : sequence of Cost
        With as many seeds each.
    of : int, optional
        Seeds of which one netlist is kept; default: as many as there are.
    paired : bool
        What all designs have in common of a seed, such as blocks of the same netlist, does not count.
    """
    seeds = min(len(cost.of_seeds) for cost in costs)
    figures = [figures_of_seeds(cost)[:seeds] for cost in costs]
    return noise_among(np.array(figures), of or seeds, paired=paired)


def noise_among(figures: NDArray[np.float64], of: int, *, paired: bool = False) -> Noise:
    """Tell the noise of designs by the figures of their seeds.

    Parameters
    ----------
    figures : ndarray of float64, shape (designs, seeds, len(FIGURES))
        Of the netlist that each seed alone would have kept.
    of, paired
        As `noise_of` takes them.
    """
    designs, seeds, _ = figures.shape
    freedom = (designs - paired) * (seeds - 1)
    # A library may give energies of no sense, such as negative ones.
    if not freedom or not (figures > 0).all():
        return Noise(dict.fromkeys(FIGURES, math.inf), 0)
    logs = np.log(figures)
    scatter = logs - logs.mean(axis=1, keepdims=True)
    if paired:
        scatter -= scatter.mean(axis=0)
    # A mean of few is nearer to them than the true one is.
    scatter *= math.sqrt(designs * seeds / freedom)
    return Noise(_kept_deviations(scatter.reshape(-1, len(FIGURES)), of), freedom)


def ratios(costs: Sequence[Cost], *, paired: bool = False) -> list[dict[str, Ratio]]:
    """Give all ratios to the last design, by the names in `FIGURES`; those of the last one left out.

    Parameters
    ----------
    costs : sequence of Cost
        Mapped alike.
    paired : bool
        Whether blocks of theirs have the same netlist.
    """
    noise, last = noise_of(costs, paired=paired), costs[-1]
    found = []
    for cost in costs[:-1]:
        sampled = (_over(one.interval_per_product, one.energy_per_product.total) for one in (cost, last))
        sampling = math.hypot(*sampled)
        pairs = zip(FIGURES, _figures_of_cost(cost), _figures_of_cost(last), strict=True)
        found.append(
            {
                name: noise.ratio(name, ours, theirs, sampling if name == ENERGY else 0.0)
                for name, ours, theirs in pairs
            }
        )
    return found


def cost_figures(costs: Sequence[Cost], *, paired: bool = False) -> list[dict[str, Any]]:
    """Give the figures of designs as plain values, with their ratios to the last one.

    Parameters
    ----------
    costs : sequence of Cost
        Mapped alike.
    paired : bool
        Whether blocks of theirs have the same netlist.

    Returns
    -------
    list of dict
        As `Cost.as_dict` gives them. All but the last have in `ratios` the multiplier that they are over,
        and for each of `FIGURES` value, low and high; the latter are None of one seed.
    """
    found = [cost.as_dict() for cost in costs]
    for figures, own in zip(found, ratios(costs, paired=paired), strict=False):
        plain = {name: [_plain(value) for value in astuple(ratio)] for name, ratio in own.items()}
        figures["ratios"] = {"over": costs[-1].design.mul, **plain}
    return found


def _over(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _plain(value: float) -> float | None:
    return round(value, 6) if 0 < value < math.inf else None


def _figures_of_cost(cost: Cost) -> list[float]:
    energies = cost.energy_per_product.total, cost.zero_delay_per_product.total
    return [cost.area_um2, cost.measured.delay_ps, *energies]


def figures_of_seeds(cost: Cost) -> list[list[float]]:
    """Give for each seed `FIGURES` of the netlist that it alone would have kept, energies of a cycle."""
    return [_figures(found) for found in cost.of_seeds]


def _figures(found: Measured) -> list[float]:
    return [found.area_um2, found.delay_ps, found.energy.total, found.zero_delay.total]


def _kept_deviations(scatter: NDArray[np.float64], seeds: int) -> dict[str, float]:
    """Give the deviation of each figure in what is kept of so many seeds.

    Parameters
    ----------
    scatter : ndarray of float64, shape (n, figures)
        Logarithms of the figures of single seeds less their mean, of the variance that one has.
    seeds : int
        That of the least product of area and energy is kept, which scatters less than one by itself; another
        figure does by as much of its variance as goes with that product. Normal distributions are taken.
    """
    covariance = scatter.T @ scatter / len(scatter)
    chosen_by = np.isin(FIGURES, (AREA, ENERGY)).astype(np.float64)
    variances, product = np.diag(covariance), chosen_by @ covariance @ chosen_by
    explained = (covariance @ chosen_by) ** 2 / np.maximum(product, LEAST_VARIANCE)
    kept = np.maximum(variances - explained * (1 - variance_of_least(seeds)), 0.0)
    return dict(zip(FIGURES, np.sqrt(kept).tolist(), strict=True))


def variance_of_least(count: int) -> float:
    """Give the variance of the least of so many numbers of a standard normal distribution."""
    values = np.linspace(-9, 9, 4001)
    density = np.exp(-(values**2) / 2)
    density /= density.sum()
    # The chance that none is below: its differences are the least one's distribution.
    at_least = (1 - np.cumsum(density)) ** count
    chances = -np.diff(at_least, prepend=1.0)
    mean = chances @ values
    return float(chances @ (values - mean) ** 2)
