"""Charts of a report as Vega-Lite: one for the page, with a choice of the format, and one for a paper."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmul.cost.cells.noise import ENERGY, Ratio
from lmul.cost.power.energy import Energy
from lmul.explore.search.pareto import front
from lmul.llm.suites import FULL_PRECISION_IS, WITHOUT_HEAD
from lmul.metrics import METRICS
from lmul.report.contents import Contents, format_names
from lmul.report.measure import Figures
from lmul.report.plan import ADDED, BASELINE, BEST_SUM, FP32_SUM, MULTIPLIERS, SUMS
from lmul.report.sections.labels import FONT_SIZE, PADDING, Point, place
from lmul.report.sections.tables import NBSP
from lmul.terminal.pictures import COLOURS

Spec = dict[str, Any]
Values = Sequence[Mapping[str, Any]]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

SHADES = ("#08306b", "#4292c6", "#fdae61", "#ffe9a8", "#9e2a5a", "#1b7837", "#c7b3e0")
"""Of the parts of a bar: neighbours are apart in lightness too, for print in grey."""

PARTS = {"net": "net switching", "internal": "inside cells", "clock": "clock", "leakage": "leakage"}

CONFIG = {
    "font": "system-ui, sans-serif",
    "axis": {"labelLimit": 220, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
    "axisX": {"labelFlush": False, "labelSeparation": 5},
    "legend": {"labelFontSize": 12},
    "header": {"labelFontSize": 13, "labelFontWeight": "normal"},
    "view": {"stroke": None},
}
"""Of every chart."""

SHORT = 16
"""Characters of labels, three of which fit beside each other on a phone."""

ERROR = "rms_error_percent"

PARETO = (ENERGY, ERROR)
"""What is drawn against each other, names of `lmul.metrics.METRICS`."""

ERROR_HEIGHT = 340
"""Of their drawing, in pixels."""

DOT_PRODUCT = "dot product"
"""The field that tells kinds of dot products apart."""

BEATEN = "beaten"

FILLED = "Filled: no design drawn here has less of both."

PLACES = {"attention": "attention", "all": "everywhere", WITHOUT_HEAD: "all but the head"}
"""Where an arithmetic is taken, by its scope."""

POINT = {"type": "point", "size": 80, "opacity": 1}

FIGURE_WIDTH = 230
"""Of a panel of a figure for a paper, in pixels."""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Parameters
    ----------
    name : str
        Of its files, without the suffix.
    title : str
    caption : str
        How to read it.
    view : dict
        Vega-Lite of one panel: layers or a mark, without data.
    values : sequence of mapping
        Its data.
    choice : str
        The field of the data that distinguishes panels; empty where there is one.
    height : int
        Of a panel, in pixels.
    """

    name: str
    title: str
    caption: str
    view: Spec
    values: Values
    choice: str
    height: int

    @property
    def panels(self) -> list[str]:
        """Values of the field that distinguishes panels."""
        return list(dict.fromkeys(row[self.choice] for row in self.values)) if self.choice else []

    def page_spec(self) -> Spec:
        """Give the chart as wide as its place, one panel, to be chosen."""
        spec = self._common() | self.view
        spec |= {
            "width": "container",
            "height": self.height,
            "autosize": {"type": "fit-x", "contains": "padding", "resize": True},
        }
        if not self.choice:
            return spec
        menu = {"input": "select", "options": self.panels, "name": f"{self.choice}: "}
        chosen = {"name": "chosen", "value": self.panels[0], "bind": menu}
        only = {"filter": f"datum['{self.choice}'] == chosen"}
        return spec | {"params": [chosen], "transform": [only]}

    def figure_spec(self) -> Spec:
        """Give all panels beside each other, for a paper."""
        panel = self.view | {"width": FIGURE_WIDTH, "height": self.height}
        if not self.choice:
            return self._common() | panel | {"width": 2 * FIGURE_WIDTH}
        header = {"title": None}
        return self._common() | {
            "facet": {"field": self.choice, "type": "nominal", "sort": self.panels, "header": header},
            "columns": 3,
            "spec": panel,
            "resolve": {"scale": {"x": "independent", "y": "independent"}},
        }

    def _common(self) -> Spec:
        return {
            "$schema": SCHEMA,
            "description": self.title,
            "data": {"values": list(self.values)},
            "config": CONFIG,
        }


def savings_chart(contents: Contents) -> Chart:
    """Draw what L-Mul saves, by format and what it is used in, beside the paper's claims."""
    kinds: dict[str, Callable[[str], Ratio | None]] = {
        "product": contents.product_ratio,
        f"dot product, {FP32_SUM.title}": lambda name: contents.dot_ratio(name, FP32_SUM),
        f"dot product, {BEST_SUM.title}": lambda name: contents.dot_ratio(name, BEST_SUM),
    }
    values = [
        {"format": name, "of": kind, "saved": 1 - ratio.value, "least": 1 - ratio.high, "most": 1 - ratio.low}
        for name in contents.formats
        for kind, found in kinds.items()
        if (ratio := found(name)) is not None
    ]
    colours = ["#0072B2", "#E69F00", "#009E73"]
    x = {"type": "quantitative", "axis": {"format": "%"}, "title": "energy saved"}
    shares = [{"field": name, "format": ".0%"} for name in ("saved", "least", "most")]
    encoding = {
        "y": {"field": "format", "type": "nominal", "sort": contents.formats, "title": None},
        "yOffset": {"field": "of", "type": "nominal", "sort": list(kinds)},
        "tooltip": [{"field": "format"}, {"field": "of"}, *shares],
    }
    colour = {"color": colour_of("of", dict(zip(kinds, colours, strict=True)))}
    bars = {"mark": "bar", "encoding": colour | {"x": x | {"field": "saved"}}}
    interval = {"mark": "rule", "encoding": {"x": x | {"field": "least"}, "x2": {"field": "most"}}}
    return Chart(
        "savings",
        "Energy that L-Mul saves beside the exact multiplier",
        "The paper claims 95 % of a product and 80 % of a dot product. Lines: where other seeds of synthesis "
        "put it, 19 times of 20.",
        {"encoding": encoding, "layer": [bars, interval]},
        values,
        "",
        240,
    )


def products_chart(contents: Contents) -> Chart:
    """Draw the energy of a product, part by part."""
    values = [row for figures in contents.products() for row in _parts(figures, _names(figures))]
    return Chart(
        "energy_products",
        "Energy of one product",
        "Black tick: without glitches. A multiplier without pipeline has no clock.",
        _stacked(list(PARTS.values())),
        values,
        "format",
        150,
    )


def dots_chart(contents: Contents) -> Chart:
    """Draw the energy of a product of a dot product, part by part."""
    values = []
    for sum_ in SUMS:
        for figures in contents.dots(sum_):
            names = _names(figures)
            labels = {DOT_PRODUCT: f"{names['format']}, {sum_.title}", **names}
            values += _parts(figures, labels)
    return Chart(
        "energy_dots",
        "Energy of one product of a dot product",
        "The whole element's energy, over its lanes. Black tick: without glitches.",
        _stacked(list(PARTS.values())),
        values,
        DOT_PRODUCT,
        150,
    )


def blocks_chart(contents: Contents) -> Chart:
    """Draw where the energy of a dot product goes."""
    designs = contents.dots(BEST_SUM)
    values = [
        {**_names(figures), "part": part, "order": order, "energy": energy}
        for figures in designs
        for order, (part, energy) in enumerate(figures["blocks"].items())
    ]
    return Chart(
        "energy_blocks",
        f"Where the energy of a dot product goes: {BEST_SUM.title}",
        "Blocks are mapped one by one to be told apart, and take more than mapped as a whole: see the table.",
        _stacked(list(designs[0]["blocks"]), ticks=False),
        values,
        "format",
        150,
    )


def area_chart(contents: Contents) -> Chart:
    """Draw area against delay."""
    values = [
        {**_names(figures), "area": figures["area_um2"], "delay": figures["critical_delay_ps"]}
        for figures in contents.products()
    ]
    return Chart(
        "area_delay",
        "Area and critical delay of multipliers",
        "Mapped for the least area x energy, no clock asked for: left and low is better.",
        _scatter(("area", "area, um2"), ("delay", "critical delay, ps"), ["format"]),
        values,
        "format",
        260,
    )


def product_errors_chart(contents: Contents) -> Chart:
    """Draw error against energy of multipliers, the Pareto front filled."""
    caption, exact = FILLED, contents.product(ADDED, BASELINE)
    if exact is not None:
        error = np.format_float_positional(exact[ERROR], precision=1, fractional=False, trim="-")
        caption += f" {ADDED} is in the table alone: the {error}{NBSP}% of exact would flatten the rest."
    values = _errors(contents, {}, contents.products())
    view = _error_view(values)
    return Chart(
        "error_products", "Multipliers: error against energy", caption, view, values, "", ERROR_HEIGHT
    )


def dot_errors_chart(contents: Contents) -> Chart:
    """Draw error against energy of dot products, the Pareto front filled; first those of an accelerator."""
    values = [
        row
        for sum_ in dict.fromkeys((BEST_SUM, *SUMS))
        for row in _errors(contents, {DOT_PRODUCT: sum_.title}, contents.dots(sum_))
    ]
    return Chart(
        "error_dots",
        "Dot products: error against energy",
        FILLED,
        _error_view(values),
        values,
        DOT_PRODUCT,
        ERROR_HEIGHT,
    )


def _errors(
    contents: Contents, labels: Mapping[str, str], designs: Sequence[Figures]
) -> list[dict[str, Any]]:
    """Give a row for each design that can be compared, with the label of its format on one of each."""
    drawn = [one for one in designs if _names(one)["format"] != ADDED and 0 < one[ERROR] < math.inf]
    best = front([[figures[name] for name in PARETO] for figures in drawn])
    rows: list[dict[str, Any]] = []
    for figures, on_front in zip(drawn, best, strict=True):
        low, high = contents.energy_interval(figures)
        rows.append(
            {
                **labels,
                **_names(figures),
                **{name: figures[name] for name in PARETO},
                "least": low,
                "most": high,
                "front": "on the Pareto front" if on_front else BEATEN,
                "verilog": figures["verilog"],
            }
        )
    if rows:
        _label(rows)
    return rows


def _label(rows: Sequence[dict[str, Any]]) -> None:
    """Place the names of formats beside points of theirs."""
    across = _share([row[end] for row in rows for end in ("least", "most")])
    down = _share([row[ERROR] for row in rows])
    formats: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        formats.setdefault(row["format"], []).append(row)
    points = {
        name: [
            Point(across(row[ENERGY]), 1 - down(row[ERROR]), across(row["least"]), across(row["most"]))
            for row in own
        ]
        for name, own in formats.items()
    }
    for name, label in place(points, ERROR_HEIGHT).items():
        formats[name][label.point] |= {"label": name, "dx": label.dx, "dy": label.dy, "align": label.align}


def _share(values: Sequence[float]) -> Callable[[float], float]:
    """Give where a logarithmic axis of these values has one, from 0 to 1."""
    low, high = math.log(min(values)), math.log(max(values))
    return lambda value: (math.log(value) - low) / (high - low) if high > low else 0.5


def _error_view(values: Values) -> Spec:
    """Make points of multipliers with intervals of their energies, joined and named by their formats."""
    scale = {"type": "log", "nice": False, "padding": PADDING}
    x, y = (
        {
            "field": name,
            "type": "quantitative",
            "title": f"{METRICS[name].label}, {METRICS[name].unit}",
            "scale": scale,
            "axis": {"values": _ticks([row[name] for row in values], digits), "format": ",~g"},
        }
        for name, digits in zip(PARETO, ((1, 2, 4, 6), (1, 2, 5)), strict=True)
    )
    tooltip = [
        *({"field": name} for name in ("format", "multiplier")),
        *({"field": name, "format": ",.4~g"} for name in (ENERGY, "least", "most", ERROR)),
        *({"field": name} for name in ("front", "verilog")),
    ]
    lines = {
        "mark": {"type": "line", "color": "#8fb3d1", "strokeWidth": 1},
        "encoding": {"detail": {"field": "format"}},
    }
    intervals = {
        "mark": {"type": "rule", "strokeWidth": 1.5},
        "encoding": {
            "x": x | {"field": "least"},
            "x2": {"field": "most"},
            "stroke": colour_of("multiplier", COLOURS),
        },
    }
    return {"layer": [lines, intervals, points_layer(tooltip), labels_layer()], "encoding": {"x": x, "y": y}}


def points_layer(tooltip: Sequence[Spec]) -> Spec:
    """Draw points of multipliers, filled but for those that are beaten."""
    colour = colour_of("multiplier", COLOURS)
    marks = {
        "stroke": colour,
        "fill": colour | {"condition": {"test": f"datum.front == '{BEATEN}'", "value": "white"}},
        "shape": colour | {"scale": {"domain": list(COLOURS)}},
        "tooltip": tooltip,
    }
    return {"mark": POINT, "encoding": marks}


def labels_layer() -> Spec:
    """Write labels where `labels.place` puts them."""
    places = {name: {"expr": f"datum.{name}"} for name in ("dx", "dy", "align")}
    return {
        "transform": [{"filter": "isValid(datum.label)"}],
        "mark": {"type": "text", "fontSize": FONT_SIZE, **places},
        "encoding": {"text": {"field": "label"}},
    }


def _ticks(values: Sequence[float], digits: Sequence[int]) -> list[float]:
    """Give numbers of few digits for a logarithmic axis, from below the values to above them."""
    if not values:
        return []
    low, high = (math.floor(math.log10(end)) for end in (min(values), max(values)))
    return [float(f"{digit}e{power}") for power in range(low, high + 2) for digit in digits]


def model_chart(contents: Contents) -> Chart:
    """Draw the perplexity under each multiplier, with its interval."""
    values = []
    for row in contents.model.accuracy:
        mul, *rest = row["arithmetic"].split(",")
        if mul not in MULTIPLIERS or any(word.startswith("acc=") for word in rest):
            continue
        ratio = row["ratio"]
        values.append(
            {
                "operands": " ".join([rest[0], *(["truncated"] if "truncate" in rest else [])]),
                "multiplier": mul,
                "where": next(place for scope, place in PLACES.items() if scope in rest),
                "ratio": ratio["value"],
                "low": ratio["value"] - ratio["half_width"],
                "high": ratio["value"] + ratio["half_width"],
            }
        )
    x = {"type": "quantitative", "title": "perplexity / full precision", "scale": {"zero": False}}
    y = {"field": "multiplier", "type": "nominal", "sort": list(MULTIPLIERS), "title": None}
    places = dict(zip(PLACES.values(), ("#0072B2", "#D55E00", "#009E73"), strict=True))
    colour = colour_of("where", places)
    shape = colour | {"scale": {"domain": list(places)}}
    tooltip = [{"field": name} for name in ("operands", "multiplier", "where", "ratio", "low", "high")]
    view = {
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70},
                "encoding": {"x": x | {"field": "ratio"}, "shape": shape},
            },
        ],
        "encoding": {"y": y, "color": colour, "tooltip": tooltip},
    }
    return Chart(
        "language_model",
        "SmolLM2-135M: perplexity over that of full precision",
        "With 95 % intervals. Attention: its two products; everywhere: every matrix product; head: the "
        f"output layer. Exact sums. {FULL_PRECISION_IS}",
        view,
        values,
        "operands",
        220,
    )


def token_chart(contents: Contents) -> Chart:
    """Draw what a token takes."""
    names = {"multipliers": "multipliers", "elements": "rest of the elements", "sram": "SRAM", "dram": "DRAM"}
    values = []
    for found in contents.model.energy:
        batch = found["machine"]["batch"]
        machine = "one token" if batch == 1 else f"{batch:,} tokens"
        for order, (part, name) in enumerate(names.items()):
            energy = sum(kind[part] for kind in found["kinds"])
            values.append(
                {
                    "weights for": machine,
                    "multiplier": found["design"]["mul"],
                    "part": name,
                    "order": order,
                    "energy": energy,
                }
            )
    view = _stacked(list(names.values()), ticks=False, title="energy of a token, uJ")
    return Chart(
        "token",
        "Energy of one token of SmolLM2-135M",
        "Weights are read from DRAM for one token, or once for 256 that share them.",
        view,
        values,
        "weights for",
        110,
    )


def _names(figures: Figures) -> dict[str, str]:
    """Give format and multiplier of a design."""
    return {"format": format_names(figures["design"]), "multiplier": figures["design"]["mul"]}


def _parts(figures: Figures, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give a row for each part of an energy, with what there is without glitches."""
    energy = Energy(**figures["energy_parts_fj"])
    return [
        {
            **labels,
            "part": title,
            "order": order,
            "energy": getattr(energy, part),
            "total": energy.total,
            "without glitches": figures["energy_per_product_zero_delay_fj"],
        }
        for order, (part, title) in enumerate(PARTS.items())
    ]


def _stacked(parts: Sequence[str], *, ticks: bool = True, title: str = "energy of a product, fJ") -> Spec:
    """Make stacked bars of multipliers, with a tick where glitches begin."""
    y = {"field": "multiplier", "type": "nominal", "sort": list(MULTIPLIERS), "title": None}
    x = {"field": "energy", "type": "quantitative", "title": title}
    colour = colour_of("part", dict(zip(parts, SHADES, strict=False)))
    tooltip = [
        {"field": "multiplier"},
        {"field": "part"},
        {"field": "energy", "format": ",.4~g"},
        *([{"field": name, "format": ",.4~g"} for name in ("total", "without glitches")] if ticks else []),
    ]
    bars = {
        "mark": {"type": "bar", "stroke": "#333333", "strokeWidth": 0.4},
        "encoding": {"x": x, "color": colour, "order": {"field": "order"}, "tooltip": tooltip},
    }
    tick = {
        "mark": {"type": "tick", "color": "black", "thickness": 2.5, "size": 18},
        "encoding": {"x": {"field": "without glitches", "type": "quantitative", "title": title}},
    }
    return {"layer": [bars, tick] if ticks else [bars], "encoding": {"y": y}}


def _scatter(x: tuple[str, str], y: tuple[str, str], more: Sequence[str]) -> Spec:
    """Make points of multipliers; `x` and `y` are fields and titles of axes."""
    axes = {
        channel: {
            "field": field,
            "type": "quantitative",
            "title": title,
            "scale": {"zero": False, "padding": 12},
        }
        for channel, (field, title) in (("x", x), ("y", y))
    }
    fields = [{"field": "multiplier"}, *({"field": field, "format": ",.4~g"} for field, _ in (x, y))]
    colour = colour_of("multiplier", COLOURS)
    marks = {
        "stroke": colour,
        "fill": colour,
        "shape": colour | {"scale": {"domain": list(COLOURS)}},
        "tooltip": [*fields, *({"field": field} for field in more)],
    }
    return {"mark": POINT, "encoding": axes | marks}


def colour_of(field: str, colours: Mapping[str, str]) -> Spec:
    """Give the colours of a field's values, with a legend below."""
    columns = 3 if max(map(len, colours)) <= SHORT else 1
    legend = {"title": None, "orient": "bottom", "columns": columns, "labelLimit": 320}
    return {"field": field, "type": "nominal", "scale": _scale(colours), "legend": legend}


def _scale(colours: Mapping[str, str]) -> Spec:
    return {"domain": list(colours), "range": list(colours.values())}
