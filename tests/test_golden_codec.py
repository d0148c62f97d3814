"""Codes to numbers and back, against ml_dtypes and against the scalar reference."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import E4M3, decode, encode, reference
from lmul.golden.codec import Rounding

ORACLE = ml_dtypes.float8_e4m3fn
CODES = np.arange(256, dtype=np.uint8)
FINITE = CODES[(CODES & 0x7F) != 0x7F]
MAGNITUDES = decode(np.arange(0x7F), E4M3)  # ascending: a magnitude's index is its code
MIDPOINTS = (MAGNITUDES[:-1] + MAGNITUDES[1:]) / np.float32(2)  # one more bit: exact

ROUNDINGS: tuple[Rounding, ...] = ("nearest", "truncate")


def neighbours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    infinity = np.float32(np.inf)
    return np.concatenate([np.nextafter(values, -infinity), np.nextafter(values, infinity)])


def drawn() -> NDArray[np.float32]:
    generator = np.random.default_rng(1)
    wide = generator.uniform(-448, 448, 800_000)
    around_subnormals = generator.uniform(-(2.0**-5), 2.0**-5, 200_000)
    return np.concatenate([wide, around_subnormals]).astype(np.float32)


POINTS = {
    "values of codes": MAGNITUDES,
    "neighbours of codes": neighbours(MAGNITUDES[:-1]),
    "midpoints": MIDPOINTS,
    "neighbours of midpoints": neighbours(MIDPOINTS),
    "drawn": drawn(),
}


def test_decode_equals_ml_dtypes_with_signed_zeros_and_nans() -> None:
    ours, oracle = decode(CODES, E4M3), CODES.view(ORACLE).astype(np.float32)
    assert CODES[np.isnan(ours)].tolist() == CODES[np.isnan(oracle)].tolist() == [0x7F, 0xFF]
    assert np.array_equal(decode(FINITE, E4M3).view(np.uint32), oracle[~np.isnan(oracle)].view(np.uint32))


def test_scalar_decode_equals_decode() -> None:
    reals = [None if np.isnan(real) else Fraction(float(real)) for real in decode(CODES, E4M3)]
    assert [reference.decode(int(code), E4M3) for code in CODES] == reals


@pytest.mark.parametrize("points", POINTS)
def test_nearest_equals_ml_dtypes(points: str) -> None:
    values = np.concatenate([POINTS[points], -POINTS[points]])
    assert np.array_equal(encode(values, E4M3), values.astype(ORACLE).view(np.uint8))


@pytest.mark.parametrize("sign", [1, -1])
def test_midpoints_go_to_even_and_doubles_beside_them_to_the_nearer_code(sign: int) -> None:
    # Beside them by less than float32 can tell: a detour over float32 would round twice.
    lower, middle = np.arange(0x7E), MIDPOINTS.astype(np.float64)
    for values, codes in (
        (np.nextafter(middle, 0), lower),
        (middle, lower + lower % 2),
        (np.nextafter(middle, 1000), lower + 1),
    ):
        assert np.array_equal(encode(sign * values, E4M3), codes + (0x80 if sign < 0 else 0))


@pytest.mark.parametrize("points", POINTS)
def test_truncation_gives_the_largest_code_not_above_the_magnitude(points: str) -> None:
    values = np.concatenate([POINTS[points], -POINTS[points]])
    magnitude = np.searchsorted(MAGNITUDES, np.abs(values), side="right") - 1
    assert np.array_equal(encode(values, E4M3, "truncate"), magnitude | np.signbit(values) << 7)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_codes_survive_the_round_trip_and_nan_becomes_canonical(rounding: Rounding) -> None:
    codes = encode(decode(CODES, E4M3), E4M3, rounding)
    assert np.array_equal(codes, np.where((CODES & 0x7F) == 0x7F, 0x7F, CODES))


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_magnitudes_beyond_the_largest_finite_saturate(rounding: Rounding) -> None:
    # 464 is halfway to the next binade step, 480 would be the code of NaN.
    beyond = np.array([np.nextafter(448.0, 449.0), 463.9, 464, 464.1, 480, 1e30, np.finfo(float).max, np.inf])
    assert np.all(encode(beyond, E4M3, rounding) == 0x7E)
    assert np.all(encode(-beyond, E4M3, rounding) == 0xFE)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_values_that_vanish_keep_their_sign(rounding: Rounding) -> None:
    vanishing = np.array([0.0, 5e-324, 1e-30, 2.0**-11])
    assert np.all(encode(vanishing, E4M3, rounding) == 0x00)
    assert np.all(encode(-vanishing, E4M3, rounding) == 0x80)


def test_nan_of_either_sign_becomes_canonical() -> None:
    assert encode(np.copysign(np.nan, [1, -1]), E4M3).tolist() == [0x7F, 0x7F]


def test_shape_is_kept() -> None:
    assert encode(1.0, E4M3).shape == ()
    assert encode(np.zeros((2, 0, 3)), E4M3).shape == (2, 0, 3)
    assert decode(np.zeros((2, 3), dtype=np.uint8), E4M3).shape == (2, 3)
