"""Products of all pairs of codes, against the scalar reference, ml_dtypes and published figures."""

from dataclasses import dataclass
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import E4M3, MULTIPLIERS, Arithmetic, decode, multiply, product_table, reference
from lmul.golden.arithmetic import lmul_offset

CODES = np.arange(256)
A, B = CODES[:, None], CODES[None, :]
NAN = (CODES & 0x7F) == 0x7F
ZERO = (CODES & 0x7F) < 8  # subnormals count as zeros
SIGN = (A ^ B) & 0x80
LARGEST = {"lmul": 13 << 29, "exact": 448**2 << 18}  # 448 * 448 is 1.625 * 2^17 by integer addition


@dataclass(frozen=True)
class Case:
    """One multiplier and all its products, vectorised and one by one."""

    arithmetic: Arithmetic
    products: NDArray[np.uint8]
    expected: list[int]
    expected_wide: list[Fraction | None]


@pytest.fixture(scope="module", params=MULTIPLIERS)
def case(request: pytest.FixtureRequest) -> Case:
    arithmetic = Arithmetic(mul=request.param)
    pairs = [(a, b) for a in range(256) for b in range(256)]
    return Case(
        arithmetic,
        multiply(A, B, arithmetic),
        [reference.multiply(a, b, arithmetic) for a, b in pairs],
        [reference.wide_product(a, b, arithmetic) for a, b in pairs],
    )


def test_products_equal_the_scalar_reference(case: Case) -> None:
    assert case.products.ravel().tolist() == case.expected


def test_wide_products_equal_the_scalar_reference(case: Case) -> None:
    products, nan = product_table(case.arithmetic)
    weight = Fraction(2) ** case.arithmetic.lsb_exponent
    assert nan.ravel().tolist() == [wide is None for wide in case.expected_wide]
    assert products.ravel().tolist() == [(wide or 0) / weight for wide in case.expected_wide]


def test_products_commute(case: Case) -> None:
    products, nan = product_table(case.arithmetic)
    for table in (case.products, products, nan):
        assert np.array_equal(table, table.T)


def test_sign_of_a_factor_changes_only_the_sign(case: Case) -> None:
    products, nan = product_table(case.arithmetic)
    assert np.array_equal(np.roll(products, 128, axis=0), -products)
    assert np.array_equal(np.roll(nan, 128, axis=0), nan)
    assert np.array_equal(np.roll(case.products, 128, axis=0), np.where(nan, 0x7F, case.products ^ 0x80))


def test_nan_times_anything_is_canonical_nan(case: Case) -> None:
    assert np.array_equal(case.products == 0x7F, NAN[:, None] | NAN[None, :])
    assert not np.any(case.products == 0xFF)


def test_zeros_and_subnormals_give_zero_of_the_xor_sign(case: Case) -> None:
    zero = (ZERO[:, None] & ~NAN[None, :]) | (ZERO[None, :] & ~NAN[:, None])
    assert np.array_equal(case.products[zero], SIGN[zero])


def test_no_result_is_subnormal(case: Case) -> None:
    magnitude = case.products & 0x7F
    assert not np.any((magnitude > 0) & (magnitude < 8))


def test_exact_equals_the_rounded_float32_product() -> None:
    reals = decode(CODES, E4M3)
    reals = np.where(ZERO, np.copysign(np.float32(0), reals), reals)
    true = reals[:, None] * reals[None, :]  # two 4-bit significands: exact in float32
    oracle = true.astype(ml_dtypes.float8_e4m3fn)
    # Above 448 ml_dtypes overflows to NaN; below the smallest normal number it rounds to subnormals.
    same = ((true == 0) | (np.abs(true) >= 2.0**-6)) & np.isfinite(oracle.astype(np.float32))
    assert np.count_nonzero(same) > 40_000
    assert np.array_equal(
        multiply(A, B, Arithmetic(mul="exact"))[same],
        oracle.view(np.uint8)[same],
    )


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (0x38, 0x38, 0x39),  # 1.0 * 1.0: 56 + 56 - (7 * 8 - 1) = 57, which is 1.125
        (0x3C, 0x3C, 0x41),  # 1.5 * 1.5: 60 + 60 - 55 = 65, the carry doubles: 2.25
        (0x3F, 0x3F, 0x47),  # 1.875 * 1.875: 63 + 63 - 55 = 71, which is 3.75
        (0xC0, 0x44, 0xCD),  # -2 * 3: 64 + 68 - 55 = 77, which is 6.5, and the sign
        (0x7D, 0x38, 0x7E),  # 416 * 1.0: 125 + 56 - 55 = 126, the largest finite: 448
        (0x7E, 0x38, 0x7E),  # 448 * 1.0: 126 + 56 - 55 = 127 would be NaN: 448
        (0x7E, 0x7E, 0x7E),  # 448 * 448: 126 + 126 - 55 = 197 exceeds seven bits: 448
        (0x7E, 0xFE, 0xFE),  # 448 * -448
        (0x08, 0x37, 0x08),  # 2^-6 * 0.9375: 8 + 55 - 55 = 8, the smallest normal
        (0x88, 0x36, 0x80),  # -2^-6 * 0.875: 8 + 54 - 55 = 7, subnormal: -0
        (0x08, 0x08, 0x00),  # 2^-6 * 2^-6: 8 + 8 - 55 = -39: 0
    ],
)
def test_lmul_adds_the_seven_bits_below_the_sign(a: int, b: int, product: int) -> None:
    assert multiply(np.array(a), np.array(b), Arithmetic(mul="lmul")) == product


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (0x0E, 0x31, 0x08),  # (1.75 * 2^-6) * 0.5625 = 0.984375 * 2^-6: rounds up to 2^-6
        (0x0C, 0x32, 0x00),  # (1.5 * 2^-6) * 0.625 = 0.9375 * 2^-6: 4 significant bits hold it
    ],
)
def test_exact_decides_underflow_after_rounding(a: int, b: int, product: int) -> None:
    assert multiply(np.array(a), np.array(b), Arithmetic(mul="exact")) == product


@pytest.mark.parametrize(
    ("mul", "mean", "mean_absolute", "nearest"),
    [("lmul", "+4.93", "5.24", 28), ("exact", "-0.54", "1.90", 64)],
)
def test_error_over_uniform_mantissas_is_as_published(
    mul: str, mean: str, mean_absolute: str, nearest: int
) -> None:
    binade = np.arange(0x38, 0x40)  # 1 to 1.875: the error depends on the mantissas alone
    factors = decode(binade, E4M3).astype(np.float64)
    true = factors[:, None] * factors[None, :]
    products = decode(multiply(binade[:, None], binade[None, :], Arithmetic(mul=mul)), E4M3)
    error = products / true - 1
    assert f"{100 * error.mean():+.2f}" == mean
    assert f"{100 * np.abs(error).mean():.2f}" == mean_absolute
    # Either neighbour of a tie is a nearest value.
    values = decode(np.arange(0x7F), E4M3).astype(np.float64)
    smallest = np.abs(values[:, None, None] - true).min(axis=0)
    assert np.count_nonzero(np.abs(products - true) == smallest) == nearest


def test_accumulator_starts_at_the_last_bit_of_the_smallest_product() -> None:
    smallest_normal = 8
    for mul, lsb_exponent, product in (("lmul", -15, 9), ("exact", -18, 64)):
        arithmetic = Arithmetic(mul=mul)
        assert arithmetic.lsb_exponent == lsb_exponent
        assert product_table(arithmetic)[0][smallest_normal, smallest_normal] == product


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_largest_product_is_that_of_the_table(mul: str) -> None:
    arithmetic = Arithmetic(mul=mul)
    assert arithmetic.largest_product == np.abs(product_table(arithmetic)[0]).max() == LARGEST[mul]
    assert 1 << (arithmetic.product_bits - 1) <= arithmetic.largest_product < 1 << arithmetic.product_bits


@pytest.mark.parametrize("depth", [1, 2, 5, 2048, 65536])
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_accumulator_is_as_narrow_as_depth_allows(mul: str, depth: int) -> None:
    arithmetic = Arithmetic(mul=mul, depth=depth, lanes=1, out="raw")
    extreme = depth * LARGEST[mul]
    assert extreme <= (1 << (arithmetic.accumulator_bits - 1)) - 1
    assert extreme > (1 << (arithmetic.accumulator_bits - 2)) - 1
    assert arithmetic.output_bits == arithmetic.accumulator_bits
    assert Arithmetic(mul=mul, depth=depth, out="fp32").output_bits == 32


@pytest.mark.parametrize(
    ("mantissa_bits", "offset"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (7, 4), (23, 4)]
)
def test_offset_exponent_is_that_of_the_paper(mantissa_bits: int, offset: int) -> None:
    assert lmul_offset(mantissa_bits) == offset
