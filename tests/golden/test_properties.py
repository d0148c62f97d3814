"""Laws that hold for all operands, and an example of each that does not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lmul.golden import (
    E4M3,
    E5M2,
    FORMATS,
    MULTIPLIERS,
    SUBNORMALS,
    Arithmetic,
    Codes,
    Format,
    decode,
    encode,
    find_format,
    matmul_codes,
    multiply,
    wide_product,
)
from lmul.multipliers.addm import middle_place
from tests.support.golden.cases import (
    by_name,
    drawn_pairs,
    edge_codes,
    multipliers,
    with_multipliers,
    with_policies,
)

EIGHT_BITS = [find_format(name) for name in ("e4m3", "e5m2", "e3m4", "e2m5", "e6m1", "e3m2", "e2m3", "e2m1")]
POWERS_EXACT = ("mitchell", "addc", "exact")
WIDE = [find_format(name) for name in ("bf16", "fp16", "fp32", "e8m4", "e3m12", "e5m3")]

drawn = settings(derandomize=True, deadline=None, max_examples=300)


@st.composite
def products(draw: st.DrawFn) -> tuple[Arithmetic, int, int]:
    """Draw a multiplier of any format with any policy, and two codes, often edges."""
    format_ = draw(st.sampled_from(EIGHT_BITS + WIDE))
    arithmetic = draw(
        st.sampled_from([a for mul in multipliers(format_) for a in with_policies(format_, mul)])
    )
    code = st.one_of(st.sampled_from(edge_codes(format_)), st.integers(0, 2**format_.width - 1))
    return arithmetic, draw(code), draw(code)


def table(arithmetic: Arithmetic) -> Codes:
    codes = np.arange(1 << arithmetic.format.width)
    return multiply(codes[:, None], codes[None, :], arithmetic)


def wide_table(arithmetic: Arithmetic) -> NDArray[np.float64]:
    codes = np.arange(1 << arithmetic.format.width)
    return wide_product(codes[:, None], codes[None, :], arithmetic)


@pytest.mark.parametrize(("format_", "mul"), **with_multipliers(EIGHT_BITS))
def test_all_products_of_up_to_8_bits_commute(format_: Format, mul: str) -> None:
    for arithmetic in with_policies(format_, mul):
        assert np.array_equal(table(arithmetic), table(arithmetic).T)
        assert np.array_equal(wide_table(arithmetic), wide_table(arithmetic).T, equal_nan=True)


@pytest.mark.parametrize(("format_", "mul"), **with_multipliers(EIGHT_BITS))
def test_sign_of_a_factor_changes_only_the_sign_of_a_product(format_: Format, mul: str) -> None:
    for arithmetic in with_policies(format_, mul):
        codes = table(arithmetic)
        is_nan = codes == (format_.nan or -1)
        negated = np.roll(codes, 1 << (format_.width - 1), axis=0)
        assert np.array_equal(negated, np.where(is_nan, codes, codes ^ format_.sign_mask))
        wide = wide_table(arithmetic)
        negated_wide = np.roll(wide, 1 << (format_.width - 1), axis=0)
        assert np.array_equal(negated_wide, -wide, equal_nan=True)
        numbers = ~np.isnan(wide)
        assert np.array_equal(np.signbit(negated_wide)[numbers], ~np.signbit(wide)[numbers])


@drawn
@given(products())
def test_products_commute_and_follow_signs(case: tuple[Arithmetic, int, int]) -> None:
    arithmetic, a, b = case
    format_ = arithmetic.format
    product = multiply(a, b, arithmetic)
    assert product == multiply(b, a, arithmetic)
    negative = multiply(a ^ format_.sign_mask, b, arithmetic)
    assert negative == (product if product == format_.nan else product ^ format_.sign_mask)


@drawn
@given(products())
def test_narrow_product_is_the_wide_one_rounded(case: tuple[Arithmetic, int, int]) -> None:
    """Of normal results, and of all that `exact` rounds once."""
    arithmetic, a, b = case
    format_ = arithmetic.format
    wide = float(wide_product(a, b, arithmetic))
    once = arithmetic.mul == "exact" and arithmetic.subnormals == "full" and not np.isinf(wide)
    if once or format_.smallest <= abs(wide) <= format_.largest or np.isnan(wide):
        assert multiply(a, b, arithmetic) == encode(wide, format_, "nearest", arithmetic.overflow)


@pytest.mark.parametrize("subnormals", SUBNORMALS)
@pytest.mark.parametrize(("format_", "mul"), **with_multipliers([*EIGHT_BITS, *WIDE], POWERS_EXACT))
def test_multiplication_by_a_power_of_two_is_exact(format_: Format, mul: str, subnormals: Any) -> None:
    arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals)
    codes, _ = drawn_pairs(format_, format_, 5000)
    codes = codes[(codes & format_.magnitude_mask) <= format_.largest_finite]
    if subnormals == "flush":
        codes = codes[(codes & format_.magnitude_mask) >= format_.smallest_normal]
    last = format_.largest_finite >> format_.mantissa_bits
    powers = np.arange(1, last + 1)[:, None] << format_.mantissa_bits
    reals = decode(codes, format_).astype(np.float64) * decode(powers, format_)
    assert np.array_equal(wide_product(codes, powers, arithmetic), reals)
    fits = (np.abs(reals) >= format_.smallest) & (np.abs(reals) <= format_.largest)
    assert np.array_equal(decode(multiply(codes, powers, arithmetic), format_)[fits], reals[fits])


def test_one_times_one_by_lmul_is_not_one() -> None:
    """The paper's constant is added even where there is nothing to make up for."""
    one = 0x38
    assert decode(multiply(one, one, Arithmetic(mul="lmul")), E4M3) == 1.125
    assert decode(multiply(one, one, Arithmetic(mul="formula")), E4M3) == 1.125


@pytest.mark.parametrize(("format_", "mul"), **with_multipliers(EIGHT_BITS))
@pytest.mark.parametrize("subnormals", SUBNORMALS)
def test_products_of_up_to_8_bits_grow_with_each_finite_factor(
    format_: Format, mul: str, subnormals: Any
) -> None:
    """The magnitude codes ascend with the magnitudes, so that a row of the table must not descend."""
    arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals)
    magnitudes = np.arange(format_.largest_finite + 1)
    narrow = multiply(magnitudes[:, None], magnitudes[None, :], arithmetic).astype(np.int64)
    wide = wide_product(magnitudes[:, None], magnitudes[None, :], arithmetic)
    for values in (narrow,) if largest_fall(arithmetic) else (narrow, wide):
        assert np.all(np.diff(values, axis=0) >= -largest_fall(arithmetic))
        assert np.all(np.diff(values, axis=1) >= -largest_fall(arithmetic))


def largest_fall(arithmetic: Arithmetic) -> int:
    """Give by how many last places a product may fall where a factor leaves the middle."""
    return (1 << middle_place(arithmetic.mantissa_bits)) - 1 if arithmetic.mul == "addm" else 0


@drawn
@given(products(), st.integers(0, 2**32 - 1))
def test_products_grow_with_a_finite_factor(case: tuple[Arithmetic, int, int], other: int) -> None:
    arithmetic, a, b = case
    format_ = arithmetic.format
    saturating = Arithmetic(format=format_, mul=arithmetic.mul, subnormals=arithmetic.subnormals)
    x, y, z = (min(code & format_.magnitude_mask, format_.largest_finite) for code in (a, b, other))
    smaller, larger = (int(multiply(factor, y, saturating)) for factor in (min(x, z), max(x, z)))
    assert smaller <= larger + largest_fall(arithmetic)


def test_overflow_to_nan_is_not_monotone() -> None:
    """Beyond 448 an OFP8 conversion without saturation gives NaN, which compares with nothing."""
    arithmetic = Arithmetic(mul="mitchell", overflow="ieee")
    one, two, largest = 0x38, 0x40, 0x7E
    assert decode(multiply(one, largest, arithmetic), E4M3) == 448
    assert np.isnan(decode(multiply(two, largest, arithmetic), E4M3))


def test_an_exact_accumulator_beyond_its_depth_wraps() -> None:
    """So that a longer sum of positive products may be negative; the overflow flag says so."""
    arithmetic = Arithmetic(depth=1, lanes=1, out="raw")
    ones = np.full((1, 8), 0x7E, dtype=np.uint8)
    registers = [matmul_codes(ones[:, :k], ones[:, :k].T, arithmetic) for k in range(1, 9)]
    assert [sums.raw.item() > 0 for sums in registers[:2]] == [True, False]
    assert [sums.overflow.item() for sums in registers] == [False] + [True] * 7


@pytest.mark.parametrize("mantissa_bits", [1, 2, 3, 4])
@pytest.mark.parametrize("exponent_bits", [2, 3, 4, 5, 6, 7, 8])
def test_addc_equals_exact_on_all_normal_results(exponent_bits: int, mantissa_bits: int) -> None:
    """All pairs of formats of up to 9 bits, a million of the others'."""
    format_ = Format("ieee-like", exponent_bits, mantissa_bits)
    if format_.width <= 9:
        codes = np.arange(1 << format_.width)
        a, b = codes[:, None], codes[None, :]
    else:
        a, b = drawn_pairs(format_, format_, 1_000_000)
    addc, exact = (Arithmetic(format=format_, mul=mul, overflow="ieee") for mul in ("addc", "exact"))
    assert np.array_equal(multiply(a, b, addc), multiply(a, b, exact))
    addc, exact = (Arithmetic(format=format_, mul=mul, subnormals="full") for mul in ("addc", "exact"))
    products_addc, products_exact = multiply(a, b, addc), multiply(a, b, exact)
    normal = (products_exact & format_.magnitude_mask) >= format_.smallest_normal
    assert np.array_equal(products_addc[normal], products_exact[normal])


def test_addc_and_exact_may_differ_where_results_are_subnormal() -> None:
    addc, exact = (Arithmetic(mul=mul, subnormals="full") for mul in ("addc", "exact"))
    assert (multiply(0x03, 0x36, addc), multiply(0x03, 0x36, exact)) == (2, 3)


@pytest.mark.parametrize("mul", MULTIPLIERS)
@pytest.mark.parametrize("format_", [E4M3, E5M2], **by_name)
def test_both_ways_with_subnormals_agree_on_normal_operands_and_results(format_: Format, mul: str) -> None:
    codes = np.arange(1 << format_.width)
    flush, full = (table(Arithmetic(format=format_, mul=mul, subnormals=s)) for s in SUBNORMALS)
    normal = (codes & format_.magnitude_mask) >= format_.smallest_normal
    operands = normal[:, None] & normal[None, :]
    results = ((full & format_.magnitude_mask) > format_.smallest_normal) & operands
    assert np.array_equal(flush[results], full[results])
    assert np.all(flush[operands & ~normal[full]] & format_.magnitude_mask == 0)


@drawn
@given(
    st.sampled_from([*FORMATS.values(), find_format("e2m2"), find_format("e7m9")]),
    st.lists(st.floats(allow_nan=False), min_size=2, max_size=20),
    st.sampled_from(["nearest", "truncate"]),
    st.sampled_from(["saturate", "ieee"]),
)
def test_encoding_is_monotone_odd_and_idempotent(
    format_: Format, values: list[float], rounding: Any, overflow: Any
) -> None:
    ordered = np.sort(values)
    codes = encode(ordered, format_, rounding, overflow)
    reals = decode(codes, format_)
    numbers = reals[~np.isnan(reals)]
    assert np.all(numbers[:-1] <= numbers[1:])
    mirrored = decode(encode(-ordered, format_, rounding, overflow), format_)
    assert np.array_equal(mirrored, -reals, equal_nan=True)
    assert np.array_equal(encode(reals, format_, rounding, "ieee"), codes)


@drawn
@given(
    st.data(),
    st.sampled_from(list(MULTIPLIERS)),
    st.sampled_from(["exact", "fp32", "bf16", "fp16", "fixed:40:-12"]),
)
def test_sums_are_odd_but_for_nothing(data: st.DataObject, mul: str, acc: str) -> None:
    """Negating one operand negates every register that is not saturated: its range is not symmetric."""
    k = data.draw(st.integers(1, 12))
    finite = st.integers(0, 255).filter(lambda code: code & 0x7F != 0x7F)
    a, b = (np.array(data.draw(st.lists(finite, min_size=k, max_size=k)), dtype=np.uint8) for _ in range(2))
    arithmetic = Arithmetic(mul=mul, acc=acc, out="raw")
    sums = matmul_codes(a[None], b[:, None], arithmetic).values()
    negated = matmul_codes(a[None] ^ 0x80, b[:, None], arithmetic).values()
    assert np.array_equal(negated, -sums, equal_nan=True)  # Sums of fp16 may be of both infinities.
