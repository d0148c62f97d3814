"""Gradients are what they are defined to be, under everything that training does with them."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch.utils.checkpoint import checkpoint  # noqa: E402

from lmul.golden import decode, quantise_factor  # noqa: E402
from lmul.torch import Config, convert_, matmul  # noqa: E402
from tests.support.llm import scheme_of  # noqa: E402
from tests.support.torch_models import golden_matmul, numbers, small_model, tokens  # noqa: E402


def dequantised(x: Any, side: int, words: str) -> Any:
    scheme = scheme_of(words)
    quantised = quantise_factor(x.detach().numpy(), side, scheme.arithmetic, scheme.rounding, scheme.scaling)
    return torch.from_numpy(decode(quantised.codes, scheme.arithmetic.formats[side]) * quantised.scales())


@pytest.mark.parametrize("words", ["lmul,e4m3,row", "addm,e5m2", "exact,e4m3,block", "exact,int8,row"])
def test_gradients_are_those_of_an_exact_product_of_the_quantised_factors(words: str) -> None:
    a, b = numbers(2, 1, 6, 32).double().requires_grad_(), numbers(3, 32, 5).double().requires_grad_()
    x, y = dequantised(a, 0, words).requires_grad_(), dequantised(b, 1, words).requires_grad_()
    gradient = numbers(2, 3, 6, 5, seed=3).double()
    found = torch.autograd.grad(matmul(a, b, words), (a, b), gradient)
    wanted = torch.autograd.grad(x @ y, (x, y), gradient)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backward", [None, "exact,e5m2xe4m3,row"])
@pytest.mark.parametrize("outer", [(), (1,), (3,), (1, 1), (2, 1)])
def test_gradients_have_their_operands_shapes(outer: tuple[int, ...], backward: str | None) -> None:
    a, b = numbers(*outer, 6, 32).requires_grad_(), numbers(32, 5).requires_grad_()
    of_a, of_b = torch.autograd.grad(matmul(a, b, "lmul,e4m3,row", backward).sum(), (a, b))
    assert (of_a.shape, of_b.shape) == (a.shape, b.shape)
    rows = a.detach().flatten(0, -2).requires_grad_()
    wanted = torch.autograd.grad(matmul(rows, b, "lmul,e4m3,row", backward).sum(), (rows, b))
    assert torch.equal(of_a.flatten(0, -2), wanted[0])
    assert torch.equal(of_b, wanted[1])


def test_gradients_of_numbers_that_have_codes_pass_gradcheck() -> None:
    # Steps of whole units stay on the codes of e8m7: the product is exact, and its gradient a difference.
    a = torch.randint(-8, 8, (3, 4), dtype=torch.float64).requires_grad_()
    b = torch.randint(-8, 8, (4, 2), dtype=torch.float64).requires_grad_()
    multiply = lambda a, b: matmul(a, b, "exact,e8m7")  # noqa: E731
    assert torch.autograd.gradcheck(multiply, (a, b), eps=1.0, atol=1e-9, check_undefined_grad=False)


def test_gradients_in_an_arithmetic_of_their_own_are_its_products() -> None:
    words, backward = "lmul,e4m3,row", "lmul,e5m2xe4m3,row"
    a, b = numbers(2, 6, 32).requires_grad_(), numbers(32, 5).requires_grad_()
    gradient = numbers(2, 6, 5, seed=3)
    of_a, of_b = torch.autograd.grad(matmul(a, b, words, backward), (a, b), gradient)
    rows = gradient.flatten(0, 1)
    assert torch.equal(of_a.flatten(0, 1), golden_matmul(rows, b.mT, backward))
    assert torch.equal(of_b, golden_matmul(rows.mT, a.flatten(0, 1), backward).mT)


@pytest.mark.parametrize("backward", [None, "exact,e5m2xe4m3,row"])
def test_checkpointing_and_layers_give_the_same_gradients(backward: str | None) -> None:
    model = convert_(small_model("llama"), Config("lmul,e4m3,row", backward))
    x = tokens()

    def gradients() -> list[Any]:
        model.zero_grad()
        model(x, labels=x).loss.backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    plain = gradients()
    assert all(torch.isfinite(gradient).all() for gradient in plain)
    model.train()
    model.gradient_checkpointing_enable()
    assert all(map(torch.equal, gradients(), plain))
    layer = convert_(torch.nn.Sequential(torch.nn.Linear(32, 8)), Config("lmul,e4m3,row", backward))
    rows = numbers(4, 32).requires_grad_()
    direct = torch.autograd.grad(layer(rows).sum(), (rows, layer[0].weight))
    again = torch.autograd.grad(checkpoint(layer, rows, use_reentrant=False).sum(), (rows, layer[0].weight))
    assert all(map(torch.equal, direct, again))


def test_autocast_trains_and_gradients_have_the_parameters_type() -> None:
    layer = convert_(torch.nn.Sequential(torch.nn.Linear(32, 8)), Config("lmul,e4m3,row", "lmul,e5m2,row"))
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(numbers(4, 32))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert layer[0].weight.grad.dtype == torch.float32


def test_distributed_training_reduces_the_same_gradients(tmp_path: Any) -> None:
    distributed = torch.distributed
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = convert_(torch.nn.Sequential(torch.nn.Linear(32, 8)), "lmul,e4m3,row")
        x = numbers(4, 32)
        wanted = torch.autograd.grad(model(x).sum(), list(model.parameters()))
        seen: list[Any] = []

        def hook(_: object, bucket: distributed.GradBucket) -> torch.futures.Future[torch.Tensor]:
            seen.append(bucket.buffer())
            future = torch.futures.Future()
            future.set_result(bucket.buffer())
            return future

        parallel = torch.nn.parallel.DistributedDataParallel(model)
        parallel.register_comm_hook(None, hook)
        parallel(x).sum().backward()
        assert seen
        assert all(map(torch.equal, (p.grad for p in model.parameters()), wanted))
    finally:
        distributed.destroy_process_group()
