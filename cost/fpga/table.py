"""The estimate in an FPGA for people: a table that fits 80 columns."""

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.fpga.estimate import SCRIPTS, SEEDS, TARGET_MHZ, FpgaCost

ROWS: tuple[tuple[str, Callable[[FpgaCost], float]], ...] = (
    ("LUTs (LUT4)", lambda cost: cost.luts),
    ("Flip-flops", lambda cost: cost.flip_flops),
    ("Carry bits", lambda cost: cost.carries),
    ("DSP blocks", lambda cost: cost.dsps),
    ("Block RAMs", lambda cost: cost.brams),
    ("Clock, MHz", lambda cost: cost.fmax_mhz),
    ("  worst seed", lambda cost: cost.fmax_lowest_mhz),
)


def fpga_table(costs: Sequence[FpgaCost]) -> Group:
    """Lay out costs as one column a design, with ratios to the last one, and how they were made.

    Parameters
    ----------
    costs : sequence of FpgaCost
        Of one kind of design and one family.
    """
    last = costs[-1]
    table = Table("", *(Column(cost.design.mul, justify="right") for cost in costs), box=SIMPLE_HEAD)
    for cost in costs[:-1]:
        # On two lines, so that all multipliers fit side by side.
        table.add_column(f"{cost.design.mul}/\n{last.design.mul}", justify="right")
    for label, figure in ROWS:
        figures = [figure(cost) for cost in costs]
        ratios = [f"{value / figures[-1]:.2f}" if figures[-1] else "" for value in figures[:-1]]
        table.add_row(label, *map(_number, figures), *ratios)
    return Group(Text(f"{last.device}: {last.design.size}", style="bold"), table, Text(_notes(costs)))


def _number(value: float) -> str:
    return f"{value}" if isinstance(value, int) else f"{value:.1f}"


def _notes(costs: Sequence[FpgaCost]) -> str:
    """Say how the figures were made, and what limits them."""
    last = costs[-1]
    tools = ", ".join(f"{name} {number}" for name, number in last.versions.items())
    lines = [
        f"Logic in LUTs, none in DSP blocks; the design alone, without its wrapper. Clock: register to "
        f"register, placed and routed, best of {len(SEEDS)} seeds, {TARGET_MHZ} MHz asked for. Kept of "
        f"{len(SCRIPTS)} netlists: the least LUTs x period. Estimates, not measured on a device.",
        f"Made by {tools}.",
    ]
    for cost in costs:
        others = ", ".join(
            f"{name} {figures['luts']:.0f} LUTs at {figures['fmax_mhz']:.1f} MHz"
            for name, figures in cost.scripts.items()
            if name != cost.script
        )
        limit = "; the wrapper limits the clock" if cost.wrapper_limits else ""
        lines.append(f"{cost.design.mul}: {cost.script} kept{limit}. Other: {others}.")
    return "\n".join(lines)
