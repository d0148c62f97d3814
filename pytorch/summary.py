"""Tables of a model: which of its products are computed how."""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from torch import nn

from lmul.scheme import FULL_PRECISION
from lmul.torch.convert import Layer, layers

WIDTH = 80
"""Columns of a table, more where names ask for it."""


@dataclass
class Row:
    """Layers of the same name but for numbers, size and arithmetic.

    Parameters
    ----------
    name : str
        With the numbers that differ as a range: `model.layers.0-29.mlp.up_proj`.
    kind : {"linear", "head", "attention"}
    size : str
        K x N of the weight, nothing of attention.
    forward, backward : str
        Words of the arithmetics, `full` for full precision.
    layers : list of str
        Names of all.
    """

    name: str
    kind: str
    size: str
    forward: str
    backward: str
    layers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """How a model's products are computed; as a text it is a table.

    Parameters
    ----------
    rows : list of Row
    """

    rows: list[Row]

    def __str__(self) -> str:
        headings = ("layer", "layers", "K x N", "product", "gradients")
        cells = ((row.name, str(len(row.layers)), row.size, row.forward, row.backward) for row in self.rows)
        return as_text(headings, cells, numbers={"layers"})


def summary(model: nn.Module) -> Summary:
    """Tell which products of a model are computed how.

    Products that no rule can change, such as those of classes made from `torch.nn.Linear`, are not listed.

    Parameters
    ----------
    model : Module
        Converted or not.

    Examples
    --------
    >>> import torch
    >>> from lmul.torch import convert_, summary
    >>> model = convert_(torch.nn.Sequential(torch.nn.Linear(4, 2)), "lmul,e4m3,row")
    >>> [(row.name, row.size, row.forward, row.backward) for row in summary(model).rows]
    [('0', '4 x 2', 'lmul,e4m3,all,row', 'full')]
    """
    groups: dict[Any, Row] = {}
    for layer in layers(model):
        forward, backward = _words(layer)
        row = Row("", layer.kind, _size(layer), forward, backward)
        pattern = re.sub(r"\d+", "*", layer.name)
        groups.setdefault((pattern, row.size, forward, backward), row).layers.append(layer.name)
    for row in groups.values():
        row.name = common_name(row.layers)
    return Summary(list(groups.values()))


def common_name(names: list[str]) -> str:
    """Give one name for names that differ in numbers alone: `layers.0-29.up`, `layers.1,3.up`."""
    parts = re.split(r"\d+", names[0])
    numbers = zip(*([int(number) for number in re.findall(r"\d+", name)] for name in names), strict=True)
    texts = [_range(sorted(set(column))) for column in numbers]
    return "".join(part + text for part, text in zip(parts, [*texts, ""], strict=True))


def as_text(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Set[str]) -> str:
    """Give a table as lines, as wide as it needs to be.

    Parameters
    ----------
    headings : sequence of str
    rows : iterable of sequences of str
    numbers : set of str
        Headings of columns of numbers.
    """
    columns = (
        Column(text, justify="right" if text in numbers else "left", no_wrap=True) for text in headings
    )
    table = Table(*columns, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    width = max(WIDTH, Console(width=10_000).measure(table).maximum)
    lines = Console(file=StringIO(), width=width, markup=False, emoji=False)
    with lines.capture() as captured:
        lines.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).strip("\n")


def _range(numbers: Iterable[int]) -> str:
    found = list(numbers)
    if found == list(range(found[0], found[-1] + 1)):
        return str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}"
    return ",".join(map(str, found))


def _words(layer: Layer) -> tuple[str, str]:
    if layer.config is None:
        return FULL_PRECISION, FULL_PRECISION
    forward, backward = layer.config.names
    return forward, backward or FULL_PRECISION


def _size(layer: Layer) -> str:
    weight: Any = getattr(layer.module, "weight", None)
    if layer.kind == "attention" or weight is None:
        return ""
    inner, outer = reversed(weight.shape) if hasattr(layer.module, "in_features") else weight.shape
    return f"{inner} x {outer}"
