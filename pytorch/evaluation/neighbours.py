"""Neighbours of an evaluation: the same one, but for differences of its operands that mean nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lmul.torch.convert import layers

SIZE = 1e-6
"""By how much, of its size, an operand differs in the first neighbour, at most."""


@contextmanager
def neighbour(model: nn.Module, number: int) -> Iterator[None]:
    """Let the input of every linear layer be another one, a little, inside of a `with` statement.

    Each element is multiplied by 1 + e, where e is drawn anew from -k to k millionths, k the number of the
    neighbour: a few elements are then rounded to another code, and in a narrow format all that follows
    differs. A factor that all have in common would be taken up by the scale of the tensor or row, and change
    codes by nothing but the rounding of float32.

    Parameters
    ----------
    model : Module
        Of float32 or float64: narrower numbers are farther apart.
    number : int
        0 changes nothing. The same number draws the same factors.
    """
    device = next(model.parameters()).device
    draw = torch.Generator(device).manual_seed(number)

    def moved(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        x, *others = inputs
        factors = torch.rand(x.shape, generator=draw, dtype=torch.float64, device=device) * 2 - 1
        return (x * (1 + number * SIZE * factors).to(x), *others)

    linear = [layer.module for layer in layers(model) if layer.kind != "attention"] if number else []
    hooks = [module.register_forward_pre_hook(moved) for module in linear]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
