"""Compiled loops give every bit that NumPy gives."""

from collections.abc import Callable
from itertools import product
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import (
    OVERFLOWS,
    Arithmetic,
    Format,
    decode,
    encode,
    find_format,
    matmul_codes,
    quantise,
    reference,
)
from lmul.golden.products.multiply import wide_product
from lmul.golden.sums.compiled import has_loops
from lmul.host import parallel
from lmul.multipliers import table
from lmul.multipliers.addm import AddM
from lmul.multipliers.forms import Form, MarkedFieldSum
from lmul.multipliers.mitchell import Mitchell
from tests.support.golden.cases import by_name, multipliers

FORMATS = [find_format(name) for name in ("e4m3", "e5m2", "e3m4", "e2m1", "e8m3", "bf16", "fp16", "e5m8")]

ACCUMULATORS = ("fixed:24:-8", "fixed:24:-2", "fixed:20:0", "fixed:12:-4")

# The width of a step means nothing to exact sums.
SUMS = [("exact", 8), *product(ACCUMULATORS, (1, 3, 8))]

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
    monkeypatch.setattr(parallel, "FEWEST", 0)


def numpy_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "COMPILED", False)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("format_", FORMATS, **by_name)
def test_loops_give_the_bits_of_numpy(format_: Format, draw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check_loops(format_, draw, [mul for mul in multipliers(format_) if mul != "formula"], monkeypatch)


class Shifted(Mitchell):
    """Another constant."""

    description = "a sum of fields"

    def constant(self, mantissa_bits: int) -> int:
        """Give a half."""
        return 1 << (mantissa_bits - 1)


class Marked(AddM):
    """Another bit, of other mantissas."""

    description = "a sum of fields, and more of odd mantissas"

    def correction(self, x: NDArray[Any], y: NDArray[Any], mantissa_bits: int) -> NDArray[Any]:
        """Give a unit of the last place."""
        return x & y & 1

    def form(self, mantissa_bits: int) -> Form:
        """Mark odd mantissas."""
        return MarkedFieldSum(0, lambda mantissa: mantissa & 1 == 1)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("format_", FORMATS, **by_name)
def test_multipliers_of_others_take_the_loops_of_their_form(
    format_: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"shifted": Shifted(), "marked": Marked()}
    for name, multiplier in theirs.items():
        monkeypatch.setitem(table.BUILT_IN, name, multiplier)
        monkeypatch.setitem(table.DESCRIPTIONS, name, multiplier.description)
    check_loops(format_, "codes", list(theirs), monkeypatch)


def check_loops(format_: Format, draw: str, muls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare loops and NumPy for every accumulator."""
    rng = np.random.default_rng(1)
    cases = []
    for mul, subnormals, (acc, lanes) in product(muls, ("flush", "full"), SUMS):
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


TOP = 2 - 2**-7
"""The largest significand of bf16: that of the product of two is above 4."""

EDGES: dict[str, tuple[dict[str, Any], list[list[float]], list[list[float]]]] = {
    "above the register": ({"acc": "fixed:23:-20", "lanes": 2}, [[TOP, -1.0]], [[TOP], [1.0]]),
    "at the last place": ({"acc": "fixed:24:2", "lanes": 2}, [[TOP, 8.0]], [[TOP], [1.0]]),
    "below the last place": ({"acc": "fixed:24:60"}, [[2.0**-120] * 8] * 2, [[2.0**-120] * 2] * 8),
    "as large as a double's whole numbers": (
        {"acc": "exact", "lanes": 1},
        [[TOP * 2**19] * 62 + [1.0]],
        [[TOP * 2**19]] * 62 + [[1 + 2**-7]],
    ),
    # Mantissas in the middle give more than larger ones do: 1.742 squared is 3.156, 1.75 squared 3.063.
    "above that of the largest operands": (
        {"acc": "fixed:18:-7", "lanes": 1},
        [[1.7421875] * 334, [1.75] + [0.0] * 333],
        [[1.7421875, 1.75], *([1.7421875, 0.0] for _ in range(333))],
    ),
}


@pytest.mark.parametrize("fewest", [0, 1 << 60], ids=["compiled", "numpy"])
@pytest.mark.parametrize("mul", ["lmul", "addm"])
@pytest.mark.parametrize("edge", EDGES)
def test_large_and_small_products_have_the_bits_of_the_reference(
    edge: str, mul: str, fewest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "FEWEST", fewest)
    options, x, y = EDGES[edge]
    arithmetic = Arithmetic(format=find_format("bf16"), mul=mul, out="raw", **options)
    a, b = (encode(reals, arithmetic.format) for reals in (x, y))
    sums = matmul_codes(a, b, arithmetic)
    for row, column in np.ndindex(sums.raw.shape):
        wanted = reference.dot(a[row].tolist(), b[:, column].tolist(), arithmetic)
        found = int(sums.raw[row, column]), bool(sums.overflow[row, column])
        assert found == (wanted.raw, wanted.overflow)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("format_", FORMATS, **by_name)
def test_sums_that_barely_leave_the_register_are_saturated(format_: Format) -> None:
    """Add the product of each two significands to itself until it is too large, and no more often."""
    for mul in set(multipliers(format_)) - {"formula"}:
        check_sums_that_barely_leave_the_register(format_, mul)


def check_sums_that_barely_leave_the_register(format_: Format, mul: str) -> None:
    fraction_bits = Arithmetic(format=format_, mul=mul).fraction_bits
    bits = fraction_bits + 9
    arithmetic = Arithmetic(format=format_, mul=mul, lanes=1, acc=f"fixed:{bits}:{-fraction_bits}", out="raw")
    significands = encode(np.arange(1, 2, max(2.0**-format_.mantissa_bits, 1 / 32)), format_)
    products = wide_product(significands[:, None], significands, arithmetic) * 2.0**fraction_bits
    for most in np.ceil(2.0 ** (bits - 1) / np.unique(products)).astype(int):
        a, b = np.repeat(significands[:, None], most, axis=1), np.repeat(significands[None], most, axis=0)
        sums = matmul_codes(a, b, arithmetic)
        assert np.array_equal(sums.overflow, most * products >= 1 << (bits - 1))
        assert np.array_equal(sums.raw, np.minimum(most * products, (1 << (bits - 1)) - 1))


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


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("acc", ["exact", "fixed:12:-3"])
@pytest.mark.parametrize("mul", ["lmul", "addm", "addc"])
def test_steps_of_zeros_are_skipped_and_no_others(
    mul: str, acc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    arithmetic = Arithmetic(mul=mul, acc=acc, lanes=8, out="raw")
    reals = np.tril(rng.normal(size=(150, 150)))
    reals[8:12] = 0
    reals[12, :60] = 0
    a, b = encode(reals, arithmetic.format), encode(rng.normal(size=(150, 20)), arithmetic.format)
    sums = matmul_codes(a, b, arithmetic)
    numpy_only(monkeypatch)
    wanted = matmul_codes(a, b, arithmetic)
    np.testing.assert_array_equal(sums.raw, wanted.raw)
    np.testing.assert_array_equal(sums.overflow, wanted.overflow)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("format_", [*FORMATS, *map(find_format, ("e2m3", "fp32", "e8m7"))], **by_name)
def test_numbers_are_encoded_to_the_bits_of_numpy(format_: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, 1 << 64, 20_000, dtype=np.uint64).view(np.float64)
    near = rng.normal(size=(20, 1000)) * 2.0 ** rng.integers(-160, 160, (20, 1000))
    grid = decode(np.arange(min(1 << format_.width, 1 << 16)), format_).astype(np.float64)
    ties = (grid + np.roll(grid, 1)) / 2
    special = [0.0, -0.0, np.inf, -np.inf, 5e-324, format_.largest, -format_.largest * 1.01]
    reals = np.concatenate([drawn, near.ravel(), grid, ties, ties * (1 - 2**-50), special])
    reals = reals if format_.nan is not None else reals[~np.isnan(reals)]
    cases = list(product(("nearest", "truncate"), OVERFLOWS))
    codes = [encode(reals, format_, *case) for case in cases]
    numpy_only(monkeypatch)
    for case, found in zip(cases, codes, strict=True):
        np.testing.assert_array_equal(found, encode(reals, format_, *case), err_msg=str(case))


def test_formats_and_multipliers_without_loops_are_told() -> None:
    assert not has_loops(Arithmetic(format=find_format("fp32")), 1 << 30)
    assert not has_loops(Arithmetic(mul="formula"), 1 << 30)
    assert not has_loops(Arithmetic(format=find_format("e2m13"), mul="exact"), 1 << 30)


@pytest.mark.usefixtures("always")
def test_a_copy_of_the_process_has_threads_of_its_own() -> None:
    codes = np.full((8, 8), 0x38, dtype=np.uint8)
    wanted = matmul_codes(codes, codes, Arithmetic()).raw
    with get_context("fork").Pool(1) as pool:
        found = pool.apply_async(matmul_codes, (codes, codes, Arithmetic())).get(timeout=60)
    assert np.array_equal(found.raw, wanted)
