"""Points that Optuna chooses: it learns several objectives at once, and leaves out what looks beaten."""

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmul.explore.evaluate import FULL, LOOK, Task
from lmul.explore.search.pareto import dominates
from lmul.explore.search.trial import Figures, Trial
from lmul.explore.space import Point, Space
from lmul.programs.extras import missing

PROMISED = {"energy_per_product_fj": 0.65, "area_um2": 0.65, "critical_delay_ps": 0.5}
"""What all scripts may reach, as a share of what the look's only script did."""

MOST_ASKED = 20
"""Suggestions for every trial, those that are no design or known ones included."""


@dataclass
class _Asked:
    """A suggestion of Optuna's that has not been answered.

    Parameters
    ----------
    suggestion : optuna.trial.Trial
    point : Point or None
        None if the combination is no design.
    known : list of list of float
        Costs of the points that counted when it was suggested.
    figures : mapping or None
        As soon as they are there.
    pruned : bool
        Those figures are of a look.
    """

    suggestion: Any
    point: Point | None
    known: list[list[float]]
    figures: Figures | None = None
    pruned: bool = False


class GuidedSearch:
    """A search by Optuna's tree-structured Parzen estimator.

    Optuna hears of a result when it has made `ahead` suggestions more, in their order. So what it suggests
    depends on its seed and on figures, not on who finished first. Every point gets a look with one script
    first; it is left out if a point that counted when it was suggested beats even what all scripts may reach.

    Parameters
    ----------
    space : Space

    Raises
    ------
    UserError
        Optuna is not installed.
    """

    def __init__(self, space: Space) -> None:
        try:
            import optuna
        except ModuleNotFoundError:
            raise missing("optuna", "explore") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._space = space
        self._metrics = list(space.objectives.values())
        self._trials = min(space.search.trials, len(space.distinct))
        sampler = optuna.samplers.TPESampler(seed=space.search.seed)
        self._study = optuna.create_study(directions=["minimize"] * len(self._metrics), sampler=sampler)
        self._open: deque[_Asked] = deque()
        self._by_number: dict[int, _Asked] = {}
        self._next: deque[Trial] = deque()
        self._numbers = itertools.count()
        self._seen: set[Point] = set()
        self._known: list[list[float]] = []
        self._answered: set[Point] = set()

    @property
    def points(self) -> list[Point]:
        """All of the space."""
        return self._space.distinct

    @property
    def remaining(self) -> int:
        """Points without an answer."""
        return self._trials - len(self._answered)

    def ask(self) -> Trial | None:
        """Give the next task: a look, or the full evaluation of a point that looked promising."""
        while not self._next:
            done = len(self._seen) == self._trials or len(self._study.trials) >= MOST_ASKED * self._trials
            if done or not self._make_room():
                return None
            self._suggest()
        return self._next.popleft()

    def tell(self, trial: Trial, figures: Figures) -> None:
        """Take figures of a task."""
        asked = self._by_number[trial.number]
        if trial.task.effort == LOOK and not self._beaten(asked, hope(figures, trial.task.point)):
            self._queue(asked, trial.task.point, FULL)
            return
        asked.figures, asked.pruned = figures, trial.task.effort == LOOK
        self._answered.add(trial.task.point)

    def _suggest(self) -> None:
        suggestion = self._study.ask()
        values = tuple(_choose(suggestion, *axis) for axis in self._space.axes.items())
        asked = _Asked(suggestion, self._space.points.get(values), list(self._known))
        self._open.append(asked)
        if asked.point is not None:
            self._seen.add(asked.point)
            self._queue(asked, asked.point, LOOK)

    def _queue(self, asked: _Asked, point: Point, effort: str) -> None:
        number = next(self._numbers)
        self._by_number[number] = asked
        self._next.append(Trial(number, Task(point, effort)))

    def _make_room(self) -> bool:
        """Tell Optuna the oldest answer before it suggests another point, and no other answer."""
        if len(self._open) < self._space.search.ahead:
            return True
        states, asked = self._optuna.trial.TrialState, self._open[0]
        if asked.point is None:
            self._study.tell(asked.suggestion, state=states.FAIL)
        elif asked.figures is None:
            return False
        else:
            costs = self._costs(asked.figures)
            if asked.pruned or not np.all(np.isfinite(costs)):
                self._study.tell(asked.suggestion, state=states.PRUNED)
            else:
                self._known.append(costs)
                self._study.tell(asked.suggestion, costs)
        self._open.popleft()
        return True

    def _costs(self, figures: Figures) -> list[float]:
        return [metric.cost(figures[metric.name]) for metric in self._metrics]

    def _beaten(self, asked: _Asked, hoped: Figures) -> bool:
        """Tell whether a point that counted is better than all that is hoped for."""
        return bool(asked.known) and bool(np.any(dominates(asked.known, self._costs(hoped))))


def _choose(suggestion: Any, name: str, values: tuple[Any, ...]) -> Any:
    """Let Optuna choose a value: numbers have an order, names have none."""
    places = range(len(values))
    if any(isinstance(value, str) for value in values):
        return values[suggestion.suggest_categorical(name, places)]
    return sorted(values)[suggestion.suggest_int(name, 0, places[-1])]


def hope(figures: Figures, point: Point) -> dict[str, float]:
    """Give the best figures that all scripts may reach where one has reached these.

    Parameters
    ----------
    figures : mapping of str to float
    point : Point
        For a clock, scripts make any delay as short as its period.
    """
    hoped = {name: PROMISED.get(name, 1.0) * value for name, value in figures.items()}
    period_ps = 0.0 if point.clock_ns is None else 1e3 * point.clock_ns
    if period_ps:
        hoped["critical_delay_ps"] = min(hoped["critical_delay_ps"], period_ps)
    cycle_ps = max(period_ps, hoped["critical_delay_ps"])
    return hoped | {"products_per_ns": 1e3 * point.design.products_per_cycle / cycle_ps}
