"""How far the products of a converted model are from exact ones, layer by layer.

A model under a narrow format is chaotic: a change far below a code's last place moves tokens. The products of
one layer with the operands that it really had are not: this is the sharp test of an arithmetic.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lmul.errors import UserError
from lmul.torch.convert import layers
from lmul.torch.observer import observing
from lmul.torch.summary import as_text

ROWS = 1024
"""Rows of a product that are multiplied again at once, in double precision."""


@dataclass
class Product:
    """The products of one layer, and what they are off.

    Parameters
    ----------
    name : str
        Of the layer; with `.qk` or `.pv` behind it those of attention.
    sums : int
        Numbers that were compared; 0 of a layer whose products were never asked for.
    error : float
        Root of the sum of squared differences from the exact product of the same operands, over that of the
        squares of the exact product.
    bias : float
        What the product is larger than a multiple of the exact one by: the factor that fits best, less 1.
    """

    name: str
    sums: int
    error: float
    bias: float


@dataclass(frozen=True)
class Comparison:
    """Errors of every converted layer, in the order of the model; as a text it is a table.

    Parameters
    ----------
    products : list of Product
    """

    products: list[Product]

    def __str__(self) -> str:
        headings = ("product", "sums", "error, %", "bias, %")
        cells = (
            (each.name, f"{each.sums:,}", f"{100 * each.error:.2f}", f"{100 * each.bias:+.2f}")
            for each in self.products
        )
        return as_text(headings, cells, numbers={*headings[1:]})


@dataclass
class _Sums:
    """Sums over numbers: their count, of squared differences, of squares, and of products of both."""

    count: int = 0
    differences: float = 0.0
    squares: float = 0.0
    products: float = 0.0

    def add(self, found: Tensor, exact: Tensor) -> None:
        self.count += exact.numel()
        self.differences += float((found - exact).square().sum())
        self.squares += float(exact.square().sum())
        self.products += float((found * exact).sum())


def compare(model: nn.Module, *inputs: Any, **options: Any) -> Comparison:
    """Compare every product of a converted model with the exact one of the same operands.

    Exact products are in double precision, of the operands before they are quantised: the error holds what
    quantising, multiplying and adding do. Operands are those that the converted model has there.

    Parameters
    ----------
    model : Module
        A converted one; it is run once, without gradients.
    *inputs, **options
        What the model takes, such as a tensor of tokens.

    Returns
    -------
    Comparison

    Raises
    ------
    UserError
        No layer is converted.

    Examples
    --------
    >>> import torch
    >>> from lmul.torch import compare, convert_
    >>> model = convert_(torch.nn.Sequential(torch.nn.Linear(2, 1)), "exact,e4m3,row")
    >>> [(each.name, each.sums, each.error) for each in compare(model, torch.zeros(3, 2)).products]
    [('0', 3, 0.0)]
    """
    names = {layer.module: layer.name for layer in layers(model) if layer.config}
    if not names:
        raise UserError("no layer of this model is converted: call `lmul.torch.convert_` first")
    found: dict[str, _Sums] = {}
    seen: set[nn.Module] = set()

    def see(layer: nn.Module, product: str, a: Tensor, b: Tensor, result: Tensor) -> None:
        if layer not in names:  # Of another model, in another thread.
            return
        seen.add(layer)
        name = ".".join(part for part in (names[layer], product) if part)
        _add(found.setdefault(name, _Sums()), a, b, result)

    with torch.no_grad(), observing(see):
        model(*inputs, **options)
    found |= {name: _Sums() for layer, name in names.items() if layer not in seen}
    return Comparison([_product(name, sums) for name, sums in found.items()])


def _add(sums: _Sums, a: Tensor, b: Tensor, result: Tensor) -> None:
    """Multiply again in double precision, some rows at once."""
    factor = b.double()
    for first in range(0, a.shape[-2], ROWS):
        rows = slice(first, first + ROWS)
        sums.add(result[..., rows, :].double(), a[..., rows, :].double() @ factor)


def _product(name: str, sums: _Sums) -> Product:
    if not sums.squares:
        return Product(name, sums.count, float(sums.differences > 0), 0.0)
    error, factor = (sums.differences / sums.squares) ** 0.5, sums.products / sums.squares
    return Product(name, sums.count, error, factor - 1)
