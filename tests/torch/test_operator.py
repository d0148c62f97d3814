"""The operator: bits of the golden model for every kind of tensor, and what PyTorch asks of an operator."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from lmul.errors import UserError  # noqa: E402
from lmul.scheme import Scheme  # noqa: E402
from lmul.torch import Config, convert_, host, matmul  # noqa: E402
from lmul.torch.operator import product  # noqa: E402
from tests.support.llm import scheme_of  # noqa: E402
from tests.support.torch_models import golden_matmul, numbers, small_model, tokens  # noqa: E402

SCHEMES = (
    "lmul,e4m3,row",
    "exact,e4m3",
    "addm,e5m2,truncate",
    "addc,e3m4,row,gain=1.04",
    "mitchell,e4m3,row,log",
    "exact,e4m3xe5m2,row",
    "lmul,bf16",
    "exact,int8,row",
    "lmul,e4m3,row,acc=fixed:24:-9,lanes=8",
    "exact,e4m3,acc=b200",
    "lmul,e4m3,row,acc=fused:13:13,lanes=8,promote=16",
    "exact,e4m3,acc=fused:25:23,scale=mx",
    "exact,e2m1,acc=fused:25:23,scale=nvfp4",
    "lmul,e4m3,block",
    "exact,e4m3,out=bf16",
)

THREADS = Path("/proc/self/task")

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


@pytest.mark.parametrize("words", SCHEMES)
def test_products_are_the_golden_models(words: str) -> None:
    a, b = numbers(2, 1, 5, 64), numbers(3, 64, 7, seed=2)
    for dtype in DTYPES:
        x, y = a.to(dtype), b.to(dtype)
        wanted = golden_matmul(x, y, words)
        assert torch.equal(matmul(x, y, words), wanted)
        # Of other strides, and half a matrix.
        spread = torch.stack([x, x], dim=-1).mT.contiguous().mT[..., 1]
        assert not spread.is_contiguous()
        assert torch.equal(matmul(spread, y, words), wanted)
        assert torch.equal(product(x, y.mT.contiguous(), Config(words).names, transposed=True), wanted)
        mixed = golden_matmul(x, b, words)
        assert torch.equal(matmul(x, b, words), mixed)


def test_results_of_16_bits_are_rounded_once() -> None:
    a, b = torch.tensor([[1.0, 2.0**-8, 2.0**-40]]), torch.ones(3, 1)
    found = matmul(a.bfloat16(), b.bfloat16(), "exact,bf16,out=raw")
    assert found.item() == 1 + 2.0**-7


def test_sums_are_as_long_as_they_need_be() -> None:
    a, b = numbers(2, 5000), numbers(5000, 3)
    assert torch.equal(matmul(a, b, "lmul,e4m3,row"), golden_matmul(a, b, "lmul,e4m3,row"))


def test_empty_products_are_zero() -> None:
    for rows, depth, columns in ((0, 3, 2), (2, 3, 0), (2, 0, 3)):
        empty = matmul(torch.ones(4, rows, depth), torch.ones(depth, columns), "lmul,e4m3")
        assert empty.shape == (4, rows, columns)
        assert not empty.any()


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_spoils_its_own_row_or_column_alone(wrong: float) -> None:
    a, b = numbers(4, 32), numbers(32, 5)
    words = "lmul,e4m3,row"
    clean = matmul(a, b, words)
    a[1, 3] = wrong
    b[2, 4] = -wrong
    found = matmul(a, b, words)
    assert found[1].isnan().all()
    assert found[:, 4].isnan().all()
    assert torch.equal(found[[0, 2, 3], :4], clean[[0, 2, 3], :4])


@pytest.mark.parametrize(
    ("a", "b", "words", "message"),
    [
        (
            torch.ones(3),
            torch.ones(3, 2),
            "lmul,e4m3",
            r"must be ... x M x K and ... x K x N, not 3 and 3 x 2",
        ),
        (torch.ones(2, 3), torch.ones(2, 3), "lmul,e4m3", "not 2 x 3 and 2 x 3"),
        (torch.ones(2, 3, 4), torch.ones(3, 4, 5), "lmul,e4m3", "not 2 x 3 x 4 and 3 x 4 x 5"),
        (torch.ones(2, 2), torch.ones(2, 2), 3, "must be words such as"),
        (torch.ones(2, 2).int(), torch.ones(2, 2), "lmul,e4m3", "must be of float32, .*, not int32"),
        (torch.ones(2, 2), torch.ones(2, 2), "lmul,e4m33", "is no word of an arithmetic"),
        (torch.ones(2, 2), torch.ones(2, 2, device="meta"), "lmul,e4m3", "must be on one device"),
        (
            torch.ones(2, 2).to_sparse(),
            torch.ones(2, 2),
            "lmul,e4m3",
            "must be dense tensors, not torch.spar",
        ),
        (torch.ones(2, 2), np.ones((2, 2)), "lmul,e4m3", "must be dense tensors, not ndarray"),
        (
            torch.ones(2, 2),
            torch.ones(2, 2),
            "exact,int8,log",
            "log is not for int8: an integer has no expon",
        ),
    ],
)
def test_operands_that_cannot_be_multiplied_are_refused(a: Any, b: Any, words: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        matmul(a, b, words)


def test_a_scheme_that_words_do_not_say_is_refused() -> None:
    spec = scheme_of("exact,e4m3").arithmetic
    other = type(spec)(mul="exact", depth=77)
    with pytest.raises(UserError, match="does not say all of"):
        Config(Scheme(arithmetic=other))
    assert matmul(torch.ones(1, 2), torch.ones(2, 1), scheme_of("exact,e4m3")).item() == 2


@pytest.mark.parametrize("backward", ["", "exact,e5m2xe4m3,row"])
def test_operator_passes_pytorchs_own_checks(backward: str) -> None:
    a, b = numbers(2, 3, 8).requires_grad_(), numbers(8, 4).requires_grad_()
    arguments = (a, b, "lmul,e4m3,row", backward, False, False, torch.float32)
    torch.library.opcheck(torch.ops.lmul.matmul.default, arguments)


def test_compiled_and_exported_models_give_the_same_bits() -> None:
    model, x = convert_(small_model("llama"), "lmul,e4m3,row"), tokens()
    with torch.no_grad():
        wanted = model(x, use_cache=False).logits
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        assert torch.equal(compiled(x, use_cache=False).logits, wanted)
        layer = convert_(torch.nn.Sequential(torch.nn.Linear(8, 4)), "addm,e4m3,row")
        rows = numbers(3, 8)
        exported = torch.export.export(layer, (rows,))
        assert "lmul.matmul" in str(exported.graph)
        assert torch.equal(exported.module()(rows), layer(rows))


@pytest.mark.skipif(not THREADS.is_dir(), reason="the system does not list threads")
def test_threads_of_pytorch_end_before_products_are_computed() -> None:
    if host.end_of_threads() is None or torch.get_num_threads() < 2:
        pytest.skip("PyTorch has no OpenMP threads here")
    (torch.ones(1 << 22) + 1).sum()
    before = len(list(THREADS.iterdir()))
    host.quantised_factor(torch.ones(2, 2), 0, scheme_of("lmul,e4m3"))
    deadline = time.monotonic() + 10
    while (after := len(list(THREADS.iterdir()))) >= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert after < before


def test_shapes_are_known_without_numbers() -> None:
    found = matmul(numbers(5, 2, 8).to("meta"), numbers(8, 3).to("meta"), "lmul,e4m3,row")
    assert (found.shape, found.device.type) == ((5, 2, 3), "meta")


def test_forward_mode_gradients_are_refused() -> None:
    a, b = numbers(2, 8), numbers(8, 3)
    with pytest.raises(UserError, match="have no forward-mode gradients: use backward"):
        torch.func.jvp(lambda x: matmul(x, b, "lmul,e4m3,row"), (a,), (a,))


def test_autocast_decides_the_type_of_the_result_alone() -> None:
    a, b = numbers(4, 16), numbers(16, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = matmul(a, b, "lmul,e4m3,row")
        assert matmul(a.double(), b, "lmul,e4m3,row").dtype == torch.float64
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, golden_matmul(a, b, "lmul,e4m3,row", torch.bfloat16))
