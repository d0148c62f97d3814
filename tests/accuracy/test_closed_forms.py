"""Mean errors in closed form, against sums over all pairs of mantissas, and against their own limits."""

import math

import numpy as np
import pytest

from lmul.accuracy.paper.closed_forms import (
    dilogarithm,
    formula_limit,
    formula_mean,
    integer_add_limit,
    integer_add_mean,
)
from lmul.accuracy.products import exact_products, mantissa_pairs
from lmul.multipliers.integer_add import integer_add
from lmul.multipliers.lmul import lmul_constant
from lmul.multipliers.significand import significand_product

WIDTHS = range(1, 11)
DIGITS = 1e-12


def mean_error(significands: np.ndarray, mantissa_bits: int) -> float:
    true = exact_products(*mantissa_pairs(mantissa_bits), mantissa_bits)
    products = np.ldexp(significands.astype(np.float64), -mantissa_bits)
    return math.fsum((products / true - 1).ravel()) / true.size


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("mul", ["mitchell", "lmul"])
def test_integer_addition_has_the_mean_error_of_the_enumeration(mul: str, bits: int) -> None:
    constant = lmul_constant(bits) if mul == "lmul" else 0
    enumerated = mean_error(significand_product(*mantissa_pairs(bits), mul, bits), bits)
    assert integer_add_mean(bits, constant) == pytest.approx(enumerated, rel=DIGITS, abs=0)


@pytest.mark.parametrize("bits", WIDTHS)
def test_the_formula_has_the_mean_error_of_the_enumeration(bits: int) -> None:
    enumerated = mean_error(significand_product(*mantissa_pairs(bits), "formula", bits), bits)
    assert formula_mean(bits, lmul_constant(bits)) == pytest.approx(enumerated, rel=DIGITS, abs=0)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6])
def test_every_constant_up_to_one_has_the_mean_error_of_the_enumeration(bits: int) -> None:
    x, y = mantissa_pairs(bits)
    for constant in range((1 << bits) + 1):
        enumerated = mean_error(integer_add(x + y + constant, bits), bits)
        assert integer_add_mean(bits, constant) == pytest.approx(enumerated, rel=DIGITS, abs=1e-14)


@pytest.mark.parametrize("constant", [0.0, 1 / 16, 1 / 8, 1 / 2, 1.0])
def test_wide_mantissas_approach_the_limits(constant: float) -> None:
    for mean, limit in ((integer_add_mean, integer_add_limit), (formula_mean, formula_limit)):
        errors = [abs(mean(bits, int(constant * 2**bits)) - limit(constant)) for bits in (8, 10, 12)]
        assert errors[2] < 1e-3
        assert errors[2] < errors[1] / 3 < errors[0] / 9


def test_the_limit_is_that_of_numerical_integration() -> None:
    points = (np.arange(2000) + 0.5) / 2000
    x, y = points[:, None], points[None, :]
    for constant in (0.0, 0.1, 1 / 16, 0.7):
        s = x + y + constant
        value = np.where(s < 1, 1 + s, np.where(s < 2, 2 * s, 4 * (s - 1)))
        mean = float(np.mean(value / ((1 + x) * (1 + y)))) - 1
        assert integer_add_limit(constant) == pytest.approx(mean, abs=1e-7)


def test_mitchells_limit_is_the_one_in_the_documents() -> None:
    two, three, half_more = (math.log(number) for number in (2, 3, 1.5))
    bracket = math.pi**2 / 6 - three * half_more - two * half_more - 2 * dilogarithm(1 / 3)
    assert integer_add_limit(0.0) == pytest.approx(1 - two**2 - 3 * bracket, abs=1e-14)
    assert round(100 * integer_add_limit(0.0), 2) == -3.85


def test_dilogarithm_has_its_known_values() -> None:
    assert dilogarithm(0.0) == 0
    assert dilogarithm(1.0) == pytest.approx(math.pi**2 / 6, rel=1e-15)
    assert dilogarithm(0.5) == pytest.approx(math.pi**2 / 12 - math.log(2) ** 2 / 2, rel=1e-15)
    golden = (math.sqrt(5) - 1) / 2
    assert dilogarithm(golden) == pytest.approx(math.pi**2 / 10 - math.log(golden) ** 2, rel=1e-14)
