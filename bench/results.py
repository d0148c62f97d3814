"""Figures beside their goals, for people and as JSON."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from calibration import relative_speed
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from lmul.host.files import write_json
from lmul.terminal.console import console, say

BILLIONS = "10^9 products/s"

OF_MACHINE = ("s", "cycles/s", BILLIONS)
"""Units of figures that a slow machine makes worse."""

ALIKE = 0.95
"""Share of the reference machine's speed from which on a machine is no reason."""

SLOW = "This machine runs the calibration loop at {:.2f} of the reference's speed."


@dataclass(frozen=True)
class Result:
    """A figure beside its goal.

    Parameters
    ----------
    what, unit : str
    figure : float or None
        None where it could not be measured here; the reason says why.
    goal : float or None
        None where there is none.
    at_most : bool
        Whether the figure must not exceed the goal, or not fall below it.
    reason : str
        Why the goal is missed where it is: sentences, or nothing where that is not known.
    """

    what: str
    unit: str
    figure: float | None
    goal: float | None
    at_most: bool
    reason: str = ""

    @property
    def reached(self) -> bool:
        """Whether the goal is."""
        if self.goal is None or self.figure is None:
            return True
        return self.figure <= self.goal if self.at_most else self.figure >= self.goal

    @property
    def told(self) -> str:
        """The figure, in words."""
        return "not measured" if self.figure is None else f"{self.figure:.3g}"

    @property
    def aim(self) -> str:
        """The goal, in words."""
        return "" if self.goal is None else f"{'<=' if self.at_most else '>='} {self.goal:g}"


def explain(results: Sequence[Result], speed: Callable[[], float]) -> list[str]:
    """Say of each missed goal by how much, and why; of what is not measured, why that.

    Parameters
    ----------
    results : sequence of Result
    speed : callable
        Gives this machine's speed as a share of the reference machine's.
    """
    return list(_explanations(results, cache(speed)))


def _explanations(results: Sequence[Result], speed: Callable[[], float]) -> Iterator[str]:
    for result in results:
        if result.figure is None:
            yield f"{result.what}: not measured: {result.reason}"
        if result.goal is None or result.figure is None or result.reached:
            continue
        percent = abs(result.figure / result.goal - 1) * 100
        side = "above" if result.at_most else "below"
        reasons = [result.reason] if result.reason else []
        if result.unit in OF_MACHINE and speed() < ALIKE:
            reasons.append(SLOW.format(speed()))
        reason = " ".join(reasons) or "No reason is known."
        figure = f"{result.figure:.3g} {result.unit}, goal {result.aim}"
        yield f"{result.what}: {figure}, {percent:.1f} % {side} the goal: {reason}"


def show(description: str | None, measure: Callable[[], list[Result]]) -> None:
    """Measure, print the figures beside their goals, and write them where the command line says."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    results = measure()
    print_results(results)
    if options.json:
        write_json(options.json, [asdict(result) for result in results])


def print_results(results: Sequence[Result]) -> None:
    """Print figures beside their goals, and why some are missed."""
    table = Table(
        "", Column("figure", justify="right"), "unit", Column("goal", justify="right"), "", box=SIMPLE_HEAD
    )
    for result in results:
        verdict = "" if result.reached else "missed"
        table.add_row(result.what, result.told, result.unit, result.aim, verdict)
    console().print(table)
    for line in explain(results, relative_speed):
        say(line)
