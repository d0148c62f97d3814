"""Arithmetics that a chip could have, their energy and accuracy, as `bench/arithmetics.py` recorded them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lmul.cost.cells.noise import AREA, ENERGY, Ratio
from lmul.explore.search.pareto import front
from lmul.llm.arithmetics import recorded_arithmetics
from lmul.llm.suites import WITHOUT_HEAD
from lmul.report.plan import BASELINE
from lmul.report.units import recorded_noise

STANDARD = f"{BASELINE},e4m3"
"""Beginning of the arithmetics that others have to be as accurate as: what accelerators have."""

DOMINATES = 0.75
"""Of the energy of the standard: what a candidate may take to be a better design."""


@dataclass(frozen=True)
class Point:
    """An arithmetic in a unit of 16 lanes.

    Parameters
    ----------
    words : str
        As `lmul llm --arithmetic` takes it.
    energy, least, most : float
        Of a product, in fJ, and where another seed of synthesis, or other cycles, would put it.
    ratio, half_width : float
        Perplexity over that of full precision, and half of its 95 % interval.
    tokens : int
        That were read.
    commands : tuple of str
        What gives the energy, and the perplexity.
    area : float
        Of the unit, in um2.
    """

    words: str
    energy: float
    least: float
    most: float
    ratio: float
    half_width: float
    tokens: int
    commands: tuple[str, str]
    area: float

    @property
    def name(self) -> str:
        """Multiplier, format, scale and sum, without what all have in common."""
        common = {WITHOUT_HEAD, "lanes=16", "lanes=32", "lanes=64"}
        return " ".join(word.removeprefix("acc=") for word in self.words.split(",") if word not in common)

    @property
    def mul(self) -> str:
        """The multiplier."""
        return self.words.partition(",")[0]

    @property
    def standard(self) -> bool:
        """Whether it is what others are compared with, with one sum or another."""
        return self.words.split(",")[:2] == STANDARD.split(",") and "scale=" not in self.words


def recorded_points() -> list[Point]:
    """Give all arithmetics in the order of their record."""
    return [_point(row) for row in recorded_arithmetics()]


def _point(row: dict[str, Any]) -> Point:
    unit, model = row["unit"], row["model"]
    energy, cycle = unit[ENERGY], unit[ENERGY] * unit["design"]["lanes"]
    least, most = recorded_noise("unit").interval(ENERGY, energy, unit["energy_interval_95_fj"] / cycle)
    ratio = model["ratio"]
    return Point(
        words=row["arithmetic"],
        energy=energy,
        least=least,
        most=most,
        ratio=ratio["value"],
        half_width=ratio["half_width"],
        tokens=model["tokens"],
        commands=(unit["measured_by"], model["measured_by"]),
        area=unit[AREA],
    )


def on_front(points: Sequence[Point]) -> list[bool]:
    """Tell which points have less energy, or less perplexity, than every other one."""
    return front([[point.energy, point.ratio] for point in points])


def scale_ratios(points: Sequence[Point]) -> dict[Point, Ratio]:
    """Give the area with block scales over that of the same unit without, where both are among the points."""
    plain = {frozenset(point.words.split(",")): point for point in points}
    found = {}
    for point in points:
        words = point.words.split(",")
        without = plain.get(frozenset(word for word in words if not word.startswith("scale=")))
        if without not in (None, point):
            found[point] = recorded_noise("unit").ratio(AREA, point.area, without.area)
    return found


@dataclass(frozen=True)
class Choice:
    """What to build at the accuracy of the standard.

    Parameters
    ----------
    level : float
        Perplexity over full precision's, at most: the end of the interval of `exact,e4m3` with exact sums.
    standard : Point
        The conventional design of least energy among those that are accurate.
    best : Point
        The least energy of all that are as accurate.
    ties : sequence of Point
        Others that are, and of whose energy no difference to it is shown.
    nearest : sequence of Point
        Of those that take as little as what dominates the standard, and are less accurate, the best three.
    """

    level: float
    standard: Point
    best: Point
    ties: Sequence[Point]
    nearest: Sequence[Point]

    @property
    def share(self) -> float:
        """Energy of the best over that of the standard."""
        return self.best.energy / self.standard.energy

    @property
    def dominates(self) -> bool:
        """Whether the best is a better design than the standard by the measure of this project."""
        return self.share <= DOMINATES


def choose(points: Sequence[Point]) -> Choice | None:
    """Choose by one rule: at equal accuracy, within the intervals, the least energy.

    Parameters
    ----------
    points : sequence of Point

    Returns
    -------
    Choice or None
        None where no conventional design with exact sums is among them.
    """
    # Not the least of several intervals, which would be luck.
    reference = next((point for point in points if point.standard and "acc=" not in point.words), None)
    if reference is None:
        return None
    level = reference.ratio + reference.half_width
    accurate = [point for point in points if point.ratio <= level]
    standard = _least([point for point in accurate if point.standard])
    best, noise = _least(accurate), recorded_noise("unit")
    ties = [
        point
        for point in accurate
        if point is not best and not noise.ratio(ENERGY, point.energy, best.energy).differs
    ]
    most = DOMINATES * standard.energy
    others = [point for point in points if point.ratio > level and point.energy <= most]
    return Choice(level, standard, best, ties, sorted(others, key=lambda point: point.ratio)[:3])


def _least(points: Sequence[Point]) -> Point:
    return min(points, key=lambda point: point.energy)
