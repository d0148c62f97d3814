"""The section that says which arithmetic to build, of all that were measured."""

from collections.abc import Sequence
from typing import Any

from lmul.cost.cells.noise import ENERGY
from lmul.cost.cells.table import ratio_text
from lmul.metrics import METRICS
from lmul.report.arithmetics import (
    DOMINATES,
    Choice,
    Point,
    choose,
    on_front,
    recorded_points,
    scale_ratios,
)
from lmul.report.sections.charts import BEATEN, ERROR_HEIGHT, Chart, colour_of, labels_layer, points_layer
from lmul.report.sections.labels import PADDING, place
from lmul.report.sections.labels import Point as Place
from lmul.report.sections.recommendation import joined, rise
from lmul.report.sections.tables import Table, percent
from lmul.terminal.pictures import COLOURS

MOST_RATIO = 1.2
"""Perplexity over full precision's up to which points are drawn: beyond nobody would build one."""

ACROSS = "energy"


def arithmetics_sentences() -> list[str]:
    """Say what to build at the accuracy of conventional fp8, and what is nearest to it."""
    points = recorded_points()
    found = choose(points)
    told = [] if found is None else [*_best(found), _nearest(found)]
    return [*told, *_scales(points)]


def _best(found: Choice) -> list[str]:
    best, standard = found.best, found.standard
    text = (
        f"As accurate as conventional fp8 (perplexity at most {rise(found.level)} above full precision), the "
        f"least energy of a product has {_told(best)}"
    )
    if best is standard:
        text += ": no other arithmetic that was measured is as accurate and takes less."
    else:
        saved = percent(1 - found.share)
        text += f", {saved} less than the best conventional one, {_told(standard)}."
    if found.ties:
        text += f" No difference in energy is shown to {joined([point.name for point in found.ties])}."
    return [text]


def _nearest(found: Choice) -> str:
    goal = (
        f"A design that dominates would take at most {percent(DOMINATES)} of that energy at that accuracy: "
    )
    if found.dominates:
        return f"{goal}{found.best.name} does."
    energy = found.standard.energy
    lack = [
        f"{point.name} ({percent(point.energy / energy)}, perplexity {rise(point.ratio)} above)"
        for point in found.nearest
    ]
    if not lack:
        return f"{goal}none does, or takes so little."
    return f"{goal}none does. The best of those that take so little: {joined(lack)}."


def _scales(points: Sequence[Point]) -> list[str]:
    """Say what block scales take."""
    ratios = [f"{point.name} {ratio_text(ratio).strip()}" for point, ratio in scale_ratios(points).items()]
    return [f"Area with block scales over that of the same unit without: {joined(ratios)}."] if ratios else []


def _told(point: Point) -> str:
    return f"{point.name} ({point.energy:,.0f} fJ)"


def arithmetics_table() -> Table:
    """Lay out all arithmetics, the least energy first, with the commands that measured them."""
    points = recorded_points()
    numbers = front_numbers(points)
    rows = [
        (
            numbers.get(point),
            point.name,
            point.energy,
            (point.most - point.least) / 2,
            point.ratio,
            point.half_width,
            point.area,
            *point.commands,
        )
        for point in sorted(points, key=lambda point: point.energy)
    ]
    headings = (
        "on the front",
        "arithmetic",
        "energy of a product, fJ",
        "+-",
        "perplexity over full precision",
        "+-",
        "area of the unit, um2",
        "energy by",
        "perplexity by",
    )
    tokens = " and ".join(sorted({f"{point.tokens:,}" for point in points}))
    note = (
        "Units of 16 lanes at 1.5 ns in Nangate 45 nm; every product of SmolLM2-135M but the output layer's, "
        f"{tokens} tokens. +-: half of the 95 % interval. On the front, with their numbers in "
        "the chart: none takes less and is more accurate."
    )
    return Table("arithmetics", "All arithmetics", headings, rows, note)


def front_numbers(points: Sequence[Point]) -> dict[Point, int]:
    """Give the points on the front numbers, the least energy first."""
    best = [point for point, on in zip(points, on_front(points), strict=True) if on]
    return {point: number for number, point in enumerate(sorted(best, key=lambda one: one.energy), start=1)}


def arithmetics_chart() -> Chart:
    """Draw perplexity against energy, those on the front filled and numbered."""
    points = recorded_points()
    drawn = [point for point in points if point.ratio <= MOST_RATIO]
    numbers = front_numbers(points)
    rows = [
        {
            "arithmetic": point.name,
            "multiplier": point.mul,
            ACROSS: point.energy,
            "least": point.least,
            "most": point.most,
            "ratio": point.ratio,
            "low": point.ratio - point.half_width,
            "high": point.ratio + point.half_width,
            "front": str(numbers.get(point, BEATEN)),
        }
        for point in drawn
    ]
    if rows:
        _label(rows)
    named = ", ".join(f"{number} {point.name}" for point, number in numbers.items() if point in drawn)
    left = len(points) - len(drawn)
    beyond = f" {left} with a perplexity above {MOST_RATIO:g} times are in the table alone." if left else ""
    return Chart(
        "arithmetics",
        "Which arithmetic: perplexity against energy",
        f"Left and low is better. Lines: 95 % intervals. Filled: no other has less of both: {named}.{beyond}",
        _view(),
        rows,
        "",
        ERROR_HEIGHT,
    )


def _label(rows: list[dict[str, Any]]) -> None:
    """Place the numbers of the points on the front."""

    def share(name: str, low: str, high: str) -> dict[float, float]:
        least, most = min(row[low] for row in rows), max(row[high] for row in rows)
        values = [row[key] for row in rows for key in (name, low, high)]
        return {value: (value - least) / (most - least) for value in values}

    across, down = share(ACROSS, "least", "most"), share("ratio", "low", "high")
    series = {
        row["arithmetic"] if row["front"] == BEATEN else row["front"]: [
            Place(across[row[ACROSS]], 1 - down[row["ratio"]], across[row["least"]], across[row["most"]])
        ]
        for row in rows
    }
    numbers = {row["front"]: row for row in rows if row["front"] != BEATEN}
    for number, label in place(series, ERROR_HEIGHT, numbers).items():
        numbers[number] |= {"label": number, "dx": label.dx, "dy": label.dy, "align": label.align}


def _view() -> dict[str, Any]:
    energy = METRICS[ENERGY]
    scale = {"zero": False, "nice": False, "padding": PADDING}
    common = {"type": "quantitative", "scale": scale, "axis": {"labelBound": True, "tickCount": 5}}
    x = common | {"title": f"{energy.label}, {energy.unit}"}
    y = common | {"title": "perplexity / full precision"}
    numbers = (ACROSS, "least", "most", "ratio", "low", "high")
    tooltip = [{"field": "arithmetic"}, *({"field": name, "format": ",.4~g"} for name in numbers)]
    rule = {"type": "rule", "strokeWidth": 1, "opacity": 0.5}
    stroke = {"stroke": colour_of("multiplier", COLOURS)}
    across = {"x": x | {"field": "least"}, "x2": {"field": "most"}}
    down = {"y": y | {"field": "low"}, "y2": {"field": "high"}}
    intervals = [{"mark": rule, "encoding": stroke | ends} for ends in (across, down)]
    middle = {"x": x | {"field": ACROSS}, "y": y | {"field": "ratio"}}
    return {"layer": [*intervals, points_layer(tooltip), labels_layer()], "encoding": middle}
