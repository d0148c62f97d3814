"""What is evaluated next: all points, or some that are drawn."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lmul.explore.evaluate import Task
from lmul.explore.space import Point, Space

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Trial:
    """A task, and its number in the search that asked for it."""

    number: int
    task: Task


class Searcher(Protocol):
    """Chooses points; what it chooses depends on figures alone, not on when they are told."""

    def ask(self) -> Trial | None:
        """Give the next trial, None while results have to come first or where there is no more."""

    def tell(self, trial: Trial, figures: Figures) -> None:
        """Take the figures of a trial."""

    @property
    def remaining(self) -> int:
        """Trials that are still to be told, as far as is known."""


class ListSearch:
    """Points that are known from the start.

    Parameters
    ----------
    points : list of Point
    """

    def __init__(self, points: list[Point]) -> None:
        self._points = points
        self._asked = self._told = 0

    def ask(self) -> Trial | None:
        """Give the next point, None after the last one."""
        if self._asked == len(self._points):
            return None
        self._asked += 1
        return Trial(self._asked - 1, Task(self._points[self._asked - 1]))

    def tell(self, trial: Trial, figures: Figures) -> None:
        """Count a result."""
        self._told += 1

    @property
    def remaining(self) -> int:
        """Points without a result."""
        return len(self._points) - self._told


def make_search(space: Space) -> Searcher:
    """Make the search that a space asks for.

    Raises
    ------
    UserError
        It needs Optuna, which is not installed.
    """
    points, search = space.distinct, space.search
    if search.method == "optuna":
        from lmul.explore.guided import GuidedSearch

        return GuidedSearch(space)
    if search.method == "random" and search.trials < len(points):
        chosen = random.Random(search.seed).sample(range(len(points)), search.trials)  # noqa: S311
        points = [points[number] for number in sorted(chosen)]
    return ListSearch(points)
