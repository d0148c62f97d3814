"""Scales of rows and of blocks: what they are, and how sums are put together again."""

import itertools
import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import (
    BF16,
    E4M3,
    E5M2,
    INT8,
    SCALINGS,
    Arithmetic,
    Format,
    decode,
    encode,
    find_format,
    matmul,
    multiply_scaled,
    quantise,
    quantise_factor,
)
from lmul.golden.arithmetic import Subnormals
from lmul.golden.formats import slices
from lmul.golden.formats.codec import Rounding
from lmul.golden.formats.quantise import (
    BLOCK,
    Quantised,
    quantise_blocks,
    quantise_by_power,
    quantise_nvfp4,
)
from lmul.golden.sums import tiles
from tests.support.golden.cases import by_name

E2M1, E2M3 = find_format("e2m1"), find_format("e2m3")


def drawn(*shape: int) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    return rng.normal(size=shape) * np.exp(rng.normal(0, 3, shape))


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("format_", [E4M3, E5M2], **by_name)
def test_scale_of_a_row_is_that_of_the_row_alone(format_: Format, axis: int) -> None:
    reals = drawn(3, 5, 7)
    quantised = quantise(reals, format_, axis=axis)
    for index in np.ndindex(3, *np.delete([5, 7], axis)):
        row = (index[0], slice(None), index[1]) if axis == -2 else index
        alone = quantise(reals[row], format_)
        assert np.array_equal(quantised.codes[row], alone.codes)
        assert np.all(quantised.scale[row] == alone.scale)


@pytest.mark.parametrize("k", [1, 31, 32, 33, 70])
@pytest.mark.parametrize("format_", [E4M3, E5M2], **by_name)
def test_scale_of_a_block_takes_its_largest_number_to_the_highest_binade(format_: Format, k: int) -> None:
    reals = drawn(4, k)
    quantised = quantise_blocks(reals, format_)
    assert quantised.scale.shape == (4, -(-k // BLOCK))
    for row, block in np.ndindex(quantised.scale.shape):
        part = slice(BLOCK * block, BLOCK * (block + 1))
        largest = np.max(np.abs(reals[row, part])) / quantised.scale[row, block]
        highest = 2.0 ** np.floor(np.log2(format_.largest))
        assert highest <= largest < 2 * highest
        assert np.frexp(quantised.scale[row, block])[0] == 0.5
        error = decode(quantised.codes[row, part], format_) * quantised.scale[row, block] - reals[row, part]
        limit = max(2.0 ** -(format_.mantissa_bits + 1), 1 - format_.largest / (2 * highest))
        assert np.all(np.abs(error) <= limit * np.max(np.abs(reals[row, part])))


@pytest.mark.parametrize("format_", [E4M3, E5M2, BF16], **by_name)
def test_scale_rounded_up_is_the_smallest_that_saturates_no_number(format_: Format) -> None:
    reals = drawn(40, BLOCK)
    reals[0, 0] = format_.largest * 2.0**9  # The largest that needs no larger scale.
    reals[1, 0] = np.nextafter(reals[0, 0], np.inf)
    reals[:2, 1:] = 0
    peak = np.max(np.abs(reals), axis=1, keepdims=True)
    scale, smaller = (quantise_blocks(reals, format_, up=up).scale for up in (True, False))
    assert np.all(peak <= scale * format_.largest)
    assert np.all((scale == smaller) | ((scale == 2 * smaller) & (peak > smaller * format_.largest)))
    if format_ is not BF16:
        assert np.any(scale == smaller) and scale[1, 0] == 2 * scale[0, 0]


def test_scale_rounded_up_is_still_one_of_mx() -> None:
    huge = np.full((1, BLOCK), 1.9 * 2.0 ** (127 + 8))
    assert quantise_blocks(huge, E4M3, up=True).scale[0, 0] == 2.0**127


def test_zeros_have_scale_one_and_formats_with_the_range_of_float32_too() -> None:
    assert np.all(quantise_blocks(np.zeros((2, 40)), E4M3).scale == 1)
    assert np.all(quantise(drawn(2, 40), BF16, axis=-1).scale == 1)


def test_formats_with_the_range_of_float32_are_scaled_by_powers_of_two_to_below_two() -> None:
    reals = drawn(2, 40)
    whole, blocks = quantise_by_power(reals, BF16), quantise_blocks(reals, BF16)
    assert 1 <= np.max(np.abs(reals)) / whole.scale < 2
    assert np.array_equal(decode(whole.codes, BF16) * whole.scale, decode(encode(reals, BF16), BF16))
    peaks = np.maximum.reduceat(np.abs(reals), [0, 32], axis=1) / blocks.scale
    assert np.all((peaks >= 1) & (peaks < 2))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_product_is_that_of_the_decoded_and_scaled_operands(scaling: str) -> None:
    a, b = drawn(2, 5, 70), drawn(70, 4)
    spec = Arithmetic(mul="exact", subnormals="full")
    x, y = (quantise_factor(reals, side, spec, "nearest", scaling) for side, reals in enumerate((a, b)))
    true_x, true_y = (
        decode(factor.codes, E4M3) * _spread(factor, side) for side, factor in enumerate((x, y))
    )
    bound = (np.abs(true_x) @ np.abs(true_y)) * 2.0**-23
    assert np.all(np.abs(matmul(a, b, spec, scaling=scaling) - true_x @ true_y) <= bound)


def _spread(factor: Quantised, side: int) -> NDArray[Any]:
    """Give the scale of every number of a factor."""
    scale, axis = np.asarray(factor.scale), (-1, -2)[side]
    if factor.block:
        scale = np.repeat(scale, factor.block, axis=axis).take(np.arange(factor.codes.shape[axis]), axis=axis)
    return np.broadcast_to(scale * factor.tensor_scale, factor.codes.shape)


@pytest.mark.parametrize(
    ("scale", "scaling", "format_", "acc"),
    [
        ("mx", "block", E4M3, "fused:40"),
        ("mx", "block-up", E5M2, "fused:40"),
        ("mxfp4", "block", E2M1, "fused:40"),
        ("nvfp4", "nvfp4", E2M1, "fused:40"),
        ("mx16", "block-up", E2M3, "fixed:60:-40"),
        ("mx16", "block", INT8, "fused:40"),
        ("mx16", "block", INT8, "fixed:60:-40"),
    ],
)
def test_design_that_scales_blocks_gives_the_product_of_what_they_stand_for(
    scale: str, scaling: str, format_: Format, acc: str
) -> None:
    a, b = drawn(2, 5, 70) * 1e12, drawn(70, 4) * 1e-9  # A fixed-point register is for scales from 1 down.
    a[:, :, 40:] = 0
    subnormals: Subnormals = "flush" if format_ == INT8 else "full"
    spec = Arithmetic(format=format_, mul="exact", subnormals=subnormals, acc=acc, lanes=32, scale=scale)
    x, y = (quantise_factor(reals, side, spec, "nearest", scaling) for side, reals in enumerate((a, b)))
    true_x, true_y = (
        decode(factor.codes, format_) * _spread(factor, side) for side, factor in enumerate((x, y))
    )
    bound = (np.abs(true_x) @ np.abs(true_y)) * 2.0**-21
    assert np.all(np.abs(matmul(a, b, spec, scaling=scaling) - true_x @ true_y) <= bound)
    if scaling in ("block", "nvfp4"):
        assert np.array_equal(matmul(a, b, spec), matmul(a, b, spec, scaling=scaling))


def test_operands_with_other_scales_than_the_design_has_are_refused() -> None:
    a, b = drawn(2, 64), drawn(64, 2)
    spec = Arithmetic(acc="b200", lanes=32, scale="mx")
    with pytest.raises(ValueError, match="scaling must be block or block-up with scale mx, not row"):
        matmul(a, b, spec, scaling="row")
    plain = Arithmetic(acc="b200", lanes=32)
    x, y = (quantise_factor(reals, side, plain, "nearest", "tensor") for side, reals in enumerate((a, b)))
    with pytest.raises(ValueError, match="mx takes factors with scales of 32 numbers, not of 0 and 0"):
        multiply_scaled(x, y, spec)


def test_scales_of_nvfp4_are_e4m3_below_one_of_fp32() -> None:
    reals = drawn(6, 50)
    reals[0, 16:32] = 0
    reals[1, :16] = np.max(np.abs(reals)) * 2.0**-30
    quantised = quantise_nvfp4(reals, E2M1)
    assert quantised.scale.shape == (6, 4) and quantised.scale.max() == E4M3.largest
    assert np.float32(quantised.tensor_scale) == quantised.tensor_scale
    assert quantised.tensor_scale == np.float32(np.max(np.abs(reals)) / (448 * 6))
    assert quantised.scale[0, 1] == quantised.scale[1, 0] == 0 and not quantised.codes[1, :16].any()
    for row, block in np.ndindex(6, 4):
        part = reals[row, 16 * block : 16 * block + 16]
        scale = quantised.scale[row, block] * quantised.tensor_scale
        wanted = np.max(np.abs(part)) / 6 / quantised.tensor_scale
        assert quantised.scale[row, block] == decode(encode(wanted, E4M3), E4M3)
        if scale:
            found = quantised.codes[row, 16 * block : 16 * block + 16]
            assert np.array_equal(found, encode(part / scale, E2M1))
    zero = quantise_nvfp4(np.zeros((2, 20)), E2M1)
    assert zero.tensor_scale == 1 and not zero.codes.any()


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("shapes", [((7, 70), (70, 9)), ((3, 2, 4, 70), (2, 70, 9)), ((3, 4, 70), (70, 0))])
def test_product_is_the_same_on_any_number_of_processors(
    shapes: tuple[tuple[int, ...], ...], scaling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "FEWEST_COLUMNS", 2)
    found = []
    for processors in (1, 2, 5, 64):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=processors: range(count))
        spec = Arithmetic(acc="fixed:16:0", lanes=3)
        x, y = (
            quantise_factor(drawn(*shape), side, spec, "nearest", scaling)
            for side, shape in enumerate(shapes)
        )
        found.append(multiply_scaled(x, y, spec))
    for values, left_range in found[1:]:
        assert np.array_equal(values, found[0][0])
        assert left_range == found[0][1]


def test_finer_scales_lose_less() -> None:
    a, b = drawn(16, 128), drawn(128, 16)
    lost = {
        scaling: np.linalg.norm(matmul(a, b, Arithmetic(mul="exact"), scaling=scaling) - a @ b)
        for scaling in SCALINGS
    }
    assert lost["row"] < lost["tensor"]
    assert lost["block"] < lost["tensor"]


def test_sums_of_blocks_need_only_the_depth_of_a_block() -> None:
    a, b = drawn(2, 64), drawn(64, 2)
    matmul(a, b, Arithmetic(depth=32), scaling="block")
    with pytest.raises(ValueError, match="K is 64, more than the depth 32"):
        matmul(a, b, Arithmetic(depth=32))


def test_sums_that_the_output_cannot_hold_are_told_as_those_that_the_accumulator_cannot() -> None:
    spec = Arithmetic(format=BF16, mul="exact", acc="fp32", out="bf16")
    # The largest number of bf16, and half of its last place.
    reals = [[2.0**128 - 2.0**120, 2.0**119], [1.0, 1.0]]
    words = "1 of 2 sums left the range of the accumulator fp32 or of the output bf16"
    with pytest.warns(RuntimeWarning, match=words):
        assert matmul(reals, [[1.0], [1.0]], spec).tolist() == [[np.inf], [2.0]]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_without_a_scale_are_refused(number: float, scaling: str) -> None:
    reals = drawn(3, 40)
    reals[1, 35] = number
    with pytest.raises(ValueError, match="tensor must be finite: NaN and infinity have no scale"):
        quantise_factor(reals, 0, Arithmetic(), "nearest", scaling)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_sign_of_the_largest_number_does_not_matter(scaling: str) -> None:
    reals = drawn(3, 40)
    scales = [quantise_factor(sign * reals, 0, Arithmetic(), "nearest", scaling).scale for sign in (1, -1)]
    assert np.array_equal(*scales)


def test_unknown_scaling_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match="scaling 'column' is unknown: it must be one of tensor, row, block, block-up, nvfp4, power",
    ):
        matmul(drawn(2, 2), drawn(2, 2), Arithmetic(), scaling="column")


@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e2m1", "bf16", "fp16", "int8", "int4"])
def test_large_tensors_have_the_codes_and_scales_of_small_ones(
    name: str, rounding: Rounding, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    rng = np.random.default_rng(1)
    tensor = rng.normal(size=(3, 200, 210)) * np.exp2(rng.integers(-30, 9, (3, 200, 210)))
    tensor[0, 5], tensor[1, :, 7], tensor[2, 0, 0] = 0, -0.0, 1e-320
    for reals in (tensor, tensor.astype(np.float32), tensor[1], tensor[2].T, tensor.swapaxes(1, 2)[::-1]):
        for axis in (None, -1, -2):
            assert slices.has_loops(reals, find_format(name), rounding, axis)
            found = quantise(reals, find_format(name), rounding, axis)
            with monkeypatch.context() as without:
                without.setattr(slices, "has_loops", lambda *_: False)
                wanted = quantise(reals, find_format(name), rounding, axis)
            assert np.array_equal(found.codes, wanted.codes)
            assert np.array_equal(found.scale, wanted.scale)
            assert np.shape(found.scale) == np.shape(wanted.scale)
    tensor[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        quantise(tensor, find_format(name), rounding, -1)


@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e2m1", "bf16", "int8"])
def test_large_tensors_in_blocks_have_the_codes_and_scales_of_small_ones(
    name: str, rounding: Rounding, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    rng, format_ = np.random.default_rng(2), find_format(name)
    tensor = rng.normal(size=(3, 192, 224)) * np.exp2(rng.integers(-30, 9, (3, 192, 224)))
    tensor[0, 5], tensor[1, :, 7], tensor[2, 0, 0] = 0, -0.0, 1e-320
    for reals in (tensor, tensor.astype(np.float32), tensor[1], tensor[2].T, tensor.swapaxes(1, 2)[::-1]):
        for axis, up, relative in itertools.product((-1, -2, reals.ndim - 1), (False, True), (False, True)):
            assert slices.has_block_loops(reals, format_, rounding, 32, axis)
            found = quantise_blocks(reals, format_, rounding, axis, up=up, relative=relative)
            with monkeypatch.context() as without:
                without.setattr(slices, "has_block_loops", lambda *_: False)
                wanted = quantise_blocks(reals, format_, rounding, axis, up=up, relative=relative)
            assert np.array_equal(found.codes, wanted.codes)
            assert np.array_equal(found.scale, wanted.scale)
            assert found.tensor_scale == wanted.tensor_scale
    assert not slices.has_block_loops(tensor[..., :200], format_, rounding, 32, -1)
    tensor[1, 2, 3] = np.inf
    with pytest.raises(ValueError, match="must be finite"):
        quantise_blocks(tensor, format_, rounding)
