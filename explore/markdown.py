"""A comparison of two reports as Markdown."""

import math
from collections.abc import Sequence

from lmul.errors import printable
from lmul.explore.compare import Change, Comparison


def comparison_text(comparison: Comparison) -> str:
    """Write a comparison as Markdown: figures that changed, then designs that came and went.

    Parameters
    ----------
    comparison : Comparison
    """
    before, after = map(_code, comparison.names)
    worse = sum(change.worse for change in comparison.changes)
    better = len(comparison.changes) - worse
    lines = [
        f"# {before} to {after}",
        "",
        f"{_count(comparison.designs, 'design')} in both: {_count(worse, 'figure')} worse, {better} better.",
    ]
    if comparison.changes:
        lines += ["", "| | figure | before | after | change | design |", "|---|---|---:|---:|---:|---|"]
        lines += map(_row, comparison.changes)
    for heading, names in (
        ("Left the Pareto front", comparison.left),
        ("Joined the Pareto front", comparison.joined),
        ("Only before", comparison.removed),
        ("Only after", comparison.added),
    ):
        lines += _list(heading, names)
    return "\n".join(lines) + "\n"


def _row(change: Change) -> str:
    metric = change.metric
    verdict = "**worse**" if change.worse else "better"
    label = f"{metric.label}, {metric.unit}" if metric.unit else metric.label
    figures = f"{_number(change.before)} | {_number(change.after)} | {_share(change)}"
    return f"| {verdict} | {label} | {figures} | {_code(change.design)} |"


def _share(change: Change) -> str:
    if not change.before or not math.isfinite(change.before) or not math.isfinite(change.after):
        return ""
    return f"{100 * (change.after / change.before - 1):+.2f} %"


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "none"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _list(heading: str, names: Sequence[str]) -> list[str]:
    return ["", f"{heading}:", "", *(f"* {_code(name)}" for name in names)] if names else []


def _code(text: str) -> str:
    """Quote a text so that nothing in it is Markdown."""
    return "`" + printable(text).replace("`", "'").replace("|", "/") + "`"
