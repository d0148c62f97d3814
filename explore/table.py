"""The Pareto front of a sweep, for people."""

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from lmul.design import command_line
from lmul.explore.report import ExploreReport, varied
from lmul.explore.space import Point
from lmul.metrics import Metric


def front_table(report: ExploreReport) -> Group:
    """Lay out the Pareto front, a row a point, with what distinguishes it and what it was chosen for.

    Parameters
    ----------
    report : ExploreReport
    """
    return Group(Text(_heading(report), style="bold"), _points(report), Text(_notes(report)))


def front_commands(report: ExploreReport) -> list[str]:
    """Give a line for each point of the front: its number in the table, and the command for its Verilog.

    In a sweep for perplexity another line says how the language model read, and whether it did so now.
    """
    lines = []
    for number, point in enumerate(report.best, 1):
        lines.append(f"{number}: {command_line('verilog', point.design)}")
        if found := report.perplexities.get(point):
            lines.append(f"{number}: {found.command}  # {found.source}")
    return lines


def _heading(report: ExploreReport) -> str:
    library = report.library
    counts = f"{len(report.best)} of {len(report.points)} designs"
    return f"Pareto front, {counts}: cells of {library.name}, {library.voltage:g} V"


def _points(report: ExploreReport) -> Table:
    options = [name for name, values in report.space.axes.items() if len(values) > 1]
    table = Table(
        Column("", justify="right", no_wrap=True),
        *(Column(f"{name}, ns" if name == "clock" else name, overflow="fold") for name in options),
        *(
            Column(f"{name},\n{metric.unit}", justify="right", no_wrap=True)
            for name, metric in report.space.objectives.items()
        ),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for number, point in enumerate(report.best, 1):
        values = (_figure(report, point, metric) for metric in report.objectives)
        table.add_row(str(number), *varied(report.space, point).values(), *values)
    return table


def _figure(report: ExploreReport, point: Point, metric: Metric) -> str:
    """Give a figure, with half of its interval where that is told."""
    value, half_width = report.figures[point][metric.name], report.half_width(point, metric)
    if half_width is None:
        return _number(value)
    return f"{_number(value)} ±{_number(float(f'{half_width:.2g}'))}"  # Of an interval two digits are known.


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def _notes(report: ExploreReport) -> str:
    conditions = report.conditions
    wires = f"wires by {conditions.wires}" if conditions.wires else "no wires"
    wires = "placed" if report.space.layout else wires
    effort = f"{conditions.seeds} seed{'s' if conditions.seeds > 1 else ''} a script"
    notes = [
        f"Energy of a product, glitches included, +- {100 * conditions.precision:g} %; {wires}; {effort}.",
        f"Operands of energy and error: {report.operands}.",
    ]
    if report.perplexities:
        notes.append(
            "Perplexity of all but the output layer over full precision's, ± half of the 95 % interval."
        )
    return "\n".join(notes)
