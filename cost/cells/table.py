"""Costs of designs side by side, for people."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.cells.estimate import Cost
from lmul.cost.cells.noise import FIGURES, Ratio, ratios
from lmul.cost.cells.shared import Shared
from lmul.cost.library.cells import Library
from lmul.cost.library.join import left_out_kinds
from lmul.cost.timing.analysis import LARGEST_FANOUT

Row = tuple[str, str, Callable[[Cost], float]]

DOT_PRODUCT = 1024
"""Products of the dot product whose energy is shown, unless the design's depth is less."""

ROWS: tuple[Row, ...] = (
    ("Area", "um2", lambda cost: cost.area_um2),
    ("", "NAND2", lambda cost: cost.area_um2 / cost.measured.nand2_um2),
    ("Cells", "", lambda cost: float(sum(cost.measured.cells.values()))),
    ("Critical delay", "ps", lambda cost: cost.measured.delay_ps),
    ("Energy of a product", "fJ", lambda cost: cost.energy_per_product.total),
    ("  net switching", "fJ", lambda cost: cost.energy_per_product.net),
    ("  cell-internal", "fJ", lambda cost: cost.energy_per_product.internal),
    ("  clock", "fJ", lambda cost: cost.energy_per_product.clock),
    ("  leakage", "fJ", lambda cost: cost.energy_per_product.leakage),
    ("  of it, glitches", "fJ", lambda cost: cost.glitches_per_product),
    ("  95 % interval, +-", "fJ", lambda cost: cost.interval_per_product),
    ("Zero delay instead", "fJ", lambda cost: cost.zero_delay_per_product.total),
    ("Idle cycle", "fJ", lambda cost: cost.measured.idle.total),
    ("  operands change", "fJ", lambda cost: cost.measured.unused.total),
)

LEAST_OF_TWO_DECIMALS = 0.0095
"""Half of an interval from which on a ratio has two decimals, else three."""

MOST_DECIMALS = 6
"""Decimals of a figure at most."""

COMPARED = dict(
    zip(("Area", "Critical delay", "Energy of a product", "Zero delay instead"), FIGURES, strict=True)
)
"""Rows in which the least figure wins, and whose ratios are given."""

ALIKE = "="
"""Marks a ratio whose interval holds 1."""


def cost_table(costs: Sequence[Cost]) -> Group:
    """Lay out costs as one column a design, with ratios to the last one, and how they were made.

    Parameters
    ----------
    costs : sequence of Cost
        Of one kind of design and one library.
    """
    last = costs[-1]
    heading = f"{last.design.size}: cells of {last.library.name}, {last.library.voltage:g} V"
    rows = [(label, unit, [figure(cost) for cost in costs]) for label, unit, figure in _rows(last)]
    rows = [row for row in rows if any(row[2])]
    foreign = [cost.foreign for cost in costs if cost.foreign]
    if foreign:  # Smaller is no better where less is computed.
        label = f"Wrong values, of {foreign[0].pairs:,}"
        rows.insert(0, (label, "", [float(cost.other_values) for cost in costs]))
    parts: list[RenderableType] = [Text(heading, style="bold"), _figures(costs, rows)]
    if len(costs) > 1:
        parts.append(_ratios(costs))
    return Group(*parts, Text(_notes(costs)))


def shared_table(shared: Shared) -> Group:
    """Lay out designs whose common blocks have one netlist, below the same designs mapped as a whole.

    Parameters
    ----------
    shared : Shared
    """
    costs = shared.costs
    rows = [
        (label, unit, [figure(cost) for cost in costs]) for label, unit, figure in ROWS if label in COMPARED
    ]
    lines = [
        "Each block is mapped by itself, all but the products by one script and seed",
        "for all sides: blocks of the same logic are then the same cells.",
        f"Here: {', '.join(shared.alike) or 'none'}, {100 * shared.share:.0f} % of {costs[-1].label}'s area.",
        "So these ratios tell what the products did; those above hold what mapping",
        "did elsewhere, too.",
        *map(_script, costs),
    ]
    parts = (_figures(costs, rows), _ratios(costs, paired=True))
    return Group(Text("Common blocks held to one netlist", style="bold"), *parts, Text("\n".join(lines)))


def path_table(cost: Cost) -> Group:
    """Lay out the critical path of a cost, cell by cell.

    Parameters
    ----------
    cost : Cost
    """
    table = Table(
        Column("instance", overflow="fold"),
        Column("cell", overflow="fold"),
        "from",
        "to",
        "edge",
        Column("delay, ps", justify="right"),
        Column("at, ps", justify="right"),
        box=SIMPLE_HEAD,
    )
    for step in cost.measured.path:
        table.add_row(
            step.instance,
            step.cell,
            step.start,
            step.end,
            step.edge,
            f"{step.delay_ps:.1f}",
            f"{step.arrival_ps:.1f}",
        )
    return Group(Text(f"Critical path of {cost.label}", style="bold"), table)


def _rows(cost: Cost) -> Iterable[Row]:
    for row in ROWS:
        yield row
        period = cost.conditions.period_ps
        if row[0] == "Critical delay" and period:
            yield f"Slack of {period / 1e3:.4g} ns", "ps", lambda found: found.slack_ps or 0.0
        if row[0] == "Energy of a product" and cost.design.adds_products:
            yield f"  a dot product of {_products(cost)}", "pJ", _dot_product_pj


def _products(cost: Cost) -> int:
    return min(DOT_PRODUCT, cost.design.depth)


def _dot_product_pj(cost: Cost) -> float:
    """Energy of a dot product, whose last step is whole even if it is not full."""
    lanes = cost.design.lanes
    return cost.energy_per_product.total * lanes * -(-_products(cost) // lanes) / 1e3


def _figures(costs: Sequence[Cost], rows: Sequence[tuple[str, str, list[float]]]) -> Table:
    table = Table("", "unit", *(Column(cost.label, justify="right") for cost in costs), box=SIMPLE_HEAD)
    for label, unit, figures in rows:
        winner = min(figures) if label in COMPARED and len(costs) > 1 else None
        table.add_row(
            label, unit, *(f"{_number(value, unit)}{' *' if value == winner else '  '}" for value in figures)
        )
    return table


def _ratios(costs: Sequence[Cost], *, paired: bool = False) -> Table:
    table = Table(
        f"over {costs[-1].label}",
        *(Column(cost.label, justify="right") for cost in costs[:-1]),
        box=SIMPLE_HEAD,
    )
    found = ratios(costs, paired=paired)
    for label, name in COMPARED.items():
        table.add_row(label, *(ratio_text(one[name]) for one in found))
    return table


def ratio_text(ratio: Ratio) -> str:
    """Write a ratio with half of its interval, and no more digits than that allows."""
    half = ratio.half_width
    if not math.isfinite(half):
        return f"{ratio.value:.2f}  "
    decimals = 2 if half >= LEAST_OF_TWO_DECIMALS else 3
    return f"{ratio.value:.{decimals}f} ± {half:.{decimals}f}{'  ' if ratio.differs else f' {ALIKE}'}"


def _notes(costs: Sequence[Cost]) -> str:
    last = costs[-1]
    period = "clock period" if last.conditions.period_ps else "critical delay"
    wires = f"wires by {last.conditions.wires}" if last.conditions.wires else "no wires"
    drawn = " and ".join(f"{cycles:,}" for cycles in sorted({cost.measured.cycles for cost in costs}))
    lines = [
        f"Mapped for {_goal(last)}; * is the least.",
        f"Delay: the library's tables, {wires}; above {LARGEST_FANOUT} NAND inputs a net counts as buffered.",
        f"Energy: {last.measured.population:,} cycles, {drawn} of them with delays;",
        f"leakage over one {period}. Idle cycles without glitches.",
    ]
    if len(costs) > 1:
        lines += _ratio_notes(costs)
    if last.part:
        lines.append(f"Simulated: {last.part.rows} x {last.part.cols}, each block as often as it is there.")
    foreign = [line for cost in costs if cost.foreign for line in cost.foreign.notes]
    return "\n".join([*lines, *_library_notes(last.library), *map(_script, costs), *foreign])


def _ratio_notes(costs: Sequence[Cost]) -> Iterator[str]:
    """Say what the intervals of ratios hold."""
    seeds = len(costs[-1].of_seeds)
    if seeds == 1:
        yield "Ratios of one seed: how far others move them is not known; --seeds 3 tells."
        return
    yield f"Ratios ±: with {seeds} other seeds 19 of 20 are inside. {ALIKE} is no difference shown."


def _library_notes(library: Library) -> Iterator[str]:
    """Say what of the library was not used, and what it does not tell."""
    kinds = left_out_kinds(library)
    if kinds:
        counts = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
        yield f"Left alone: {counts}."
    if library.dont_use:
        yield f"Left out by name: --dont-use {' '.join(library.dont_use)}."
    if not library.internal_power:
        yield "The library has no internal power: energies are those of nets and leakage alone."


def _goal(cost: Cost) -> str:
    least = "the least area x energy"
    period = cost.conditions.period_ps
    return least if period is None else f"{least} that meets {period / 1e3:.4g} ns, or else for speed"


def _script(cost: Cost) -> str:
    """Say which script found a netlist, and what the others reached."""
    smallest, largest = cost.area_spread
    missed = cost.slack_ps is not None and cost.slack_ps < 0
    verdict = f"misses the period by {-(cost.slack_ps or 0):.1f} ps; the fastest" if missed else "best"
    return (
        f"{cost.label}: {verdict} of {len(cost.candidates)} netlists is {cost.script}, "
        f"{three_digits(smallest)} to {three_digits(largest)} um2{_stopped(cost)}."
    )


def _stopped(cost: Cost) -> str:
    """Say how many scripts were not tried."""
    return f"; {len(cost.stopped)} scripts were not worth trying" if cost.stopped else ""


def _number(value: float, unit: str) -> str:
    return three_digits(value) if unit else f"{value:.0f}"


def three_digits(value: float) -> str:
    """Write one decimal, more where that is less than three significant digits, and none from 1000 on."""
    if abs(value) >= 1000:
        return f"{value:.0f}"
    decimals = 1 if value == 0 else max(1, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, MOST_DECIMALS)}f}"
