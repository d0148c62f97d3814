"""Evaluations for people: tables that fit 80 columns."""

from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from lmul.torch.evaluation.measure import Row
from lmul.torch.evaluation.statistics import Difference

NOTE = (
    "± std: the harness's standard error. minus full, x full: against full precision (float32), sample by "
    "sample, over all passes; its ± is half of the 95 % interval, the spread of the passes in it. passes: "
    "the lowest and the highest value of the arithmetic itself and its neighbours, whose operands differ by "
    "a few millionths."
)


def evaluation_tables(rows: Sequence[Row]) -> Group:
    """Lay out rows of `measure.compare`, a table for each metric of a task; parts of groups are left out."""
    shown = [row for row in rows if not row.inside]
    by_metric = groupby(shown, key=lambda row: (row.task, row.metric, row.filter))
    return Group(*(_table(list(same)) for _, same in by_metric), Text(NOTE))


def _table(rows: list[Row]) -> Table:
    first = rows[0]
    filter_ = "" if first.filter == "none" else f", {first.filter}"
    kinds = [row.difference.kind for row in rows if row.difference]
    numbers = ["value", "± std", kinds[0] if kinds else "minus full", "passes"]
    table = Table(
        Column("arithmetic", overflow="fold"),
        *(Column(heading, justify="right", no_wrap=True) for heading in numbers),
        box=SIMPLE_HEAD,
        title=f"{first.task}: {first.metric}{filter_}, {first.samples:,} samples",
        title_justify="left",
    )
    for row in rows:
        error = "" if row.standard_error is None else f"{row.standard_error:.3g}"
        spread = f"{min(row.passes):.4g} to {max(row.passes):.4g}" if len(row.passes) > 1 else ""
        table.add_row(row.arithmetic, f"{row.value:.4g}", error, _difference(row.difference), spread)
    return table


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return ""
    sign = "+" if difference.kind == "minus full" else ""
    return f"{difference.value:{sign}.4f} ±{difference.half_width:.4f}"
