"""Products on PyTorch's tensors are the golden model's to the bit; where PyTorch is installed."""

from typing import Any

import numpy as np
import pytest

from lmul.errors import UserError
from lmul.golden import decode, find_format, quantise
from lmul.golden.formats.codec import Rounding
from lmul.llm.evaluation import read
from lmul.llm.generation import continuations
from lmul.llm.products import devices
from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.llm.readers.reader import NumpyReader
from lmul.scheme import parse_scheme
from lmul.workloads import smollm2
from tests.support.llm import scheme_of, tiny_model

torch = pytest.importorskip("torch")
from lmul.llm.products.torch import TorchMatmul, place_model  # noqa: E402
from lmul.torch import device as tensors  # noqa: E402
from lmul.torch.gpu.quantise import quantise as quantise_there  # noqa: E402


def tensor(reals: Any) -> Any:
    return torch.from_numpy(np.ascontiguousarray(reals))


def both(text: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Multiply by NumPy and on tensors."""
    wanted = SchemeMatmul(scheme_of(text), Weights())("layer0.qk", a, b)
    found = TorchMatmul(scheme_of(text), Weights(), "cpu")("layer0.qk", tensor(a), tensor(b))
    assert isinstance(found, torch.Tensor)
    return wanted, smollm2.on_host(found)


def never(*_: Any) -> Any:
    raise AssertionError("left the tensors")


@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
@pytest.mark.parametrize("scaling", ["tensor", "row"])
@pytest.mark.parametrize("format_", ["e4m3", "e5m2", "e3m4", "e2m1", "e4m3xe5m2", "e8m3"])
@pytest.mark.parametrize("mul", ["lmul", "mitchell", "addm", "addc", "exact", "formula"])
def test_products_are_the_golden_models(
    mul: str, format_: str, scaling: str, rounding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 9, 40)), rng.normal(size=(2, 40, 7)) * np.exp(rng.normal(size=(2, 40, 7)))
    a[0, 0, :3] = 0, -0.0, 1e-30
    for output in ("fp32", "raw"):
        wanted, found = both(f"{mul},{format_},{scaling},{rounding},out={output}", a, b)
        assert np.array_equal(wanted, found)
    if format_ != "e8m3":  # Whose exponents may span too much.
        monkeypatch.setattr(tensors, "_on_host", never)
        TorchMatmul(scheme_of(f"{mul},{format_},{scaling}"), Weights(), "cpu")(
            "layer0.qk", tensor(a), tensor(b)
        )


@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e3m4", "e2m1", "e8m4", "bf16", "fp16"])
def test_every_number_halfway_and_next_to_it_is_rounded_as_by_the_golden_model(
    name: str, rounding: Rounding
) -> None:
    format_ = find_format(name)
    numbers = decode(np.arange(format_.largest_finite + 1), format_).astype(np.float64)
    halfway = (numbers[:-1] + numbers[1:]) / 2
    near = [np.nextafter(halfway.astype(np.float32), np.float32(end)) for end in (0, np.inf)]
    reals = np.concatenate([numbers, halfway, *near])
    reals = np.concatenate([reals, -reals]).astype(np.float32)
    wanted = quantise(reals, format_, rounding)
    found = quantise_there(tensor(reals), 0, format_, rounding, "tensor")
    assert float(found.scale) == wanted.scale
    assert np.array_equal(smollm2.on_host(found.codes), wanted.codes)


@pytest.mark.parametrize("output", ["fp32", "raw"])
def test_sums_of_several_windows_are_rounded_once(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    monkeypatch.setattr(tensors, "_on_host", never)
    # Halves of a float32's last place, and far below a product that decides which way.
    a = np.array([[1.0, 2.0**-24, 2.0**-80], [1.0, 2.0**-24, -(2.0**-80)], [1.0, 3 * 2.0**-24, -(2.0**-80)]])
    for factor in (a, -a, np.exp2(rng.uniform(-60, 0, (40, 3))) * rng.choice([-1, 1], (40, 3))):
        wanted, found = both(f"exact,e8m3,out={output}", factor, np.ones((3, 1)))
        assert np.array_equal(wanted, found)
        wanted, found = both(f"lmul,e8m3,out={output}", factor, np.ones((3, 2)))
        assert np.array_equal(wanted, found)


@pytest.mark.parametrize(
    "text",
    [
        "lmul,bf16",
        "lmul,e8m3,power",
        "exact,e4m3,block,full",
        "exact,e5m2,acc=fixed:24:-2,lanes=8",
        "exact,e4m3,out=bf16",
        "exact,fp32",
    ],
)
def test_other_products_are_the_golden_models_too(text: str) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 3, 40)), np.exp2(rng.uniform(-90, 20, (2, 40, 5)))
    wanted, found = both(text, a, b)
    assert np.array_equal(wanted, found)


def test_sums_too_long_for_the_accumulator_are_refused() -> None:
    with pytest.raises(ValueError, match="more than the depth"):
        both("lmul,e4m3", np.ones((1, 4000)), np.ones((4000, 1)))
    multiply = TorchMatmul(scheme_of("lmul,e4m3"), Weights(), "cpu")
    with pytest.raises(ValueError, match="more than the depth"):
        multiply("layer0.qk", tensor(np.ones((1, 4000))), tensor(np.ones((4000, 1))))


def test_infinite_sums_are_told() -> None:
    multiply = TorchMatmul(scheme_of("exact,e8m3"), Weights(), "cpu")
    large = tensor(np.full((1, 1), 2.0**100))
    with pytest.raises(UserError, match="sums of lm_head are infinite"):
        multiply("lm_head", large, large)


@pytest.mark.parametrize("text", ["full", "lmul,e4m3,all", "lmul,bf16,attention"])
def test_model_reads_the_same_on_tensors(text: str) -> None:
    model, scheme = tiny_model(), parse_scheme(text)
    tokens = np.arange(600) * 7 % 256
    by_numpy = NumpyReader(model, SchemeMatmul(scheme, Weights()))
    on_tensors = NumpyReader(place_model(model, "cpu"), TorchMatmul(scheme, Weights(), "cpu"))
    wanted, found = (read(reader, tokens, lambda *_: None) for reader in (by_numpy, on_tensors))
    assert isinstance(found.guesses, np.ndarray)
    # Exponentials may differ in the last place, and then a code, seldom.
    np.testing.assert_allclose(found.surprises, wanted.surprises, rtol=1e-2 if scheme else 1e-10)
    assert np.mean(found.guesses == wanted.guesses) > 0.98
    assert (found.sums, found.left_range) == (wanted.sums, wanted.left_range)


def test_processor_is_used_where_pytorch_finds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    devices.find_gpu.cache_clear()
    try:
        assert devices.find_gpu() == "cuda"
    finally:
        devices.find_gpu.cache_clear()
    monkeypatch.setattr(devices, "find_gpu", lambda: "cpu")
    monkeypatch.setattr(smollm2, "load_model", tiny_model)
    model = devices.load_model()
    matmul = devices.make_matmul(scheme_of("lmul,e4m3"), Weights())
    assert isinstance(model.weights["output_norm.weight"], torch.Tensor)
    assert isinstance(matmul, TorchMatmul)
    assert list(continuations(*[NumpyReader(model, matmul)] * 2, "ab", 2))
