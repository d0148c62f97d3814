"""The matrix products of a model on tensors of PyTorch, on a graphics processor: the golden model's bits."""

from dataclasses import replace
from typing import Any

import torch

from lmul.golden import Quantised
from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.scheme import Scheme
from lmul.torch import device as tensors
from lmul.torch.gpu.quantise import divided
from lmul.workloads.smollm2 import Model


def place_model(model: Model, device: str) -> Model:
    """Give a model whose weights are tensors.

    Parameters
    ----------
    model : Model
    device : str
        As PyTorch names it, such as `cuda` or `cpu`.
    """
    weights: dict[str, Any] = {
        name: torch.from_numpy(each).to(device) for name, each in model.weights.items()
    }
    return replace(model, weights=weights)


class TorchMatmul(SchemeMatmul):
    """Computes the products that a scheme covers where the tensors are, to the same bits as `SchemeMatmul`.

    Parameters
    ----------
    scheme : Scheme or None
        None for full precision.
    weights : Weights
        Of the one model that this is for, quantised by this class alone.
    device : str
        Where the tensors are.
    """

    def __init__(self, scheme: Scheme | None, weights: Weights, device: str) -> None:
        super().__init__(scheme, weights)
        self._device = device

    def quantise(self, reals: Any, side: int, scheme: Scheme) -> Quantised:
        """Quantise a factor, side 0 or 1: to tensors, where their products can be computed on them."""
        return tensors.quantised_factor(reals.to(torch.float32), side, scheme)

    def divide(self, values: Any, number: float) -> Any:
        """Divide by a number."""
        return divided(values, number)

    def multiply(self, x: Quantised, y: Quantised, scheme: Scheme) -> tuple[Any, int]:
        """Multiply quantised factors: the product, and the number of sums that left the range."""
        values, left_range = tensors.multiply(x, y, scheme)
        return values.to(self._device), left_range
