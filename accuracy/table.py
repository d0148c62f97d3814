"""Accuracy for people: tables that fit 80 columns."""

import math
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.accuracy.dots import DotErrors
from lmul.accuracy.paper.claims import COMPARABLE, DERIVED, PAPER, ROUNDINGS, SOURCES, Claim, Claims
from lmul.accuracy.paper.constants import OFFSETS, BestConstants
from lmul.accuracy.paper.regions import REGIONS, Parting
from lmul.accuracy.products import DISTRIBUTIONS, EXHAUSTIVE_BITS, PAIRS, SEED
from lmul.accuracy.report import FormatReport, OperandsReport
from lmul.accuracy.statistics import Errors
from lmul.golden.formats.codec import Rounding

HEADINGS = ("mean, %", "mean abs., %", "RMS, %", "largest, %")
DOT_NOTE = (
    "bias: how much they are stretched (least-squares gain less one); noise: the RMS of what is left, over "
    "the RMS of the true dot products."
)
ROUNDED: dict[Rounding, str] = {"nearest": "operands rounded to nearest", "truncate": "truncated operands"}


def format_table(report: FormatReport) -> Group:
    """Lay out the accuracy of multipliers over a format."""
    pairs = f"{report.pairs:,} random pairs, seed {report.seed}"
    rounded = ROUNDED[report.rounding]
    parts: list[RenderableType] = [Text(f"{report.format.name}: products are whole, and exact."), Text()]
    if report.codes:
        title = f"{report.format.name}: rounded products of bit patterns, against their exact products"
        parts = [_heading(title), _codes(report), Text(_codes_note(report))]
    for distribution, errors in report.operands.items():
        title = f"{rounded}, against them before: {DISTRIBUTIONS[distribution]}"
        parts += [Text(), _heading(f"{report.format.name}, {title}"), errors_table(errors)]
    if report.operands:
        parts += [Text(f"{pairs}; exponents unbounded, products not rounded."), Text()]
    parts += [
        _heading(f"Dot products of {report.length:,}, {rounded}"),
        dots_table({"Gaussian": report.dots["gaussian"], "same sign": report.dots["same_sign"]}),
        Text(
            f"{_dot_count(report.dots['gaussian'])} random dot products, against them before quantisation. "
            f"Each matrix is scaled to the largest number of {report.format.name}. {DOT_NOTE}"
        ),
    ]
    return Group(*parts)


def operands_table(report: OperandsReport) -> Group:
    """Lay out the accuracy of multipliers on the operands of a file."""
    rows, depth, columns = report.shape
    products = report.products
    size = f"{rows:,} x {depth:,} by {depth:,} x {columns:,}"
    compared = next(iter(products.errors.values())).count
    counts = f"{compared:,} of {products.products:,} products"
    scales = "" if report.scaling == "tensor" else f", scales: {report.scaling}"
    if products.drawn:
        counts += " (random steps k)"
    return Group(
        _heading(f"{report.name}: {size}, {report.format.name}, {ROUNDED[report.rounding]}{scales}"),
        errors_table(products.errors),
        Text(
            f"{counts}, against those before quantisation; {products.zeros:,} left out "
            f"for being zero, {products.flushed:,} count -100 % because an operand became zero. "
            "exact: what quantisation costs alone."
        ),
        Text(),
        _heading(f"Dot products of {depth:,}"),
        dots_table({"": report.dots}),
        Text(f"{_dot_count(report.dots)} dot products, against those before quantisation. {DOT_NOTE}"),
    )


def errors_table(errors: Mapping[str, Errors]) -> Table:
    """Lay out errors, a row a multiplier."""
    table = _table("multiplier", HEADINGS)
    for mul, row in errors.items():
        table.add_row(mul, *_errors(row))
    return table


def dots_table(groups: Mapping[str, Mapping[str, DotErrors]]) -> Table:
    """Lay out errors of dot products, a row a multiplier, two columns for each kind of operands."""
    kinds = [f"{kind}: " if kind else "" for kind in groups]
    table = _table("multiplier", [f"{kind}{what}, %" for kind in kinds for what in ("bias", "noise")])
    for mul in next(iter(groups.values())):
        cells = [(dots[mul].bias, dots[mul].noise) for dots in groups.values()]
        table.add_row(mul, *(text for bias, noise in cells for text in (_signed(bias), _percent(noise))))
    return table


def claims_table(claims: Claims) -> Group:
    """Lay out published and expected figures beside the recomputed ones."""
    parts: list[RenderableType] = [
        _heading("What the paper claims"),
        _statements(claims.statements),
        Text(
            f"RMS: relative error of {PAIRS:,} random products (seed {SEED}) against the operands before "
            f"rounding. Comparable: at most {100 * (COMPARABLE - 1):.0f} % above it, better: below it, for "
            "uniform mantissas (shown) and for Gaussian operands. e4m3 and e5m2: exact product of operands "
            "rounded to nearest."
        ),
    ]
    for heading, figures in claims.figures.items():
        sources = ", ".join(sorted({claim.source for claim in figures}))
        parts += [Text(), _heading(f"{heading} ({sources})"), _figures(figures)]
    parts += [
        Text("Reproduced: at most one unit of the last printed digit apart."),
        Text(),
        _heading("Where the formula and the integer addition of L-Mul part"),
        _partings(claims.partings),
        Text(
            "S = xm + ym + 2^-l. Formula: 1 + S. Integer addition: 1 + S, 2S and 4(S - 1) in the three "
            "regions. Difference of the two over the formula, all pairs of mantissas counting the same."
        ),
    ]
    for rounding in ROUNDINGS:
        rows = [best for best in claims.constants if best.rounding == rounding]
        title = f"Best constant of integer addition, {ROUNDED[rounding]}"
        parts += [Text(), _heading(title), _constants(rows)]
    parts += [
        Text(
            "RMS relative error against the operands before rounding, uniform mantissas. l from "
            f"{OFFSETS[0]} to {OFFSETS[-1]}; above m the constant is less than a unit in the last place."
        ),
        Text(),
        Text("\n".join(f"{source}: {SOURCES[source]}." for source in (PAPER, DERIVED))),
    ]
    return Group(*parts)


def _codes(report: FormatReport) -> Table:
    first = next(iter(report.codes.values())).errors
    what = f"nearest, of {first.count:,}" if _exhaustive(report) else "nearest, %"
    table = _table("multiplier", (*HEADINGS, what))
    for mul, row in report.codes.items():
        share = f"{100 * row.nearest / row.errors.count:.2f}"
        table.add_row(mul, *_errors(row.errors), f"{row.nearest:,}" if _exhaustive(report) else share)
    return table


def _codes_note(report: FormatReport) -> str:
    bits = report.format.mantissa_bits
    pairs = (
        f"all 2^{bits} x 2^{bits} pairs of mantissas"
        if _exhaustive(report)
        else f"{report.pairs:,} random pairs"
    )
    means = ", ".join(f"{mul} {_signed(mean)} %" for mul, mean in report.expected_means.items())
    return (
        f"Uniform mantissas, {pairs}; exponents unbounded. nearest: as near as any number "
        f"of {bits} mantissa bits. Mean of unrounded products by closed form: {means}."
    )


def _exhaustive(report: FormatReport) -> bool:
    return report.format.mantissa_bits <= EXHAUSTIVE_BITS


def _statements(claims: Sequence[Claim]) -> Table:
    columns = [Column(name, ratio=ratio) for name, ratio in (("claim", 5), ("recomputed", 6), ("verdict", 4))]
    table = Table(*columns, box=SIMPLE_HEAD, show_lines=True, pad_edge=False)
    for claim in claims:
        table.add_row(claim.what, claim.recomputed, claim.verdict)
    return table


def _figures(claims: Sequence[Claim]) -> Table:
    right = [Column(name, justify="right") for name in ("expected", "recomputed")]
    unit = [Column("unit", no_wrap=True)] if any(claim.unit for claim in claims) else []
    table = Table("", *unit, *right, "verdict", box=SIMPLE_HEAD, pad_edge=False)
    for claim in claims:
        units = [claim.unit] if unit else []
        table.add_row(claim.what, *units, claim.published, claim.recomputed, claim.verdict)
    return table


def _partings(partings: Mapping[str, Parting]) -> Table:
    regions = [f"{region}, %" for region in REGIONS]
    table = _table("format", ("m", *regions, "mean diff., %", "largest diff., %"))
    for name, parting in partings.items():
        shares = (_percent(share) for share in parting.shares)
        table.add_row(
            name, str(parting.mantissa_bits), *shares, _percent(parting.mean), _percent(parting.largest)
        )
    return table


def _constants(rows: Iterable[BestConstants]) -> Table:
    headings = ("none: RMS, %", "l(m)", "RMS, %", "best l", "RMS, %", "best constant", "RMS, %")
    table = _table("m", headings)
    for row in rows:
        table.add_row(
            str(row.mantissa_bits),
            _percent(row.none_rms),
            str(row.paper_offset),
            _percent(row.paper_rms),
            str(row.offset),
            _percent(row.offset_rms),
            f"{row.constant:.4f}",
            _percent(row.constant_rms),
        )
    return table


def _table(first: str, others: Iterable[str]) -> Table:
    columns = (Column(name, justify="right") for name in others)
    return Table(Column(first, no_wrap=True), *columns, box=SIMPLE_HEAD, pad_edge=False)


def _heading(text: str) -> Text:
    return Text(text, style="bold")


def _errors(errors: Errors) -> tuple[str, ...]:
    return (
        _signed(errors.mean),
        _percent(errors.mean_absolute),
        _percent(errors.rms),
        _signed(errors.largest),
    )


def _dot_count(dots: Mapping[str, DotErrors]) -> str:
    return f"{next(iter(dots.values())).count:,}"


def _signed(fraction: float) -> str:
    return _percent(fraction, "+")


def _percent(fraction: float, sign: str = "") -> str:
    """Write a fraction in %, small ones with three digits."""
    if math.isnan(fraction):
        return "-"
    percent = 100 * fraction
    if percent and abs(percent) < 0.01:
        return f"{percent:{sign}.1e}"
    return f"{percent:{sign}.2f}"
