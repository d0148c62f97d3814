"""The calibration for people: tables that fit 80 columns, and what the factor is made of."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.calibration.calibrate import METHOD, Calibrated, Calibration, paper_savings
from lmul.cost.calibration.circuits import SEED, STREAMS
from lmul.cost.published.energies import HOROWITZ, TABLES, TPUV4I, VOLTAGE

FACTOR = """\
Of every ratio {supply} is the supply. The rest has several causes
that cannot be told apart:
- Glitches: ours count them, all of them; the column beside shows the rest.
- Operands: ours change in every cycle, integers in half of their bits.
- Cells: another process kit and library; the energy inside the cells counts.
- Speed: ours are mapped for the least area x energy, and are slow. The table
  does not say how fast its circuits are, what they are, which operands they
  see or whether wires count; its figures are rounded.
- Circuits: our floating-point adders have subnormals, our multipliers flush
  them, both have infinities and NaN. The table's may leave out some of it."""

VERDICT = """\
Nothing is fitted: {low} for {lowest} and {high} for {highest} are no one factor.
Ratios within our figures, or within the table, mean something; one of our
figures over one of the table's does not."""


def calibration_table(calibration: Calibration) -> Group:
    """Lay out our energies beside Horowitz's, then those of multiply-accumulates and their accumulators."""
    heading = f"{calibration.library}, {calibration.voltage:g} V, beside Horowitz, 45 nm, {VOLTAGE:g} V"
    return Group(
        Text(heading, style="bold"),
        _operations(calibration),
        Text(_explanation(calibration)),
        Text(),
        Text("Multiply-accumulates, one a cycle, and their accumulators alone", style="bold"),
        _accumulations(calibration),
        Text(
            "Accumulator: its energy alone, adder and register on the same products, over that of the whole. "
            "An exact sum's alignment counts to the multiplier. e4m3 operands and fp32 terms are random, of "
            f"N(0, 1), int8 ones uniform; {STREAMS} streams, seed {SEED}. Energy: {METHOD}."
        ),
    )


def _operations(calibration: Calibration) -> Table:
    table = Table(
        Column("operation", no_wrap=True),
        *_right(
            "um2", "ps", "ours, pJ", "no glitches", f"{HOROWITZ.node}, pJ", "ratio", f"{TPUV4I.node}, pJ"
        ),
        box=SIMPLE_HEAD,
    )
    for name, found in calibration.operations.items():
        quiet = f"{found.figures.zero_delay_fj / 1e3:.3g}"
        published = f"{found.table_pj:g}", f"{found.ratio:.2f}", f"{found.table_7nm_pj:g}"
        table.add_row(name, *_figures(found), quiet, *published)
    return table


def _accumulations(calibration: Calibration) -> Table:
    table = Table(Column("circuit", no_wrap=True), *_right("um2", "ps", "pJ", "accumulator"), box=SIMPLE_HEAD)
    for name, found in calibration.accumulations.items():
        share = calibration.accumulator_share(name)
        table.add_row(name, *_figures(found), "" if share is None else f"{100 * share:.0f} %")
    return table


def _right(*names: str) -> Sequence[Column]:
    return [Column(name, justify="right") for name in names]


def _figures(found: Calibrated) -> tuple[str, str, str]:
    figures = found.figures
    return _whole(figures.area_um2), _whole(figures.delay_ps), f"{figures.energy_fj / 1e3:.3g}"


def _whole(value: float) -> str:
    """Write a whole number, or one of three digits where it is small."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _explanation(calibration: Calibration) -> str:
    ratios = {name: found.ratio for name, found in calibration.operations.items() if found.ratio}
    lowest, highest = (choose(ratios, key=lambda name: ratios[name]) for choose in (min, max))
    low, high = (f"{ratios[name]:.2f}" for name in (lowest, highest))
    supply = f"({calibration.voltage:g} / {VOLTAGE:g})^2 = {calibration.voltage_factor:.2f}"
    savings = (
        f"{row.replacement.what} {row.arithmetic} = {100 * row.share:.1f} %"
        for row in paper_savings(calibration)
    )
    return "\n".join(
        [
            *(f"{table.node}: {table.source}." for table in TABLES),
            f"Ratio: ours over that of {HOROWITZ.node}.",
            FACTOR.format(supply=supply),
            VERDICT.format(low=low, lowest=lowest, high=high, highest=highest),
            f"What L-Mul saves by the paper's arithmetic, with our figures: {'; '.join(savings)}.",
        ]
    )
