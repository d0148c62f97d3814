"""The result of a sweep: its points, which are on the Pareto front, and the commands for their Verilog."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lmul.cost.cells.measure import Conditions
from lmul.cost.library.cells import Library
from lmul.design import command_line
from lmul.explore.perplexity import Perplexity
from lmul.explore.search.pareto import front
from lmul.explore.search.trial import Figures
from lmul.explore.space import NO_CLOCK, Point, Space
from lmul.metrics import EVALUATED, PERPLEXITY, Metric

REPORT = "explore"
"""What the JSON file says that it is."""


@dataclass(frozen=True)
class ExploreReport:
    """All that is known after a sweep, none of it about when or where it was found.

    Parameters
    ----------
    space : Space
    figures : mapping of Point to mapping
        Of every point that was evaluated.
    library : Library
    conditions : Conditions
    operands : str
        Name of what energy and error are of.
    perplexities : mapping of Point to Perplexity, optional
        Where the sweep is for it: of every point.
    """

    space: Space
    figures: Mapping[Point, Figures]
    library: Library
    conditions: Conditions
    operands: str
    perplexities: Mapping[Point, Perplexity] = field(default_factory=dict)

    @cached_property
    def points(self) -> list[Point]:
        """Evaluated points, in the order of the space."""
        return [point for point in self.space.distinct if point in self.figures]

    @cached_property
    def on_front(self) -> dict[Point, bool]:
        """Whether no other point beats one in every objective."""
        costs = [self.costs(point) for point in self.points]
        return dict(zip(self.points, front(costs), strict=True))

    @cached_property
    def best(self) -> list[Point]:
        """The Pareto front, ordered by the first objective."""
        return sorted((point for point in self.points if self.on_front[point]), key=self.costs)

    @property
    def objectives(self) -> Sequence[Metric]:
        """What the sweep was for."""
        return list(self.space.objectives.values())

    def costs(self, point: Point) -> list[float]:
        """Give the objectives of a point, less being better."""
        return [metric.cost(self.figures[point][metric.name]) for metric in self.objectives]

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as plain values."""
        return {
            "report": REPORT,
            "estimate": "placed cells" if self.space.layout else "cells",
            "library": self.library.name,
            "voltage_v": self.library.voltage,
            "operands": self.operands,
            "seeds": self.conditions.seeds,
            "precision_percent": 100 * self.conditions.precision,
            "wires": self.conditions.wires or None,
            "method": self.space.search.method,
            "objectives": [
                {"metric": metric.name, "unit": metric.unit, "direction": metric.direction}
                for metric in self.objectives
            ],
            "points": [self._point(point) for point in self.points],
        }

    def _point(self, point: Point) -> dict[str, Any]:
        figures = self.figures[point]
        return {
            "design": point.design.parameters(),
            "clock_ns": point.clock_ns,
            **{metric.name: _finite(figures[metric.name]) for metric in EVALUATED.values()},
            **self._perplexity(point),
            "pareto": self.on_front[point],
            "verilog": command_line("verilog", point.design),
        }

    def half_width(self, point: Point, metric: Metric) -> float | None:
        """Give half of the 95 % interval of a figure, None where it is not told."""
        known = metric.name == PERPLEXITY
        return self.perplexities[point].ratio.half_width if known else None

    def _perplexity(self, point: Point) -> dict[str, Any]:
        found = self.perplexities.get(point)
        return {PERPLEXITY: found.ratio.value, "perplexity": found.as_plain()} if found else {}


def varied(space: Space, point: Point) -> dict[str, str]:
    """Give what distinguishes a point from others of its space, by the name of the option."""
    design = point.design
    values: dict[str, Any] = design.parameters()
    values |= {"design": design.kind, "format": design.format_names, "clock": _clock(point)}
    return {name: str(values.get(name, "")) for name, choices in space.axes.items() if len(choices) > 1}


def _finite(value: float) -> float | None:
    """Give a figure as JSON can hold it."""
    return value if math.isfinite(value) else None


def _clock(point: Point) -> str:
    return NO_CLOCK if point.clock_ns is None else f"{point.clock_ns:g}"
