"""Figures beside their goals, for people and as JSON."""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from lmul.console import console
from lmul.files import write_json


@dataclass(frozen=True)
class Result:
    """A figure beside its goal.

    Parameters
    ----------
    what, unit : str
    figure : float
    goal : float or None
        None where there is none.
    at_most : bool
        Whether the figure must not exceed the goal, or not fall below it.
    """

    what: str
    unit: str
    figure: float
    goal: float | None
    at_most: bool

    @property
    def reached(self) -> bool:
        """Whether the goal is."""
        if self.goal is None:
            return True
        return self.figure <= self.goal if self.at_most else self.figure >= self.goal


def show(description: str | None, measure: Callable[[], list[Result]]) -> None:
    """Measure, print the figures beside their goals, and write them where the command line says."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    results = measure()
    table = Table(
        "", Column("figure", justify="right"), "unit", Column("goal", justify="right"), "", box=SIMPLE_HEAD
    )
    for result in results:
        goal = "" if result.goal is None else f"{'<=' if result.at_most else '>='} {result.goal:g}"
        verdict = "" if result.reached else "missed"
        table.add_row(result.what, f"{result.figure:.3g}", result.unit, goal, verdict)
    console().print(table)
    if options.json:
        write_json(options.json, [asdict(result) for result in results])
