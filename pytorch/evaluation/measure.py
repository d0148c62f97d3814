"""Models under arithmetics: evaluated once each, kept, and compared with full precision."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

from lmul.host.cache import cached, program_digest
from lmul.multipliers.table import plug_in_digest
from lmul.scheme import FULL_PRECISION, Scheme
from lmul.terminal.progress import SharedReport
from lmul.torch import models
from lmul.torch.convert import convert_, restore_
from lmul.torch.evaluation import tasks
from lmul.torch.evaluation.harness import Harness, run
from lmul.torch.evaluation.neighbours import neighbour
from lmul.torch.evaluation.statistics import Difference, paired, samples_of

SOURCES = ("multipliers", "golden", "scheme.py", "torch", "workloads/texts.py")
"""Parts of this program that results depend on."""

PACKAGES = ("lm_eval", "torch", "transformers")
"""Packages that results depend on."""


@dataclass(frozen=True)
class Evaluation:
    """What the harness found of a task under an arithmetic.

    Parameters
    ----------
    arithmetic : str
        As `scheme.parse_scheme` takes it.
    task : str
        As it was asked for.
    passes : tuple of dict
        The harness's results: under the arithmetic itself, then those of its neighbours.
    """

    arithmetic: str
    task: str
    passes: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Row:
    """A metric under an arithmetic.

    Parameters
    ----------
    task, metric, filter : str
        The task, or the group of tasks; the metric, and the filter of answers that it is after.
    inside : bool
        The task is a part of a group that has a row of its own.
    arithmetic : str
    samples : int
    value : float
        Under the arithmetic itself.
    standard_error : float or None
        The harness's; None where it gives none.
    passes : tuple of float
        The values of all passes.
    difference : Difference or None
        From full precision; None for that itself, and where the metric is no mean of its samples.
    """

    task: str
    metric: str
    filter: str
    inside: bool
    arithmetic: str
    samples: int
    value: float
    standard_error: float | None
    passes: tuple[float, ...]
    difference: Difference | None

    def as_plain(self) -> dict[str, Any]:
        """Give plain values, for JSON: what is not known is None."""
        plain: dict[str, Any] = _known(asdict(self))
        return plain


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _known(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_known(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


@dataclass(frozen=True)
class Plan:
    """What is evaluated.

    Parameters
    ----------
    model : str
        As `models.load` takes it.
    schemes : tuple of Scheme
    tasks : tuple of str
        Names of the harness's, or of `tasks.LOCAL`.
    neighbours : int
        More passes under each arithmetic, of neighbours.
    limit : int or None
        Samples of each task.
    batch_size : int
        Texts that the model reads at once.
    """

    model: str
    schemes: tuple[Scheme, ...]
    tasks: tuple[str, ...]
    neighbours: int
    limit: int | None
    batch_size: int


def evaluate(plan: Plan, directory: Path | None, progress: SharedReport) -> list[Evaluation]:
    """Evaluate a model in full precision, and under each arithmetic.

    Passes that were finished before are taken from the directory, so an interrupted run goes on.

    Parameters
    ----------
    plan : Plan
    directory : Path or None
        Where passes are kept; None keeps nothing.
    progress : callable
        Takes the numbers of finished and of all passes, and what share of all is done.

    Returns
    -------
    list of Evaluation
        Those of full precision first, then arithmetic by arithmetic.

    Raises
    ------
    UserError
        The model or a task's data cannot be had, or no layer of the model can be converted.
    """
    evaluator = _Evaluator(plan, directory)
    total, finished = len(plan.tasks) * sum(count for _, count in _orders(plan)), 0

    def share(part: float) -> None:
        progress(finished, total, (finished + part) / total)

    found = []
    with models.quiet():
        for scheme, count in _orders(plan):
            for task in plan.tasks:
                passes = []
                for number in range(count):
                    passes.append(evaluator.one_pass(scheme, task, number, share))
                    finished += 1
                    share(0.0)
                found.append(Evaluation(scheme.name if scheme else FULL_PRECISION, task, tuple(passes)))
    return found


def _orders(plan: Plan) -> Iterator[tuple[Scheme | None, int]]:
    """Give each arithmetic with its number of passes: neighbours of full precision are the same."""
    yield None, 1
    for scheme in plan.schemes:
        yield scheme, 1 + plan.neighbours


class _Evaluator:
    """Evaluates a model; loads it when it is first needed."""

    def __init__(self, plan: Plan, directory: Path | None) -> None:
        self._plan, self._directory = plan, directory

    def one_pass(self, scheme: Scheme | None, task: str, number: int, tell: Any) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            loaded, lm = self._loaded[task], self._harness
            lm.tell = tell
            if scheme:
                convert_(lm.model, scheme)
            try:
                with neighbour(lm.model, number):
                    return run(lm, loaded, self._plan.limit)
            finally:
                restore_(lm.model)

        key = self._key | {"task": task, "neighbour": number, "scheme": scheme.name if scheme else ""}
        if scheme:
            key["multiplier"] = plug_in_digest(scheme.arithmetic.mul)
        found: dict[str, Any] = cached(self._directory, key, make)
        return found

    @cached_property
    def _key(self) -> dict[str, Any]:
        import torch

        return {
            "program": program_digest(*SOURCES),
            "model": self._identity(),
            "limit": self._plan.limit,
            "batch_size": self._plan.batch_size,
            "packages": [version(package) for package in PACKAGES],
            "device": "cuda" if torch.cuda.is_available() else "cpu",
        }

    def _identity(self) -> str:
        source = models.find(self._plan.model)
        if source.local:
            return source.identity()
        return f"{source.place} {getattr(self._harness.model.config, '_commit_hash', None)}"

    @cached_property
    def _loaded(self) -> dict[str, Any]:
        """All tasks: what cannot be had is told before hours of work."""
        return {task: tasks.load(task) for task in self._plan.tasks}

    @cached_property
    def _harness(self) -> Harness:
        return Harness(*models.load(self._plan.model), self._plan.batch_size)


def compare(evaluations: Sequence[Evaluation]) -> list[Row]:
    """Give a row for each task, metric and arithmetic, those of full precision first."""
    references = {one.task: one.passes[0] for one in evaluations if one.arithmetic == FULL_PRECISION}
    return [
        row
        for task, reference in references.items()
        for name, key in _metrics(reference)
        for one in evaluations
        if one.task == task
        for row in [_row(one, name, key, reference)]
    ]


def _metrics(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each task or group with each of its metrics, as the harness names both."""
    for name, found in results["results"].items():
        for key, value in found.items():
            if "," in key and "_stderr," not in key and isinstance(value, int | float):
                yield name, key


def _row(one: Evaluation, name: str, key: str, reference: dict[str, Any]) -> Row:
    metric, _, filter_ = key.partition(",")
    own = one.passes[0]["results"][name]
    error = own.get(f"{metric}_stderr,{filter_}")
    full = samples_of(reference, name, key)
    samples = [samples_of(results, name, key) for results in one.passes]
    known = [each for each in samples if each is not None]
    difference = None
    if one.arithmetic != FULL_PRECISION and full and len(known) == len(samples):
        difference = paired(known, full)
    return Row(
        task=name,
        metric=metric,
        filter=filter_,
        inside=any(name in children for children in reference["group_subtasks"].values()),
        arithmetic=one.arithmetic,
        samples=own["sample_len"],
        value=own[key],
        standard_error=error if isinstance(error, float) else None,
        passes=tuple(results["results"][name][key] for results in one.passes),
        difference=difference,
    )
