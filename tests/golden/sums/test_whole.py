"""Exact sums in one pass have the bits of sums step by step, scaled as any others."""

from dataclasses import replace

import numpy as np
import pytest

from lmul.golden import Arithmetic, Quantised, encode, find_format, matmul_codes, quantise_factor
from lmul.golden.sums.whole import whole_products

pytest.importorskip("numba")


@pytest.mark.parametrize("subnormals", ["flush", "full"])
@pytest.mark.parametrize("mul", ["lmul", "mitchell", "addm", "addc", "exact"])
@pytest.mark.parametrize(
    ("first", "second"), [("e4m3", "e4m3"), ("e3m4", "e2m1"), ("e5m2", "e4m3"), ("e5m2", "e5m2")]
)
def test_sums_in_one_pass_are_those_of_codes(first: str, second: str, mul: str, subnormals: str) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(3, 61, 70)) * np.exp2(rng.integers(-12, 4, (3, 61, 70)))
    for b in (rng.normal(size=(70, 77)), rng.normal(size=(3, 70, 77))):
        spec = Arithmetic(
            format=find_format(first), format_b=find_format(second), mul=mul, subnormals=subnormals
        )
        for own, scaling in ((spec, "row"), (replace(spec, out="raw"), "tensor")):
            x, y = (quantise_factor(side, i, own, "nearest", scaling) for i, side in enumerate((a, b)))
            found = whole_products(x, y, own, gain=1.05)
            assert found is not None
            for index in range(3):
                other = (y.codes, y.scale) if y.codes.ndim == 2 else (y.codes[index], y.scale)
                scales = [each[index] if np.ndim(each) > 2 else each for each in (x.scale, other[1])]
                sums = matmul_codes(x.codes[index], other[0], own).values()
                assert np.array_equal(found[index], sums * scales[0] * scales[1] / 1.05)
            assert not np.signbit(found[found == 0]).any()
            single = whole_products(x, y, own, np.float32, 1.05)
            assert single is not None
            assert np.array_equal(single, found.astype(np.float32))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_sums_of_several_windows_are_rounded_once(sign: float) -> None:
    # Half a last place of a float32, and far below it a product that decides which way.
    spec = Arithmetic(mul="exact", format=find_format("e5m2"))
    rows = sign * np.array(
        [[2.0**15, 2.0**6, 2.0**-14], [2.0**15, 2.0**6, -(2.0**-14)], [-1.0, 1.0, 2.0**-14]]
    )
    a = Quantised(encode(np.tile(rows, (400, 1)), spec.format), np.float64(1))
    b = Quantised(encode(np.tile([[2.0**15], [1.0], [2.0**-14]], 80), spec.format), np.float64(1))
    found = whole_products(a, b, spec)
    assert found is not None
    wanted = sign * np.array([2.0**30 + 2.0**7, 2.0**30, np.float32(1.0 - 2.0**15)])
    assert np.array_equal(found, np.tile(wanted[:, None], (400, 80)))


@pytest.mark.parametrize(
    "spec",
    [
        Arithmetic(format=find_format("e8m4")),
        Arithmetic(acc="fixed:24:-9"),
        Arithmetic(out="bf16"),
        Arithmetic(mul="exact", format=find_format("int8")),
    ],
)
def test_other_sums_are_left_to_others(spec: Arithmetic) -> None:
    x, y = (quantise_factor(np.ones((80, 80)), side, spec, "nearest", "row") for side in (0, 1))
    assert whole_products(x, y, spec) is None
