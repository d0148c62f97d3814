"""Scales of blocks: steps of tensor cores to the bit, the scalar reference's, and matrix products."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import (
    FP32,
    INT8,
    Arithmetic,
    decode,
    encode,
    find_format,
    fused_step,
    matmul_codes,
    reference,
)
from lmul.golden.formats.block_scale import SCALES
from lmul.golden.formats.format import Integer
from lmul.golden.sums.blocks.scales import Scales, matrix_scales
from lmul.golden.sums.fused.compiled import has_fused_loops
from lmul.golden.sums.fused.step import fused_sums
from lmul.host import parallel
from lmul.sim.stimulus.vectors import canonical
from tests.support.golden.cases import multipliers

SUMS = ("fused:4", "fused:13:13", "fused:10:7:rne", "fused:25", "fused:35:23:rne", "fused:40:1")

ENDS = {
    "mx": [0, 1, 2, 126, 127, 128, 252, 253, 254, 255],
    "nvfp4": [0, 1, 7, 8, 0x38, 0x7E, 0x7F, 0x80, 0xFF],
}
ENDS["mxfp4"] = ENDS["mx16"] = ENDS["mx"]

LANES = {"mx": [1, 4, 16, 32, 64], "mxfp4": [16, 32, 64], "nvfp4": [16, 32, 64], "mx16": [16, 32, 64]}

FIXED_SUMS = ("fixed:8:-3", "fixed:28:-18", "fixed:62:-30", "fixed:90:-60")
"""Of groups whose scales are powers of two; the last one has no loops."""

Codes = NDArray[Any]


def scale_codes(rng: np.random.Generator, scale: str, shape: tuple[int, ...]) -> Codes:
    """Draw scales: near one, any, or one of the ends; seldom NaN, which hides all else."""
    number = SCALES[scale].number
    near = rng.integers(120, 135, shape) if number is None else rng.integers(0x28, 0x48, shape)
    codes = np.choose(
        rng.choice(3, shape, p=[0.5, 0.3, 0.2]),
        [near, rng.integers(0, 256, shape), rng.choice(ENDS[scale], shape)],
    )
    hidden = SCALES[scale].is_nan(codes) & (rng.random(shape) < 0.9)
    return np.where(hidden, near, codes).astype(np.uint8)


def drawn(rng: np.random.Generator, scale: str, **options: Any) -> Arithmetic:
    """Draw an arithmetic with such scales."""
    known = [find_format(name) for name in SCALES[scale].formats]
    first = known[int(rng.integers(len(known)))]
    alike = [format_ for format_ in known if isinstance(format_, Integer) == isinstance(first, Integer)]
    formats = first, alike[int(rng.integers(len(alike)))]
    integer = isinstance(first, Integer)
    muls = ["exact"] if integer else [mul for mul in multipliers(*formats) if mul != "formula"]
    chosen: dict[str, Any] = {
        "format": formats[0],
        "format_b": formats[1],
        "mul": str(rng.choice(muls)),
        "acc": str(rng.choice(SUMS)),
        "subnormals": "flush" if integer else str(rng.choice(["flush", "full"])),
        "lanes": int(rng.choice(LANES[scale])),
    }
    return Arithmetic(**chosen | options, scale=scale)


def running(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Draw running sums: zero, near one, any."""
    near = encode(rng.normal(size=shape) * 2.0 ** rng.integers(-30, 30, shape), FP32).astype(np.uint32)
    return np.choose(rng.choice(3, shape), [0, near, rng.integers(0, 1 << 32, shape)]).astype(np.uint32)


def codes_of(rng: np.random.Generator, own: Arithmetic, side: int, shape: tuple[int, ...]) -> Codes:
    """Draw codes, mostly finite."""
    format_ = own.formats[side]
    codes = rng.integers(0, 1 << format_.width, shape)
    finite = np.isfinite(decode(codes, format_).astype(np.float32)) | (rng.random(shape) < 0.01)
    return np.where(finite, codes, 0).astype(format_.dtype)


@pytest.mark.parametrize("scale", SCALES)
def test_steps_are_those_of_the_scalar_reference(scale: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        own = drawn(rng, scale)
        lanes = int(rng.integers(1, own.lanes + 1))
        blocks = -(-lanes // SCALES[scale].block)
        a, b = (codes_of(rng, own, side, (8, lanes)) for side in (0, 1))
        a_scale, b_scale = (scale_codes(rng, scale, (8, blocks)) for _ in range(2))
        c = running(rng, (8,))
        found = fused_step(a, b, c, own, a_scale, b_scale)
        for row, code in enumerate(found.tolist()):
            pairs = list(zip(a[row].tolist(), b[row].tolist(), strict=True))
            scales = list(zip(a_scale[row].tolist(), b_scale[row].tolist(), strict=True))
            total = reference.fused_step(pairs, reference.decode(int(c[row]), FP32), own, scales)
            assert code == reference.encode(total, FP32, "nearest", "ieee"), (own, pairs, scales, int(c[row]))


@pytest.mark.parametrize("name", ["e2m1", "e2m3", "e3m2"])
def test_every_pair_of_narrow_codes_is_scaled_as_the_reference_does(name: str) -> None:
    rng = np.random.default_rng(2)
    format_ = find_format(name)
    codes = np.arange(1 << format_.width)
    for mul, subnormals in (("exact", "full"), ("lmul", "flush")):
        own = Arithmetic(format=format_, mul=mul, acc="fused:7:9", lanes=2, scale="mx", subnormals=subnormals)  # type: ignore[arg-type]
        # The second lane has any pair.
        a, b = (
            np.stack(np.broadcast_arrays(own_codes, rng.permutation(codes)), -1)
            for own_codes in (codes[:, None], codes)
        )
        x, y = np.broadcast_arrays(a, b)
        a_scale, b_scale = (scale_codes(rng, "mx", (*x.shape[:2], 1)) for _ in range(2))
        c = running(rng, x.shape[:2])
        found = fused_step(x, y, c, own, a_scale, b_scale)
        for place in np.ndindex(found.shape):
            pairs = list(zip(x[place].tolist(), y[place].tolist(), strict=True))
            scales = [(int(a_scale[place][0]), int(b_scale[place][0]))]
            total = reference.fused_step(pairs, reference.decode(int(c[place]), FP32), own, scales)
            assert found[place] == reference.encode(total, FP32, "nearest", "ieee"), (own, pairs, scales)


@pytest.mark.parametrize("scale", SCALES)
def test_matrix_product_is_its_steps_one_after_the_other(scale: str) -> None:
    rng = np.random.default_rng(3)
    block = SCALES[scale].block
    for lanes in (16, 32, 64):
        own = drawn(rng, scale, lanes=lanes, out=str(rng.choice(["raw", "fp32"])))
        depth = 150
        a, b = codes_of(rng, own, 0, (4, depth)), codes_of(rng, own, 1, (depth, 3))
        blocks = -(-depth // block)
        a_scale, b_scale = scale_codes(rng, scale, (4, blocks)), scale_codes(rng, scale, (blocks, 3))
        sums = matmul_codes(a, b, own, None, a_scale, b_scale)
        total = np.zeros((4, 3), dtype=np.uint32)
        for first in range(0, depth, lanes):
            step = slice(first, first + lanes)
            of_step = slice(first // block, -(-min(first + lanes, depth) // block))
            x, y = np.broadcast_arrays(a[:, None, step], b[step].T[None])
            own_a, own_b = np.broadcast_arrays(a_scale[:, None, of_step], b_scale[of_step].T[None])
            total = fused_step(x, y, total, own, own_a, own_b)
        assert np.array_equal(sums.raw, total)
        for row, column in np.ndindex(4, 3):
            scales_of = list(zip(a_scale[row].tolist(), b_scale[:, column].tolist(), strict=True))
            wanted = reference.dot(a[row].tolist(), b[:, column].tolist(), own, scales_of)
            found: Any = (sums.raw, sums.overflow, sums.infinity, sums.nan, sums.output(), sums.too_large)
            assert tuple(part[row, column] for part in found) == wanted


def test_parts_of_a_block_may_have_scales_of_their_own() -> None:
    rng = np.random.default_rng(4)
    own = Arithmetic(acc="b200", lanes=8, scale="mx")
    a, b = codes_of(rng, own, 0, (3, 70)), codes_of(rng, own, 1, (70, 2))
    a_scale, b_scale = scale_codes(rng, "mx", (3, 3)), scale_codes(rng, "mx", (3, 2))
    steps = np.arange(9) // 4
    by_block = matmul_codes(a, b, own, None, a_scale, b_scale)
    by_step = matmul_codes(a, b, own, None, a_scale[:, steps], b_scale[steps])
    assert np.array_equal(by_block.raw, by_step.raw)
    other = a_scale[:, steps].copy()
    other[:, 1] ^= 8
    assert not np.array_equal(by_block.raw, matmul_codes(a, b, own, None, other, b_scale[steps]).raw)


@pytest.mark.parametrize("scale", SCALES)
def test_loops_give_the_bits_of_numpy(scale: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    cases: list[tuple[Codes, Codes, Arithmetic, NDArray[np.float32], Scales]] = []
    for _ in range(40):
        own = drawn(rng, scale, lanes=int(rng.choice([lanes for lanes in LANES[scale] if lanes <= 32])))
        depth = int(rng.integers(1, 150))
        a, b = codes_of(rng, own, 0, (6, depth)), codes_of(rng, own, 1, (depth, 19))
        blocks = -(-depth // SCALES[scale].block)
        scales = matrix_scales(
            scale_codes(rng, scale, (6, blocks)), scale_codes(rng, scale, (blocks, 19)), (6, depth, 19), own
        )
        assert scales
        cases.append((a, b, own, running(rng, (6, 19)).view(np.float32), scales))
    monkeypatch.setattr(parallel, "FEWEST", 0)
    assert all(has_fused_loops(own, 0) for _, _, own, _, _ in cases)
    found = [fused_sums(*case) for case in cases]
    monkeypatch.setattr(parallel, "COMPILED", False)
    for case, sums in zip(cases, found, strict=True):
        codes, wanted = (canonical(register.view(np.uint32)) for register in (sums, fused_sums(*case)))
        np.testing.assert_array_equal(codes, wanted, err_msg=str(case[2]))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("scale", ["mxfp4", "mx16"])
def test_groups_in_a_fixed_point_register_are_the_reference_s(
    scale: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(6)
    monkeypatch.setattr(parallel, "FEWEST", 0)
    monkeypatch.setattr(parallel, "COMPILED", compiled)
    for _ in range(30):
        own = drawn(rng, scale, acc=str(rng.choice(FIXED_SUMS)), out=str(rng.choice(["raw", "fp32"])))
        depth = int(rng.integers(1, 150))
        a, b = codes_of(rng, own, 0, (3, depth)), codes_of(rng, own, 1, (depth, 2))
        blocks = -(-depth // SCALES[scale].block)
        a_scale, b_scale = scale_codes(rng, scale, (3, blocks)), scale_codes(rng, scale, (blocks, 2))
        sums = matmul_codes(a, b, own, None, a_scale, b_scale)
        for row, column in np.ndindex(3, 2):
            scales_of = list(zip(a_scale[row].tolist(), b_scale[:, column].tolist(), strict=True))
            wanted = reference.dot(a[row].tolist(), b[:, column].tolist(), own, scales_of)
            found: Any = (sums.raw, sums.overflow, sums.infinity, sums.nan, sums.output(), sums.too_large)
            assert tuple(part[row, column] for part in found) == wanted, (own, scales_of)


@pytest.mark.parametrize("scale", SCALES)
def test_scales_are_the_numbers_of_their_codes(scale: str) -> None:
    own, codes = SCALES[scale], np.arange(256)
    values = own.values(codes)
    if own.number is None:
        wanted = np.append(2.0 ** (np.arange(255.0) - 127), np.nan)
    else:
        wanted = np.abs(decode(codes, own.number)).astype(np.float64)
    np.testing.assert_array_equal(values, wanted)
    finite = codes[:127] if own.number else codes[:255]
    np.testing.assert_array_equal(own.codes(values[finite], find_format("e2m1")), finite)
    if "int8" in own.formats:  # A code is an integer, an element of OCP MX six places behind it.
        np.testing.assert_array_equal(own.codes(values[finite][6:] / 64, INT8), finite[6:])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": "fp8"}, "must be one of none, mx, mxfp4, nvfp4, mx16"),
        ({"scale": "mx"}, "is for fused sums, not for acc 'exact'"),
        (
            {"scale": "mx", "acc": "fused:25", "format": find_format("bf16")},
            "mx is for e4m3, .* not for bf16",
        ),
        ({"scale": "nvfp4", "acc": "fused:35"}, "nvfp4 is for e2m1, not for e4m3"),
        (
            {"scale": "mx16", "format": INT8, "mul": "exact", "lanes": 16},
            "is for fused and fixed-point sums, not for acc 'exact': take .* fixed:BITS:LSB",
        ),
        ({"scale": "mx16", "acc": "fused:35"}, "mx16 is for e3m2, .*, int4, not for e4m3"),
        (
            {"scale": "nvfp4", "acc": "fixed:24:0", "format": find_format("e2m1"), "lanes": 16},
            "is for fused sums, not for acc 'fixed:24:0'",
        ),
        (
            {"scale": "mx", "acc": "fused:25", "format": INT8, "mul": "exact"},
            "mx is for .*, not for int8",
        ),
        ({"scale": "mx", "acc": "b200", "lanes": 12}, "must be 1, 2, 4, 8, 16 or a multiple of 32"),
        (
            {"scale": "mxfp4", "acc": "fused:35", "format": find_format("e2m1"), "lanes": 48},
            "must be 16 or a multiple of 32 with scale mxfp4, not 48",
        ),
        (
            {"scale": "nvfp4", "acc": "fused:35", "format": find_format("e2m1"), "lanes": 8},
            "must be a multiple of 16 with scale nvfp4, not 8",
        ),
    ],
)
def test_scales_of_other_arithmetics_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Arithmetic(**options)


def test_scales_that_are_missing_or_others_are_refused() -> None:
    own, plain = Arithmetic(acc="b200", scale="mx", lanes=32), Arithmetic(acc="b200", lanes=32)
    one = np.full((1, 40), 0x38)
    with pytest.raises(ValueError, match="a_scale is missing"):
        matmul_codes(one, one.T, own)
    with pytest.raises(ValueError, match=r"b_scale must be of shape \(2, 1\), not \(1, 1\)"):
        matmul_codes(one, one.T, own, None, [[127, 127]], [[127]])
    with pytest.raises(ValueError, match="a_scale must be integers from 0 to 255"):
        fused_step(one[0], one[0], 0, own, [256, 0], [0, 0])
    with pytest.raises(ValueError, match="mean nothing"):
        fused_step(one[0], one[0], 0, plain, [127, 127], [127, 127])
