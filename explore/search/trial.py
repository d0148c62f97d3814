"""What a search asks for, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lmul.explore.evaluate import Task
from lmul.explore.space import Point

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
    def points(self) -> list[Point]:
        """Points that it may ask for."""

    @property
    def remaining(self) -> int:
        """Trials that are still to be told, as far as is known."""
