"""The estimate *paper* for people: tables that fit 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from lmul.cost.published.claims import NOTES, PaperClaim, PaperClaims, Saving
from lmul.cost.published.horowitz import MEMORY, TABLE, VOLTAGE
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
    memory = ", ".join(name for name, entry in TABLE.items() if entry.provenance == MEMORY)
    return Group(
        _heading("What the paper claims of cost"),
        _statements(claims.statements),
        _heading("Published numbers of gates"),
        _totals(claims.totals),
        _heading("The rule for other formats: gates of a multiplier and of an L-Mul, and their ratio"),
        _formats(claims),
        Text(_rules_note()),
        Text(),
        _heading("Energy that L-Mul saves by Horowitz's table"),
        _savings(claims.savings),
        Text(
            f"pJ, 45 nm, {VOLTAGE:g} V, ISSCC 2014. From memory, not seen at a source: {memory}.\n"
            + "\n".join(NOTES)
        ),
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


def _savings(savings: Sequence[Saving]) -> Table:
    saves = Column("saves", justify="right", no_wrap=True)
    table = Table("operands", "what", "arithmetic", saves, box=SIMPLE_HEAD, pad_edge=False)
    for saving in savings:
        what = ", ".join(filter(None, (saving.what, saving.detail)))
        share = f"{saving.bound} {100 * saving.share:.1f} %".strip()
        table.add_row(saving.operands, what, saving.arithmetic, share)
    return table


def _heading(text: str) -> Text:
    return Text(text, style="bold")
