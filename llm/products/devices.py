"""Where a language model is computed: on a graphics processor, where PyTorch finds one, or by NumPy."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.scheme import Scheme
from lmul.workloads import smollm2


@cache
def find_gpu() -> str | None:
    """Give PyTorch's name of a graphics processor, None without one or without PyTorch."""
    if find_spec("torch") is None:
        return None
    return "cuda" if import_module("torch").cuda.is_available() else None


def load_model() -> smollm2.Model:
    """Read SmolLM2 into the memory of the graphics processor, or of this machine.

    Raises
    ------
    UserError
        The extra `llm` is not installed.
    """
    model, gpu = smollm2.load_model(), find_gpu()
    if gpu is None:
        return model
    from lmul.llm.products.torch import place_model

    return place_model(model, gpu)


def make_matmul(scheme: Scheme | None, weights: Weights) -> SchemeMatmul:
    """Give what multiplies for a model of `load_model`.

    Parameters
    ----------
    scheme : Scheme or None
        None for full precision.
    weights : Weights
        Of that model.
    """
    gpu = find_gpu()
    if gpu is None:
        return SchemeMatmul(scheme, weights)
    from lmul.llm.products.torch import TorchMatmul

    return TorchMatmul(scheme, weights, gpu)
