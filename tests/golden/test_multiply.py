"""Products of codes, against the scalar reference, IEEE 754 arithmetic of others, and published figures."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import (
    E4M3,
    E5M2,
    FORMATS,
    FP16,
    FP32,
    MULTIPLIERS,
    SUBNORMALS,
    Arithmetic,
    Format,
    addc_carry,
    decode,
    encode,
    find_format,
    multiply,
    reference,
    wide_product,
)
from tests.support.golden.cases import (
    IEEE_TWINS,
    POLICIES,
    all_pairs,
    by_name,
    drawn_pairs,
    multipliers,
    with_multipliers,
    with_policies,
)

SPECIALS: tuple[Any, ...] = ("ieee", "fn", "finite")
TINY = [
    Format(f"e{e}m{m}-{specials}", e, m, specials)
    for e, m in ((2, 1), (2, 2), (3, 1), (2, 3), (3, 2), (4, 1))
    for specials in SPECIALS
]
"""All fields of up to 6 bits with all kinds of special codes."""

UP_TO_8_BITS = [
    *(find_format(name) for name in ("e4m3", "e5m2", "e3m4", "e2m5", "e6m1", "e4m2", "e3m3", "e2m4", "e5m1")),
    *IEEE_TWINS[:1],
]
WIDE = [
    find_format(name)
    for name in (
        "bf16",
        "fp16",
        "fp32",
        "e5m4",
        "e8m4",
        "e8m1",
        "e2m7",
        "e3m12",
        "e2m13",
        "e5m18",
        "e8m22",
        "e2m23",
    )
]
MIXED = [
    tuple(find_format(name) for name in names.split())
    for names in (
        "e4m3 e2m1", "e2m1 e4m3", "e4m3 e5m2", "e3m4 e5m2", "e3m2 e2m3", "e8m4 e6m1", "e4m3 bf16",
        "bf16 e5m2", "fp16 bf16", "fp32 e2m1", "e3m4 fp32", "fp16 e2m5", "e3m12 e8m4", "e2m23 e8m22",
    )
]  # fmt: skip

CODES = np.arange(256)
A, B = CODES[:, None], CODES[None, :]


def assert_products_equal_the_reference(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> None:
    expected = np.array(list(map(reference.multiplier(arithmetic), a.tolist(), b.tolist())))
    products = multiply(a, b, arithmetic)
    wrong = np.flatnonzero(products != expected)
    found = [tuple(f"{codes[i]:#x}" for codes in (a, b, products, expected)) for i in wrong[:5]]
    assert not wrong.size, f"{arithmetic}: {wrong.size} wrong, such as (a, b, product, expected) {found}"


def assert_wide_products_equal_the_reference(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic
) -> None:
    expected = np.array(list(map(reference.wide_multiplier(arithmetic), a.tolist(), b.tolist())))
    products = wide_product(a, b, arithmetic)
    assert np.array_equal(np.isnan(products), np.isnan(expected))
    bits, expected_bits = (
        np.where(np.isnan(reals), 0, reals).view(np.uint64) for reals in (products, expected)
    )
    wrong = np.flatnonzero(bits != expected_bits)
    found = [(f"{a[i]:#x}", f"{b[i]:#x}", products[i], expected[i]) for i in wrong[:5]]
    assert not wrong.size, f"{arithmetic}: {wrong.size} wrong, such as (a, b, product, expected) {found}"


@pytest.mark.parametrize("format_", TINY, **by_name)
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_all_products_of_up_to_6_bits_equal_the_reference(format_: Format, mul: str) -> None:
    for arithmetic in with_policies(format_, mul):
        assert_products_equal_the_reference(*all_pairs(format_), arithmetic)
        assert_wide_products_equal_the_reference(*all_pairs(format_), arithmetic)


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_all_products_of_e4m3_equal_the_reference(mul: str) -> None:
    assert_products_equal_the_reference(*all_pairs(E4M3), Arithmetic(mul=mul))
    assert_wide_products_equal_the_reference(*all_pairs(E4M3), Arithmetic(mul=mul))


@pytest.mark.parametrize(("format_", "mul"), **with_multipliers([*UP_TO_8_BITS, *WIDE]))
def test_drawn_products_equal_the_reference(format_: Format, mul: str) -> None:
    for arithmetic in with_policies(format_, mul):
        assert_products_equal_the_reference(*drawn_pairs(format_, format_, 3000), arithmetic)
    for subnormals in SUBNORMALS:
        arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals)
        assert_wide_products_equal_the_reference(*drawn_pairs(format_, format_, 1000), arithmetic)


@pytest.mark.parametrize("formats", MIXED, ids=lambda formats: "x".join(f.name for f in formats))
@pytest.mark.parametrize("subnormals", SUBNORMALS)
def test_wide_products_of_two_formats_equal_the_reference(
    formats: tuple[Format, Format], subnormals: Any
) -> None:
    for mul in multipliers(*formats):
        arithmetic = Arithmetic(format=formats[0], format_b=formats[1], mul=mul, subnormals=subnormals)
        assert_wide_products_equal_the_reference(*drawn_pairs(*formats, 500), arithmetic)


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_narrower_operands_are_the_same_numbers_in_the_wider_format(mul: str) -> None:
    # Every e2m1 number is an e4m3 number, so that the products must be the same.
    codes, narrow = np.arange(256), np.arange(16)
    same = encode(decode(narrow, FORMATS["e2m1"]), E4M3)
    mixed = Arithmetic(format=E4M3, format_b=FORMATS["e2m1"], mul=mul, subnormals="full")
    plain = Arithmetic(format=E4M3, mul=mul, subnormals="full")
    products = [
        wide_product(codes[:, None], b, arithmetic) for b, arithmetic in ((narrow, mixed), (same, plain))
    ]
    assert np.array_equal(products[0], products[1], equal_nan=True)


@pytest.mark.parametrize("formats", [(E4M3, FORMATS["e2m1"]), (E4M3, E5M2), (FP32, FP16)])
def test_products_of_two_formats_have_no_format(formats: tuple[Format, Format]) -> None:
    arithmetic = Arithmetic(format=formats[0], format_b=formats[1])
    with pytest.raises(ValueError, match="use wide_product"):
        multiply(0, 0, arithmetic)
    with pytest.raises(ValueError, match="has no format"):
        reference.multiplier(arithmetic)


@pytest.mark.parametrize("format_", [E4M3, E5M2, FP16, FP32, FORMATS["e3m2"]], **by_name)
def test_exact_products_with_subnormals_are_those_of_ieee_754(format_: Format) -> None:
    a, b = drawn_pairs(format_, format_, 20_000, seed=5)
    arithmetic = Arithmetic(format=format_, mul="exact", subnormals="full", overflow="ieee")
    with np.errstate(all="ignore"):
        x, y = (decode(codes, format_).astype(np.float64) for codes in (a, b))
        true = x * y  # exact
        if format_ in (FP16, FP32):
            type_ = np.float16 if format_ == FP16 else np.float32
            oracle = (x.astype(type_) * y.astype(type_)).view(format_.dtype)
            oracle = np.where(np.isnan(true), format_.nan, oracle)
        else:
            oracle = encode(true, format_, "nearest", "ieee")
    assert np.array_equal(multiply(a, b, arithmetic), oracle)


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
        (0x87, 0x7E, 0x80),  # a subnormal counts as zero
        (0x07, 0xFF, 0x7F),  # but not beside NaN
    ],
)
def test_lmul_adds_the_seven_bits_below_the_sign(a: int, b: int, product: int) -> None:
    assert multiply(np.array(a), np.array(b), Arithmetic(mul="lmul")) == product
    assert reference.multiplier(Arithmetic(mul="lmul"))(a, b) == product


@pytest.mark.parametrize(
    ("a", "b", "mul", "product"),
    [
        (0x01, 0x40, "mitchell", 0x02),  # 2^-9 * 2: normalised to 2^-9, doubled
        (0x03, 0x38, "mitchell", 0x03),  # 1.5 * 2^-8 * 1, and back on the grid
        (0x03, 0x38, "lmul", 0x03),  # 1.5 + 1/8 = 1.625 at 2^-8, 3.25 units of the grid
        (0x01, 0x34, "exact", 0x01),  # 2^-9 * 0.75 rounds to one unit
        (0x01, 0x30, "exact", 0x00),  # half a unit: to even
        (0x03, 0x30, "exact", 0x02),  # one and a half: to even
        (0x09, 0x37, "addc", 0x08),  # 1.125 * 2^-6 * 0.9375 = 1.0547 * 2^-6: rounds to 1.0 * 2^-6
        (0x0D, 0x29, "addc", 0x04),  # 1.625 * 0.28125: 3.656 units of the grid, 3.75 in 4 bits, then 4
        (0x81, 0x01, "exact", 0x80),
    ],
)
def test_full_subnormals_are_normalised_and_rounded_onto_the_grid(
    a: int, b: int, mul: str, product: int
) -> None:
    arithmetic = Arithmetic(mul=mul, subnormals="full")
    assert multiply(a, b, arithmetic) == reference.multiplier(arithmetic)(a, b) == product


def test_exact_rounds_once_onto_the_subnormal_grid_and_addc_twice() -> None:
    """Of 3 * 2^-9 times 0.875: 2.625 units round to 3, but to 2.5 in 4 bits and then to 2."""
    a, b = all_pairs(E4M3)
    twice, once = (multiply(a, b, Arithmetic(mul=mul, subnormals="full")) for mul in ("addc", "exact"))
    assert (once[0x0336], twice[0x0336]) == (3, 2)
    differ = np.flatnonzero(twice != once)
    assert np.all((once[differ] & 0x7F) < 8)  # subnormal results only
    assert np.all(np.abs(decode(once[differ], E4M3) - decode(twice[differ], E4M3)) == 2.0**-9)


@pytest.mark.parametrize(
    ("format_", "overflow", "product"),
    [
        (E4M3, "saturate", 0xFE),
        (E4M3, "ieee", 0x7F),  # the canonical NaN has no sign
        (E5M2, "saturate", 0xFB),
        (E5M2, "ieee", 0xFC),
        (FORMATS["e3m2"], "saturate", 0x3F),
        (FORMATS["e3m2"], "ieee", 0x3F),
        (FP16, "ieee", 0xFC00),
        (FP32, "saturate", 0xFF7FFFFF),
    ],
)
def test_results_above_the_largest_finite_number(format_: Format, overflow: Any, product: int) -> None:
    a, b = format_.largest_finite | format_.sign_mask, format_.largest_finite
    for mul in multipliers(format_):
        for subnormals in SUBNORMALS:
            arithmetic = Arithmetic(format=format_, mul=mul, overflow=overflow, subnormals=subnormals)
            assert multiply(a, b, arithmetic) == product


@pytest.mark.parametrize("format_", [E5M2, FORMATS["bf16"], FP16, FP32, find_format("e3m3")], **by_name)
@pytest.mark.parametrize(("subnormals", "overflow"), POLICIES)
def test_infinity_times_everything(format_: Format, subnormals: Any, overflow: Any) -> None:
    infinity, sign, nan = format_.infinity, format_.sign_mask, format_.nan
    assert infinity is not None
    subnormal = infinity if subnormals == "full" else nan
    others = [
        (0, nan),
        (1, subnormal),
        (format_.smallest_normal, infinity),
        (infinity, infinity),
        (infinity + 1, nan),
    ]
    for mul in multipliers(format_):
        arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals, overflow=overflow)
        for other, product in others:
            assert multiply(infinity, other, arithmetic) == multiply(other, infinity, arithmetic) == product
            negative = product | sign if product == infinity else product
            assert multiply(infinity | sign, other, arithmetic) == negative
            assert multiply(infinity, other | sign, arithmetic) == negative


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_flushed_results_are_zero_or_normal(mul: str) -> None:
    magnitude = multiply(A, B, Arithmetic(mul=mul)) & 0x7F
    assert not np.any((magnitude > 0) & (magnitude < 8))


@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (0x0E, 0x31, 0x08),  # (1.75 * 2^-6) * 0.5625 = 0.984375 * 2^-6: rounds up to 2^-6
        (0x0C, 0x32, 0x00),  # (1.5 * 2^-6) * 0.625 = 0.9375 * 2^-6: 4 significant bits hold it
    ],
)
@pytest.mark.parametrize("mul", ["addc", "exact"])
def test_underflow_is_decided_after_rounding(a: int, b: int, product: int, mul: str) -> None:
    assert multiply(np.array(a), np.array(b), Arithmetic(mul=mul)) == product


@pytest.mark.parametrize(
    ("mul", "mean", "mean_absolute", "nearest"),
    [
        ("mitchell", "-3.78", "3.78", 41),
        ("lmul", "+4.93", "5.24", 28),
        ("addc", "-0.54", "1.90", 64),
        ("exact", "-0.54", "1.90", 64),
    ],
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


def test_formula_and_lmul_differ_as_soon_as_the_mantissas_carry() -> None:
    """With S = x + y + 2^-l: the formula is 1 + S, integer addition 1 + S, 2 S or 4 (S - 1)."""
    binade = np.arange(0x38, 0x40)
    a, b = binade[:, None], binade[None, :]
    fraction = decode(binade, E4M3).astype(np.float64) - 1
    s = fraction[:, None] + fraction[None, :] + 2.0**-3
    integer_add = np.select([s < 1, s < 2], [1 + s, 2 * s], 4 * (s - 1))
    assert np.array_equal(wide_product(a, b, Arithmetic(mul="formula")), 1 + s)
    assert np.array_equal(wide_product(a, b, Arithmetic(mul="lmul")), integer_add)


def nearest_field(x: int, y: int, mantissa_bits: int) -> int:
    """Give exponent and mantissa, as one integer, of the rounded product of (1 + x/2^M) and (1 + y/2^M)."""
    one = 1 << mantissa_bits
    true = Fraction(one + x, one) * Fraction(one + y, one)
    exponent = int(true >= 2)
    significand = round(true / 2**exponent * one)  # Python rounds fractions to even.
    return (exponent << mantissa_bits) + significand - one


@pytest.mark.parametrize("mantissa_bits", [1, 2, 3, 4])
def test_addc_carry_is_what_lacks_to_the_correctly_rounded_field(mantissa_bits: int) -> None:
    mantissas = range(1 << mantissa_bits)
    lacks = [[nearest_field(x, y, mantissa_bits) - x - y for y in mantissas] for x in mantissas]
    assert addc_carry(mantissa_bits).tolist() == lacks


@pytest.mark.parametrize(
    ("mantissa_bits", "cells"), [(1, [4]), (2, [14, 2]), (3, [39, 25]), (4, [97, 98, 56, 5])]
)
def test_cells_of_each_addc_carry(mantissa_bits: int, cells: list[int]) -> None:
    carry = addc_carry(mantissa_bits)
    assert np.bincount(carry.ravel()).tolist() == cells
    assert np.array_equal(carry, carry.T)


def test_addc_carries_with_2_mantissa_bits_are_ties() -> None:
    """1.25 * 1.5 = 1.875, halfway between 1.75 and the even 2."""
    assert np.argwhere(addc_carry(2)).tolist() == [[1, 2], [2, 1]]


@pytest.mark.parametrize("format_", [E4M3, E5M2, find_format("e5m4"), FORMATS["bf16"], FP32], **by_name)
def test_arrays_are_broadcast_and_blocks_leave_no_seam(format_: Format) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 1 << format_.width, (257, 1)), rng.integers(0, 1 << format_.width, (1, 300))
    arithmetic = Arithmetic(format=format_)
    products = multiply(a, b, arithmetic)
    assert products.shape == wide_product(a, b, arithmetic).shape == (257, 300)
    assert products.dtype == format_.dtype
    assert np.array_equal(products, [multiply(row, b[0], arithmetic) for row in a])
    assert multiply(3, 4, arithmetic).shape == ()
    assert multiply(a[:0], b, arithmetic).shape == (0, 300)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("format_", "mul"), **with_multipliers([E4M3, E5M2, *WIDE]))
def test_products_raise_no_warnings(format_: Format, mul: str) -> None:
    a, b = drawn_pairs(format_, format_, 1000)
    for arithmetic in with_policies(format_, mul):
        multiply(a, b, arithmetic)
        wide_product(a, b, arithmetic)


PRODUCTS, CHUNKS = 10_000_000, 5
NAMES_OF_8_BITS_AND_LESS = ("e4m1", "e3m2", "e2m3", "e2m1", "e2m2", "e3m1")


@pytest.mark.long
@pytest.mark.parametrize(
    ("format_", "mul"),
    **with_multipliers([*UP_TO_8_BITS, *IEEE_TWINS[1:], *map(find_format, NAMES_OF_8_BITS_AND_LESS)]),
)
def test_all_products_of_up_to_8_bits_equal_the_reference(format_: Format, mul: str) -> None:
    """Compare 65,536 pairs of 8 bits for each multiplier and policy, and as unrounded products."""
    for arithmetic in with_policies(format_, mul):
        assert_products_equal_the_reference(*all_pairs(format_), arithmetic)
    for subnormals in SUBNORMALS:
        arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals)
        assert_wide_products_equal_the_reference(*all_pairs(format_), arithmetic)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize(("subnormals", "overflow"), POLICIES)
@pytest.mark.parametrize(
    ("name", "mul"),
    [
        *((name, mul) for name in ("bf16", "fp16", "fp32") for mul in MULTIPLIERS if mul != "addc"),
        *((name, "addc") for name in ("e5m4", "e8m4")),
    ],
)
def test_ten_million_products_equal_the_reference(
    name: str, mul: str, subnormals: Any, overflow: Any, chunk: int
) -> None:
    """Compare 10 million pairs for each of 14 formats with multipliers and 4 policies: 560 million in all."""
    format_ = find_format(name)
    arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals, overflow=overflow)
    a, b = drawn_pairs(format_, format_, PRODUCTS // CHUNKS, seed=chunk)
    assert_products_equal_the_reference(a, b, arithmetic)


@pytest.mark.long
@pytest.mark.parametrize("subnormals", SUBNORMALS)
@pytest.mark.parametrize(("format_", "mul"), **with_multipliers(WIDE))
def test_drawn_wide_products_equal_the_reference(format_: Format, mul: str, subnormals: Any) -> None:
    """Compare 500,000 pairs for each format, multiplier and way with subnormals."""
    arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals)
    assert_wide_products_equal_the_reference(*drawn_pairs(format_, format_, 500_000, seed=7), arithmetic)
