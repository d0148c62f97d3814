"""The paper's rule gives the published numbers of gates, and its energy claims follow from the table."""

import json

import pytest
from rich.console import Console, RenderableType

from lmul.cost.published.claims import (
    DOT,
    NOT_REPRODUCED,
    PRODUCT,
    REPRODUCED,
    gate_counts,
    paper_claims,
    savings,
)
from lmul.cost.published.energies import HOROWITZ, TABLES, TPUV4I, EnergyTable
from lmul.cost.published.paper import FITTED, PUBLISHED, RULES, WHOLE, adder_gates, estimate_paper
from lmul.cost.published.table import paper_claims_table, paper_table, savings_rows
from lmul.design import make_design
from lmul.errors import UserError
from lmul.golden import FORMATS, find_format


def lines(table: RenderableType) -> list[str]:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


@pytest.mark.parametrize(
    ("mul", "format_", "gates"),
    [
        ("exact", "fp16", 584),
        ("exact", "e4m3", 325),
        ("exact", "e5m2", 296),
        ("lmul", "fp16", 256),
        ("lmul", "e4m3", 157),
        ("lmul", "e5m2", 157),
    ],
)
def test_published_totals_come_out_exactly(mul: str, format_: str, gates: int) -> None:
    assert estimate_paper(make_design("mul", mul=mul, format=format_)).gates() == gates


@pytest.mark.parametrize("format_", [*FORMATS, "e8m1", "e2m23"])
@pytest.mark.parametrize("mul", ["lmul", "exact"])
def test_the_arithmetic_that_is_shown_is_what_is_counted(mul: str, format_: str) -> None:
    cost = estimate_paper(make_design("mul", mul=mul, format=format_))
    for rule in RULES:
        terms = cost.terms[rule.name]
        assert all(eval(term.arithmetic, {}) == term.gates for term in terms)  # noqa: S307
        assert sum(term.gates for term in terms) == cost.gates(rule)


def test_an_exponent_of_eight_bits_needs_no_extension_of_the_multiplier() -> None:
    for name in ("bf16", "fp32"):
        assert gate_counts(FORMATS[name], FITTED)[0] == gate_counts(FORMATS[name], PUBLISHED)[0]
    for name in ("e4m3", "e5m2", "fp16"):
        narrower = 3 * (adder_gates(8) - adder_gates(FORMATS[name].exponent_bits))
        assert gate_counts(FORMATS[name], PUBLISHED)[0] - gate_counts(FORMATS[name], FITTED)[0] == narrower


@pytest.mark.parametrize("bits", [1, 2, 3, 7, 10, 23])
def test_whole_array_adds_every_partial_product_once(bits: int) -> None:
    # A full adder takes one bit away, a half adder none: n^2 partial products become 2n bits.
    (*_, array) = estimate_paper(make_design("mul", mul="exact", format=f"e5m{bits}")).terms[WHOLE.name]
    full = (array.gates - (bits + 1) * 5) // 11
    assert (bits + 1) ** 2 - full == 2 * (bits + 1)


def test_nothing_is_counted_where_the_paper_has_no_rule() -> None:
    for mul in ("mitchell", "addc"):
        cost = estimate_paper(make_design("mul", mul=mul))
        assert cost.gates() is None
        assert cost.as_dict()["rules"] == {}
    for design in (make_design("dot"), make_design("array"), make_design("mul", pipeline=1)):
        with pytest.raises(UserError, match="combinational multiplier only"):
            estimate_paper(design)


def test_claims_get_their_verdicts() -> None:
    claims = paper_claims()
    assert {claim.verdict for claim in claims.totals} == {REPRODUCED}
    fewer, *verdicts = (claim.verdict for claim in claims.statements)
    assert fewer.startswith(REPRODUCED)
    assert verdicts == [
        "reproduced for fp32, fp16 only",
        "reproduced for fp32, fp16, bf16 only",
        "reproduced for fp32 only",
        NOT_REPRODUCED,
    ]


def shares(table: EnergyTable) -> dict[tuple[str, ...], float]:
    """Give the savings by operands, what, detail and bound."""
    rows = ((saving.replacement, saving.share) for saving in savings(table))
    return {(row.operands, row.what, row.detail, row.bound): share for row, share in rows}


def test_savings_are_those_of_the_tables() -> None:
    old, new = shares(HOROWITZ), shares(TPUV4I)
    assert old["fp32", PRODUCT, "", ""] == pytest.approx(1 - 0.1 / 3.7)
    assert old["fp32", PRODUCT, "two additions", ""] == pytest.approx(0.946, abs=5e-4)
    assert old["fp32", DOT, "fp32 sum", ""] == pytest.approx(0.783, abs=5e-4)
    assert old["fp8", DOT, "fp32 sum", "at most"] == pytest.approx(0.177, abs=5e-4)
    assert new["fp32", PRODUCT, "", ""] == pytest.approx(1 - 0.03 / 1.31)
    assert new["fp32", DOT, "fp32 sum", ""] == pytest.approx(1 - (0.03 + 0.38) / (1.31 + 0.38))
    assert new["fp8", PRODUCT, "", "at most"] == pytest.approx(1 - 0.007 / (0.07 + 0.007))


def test_the_arithmetic_of_a_saving_is_what_is_worked_out() -> None:
    for saving in (saving for table in TABLES for saving in savings(table)):
        assert eval(saving.arithmetic, {}) == pytest.approx(saving.share, abs=1e-3)  # noqa: S307


def test_operations_that_a_table_has_not_are_bounded_or_left_out() -> None:
    assert ("bf16", PRODUCT, "", "") not in shares(HOROWITZ)
    # Where bf16 is in the table, what stands in for it elsewhere is on either side.
    for detail, what in (("", PRODUCT), ("fp32 sum", DOT)):
        least, is_, most = (
            shares(TPUV4I)["bf16", what, detail, bound] for bound in ("at least", "", "at most")
        )
        assert least < is_ < most


def test_an_interpolation_is_marked_wherever_it_is_printed() -> None:
    claims = paper_claims()
    assert all("int16 add" not in table.operations for table in TABLES)
    assert HOROWITZ.int16_add == pytest.approx(0.03 + 0.07 / 3)
    assert any("int16 add*, interpolated" in line for line in lines(paper_claims_table(claims)))
    rows = [row for row in savings_rows(claims) if "int16" in " ".join(row)]
    assert rows and all("int16 add* for" in operations for _, _, operations, *_ in rows)
    found = json.loads(json.dumps(claims.as_dict()))["tables_pj"]["7 nm"]
    assert found["interpolated"] == {"int16 add": pytest.approx(0.007 + 0.023 / 3)}


def test_tables_fit_80_columns_and_figures_fit_a_file() -> None:
    designs = [make_design("mul", mul=mul, format="e4m3") for mul in ("lmul", "mitchell", "addc", "exact")]
    claims = paper_claims()
    shown = lines(paper_table([estimate_paper(design) for design in designs])) + lines(
        paper_claims_table(claims)
    )
    assert max(map(len, shown)) <= 80
    assert any("No rule in the paper for mitchell, addc" in line for line in shown)
    assert not any("…" in line for line in shown)
    assert json.loads(json.dumps(claims.as_dict()))["gates"]["e4m3"]["paper"] == {"exact": 325, "lmul": 157}
    assert json.loads(json.dumps(estimate_paper(designs[0]).as_dict()))["rules"]["paper"]["gates"] == 157


def test_a_table_of_one_multiplier_without_a_rule_says_so() -> None:
    text = "\n".join(lines(paper_table([estimate_paper(make_design("mul", mul="addc"))])))
    assert "No rule in the paper for addc" in text


def test_rules_reach_formats_the_paper_does_not_name() -> None:
    exact, lmul = gate_counts(find_format("e6m9"), PUBLISHED)
    assert exact == 4 + 3 * 82 + 100 + 15 + 16 * 11
    assert lmul == 4 + (5 + 14 * 11) + 82
