"""The paper's claims about cost, recomputed from its counting rule and from published energies.

A count is reproduced if it comes out exactly. Savings are published as round figures: one is reproduced for
operands with which a table of energies gives as much, or at most two points of a hundred less.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lmul.cost.published.energies import INT16_ADD, TABLES, EnergyTable
from lmul.cost.published.paper import PUBLISHED, RULES, Rule, lmul_terms, multiplier_terms
from lmul.golden import E4M3, E5M2, FORMATS, FP16, Format

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"

POINTS = 0.02
"""How far a saving may stay below a published round figure that it reproduces."""

TOTALS: tuple[tuple[str, str, Format, int], ...] = (
    ("fp16 multiplier", "exact", FP16, 584),
    ("e4m3 multiplier", "exact", E4M3, 325),
    ("e5m2 multiplier", "exact", E5M2, 296),
    ("fp16 L-Mul", "lmul", FP16, 256),
    ("fp8 L-Mul", "lmul", E4M3, 157),
)
"""What, multiplier, format and published number of gates."""

PRODUCT, DOT = "product", "dot product"
PUBLISHED_SAVINGS = {PRODUCT: 0.95, DOT: 0.80}
"""Of energy, by the paper: for element-wise products and for dot products."""

RULED_FORMATS = ("e4m3", "e5m2", "bf16", "fp16", "fp32")
"""Formats for which the rules are compared."""

NOTES = (
    "* int16 add is an interpolation, in no table: linear in the width, between int8 and int32.",
    "bf16 is not in the table of 45 nm. At least: an int8 mul in its place, which has the significands' "
    "8 x 8 bits and no exponent. At most: an fp16 mul, with 11 x 11 bits.",
    "fp8 is in neither table. At most: an int8 mul, 8 x 8 bits for 4 x 4 or 3 x 3, and an int8 add for the "
    "exponent. How much less an fp8 multiplier takes, the tables cannot say.",
    "Two additions: the fields, then the constant, as the paper counts them in its gates.",
)


@dataclass(frozen=True)
class Replacement:
    """What L-Mul puts in the place of a multiplication.

    Parameters
    ----------
    operands : str
    what : str
        `PRODUCT` or `DOT`.
    detail : str
        What is added to, or else special.
    bound : str
        Of the saving, ``"at least"`` or ``"at most"`` where other operations stand in; empty otherwise.
    lmul, multiplier : tuple of str
        Operations of either.
    """

    operands: str
    what: str
    detail: str
    bound: str
    lmul: tuple[str, ...]
    multiplier: tuple[str, ...]

    def saving(self, picojoules: Mapping[str, float]) -> "Saving":
        """Work out what is saved, from the energies of operations in pJ."""
        lmul, multiplier = (tuple(picojoules[name] for name in of) for of in (self.lmul, self.multiplier))
        return Saving(self, lmul, multiplier)


@dataclass(frozen=True)
class Saving:
    """Energy that L-Mul saves.

    Parameters
    ----------
    replacement : Replacement
    lmul, multiplier : tuple of float
        Energies of its operations, in pJ.
    """

    replacement: Replacement
    lmul: tuple[float, ...]
    multiplier: tuple[float, ...]

    @property
    def share(self) -> float:
        """What L-Mul saves of the multiplier's energy, as a fraction."""
        return 1 - sum(self.lmul) / sum(self.multiplier)

    @property
    def arithmetic(self) -> str:
        """The same as a Python expression."""
        lmul, multiplier = ([f"{energy:.3g}" for energy in of] for of in (self.lmul, self.multiplier))
        return f"1 - {_sum(lmul)} / {_sum(multiplier)}"

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values."""
        figures = {"lmul_pj": self.lmul, "multiplier_pj": self.multiplier}
        return asdict(self.replacement) | figures | {"arithmetic": self.arithmetic, "share": self.share}


def _dot(operands: str, sum_: str, bound: str, lmul: str, *multiplier: str) -> Replacement:
    """Add a product to a sum, on both sides."""
    add = f"{sum_} add"
    return Replacement(operands, DOT, f"{sum_} sum", bound, (lmul, add), (*multiplier, add))


FP32_PRODUCT = Replacement("fp32", PRODUCT, "", "", ("int32 add",), ("fp32 mul",))
FP32_DOT = _dot("fp32", "fp32", "", "int32 add", "fp32 mul")
"""What the paper's 95 % and 80 % come from."""

REPLACEMENTS = (
    FP32_PRODUCT,
    Replacement("fp32", PRODUCT, "two additions", "", ("int32 add", "int32 add"), ("fp32 mul",)),
    FP32_DOT,
    Replacement("fp16", PRODUCT, "", "", (INT16_ADD,), ("fp16 mul",)),
    _dot("fp16", "fp16", "", INT16_ADD, "fp16 mul"),
    _dot("fp16", "fp32", "", INT16_ADD, "fp16 mul"),
    Replacement("bf16", PRODUCT, "", "at least", (INT16_ADD,), ("int8 mul",)),
    Replacement("bf16", PRODUCT, "", "", (INT16_ADD,), ("bf16 mul",)),
    Replacement("bf16", PRODUCT, "", "at most", (INT16_ADD,), ("fp16 mul",)),
    _dot("bf16", "fp32", "at least", INT16_ADD, "int8 mul"),
    _dot("bf16", "fp32", "", INT16_ADD, "bf16 mul"),
    _dot("bf16", "fp32", "at most", INT16_ADD, "fp16 mul"),
    Replacement("fp8", PRODUCT, "", "at most", ("int8 add",), ("int8 mul", "int8 add")),
    _dot("fp8", "int32", "at most", "int8 add", "int8 mul", "int8 add"),
    _dot("fp8", "fp32", "at most", "int8 add", "int8 mul", "int8 add"),
)
"""What is worked out, by operands."""


@dataclass(frozen=True)
class PaperClaim:
    """A claim of the paper, and what came out here.

    Parameters
    ----------
    what : str
    published : str
    arithmetic : str
        How the recomputed figure comes about.
    recomputed : str
    verdict : str
        Whether it is reproduced, and under which conditions.
    """

    what: str
    published: str
    arithmetic: str
    recomputed: str
    verdict: str


@dataclass(frozen=True)
class PaperClaims:
    """All claims about cost, and the figures behind them.

    Parameters
    ----------
    totals : tuple of PaperClaim
        Numbers of gates.
    statements : tuple of PaperClaim
        Claims in words.
    savings : dict of str to tuple of Saving
        Of energy, for operands that the paper speaks of and for others, by the node of `TABLES`.
    gates : dict of str to dict of str to tuple of int
        Gates of a multiplier and of an L-Mul, by format and rule.
    """

    totals: tuple[PaperClaim, ...]
    statements: tuple[PaperClaim, ...]
    savings: dict[str, tuple[Saving, ...]]
    gates: dict[str, dict[str, tuple[int, int]]]

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values."""
        return {
            "totals": [asdict(claim) for claim in self.totals],
            "statements": [asdict(claim) for claim in self.statements],
            "savings": {node: [saving.as_dict() for saving in found] for node, found in self.savings.items()},
            "gates": {
                name: {rule: {"exact": exact, "lmul": lmul} for rule, (exact, lmul) in rules.items()}
                for name, rules in self.gates.items()
            },
            "tables_pj": {table.node: table.as_dict() for table in TABLES},
            "notes": NOTES,
        }


def paper_claims() -> PaperClaims:
    """Recompute the paper's claims about gates and energy."""
    gates = {name: {rule.name: gate_counts(FORMATS[name], rule) for rule in RULES} for name in RULED_FORMATS}
    found = {table.node: tuple(savings(table)) for table in TABLES}
    return PaperClaims(tuple(_totals()), (_fewer_gates(), *saving_claims()), found, gates)


def saving_claims() -> tuple[PaperClaim, ...]:
    """Recompute what the paper claims to save, from each table of published energies."""
    kinds = {PRODUCT: "element-wise products", DOT: "dot products"}
    return tuple(_saving_claim(whose, kind, table) for kind, whose in kinds.items() for table in TABLES)


def gate_counts(format_: Format, rule: Rule) -> tuple[int, int]:
    """Count the gates of a conventional multiplier and of an L-Mul."""
    exact, lmul = (
        sum(term.gates for term in terms(format_, rule)) for terms in (multiplier_terms, lmul_terms)
    )
    return exact, lmul


def savings(table: EnergyTable) -> Iterator[Saving]:
    """Work out what L-Mul saves by a table, wherever it has the operations."""
    picojoules = {**table.operations, INT16_ADD: table.int16_add}
    for replacement in REPLACEMENTS:
        if picojoules.keys() >= {*replacement.lmul, *replacement.multiplier}:
            yield replacement.saving(picojoules)


def _totals() -> Iterator[PaperClaim]:
    for what, mul, format_, published in TOTALS:
        terms = (lmul_terms if mul == "lmul" else multiplier_terms)(format_)
        total = sum(term.gates for term in terms)
        verdict = REPRODUCED if total == published else NOT_REPRODUCED
        arithmetic = " + ".join(term.arithmetic for term in terms)
        yield PaperClaim(what, str(published), arithmetic, str(total), verdict)


def _fewer_gates() -> PaperClaim:
    ratios = {}
    for rule in RULES:
        counts = [gate_counts(format_, rule) for format_ in (E4M3, E5M2)]
        ratios[rule.name] = [lmul / exact for exact, lmul in counts]
    texts = [f"{name}: {e4m3:.2f} and {e5m2:.2f}" for name, (e4m3, e5m2) in ratios.items()]
    (exact, lmul), (other, _) = (gate_counts(format_, PUBLISHED) for format_ in (E4M3, E5M2))
    holds = all(ratio < 1 for pair in ratios.values() for ratio in pair)
    return PaperClaim(
        "L-Mul takes significantly less computation than an fp8 multiplication (abstract)",
        "fewer gates",
        f"{lmul} / {exact} and {lmul} / {other}",
        f"of the gates, e4m3 and e5m2; {'; '.join(texts)}",
        f"{REPRODUCED}: fewer by every rule, half by the paper's" if holds else NOT_REPRODUCED,
    )


def _saving_claim(whose: str, kind: str, table: EnergyTable) -> PaperClaim:
    """Say for which operands a table gives what is published."""
    published = PUBLISHED_SAVINGS[kind]
    by_operands: dict[str, list[Saving]] = {}
    for row in savings(table):
        if row.replacement.what == kind:
            by_operands.setdefault(row.replacement.operands, []).append(row)
    holds = [name for name, group in by_operands.items() if any(_reaches(row, published) for row in group)]
    texts = [f"{name}: {', '.join(map(_saving_text, group))}" for name, group in by_operands.items()]
    first = next(iter(by_operands.values()))[0]
    return PaperClaim(
        f"L-Mul saves {_percent(published, 0)} of the energy of {whose}; at {table.node}",
        _percent(published, 0),
        first.arithmetic,
        "; ".join(texts),
        f"{REPRODUCED} for {', '.join(holds)} only" if holds else NOT_REPRODUCED,
    )


def _reaches(saving: Saving, published: float) -> bool:
    """Tell whether a saving is as large as published, whatever stands in."""
    return saving.replacement.bound != "at most" and saving.share >= published - POINTS


def _saving_text(saving: Saving) -> str:
    replacement = saving.replacement
    return " ".join(filter(None, (replacement.detail, replacement.bound, _percent(saving.share))))


def _sum(terms: Sequence[str]) -> str:
    text = " + ".join(terms)
    return f"({text})" if len(terms) > 1 else text


def _percent(fraction: float, decimals: int = 1) -> str:
    return f"{100 * fraction:.{decimals}f} %"
