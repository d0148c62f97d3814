"""Accuracy of a language model for people: a table that fits 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from lmul.llm.accuracy import Accuracy
from lmul.llm.evaluation import Interval
from lmul.llm.readers.reader import LanguageModel

NOTE = (
    "± is half of the 95 % interval. x full: perplexity over that of full precision. same token: places "
    "where the most likely token is that of full precision. left: sums that left the accumulator's range. "
)


def accuracy_table(found: Sequence[Accuracy], model: LanguageModel) -> Group:
    """Lay out the accuracy of a model, a row for each arithmetic."""
    right = [Column(heading, justify="right") for heading in ("perplexity", "x full", "same token, %")]
    columns = [Column("arithmetic", overflow="fold"), *right]
    asked = any(accuracy.right for accuracy in found)
    columns += [Column("right answers, %", justify="right")] if asked else []
    left = any(accuracy.left_range for accuracy in found)
    columns += [Column("left, ppm", justify="right")] if left else []
    table = Table(*columns, box=SIMPLE_HEAD, title=model.name, title_justify="left")
    for accuracy in found:
        row = [
            accuracy.arithmetic,
            f"{accuracy.perplexity.value:.4g}",
            _interval(accuracy.ratio, 1, 3),
            _interval(accuracy.agreement, 100, 1),
        ]
        row += [_interval(accuracy.right, 100, 0)] if accuracy.right else []
        row += [f"{1e6 * (accuracy.left_range or 0):.3g}"] if left else []
        table.add_row(*row)
    return Group(table, Text(NOTE + model.full_precision))


def _interval(interval: Interval, factor: float, digits: int) -> str:
    value, half_width = factor * interval.value, factor * interval.half_width
    return f"{value:.{digits}f} ±{half_width:.{digits}f}" if half_width else f"{value:.{digits}f}"
