"""Fused sums: those of tensor cores to the bit, the scalar reference's, and the steps of a matrix product."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.golden import (
    E4M3,
    FP32,
    Arithmetic,
    Format,
    encode,
    find_format,
    fused_step,
    matmul_codes,
    promoted_sums,
    reference,
)
from lmul.golden.accumulators import TENSOR_CORES, Fused, tensor_core
from lmul.golden.products.specials import is_special
from lmul.golden.sums.fused.compiled import Layout, has_fused_loops
from lmul.golden.sums.fused.step import fused_sums
from lmul.host import parallel
from lmul.sim.stimulus.vectors import canonical, read_steps
from tests.support.golden.cases import by_name, edge_codes, multipliers
from tests.support.golden.tensor_cores import MEASURED, MODELLED, called, names

FORMATS = [find_format(name) for name in ("e2m1", "e3m2", "e4m3", "e5m2", "bf16", "fp16", "e8m10")]

SUMS = ("fused:4", "fused:13:13", "fused:10:7:rne", "fused:25", "fused:35:23:rne", "fused:40:1")

STARTS = [
    0,
    0x80000000,
    0x3F800000,
    0xBF800001,
    1,
    0x80000001,
    0x7F7FFFFF,
    0xFF7FFFFF,
    0x7F800000,
    0x7FC00000,
]


@pytest.mark.parametrize("name", names(MODELLED))
def test_steps_are_those_of_the_published_model(name: str) -> None:
    given = read_steps(MODELLED, name)
    np.testing.assert_array_equal(called(given), canonical(given.d))


@pytest.mark.skipif(not MEASURED.is_file(), reason="LMUL_VECTORS names no folder with silicon.npz")
@pytest.mark.parametrize("name", names(MEASURED))
def test_steps_are_those_that_gpus_gave(name: str) -> None:
    given = read_steps(MEASURED, name)
    np.testing.assert_array_equal(called(given), canonical(given.d))


def test_sum_below_the_smallest_exponent_is_what_hopper_gave() -> None:
    a = "9b94 19f3 9a2e 1a67 9a25 9b4e 9b29 9a33 99e0 1a14 9914 99d1 9ae9 1b1a 9a9c 1b3a"
    b = "9aaf 99f3 9acc 1b7c 19ed 1b25 9a1b 9a20 9af7 9a48 1ae1 1b32 1b12 1b0e 9a68 1735"
    x, y = ([int(word, 16) for word in words.split()] for words in (a, b))
    bf16 = Arithmetic(format=find_format("bf16"), mul="exact", acc="h100", subnormals="full")
    assert fused_step(x, y, 0, bf16) == 0xB


@pytest.mark.parametrize("format_", FORMATS, **by_name)
def test_steps_are_those_of_the_scalar_reference(format_: Format) -> None:
    rng = np.random.default_rng(1)
    for mul in multipliers(format_):
        for acc in SUMS:
            subnormals = str(rng.choice(["flush", "full"]))
            own = Arithmetic(format=format_, mul=mul, acc=acc, subnormals=subnormals)  # type: ignore[arg-type]
            check_steps(own, rng)


def test_steps_of_two_formats_are_those_of_the_scalar_reference() -> None:
    rng = np.random.default_rng(2)
    for first, second in (("e4m3", "e5m2"), ("e4m3", "e2m1"), ("bf16", "e2m3")):
        formats = find_format(first), find_format(second)
        for mul in ("exact", "lmul"):
            check_steps(Arithmetic(format=formats[0], format_b=formats[1], mul=mul, acc="fused:13:13"), rng)


def check_steps(own: Arithmetic, rng: np.random.Generator) -> None:
    """Compare steps of three lanes: any codes, and edges, with cancellation and every kind of running sum."""
    sides = []
    for format_ in own.formats:
        any_codes, edges = (
            rng.integers(0, 1 << format_.width, (40, 3)),
            rng.choice(edge_codes(format_), (20, 3)),
        )
        sides.append(np.concatenate([any_codes, edges]))
    # The second product takes the first away.
    a, b = sides
    first = own.format
    a[::3, 1], b[::3, 1] = a[::3, 0] ^ first.sign_mask, b[::3, 0]
    c = np.where(np.arange(len(a)) % 2, rng.choice(STARTS, len(a)), rng.integers(0, 1 << 32, len(a)))
    found = fused_step(a, b, c, own)
    for row, code in enumerate(found.tolist()):
        pairs = list(zip(a[row].tolist(), b[row].tolist(), strict=True))
        total = reference.fused_step(pairs, reference.decode(int(c[row]), FP32), own)
        assert code == reference.encode(total, FP32, "nearest", "ieee"), (own, pairs, int(c[row]))


@pytest.mark.parametrize("acc", ["h100", "fused:7:5", "fused:7:5:rne"])
@pytest.mark.parametrize("out", ["raw", "fp32", "bf16"])
def test_matrix_product_is_its_steps_one_after_the_other(acc: str, out: str) -> None:
    rng = np.random.default_rng(3)
    own = Arithmetic(acc=acc, lanes=5, out=out, mul="lmul", subnormals="full")
    a, b = rng.integers(0, 256, (4, 23)), rng.integers(0, 256, (23, 3))
    a[1:][(a[1:] & 0x7F) == 0x7F] = 0
    b[(b & 0x7F) == 0x7F] = 0
    sums = matmul_codes(a, b, own)
    total = np.zeros((4, 3), dtype=np.uint32)
    for first in range(0, 23, 5):
        step = slice(first, first + 5)
        total = fused_step(a[:, None, step], b[step].T[None], total, own)
    assert np.array_equal(sums.raw, total)
    for row, column in np.ndindex(4, 3):
        wanted = reference.dot(a[row].tolist(), b[:, column].tolist(), own)
        found = (sums.raw, sums.overflow, sums.infinity, sums.nan, sums.output(), sums.too_large)
        assert tuple(part[row, column] for part in found) == wanted


@pytest.mark.parametrize("start", STARTS)
def test_every_product_of_e2m1_is_added_as_the_reference_does(start: int) -> None:
    codes = np.arange(16)
    for mul in ("exact", "lmul"):
        own = Arithmetic(format=find_format("e2m1"), mul=mul, acc="fused:4:3", subnormals="full")
        found = fused_step(*np.broadcast_arrays(codes[:, None, None], codes[:, None]), start, own)
        for x, y in np.ndindex(16, 16):
            total = reference.fused_step([(x, y)], reference.decode(start, FP32), own)
            assert found[x, y] == reference.encode(total, FP32, "nearest", "ieee")


@pytest.mark.parametrize(("name", "formats"), [("h100", "e4m3"), ("ada", "fp16"), ("v100", "fp16")])
def test_names_of_gpus_stand_for_their_sums(name: str, formats: str) -> None:
    format_ = find_format(formats)
    fraction, mantissa, _ = tensor_core(name, (format_, format_))
    own = Arithmetic(format=format_, acc=name).accumulator
    assert isinstance(own, Fused)
    assert (own.fraction_bits, own.mantissa_bits, own.nearest) == (fraction, mantissa, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"acc": "v100"}, "hardware for fp16, not for e4m3"),
        (
            {"acc": "a100", "format": find_format("fp16"), "format_b": find_format("bf16")},
            "not for fp16 x bf16",
        ),
        ({"acc": "fused"}, "must be fused:F"),
        ({"acc": "fused:13:13:up"}, "must be fused:F"),
        ({"acc": "fused:3"}, "F must be from 4 to 40"),
        ({"acc": "fused:13:24"}, "M from 1 to 23"),
    ],
)
def test_words_that_name_no_sum_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Arithmetic(**options)


def test_a_step_of_another_sum_is_refused() -> None:
    with pytest.raises(ValueError, match="no fused sum"):
        fused_step([1], [1], 0, Arithmetic(acc="fp32"))
    with pytest.raises(ValueError, match="from 0 to 255"):
        fused_step([256], [1], 0, Arithmetic(acc="h100"))


def codes_of(rng: np.random.Generator, format_: Format, shape: tuple[int, int], finite: bool) -> NDArray[Any]:
    """Draw any codes, or any that are finite, a third of them zero."""
    codes = rng.integers(0, 1 << format_.width, shape).astype(format_.dtype)
    zero = finite & (is_special(codes, format_) | (rng.random(shape) < 1 / 3))
    return np.where(zero, codes & format_.dtype.type(format_.sign_mask), codes)


Case = tuple[NDArray[Any], NDArray[Any], Arithmetic, NDArray[np.float32]]
"""Codes of both operands, their arithmetic, and the running sums to begin with."""


def both_ways(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.float32]]:
    """Compute fused sums by loops, and check that NumPy gives the same bits."""
    monkeypatch.setattr(parallel, "FEWEST", 0)
    assert all(has_fused_loops(own, 0) for _, _, own, _ in cases)
    found = [fused_sums(*case) for case in cases]
    monkeypatch.setattr(parallel, "COMPILED", False)
    for case, sums in zip(cases, found, strict=True):
        codes, wanted = (canonical(register.view(np.uint32)) for register in (sums, fused_sums(*case)))
        np.testing.assert_array_equal(codes, wanted, err_msg=str(case[2]))
    return found


def nothing(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """Begin with zeros."""
    return np.zeros((len(a), b.shape[1]), dtype=np.float32)


def starts(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Draw running sums: any numbers of fp32, its edges, and zeros."""
    any_codes, edges = rng.integers(0, 1 << 32, shape), rng.choice(STARTS, shape)
    kinds = rng.choice(3, shape)
    return np.choose(kinds, [any_codes, edges, 0]).astype(np.uint32).view(np.float32)


LOOPED = [
    *((name, name) for name in ("e2m1", "e3m2", "e4m3", "e5m2", "e8m3", "e5m8", "e2m13", "bf16", "fp16")),
    *(("e4m3", "e5m2"), ("bf16", "e2m3"), ("e5m2", "fp16")),
]
"""Formats with loops: products are single and double precision, for their exponents or their significands."""


@pytest.mark.parametrize(("first", "second"), LOOPED)
def test_loops_give_the_bits_of_numpy(first: str, second: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    formats = find_format(first), find_format(second)
    muls = [mul for mul in multipliers(*formats) if mul != "formula"]
    cases = []
    for mul, acc, subnormals in product(muls, (*SUMS, "fused:28"), ("flush", "full")):
        own = Arithmetic(
            format=formats[0],
            format_b=formats[1],
            mul=mul,
            acc=acc,
            subnormals=subnormals,
            lanes=int(rng.choice([1, 5, 32])),
        )
        depth, finite = int(rng.integers(1, 70)), bool(rng.integers(3))
        a, b = codes_of(rng, formats[0], (6, depth), finite), codes_of(rng, formats[1], (depth, 19), finite)
        cases.append((a, b, own, starts(rng, (6, 19)) if rng.integers(2) else nothing(a, b)))
    both_ways(cases, monkeypatch)


def test_loops_hold_the_largest_and_smallest_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = []
    for name, mul, fraction in product(
        ("e4m3", "e5m2", "fp16"), ("exact", "lmul", "addm"), (13, 24, 25, 26, 27)
    ):
        format_ = find_format(name)
        own = Arithmetic(format=format_, mul=mul, acc=f"fused:{fraction}", lanes=32, subnormals="full")
        ends = [format_.largest_finite, format_.largest_finite | format_.sign_mask, 1, format_.sign_mask]
        b = np.repeat([ends], 64, axis=0).astype(format_.dtype)
        a = b.T.copy()
        a[3, ::2] = 1
        cases.append((a, b, own, nothing(a, b)))
    both_ways(cases, monkeypatch)


@pytest.mark.parametrize(
    "format_", [find_format(name) for name in ("e4m3", "fp16", "bf16", "e2m13")], **by_name
)
def test_loops_add_subnormals_and_what_ends_as_one(format_: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    shape = 2, 4, 40
    tiny = encode(rng.normal(size=shape) * 2.0 ** rng.integers(-76, -64, shape), format_)
    subnormal = rng.integers(0, format_.smallest_normal, shape).astype(format_.dtype)
    signs = rng.choice([0, format_.sign_mask], shape).astype(format_.dtype)
    smallest = np.ones_like(tiny)
    smallest[0, :2] = smallest[1, 2:] = 0
    cases = []
    for mul, acc in product(("exact", "lmul"), ("fused:4", "fused:13:13:rne", "fused:25", "fused:30")):
        own = Arithmetic(format=format_, mul=mul, acc=acc, lanes=8, subnormals="full")
        for a, b in (tiny | signs, subnormal | signs, smallest | signs, smallest * 0):
            small = (rng.normal(size=(4, 4)) * 2.0**-30).astype(np.float32)
            begun = nothing(a, b.T), starts(rng, (4, 4)) * np.float32(2.0**-20), small
            cases += [(a, b.T, own, start) for start in begun]
    both_ways(cases, monkeypatch)


def test_loops_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    own = Arithmetic(mul="lmul", acc="h100", lanes=32)
    a, b = codes_of(rng, E4M3, (9, 70), True), codes_of(rng, E4M3, (70, 1043), True)
    both_ways([(a, b, own, starts(rng, (9, 1043)))], monkeypatch)


TOO_LARGE = 2.0**127
"""Twice that is beyond fp32."""

INFINITE: dict[str, tuple[list[float], float]] = {
    "too large": ([TOO_LARGE, TOO_LARGE, 1.0], np.inf),
    "too large and back": ([TOO_LARGE, TOO_LARGE, -TOO_LARGE], np.inf),
    "too large, then infinite": ([TOO_LARGE, TOO_LARGE, np.inf], np.inf),
    "too large, then infinite the other way": ([-TOO_LARGE, -TOO_LARGE, np.inf], np.nan),
    "infinite, then too large the other way": ([np.inf, -TOO_LARGE, -TOO_LARGE], np.inf),
    "infinite both ways": ([np.inf, -np.inf, 1.0], np.nan),
    "NaN": ([np.nan, TOO_LARGE, TOO_LARGE], np.nan),
    "neither": ([1.0, -1.0, 0.0], 0.0),
}
"""Operands one after the other, each times one, and their sum."""


@pytest.mark.parametrize("mul", ["exact", "mitchell", "addc"])
def test_loops_tell_what_was_infinite_first(mul: str, monkeypatch: pytest.MonkeyPatch) -> None:
    format_ = find_format("e8m3")
    own = Arithmetic(format=format_, mul=mul, acc="fused:25", lanes=1)
    a = encode([terms for terms, _ in INFINITE.values()], format_, "nearest", "ieee")
    b = encode([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], format_)
    sums = both_ways([(a, b, own, nothing(a, b))], monkeypatch)[0]
    np.testing.assert_array_equal(sums[:, 0], [total for _, total in INFINITE.values()])


def test_loops_add_nothing_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    own, none = Arithmetic(acc="b200"), np.full((3, 4), E4M3.sign_mask, dtype=np.uint8)
    cases = [(a, b, own, nothing(a, b)) for a, b in ((none, none.T), (none[:, :0], none.T[:0]))]
    assert not any(sums.view(np.uint32).any() for sums in both_ways(cases, monkeypatch))


def test_double_precision_holds_products_of_any_format_with_loops() -> None:
    widest = [find_format(name) for name in ("e8m7", "e7m8", "e6m9", "e5m10", "e2m13")]
    for format_ in widest:
        window = format_.min_exponent - format_.mantissa_bits, format_.bias + 1
        assert Layout(window, window, 40, np.float64).fits
    assert not Layout((-126, 127), (-126, 127), 4, np.float32).fits


def test_sums_without_loops_are_told() -> None:
    assert not has_fused_loops(Arithmetic(format=find_format("e8m10"), acc="h100"), 1 << 30)
    assert not has_fused_loops(Arithmetic(mul="formula", acc="h100"), 1 << 30)


def test_every_unit_has_a_name_for_each_kind_of_format() -> None:
    assert all(E4M3.name in known for known in [TENSOR_CORES[name][0][1] for name in ("h100", "b200", "ada")])


def promoted(a: list[int], b: list[int], own: Arithmetic, products: int) -> float:
    """Add the sums of tiles of K one after the other in fp32, each a scalar reference's."""
    total = 0.0
    for first in range(0, len(a), products):
        tile = slice(first, first + products)
        part = reference.decode(reference.dot(a[tile], b[tile], own).raw, FP32)
        total = reference.decode(reference.encode(Fraction(total) + Fraction(part), FP32), FP32)
    return total


@pytest.mark.parametrize("mul", ["exact", "lmul"])
@pytest.mark.parametrize("acc", ["fused:6:4", "fused:7:5:rne", "fused:25"])
def test_promoted_sums_are_fp32_sums_of_tiles_of_k(acc: str, mul: str) -> None:
    rng = np.random.default_rng(5)
    own = Arithmetic(acc=acc, lanes=3, mul=mul)
    a, b = (rng.integers(0, 127, shape) + rng.choice([0, 128], shape) for shape in ((4, 41), (41, 5)))
    found = promoted_sums(a, b, own, 6)
    for row, column in np.ndindex(4, 5):
        assert found[row, column] == promoted(a[row].tolist(), b[:, column].tolist(), own, 6)
    assert np.array_equal(promoted_sums(a, b, own, 42), matmul_codes(a, b, own).values())
    assert acc == "fused:25" or not np.array_equal(found, matmul_codes(a, b, own).values())


def test_promoted_sums_of_infinities_are_those_of_fp32() -> None:
    e5m2 = find_format("e5m2")
    own = Arithmetic(format=e5m2, mul="exact", acc="fused:13:13", lanes=1)
    a = encode([[np.inf, 1.0, 1.0], [np.inf, -np.inf, 1.0], [1.0, 1.0, 1.0]], e5m2, overflow="ieee")
    found = promoted_sums(a, encode([[1.0]] * 3, e5m2), own, 1)[:, 0]
    assert np.array_equal(found, [np.inf, np.nan, 3.0], equal_nan=True)


@pytest.mark.parametrize(
    ("options", "products", "words"),
    [
        ({}, 128, "promote is for fused sums, not for acc 'exact'"),
        ({"acc": "h100", "lanes": 32}, 100, "promote must be whole steps of 32 products, not 100 products"),
        ({"acc": "h100", "lanes": 32}, 0, "promote must be whole steps of 32 products, not 0 products"),
        ({"acc": "h100", "out": "bf16"}, 128, "promote adds fp32 numbers: take out fp32 or raw, not bf16"),
    ],
)
def test_sums_that_cannot_be_promoted_are_refused(options: dict[str, Any], products: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        promoted_sums([[0]], [[0]], Arithmetic(**options), products)
