"""Costs of designs side by side, for people."""

from collections.abc import Callable, Sequence

from rich.table import Table

from lmul.cost.estimate import METHOD, Cost

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


def cost_table(costs: Sequence[Cost]) -> Table:
    """Lay out costs as one column a design, with the ratio to the last one.

    Parameters
    ----------
    costs : sequence of Cost
        Of one kind of design and one library.
    """
    last = costs[-1]
    library = last.mapped.netlist.library
    design = last.design
    size = " ".join(argument for argument in design.arguments() if not argument.startswith("--mul"))
    table = Table(
        title=f"{size}\n{library.name}, {library.voltage:g} V",
        caption=f"Mapped for area. Energy: {METHOD}.\n{_scripts(costs)}",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("")
    table.add_column("unit")
    for cost in costs:
        table.add_column(cost.design.mul, justify="right")
    for cost in costs[:-1]:
        table.add_column(f"{cost.design.mul}/{last.design.mul}", justify="right")
    for label, unit, figure in ROWS:
        figures = [figure(cost) for cost in costs]
        if any(figures):
            ratios = [f"{value / figures[-1]:.2f}" if figures[-1] else "" for value in figures[:-1]]
            table.add_row(label, unit, *(_number(value) for value in figures), *ratios)
    return table


def _scripts(costs: Sequence[Cost]) -> str:
    """Say which script found each netlist, and what the others reached."""
    lines = []
    for cost in costs:
        areas = cost.mapped.areas.values()
        spread = f"{min(areas):.1f} to {max(areas):.1f} um2"
        lines.append(
            f"{cost.design.mul}: best of {len(areas)} ABC scripts is {cost.mapped.script!r}, {spread}."
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 or value == int(value) else f"{value:.1f}"
