"""What the golden model refuses, numbers that are no doubles, and values that others got wrong."""

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmul.golden import (
    BF16,
    E4M3,
    FORMATS,
    FP16,
    FP32,
    OVERFLOWS,
    ROUNDINGS,
    SCALINGS,
    Arithmetic,
    Format,
    decode,
    encode,
    find_format,
    matmul,
    matmul_codes,
    multiply,
    quantise,
    quantise_factor,
    reference,
    wide_product,
)
from lmul.golden.formats.quantise import quantise_blocks, quantise_by_power
from tests.support.golden.cases import by_name

E2M1, E8M3, E8M22 = (find_format(name) for name in ("e2m1", "e8m3", "e8m22"))

ROUNDING = "rounding 'up' is unknown: it must be one of nearest, truncate"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encode(1.0, E4M3, "up"), ROUNDING),
        (lambda: encode([], FP32, "up", "ieee"), ROUNDING),
        (lambda: encode(1.0, E4M3, overflow="wrap"), "overflow 'wrap' is unknown: .* one of saturate, ieee"),
        (lambda: encode(1.0, FP32, overflow=[]), r"overflow \[\] is unknown: .* one of saturate, ieee"),
        (lambda: reference.encode(1.0, E4M3, "up"), ROUNDING),
        (lambda: reference.encode(1.0, E4M3, overflow="wrap"), "overflow 'wrap' is unknown"),
        (lambda: quantise(np.ones(2), E4M3, "up"), ROUNDING),
        (lambda: quantise_blocks(np.ones(2), E4M3, "up"), ROUNDING),
        (lambda: quantise_by_power(np.ones(2), E4M3, "up"), ROUNDING),
        (lambda: matmul([[1]], [[1]], Arithmetic(), rounding="up"), ROUNDING),
        (
            lambda: matmul([[1]], [[1]], Arithmetic(), scaling="up"),
            "scaling 'up' is unknown: .* one of tensor, ",
        ),
        (lambda: quantise_factor([[1]], -1, Arithmetic(), "nearest", "row"), "side must be 0 or 1, not -1"),
        (lambda: Arithmetic(acc=None), "acc None is unknown: it must be one of exact, "),
        (lambda: Arithmetic(out=["fp32"]), "out .'fp32'. is unknown: it must be one of fp32, bf16, raw"),
        (lambda: Arithmetic(mul=None), "mul None is unknown: it must be one of lmul, "),
        (lambda: Arithmetic(format="e4m3"), r"format must be a Format, such as find_format\('e4m3'\) gives"),
        (lambda: Arithmetic(format_b="e4m3"), "format must be a Format.* not 'e4m3'"),
        (lambda: encode(1.0, "e4m3"), "format must be a Format"),
        (lambda: decode(1, "e4m3"), "format must be a Format"),
        (lambda: quantise(1.0, "e4m3"), "format must be a Format"),
        (lambda: find_format(None), "format None is unknown: it must be one of e4m3, "),
        (lambda: Format("x", 4, 3, "ofp8"), "specials 'ofp8' is unknown: it must be one of ieee, fn, finite"),
        (lambda: Format("x", 9, 3), "exponent_bits must be a whole number from 2 to 8, not 9"),
        (lambda: Format("x", 4, 0), "mantissa_bits must be a whole number from 1 to 23, not 0"),
        (lambda: Format("x", 4, 3.0), "mantissa_bits must be a whole number from 1 to 23, not 3.0"),
    ],
)
def test_what_is_no_choice_is_refused_with_all_that_are(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def takers(format_: Format) -> list[Callable[[Any], Any]]:
    """Give all that takes codes of a format, as functions of a list or array of them."""
    ones = np.full((1, 1), format_.bias << format_.mantissa_bits, dtype=format_.dtype)
    arithmetic = Arithmetic(format=format_)
    return [
        lambda codes: decode(codes, format_),
        lambda codes: multiply(codes, ones, arithmetic),
        lambda codes: multiply(ones, codes, arithmetic),
        lambda codes: wide_product(codes, ones, arithmetic),
        lambda codes: wide_product(ones, codes, arithmetic),
        *(
            lambda codes, acc=acc: matmul_codes(
                np.reshape(codes, (-1, 1)), ones, Arithmetic(format=format_, acc=acc)
            )
            for acc in ("exact", "fp32", "fixed:24:-8")
        ),
        lambda codes: matmul_codes(ones, [codes], arithmetic),
    ]


@pytest.mark.parametrize(
    ("format_", "codes", "first"),
    [
        (E4M3, [1, 300], 300),
        (E4M3, [0x38, -1, 300], -1),
        (E4M3, [1, 56.7], 1.0),
        (E4M3, [56.0], 56.0),
        (E4M3, [True], True),
        (E4M3, [None, 1], None),
        (E4M3, ["1"], "'1'"),
        (E4M3, [1 << 70], 1 << 70),
        (E4M3, [1 << 63], 1 << 63),
        (E4M3, [1j], 1j),
        (E2M1, [18], 18),
        (E2M1, [-1], -1),
        (E8M3, [1 << 12], 1 << 12),
        (BF16, [1 << 16], 1 << 16),
        (E8M22, [1 << 31], 1 << 31),
        (FP32, [1 << 32], 1 << 32),
        (FP32, [-1], -1),
        (FP32, [1.5], 1.5),
    ],
)
def test_codes_outside_of_the_format_are_refused_by_all_alike(
    format_: Format, codes: Any, first: Any
) -> None:
    last = (1 << format_.width) - 1
    message = re.escape(f"codes of {format_.name} must be integers from 0 to {last}, not {first}")
    for taker, values in product(takers(format_), (codes, np.array(codes))):
        with pytest.raises(ValueError, match=f"{message}$"):
            taker(values)


@pytest.mark.parametrize("format_", [E4M3, E2M1, E8M3, BF16, E8M22, FP32], **by_name)
def test_codes_beyond_are_refused_in_arrays_of_every_integer_type_and_others_taken(format_: Format) -> None:
    code, beyond = format_.largest_finite, 1 << format_.width
    for dtype in "bBhHiIqQO":
        for taker in takers(format_):
            if dtype == "O" or code <= np.iinfo(dtype).max:
                expected = taker(np.array([code], dtype=format_.dtype))
                for found in (taker(np.array([code], dtype=dtype)), taker([code])):
                    assert np.array_equal(*(getattr(result, "raw", result) for result in (found, expected)))
            for wrong in (beyond, -1):
                if dtype == "O" or np.iinfo(dtype).min <= wrong <= np.iinfo(dtype).max:
                    with pytest.raises(ValueError, match=f"not {wrong}$"):
                        taker(np.array([0, wrong], dtype=dtype))


@pytest.mark.parametrize("code", [300, -1])
@pytest.mark.parametrize(
    "call",
    [
        lambda code: reference.decode(code, E4M3),
        lambda code: reference.multiplier(Arithmetic())(code, 1),
        lambda code: reference.multiplier(Arithmetic())(1, code),
        lambda code: reference.wide_multiplier(Arithmetic())(1, code),
        lambda code: reference.dot([code], [1], Arithmetic()),
    ],
)
def test_scalar_reference_refuses_codes_outside_of_the_format(call: Callable[[int], Any], code: int) -> None:
    with pytest.raises(ValueError, match=f"codes of e4m3 must be integers from 0 to 255, not {code}$"):
        call(code)


def test_no_codes_are_codes() -> None:
    for format_ in (E4M3, E2M1):
        assert decode([], format_).shape == multiply([], [], Arithmetic(format=format_)).shape == (0,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "values must be real numbers, not None"),
        ([1.0, None], "values must be real numbers, not None"),
        (1 + 2j, "not of the type complex128"),
        (np.ones(3, dtype=np.complex64), "not of the type complex64"),
        ([Fraction(1, 3), 1j], "values must be real numbers, not 1j"),
        ("1.5", "not of the type <U3"),
        ([b"1"], "not of the type |S1"),
        (True, "not of the type bool"),
        ([Fraction(1), False], "values must be real numbers, not False"),
        ([1, "1"], "not of the type <U"),
        (Decimal("0.1"), "values must be real numbers, not Decimal"),
        (np.datetime64("2026-01-01"), "not of the type datetime64"),
        (np.timedelta64(1), "not of the type timedelta64"),
        (np.zeros(1, dtype=[("x", "f4"), ("y", "f4")]), "not of the type"),
    ],
)
def test_what_is_no_real_number_is_refused(values: Any, message: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: encode(values, E4M3),
        lambda: encode(values, FP32, "nearest", "ieee"),
        lambda: quantise(values, E4M3),
        lambda: quantise_blocks(values, E4M3),
        lambda: quantise_by_power(values, E4M3),
        lambda: matmul(values, [[1.0]], Arithmetic()),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()


ABOVE_A_TIE = 2**62 + 2**54 + 1
"""In bf16 nearer to 2^62 + 2^55; as a double it is the tie, which goes to 2^62."""


@pytest.mark.parametrize(
    "values",
    [
        ABOVE_A_TIE,
        [ABOVE_A_TIE, 0.5],
        [[ABOVE_A_TIE], [-(2**53) - 1]],
        np.array([ABOVE_A_TIE]),
        np.array([ABOVE_A_TIE], dtype=np.uint64),
        np.array([ABOVE_A_TIE], dtype=np.longdouble),
        [np.int64(ABOVE_A_TIE), 1.0],
        Fraction(ABOVE_A_TIE),
        [Fraction(ABOVE_A_TIE), 1.5],
    ],
)
def test_numbers_that_are_no_doubles_are_rounded_once(values: Any) -> None:
    assert decode(encode(values, BF16), BF16).flat[0] == 2.0**62 + 2.0**55
    assert decode(encode(values, FP32, "nearest", "ieee"), FP32).flat[0] == 2.0**62 + 2.0**54
    assert decode(encode(values, BF16, "truncate"), BF16).flat[0] == 2.0**62


edges = st.builds(
    lambda n, shift, rest, sign: sign * ((n << shift) + rest),
    st.integers(1, 2**26),
    st.integers(0, 100),
    st.integers(-2, 2),
    st.sampled_from([-1, 1]),
)
"""Integers beside those of up to 26 bits, where ties are."""


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.lists(edges, min_size=1, max_size=4),
    st.integers(0, 220),
    st.sampled_from([E4M3, E2M1, FP16, BF16, E8M22, FP32]),
    st.sampled_from(list(ROUNDINGS)),
    st.sampled_from(list(OVERFLOWS)),
)
def test_integers_fractions_and_long_doubles_encode_as_the_reference(
    numbers: list[int], shift: int, format_: Format, rounding: Any, overflow: Any
) -> None:
    fractions = [Fraction(n, 1 << shift) for n in numbers]
    small = [n for n in numbers if abs(n) < 2**63]
    with np.errstate(all="ignore"):
        long = np.array([np.longdouble(n) for n in small], dtype=np.longdouble) * np.longdouble(2) ** -shift
    cases: list[tuple[Any, list[Fraction]]] = [
        (numbers, [Fraction(n) for n in numbers]),
        (fractions, fractions),
        (np.array(small, dtype=np.int64), [Fraction(n) for n in small]),
        (np.array([abs(n) for n in small], dtype=np.uint64), [Fraction(abs(n)) for n in small]),
        (long, [Fraction(*x.as_integer_ratio()) for x in long]),
    ]
    for values, exact in cases:
        expected = [reference.encode(x, format_, rounding, overflow) for x in exact]
        assert encode(values, format_, rounding, overflow).tolist() == expected


@pytest.mark.parametrize(("rounding", "overflow"), list(product(ROUNDINGS, OVERFLOWS)))
@pytest.mark.filterwarnings("error")
def test_numbers_beyond_all_doubles_are_no_infinities_and_below_all_no_nan(
    rounding: Any, overflow: Any
) -> None:
    huge, tiny, specials = 10**400, Fraction(1, 10**400), [np.inf, -np.inf, np.nan, -0.0]
    values = [huge, -huge, tiny, -tiny, *specials]
    for format_ in (E4M3, BF16, FP32):
        expected = [reference.encode(x, format_, rounding, overflow) for x in values]
        assert encode(values, format_, rounding, overflow).tolist() == expected
        long = [*(np.longdouble(s) for s in ("1e400", "-1e400", "1e-400", "-1e-400")), *specials]
        assert encode(np.array(long), format_, rounding, overflow).tolist() == expected


def test_types_of_ml_dtypes_are_numbers() -> None:
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float4_e2m1fn):
        assert encode(np.array([1.5, -3], dtype=dtype), E4M3).tolist() == encode([1.5, -3], E4M3).tolist()


@pytest.mark.parametrize(
    ("format_", "value", "rounded"),
    [
        (E4M3, -431.99999999999994, -416),
        (E4M3, 0.00103349, 2**-9),
        (E4M3, 0.00083075, 0),
        (BF16, 1 + 2**-8 + 2**-40, 1.0078125),
        (BF16, 16973823, 16908288),
        (E2M1, 0.25000006, 0.5),
    ],
)
def test_values_that_others_rounded_twice_or_away_are_rounded_once_to_even(
    format_: Format, value: float, rounded: float
) -> None:
    assert decode(encode(value, format_), format_) == rounded


def test_every_half_precision_number_is_rounded_once_to_e4m3() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    with np.errstate(invalid="ignore"):
        expected = halves.astype(np.float32).astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
    expected = np.where(expected & 0x7F == 0x7F, 0x7F, expected)  # Of NaN there is one.
    for values in (halves, decode(halves.view(np.uint16), FP16)):
        assert np.array_equal(encode(values, E4M3, overflow="ieee"), expected)


def test_a_product_of_full_subnormals_is_rounded_onto_the_grid() -> None:
    arithmetic = Arithmetic(format=FP32, mul="exact", subnormals="full")
    assert multiply(0xAF860E03, 0x0681DB7F, arithmetic) == 0x80000009
    assert reference.multiplier(arithmetic)(0xAF860E03, 0x0681DB7F) == 0x80000009


@pytest.mark.parametrize(("up", "scale", "back"), [(False, 2, 896), (True, 4, 960)])
def test_a_number_near_the_peak_of_its_block_saturates_unless_the_scale_is_rounded_up(
    up: bool, scale: float, back: float
) -> None:
    quantised = quantise_blocks([957.0, 960.0], E4M3, up=up)
    assert quantised.scale == scale
    assert np.all(decode(quantised.codes, E4M3) * quantised.scale == back)


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e3m2", "e2m3", "e2m1"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_every_element_of_every_mx_format_survives_every_scaling(name: str, scaling: str) -> None:
    format_ = FORMATS[name]
    codes = np.arange(1 << format_.width)
    codes = codes[(codes & format_.magnitude_mask) <= format_.largest_finite]
    # With the largest number in every row and block, all scales are powers of two.
    reals = decode(codes, format_).astype(np.float64) / 32
    blocks = np.stack([np.full(codes.size, format_.largest / 32), reals], axis=1)
    quantised = quantise_factor(blocks, 0, Arithmetic(format=format_), "nearest", scaling)
    assert np.array_equal(quantised.codes[:, 1], codes)
    # But the second level of NVFP4's.
    least = 2.0**-22 if scaling == "nvfp4" else 0.0
    np.testing.assert_allclose(
        (decode(quantised.codes, format_) * quantised.scales())[:, 1], reals, rtol=least
    )
