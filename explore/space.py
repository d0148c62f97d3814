"""What a sweep chooses from: a TOML file of options of designs, each with one value or several."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lmul.cost.library.join import check_patterns
from lmul.design import FLAGS, LIMITS, PARAMETERS, Design, known_parameters, make_design
from lmul.errors import UserError
from lmul.host.toml import read_toml
from lmul.kinds import KINDS
from lmul.metrics import OBJECTIVES, Metric
from lmul.options import parameter

METHODS = {
    "grid": "every design of the space",
    "random": "random designs of the space",
    "optuna": "designs that Optuna chooses from what it has learnt",
}

LARGEST_SPACE = 100_000
"""Combinations of values that a space may have."""

LIMITS_OF_SEARCH = {"trials": LARGEST_SPACE, "seed": (1 << 32) - 1, "ahead": 10_000}

NO_CLOCK = "none"

DESIGN, CLOCK = "design", "clock"

_NUMBERS = {*LIMITS, "pipeline", "interleave"}
_NAMES = {name for names in PARAMETERS.values() for name in names}


@dataclass(frozen=True)
class Point:
    """A design, and the clock that it is mapped for.

    Parameters
    ----------
    design : Design
    clock_ns : float or None
        None maps for the least product of area and energy.
    """

    design: Design
    clock_ns: float | None = None

    @property
    def name(self) -> str:
        """A line for people."""
        return self.design.name + ("" if self.clock_ns is None else f" for {self.clock_ns:g} ns")


@dataclass(frozen=True)
class Search:
    """How points are chosen.

    Parameters
    ----------
    method : str
        A name of `METHODS`.
    trials : int
        Points that are evaluated, unless the method is `grid`.
    seed : int
        Of what is random.
    ahead : int
        With `optuna`, points that are chosen before the result of the first of them counts. It decides what
        is chosen, the number of processes does not.
    """

    method: str = "grid"
    trials: int = 100
    seed: int = 1
    ahead: int = 8


@dataclass(frozen=True)
class Space:
    """A sweep as its file describes it.

    Parameters
    ----------
    axes : mapping of str to tuple
        Values by the name of an option; `design` and `clock` among them.
    points : mapping of tuple to Point
        By a value of each axis. Combinations that are no design are not there; several may be one point.
    objectives : mapping of str to Metric
    search : Search
    dont_use : tuple of str
        Patterns of names of cells that synthesis shall leave alone.
    layout : bool
        Figures are those of placed designs.
    """

    axes: Mapping[str, tuple[Any, ...]]
    points: Mapping[tuple[Any, ...], Point]
    objectives: Mapping[str, Metric]
    search: Search
    dont_use: tuple[str, ...] = ()
    layout: bool = False

    @property
    def distinct(self) -> list[Point]:
        """All points, in the order of the file."""
        return list(dict.fromkeys(self.points.values()))


def read_space(path: Path) -> Space:
    """Read the description of a sweep.

    Parameters
    ----------
    path : Path
        A TOML file with `objectives`, `dont-use`, `layout` and tables `space` and `search`.

    Raises
    ------
    UserError
        It cannot be used; the message says why.
    """
    values = read_toml(path)
    try:
        return _space(values)
    except UserError as error:
        axes = values.get("space", {})
        written = {parameter(name): name for name in axes} if isinstance(axes, dict) else {}
        raise UserError(f"{path}: {error.told(lambda name: written.get(name, name))}") from None


def _space(values: Mapping[str, Any]) -> Space:
    _check_names(values, ("objectives", "dont-use", "layout", "space", "search"), "it")
    for name in ("space", "search"):
        if not isinstance(values.get(name, {}), dict):
            raise UserError(f"{name} must be a table, not {values[name]!r}")
    objectives = _objectives(values.get("objectives", ["energy", "area", "error"]))
    search = _search(values.get("search", {}))
    axes = _axes(values.get("space", {}))
    layout = values.get("layout", False)
    if not isinstance(layout, bool):
        raise UserError(f"layout must be true or false, not {layout!r}")
    return Space(axes, _points(axes), objectives, search, check_patterns(values.get("dont-use", [])), layout)


def _check_names(values: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    for name in values:
        if name not in known:
            raise UserError(f"{what} has {name!r}, which is unknown: it may have {', '.join(known)}")


def _objectives(names: Any) -> dict[str, Metric]:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"objectives must be a list of names, such as ['energy', 'error'], not {names!r}")
    for name in names:
        if name not in OBJECTIVES:
            raise UserError(f"objective {name!r} is unknown: it must be one of {', '.join(OBJECTIVES)}")
        if names.count(name) > 1:
            raise UserError(f"objective {name!r} is named twice: name it once")
    return {name: OBJECTIVES[name] for name in names}


def _search(values: Mapping[str, Any]) -> Search:
    _check_names(values, ("method", *LIMITS_OF_SEARCH), "search")
    for name, last in LIMITS_OF_SEARCH.items():
        value = values.get(name, 1)
        if type(value) is not int or not 1 <= value <= last:
            raise UserError(f"search: {name} must be a whole number from 1 to {last}, not {value!r}")
    method = values.get("method", Search.method)
    if not isinstance(method, str) or method not in METHODS:
        raise UserError(f"search: method {method!r} is unknown: it must be one of {', '.join(METHODS)}")
    return Search(**values)


def _axes(values: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Give the values of each option as the design takes its names."""
    if DESIGN not in values:
        raise UserError(f"space must say design = one of {', '.join(KINDS)}, or a list of them")
    axes = {}
    for name, value in values.items():
        axis = parameter(name)
        if axis not in {DESIGN, CLOCK, *_NAMES} or axis in axes:
            known = ", ".join([DESIGN, CLOCK, *sorted(_NAMES)])
            raise UserError(f"space has {name!r}, which is unknown or there twice: it may have {known}")
        several = value if isinstance(value, list) else [value]
        if not several:
            raise UserError(f"space: {name} has no value: give it one, or a list of some")
        axes[axis] = tuple(dict.fromkeys(_value(axis, one) for one in several))
    _check_meaning(axes)
    return axes


def _check_meaning(axes: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse options that mean nothing to any of the kinds of design."""
    kinds = axes[DESIGN]
    stages = axes.get("pipeline", (0,))
    known = {name for kind in kinds for count in stages for name in known_parameters(kind, count) or _NAMES}
    for name in axes:
        if name not in {DESIGN, CLOCK, *known}:
            raise UserError(f"space: {name} means nothing to {' and '.join(kinds)}: leave it out")


def _value(name: str, value: Any) -> Any:
    """Check the type of a value."""
    if name == CLOCK:
        if value == NO_CLOCK:
            return value
        if type(value) not in {int, float} or not 0 < value < math.inf:
            raise UserError(f"space: clock must be a period in ns above 0, or {NO_CLOCK!r}, not {value!r}")
        return float(value)
    kind: type
    kind, what = (int, "a number") if name in _NUMBERS else (str, "text")
    if name in FLAGS:
        kind, what = bool, "true or false"
    if type(value) is not kind:
        raise UserError(f"space: {name} must be {what}, or a list of such values, not {value!r}")
    return value


def _points(axes: Mapping[str, tuple[Any, ...]]) -> dict[tuple[Any, ...], Point]:
    """Make all combinations that are designs; every value has to be in one."""
    size = math.prod(map(len, axes.values()))
    if size > LARGEST_SPACE:
        raise UserError(f"space has {size:,} combinations: take at most {LARGEST_SPACE:,}")
    points: dict[tuple[Any, ...], Point] = {}
    reasons: dict[tuple[str, Any], UserError] = {}
    for values in product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        try:
            points[values] = _point(chosen)
        except UserError as error:
            for entry in chosen.items():
                reasons.setdefault(entry, error)
    used = {(name, value) for values in points for name, value in zip(axes, values, strict=True)}
    for name, value in _entries(axes):
        if (name, value) not in used:
            raise reasons[name, value].behind(f"space: {name} = {value!r} fits nothing else there: ")
    return points


def _entries(axes: Mapping[str, tuple[Any, ...]]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, values in axes.items() for value in values)


def _point(chosen: Mapping[str, Any]) -> Point:
    """Make a point; options of other kinds of design of the space are left out."""
    options = dict(chosen)
    kind, clock = options.pop(DESIGN), options.pop(CLOCK, NO_CLOCK)
    known = known_parameters(kind, options.get("pipeline", 0)) or tuple(_NAMES)
    options = {name: value for name, value in options.items() if name in known}
    return Point(make_design(kind, **options), None if clock == NO_CLOCK else clock)
