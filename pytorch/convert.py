"""Whole models: their layers take another arithmetic in place, and give it back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from lmul.errors import UserError
from lmul.scheme import HEAD
from lmul.torch import attention
from lmul.torch.config import Config, Plan, Rules
from lmul.torch.layers import Converted, replacement

Model = TypeVar("Model", bound=nn.Module)

Filter = Callable[[nn.Module, str], bool]
"""Takes a layer and its name, and tells whether it is converted."""

PREVIOUS = "lmul_previous_attention"
"""Attribute of a converted model: the attention implementation that it had."""


@dataclass(frozen=True)
class Layer:
    """A place in a model whose products can be computed in an arithmetic.

    Parameters
    ----------
    name : str
        As `named_modules` gives it.
    module : Module
    kind : {"linear", "head", "attention"}
    """

    name: str
    module: nn.Module
    kind: str

    @property
    def config(self) -> Config | None:
        """How its products are computed, None for full precision."""
        if isinstance(self.module, Converted):
            return self.module.config
        return getattr(self.module, attention.CONFIG, None) if attention.is_taken(self.module) else None


def convert_(model: Model, config: Rules, filter_fn: Filter | None = None) -> Model:
    """Compute the products of a model's layers in an arithmetic from now on, in place.

    `torch.nn.Linear` and transformers' `Conv1D` are swapped for layers with the same parameters, and the two
    products of attention go through transformers' attention interface. Nothing of PyTorch is patched.

    Parameters
    ----------
    model : Module
    config : str, Scheme, Config, or mapping from patterns of names to such or None
        For all layers that the scope of the scheme covers, or for those whose names match a pattern:
        `{"*": "lmul,e4m3,row", "lm_head": None}`. An exact name counts before patterns, a later pattern
        before an earlier one. An attention layer has its own name, such as `model.layers.0.self_attn`.
    filter_fn : callable, optional
        Takes a module and its name; what it is false for stays as it is.

    Returns
    -------
    Module
        The same model.

    Raises
    ------
    UserError
        No layer is converted, a pattern matches no name, or a word is unknown; nothing has then been changed.

    Examples
    --------
    >>> import torch
    >>> from lmul.torch import convert_
    >>> model = convert_(torch.nn.Sequential(torch.nn.Linear(4, 2)), "lmul,e4m3,row")
    >>> model[0]
    Linear(in_features=4, out_features=2, bias=True, lmul,e4m3,all,row)
    """
    plan = Plan(config)
    chosen = [
        (layer, found)
        for layer in layers(model)
        if (found := _covered(layer, plan)) and (filter_fn is None or filter_fn(layer.module, layer.name))
    ]
    if plan.unused:
        raise UserError(f"no layer is called {plan.unused[0]!r}: `lmul.torch.summary(model)` lists the names")
    if not chosen:
        raise UserError(f"no layer of this {type(model).__name__} is converted: take another scope or filter")
    attends = any(layer.kind == "attention" for layer, _ in chosen)
    if attends and not hasattr(model, "set_attn_implementation"):
        raise UserError(
            f"attention of {type(model).__name__} goes through a model of transformers inside: convert that, "
            "or take the scope linear"
        )
    for layer, found in chosen:
        _convert(model, layer, found)
    if attends:
        _take_attention(model)
    return model


def restore_(model: Model) -> Model:
    """Undo what `convert_` did to a model, whose parameters stay as they are by now; return the model."""
    for layer in list(layers(model)):
        if isinstance(layer.module, Converted):
            _put(model, layer.name, layer.module.restored())
        elif layer.kind == "attention":
            vars(layer.module).pop(attention.CONFIG, None)
    previous = vars(model).pop(PREVIOUS, None)
    if previous is not None:
        model.set_attn_implementation(previous)
    return model


def layers(model: nn.Module) -> Iterator[Layer]:
    """Give the layers that can be converted, or are, in the order of the model."""
    outputs = getattr(model, "get_output_embeddings", lambda: None)()
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, Converted) or replacement(module):
            head = module is outputs or name.rsplit(".", 1)[-1] == HEAD
            yield Layer(name, module, "head" if head else "linear")
        elif attention.uses_interface(module):
            yield Layer(name, module, "attention")


def _covered(layer: Layer, plan: Plan) -> Config | None:
    config = plan.find(layer.name)
    names = {"linear": layer.name, "head": HEAD, "attention": f"{layer.name}.qk"}
    return config if config and config.scheme.covers(names[layer.kind]) else None


def _convert(model: nn.Module, layer: Layer, config: Config) -> None:
    if layer.kind == "attention":
        setattr(layer.module, attention.CONFIG, config)
    elif isinstance(layer.module, Converted):
        layer.module.configure(config)
    elif kind := replacement(layer.module):
        _put(model, layer.name, kind.of(layer.module, config))


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of that of a name."""
    if not name:
        raise UserError("the model is one layer: put it into a torch.nn.Sequential")
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)


def _take_attention(model: Any) -> None:
    """Make a model of transformers take the attention of this package."""
    attention.register()
    if model.config._attn_implementation != attention.IMPLEMENTATION:
        vars(model)[PREVIOUS] = model.config._attn_implementation
        model.set_attn_implementation(attention.IMPLEMENTATION)
