"""The estimate *paper* for people: tables that fit 80 columns."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.published.claims import DOT, NOTES, REPLACEMENTS, PaperClaim, PaperClaims, Replacement
from lmul.cost.published.energies import INT16_ADD, TABLES
from lmul.cost.published.paper import RULES, PaperCost

SOURCE = "Luo and Sun, arXiv 2410.00907: full adder 11 gates, half adder 5, XOR 4, NAND, AND, OR 1."
LIMITS = (
    "Counted, not built: no zeros, subnormals, overflow or NaN; neither depth nor wires; a gate is a gate. "
    "The terms are ours, chosen because all five published totals follow from them."
)


def paper_table(costs: Sequence[PaperCost]) -> Group:
    """Lay out the gates of multipliers by the paper's rule, term by term, then by every rule.

    Parameters
    ----------
    costs : sequence of PaperCost
        Of multipliers of one format.
    """
    ruled = [cost for cost in costs if cost.terms]
    parts: list[RenderableType] = []
    for cost in ruled:
        parts += [_heading(f"{cost.design.mul} {cost.design.format.name}: gates by the paper"), _terms(cost)]
    if ruled:
        parts += [_heading("By other rules"), _rules(ruled), Text(_rules_note())]
    missing = [cost.design.mul for cost in costs if not cost.terms]
    if missing:
        parts.append(Text(f"No rule in the paper for {', '.join(missing)}."))
    if "mitchell" in missing:
        parts.append(Text("Any constant counts as one adder, so mitchell would count as lmul does."))
    return Group(*parts, Text(f"{SOURCE} {LIMITS}"))


def paper_claims_table(claims: PaperClaims) -> Group:
    """Lay out what the paper claims of gates and energy beside what was recomputed."""
    return Group(
        _heading("What the paper claims of cost"),
        _statements(claims.statements),
        _heading("Published numbers of gates"),
        _totals(claims.totals),
        _heading("The rule for other formats: gates of a multiplier and of an L-Mul, and their ratio"),
        _formats(claims),
        Text(_rules_note()),
        Text(),
        _heading("Energy of an operation, pJ"),
        _energies(),
        Text(_energies_note()),
        Text(),
        _heading("Energy that L-Mul saves by these figures, in %"),
        _savings(claims),
        Text("\n".join(NOTES)),
        Text(),
        Text(f"{SOURCE} {LIMITS}"),
    )


def _terms(cost: PaperCost) -> Table:
    (rule, terms), *_ = cost.terms.items()
    table = Table(
        Column("", ratio=3), Column(rule, ratio=3), Column("gates", justify="right"), box=SIMPLE_HEAD
    )
    for term in terms:
        table.add_row(term.name, term.arithmetic, str(term.gates))
    table.add_row("total", "", str(cost.gates()), style="bold")
    return table


def _rules(costs: Sequence[PaperCost]) -> Table:
    table = Table("rule", *(Column(cost.design.mul, justify="right") for cost in costs), box=SIMPLE_HEAD)
    last = costs[-1]
    for cost in costs[:-1]:
        table.add_column(f"{cost.design.mul}/{last.design.mul}", justify="right")
    for rule in RULES:
        gates = [cost.gates(rule) or 0 for cost in costs]
        table.add_row(rule.name, *map(str, gates), *(f"{count / gates[-1]:.2f}" for count in gates[:-1]))
    return table


def _rules_note() -> str:
    return "\n".join(f"{rule.name}: {rule.source}." for rule in RULES)


def _statements(claims: Sequence[PaperClaim]) -> Table:
    columns = [Column(name, ratio=ratio) for name, ratio in (("claim", 5), ("recomputed", 6), ("verdict", 4))]
    table = Table(*columns, box=SIMPLE_HEAD, show_lines=True, pad_edge=False)
    for claim in claims:
        table.add_row(claim.what, f"{claim.arithmetic}: {claim.recomputed}", claim.verdict)
    return table


def _totals(claims: Sequence[PaperClaim]) -> Table:
    right = [Column(name, justify="right") for name in ("published", "recomputed")]
    table = Table("", "arithmetic", *right, "verdict", box=SIMPLE_HEAD, pad_edge=False)
    for claim in claims:
        table.add_row(claim.what, claim.arithmetic, claim.published, claim.recomputed, claim.verdict)
    return table


def _formats(claims: PaperClaims) -> Table:
    columns = (Column(rule.name, justify="right") for rule in RULES)
    table = Table(Column("format", no_wrap=True), *columns, box=SIMPLE_HEAD, pad_edge=False)
    for name, rules in claims.gates.items():
        cells = [f"{exact} : {lmul}  {lmul / exact:.2f}" for exact, lmul in rules.values()]
        table.add_row(name, *cells)
    return table


def _energies() -> Table:
    """Lay out the published energies side by side, and what is interpolated between them."""
    table = Table("operation", *_nodes(), box=SIMPLE_HEAD, pad_edge=False)
    for name in dict.fromkeys(name for source in TABLES for name in source.operations):
        found = (source.operations.get(name) for source in TABLES)
        table.add_row(name, *("" if energy is None else f"{energy:g}" for energy in found))
    table.add_row(f"{INT16_ADD}*, interpolated", *(f"{source.int16_add:.2g}" for source in TABLES))
    return table


def _energies_note() -> str:
    return "\n".join(f"{source.node}: {source.source}." for source in TABLES)


def _savings(claims: PaperClaims) -> Table:
    what = Column("what", no_wrap=True)
    table = Table(
        "", what, "operations", "", *_nodes(), box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for row in savings_rows(claims):
        table.add_row(*row)
    return table


def savings_rows(claims: PaperClaims) -> Iterator[tuple[str, ...]]:
    """Give operands, what, operations, bound, and what is saved at each node in %, as people read them."""
    shares = {
        node: {saving.replacement: saving.share for saving in found} for node, found in claims.savings.items()
    }
    for row in REPLACEMENTS:
        what = ", ".join(filter(None, (row.what, row.detail)))
        found = (shares[source.node].get(row) for source in TABLES)
        cells = ("" if share is None else f"{100 * share:.1f}" for share in found)
        yield row.operands, what, _exchanged(row), row.bound, *cells


def _exchanged(row: Replacement) -> str:
    """Name what is put in whose place, without the sum that both have; a star is an interpolation."""
    both = -1 if row.what == DOT else None
    names = " for ".join(" + ".join(names[:both]) for names in (row.lmul, row.multiplier))
    return names.replace(INT16_ADD, f"{INT16_ADD}*")


def _nodes() -> Sequence[Column]:
    return [Column(source.node, justify="right", no_wrap=True) for source in TABLES]


def _heading(text: str) -> Text:
    return Text(text, style="bold")
