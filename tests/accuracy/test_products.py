"""Errors of products and dot products, against plain recomputation and published figures."""

import math
from fractions import Fraction

import numpy as np
import pytest

from lmul.accuracy import tensors
from lmul.accuracy.dots import MOST_PRODUCTS, compare_dots, dot_errors, dot_rows, drawn_matrices
from lmul.accuracy.products import (
    MULTIPLIERS,
    code_errors,
    exact_products,
    mantissa_pairs,
    multipliers,
    operand_errors,
    rounded_products,
)
from lmul.accuracy.statistics import ErrorSums
from lmul.accuracy.tensors import tensor_errors
from lmul.golden import MULTIPLIERS as GOLDEN
from lmul.golden import Arithmetic, find_format, quantise, wide_product
from lmul.golden.formats.codec import Rounding
from lmul.terminal.progress import Report


def quiet() -> Report:
    return lambda _done, _total: None


def test_every_multiplier_of_the_model_is_compared() -> None:
    assert set(MULTIPLIERS) == set(GOLDEN)
    assert set(multipliers(4)) == set(GOLDEN)
    assert set(multipliers(5)) == set(GOLDEN) - {"addc"}


@pytest.mark.parametrize("split", [0, 1, 5, 12])
def test_blocks_add_up_to_the_whole(split: int) -> None:
    errors = np.random.default_rng(1).normal(size=12)
    sums = ErrorSums.of(errors[:split])
    sums.add(ErrorSums.of(errors[split:]))
    result = sums.errors()
    assert result.count == 12
    assert result.mean == pytest.approx(np.mean(errors))
    assert result.mean_absolute == pytest.approx(np.mean(np.abs(errors)))
    assert result.rms == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert abs(result.largest) == np.max(np.abs(errors))
    assert result.largest in errors


@pytest.mark.parametrize(
    ("mul", "nearest", "absolute", "mean"),
    [
        ("mitchell", 41, 3.78, -3.78),
        ("lmul", 28, 5.24, 4.93),
        ("addm", 56, 2.31, -1.74),
        ("addc", 64, 1.90, -0.54),
    ],
)
def test_e4m3_products_have_the_known_errors(mul: str, nearest: int, absolute: float, mean: float) -> None:
    judged = code_errors(mul, 3)
    assert judged.nearest == nearest
    assert round(100 * judged.errors.mean_absolute, 2) == absolute
    assert round(100 * judged.errors.mean, 2) == mean


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_nearest_products_are_found_by_exact_arithmetic(bits: int) -> None:
    one = 1 << bits
    numbers = [Fraction(p, one) * k for k in (1, 2) for p in range(one, 2 * one)] + [Fraction(4)]
    x, y = mantissa_pairs(bits)
    for mul in ("mitchell", "lmul", "exact"):
        products = rounded_products(x, y, mul, bits)
        expected = 0
        for i in range(one):
            for j in range(one):
                true = Fraction((one + i) * (one + j), one * one)
                best = min(abs(number - true) for number in numbers)
                expected += abs(Fraction(products[i, j]) - true) == best
        assert code_errors(mul, bits).nearest == expected


@pytest.mark.parametrize("bits", [7, 10, 23])
def test_correctly_rounded_products_are_nearest_and_within_half_a_unit(bits: int) -> None:
    judged = code_errors("exact", bits)
    assert judged.nearest == judged.errors.count
    assert abs(judged.errors.largest) <= 2.0 ** -(bits + 1)


def test_exact_products_of_the_widest_mantissas_lose_nothing() -> None:
    last = np.array([(1 << 23) - 1])
    assert Fraction(exact_products(last, last, 23)[0]) == Fraction((1 << 24) - 1, 1 << 23) ** 2


@pytest.mark.parametrize("mul", ["mitchell", "lmul", "exact"])
def test_enough_drawn_pairs_with_many_mantissa_bits_err_as_codes_do(mul: str) -> None:
    drawn = operand_errors(mul, 10, "truncate", "uniform", pairs=200_000)
    codes = code_errors(mul, 10).errors
    assert drawn.mean == pytest.approx(codes.mean, abs=2e-3)
    assert drawn.rms == pytest.approx(codes.rms, abs=1e-3)


def test_truncated_operands_make_every_exact_product_too_small() -> None:
    errors = operand_errors("exact", 3, "truncate", "gaussian", pairs=20_000)
    assert errors.mean == -errors.mean_absolute
    assert -(1 - 1 / 1.125**2) < errors.largest < 0


@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
@pytest.mark.parametrize("name", ["e2m1", "e5m2", "e4m3", "e3m4", "bf16", "fp16", "fp32"])
def test_products_of_matrices_err_as_each_product_alone(name: str, rounding: Rounding) -> None:
    format_ = find_format(name)
    rng = np.random.default_rng(1)
    a = rng.standard_normal((30, 9)).astype(np.float32)
    b = (3 * rng.standard_normal((9, 20))).astype(np.float32)
    a[3, 4] = b[2, 7] = 0.0
    b[:, 5] *= 1e-5  # flushed in formats of little range
    muls = multipliers(format_.mantissa_bits)
    result = tensor_errors(a, b, format_, rounding, muls, quiet())
    x, y = quantise(a, format_, rounding), quantise(b, format_, rounding)
    true = a.astype(np.float64)[:, :, None] * b.astype(np.float64)[None]
    for mul in muls:
        arithmetic = Arithmetic(format=format_, mul=mul)
        products = wide_product(x.codes[:, :, None], y.codes[None], arithmetic) * (x.scale * y.scale)
        expected = ErrorSums.of((products / np.where(true, true, np.nan) - 1)[true != 0]).errors()
        for figure in ("count", "mean", "mean_absolute", "rms", "largest"):
            ours = getattr(result.errors[mul], figure)
            assert ours == pytest.approx(getattr(expected, figure), rel=1e-9, abs=1e-13), (mul, figure)
    assert result.products == true.size
    assert result.zeros == np.count_nonzero(true == 0)
    assert result.flushed == np.count_nonzero((products == 0) & (true != 0))
    assert not result.drawn


def test_too_many_products_of_wide_formats_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MOST_PRODUCTS", 1000)
    a, b = np.ones((10, 50)), np.ones((50, 20))
    wide = tensor_errors(a, b, find_format("fp16"), "nearest", ("exact",), quiet())
    assert wide.drawn
    assert wide.errors["exact"].count == 1000
    assert wide.products == 10_000
    narrow = tensor_errors(a, b, find_format("e4m3"), "nearest", ("exact",), quiet())
    assert not narrow.drawn
    assert narrow.errors["exact"].count == 10_000


def test_matrices_of_zeros_have_no_errors() -> None:
    zeros = tensor_errors(
        np.zeros((2, 3)), np.ones((3, 2)), find_format("e4m3"), "nearest", ("lmul",), quiet()
    )
    assert zeros.errors == {}
    assert zeros.zeros == 12


def test_bias_is_the_factor_and_noise_is_what_no_factor_repairs() -> None:
    rng = np.random.default_rng(1)
    true = rng.standard_normal((40, 50))
    stretched = compare_dots(1.25 * true, true)
    assert stretched.bias == pytest.approx(0.25)
    assert stretched.noise == pytest.approx(0, abs=1e-12)
    other = rng.standard_normal((40, 50))
    other -= true * np.vdot(other, true) / np.vdot(true, true)
    both = compare_dots(0.9 * true + other, true)
    assert both.bias == pytest.approx(-0.1)
    assert both.noise == pytest.approx(np.linalg.norm(other) / np.linalg.norm(true))
    assert math.isnan(compare_dots(true, np.zeros_like(true)).bias)


def test_bias_of_gaussian_dot_products_is_the_mean_error_weighted_by_squares() -> None:
    format_, mul = find_format("e5m3"), "lmul"
    a, b = drawn_matrices(256, same_sign=False)
    drawn = dot_errors(a, b, format_, "nearest", (mul,))[mul]
    x, y = (quantise(operand, format_) for operand in (a.ravel(), b.ravel()))
    products = wide_product(x.codes, y.codes, Arithmetic(format=format_, mul=mul)) * (x.scale * y.scale)
    true = a.ravel() * b.ravel()
    assert drawn.bias == pytest.approx(np.vdot(products, true) / np.vdot(true, true) - 1, abs=2e-3)


def test_noise_falls_with_the_length_only_where_nothing_cancels() -> None:
    format_ = find_format("e4m3")
    noise = {}
    for same_sign in (False, True):
        for length in (64, 1024):
            dots = dot_errors(*drawn_matrices(length, same_sign), format_, "nearest", ("lmul",))
            noise[same_sign, length] = dots["lmul"].noise
    assert noise[False, 1024] == pytest.approx(noise[False, 64], rel=0.05)
    assert noise[True, 1024] == pytest.approx(noise[True, 64] / 4, rel=0.1)


@pytest.mark.parametrize("length", [1, 7, 1024, 65536])
def test_dot_products_of_any_length_are_bounded(length: int) -> None:
    rows = dot_rows(length)
    assert rows >= 1
    assert rows * rows * length <= MOST_PRODUCTS
