"""Codes to numbers and back, against ml_dtypes, NumPy, gfloat and the scalar reference."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import gfloat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lmul.golden import E4M3, FORMATS, FP16, FP32, Format, RoundMode, decode, encode, find_format, reference
from lmul.golden.formats.codec import Overflow, Rounding
from tests.support.golden.cases import EXMY, IEEE_TWINS, ORACLES, by_name, edge_codes

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in cast"),  # of the oracles' signalling NaNs
]

Reals = NDArray[np.floating[Any]]

ROUNDINGS: tuple[Rounding, ...] = ("nearest", "truncate")
OVERFLOWS: tuple[Overflow, ...] = ("saturate", "ieee")
NAMED = list(FORMATS.values())
UP_TO_16_BITS = [*(format_ for format_ in NAMED if format_.width <= 16), *EXMY, *IEEE_TWINS]
VARIOUS = [
    find_format(name)
    for name in (*FORMATS, "e2m2", "e3m1", "e5m4", "e8m1", "e8m4", "e2m13", "e3m12", "e8m22")
]


def gfloat_info(format_: Format) -> gfloat.FormatInfo:
    """Describe an IEEE-like format to gfloat: one infinity of each sign, all other top codes NaN."""
    return gfloat.FormatInfo(
        format_.name,
        format_.width,
        format_.mantissa_bits + 1,
        bias=2 ** (format_.exponent_bits - 1) - 1,
        is_signed=True,
        domain=gfloat.Domain.Extended,
        has_nz=True,
        num_high_nans=2**format_.mantissa_bits - 1,
        has_subnormals=True,
        is_twos_complement=False,
    )


def oracle_decode(codes: NDArray[Any], format_: Format) -> Reals:
    if format_.name in ORACLES:
        return codes.astype(format_.dtype).view(ORACLES[format_.name]).astype(np.float64)
    return gfloat.decode_ndarray(gfloat_info(format_), codes)


def oracle_encode(values: Reals, format_: Format) -> NDArray[np.int64]:
    """Round to nearest even with overflow "ieee". NaN of any kind becomes the format's."""
    if format_.name in ORACLES:
        with np.errstate(over="ignore"):
            codes = values.astype(ORACLES[format_.name]).view(format_.dtype)
    else:
        info = gfloat_info(format_)
        codes = gfloat.encode_ndarray(info, gfloat.round_ndarray(info, values.astype(np.float64)))
    codes = codes.astype(np.int64)
    if format_.nan is None:
        return codes
    is_nan = (codes & format_.magnitude_mask) > (format_.infinity or format_.largest_finite)
    return np.where(is_nan, format_.nan, codes)


def oracle_truncate(values: Reals, format_: Format) -> NDArray[np.int64]:
    """Take back what rounding to nearest added to the magnitude; for finite values."""
    magnitude = oracle_encode(np.abs(values), format_) & format_.magnitude_mask
    magnitude = np.minimum(magnitude, format_.largest_finite)
    magnitude -= oracle_decode(magnitude, format_) > np.abs(values)
    return magnitude | np.where(np.signbit(values), format_.sign_mask, 0)


def saturated(codes: NDArray[np.int64], values: Reals, format_: Format) -> NDArray[np.int64]:
    """Replace what overflowed by the largest finite code."""
    beyond = ((codes & format_.magnitude_mask) > format_.largest_finite) & ~np.isnan(values)
    return np.where(
        beyond, np.where(np.signbit(values), format_.sign_mask, 0) | format_.largest_finite, codes
    )


def precision(format_: Format) -> type[np.floating[Any]]:
    """Give the type that an oracle rounds from only once: ml_dtypes takes a detour over float32."""
    return np.float32 if format_.name in ORACLES and format_ not in (FP16, FP32) else np.float64


def points(format_: Format) -> Reals:
    """Give all finite values, the midpoints between them and above the last, and all their neighbours."""
    magnitudes = oracle_decode(np.arange(format_.largest_finite + 1), format_)
    above = 2 * magnitudes[-1] - magnitudes[-2]
    middles = (magnitudes + np.append(magnitudes[1:], above)) / 2  # one more bit: exact
    type_ = precision(format_)
    exact = np.append(magnitudes, middles).astype(type_)
    up, down = (np.nextafter(exact, type_(to)) for to in (np.inf, 0.0))
    positive = np.concatenate([exact, up, down])
    return np.concatenate([positive, -positive])


def drawn_reals(count: int, seed: int) -> NDArray[np.float32]:
    """Draw float32 values of all magnitudes alike, infinities and NaN among them."""
    return np.random.default_rng(seed).integers(0, 1 << 32, count, dtype=np.uint32).view(np.float32)


def drawn_doubles(count: int, seed: int) -> NDArray[np.float64]:
    """Draw doubles around the magnitudes of float32, most of them none."""
    beside = np.random.default_rng(seed).uniform(-(2.0**-23), 2.0**-23, count)
    with np.errstate(invalid="ignore"):  # Signalling NaNs become quiet.
        return drawn_reals(count, seed).astype(np.float64) * (1 + beside)


@pytest.mark.parametrize("format_", UP_TO_16_BITS, **by_name)
def test_all_codes_decode_as_the_oracle_with_signed_zeros_and_nans(format_: Format) -> None:
    codes = np.arange(1 << format_.width)
    ours, oracle = decode(codes, format_), oracle_decode(codes, format_)
    assert ours.dtype == np.float32
    assert np.array_equal(ours, oracle, equal_nan=True)
    assert np.array_equal(np.signbit(ours)[~np.isnan(ours)], np.signbit(oracle)[~np.isnan(ours)])


def test_fp32_codes_are_the_bits_of_float32() -> None:
    codes = np.concatenate([edge_codes(FP32), np.random.default_rng(1).integers(0, 1 << 32, 100_000)])
    assert np.array_equal(decode(codes, FP32).view(np.uint32), codes.astype(np.uint32))


@pytest.mark.parametrize("format_", UP_TO_16_BITS, **by_name)
def test_nearest_equals_the_oracle_at_all_codes_midpoints_and_their_neighbours(format_: Format) -> None:
    values = points(format_)
    expected = oracle_encode(values, format_)
    assert np.array_equal(encode(values, format_, "nearest", "ieee"), expected)
    assert np.array_equal(encode(values, format_), saturated(expected, values, format_))


@pytest.mark.parametrize("format_", UP_TO_16_BITS, **by_name)
def test_truncation_equals_the_oracle_stepped_back(format_: Format) -> None:
    values = points(format_)
    assert np.array_equal(encode(values, format_, "truncate", "ieee"), oracle_truncate(values, format_))


@pytest.mark.parametrize("format_", VARIOUS, **by_name)
def test_infinity_is_kept_by_ieee_and_saturated_otherwise(format_: Format) -> None:
    infinities = np.array([np.inf, -np.inf])
    largest = [format_.largest_finite, format_.largest_finite | format_.sign_mask]
    kept = {"ieee": [format_.infinity, (format_.infinity or 0) | format_.sign_mask], "fn": [format_.nan] * 2}
    for rounding in ROUNDINGS:
        assert encode(infinities, format_, rounding, "saturate").tolist() == largest
        assert encode(infinities, format_, rounding, "ieee").tolist() == kept.get(format_.specials, largest)


@pytest.mark.parametrize("format_", VARIOUS, **by_name)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_truncation_turns_no_finite_number_into_a_special_one(format_: Format, overflow: Overflow) -> None:
    beyond = np.array([np.nextafter(format_.largest, np.inf), 2 * format_.largest, np.finfo(np.float64).max])
    assert np.all(encode(beyond, format_, "truncate", overflow) == format_.largest_finite)
    assert np.all(
        encode(-beyond, format_, "truncate", overflow) == format_.largest_finite | format_.sign_mask
    )


@pytest.mark.parametrize("format_", VARIOUS, **by_name)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_nan_of_any_kind_becomes_canonical_or_is_refused(format_: Format, rounding: Rounding) -> None:
    nans = np.array([0x7FF0000000000001, 0xFFF0000000000001, 0x7FFFFFFFFFFFFFFF], dtype=np.uint64).view(
        np.float64
    )
    for values in (nans, np.copysign(np.nan, [1, -1]), nans.astype(np.float32)):
        if format_.nan is None:
            with pytest.raises(ValueError, match=f"{format_.name} has no NaN"):
                encode(values, format_, rounding)
        else:
            assert np.all(encode(values, format_, rounding) == format_.nan)


@pytest.mark.filterwarnings("error")
def test_signalling_nans_are_nan_without_a_warning() -> None:
    signalling = np.array([0x7F800001, 0xFFBFFFFF] * 500, dtype=np.uint32).view(np.float32)
    for name in ("e4m3", "e5m2", "bf16", "fp16", "fp32"):
        assert np.all(encode(signalling, find_format(name)) == find_format(name).nan)
    assert np.all(np.isnan(decode(np.array([0x7F81, 0xFF81] * 500), FORMATS["bf16"])))


def test_round_modes_have_the_names_of_ieee_754_and_are_the_strings() -> None:
    values = np.linspace(-2, 2, 97)
    for mode, name in ((RoundMode.roundTiesToEven, "nearest"), (RoundMode.roundTowardZero, "truncate")):
        assert RoundMode(name) is mode and f"{mode}" == name and json.dumps(mode) == f'"{name}"'
        expected = encode(values, E4M3, name)
        assert np.array_equal(encode(values, E4M3, mode), expected)
        assert [reference.encode(value, E4M3, mode) for value in values.tolist()] == expected.tolist()


@pytest.mark.parametrize("format_", [f for f in UP_TO_16_BITS if f.width <= 12], **by_name)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_codes_survive_the_round_trip(format_: Format, rounding: Rounding, overflow: Overflow) -> None:
    codes = np.arange(1 << format_.width)
    magnitude = codes & format_.magnitude_mask
    kept = magnitude <= (
        format_.infinity if format_.infinity and overflow == "ieee" else format_.largest_finite
    )
    back = encode(decode(codes[kept], format_), format_, rounding, overflow)
    assert np.array_equal(back, codes[kept])
    assert back.dtype == format_.dtype


@pytest.mark.parametrize("format_", VARIOUS, **by_name)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_values_that_vanish_keep_their_sign(format_: Format, rounding: Rounding) -> None:
    half_of_the_smallest = format_.smallest * 2.0 ** -(format_.mantissa_bits + 1)
    vanishing = np.array([0.0, 5e-324, half_of_the_smallest])
    assert np.all(encode(vanishing, format_, rounding) == 0)
    assert np.all(encode(-vanishing, format_, rounding) == format_.sign_mask)


@pytest.mark.parametrize("sign", [1, -1])
def test_midpoints_go_to_even_and_doubles_beside_them_to_the_nearer_code(sign: int) -> None:
    # Beside them by less than float32 can tell: a detour over float32 would round twice.
    magnitudes = decode(np.arange(0x7F), E4M3).astype(np.float64)
    lower, middle = np.arange(0x7E), (magnitudes[:-1] + magnitudes[1:]) / 2
    for values, codes in (
        (np.nextafter(middle, 0), lower),
        (middle, lower + lower % 2),
        (np.nextafter(middle, 1000), lower + 1),
    ):
        assert np.array_equal(encode(sign * values, E4M3), codes + (0x80 if sign < 0 else 0))


@pytest.mark.parametrize(("rounding", "overflow"), [(r, o) for r in ROUNDINGS for o in OVERFLOWS])
def test_doubles_round_once_into_fp32(rounding: Rounding, overflow: Overflow) -> None:
    edges = decode(np.array(edge_codes(FP32)), FP32)
    beyond = [np.finfo(np.float32).max * (1 + 2.0**-25), 1e300, 1e-300]
    values = np.concatenate([drawn_doubles(200_000, seed=1), edges[~np.isnan(edges)], beyond])
    values = values[np.isfinite(values)]
    nearest = oracle_encode(values, FP32)
    expected = nearest if rounding == "nearest" else oracle_truncate(values, FP32)
    if overflow == "saturate":
        expected = saturated(expected, values, FP32)
    assert np.array_equal(encode(values, FP32, rounding, overflow), expected)


@pytest.mark.parametrize("format_", VARIOUS, **by_name)
def test_scalar_reference_decodes_alike(format_: Format) -> None:
    codes = np.unique(
        np.concatenate([edge_codes(format_), np.random.default_rng(1).integers(0, 1 << format_.width, 500)])
    )
    scalar = np.array([reference.decode(code, format_) for code in codes.tolist()])
    ours = decode(codes, format_)
    assert np.array_equal(scalar, ours, equal_nan=True)
    assert np.array_equal(np.signbit(scalar)[~np.isnan(scalar)], np.signbit(ours)[~np.isnan(scalar)])


@settings(derandomize=True, deadline=None, max_examples=1000)
@given(
    st.one_of(st.floats(), st.floats(width=16), st.floats(-500, 500), st.floats(-0.01, 0.01)),
    st.sampled_from(VARIOUS),
    st.sampled_from(ROUNDINGS),
    st.sampled_from(OVERFLOWS),
)
def test_scalar_reference_encodes_alike(
    value: float, format_: Format, rounding: Rounding, overflow: Overflow
) -> None:
    models: tuple[Callable[..., Any], ...] = (encode, reference.encode)
    if np.isnan(value) and format_.nan is None:
        for model in models:
            with pytest.raises(ValueError, match="has no NaN"):
                model(value, format_, rounding, overflow)
    else:
        codes = [int(model(value, format_, rounding, overflow)) for model in models]
        assert codes[0] == codes[1]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_scalar_reference_encodes_fractions_that_are_no_doubles(rounding: Rounding) -> None:
    middle = Fraction(17, 16)  # between the e4m3 numbers 1 and 1.125
    codes = [reference.encode(middle + Fraction(sign, 10**40), E4M3, rounding) for sign in (-1, 0, 1)]
    assert codes == ([0x38, 0x38, 0x39] if rounding == "nearest" else [0x38] * 3)
    assert reference.encode(-Fraction(1, 10**400), E4M3, rounding) == 0x80


def assert_encodes_as_the_oracle(values: Reals, format_: Format) -> None:
    expected = oracle_encode(values, format_)
    assert np.array_equal(encode(values, format_, "nearest", "ieee"), expected)
    assert np.array_equal(encode(values, format_), saturated(expected, values, format_))
    finite = values[np.isfinite(values)]
    assert np.array_equal(encode(finite, format_, "truncate", "ieee"), oracle_truncate(finite, format_))


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_shape_is_kept(shape: tuple[int, ...]) -> None:
    for format_ in (E4M3, FP32, find_format("e8m9")):
        codes = encode(np.ones(shape), format_)
        assert codes.shape == decode(codes, format_).shape == shape
        assert codes.dtype == format_.dtype


def test_lists_and_integers_are_numbers() -> None:
    assert (
        encode([1, -2, 448], E4M3).tolist() == encode([1.0, -2.0, 448.0], E4M3).tolist() == [0x38, 0xC0, 0x7E]
    )


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("format_", [f for f in NAMED if f != FP32], **by_name)
def test_ten_million_float32_values_encode_as_the_oracle(format_: Format, seed: int) -> None:
    values = np.concatenate([drawn_reals(1_000_000, seed), points(format_).astype(np.float32)])
    assert_encodes_as_the_oracle(values if format_.nan else values[~np.isnan(values)], format_)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_ten_million_doubles_encode_into_fp32_as_in_numpy(seed: int) -> None:
    assert_encodes_as_the_oracle(drawn_doubles(1_000_000, seed), FP32)


@pytest.mark.long
@pytest.mark.parametrize("name", ["e2m2", "e2m13", "e3m12", "e5m4", "e6m1", "e7m8", "e8m1", "e8m4", "e8m10"])
def test_a_million_doubles_encode_as_gfloat(name: str) -> None:
    assert_encodes_as_the_oracle(drawn_doubles(1_000_000, seed=3), find_format(name))
