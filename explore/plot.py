"""The points of a sweep as a picture."""

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from lmul.explore.report import ExploreReport
from lmul.explore.space import Point
from lmul.metrics import Metric
from lmul.terminal.pictures import COLOURS, write_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OTHER_COLOURS = ("C4", "C5", "C6", "C7", "C8")
"""Of the points of multipliers that are not this package's, in turn."""


def plot_front(report: ExploreReport, path: Path) -> None:
    """Draw all points and mark the Pareto front, the first objective against each other one.

    Parameters
    ----------
    report : ExploreReport
    path : Path
        As `lmul.terminal.pictures.write_picture` takes it.

    Raises
    ------
    UserError
        The suffix is another one, or the file cannot be written.
    """
    write_picture(path, lambda: draw_front(report))


def draw_front(report: ExploreReport) -> "Figure":
    """Draw one panel for every objective but the first, or one of the first alone."""
    from matplotlib.figure import Figure

    first, *others = report.objectives
    others = others or [first]
    figure = Figure(figsize=(4.6 * len(others) + 0.6, 4.4), dpi=160, layout="constrained")
    axes = figure.subplots(1, len(others), squeeze=False)[0]
    for axis, other in zip(axes, others, strict=True):
        _draw_panel(axis, report, other, first)
    axes[-1].legend(loc="best")
    figure.suptitle(
        f"{len(report.best)} of {len(report.points)} designs are on the Pareto front (filled)", fontsize=12
    )
    return figure


def _draw_panel(axis: "Axes", report: ExploreReport, x: Metric, y: Metric) -> None:
    """Draw points as rings, those of the front as dots."""
    for mul, colour in _colours(report).items():
        points = [point for point in report.points if point.design.mul == mul]
        faces = [colour if report.on_front[point] else "none" for point in points]
        across, up = ([report.figures[point][metric.name] for point in points] for metric in (x, y))
        if points:
            axis.scatter(across, up, s=30, c=faces, edgecolors=colour, linewidths=1.1)
            axis.scatter([], [], s=30, c=colour, label=mul)
            right, above = (_half_widths(report, points, metric) for metric in (x, y))
            axis.errorbar(across, up, above, right, fmt="none", ecolor=colour, elinewidth=0.8)
    axis.set_xlabel(_label(x))
    axis.set_ylabel(_label(y))
    axis.grid(alpha=0.3)


def _half_widths(report: ExploreReport, points: list[Point], metric: Metric) -> list[float]:
    """Give how far intervals reach; a figure without one has none to draw."""
    return [report.half_width(point, metric) or 0.0 for point in points]


def _colours(report: ExploreReport) -> dict[str, str]:
    """Give the colour of each multiplier, those of plug-ins after the others."""
    others = sorted({point.design.mul for point in report.points} - COLOURS.keys())
    return COLOURS | dict(zip(others, cycle(OTHER_COLOURS), strict=False))


def _label(metric: Metric) -> str:
    return f"{metric.label}, {metric.unit}"
