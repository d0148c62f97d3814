"""The estimate *paper*: gates by the counting rule of the paper itself, Luo and Sun, arXiv 2410.00907.

The paper counts gates of 8- and 16-bit multipliers from a handful of numbers: 11 for a full adder, 5 for a
half adder, 4 for an XOR, 1 for a NAND, an AND or an OR. It publishes these numbers and five totals; the terms
below were chosen because all five follow from them. They leave out zeros, subnormals, overflow, NaN, depth
and wires.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from lmul.design import Design
from lmul.errors import Parameter, UserError
from lmul.golden import Format
from lmul.multipliers.lmul import lmul_offset

FULL_ADDER = 11
"""Gates of a full adder (paper)."""

HALF_ADDER = 5
"""Gates of a half adder (paper)."""

XOR = 4
"""Gates of an XOR (paper)."""

EXPONENT_ADDERS = 3
"""Adders for the exponent of a multiplier, derived: with as many the three published totals come out."""

EXPONENT_ADDER_BITS = 8
"""Width of those, and of the adder for L-Mul's constant, whatever the format; derived likewise."""

FIELD_BITS = {"fp16": 16}
"""Width of L-Mul's addition of fields where the published total needs more than exponent and mantissa."""


@dataclass(frozen=True)
class Rule:
    """A way to count.

    Parameters
    ----------
    name : str
    fitted : bool
        Adders as wide as what they add, where the paper has 8 bits for every format.
    whole_array : bool
        All adders of an array multiplier, (M+1)(M-1) full and M+1 half ones, where the paper has 2M-2 and 3.
    source : str
        Whose rule it is.
    """

    name: str
    fitted: bool
    whole_array: bool
    source: str


PUBLISHED = Rule("paper", False, False, "the paper's, with 8-bit adders for exponent and constant")
FITTED = Rule("fitted", True, False, "ours: those adders as wide as exponent and constant are")
WHOLE = Rule("whole array", True, True, "ours: fitted, and every adder of the significand array")
RULES = (PUBLISHED, FITTED, WHOLE)


@dataclass(frozen=True)
class Term:
    """A summand of a gate count.

    Parameters
    ----------
    name : str
        What the gates do.
    arithmetic : str
        How their number comes about, a Python expression.
    gates : int
    """

    name: str
    arithmetic: str
    gates: int


@dataclass(frozen=True)
class PaperCost:
    """Gates of a multiplier by the paper's rule and by ours.

    Parameters
    ----------
    design : Design
    terms : dict of str to tuple of Term
        By the name of the rule; empty for a multiplier that the paper has no rule for.
    """

    design: Design
    terms: dict[str, tuple[Term, ...]]

    def gates(self, rule: Rule = PUBLISHED) -> int | None:
        """Add up the terms of a rule; None where there is none."""
        return sum(term.gates for term in self.terms[rule.name]) if self.terms else None

    def as_dict(self) -> dict[str, Any]:
        """Give the counts as plain values."""
        rules = {
            rule.name: {
                "source": rule.source,
                "gates": self.gates(rule),
                "terms": [asdict(term) for term in self.terms[rule.name]],
            }
            for rule in RULES
            if self.terms
        }
        return {"design": self.design.parameters(), "estimate": "paper", "rules": rules}


def estimate_paper(design: Design) -> PaperCost:
    """Count the gates of a multiplier as the paper does.

    Parameters
    ----------
    design : Design
        A `mul`: the paper counts no accumulators and no registers.

    Raises
    ------
    UserError
        The design is not a combinational multiplier.
    """
    if design.adds_products or design.pipeline:
        raise UserError(
            "the paper counts the gates of a combinational multiplier only: take mul without ",
            Parameter("pipeline"),
        )
    count = TERMS.get(design.mul)
    return PaperCost(design, {rule.name: count(design.format, rule) for rule in RULES} if count else {})


def multiplier_terms(format_: Format, rule: Rule = PUBLISHED) -> tuple[Term, ...]:
    """Count a conventional multiplier.

    Parameters
    ----------
    format_ : Format
    rule : Rule
    """
    bits = format_.mantissa_bits
    width = format_.exponent_bits if rule.fitted else EXPONENT_ADDER_BITS
    half, full = (bits + 1, (bits + 1) * (bits - 1)) if rule.whole_array else (3, 2 * bits - 2)
    return (
        _sign(),
        Term(
            "exponents, bias, rounding",
            f"{EXPONENT_ADDERS} * ({_adders(1, width - 1)})",
            EXPONENT_ADDERS * adder_gates(width),
        ),
        Term("partial products", f"{bits + 1} * {bits + 1}", (bits + 1) ** 2),
        Term("array of adders", _adders(half, full), half * HALF_ADDER + full * FULL_ADDER),
    )


def lmul_terms(format_: Format, rule: Rule = PUBLISHED) -> tuple[Term, ...]:
    """Count an L-Mul.

    Parameters
    ----------
    format_ : Format
    rule : Rule
    """
    field = format_.exponent_bits + format_.mantissa_bits
    constant = EXPONENT_ADDER_BITS
    if rule.fitted:
        # Below its lowest one the constant adds nothing.
        constant = format_.exponent_bits + lmul_offset(format_.mantissa_bits)
    else:
        field = FIELD_BITS.get(format_.name, field)
    return (
        _sign(),
        Term("sum of the fields", _adders(1, field - 1), adder_gates(field)),
        Term("constant", _adders(1, constant - 1), adder_gates(constant)),
    )


TERMS: dict[str, Callable[[Format, Rule], tuple[Term, ...]]] = {
    "exact": multiplier_terms,
    "lmul": lmul_terms,
}
"""How to count each multiplier that the paper has a rule for."""


def adder_gates(bits: int) -> int:
    """Count a ripple-carry adder: a half adder, then full ones."""
    return HALF_ADDER + (bits - 1) * FULL_ADDER


def _sign() -> Term:
    return Term("sign", str(XOR), XOR)


def _adders(half: int, full: int) -> str:
    """Write out the gates of half and full adders."""
    first = f"{half} * {HALF_ADDER}" if half > 1 else str(HALF_ADDER)
    return f"{first} + {full} * {FULL_ADDER}"
