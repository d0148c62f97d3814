"""Costs of designs side by side, for people."""

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.estimate import Cost
from lmul.cost.timing import LARGEST_LOAD_FF

Row = tuple[str, str, Callable[[Cost], float]]

ROWS: tuple[Row, ...] = (
    ("Area", "um2", lambda cost: cost.mapped.netlist.area),
    ("", "NAND2", lambda cost: cost.mapped.netlist.nand2_equivalents),
    ("Cells", "", lambda cost: float(sum(cost.mapped.netlist.cell_counts.values()))),
    ("Critical delay", "ps", lambda cost: cost.timing.delay_ps),
    ("Energy per product", "fJ", lambda cost: cost.energy_per_product.total),
    ("  net switching", "fJ", lambda cost: cost.energy_per_product.net),
    ("  cell-internal", "fJ", lambda cost: cost.energy_per_product.internal),
    ("  clock", "fJ", lambda cost: cost.energy_per_product.clock),
    ("  leakage", "fJ", lambda cost: cost.energy_per_product.leakage),
)


def cost_table(costs: Sequence[Cost]) -> Group:
    """Lay out costs as one column a design, with ratios to the last one, and how they were made.

    Parameters
    ----------
    costs : sequence of Cost
        Of one kind of design and one library.
    """
    last = costs[-1]
    library = last.mapped.netlist.library
    size = " ".join(option for option in last.design.arguments() if not option.startswith("--mul"))
    table = Table("", "unit", *(Column(cost.design.mul, justify="right") for cost in costs), box=SIMPLE_HEAD)
    for cost in costs[:-1]:
        table.add_column(f"{cost.design.mul}/{last.design.mul}", justify="right")
    for label, unit, figure in ROWS:
        figures = [figure(cost) for cost in costs]
        if any(figures):
            ratios = [f"{value / figures[-1]:.2f}" if figures[-1] else "" for value in figures[:-1]]
            table.add_row(label, unit, *(_number(value, unit) for value in figures), *ratios)
        if label == "Critical delay" and last.period_ps:
            slacks = [cost.slack_ps for cost in costs if cost.slack_ps is not None]
            table.add_row(
                f"Slack of {last.period_ps:g} ps", "ps", *(_number(slack, "ps") for slack in slacks)
            )
    heading = f"{size}: {library.name}, {library.voltage:g} V"
    buffered = f"Nets above {LARGEST_LOAD_FF:g} fF count as buffered."
    notes = f"Mapped for {_goal(last)}. Energy: {last.method}. {buffered}\n{_recipes(costs)}"
    return Group(Text(heading, style="bold"), table, Text(notes))


def _goal(cost: Cost) -> str:
    least = "the least area x energy"
    return least if cost.period_ps is None else f"{least} that meets {cost.period_ps:g} ps, or else for speed"


def _recipes(costs: Sequence[Cost]) -> str:
    """Say which recipe found each netlist, and what the others reached."""
    lines = []
    for cost in costs:
        areas = [found.mapped.netlist.area for found in cost.candidates.values()]
        spread = f"{min(areas):.1f} to {max(areas):.1f} um2"
        missed = cost.slack_ps is not None and cost.slack_ps < 0
        verdict = f"misses the period by {-(cost.slack_ps or 0):.1f} ps; the fastest" if missed else "best"
        lines.append(f"{cost.design.mul}: {verdict} of {len(areas)} recipes is {cost.recipe}, {spread}.")
    return "\n".join(lines)


def _number(value: float, unit: str) -> str:
    return f"{value:.1f}" if unit and value < 1000 else f"{value:.0f}"
