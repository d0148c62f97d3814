"""The estimate *gates* for people: a table that fits 80 columns."""

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.gates.estimate import (
    FLIP_FLOP_TRANSISTORS,
    GATES,
    NAND2_TRANSISTORS,
    RESET_TRANSISTORS,
    GateCost,
)

Row = tuple[str, Callable[[GateCost], float]]

ROWS: tuple[Row, ...] = (
    ("NAND equivalents", lambda cost: cost.nand2_equivalents),
    ("Depth, gates", lambda cost: cost.depth),
    ("Full adders", lambda cost: cost.full_adders),
    ("Half adders", lambda cost: cost.half_adders),
    ("Flip-flops", lambda cost: cost.flip_flops),
    ("Other gates", lambda cost: sum(cost.gates.values())),
)


def gates_table(costs: Sequence[GateCost]) -> Group:
    """Lay out gates as one column a design, ratios to the last one beside them, and how they were counted.

    Parameters
    ----------
    costs : sequence of GateCost
        Of one kind of design.
    """
    last = costs[-1]
    columns = (Column(cost.design.mul, justify="right") for cost in costs)
    table = Table(Column("", no_wrap=True), *columns, box=SIMPLE_HEAD)
    for label, figure in ROWS:
        _add_row(table, label, [figure(cost) for cost in costs])
    for kind in GATES:
        _add_row(table, f"  {kind}", [cost.gates.get(kind, 0) for cost in costs])
    ratios = f", beside them the ratio to {last.design.mul}" if costs[:-1] else ""
    return Group(
        Text(f"{last.design.size}: two-input gates{ratios}", style="bold"), table, Text(_notes(costs))
    )


def _add_row(table: Table, label: str, figures: Sequence[float]) -> None:
    if any(figures):
        table.add_row(label, *(_beside(value, figures[-1]) for value in figures[:-1]), f"{figures[-1]:g}")


def _beside(value: float, last: float) -> str:
    return f"{value:g} {value / last:5.2f}" if last else f"{value:g}      "


def _notes(costs: Sequence[GateCost]) -> str:
    weights = [f"{name} {gate.transistors}" for name, gate in GATES.items()]
    flip_flops = f"flip-flop {FLIP_FLOP_TRANSISTORS}"
    if any(cost.design.reset == "async" for cost in costs):
        flip_flops += f" and {RESET_TRANSISTORS} more with a reset"
    lines = [
        f"Transistors: {', '.join(weights)}, {flip_flops}; "
        f"{NAND2_TRANSISTORS} are a NAND equivalent. Depth: FA 2, all others 1. No loads, no wires."
    ]
    for cost in costs:
        smallest, largest = cost.spread
        lines.append(
            f"{cost.design.mul}: the smallest netlist is that of {cost.script}, "
            f"the largest has {largest:g} NAND equivalents for {smallest:g}."
        )
    return "\n".join(lines)
