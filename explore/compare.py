"""What changed between two reports of `lmul report`, `lmul explore` or `lmul cost`, design by design."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmul.errors import UserError
from lmul.explore.report import REPORT
from lmul.host.files import read_input
from lmul.metrics import METRICS, Metric

LARGEST_REPORT = 1 << 28
"""Bytes of a report."""

WANTED = "name a report.json of `lmul report`, or what `lmul explore` or `lmul cost` wrote with --json"

CLOCKS = {"clock_ns": 1.0, "clock_period_ps": 1e-3}
"""What reports call the clock period, and how many ns it is in."""

MADE_WITH = ("estimate", "family", "library", "voltage_v")
"""Entries of which figures of one value are never compared with those of another."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """A figure that is another one in the second report.

    Parameters
    ----------
    design : str
    metric : Metric
    before, after : float
        Infinite where a report has none.
    worse : bool
        Otherwise it is better.
    """

    design: str
    metric: Metric
    before: float
    after: float
    worse: bool


@dataclass(frozen=True)
class Comparison:
    """What two reports have in common, and what not.

    Parameters
    ----------
    names : tuple of str
        Of the two files.
    designs : int
        That both have.
    changes : sequence of Change
    removed, added : sequence of str
        Designs that only the first, or only the second has.
    left, joined : sequence of str
        Designs of both that left the Pareto front, or joined it.
    """

    names: tuple[str, str]
    designs: int
    changes: Sequence[Change]
    removed: Sequence[str]
    added: Sequence[str]
    left: Sequence[str]
    joined: Sequence[str]

    @property
    def worse(self) -> bool:
        """Whether any figure is worse."""
        return any(change.worse for change in self.changes)


def compare_reports(first: Path, second: Path, tolerance: float = 0.0) -> Comparison:
    """Compare two reports.

    Parameters
    ----------
    first, second : Path
        JSON files; the second is the newer one.
    tolerance : float
        Changes of up to this share of the first figure are none.

    Raises
    ------
    UserError
        A file is no report, or no design is in both.
    """
    before, after = (_read(path) for path in (first, second))
    common = [name for name in before if name in after]
    if not common:
        raise UserError(
            f"{first} and {second} have no design in common, or not by the same estimate, library and clock: "
            "name two reports of the same designs"
        )
    return Comparison(
        (str(first), str(second)),
        len(common),
        [change for name in common for change in _changes(name, before[name], after[name], tolerance)],
        [name for name in before if name not in after],
        [name for name in after if name not in before],
        [name for name in common if _on_front(before[name]) and not _on_front(after[name])],
        [name for name in common if _on_front(after[name]) and not _on_front(before[name])],
    )


def _read(path: Path) -> dict[str, Record]:
    """Read the records of a report, by a name that tells them apart."""
    text = read_input(path, WANTED, LARGEST_REPORT)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{path} is not JSON: {WANTED}") from None
    found: dict[str, Record] = {}
    for record in _records(content, path):
        name = _name(record, path)
        if name in found:
            raise UserError(f"{path} has two records of {name}: {WANTED}")
        found[name] = record
    return found


def _records(content: Any, path: Path) -> list[Record]:
    """Find the records of designs in whatever kind of report it is."""
    kind = content.get("report") if isinstance(content, dict) else "cost"
    reader = READERS.get(kind) if isinstance(kind, str) else None
    records = reader(content) if reader else None
    if not records or not all(isinstance(record, dict) for record in records):
        raise UserError(f"{path} is no report with designs in it: {WANTED}")
    return list(records)


def _of_points(content: Any) -> Any:
    points = content.get("points")
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        return None
    return [{name: content.get(name) for name in MADE_WITH} | point for point in points]


def _of_cost(content: Any) -> Any:
    return content if isinstance(content, list) else None


READERS: dict[str, Callable[[Any], Any]] = {"report": _of_points, REPORT: _of_points, "cost": _of_cost}
"""How the records of each kind of report are found."""


def _name(record: Record, path: Path) -> str:
    """Name a record by all that has to be equal in both reports."""
    design = record.get("design")
    if not isinstance(design, dict) or not design:
        raise UserError(f"{path} has a record without a design: {WANTED}")
    words = [str(design.get("kind", ""))]
    words += [f"{name}={value}" for name, value in design.items() if name != "kind"]
    words += [f"{record[name]}" for name in MADE_WITH if record.get(name) is not None]
    for name, unit_ns in CLOCKS.items():
        period = _number(record.get(name), path, name)
        if period is not None:
            words.append(f"{period * unit_ns:g} ns")
    return " ".join(words)


def _changes(name: str, before: Record, after: Record, tolerance: float) -> list[Change]:
    changes = []
    for metric in METRICS.values():
        if metric.name not in before or metric.name not in after:
            continue
        x, y = (_figure(record, metric) for record in (before, after))
        if x == y or abs(y - x) <= tolerance * abs(x) < math.inf:
            continue
        changes.append(Change(name, metric, x, y, metric.cost(y) > metric.cost(x)))
    return changes


def _figure(record: Record, metric: Metric) -> float:
    """Give a figure; none, as of sums that overflow, is the worst there can be."""
    value = _number(record[metric.name], None, metric.name)
    return math.inf * metric.cost(1.0) if value is None else value


def _number(value: Any, path: Path | None, name: str) -> float | None:
    if value is None:
        return None
    if type(value) not in {int, float} or not abs(value) <= sys.float_info.max:
        where = f"{path}: " if path else ""
        raise UserError(f"{where}{name} must be a finite number, not {value!r}: {WANTED}")
    return float(value)


def _on_front(record: Record) -> bool:
    return record.get("pareto") is True
