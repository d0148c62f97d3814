"""The paper's claims about cost, recomputed from its counting rule and from Horowitz's table of energies.

A count is reproduced if it comes out exactly. Savings are published as round figures: one is reproduced for
operands with which the table gives as much, or at most two points of a hundred less.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from lmul.cost.published.horowitz import PROVENANCE, TABLE
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

_INT8_ADD, _INT32_ADD = TABLE["int8 add"].picojoules, TABLE["int32 add"].picojoules
INT16_ADD = _INT8_ADD + (_INT32_ADD - _INT8_ADD) * (16 - 8) / (32 - 8)
"""In pJ: not in the table, but on the line through its additions of 8 and 32 bits."""

NOTES = (
    "int16 add is not in the table: interpolated, linear in the width, between int8 and int32.",
    "bf16 is not in the table. At least: an int8 mul in its place, which has the significands' 8 x 8 bits "
    "and no exponent. At most: an fp16 mul, with 11 x 11 bits.",
    "fp8 is not in the table. At most: an int8 mul, 8 x 8 bits for 4 x 4 or 3 x 3, and an int8 add for the "
    "exponent. How much less an fp8 multiplier takes, the table cannot say.",
    "Two additions: the fields, then the constant, as the paper counts them in its gates.",
)


@dataclass(frozen=True)
class Saving:
    """Energy that L-Mul saves, by the table.

    Parameters
    ----------
    operands : str
    what : str
        `PRODUCT` or `DOT`.
    detail : str
        What is added to, or else special.
    bound : str
        ``"at least"`` or ``"at most"`` where other operations stand in; empty otherwise.
    lmul, multiplier : tuple of float
        Energies of the operations of either, in pJ.
    """

    operands: str
    what: str
    detail: str
    bound: str
    lmul: tuple[float, ...]
    multiplier: tuple[float, ...]

    @property
    def share(self) -> float:
        """What L-Mul saves of the multiplier's energy, as a fraction."""
        return 1 - sum(self.lmul) / sum(self.multiplier)

    @property
    def arithmetic(self) -> str:
        """The same as a Python expression."""
        return f"1 - {_sum(self.lmul)} / {_sum(self.multiplier)}"


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
    savings : tuple of Saving
        Of energy, for operands that the paper speaks of and for others.
    gates : dict of str to dict of str to tuple of int
        Gates of a multiplier and of an L-Mul, by format and rule.
    """

    totals: tuple[PaperClaim, ...]
    statements: tuple[PaperClaim, ...]
    savings: tuple[Saving, ...]
    gates: dict[str, dict[str, tuple[int, int]]]

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values."""
        return {
            "totals": [asdict(claim) for claim in self.totals],
            "statements": [asdict(claim) for claim in self.statements],
            "savings": [
                asdict(saving) | {"arithmetic": saving.arithmetic, "share": saving.share}
                for saving in self.savings
            ],
            "gates": {
                name: {rule: {"exact": exact, "lmul": lmul} for rule, (exact, lmul) in rules.items()}
                for name, rules in self.gates.items()
            },
            "table_pj": {name: asdict(entry) for name, entry in TABLE.items()},
            "provenance": PROVENANCE,
            "notes": NOTES,
        }


def paper_claims() -> PaperClaims:
    """Recompute the paper's claims about gates and energy."""
    found = tuple(savings())
    gates = {name: {rule.name: gate_counts(FORMATS[name], rule) for rule in RULES} for name in RULED_FORMATS}
    statements = (
        _fewer_gates(),
        _saving_claim("L-Mul saves 95 % of the energy of element-wise products", PRODUCT, found),
        _saving_claim("L-Mul saves 80 % of the energy of dot products", DOT, found),
    )
    return PaperClaims(tuple(_totals()), statements, found, gates)


def gate_counts(format_: Format, rule: Rule) -> tuple[int, int]:
    """Count the gates of a conventional multiplier and of an L-Mul."""
    exact, lmul = (
        sum(term.gates for term in terms(format_, rule)) for terms in (multiplier_terms, lmul_terms)
    )
    return exact, lmul


def savings() -> Iterator[Saving]:
    """Work out what L-Mul saves, by operands and what they are used for."""
    pj = {name: entry.picojoules for name, entry in TABLE.items()}
    fp32, fp16, add16, add32 = pj["fp32 add"], pj["fp16 add"], INT16_ADD, pj["int32 add"]
    mul32, mul16, mul8, add8 = pj["fp32 mul"], pj["fp16 mul"], pj["int8 mul"], pj["int8 add"]
    yield Saving("fp32", PRODUCT, "", "", (add32,), (mul32,))
    yield Saving("fp32", PRODUCT, "two additions", "", (add32, add32), (mul32,))
    yield Saving("fp32", DOT, "fp32 sum", "", (add32, fp32), (mul32, fp32))
    yield Saving("fp16", PRODUCT, "", "", (add16,), (mul16,))
    yield Saving("fp16", DOT, "fp16 sum", "", (add16, fp16), (mul16, fp16))
    yield Saving("fp16", DOT, "fp32 sum", "", (add16, fp32), (mul16, fp32))
    for bound, mul in (("at least", mul8), ("at most", mul16)):
        yield Saving("bf16", PRODUCT, "", bound, (add16,), (mul,))
        yield Saving("bf16", DOT, "fp32 sum", bound, (add16, fp32), (mul, fp32))
    yield Saving("fp8", PRODUCT, "", "at most", (add8,), (mul8, add8))
    yield Saving("fp8", DOT, "int32 sum", "at most", (add8, add32), (mul8, add8, add32))
    yield Saving("fp8", DOT, "fp32 sum", "at most", (add8, fp32), (mul8, add8, fp32))


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


def _saving_claim(what: str, kind: str, found: tuple[Saving, ...]) -> PaperClaim:
    """Say for which operands the table gives what is published."""
    published = PUBLISHED_SAVINGS[kind]
    rows = [saving for saving in found if saving.what == kind]
    operands = list(dict.fromkeys(saving.operands for saving in rows))
    by_operands = {name: [row for row in rows if row.operands == name] for name in operands}
    holds = [name for name, group in by_operands.items() if any(_reaches(row, published) for row in group)]
    texts = [f"{name}: {', '.join(map(_saving_text, group))}" for name, group in by_operands.items()]
    return PaperClaim(
        what,
        _percent(published, 0),
        rows[0].arithmetic,
        "; ".join(texts),
        f"{REPRODUCED} for {' and '.join(holds)} only" if holds else NOT_REPRODUCED,
    )


def _reaches(saving: Saving, published: float) -> bool:
    """Tell whether a saving is as large as published, whatever stands in."""
    return saving.bound != "at most" and saving.share >= published - POINTS


def _saving_text(saving: Saving) -> str:
    return " ".join(filter(None, (saving.detail, saving.bound, _percent(saving.share))))


def _sum(energies: tuple[float, ...]) -> str:
    text = " + ".join(f"{energy:.3g}" for energy in energies)
    return f"({text})" if len(energies) > 1 else text


def _percent(fraction: float, decimals: int = 1) -> str:
    return f"{100 * fraction:.{decimals}f} %"
