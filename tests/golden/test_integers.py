"""Integers: their codes, products and sums are those of arithmetic with whole numbers."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmul.golden import (
    E4M3,
    INT4,
    INT8,
    INTEGERS,
    SCALINGS,
    Arithmetic,
    Integer,
    RoundMode,
    decode,
    encode,
    find_format,
    matmul,
    matmul_codes,
    multiply,
    quantise_factor,
    reference,
)
from tests.support.golden.cases import by_name

PAIRS = [(INT8, INT8), (INT4, INT4), (INT8, INT4), (INT4, INT8)]
REFUSED = ("exponent_bits", "mantissa_bits", "bias", "magnitude_mask", "largest_finite", "smallest")
BETWEEN = [k / 4 for k in range(-4 * 140, 4 * 140)] + [np.inf, -np.inf, 1e300, -0.0, 5e-324]


def arithmetic(first: Integer, second: Integer, **options: Any) -> Arithmetic:
    return Arithmetic(format=first, format_b=second, mul="exact", **options)


@pytest.mark.parametrize("format_", INTEGERS.values(), **by_name)
def test_codes_are_twos_complement(format_: Integer) -> None:
    codes = np.arange(1 << format_.width)
    numbers = np.where(codes < format_.sign_mask, codes, codes - (1 << format_.width))
    assert decode(codes, format_).tolist() == numbers.tolist()
    assert [reference.decode(code, format_) for code in codes.tolist()] == numbers.tolist()
    assert np.array_equal(encode(numbers, format_), codes)
    assert find_format(format_.name) is find_format(f"torch.{format_.name}") is format_


@pytest.mark.parametrize("rounding", RoundMode)
@pytest.mark.parametrize("format_", INTEGERS.values(), **by_name)
def test_numbers_between_are_rounded_once_and_stop_at_the_ends(format_: Integer, rounding: RoundMode) -> None:
    expected = [reference.encode(value, format_, rounding) for value in BETWEEN]
    assert encode(BETWEEN, format_, rounding, "ieee").tolist() == expected
    assert reference.encode(Fraction(5, 2), format_) == encode(2.5, format_) == 2
    with pytest.raises(ValueError, match="has no NaN"):
        encode([np.nan], format_)


@pytest.mark.parametrize("name", REFUSED)
def test_who_asks_for_fields_of_an_integer_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="int8 has no exponent and no mantissa: take a floating-point"):
        getattr(INT8, name)
    assert {INT8, INT4, E4M3, Integer("int8", 8)} == {INT8, INT4, E4M3}
    assert (INT8.nan, INT8.infinity, INT8.dtype, INT8.largest) == (None, None, np.uint8, 127)
    assert repr(INT4) == "Integer(name='int4', width=4)"
    with pytest.raises(ValueError, match="from 2 to 8, not 9"):
        Integer("int9", 9)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_no_scaling_makes_the_most_negative_number(scaling: str) -> None:
    rng = np.random.default_rng(1)
    reals = rng.normal(size=(40, 70)) * 10.0 ** rng.integers(-3, 3, (40, 1))
    # The largest magnitude, of a block too, is negative, and nearly a power of two.
    reals[4, 5] = -(2.0 ** np.ceil(np.log2(np.abs(reals).max()))) * 0.9999
    for format_ in (INT8, INT4):
        spec = arithmetic(format_, format_)
        found = quantise_factor(reals, 0, spec, "nearest", scaling)
        numbers = decode(found.codes, format_)
        assert scaling == "block-up" or numbers.min() == -format_.largest
        assert numbers.min() >= -format_.largest
        step = found.scales() / 2
        within = np.abs(numbers * found.scales() - reals) <= step * (1 + 1e-12)
        saturated = np.abs(numbers) == format_.largest
        # NVFP4's scales are rounded, to zero too.
        lost = (found.scales() == 0) & (numbers == 0) & (scaling == "nvfp4")
        assert np.all(within | lost | (saturated & (scaling in ("block", "power", "nvfp4"))))


@pytest.mark.parametrize("formats", PAIRS, ids=lambda pair: "x".join(format_.name for format_ in pair))
def test_every_product_is_whole(formats: tuple[Integer, Integer]) -> None:
    spec = arithmetic(*formats)
    a, b = (np.arange(1 << format_.width) for format_ in formats)
    found = multiply(a[:, None], b[None], spec)
    x, y = (decode(codes, format_).astype(int) for codes, format_ in zip((a, b), formats, strict=True))
    assert np.array_equal(found, (x[:, None] * y) & ((1 << spec.product_bits) - 1))
    one = reference.multiplier(spec)
    assert found.tolist() == [[one(i, j) for j in b.tolist()] for i in a.tolist()]
    assert found[formats[0].sign_mask, formats[1].sign_mask] == formats[0].sign_mask * formats[1].sign_mask


@st.composite
def sums(draw: st.DrawFn) -> tuple[Arithmetic, list[int], list[int]]:
    """Draw vectors, many numbers at the ends of the range, and a register that may be too small."""
    formats = draw(st.sampled_from(PAIRS))
    narrow = sum(format_.width for format_ in formats)
    acc = draw(st.sampled_from(["exact", *(f"fixed:{narrow + more}:0" for more in (0, 1, 3, 17))]))
    lanes, depth = draw(st.integers(1, 5)), draw(st.sampled_from([1, 2, 5, 40]))
    out = draw(st.sampled_from(["raw", "fp32"]))
    length = draw(st.integers(1, 40))
    vectors = []
    for format_ in formats:
        sign = format_.sign_mask
        code = st.one_of(st.sampled_from([sign, sign - 1, sign + 1, 0]), st.integers(0, 2 * sign - 1))
        vectors.append(draw(st.lists(code, min_size=length, max_size=length)))
    return arithmetic(*formats, acc=acc, lanes=lanes, depth=depth, out=out), vectors[0], vectors[1]


@settings(derandomize=True, deadline=None, max_examples=600)
@given(sums())
def test_sums_are_those_of_the_definition(drawn: tuple[Arithmetic, list[int], list[int]]) -> None:
    spec, a, b = drawn
    found, expected = matmul_codes([a], [[code] for code in b], spec), reference.dot(a, b, spec)
    assert (found.raw.item(), found.overflow.item()) == (expected.raw, expected.overflow)
    assert found.output().item() == expected.output
    assert found.flags.item() == 4 * expected.overflow


@pytest.mark.parametrize(("acc", "depth"), [("exact", 5000), ("fixed:40:0", 1)])
def test_sums_beyond_24_bits_are_exact(acc: str, depth: int) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(-128, 128, (3, 5000)), rng.integers(-128, 128, (5000, 4))
    a[0], b[:, 0] = -128, -128
    found = matmul_codes(a & 255, b & 255, arithmetic(INT8, INT8, acc=acc, depth=depth, out="raw"))
    assert np.array_equal(found.raw, a @ b)
    assert found.raw[0, 0] == 5000 << 14
    assert not found.flags.any()


def test_product_of_real_numbers_is_near() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(20, 64)), rng.normal(size=(64, 10))
    right = a @ b
    for second, bound in ((INT8, 0.03), (INT4, 0.2)):
        found = matmul(a, b, arithmetic(INT8, second), scaling="row")
        assert np.linalg.norm(found - right) < bound * np.linalg.norm(right)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mul": "lmul"}, "mul 'lmul' is not for integers: take exact"),
        ({"acc": "fp32"}, "acc 'fp32' is not for integers: take exact or fixed:BITS:0"),
        ({"acc": "h100"}, "acc 'h100' is not for integers"),
        ({"acc": "fused:13"}, "acc 'fused:13' is not for integers"),
        ({"acc": "fixed:24:-1"}, "acc 'fixed:24:-1' is not for integers"),
        ({"acc": "fixed:BITS:LSB"}, "takes numbers for BITS"),
        ({"acc": "fixed:15:0"}, "narrower than a product: take BITS of 16 or more"),
        ({"out": "bf16"}, "out 'bf16' is not for integers: take raw or fp32"),
        ({"subnormals": "full"}, "subnormals 'full' is not for integers: take flush"),
        ({"overflow": "ieee"}, "overflow 'ieee' is not for integers: take saturate"),
        ({"format_b": E4M3}, "format_b e4m3 beside int8: take two integers, or none"),
    ],
)
def test_what_is_not_for_integers_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Arithmetic(**{"format": INT8, "mul": "exact"} | options)
