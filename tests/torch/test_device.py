"""Products of tensors where they are: the golden model's bits, by matrix products and by Triton's kernels.

Where there is a GPU the tests run on it. Elsewhere the kernels run in Triton's interpreter, on NumPy.
"""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
GPU = torch.cuda.is_available()
pytest.importorskip("triton")

from lmul.golden import Format, Quantised, decode, find_format, multiply_scaled, quantise_factor  # noqa: E402
from lmul.scheme import Scheme  # noqa: E402
from lmul.torch import device, matmul, operator  # noqa: E402
from tests.support.llm import scheme_of  # noqa: E402
from tests.support.torch_models import golden_matmul, numbers  # noqa: E402

DEVICE = "cuda" if GPU else "cpu"

needs_gpu = pytest.mark.skipif(not GPU, reason="there is no GPU that PyTorch can use")

pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning:triton")


@pytest.fixture(scope="module", autouse=True)
def interpreter() -> Iterator[None]:
    """Have Triton's interpreter run the kernels where there is no GPU: chosen when they are imported."""
    with pytest.MonkeyPatch.context() as patch:
        if not GPU:
            patch.setenv("TRITON_INTERPRET", "1")
        importlib.import_module("lmul.torch.gpu.kernels")
        yield


EXACT = (
    "lmul,e4m3,row",
    "addm,e5m2xe4m3,full",
    "formula,e4m3,acc=exact",
    "mitchell,e3m4,block",
    "exact,e2m1,nvfp4",
    "lmul,bf16,out=raw",
)

STEPWISE = (
    "exact,e4m3,acc=b200",
    "lmul,e4m3,acc=h100,full",
    "formula,e4m3,acc=fused:5:18:rne,lanes=3",
    "addc,e5m2,acc=fused:9:9,lanes=8,promote=16",
    "exact,e5m2xe4m3,acc=fused:4,lanes=2,out=bf16,full",
    "lmul,bf16,acc=fused:40,lanes=7,full",
    "exact,fp16,acc=v100",
    "lmul,e4m3,acc=b200,block",
    "exact,e4m3,acc=b200,scale=mx,full",
    "lmul,e5m2,acc=fused:25:23,scale=mx,lanes=8,full",
    "exact,e2m1,acc=fused:4,scale=nvfp4,lanes=32,full",
    "lmul,e2m1,acc=fused:12,scale=nvfp4",
    "exact,e2m1,acc=fused:25:23,scale=mxfp4,lanes=64",
    "lmul,e3m2,acc=fused:10,scale=mx16,lanes=32,full",
    "lmul,e4m3,acc=fixed:14:-6,lanes=8",
    "exact,e5m2,acc=fixed:10:-4,lanes=3,full",
    "mitchell,e4m3,acc=fixed:54:-20,out=raw,row",
    "lmul,e4m3,acc=fp32,lanes=5",
    "exact,bf16,acc=fp32,lanes=8,full",
    "addm,e5m2,acc=fp32,lanes=1,out=bf16",
)


def drawn(scheme: Scheme, a: tuple[int, ...], b: tuple[int, ...], *, special: bool) -> list[Quantised]:
    """Give codes of every kind, with scales of a scheme.

    Zeros are frequent, infinity and NaN are rare or not there. The first row and the first column have only
    the smallest numbers of narrow formats, and small scales.
    """
    rng = np.random.default_rng(1)
    spec = scheme.arithmetic
    factors = []
    for side, (shape, format_) in enumerate(zip((a, b), spec.formats, strict=True)):
        codes = rng.integers(0, 1 << format_.width, shape)
        if format_.width > 8:  # Not so far from 1 that sums are all infinite.
            far = 9 << format_.mantissa_bits
            near = (format_.bias << format_.mantissa_bits) + rng.integers(-far, far, shape)
            codes = (codes & format_.sign_mask) | np.where(
                rng.random(shape) < 0.02 * special, codes >> 1, near
            )
        first = (..., 0, slice(None)) if side == 0 else (..., 0)
        if format_.exponent_bits < 8:
            codes[first] &= format_.sign_mask | (2 * format_.smallest_normal - 1)
        magnitude = codes & format_.magnitude_mask
        wrong = (magnitude > format_.largest_finite) & (rng.random(shape) > 0.1 * special)
        kept = ~wrong & (rng.random(shape) > 0.1)
        codes = np.where(kept, codes, codes & format_.sign_mask).astype(format_.dtype)
        reals = rng.normal(size=shape)
        reals[first] *= 2.0**-17  # Scales of e4m3 are subnormal there.
        scaled = quantise_factor(reals, side, spec, scheme.rounding, scheme.scaling)
        factors.append(replace(scaled, codes=codes))
    return factors


def on_device(quantised: Quantised) -> Any:
    """Give a quantised factor as tensors."""
    scale = torch.from_numpy(np.array(quantised.scale, np.float64)).to(DEVICE)
    codes: Any = torch.from_numpy(quantised.codes.astype(np.int32)).to(DEVICE)
    return replace(quantised, codes=codes, scale=scale)


def same(found: Any, wanted: Any) -> bool:
    """Tell whether numbers are the same, with all NaN the same."""
    return np.array_equal(np.asarray(found.cpu()), np.asarray(wanted), equal_nan=True)


@pytest.mark.parametrize("words", EXACT + STEPWISE)
def test_sums_of_any_codes_are_the_golden_models(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.host, "multiply", None)  # Which would have the same bits.
    scheme = scheme_of(words)
    exact = scheme.arithmetic.acc == "exact"
    assert device.place(scheme, DEVICE) == ("doubles" if exact else "kernels")
    for a, b in (((2, 1, 3, 19), (2, 19, 5)), ((5, 70), (70, 33))):
        x, y = drawn(scheme, a, b, special=not exact)
        found, left = device.multiply(on_device(x), on_device(y), scheme)
        wanted, wanted_left = multiply_scaled(x, y, scheme.arithmetic, scheme.promote)
        assert same(found, wanted)
        assert left == wanted_left
        assert found.device.type == DEVICE
        assert np.count_nonzero(np.isfinite(wanted)) > 5


def test_registers_saturate_and_some_do_not() -> None:
    scheme = scheme_of("lmul,e4m3,acc=fixed:20:-6,lanes=8,row")
    x, y = (
        device.quantised_factor(numbers(*shape, seed=seed).to(DEVICE), side, scheme)
        for side, (shape, seed) in enumerate((((6, 40), 1), ((40, 20), 2)))
    )
    _, left = device.multiply(x, y, scheme)
    assert 0 < left < 120


@pytest.mark.parametrize(
    "words",
    ["exact,bf16,acc=fused:25", "lmul,bf16,acc=fused:12:20", "exact,bf16,acc=fp32", "addm,bf16,acc=b200"],
)
def test_sums_below_the_normal_numbers_of_fp32_are_the_golden_models(words: str) -> None:
    scheme = scheme_of(words)
    rng = np.random.default_rng(1)
    factors = [rng.normal(size=shape) * np.exp2(rng.uniform(-76, -64, shape)) for shape in ((8, 20), (20, 9))]
    x, y = (quantise_factor(f, side, scheme.arithmetic, "nearest", "row") for side, f in enumerate(factors))
    wanted, _ = multiply_scaled(x, y, scheme.arithmetic)
    found, _ = device.multiply(on_device(x), on_device(y), scheme)
    assert same(found, wanted)
    assert 0 < np.median(np.abs(wanted)) < np.finfo(np.float32).tiny


SCALED = (
    "lmul,e4m3",
    "lmul,e4m3,row,truncate",
    "lmul,e5m2,row,log",
    "lmul,e4m3,log",
    "lmul,bf16,row",
    "exact,fp16",
    "lmul,e4m3,power",
    "lmul,bf16,power",
    "lmul,e4m3,block",
    "lmul,e4m3,block-up,truncate",
    "lmul,bf16,block-up",
    "exact,e2m1,nvfp4",
    "exact,e2m3,nvfp4,log",
    "exact,e4m3,acc=b200,scale=mx",
)


@pytest.mark.parametrize("words", SCALED)
def test_quantised_factors_are_the_golden_models(words: str) -> None:
    scheme = scheme_of(words)
    spec = scheme.arithmetic
    factors = numbers(2, 40, 50), numbers(50, 37, seed=2), 1e-200 * numbers(4, 70).double(), numbers(3, 3) * 0
    factors[0][0, :, 32:] = 0
    factors[0][1, 3] = 0
    for factor in factors:
        for side in (0, 1):
            found: Any = device.quantised_factor(factor.to(DEVICE), side, scheme)
            wanted = quantise_factor(factor.numpy(), side, spec, scheme.rounding, scheme.scaling)
            assert same(found.codes, wanted.codes)
            assert same(found.scale, wanted.scale)
            assert float(found.tensor_scale) == wanted.tensor_scale
            values = device.dequantised(found, side, scheme, torch.float64)
            assert same(values, decode(wanted.codes, spec.formats[side]) * wanted.scales())


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e2m1", "fp16"])
def test_numbers_between_logarithms_are_rounded_as_by_the_golden_model(name: str) -> None:
    format_: Format = find_format(name)
    scheme = scheme_of(f"exact,{name},log")
    fields = np.arange(0, format_.largest_finite + 0.5, 0.5)
    reals = np.exp2(fields / (1 << format_.mantissa_bits) - format_.bias)
    tensor = np.concatenate([reals, np.nextafter(reals, 0), np.nextafter(reals, np.inf)])[None]
    found: Any = device.quantised_factor(torch.from_numpy(tensor).to(DEVICE), 0, scheme)
    wanted = quantise_factor(tensor, 0, scheme.arithmetic, scheme.rounding, "tensor")
    assert same(found.codes, wanted.codes)


def test_sums_of_nothing_but_zeros_have_their_shape() -> None:
    for words in ("lmul,e4m3", "lmul,bf16", "exact,e4m3,block", "exact,e4m3,acc=b200"):
        scheme = scheme_of(words)
        x: Any = device.quantised_factor(torch.zeros(2, 3, 40, device=DEVICE), 0, scheme)
        y: Any = device.quantised_factor(numbers(40, 4).to(DEVICE), 1, scheme)
        found, _ = device.multiply(x, y, scheme)
        assert torch.equal(found.cpu(), torch.zeros(2, 3, 4, dtype=torch.float64))


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("lmul,e4m3,row", "doubles"),
        ("lmul,bf16,block", "doubles"),
        ("exact,e4m3,out=bf16", "host"),
        ("exact,int8,row", "host"),
        ("exact,fp32", "host"),
        ("exact,e4m3,acc=b200", "kernels"),
        ("exact,int8,acc=fused:25:23,scale=mx16", "host"),
        ("lmul,e4m3,acc=fused:25,lanes=129", "host"),
        ("lmul,e4m3,acc=fixed:55:-20", "host"),
        ("exact,e3m2,acc=fused:34,scale=mx16,lanes=128", "kernels"),
        ("exact,e3m2,acc=fused:35,scale=mx16,lanes=128", "host"),
        ("lmul,e3m2,acc=fixed:24:-8,scale=mx16,lanes=16", "host"),
        ("lmul,e4m3,acc=fp32", "kernels"),
        ("lmul,e4m3,acc=bf16", "host"),
    ],
)
def test_every_scheme_has_its_place_and_the_same_product(
    words: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = scheme_of(words)
    assert device.place(scheme, DEVICE) == where
    # The operator as on a GPU: what it asks the host for otherwise is asked here.
    monkeypatch.setattr(operator, "host", device)
    a, b = numbers(3, 40), numbers(40, 4, seed=2)
    assert torch.equal(matmul(a.to(DEVICE), b.to(DEVICE), words).cpu(), golden_matmul(a, b, words))


def test_sums_are_on_the_host_where_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    stepwise, exact = scheme_of("exact,e4m3,acc=b200"), scheme_of("lmul,e4m3,row")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert [device.place(stepwise, kind) for kind in ("cuda", "cpu")] == ["kernels", "host"]
    monkeypatch.setattr(device, "_has_triton", lambda: False)
    assert [device.place(scheme, "cuda") for scheme in (stepwise, exact)] == ["host", "doubles"]


def test_kernels_compile_for_a_gpu_and_join_no_roundings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.compiled_kernels"]
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert {line.split()[0] for line in lines} == {"fused_sums", "fixed_sums", "float_sums", "exact_sums"}
    for line in lines:  # Neither products added without rounding, nor subnormals that become zero.
        assert line.split()[1:] == ["fma", "0", "ftz", "0"], line


@needs_gpu
@pytest.mark.parametrize("words", EXACT + STEPWISE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_of_a_gpu_are_the_golden_models(words: str, dtype: Any) -> None:
    a, b = numbers(2, 1, 130, 600).to(dtype), numbers(3, 600, 70, seed=2).to(dtype)
    assert torch.equal(matmul(a.cuda(), b.cuda(), words).cpu(), golden_matmul(a, b, words))
