"""What is evaluated next: all points, or random ones."""

import random

from lmul.explore.evaluate import Task
from lmul.explore.search.trial import Figures, Searcher, Trial
from lmul.explore.space import Point, Space


class ListSearch:
    """Points that are known from the start.

    Parameters
    ----------
    points : list of Point
    """

    def __init__(self, points: list[Point]) -> None:
        self.points = points
        self._asked = self._told = 0

    def ask(self) -> Trial | None:
        """Give the next point, None after the last one."""
        if self._asked == len(self.points):
            return None
        self._asked += 1
        return Trial(self._asked - 1, Task(self.points[self._asked - 1]))

    def tell(self, trial: Trial, figures: Figures) -> None:
        """Count a result."""
        self._told += 1

    @property
    def remaining(self) -> int:
        """Points without a result."""
        return len(self.points) - self._told


def make_search(space: Space) -> Searcher:
    """Make the search that a space asks for.

    Raises
    ------
    UserError
        It needs Optuna, which is not installed.
    """
    points, search = space.distinct, space.search
    if search.method == "optuna":
        from lmul.explore.search.guided import GuidedSearch

        return GuidedSearch(space)
    if search.method == "random" and search.trials < len(points):
        chosen = random.Random(search.seed).sample(range(len(points)), search.trials)  # noqa: S311
        points = [points[number] for number in sorted(chosen)]
    return ListSearch(points)
