"""Labels of a chart, so placed that none lies on another one or on a point."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FONT_SIZE = 12
"""Of labels, in pixels."""

PADDING = 18
"""From the outmost points to the edges, in pixels."""

WIDTHS = (230, 270, 310, 360, 460, 600, 780, 960, 1130)
"""Of the drawing, in pixels, from a figure's panel to a page: a label's place is the same in all."""

CHARACTER, LINE = 8, 14
"""Width and height of a character in the widest font that a browser may take, in pixels."""

MARKER = 14
"""Of a point, with air, in pixels."""

STEPS = 24
"""Of a line between two points that are looked at."""

Boxes = NDArray[np.float64]
"""Shape (widths, boxes, 4): left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Point:
    """A point of a chart.

    Parameters
    ----------
    x, y : float
        From the left and from the top, as shares of the drawing.
    low, high : float
        Where its interval begins and ends, as x.
    """

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Label:
    """The place of a label.

    Parameters
    ----------
    point : int
        The point of its series that it is beside.
    dx, dy : int
        From that point to the label's edge and middle, in pixels.
    align : str
        `left`, `right` or `center`: which edge of the label this is.
    """

    point: int
    dx: int
    dy: int
    align: str

    def box(self, points: Sequence[Point], text: str, height: int) -> Boxes:
        """Give what it covers at all widths, shape (widths, 1, 4)."""
        wide = CHARACTER * len(text)
        left = {"left": 0, "center": -wide / 2, "right": -wide}[self.align] + self.dx
        anchor = _pixels([points[self.point].x], [points[self.point].y], height)
        corner = anchor + np.array([left, self.dy - LINE / 2])
        return np.concatenate([corner, corner + np.array([wide, LINE])], axis=2)


def place(
    series: Mapping[str, Sequence[Point]], height: int, named: Collection[str] | None = None
) -> dict[str, Label]:
    """Place the name of every series, or of some, beside one of its points.

    Parameters
    ----------
    series : mapping of str to sequence of Point
    height : int
        Of the drawing, in pixels.
    named : collection of str, optional
        Series that have a label; default: all.

    Returns
    -------
    dict of str to Label
        Of each name the first place of least overlap: points and names weigh most, lines less.
    """
    points = [point for own in series.values() for point in own]
    hard, soft = [_markers(points, height)], [_intervals(points, height), _joints(series, height)]
    found = {}
    for name in series if named is None else [name for name in series if name in named]:
        own = series[name]
        boxes = {label: label.box(own, name, height) for label in _candidates(own)}
        costs = {label: _cost(box, hard, soft, height) for label, box in boxes.items()}
        found[name] = min(costs, key=costs.__getitem__)
        hard.append(boxes[found[name]])
    return found


def _candidates(points: Sequence[Point]) -> Iterator[Label]:
    """Give all places, those that are read best first."""
    last_first = sorted(range(len(points)), key=lambda index: -points[index].x)
    for far in (0, 8, 18, 30):
        for index in last_first:
            yield Label(index, 10 + far, 0, "left")
            yield Label(index, 0, -16 - far, "center")
            yield Label(index, 0, 16 + far, "center")
            yield Label(index, -10 - far, 0, "right")
            for dy in (-12 - far, 12 + far):
                yield Label(index, 8, dy, "left")
                yield Label(index, -8, dy, "right")


def _cost(box: Boxes, hard: Sequence[Boxes], soft: Sequence[Boxes], height: int) -> float:
    """Weigh what a label at this place covers, and what of it is cut off."""
    right, bottom = np.array(WIDTHS), height
    inside = (box[:, 0, 0] >= 0) & (box[:, 0, 1] >= 0) & (box[:, 0, 2] <= right) & (box[:, 0, 3] <= bottom)
    on_marks, on_lines = (sum(int(_overlap(box, other).sum()) for other in group) for group in (hard, soft))
    return 1000.0 * (int((~inside).sum()) + on_marks) + on_lines


def _overlap(box: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Tell which boxes share an area with one, shape (widths, boxes)."""
    begins = np.maximum(box[..., :2], others[..., :2])
    ends = np.minimum(box[..., 2:], others[..., 2:])
    found: NDArray[np.bool_] = np.all(begins < ends, axis=-1)
    return found


def _pixels(x: Sequence[float], y: Sequence[float], height: int) -> Boxes:
    """Give places in pixels at all widths, shape (widths, points, 2)."""
    across = PADDING + np.outer(np.array(WIDTHS) - 2 * PADDING, x)
    down = PADDING + (height - 2 * PADDING) * np.asarray(y)
    return np.stack([across, np.broadcast_to(down, across.shape)], axis=2)


def _markers(points: Sequence[Point], height: int) -> Boxes:
    middle = _pixels([point.x for point in points], [point.y for point in points], height)
    return np.concatenate([middle - MARKER / 2, middle + MARKER / 2], axis=2)


def _intervals(points: Sequence[Point], height: int) -> Boxes:
    y = [point.y for point in points]
    low, high = (_pixels([getattr(point, end) for point in points], y, height) for end in ("low", "high"))
    return np.concatenate([low - 1, high + 1], axis=2)


def _joints(series: Mapping[str, Sequence[Point]], height: int) -> Boxes:
    """Give the lines that join the points of a series, in small pieces."""
    found = [np.empty((len(WIDTHS), 0, 2))]
    for own in series.values():
        ordered = sorted(own, key=lambda point: point.x)
        pixels = _pixels([point.x for point in ordered], [point.y for point in ordered], height)
        steps = np.linspace(0, 1, STEPS)[:, None, None, None]
        pieces = pixels[:, :-1] + steps * np.diff(pixels, axis=1)
        found.append(np.concatenate(list(pieces), axis=1))
    middle = np.concatenate(found, axis=1)
    return np.concatenate([middle - 1, middle + 1], axis=2)
