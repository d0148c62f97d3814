"""A sweep: points from a search, evaluated by an engine, kept in a store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lmul.explore.evaluate import FULL, Evaluation, Task
from lmul.explore.search.trial import Figures, Searcher, Trial
from lmul.explore.space import Point
from lmul.explore.store import Store
from lmul.terminal.progress import Report


class Engine(Protocol):
    """Evaluates tasks somewhere else, several at a time."""

    @property
    def workers(self) -> int:
        """Tasks that are evaluated at a time."""

    def submit(self, key: str, task: Task) -> None:
        """Have a task evaluated."""

    def take(self) -> tuple[str, Evaluation]:
        """Wait for the next result."""


@dataclass
class Sweep:
    """What came out of a sweep.

    Parameters
    ----------
    figures : dict of Point to mapping
        Of every point that was evaluated with full effort.
    known, evaluated : set of str
        Keys of results that were there before, and of those of this run.
    seconds : float
        Time that the evaluations of this run took, added up.
    beside : mapping of Point to mapping
        Figures of points that are no evaluation's, known before.
    """

    figures: dict[Point, Figures] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    evaluated: set[str] = field(default_factory=set)
    seconds: float = 0.0
    beside: Mapping[Point, Figures] = field(default_factory=dict)


def run_sweep(
    search: Searcher,
    store: Store,
    engine: Engine,
    fingerprint: Mapping[str, Any],
    sweep: Sweep,
    *,
    progress: Report,
    finished: Callable[[Task, Evaluation], None],
) -> None:
    """Evaluate what a search asks for, but nothing that the store has.

    Parameters
    ----------
    search : Searcher
    store : Store
    engine : Engine
    fingerprint : mapping
        What figures depend on beside the point.
    sweep : Sweep
        Filled.
    progress : callable
        Told the numbers of finished and of all evaluations of this run.
    finished : callable
        Told each evaluation, after it was kept.
    """
    waiting: dict[str, list[Trial]] = {}
    while True:
        _ask(search, store, engine, fingerprint, waiting, sweep)
        progress(len(sweep.evaluated), len(sweep.evaluated) + search.remaining)
        if not waiting:
            return
        key, found = engine.take()
        trials = waiting.pop(key)
        store.add(key, trials[0].task, found, fingerprint)
        sweep.evaluated.add(key)
        sweep.seconds += found.seconds
        finished(trials[0].task, found)
        for trial in trials:
            _tell(search, trial, found.figures, sweep)


def _ask(
    search: Searcher,
    store: Store,
    engine: Engine,
    fingerprint: Mapping[str, Any],
    waiting: dict[str, list[Trial]],
    sweep: Sweep,
) -> None:
    """Give the engine all that may be evaluated now."""
    while asked := list(iter(search.ask, None)):
        keys = [trial.task.key(fingerprint) for trial in asked]
        known = store.figures(keys)
        for key, trial in zip(keys, asked, strict=True):
            if key in known:
                sweep.known |= {key} - sweep.evaluated
                _tell(search, trial, known[key], sweep)
            elif key in waiting:
                waiting[key].append(trial)
            else:
                waiting[key] = [trial]
                engine.submit(key, trial.task)


def _tell(search: Searcher, trial: Trial, figures: Figures, sweep: Sweep) -> None:
    figures = {**figures, **sweep.beside.get(trial.task.point, {})}
    if trial.task.effort == FULL:
        sweep.figures[trial.task.point] = figures
    search.tell(trial, figures)
