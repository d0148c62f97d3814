"""Dot products and matrix products of codes, their flags and outputs, and those of real numbers."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lmul.golden import (
    BF16,
    E4M3,
    E5M2,
    FORMATS,
    FP16,
    FP32,
    MULTIPLIERS,
    SUBNORMALS,
    Arithmetic,
    Codes,
    Format,
    Sums,
    decode,
    encode,
    find_format,
    matmul,
    matmul_codes,
    quantise,
    reference,
)
from lmul.golden.accumulators import FIXED_BITS, FIXED_LSB
from lmul.golden.sums.direct import direct_sums
from lmul.golden.sums.fixed_point import FixedPoint
from lmul.golden.sums.separable import plan, separable_sums
from lmul.golden.sums.steps import fixed_sums
from lmul.workloads import default_operands
from tests.support.golden.cases import drawn_pairs, edge_codes, multipliers, with_multipliers

LANES = (1, 3, 4, 8)
MAX, MIN = 0x7E, 0xFE  # 448 and -448 in e4m3
ACCUMULATORS = ("exact", "fixed", "fp32", "bf16", "fp16", "fused")
OUTPUTS = ("raw", "fp32", "bf16")

PAIRS = [
    tuple(find_format(name) for name in names.split())
    for names in (
        "e4m3 e4m3", "e5m2 e5m2", "e3m4 e3m4", "e2m5 e2m5", "e2m1 e2m1", "bf16 bf16", "fp16 fp16",
        "fp32 fp32", "e4m3 e2m1", "e2m3 e3m2", "e5m2 e4m3", "e4m3 bf16", "fp32 e2m1", "e8m1 e6m1",
        "e8m4 e8m4", "e2m9 e3m4",
    )
]  # fmt: skip

drawn = settings(derandomize=True, deadline=None, max_examples=150)
e4m3_arithmetic = st.builds(
    Arithmetic,
    mul=st.sampled_from(list(MULTIPLIERS)),
    lanes=st.sampled_from(LANES),
    subnormals=st.sampled_from(["flush", "full"]),
)
numbers = st.integers(0, 255).filter(lambda code: code & 0x7F != 0x7F)
factors = st.lists(st.tuples(numbers, numbers), max_size=20)
"""Pairs of e4m3 factors: K from 0 to 20 is often no multiple of the lanes."""


def dot(pairs: list[tuple[int, int]], arithmetic: Arithmetic) -> Sums:
    codes = np.array(pairs, dtype=np.uint32).reshape(-1, 2)
    return matmul_codes(codes[None, :, 0], codes[:, 1, None], arithmetic)


def drawn_accumulator(rng: np.random.Generator, formats: tuple[Format, Format], acc: str) -> str:
    """Give `fixed` bits around those that the products have, sometimes few, sometimes more than 64."""
    if acc == "fused":
        return f"fused:{rng.integers(4, 41)}:{rng.integers(1, 24)}{rng.choice(['', ':rne'])}"
    if acc != "fixed":
        return acc
    bits = int(rng.choice([2, 3, *rng.integers(4, 40, 4), 54, 63, 64, 65, 96, 97, 200, 512]))
    middle = sum(format_.min_exponent - format_.mantissa_bits for format_ in formats)
    lsb = int(rng.choice([middle, middle - 7, *rng.integers(middle, 40, 6)]))
    return f"fixed:{bits}:{min(max(lsb, FIXED_LSB[0]), FIXED_LSB[-1])}"


def drawn_arithmetic(rng: np.random.Generator, formats: tuple[Format, Format], acc: str) -> Arithmetic:
    return Arithmetic(
        format=formats[0],
        format_b=formats[1],
        mul=str(rng.choice(multipliers(*formats))),
        acc=drawn_accumulator(rng, formats, acc),
        out=str(rng.choice(OUTPUTS)),
        lanes=int(rng.choice(LANES)),
        depth=int(rng.choice([1, 2, 5, 2048])),
        subnormals="full" if rng.random() < 0.5 else "flush",
    )


def drawn_codes(rng: np.random.Generator, format_: Format, shape: tuple[int, int]) -> Codes:
    """Draw codes of one kind: all, finite, around one, tiny, huge or on the edges."""
    kind = rng.integers(6)
    field = rng.integers(0, format_.largest_finite + 1, shape)
    if kind == 0:
        field = rng.integers(0, format_.magnitude_mask + 1, shape)
    elif kind == 2:
        one = format_.bias << format_.mantissa_bits
        field = one + rng.integers(-(4 << format_.mantissa_bits), 4 << format_.mantissa_bits, shape)
    elif kind == 3:
        field = rng.integers(0, 2 << format_.mantissa_bits, shape)
    elif kind == 4:
        field = format_.largest_finite - rng.integers(0, 2 << format_.mantissa_bits, shape)
    elif kind == 5:
        field = rng.choice(edge_codes(format_), shape) & format_.magnitude_mask
    field = np.clip(field, 0, format_.magnitude_mask)
    if rng.random() < 0.7:  # Otherwise infinities and NaN are in nearly every sum.
        field = np.minimum(field, format_.largest_finite)
    sign = rng.integers(0, 2, shape) if rng.random() < 0.7 else np.zeros(shape, dtype=np.int64)
    return (field | sign * format_.sign_mask).astype(format_.dtype)


def assert_sums_equal_the_reference(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> None:
    sums = matmul_codes(a, b, arithmetic)
    raw, output, values, too_large = sums.raw, sums.output(), sums.values(), sums.too_large
    for row, column in np.ndindex(a.shape[0], b.shape[1]):
        expected = reference.dot(a[row].tolist(), b[:, column].tolist(), arithmetic)
        found = reference.Sum(
            int(raw[row, column]),
            bool(sums.overflow[row, column]),
            int(sums.infinity[row, column]),
            bool(sums.nan[row, column]),
            int(output[row, column]),
            bool(too_large[row, column]),
        )
        assert found == expected, f"{arithmetic}\n{a[row].tolist()}\n{b[:, column].tolist()}"
        assert sums.inf[row, column] == (expected.infinity != 0)
        assert_value(values[row, column], expected, arithmetic)


def assert_value(value: float, expected: reference.Sum, arithmetic: Arithmetic) -> None:
    """Compare a value with the output's, or with the register rounded to a double."""
    format_ = FORMATS.get(arithmetic.out) or arithmetic.accumulator_format
    if format_:
        assert np.array_equal(value, reference.decode(expected.output, format_), equal_nan=True)
    elif expected.nan or expected.infinity:
        assert np.array_equal(value, np.nan if expected.nan else expected.infinity * np.inf, equal_nan=True)
    else:
        exact = expected.raw * Fraction(2) ** reference.lsb_exponent(arithmetic)
        assert value == float(exact)


def rounded(real: Fraction, bits: int) -> Fraction:
    """Round to a number of significant bits, to nearest even."""
    unit = Fraction(2) ** (real.numerator.bit_length() - real.denominator.bit_length() - bits)
    unit *= 2 if abs(real) >= unit * 2**bits else 1
    return round(real / unit) * unit


@pytest.mark.parametrize("acc", ACCUMULATORS)
@pytest.mark.parametrize("formats", PAIRS, ids=lambda formats: "x".join(f.name for f in formats))
def test_drawn_sums_equal_the_reference(formats: tuple[Format, Format], acc: str) -> None:
    rng = np.random.default_rng(len(acc))
    for _ in range(25):
        rows, columns, depth = (int(rng.integers(1, most)) for most in (4, 4, 20))
        a, b = (
            drawn_codes(rng, f, shape)
            for f, shape in zip(formats, ((rows, depth), (depth, columns)), strict=True)
        )
        assert_sums_equal_the_reference(a, b, drawn_arithmetic(rng, formats, acc))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("acc", ACCUMULATORS)
@pytest.mark.parametrize("formats", PAIRS, ids=lambda formats: "x".join(f.name for f in formats))
def test_many_drawn_sums_equal_the_reference(formats: tuple[Format, Format], acc: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        rows, columns, depth = (int(rng.integers(1, most)) for most in (4, 4, 40))
        a, b = (
            drawn_codes(rng, f, shape)
            for f, shape in zip(formats, ((rows, depth), (depth, columns)), strict=True)
        )
        assert_sums_equal_the_reference(a, b, drawn_arithmetic(rng, formats, acc))


def total(
    parts: Iterable[tuple[NDArray[np.float64], int]], shape: tuple[int, int], lsb_exponent: int
) -> NDArray[Any]:
    """Add exact partial sums as integers, in units of 2^lsb_exponent."""
    unit = Fraction(2) ** lsb_exponent
    sums = np.full(shape, Fraction(0))
    for part, _ in parts:
        sums = sums + np.vectorize(Fraction, otypes=[object])(part)
    return sums / unit


def finite_codes(rng: np.random.Generator, format_: Format, shape: tuple[int, int]) -> Codes:
    field = rng.integers(0, format_.largest_finite + 1, shape)
    return (field | rng.integers(0, 2, shape) * format_.sign_mask).astype(format_.dtype)


PATHS = [
    find_format(name)
    for name in ("e4m3", "e5m2", "e3m4", "e2m5", "e2m3", "e8m1", "e6m1", "bf16", "fp16", "fp32")
]


@pytest.mark.parametrize(("format_", "mul"), **with_multipliers(PATHS))
@pytest.mark.parametrize("subnormals", SUBNORMALS)
@pytest.mark.parametrize("k", [1, 37, 1000])
def test_all_ways_to_a_sum_give_the_same_bits(format_: Format, mul: str, subnormals: Any, k: int) -> None:
    """Compare the separated, the direct and the stepwise sums with the reference, on codes of full range."""
    arithmetic = Arithmetic(format=format_, mul=mul, subnormals=subnormals, lanes=8)
    rng = np.random.default_rng(k)
    a, b = finite_codes(rng, format_, (3, k)), finite_codes(rng, format_, (k, 2))
    register, overflow = fixed_sums(a, b, arithmetic)
    assert not np.any(overflow)
    steps = register.integers()
    assert np.array_equal(total(direct_sums(a, b, arithmetic), (3, 2), arithmetic.lsb_exponent), steps)
    windows = plan(a, b, arithmetic)
    if windows:
        assert np.array_equal(
            total(separable_sums(a, b, arithmetic, windows), (3, 2), arithmetic.lsb_exponent), steps
        )
    assert np.array_equal(matmul_codes(a, b, arithmetic).raw, steps)
    assert steps[2, 1] == reference.dot(a[2].tolist(), b[:, 1].tolist(), arithmetic).raw


def test_full_range_of_e5m2_is_separated_into_windows_of_sums_beyond_53_bits() -> None:
    rng = np.random.default_rng(1)
    a, b = finite_codes(rng, E5M2, (3, 1000)), finite_codes(rng, E5M2, (1000, 2))
    arithmetic = Arithmetic(format=E5M2, mul="exact", subnormals="full")
    windows = plan(a, b, arithmetic)
    assert windows is not None
    assert len(windows.windows_a) * len(windows.windows_b) > 1
    assert arithmetic.accumulator_bits > 64


@pytest.mark.parametrize("specials", ["a", "b", "both"])
@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e8m1", "fp32"])
def test_infinities_and_nan_count_as_zero_on_every_way(name: str, specials: str) -> None:
    format_, rng = find_format(name), np.random.default_rng(1)
    arithmetic = Arithmetic(format=format_, mul="exact", subnormals="full")
    a, b = finite_codes(rng, format_, (3, 40)), finite_codes(rng, format_, (40, 2))
    k = np.arange(0, 40, 5)
    if specials != "b":
        a[:, k] = np.resize([format_.nan, format_.infinity or format_.nan], k.size)
    if specials != "a":
        b[k] = np.resize([format_.infinity or format_.nan, format_.nan], k.size)[:, None]
    finite_a, finite_b = np.delete(a, k, axis=1), np.delete(b, k, axis=0)
    steps = fixed_sums(finite_a, finite_b, arithmetic)[0].integers()
    assert np.array_equal(fixed_sums(a, b, arithmetic)[0].integers(), steps)
    assert np.array_equal(total(direct_sums(a, b, arithmetic), (3, 2), arithmetic.lsb_exponent), steps)
    windows = plan(a, b, arithmetic)
    if windows:
        assert np.array_equal(
            total(separable_sums(a, b, arithmetic, windows), (3, 2), arithmetic.lsb_exponent), steps
        )
    assert np.array_equal(matmul_codes(a, b, arithmetic).raw, steps)


def test_tiles_leave_no_seam() -> None:
    rng = np.random.default_rng(1)
    for acc, format_ in (("exact", FP32), ("fixed:12:-6", E4M3), ("bf16", E4M3)):
        arithmetic = Arithmetic(format=format_, acc=acc, out="raw")
        a, b = finite_codes(rng, format_, (300, 5)), finite_codes(rng, format_, (5, 1100))
        whole = matmul_codes(a, b, arithmetic).output()
        for rows, columns in ((slice(250, 260), slice(1020, 1030)), (slice(290, 300), slice(0, 9))):
            assert np.array_equal(
                whole[rows, columns], matmul_codes(a[rows], b[:, columns], arithmetic).output()
            )


@drawn
@given(factors, e4m3_arithmetic)
def test_exact_sum_is_that_of_the_products(pairs: list[tuple[int, int]], arithmetic: Arithmetic) -> None:
    product = reference.wide_multiplier(arithmetic)
    exact = sum(Fraction(product(a, b)) for a, b in pairs)
    sums = dot(pairs, arithmetic)
    assert sums.raw.item() * Fraction(2) ** arithmetic.lsb_exponent == exact
    assert not (sums.nan.item() or sums.overflow.item() or sums.inf.item())
    assert sums.output().item() == reference.encode(exact, FP32, "nearest", "ieee")


@drawn
@given(st.data(), factors, e4m3_arithmetic)
def test_order_does_not_matter_within_depth(
    data: st.DataObject, pairs: list[tuple[int, int]], arithmetic: Arithmetic
) -> None:
    assert dot(data.draw(st.permutations(pairs)), arithmetic).raw == dot(pairs, arithmetic).raw


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("acc", ["exact", "fixed:16:-6", "fp32", "bf16", "fp16"])
def test_elements_are_dot_products_of_rows_and_columns(acc: str, lanes: int) -> None:
    arithmetic = Arithmetic(acc=acc, lanes=lanes)
    rng = np.random.default_rng(1)
    a, b = finite_codes(rng, E4M3, (5, 10)), finite_codes(rng, E4M3, (10, 3))
    a[0, 4], b[7, 0] = 0x7F, 0xFF
    sums = matmul_codes(a, b, arithmetic)
    for row, column in np.ndindex(5, 3):
        alone = matmul_codes(a[[row], :], b[:, [column]], arithmetic)
        assert sums.raw[row, column] == alone.raw.item()
        assert sums.nan[row, column] == alone.nan.item() == (row == 0 or column == 0)


@pytest.mark.parametrize(
    ("names", "lanes", "value"),
    [
        ("big one one one", 4, 258),  # (256 + 1) + (1 + 1)
        ("big one big one", 4, 512),  # (256 + 256) + (1 + 1), a tie to even
        ("big one one", 3, 256),  # (256 + 1) + 1: the middle one of three waits
        ("one big one", 3, 258),  # (1 + 1) + 256
        ("one one one one big", 5, 260),  # ((1 + 1) + 1) + (1 + 256), a tie to even
        ("one one one one big", 8, 258),  # ((1 + 256) + 1) + (1 + 1): lanes without a product are zero
    ],
)
def test_lanes_of_a_float_accumulator_are_added_in_a_balanced_tree(
    names: str, lanes: int, value: int
) -> None:
    """In bf16 256 + 1 is 256, so that the order shows."""
    codes = {"big": 0x58, "one": 0x38}  # 16 and 1 in e4m3, squared
    pairs = [(codes[name], codes[name]) for name in names.split()]
    sums = dot(pairs, Arithmetic(mul="exact", acc="bf16", out="raw", lanes=lanes))
    assert sums.values().item() == reference.decode(sums.raw.item(), BF16) == value


def test_products_are_rounded_before_they_meet_a_float_accumulator() -> None:
    # 1.125 * 1.125 = 1.265625 has 6 bits, and 448 * 448 is beyond fp16.
    overflow = dot([(MAX, MAX)], Arithmetic(mul="exact", acc="fp16", out="raw"))
    assert (overflow.raw.item(), overflow.infinity.item(), overflow.overflow.item()) == (0x7C00, 1, False)
    undone = dot([(MAX, MAX), (MAX, MIN)], Arithmetic(mul="exact", acc="fp16", out="raw", lanes=1))
    assert (undone.raw.item(), undone.nan.item(), undone.infinity.item()) == (0x7E00, True, 0)
    tiny = dot([(0x01, 0x01)], Arithmetic(mul="exact", acc="fp16", out="raw", subnormals="full"))
    assert tiny.raw.item() == 0x0040  # 2^-18, a subnormal number


LARGEST, ONE, HALF_ULP = 0x7F7F, 0x3F80, 0x7B00
"""Of bf16; the last is 2^119, half of the last place of the largest."""

OUTPUTS_TOO_SMALL: list[tuple[dict[str, Any], list[tuple[int, int]], int, int]] = [
    # 2^128 - 2^119 is a tie between the largest number of bf16 and 2^128: to even, which is 2^128.
    ({"acc": "fp32", "out": "bf16"}, [(LARGEST, ONE), (HALF_ULP, ONE)], 0x7F80, 0b100),
    ({"acc": "fp32", "out": "bf16"}, [(LARGEST, 0xBF80), (HALF_ULP, 0xBF80)], 0xFF80, 0b100),
    ({"acc": "fp32", "out": "bf16"}, [(LARGEST, ONE), (HALF_ULP - 1, ONE)], 0x7F7F, 0),
    ({"acc": "fp32"}, [(LARGEST, ONE), (HALF_ULP, ONE)], 0x7F7F8000, 0),
    ({"acc": "bf16"}, [(LARGEST, ONE), (HALF_ULP, ONE)], 0x7F800000, 0b010),  # The sum is infinite.
    ({"acc": "fp32", "out": "bf16"}, [(0x7F80, ONE)], 0x7F80, 0b010),
    ({"acc": "fp32", "out": "bf16"}, [(0x7FC0, ONE)], 0x7FC0, 0b001),
    ({"acc": "fixed:20:112"}, [(LARGEST, ONE), (HALF_ULP, ONE)], 0x7F7F8000, 0),
    ({"acc": "fixed:20:112"}, [(LARGEST, ONE), (LARGEST, ONE)], 0x7F800000, 0b100),
    ({"acc": "fixed:20:112", "out": "raw"}, [(LARGEST, ONE), (LARGEST, ONE)], 0xFF00 << 1, 0),
    ({"acc": "fixed:20:112"}, [(LARGEST, ONE), (LARGEST, ONE), (0x7F80, ONE)], 0x7F800000, 0b010),
    ({"acc": "fixed:17:112", "out": "bf16"}, [(LARGEST, 0xBF80)] * 3, 0xFF80, 0b100),  # Saturated too.
    ({"acc": "fixed:16:112", "out": "bf16"}, [(LARGEST, ONE)] * 3, 0x7F00, 0b100),  # Saturated only.
    ({"acc": "exact"}, [(LARGEST, LARGEST), (ONE, ONE)], 0x7F800000, 0b100),
]


@pytest.mark.parametrize(("options", "pairs", "output", "flags"), OUTPUTS_TOO_SMALL)
def test_finite_sum_that_the_output_cannot_hold_is_an_overflow(
    options: dict[str, Any], pairs: list[tuple[int, int]], output: int, flags: int
) -> None:
    arithmetic = Arithmetic(format=BF16, mul="exact", **options)
    sums = dot(pairs, arithmetic)
    assert (sums.output().item(), sums.flags.item()) == (output, flags)
    a, b = np.array(pairs, dtype=BF16.dtype).T
    assert_sums_equal_the_reference(a[None], b[:, None], arithmetic)


def test_infinities_of_both_signs_are_nan_and_zero_times_infinity_too() -> None:
    infinity, one = 0x7C, 0x3C
    for acc in ("exact", "fixed:20:-4", "fp32", "bf16", "fp16"):
        arithmetic = Arithmetic(format=E5M2, acc=acc, mul="mitchell")
        positive = dot([(infinity, one), (one, one)], arithmetic)
        assert (positive.output().item(), positive.infinity.item(), positive.nan.item()) == (
            0x7F800000,
            1,
            False,
        )
        negative = dot([(one, one), (infinity | 0x80, one)], arithmetic)
        assert (negative.output().item(), negative.infinity.item(), negative.nan.item()) == (
            0xFF800000,
            -1,
            False,
        )
        for pairs in (
            [(infinity, one), (one, infinity | 0x80)],
            [(infinity, 0)],
            [(infinity, 0x81)],
            [(one, 0x7F)],
        ):
            nan = dot(pairs, arithmetic)
            assert (nan.output().item(), nan.infinity.item(), nan.nan.item()) == (0x7FC00000, 0, True)


@pytest.mark.parametrize(
    ("raw", "pattern"),
    [
        (0, 0x00000000),
        (2**24, 0x44000000),  # 2^24 * 2^-15 = 512
        (2**24 + 1, 0x44000000),  # halfway, down to even
        (2**24 + 2, 0x44000001),
        (2**24 + 3, 0x44000002),  # halfway, up to even
        (2**25 - 1, 0x44800000),  # halfway, up into the next binade
        (2**40 + 2**16, 0x4C000000),  # halfway
        (2**40 + 2**16 + 1, 0x4C000001),  # just above: the last bit of 41 decides
        (2**40 + 3 * 2**16 - 1, 0x4C000001),  # just below halfway
        (2**70 + 2**46, 0x5B000000),
        (2**70 + 2**46 + 1, 0x5B000001),  # the last bit of 71
        (2**170, 0x7F800000),  # 2^155
    ],
)
@pytest.mark.parametrize("bits", [62, 63, 64, 72, 96, 97, 200])
def test_ties_of_the_fp32_output_go_to_even(raw: int, pattern: int, bits: int) -> None:
    if raw >> (bits - 1):
        return
    no = np.zeros(2, dtype=np.bool_)
    register = FixedPoint.from_integers(np.array([raw, -raw], dtype=object if bits > 63 else np.int64), bits)
    arithmetic = Arithmetic(acc=f"fixed:{bits}:-15")
    output = Sums(arithmetic, register, no, np.zeros(2, dtype=np.int8), no).output()
    assert output.tolist() == [pattern, pattern | 0x80000000 if raw else 0]


@pytest.mark.parametrize("acc", ["exact", "fixed:24:-8", "fixed:100:-50", "fp32", "bf16", "fp16"])
def test_cancelled_and_empty_sums_are_positive_zero(acc: str) -> None:
    for out in OUTPUTS:
        arithmetic = Arithmetic(acc=acc, out=out)
        assert dot([(0x38, 0x38), (0x38, 0xB8)], arithmetic).output().tolist() == [[0]]
        assert dot([(0x80, 0x38), (0x80, 0x38)], arithmetic).output().tolist() == [[0]]
        empty = matmul_codes(np.zeros((2, 0), dtype=np.uint8), np.zeros((0, 3), dtype=np.uint8), arithmetic)
        assert empty.output().tolist() == [[0] * 3] * 2
        assert not np.any(empty.nan | empty.overflow | empty.inf)
        assert (
            matmul_codes(
                np.zeros((0, 2), dtype=np.uint8), np.zeros((2, 3), dtype=np.uint8), arithmetic
            ).raw.size
            == 0
        )


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_raw_output_is_the_register_in_twos_complement_even_with_nan(mul: str) -> None:
    arithmetic = Arithmetic(mul=mul, out="raw")
    one = 2**-arithmetic.lsb_exponent * (9 if mul in {"lmul", "formula"} else 8) // 8  # 1 * 1
    pairs = [(0xB8, 0x38), (0x7F, 0x38)]
    assert dot(pairs, arithmetic).output().item() == -one + (1 << arithmetic.accumulator_bits)
    assert dot([(0x38, 0x38)], arithmetic).output().item() == one


FIXED_PRODUCTS = [
    # 1.125 * 1.5 = 1.6875 by exact, in units of 2^-2: 6.75, toward zero 6
    ("fixed:8:-2", [(0x39, 0x3C)], 6, False),
    ("fixed:8:-2", [(0xB9, 0x3C)], -6, False),
    ("fixed:8:-2", [(0x39, 0x3C)] * 3, 18, False),  # truncated before they are added
    ("fixed:8:1", [(0x39, 0x3C)], 0, False),
    ("fixed:4:0", [(0x38, 0x56)], 7, True),  # 14 does not fit, nor does the sum come back
    ("fixed:4:0", [(0xB8, 0x56)], -7, True),  # a product's magnitude: never -8
    ("fixed:4:0", [(0xB8, 0x40), (0xB8, 0x54)], -8, True),  # -2 and -12, clamped to -7
    ("fixed:4:0", [(0xB8, 0x40), (0xB8, 0x4E)], -8, True),  # -2 - 7 = -9
    ("fixed:4:0", [(0xB8, 0x40), (0xB8, 0x44), (0xB8, 0x44)], -8, False),  # -2 - 3 - 3: the lowest there is
    ("fixed:4:0", [(0x38, 0x44)] * 3 + [(0xB8, 0x44)], 6, False),  # one step of four lanes: exact within
    ("fixed:4:0", [(0x38, 0x44)] * 4 + [(0xB8, 0x44)] * 4, -5, True),  # 12 saturates to 7, then -12
    ("fixed:2:256", [(MAX, MAX)], 0, False),
    ("fixed:512:-512", [(0x38, 0x38)], 2**511 - 1, True),  # 2^512 units
    ("fixed:512:-500", [(0x38, 0x38)], 2**500, False),
]


@pytest.mark.parametrize(("acc", "pairs", "raw", "overflow"), FIXED_PRODUCTS)
def test_fixed_truncates_toward_zero_and_saturates(
    acc: str, pairs: list[Any], raw: int, overflow: bool
) -> None:
    arithmetic = Arithmetic(mul="exact", acc=acc, out="raw")
    sums = dot(pairs, arithmetic)
    assert (sums.raw.item(), sums.overflow.item()) == (raw, overflow)
    expected = reference.dot([a for a, _ in pairs], [b for _, b in pairs], arithmetic)
    assert (expected.raw, expected.overflow) == (raw, overflow)


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("subnormals", SUBNORMALS)
def test_exact_accumulator_is_as_narrow_as_its_products_and_depth_allow(
    first: Format, second: Format, subnormals: Any
) -> None:
    for mul in multipliers(first, second):
        one = Arithmetic(format=first, format_b=second, mul=mul, subnormals=subnormals, lanes=1)
        unit = Fraction(2) ** one.lsb_exponent
        product = reference.wide_multiplier(one)
        largest = Fraction(product(first.largest_finite, second.largest_finite)) / unit
        assert one.lsb_exponent == reference.lsb_exponent(one)
        assert one.largest_product == largest
        for depth in (1, 2, 5, 2048, 65536):
            bits = replace(one, depth=depth).accumulator_bits
            assert 2 ** (bits - 2) <= depth * largest < 2 ** (bits - 1)
        for a, b in zip(*(codes.tolist() for codes in drawn_pairs(first, second, 200)), strict=True):
            wide = product(a, b)
            assert not np.isfinite(wide) or (
                (Fraction(wide) / unit).denominator == 1 and abs(wide) <= largest * unit
            )


@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_last_bit_of_the_exact_accumulator_is_needed(mul: str) -> None:
    smallest = 0x08  # 2^-6
    products = [dot([(smallest + 1, smallest + step)], Arithmetic(mul=mul)).raw.item() for step in (0, 1)]
    assert any(product % 2 for product in products)


def test_output_bits() -> None:
    assert Arithmetic(out="fp32").output_bits == 32
    assert Arithmetic(out="bf16").output_bits == 16
    assert Arithmetic(out="raw", acc="fixed:77:-3").output_bits == 77
    assert Arithmetic(out="raw", acc="fp16").output_bits == 16
    assert Arithmetic(out="raw").output_bits == Arithmetic().accumulator_bits


@pytest.mark.parametrize("depth", [1, 5, 2048])
@pytest.mark.parametrize("factor", [MAX, MIN])
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_extremes_fit_within_depth(mul: str, factor: int, depth: int) -> None:
    arithmetic = Arithmetic(mul=mul, depth=depth)
    sums = dot([(factor, MAX)] * depth, arithmetic)
    assert not sums.overflow.item()
    assert abs(sums.raw.item()) == depth * arithmetic.largest_product


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_overflow_flag_stays_when_the_sum_comes_back(mul: str, lanes: int) -> None:
    # Four full steps there and four back: whatever fits one step does not fit four.
    there_and_back = [(MAX, MAX)] * (4 * lanes) + [(MAX, MIN)] * (4 * lanes)
    sums = dot(there_and_back, Arithmetic(mul=mul, lanes=lanes, depth=1))
    assert sums.overflow.item()
    assert sums.raw.item() == 0


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mul", MULTIPLIERS)
def test_one_step_fits_however_small_the_depth(mul: str, lanes: int) -> None:
    sums = dot([(MAX, MAX)] * lanes, Arithmetic(mul=mul, lanes=lanes, depth=1))
    assert not sums.overflow.item()


def test_register_holds_its_most_negative_value_but_not_the_negation() -> None:
    # 448 * 288: the field 126 + 121 - 55 = 192 is 2^17, half of what a register for one product spans.
    arithmetic = Arithmetic(mul="lmul", depth=1, lanes=1)
    limit = 1 << (arithmetic.accumulator_bits - 1)
    for factor, overflow in ((MIN, False), (MAX, True)):
        sums = dot([(factor, 0x79)] * 2, arithmetic)
        assert (sums.raw.item(), sums.overflow.item()) == (-limit, overflow)


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 3), (4, 2)), ((2, 3), (2, 3)), ((3,), (3, 2)), ((2, 3), (3,)), ((1, 2, 3), (3, 2)), ((), ())],
)
def test_shapes_that_do_not_fit_are_refused(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="M x K and K x N"):
        matmul_codes(np.zeros(a, dtype=np.uint8), np.zeros(b, dtype=np.uint8), Arithmetic())


def test_operands_of_other_types_and_orders_are_the_same_codes() -> None:
    rng = np.random.default_rng(1)
    a, b = finite_codes(rng, E4M3, (4, 9)), finite_codes(rng, E4M3, (9, 3))
    expected = matmul_codes(a, b, Arithmetic()).raw
    for x, y in (
        (a.astype(np.int64), b.astype(np.int32)),
        (np.asfortranarray(a), np.asfortranarray(b)),
        (a[::-1][::-1], b),
    ):
        assert np.array_equal(matmul_codes(x, y, Arithmetic()).raw, expected)


def test_sums_do_not_change_their_operands() -> None:
    rng = np.random.default_rng(1)
    a, b = drawn_pair = finite_codes(rng, FP32, (4, 9)), finite_codes(rng, FP32, (9, 3))
    before = [codes.copy() for codes in drawn_pair]
    for acc in ("exact", "fixed:12:0", "bf16", "fp32"):
        matmul_codes(a, b, Arithmetic(format=FP32, acc=acc))
    assert all(np.array_equal(*pair) for pair in zip(drawn_pair, before, strict=True))


# FixedPoint


@drawn
@given(st.integers(2, 220), st.data())
def test_registers_add_shifted_integers(bits: int, data: st.DataObject) -> None:
    limit, sums = 1 << (bits - 1), [0, 0]
    register = FixedPoint.cleared((2,), bits)
    for _ in range(data.draw(st.integers(0, 6))):
        shift = data.draw(st.integers(0, bits - 1))
        room = min((limit - max(map(abs, sums)) - 1) >> shift, 2**62 - 1)
        values = [data.draw(st.integers(-room, room)) for _ in sums]
        register.add(np.array(values, dtype=np.int64), shift)
        sums = [total + (value << shift) for total, value in zip(sums, values, strict=True)]
    register.normalise()
    assert register.integers().tolist() == sums
    again = FixedPoint.from_integers(np.array(sums, dtype=object if bits > 63 else np.int64), bits)
    assert np.array_equal(again.digits, register.digits)


@drawn
@given(st.integers(2, 220), st.data())
def test_registers_round_to_odd_doubles(bits: int, data: st.DataObject) -> None:
    limit = 1 << (bits - 1)
    ends = st.sampled_from([0, 1, limit - 1, -limit, -limit + 1, limit >> 1])
    near_53_bits = st.builds(
        lambda n, s, d: (n << s) + d, st.integers(-(2**54), 2**54), st.integers(0, bits), st.integers(-2, 2)
    )
    values = data.draw(
        st.lists(st.one_of(ends, st.integers(-limit, limit - 1), near_53_bits), min_size=1, max_size=5)
    )
    values = [(value + limit) % (2 * limit) - limit for value in values]
    register = FixedPoint.from_integers(np.array(values, dtype=object if bits > 63 else np.int64), bits)
    assert register.integers().tolist() == values
    reals = [Fraction(real) for real in register.to_odd(0).tolist()]
    for precision in (30, 24, 8):
        assert [rounded(real, precision) for real in reals] == [
            rounded(Fraction(v), precision) for v in values
        ]


@pytest.mark.parametrize("bits", [54, 63, 64, 65, 96, 97, 128, 200])
def test_raw_values_are_exact_up_to_53_bits(bits: int) -> None:
    """A double holds these registers, however wide the accumulator."""
    values = [1, -1, 2**33 + 1, -(2**40 + 1), 2**52 + 1, 2**53 - 1, -(2**53 - 1)]
    register = FixedPoint.from_integers(np.array(values), bits)
    assert register.to_odd(0).tolist() == values


def test_widest_fixed_accumulator_is_a_register() -> None:
    assert FixedPoint.from_integers(np.array([-1, 5], dtype=object), FIXED_BITS[-1]).integers().tolist() == [
        -1,
        5,
    ]


# Real numbers

SHAPES = [
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((0, 2, 3), (3, 4)),
    ((0, 2, 3), (0, 3, 4)),
    ((2, 0), (0, 4)),
    ((0, 3), (3, 4)),
]


@pytest.mark.parametrize(("shape_a", "shape_b"), SHAPES)
@pytest.mark.parametrize("names", ["e4m3 e4m3", "e4m3 e2m1", "bf16 e5m2"])
@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
def test_real_product_is_quantised_multiplied_and_scaled_back(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], names: str, rounding: Any
) -> None:
    first, second = (find_format(name) for name in names.split())
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=shape_a), rng.normal(size=shape_b)
    for acc, out in (("exact", "fp32"), ("exact", "raw"), ("bf16", "raw"), ("fixed:40:-20", "bf16")):
        spec = Arithmetic(format=first, format_b=second, acc=acc, out=out)
        product = matmul(a, b, spec, rounding=rounding)
        assert product.dtype == np.float64
        assert product.shape == (a @ b).shape
        x, y = quantise(a, first, rounding), quantise(b, second, rounding)
        stacks = np.broadcast_shapes(shape_a[:-2], shape_b[:-2])
        codes_a, codes_b = (np.broadcast_to(q.codes, stacks + q.codes.shape[-2:]) for q in (x, y))
        for index in np.ndindex(stacks):
            expected = matmul_codes(codes_a[index], codes_b[index], spec).values() * x.scale * y.scale
            np.testing.assert_allclose(product[index], expected, rtol=5e-16)


@pytest.mark.parametrize(("name", "error"), [("e4m3", 0.04), ("bf16", 0.003), ("fp16", 5e-4), ("fp32", 1e-7)])
def test_exact_product_is_near_the_true_one(name: str, error: float) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(20, 64)), rng.normal(size=(64, 30))
    product = matmul(a, b, Arithmetic(format=find_format(name), mul="exact"))
    assert error / 4 < np.linalg.norm(product - a @ b) / np.linalg.norm(a @ b) < error


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.ones(3), np.ones((3, 2)), r"\.\.\. x M x K and \.\.\. x K x N, not \(3,\) and \(3, 2\)"),
        (np.ones((2, 3)), np.ones(3), "M x K"),
        (1.0, np.ones((1, 1)), "M x K"),
        (np.ones((2, 3)), np.ones((4, 2)), r"not \(2, 3\) and \(4, 2\)"),
        (np.ones((2, 2, 3)), np.ones((3, 3, 2)), "broadcast"),
        (np.full((1, 1), np.nan), np.ones((1, 1)), "finite"),
        (np.ones((1, 1)), np.full((1, 1), np.inf), "finite"),
        (
            np.ones((1, 9)),
            np.ones((9, 1)),
            "K is 9, more than the depth 8 of the accumulator: ask for depth=9",
        ),
    ],
)
def test_real_operands_that_do_not_fit_are_refused(a: Any, b: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matmul(a, b, Arithmetic(depth=8))


def test_depth_binds_only_the_exact_accumulator() -> None:
    for acc in ("fp32", "bf16", "fixed:40:-10"):
        product = matmul(np.ones((1, 9)), np.ones((9, 1)), Arithmetic(acc=acc, depth=8, mul="exact"))
        assert product.item() == pytest.approx(9, rel=0.01)


@pytest.mark.parametrize(
    ("acc", "left"),
    [("fixed:8:0", 6), ("fp16", 6), ("exact", 0), ("fp32", 0), ("bf16", 0), ("fixed:60:-20", 0)],
)
def test_sums_that_leave_the_range_are_reported(acc: str, left: int) -> None:
    a, b = np.ones((3, 2, 4)), np.ones((4, 1))  # Scaled to 448 each: 4 * 448 * 448.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        product = matmul(a, b, Arithmetic(acc=acc, mul="exact"))
    assert product.shape == (3, 2, 1)
    messages = [(warning.category, str(warning.message), warning.filename) for warning in caught]
    text = f"{left} of 6 sums left the range of the accumulator {acc}"
    assert messages == ([(RuntimeWarning, text, __file__)] if left else [])


tensors = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30)
scaled = st.sampled_from(
    [f for f in FORMATS.values() if f.exponent_bits < 8] + [find_format("e2m5"), find_format("e7m3")]
)


@drawn
@given(tensors, scaled)
def test_largest_magnitude_becomes_the_largest_finite(tensor: list[float], format_: Format) -> None:
    peak = int(np.argmax(np.abs(tensor)))
    quantised = quantise(tensor, format_)
    if tensor[peak]:
        assert quantised.codes[peak] == format_.largest_finite | (
            0 if tensor[peak] > 0 else format_.sign_mask
        )
        assert quantised.scale == abs(tensor[peak]) / format_.largest


@drawn
@given(tensors)
def test_quantisation_errs_by_at_most_half_an_ulp(tensor: list[float]) -> None:
    quantised = quantise(tensor, E4M3)
    magnitude = np.abs(np.array(tensor) / quantised.scale)
    ulp = np.ldexp(1.0, np.maximum(np.frexp(magnitude)[1] - 1, -6) - 3)
    error = np.abs(decode(quantised.codes, E4M3) * quantised.scale - tensor)
    assert np.all(error <= quantised.scale * ulp / 2 * (1 + 1e-9))


@drawn
@given(tensors, st.sampled_from([BF16, FP32, find_format("e8m3")]), st.sampled_from(["nearest", "truncate"]))
def test_formats_with_the_range_of_float32_are_not_scaled(
    tensor: list[float], format_: Format, rounding: Any
) -> None:
    quantised = quantise(tensor, format_, rounding)
    assert quantised.scale == 1
    assert np.array_equal(quantised.codes, encode(tensor, format_, rounding))


@pytest.mark.parametrize("shape", [(2, 3), (0,), ()])
def test_zeros_have_scale_one(shape: tuple[int, ...]) -> None:
    quantised = quantise(np.zeros(shape), E4M3)
    assert quantised.scale == 1
    assert quantised.codes.shape == shape
    assert not np.any(quantised.codes)


@pytest.mark.parametrize("tensor", [[1, np.nan], [np.inf, 1], [1, -np.inf]])
@pytest.mark.parametrize("format_", [E4M3, FP16, BF16])
def test_tensors_with_nan_or_infinity_are_refused(tensor: list[float], format_: Format) -> None:
    with pytest.raises(ValueError, match="finite"):
        quantise(tensor, format_)


def test_a_sum_of_nothing_but_negative_zeros_is_the_zero_of_its_register() -> None:
    tile = default_operands()[0]
    format_ = find_format("e2m1")
    a, b = (quantise(matrix, format_).codes for matrix in (tile.a, tile.b))
    sums = matmul_codes(a, b, Arithmetic(format=format_))
    zero = sums.raw == 0
    assert np.count_nonzero(zero) > 100
    assert not np.any(sums.output()[zero])


@pytest.mark.filterwarnings("error")
def test_scale_below_the_range_of_float32_is_not_lost() -> None:
    tiny = quantise([2e-44], E4M3)
    assert decode(tiny.codes, E4M3) * tiny.scale == pytest.approx(2e-44)
    assert matmul([[2e-44]], [[1e50]], Arithmetic(mul="exact")).item() == pytest.approx(2e6)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_zeros_stay_zeros_where_the_product_of_the_scales_is_no_double() -> None:
    product = matmul([[1e300], [0.0]], [[1e300]], Arithmetic(mul="exact"))
    assert product.tolist() == [[np.inf], [0.0]]


def test_tensors_of_the_smallest_doubles_have_a_scale() -> None:
    assert quantise([0.0, 5e-324], E4M3).codes[0] == 0
