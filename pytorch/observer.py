"""Lets others see the factors and the result of every product of converted layers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

Observer = Callable[[nn.Module, str, Tensor, Tensor, Tensor], None]
"""Takes the layer, the product's name in it, both factors and their product."""

_OBSERVERS: list[Observer] = []


def observe(layer: nn.Module, name: str, a: Tensor, b: Tensor, result: Tensor) -> None:
    """Show a product to whoever wants to see it."""
    for observer in _OBSERVERS:
        observer(layer, name, a, b, result)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Show products to an observer inside of a `with` statement."""
    _OBSERVERS.append(observer)
    try:
        yield
    finally:
        _OBSERVERS.remove(observer)
