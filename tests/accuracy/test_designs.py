"""Errors of the dot products of whole designs, against a matrix product by hand."""

import math

import numpy as np
import pytest

from lmul.accuracy.designs import design_errors
from lmul.accuracy.dots import dot_errors
from lmul.design import make_design
from lmul.golden import E4M3, matmul
from lmul.workloads import Operands, default_operands


@pytest.fixture(scope="module")
def pair() -> Operands:
    return default_operands()[0]


@pytest.mark.parametrize(
    "options", [{}, {"mul": "exact", "acc": "fp32"}, {"acc": "fixed:18:9", "out": "bf16"}, {"format": "int8"}]
)
def test_error_is_that_of_the_golden_matrix_product(options: dict[str, str], pair: Operands) -> None:
    design = make_design("dot", **options)
    true = pair.a.astype(np.float64) @ pair.b.astype(np.float64)
    wrong = matmul(pair.a, pair.b, design) - true
    error, noise = design_errors(design, [pair])
    assert error == pytest.approx(math.sqrt(np.sum(wrong**2) / np.sum(true**2)))
    assert 0 < noise <= error


def test_noise_of_a_multiplier_is_that_of_lmul_error(pair: Operands) -> None:
    found = dot_errors(pair.a, pair.b, E4M3, "nearest", ("lmul", "mitchell"))
    for mul, dots in found.items():
        error, noise = design_errors(make_design("mul", mul=mul), [pair])
        assert noise == pytest.approx(dots.noise)
        assert error == pytest.approx(math.hypot(dots.noise, dots.bias))


def test_an_exact_multiplier_is_as_wrong_as_addc_which_rounds_correctly(pair: Operands) -> None:
    rounded, added = (design_errors(make_design("mul", mul=mul), [pair]) for mul in ("exact", "addc"))
    assert rounded == pytest.approx(added)
    assert design_errors(make_design("dot", mul="exact"), [pair]) < rounded
    alone, summed = (design_errors(make_design(kind, format="int8"), [pair]) for kind in ("mul", "dot"))
    assert alone == pytest.approx(summed)


def test_a_weight_stationary_array_rounds_every_part(pair: Operands) -> None:
    whole, parts = (
        design_errors(make_design("array", out="bf16", dataflow=dataflow), [pair])
        for dataflow in ("os", "ws")
    )
    assert parts[1] > whole[1]


def test_sums_that_overflow_are_infinitely_wrong_and_every_product_counts_alike(pair: Operands) -> None:
    assert design_errors(make_design("dot", acc="fp16"), default_operands()) == (math.inf, math.inf)
    zero = Operands("zero", np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32))
    assert design_errors(make_design("dot"), [zero]) == (math.inf, math.inf)
    once, twice = (design_errors(make_design("dot"), [pair] * count) for count in (1, 2))
    assert once == pytest.approx(twice)
