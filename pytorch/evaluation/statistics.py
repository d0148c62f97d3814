"""Differences between two arithmetics on the same samples, and the intervals that hold them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.intervals import student

Reals = NDArray[np.float64]

LOGARITHMIC = {"word_perplexity", "byte_perplexity", "perplexity"}
"""Exponentials of a mean surprise: of each sample they have the log likelihood, most with its weight."""

BITS = "bits_per_byte"

SAME = 1e-6
"""By how much, of its size, a mean of samples may be off the harness's own figure."""


@dataclass(frozen=True)
class Samples:
    """What a metric is the mean of.

    Parameters
    ----------
    values : ndarray of float64, (N,)
        Of each sample, times its weight.
    weights : ndarray of float64, (N,)
    logarithmic : bool
        The metric is the exponential of the mean.
    """

    values: Reals
    weights: Reals
    logarithmic: bool = False

    @property
    def shares(self) -> bool:
        """Whether each sample is right or wrong."""
        return bool(np.isin(self.values, (0, 1)).all() and (self.weights == 1).all())

    @property
    def metric(self) -> float:
        """The metric."""
        mean = float(self.values.sum() / self.weights.sum())
        return _exponential(mean) if self.logarithmic else mean


@dataclass(frozen=True)
class Difference:
    """A metric's difference from that of full precision, or what it is multiplied by, with a 95 % interval.

    Parameters
    ----------
    kind : {"minus full", "x full"}
    value : float
        Over all passes.
    half_width : float
        Of the interval; infinite where one sample says nothing of it.
    sampling, spread : float
        Its parts: from the samples, and from passes that should be alike.
    """

    kind: str
    value: float
    half_width: float
    sampling: float
    spread: float


def samples_of(results: Mapping[str, Any], name: str, key: str) -> Samples | None:
    """Give the samples of a metric of a task, or of all tasks of a group.

    Parameters
    ----------
    results : mapping
        As the harness gives them, samples among them.
    name : str
        Of the task or group.
    key : str
        Metric and filter, as the harness writes them: `acc,none`.

    Returns
    -------
    Samples or None
        None where the metric is no mean of them.
    """
    metric, _, filter_ = key.partition(",")
    found = [
        sample[metric]
        for task in members(results, name)
        for sample in results["samples"].get(task, ())
        if sample["filter"] == filter_ and metric in sample
    ]
    samples = _samples(metric, found) if found else None
    told = results["results"][name][key]
    if samples is None or not _same(samples.metric, told):
        return None
    return samples


def members(results: Mapping[str, Any], name: str) -> Iterator[str]:
    """Give the tasks of a group and of the groups in it, or a task itself."""
    children = results["group_subtasks"].get(name)
    return chain.from_iterable(members(results, child) for child in children) if children else iter([name])


def _samples(metric: str, found: Sequence[Any]) -> Samples | None:
    try:
        array = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):  # Texts, or lists of several lengths.
        return None
    logarithmic = metric in LOGARITHMIC
    if array.ndim == 1:
        return Samples(-array if logarithmic else array, np.ones(len(array)), logarithmic)
    if array.shape[1:] != (2,) or not (logarithmic or metric == BITS):
        return None
    likelihoods, weights = array.T
    return Samples(-likelihoods / (math.log(2) if metric == BITS else 1.0), weights, logarithmic)


def _same(mean: float, told: Any) -> bool:
    return isinstance(told, int | float) and (math.isclose(mean, told, rel_tol=SAME) or mean == told)


def paired(passes: Sequence[Samples], reference: Samples) -> Difference:
    """Compare passes of an arithmetic with full precision, sample by sample.

    With d the differences of P passes at n samples of the weights w, each pass has the mean
    m_p = sum_i d_pi / sum_i w_i, and their mean is m. Its 95 % interval is m +- sqrt(a^2 + b^2), of two
    independent parts (JCGM 100:2008, "GUM", 5.1.2):

    - a = t(n-1) sqrt(n / (n-1) sum_i e_i^2) / sum_i w_i, where e_i = mean_p d_pi - m w_i is how far a sample
      is off: the paired interval, for weights that differ that of a ratio (Cochran, Sampling Techniques,
      6.3). Of samples that are right or wrong, half a change more to either side is counted than was seen,
      so that few samples without a change do not make an interval of nothing (as Agresti and Min do, Stat.
      Med. 24, 2005).
    - b = t(P-1) s / sqrt(P), where s is the standard deviation of the m_p: passes that should be alike are
      not. Without neighbours it is unknown, and left out.

    t(f) is Student's quantile of 97.5 % with f degrees of freedom. With two to four passes the interval holds
    the mean of every pass, since no value of P is farther from the mean than s (P-1) / sqrt(P) (Samuelson, J.
    Am. Stat. Assoc. 63, 1968).

    Parameters
    ----------
    passes : sequence of Samples
        One for each pass.
    reference : Samples
        Of the same samples in full precision.
    """
    differences = np.array([samples.values - reference.values for samples in passes])
    weights = reference.weights
    means = differences.sum(axis=1) / weights.sum()
    mean, count = float(means.mean()), len(weights)
    sampling = math.inf
    if count > 1:
        off = differences.mean(axis=0) - mean * weights
        squares = float(off @ off) + all(samples.shares for samples in (reference, *passes))
        sampling = student(count - 1) * math.sqrt(count / (count - 1) * squares) / float(weights.sum())
    spread = 0.0
    if len(passes) > 1:
        spread = student(len(passes) - 1) * float(means.std(ddof=1)) / math.sqrt(len(passes))
    if not reference.logarithmic:
        return Difference("minus full", mean, math.hypot(sampling, spread), sampling, spread)
    factor = _exponential(mean)
    widths = [factor * width for width in (math.hypot(sampling, spread), sampling, spread)]
    return Difference("x full", factor, *widths)


def _exponential(value: float) -> float:
    """Give an infinity where the exponential is too large, as for models that are out of order."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
