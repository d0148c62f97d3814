"""Compiled loops give every bit that NumPy gives."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import Arithmetic, Format, compiled, encode, find_format, matmul_codes, quantise
from lmul.golden.compiled import has_loops
from tests.golden_cases import by_name, multipliers

FORMATS = [find_format(name) for name in ("e4m3", "e5m2", "e3m4", "e2m1", "e8m3", "bf16", "fp16", "e5m8")]

ACCUMULATORS = ("exact", "fixed:24:-8", "fixed:24:-2", "fixed:20:0", "fixed:12:-4")

Draw = Callable[[np.random.Generator, Format, tuple[int, int]], NDArray[Any]]

DRAWS: dict[str, Draw] = {
    "codes": lambda rng, format_, shape: rng.integers(0, 1 << format_.width, shape),
    "scaled": lambda rng, format_, shape: quantise(rng.normal(size=shape), format_).codes,
    "wide": lambda rng, format_, shape: encode(
        rng.normal(size=shape) * np.exp(rng.normal(0, 4, shape)), format_
    ),
}


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "FEWEST", 0)


def numpy_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "COMPILED", False)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("format_", FORMATS, **by_name)
def test_loops_give_the_bits_of_numpy(format_: Format, draw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    muls = [mul for mul in multipliers(format_) if mul != "formula"]
    cases = []
    for mul, subnormals, acc, lanes in product(muls, ("flush", "full"), ACCUMULATORS, (1, 3, 8)):
        arithmetic = Arithmetic(
            format=format_, mul=mul, subnormals=subnormals, acc=acc, lanes=lanes, depth=64
        )
        k = int(rng.integers(1, 65))
        a, b = DRAWS[draw](rng, format_, (5, k)), DRAWS[draw](rng, format_, (k, 7))
        assert has_loops(arithmetic, 0)
        cases.append((a, b, arithmetic, matmul_codes(a, b, arithmetic)))
    numpy_only(monkeypatch)
    for a, b, arithmetic, sums in cases:
        wanted = matmul_codes(a, b, arithmetic)
        for part in ("raw", "overflow", "infinity", "nan"):
            np.testing.assert_array_equal(getattr(sums, part), getattr(wanted, part), err_msg=str(arithmetic))


@pytest.mark.parametrize("acc", ["exact", "fixed:20:-8"])
@pytest.mark.parametrize("mul", ["lmul", "addc"])
def test_blocks_and_rows_of_large_matrices_leave_no_seam(
    mul: str, acc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    arithmetic = Arithmetic(mul=mul, acc=acc, lanes=4)
    a, b = (encode(rng.normal(size=shape), arithmetic.format) for shape in ((67, 33), (33, 1200)))
    assert has_loops(arithmetic, a.size * b.shape[1])
    sums = matmul_codes(a, b, arithmetic)
    numpy_only(monkeypatch)
    np.testing.assert_array_equal(sums.raw, matmul_codes(a, b, arithmetic).raw)


def test_formats_and_multipliers_without_loops_are_told() -> None:
    assert not has_loops(Arithmetic(format=find_format("fp32")), 1 << 30)
    assert not has_loops(Arithmetic(mul="formula"), 1 << 30)
    assert not has_loops(Arithmetic(format=find_format("e2m13"), mul="exact"), 1 << 30)
