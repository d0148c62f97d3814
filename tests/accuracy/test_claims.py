"""Published figures recomputed, the best constants, and where formula and integer addition part."""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import pytest

from lmul.accuracy.paper.claims import (
    NOT_RECOMPUTED,
    NOT_REPRODUCED,
    REPRODUCED,
    SOURCES,
    TRUNCATED,
    Claims,
    figure2_multiply,
    recompute_claims,
)
from lmul.accuracy.paper.constants import best_constant, best_constants, collect_moments, rms_error
from lmul.accuracy.paper.regions import parting
from lmul.accuracy.products import mantissa_pairs, operand_errors
from lmul.commands import error
from lmul.golden import FP32, Arithmetic, decode, encode, multiply
from lmul.golden.formats.codec import Rounding
from lmul.multipliers.lmul import lmul_constant, lmul_offset
from lmul.multipliers.significand import significand_product


@pytest.fixture(scope="module")
def claims() -> Claims:
    return recompute_claims(lambda _done, _total: None)


def test_the_papers_claims_get_their_verdicts(claims: Claims) -> None:
    verdicts = [claim.verdict for claim in claims.statements]
    assert verdicts == [TRUNCATED, REPRODUCED, TRUNCATED, NOT_REPRODUCED, NOT_REPRODUCED, NOT_RECOMPUTED]


def test_expected_figures_are_reproduced_but_for_the_best_offset(claims: Claims) -> None:
    figures = [claim for group in claims.figures.values() for claim in group]
    differing = [claim for claim in figures if claim.verdict != REPRODUCED]
    assert len(figures) == 44
    assert [claim.recomputed for claim in differing] == ["only for m = 5, 6"]


def test_claims_fit_80_columns_and_a_file(
    claims: Claims, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(error, "recompute_claims", lambda _progress: claims)
    monkeypatch.chdir(tmp_path)
    options = argparse.Namespace(
        format="e4m3",
        operands=None,
        scaling=None,
        codes=False,
        rounding="nearest",
        length=64,
        plot=None,
        claims=True,
        json=Path("c.json"),
    )
    assert error.run_error(options) == 0
    output = capsys.readouterr().out
    assert max(len(line) for line in output.splitlines()) <= 80
    for words in ("reproduced only with", "not reproduced", "needs the models"):
        assert words in output
    report = json.loads(Path("c.json").read_text())
    assert [claim["verdict"] for claim in report["statements"]] == [c.verdict for c in claims.statements]
    assert {claim["source"] for claim in report["statements"]} == {"paper"}


def test_every_claim_has_a_source(claims: Claims) -> None:
    every = [*claims.statements, *(claim for group in claims.figures.values() for claim in group)]
    assert all(claim.source in SOURCES for claim in every)


def test_the_papers_offset_is_best_for_truncated_operands_only(claims: Claims) -> None:
    best = {(row.mantissa_bits, row.rounding): row.offset for row in claims.constants}
    widths = sorted({bits for bits, _ in best})
    assert all(best[bits, "truncate"] == lmul_offset(bits) for bits in widths)
    assert [bits for bits in widths if best[bits, "nearest"] == lmul_offset(bits)] == [5, 6, 7, 10]


@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
@pytest.mark.parametrize("bits", [2, 3, 6])
def test_errors_by_sum_of_mantissas_are_those_of_the_products(bits: int, rounding: Rounding) -> None:
    found = best_constants(bits, rounding, pairs=20_000)
    products = {mul: operand_errors(mul, bits, rounding, "uniform", 20_000) for mul in ("lmul", "mitchell")}
    assert found.paper_rms == pytest.approx(products["lmul"].rms, rel=1e-9)
    assert found.none_rms == pytest.approx(products["mitchell"].rms, rel=1e-9)


@pytest.mark.parametrize("bits", [1, 3, 7])
def test_no_constant_is_better_than_the_best(bits: int) -> None:
    moments = collect_moments(bits, "nearest", pairs=20_000)
    least = rms_error(moments, best_constant(moments))
    assert all(rms_error(moments, constant) >= least * (1 - 1e-12) for constant in np.linspace(0, 1, 501))


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 7])
def test_formula_and_integer_addition_part_as_their_products_do(bits: int) -> None:
    x, y = mantissa_pairs(bits)
    added, formula = (significand_product(x, y, mul, bits) for mul in ("lmul", "formula"))
    difference = added / formula - 1
    s = (x + y + lmul_constant(bits)) / (1 << bits)
    found = parting(bits)
    assert found.shares == (np.mean(s < 1), np.mean((s >= 1) & (s < 2)), np.mean(s >= 2))
    assert found.mean == pytest.approx(np.mean(difference), rel=1e-12)
    assert found.largest == np.max(difference)
    assert np.all((difference == 0) == (s <= 1))


def test_figure_2_is_lmul_while_nothing_special_happens() -> None:
    codes = encode(np.random.default_rng(1).normal(size=(2, 500)), FP32)
    x, y = decode(codes, FP32)
    products = decode(multiply(*codes, Arithmetic(format=FP32, mul="lmul")), FP32)
    assert [figure2_multiply(*pair) for pair in zip(x, y, strict=True)] == products.tolist()


def test_figure_2_is_wrong_for_zeros_and_wraps() -> None:
    assert figure2_multiply(0.0, 0.0) == 4.25
    assert math.isclose(figure2_multiply(1e30, 1e30), 8.5e-18, rel_tol=0.01)
