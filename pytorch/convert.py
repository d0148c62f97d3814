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
"""Attribute of a converted model: settings of transformers, and the attention implementation of each."""

FUSED, PREVIOUS_FUSED = "activation_relu_or_gelu", "lmul_previous_activation"
"""Attributes of `torch.nn.TransformerEncoderLayer`: what lets it read the weights of its layers instead of
calling them, unless it is 0; and what that was."""


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
        With None a layer is in full precision again.
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
    plan, known = Plan(config), list(layers(model))
    if not known:
        raise UserError(f"this {type(model).__name__} has no layer that can be converted, such as nn.Linear")
    chosen = [layer for layer in known if filter_fn is None or filter_fn(layer.module, layer.name)]
    taken = [(layer, found) for layer in chosen if (found := _covered(layer, plan))]
    undone = [layer for layer in chosen if layer.config and plan.leaves(layer.name)]
    if plan.unused:
        raise UserError(f"no layer is called {plan.unused[0]!r}: `lmul.torch.summary(model)` lists the names")
    if not (taken or undone):
        raise UserError(f"no layer of this {type(model).__name__} is converted: take another scope or filter")
    attends = any(layer.kind == "attention" for layer, _ in taken)
    if attends and not hasattr(model, "set_attn_implementation"):
        raise UserError(
            f"attention of {type(model).__name__} goes through a model of transformers inside: convert that, "
            "or take the scope linear"
        )
    for layer, found in taken:
        _convert(model, layer, found)
    for layer in undone:
        _undo(model, layer)
    _call_layers(model)
    if attends:
        _take_attention(model)
    return model


def restore_(model: Model) -> Model:
    """Undo what `convert_` did to a model, whose parameters stay as they are by now; return the model."""
    for layer in list(layers(model)):
        _undo(model, layer)
    for module in model.modules():
        for settings, previous in vars(module).pop(PREVIOUS, ()):
            settings._attn_implementation = previous
        if PREVIOUS_FUSED in vars(module):
            setattr(module, FUSED, vars(module).pop(PREVIOUS_FUSED))
    return model


def layers(model: nn.Module) -> Iterator[Layer]:
    """Give the layers that can be converted, or are, in the order of the model."""
    if not isinstance(model, nn.Module):
        raise UserError(f"a model must be a torch.nn.Module, not {type(model).__name__}")
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


def _undo(model: nn.Module, layer: Layer) -> None:
    if isinstance(layer.module, Converted):
        _put(model, layer.name, layer.module.restored())
    elif layer.kind == "attention":
        vars(layer.module).pop(attention.CONFIG, None)


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of that of a name."""
    if not name:
        raise UserError("the model is one layer: put it into a torch.nn.Sequential")
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)


def _call_layers(model: nn.Module) -> None:
    """Make PyTorch's encoder layers call the layers inside, as soon as one of those is converted."""
    for module in model.modules():
        fused = isinstance(module, nn.TransformerEncoderLayer) and PREVIOUS_FUSED not in vars(module)
        if fused and any(isinstance(part, Converted) for part in module.children()):
            setattr(module, PREVIOUS_FUSED, getattr(module, FUSED))
            setattr(module, FUSED, 0)


def _take_attention(model: Any) -> None:
    """Make a model of transformers, and the models inside, take the attention of this package."""
    attention.register()
    settings = {id(part.config): part.config for part in model.modules() if hasattr(part, "config")}
    previous = [(each, getattr(each, "_attn_implementation", None)) for each in settings.values()]
    changed = [(each, name) for each, name in previous if name not in (None, attention.IMPLEMENTATION)]
    vars(model).setdefault(PREVIOUS, []).extend(changed)
    model.set_attn_implementation(attention.IMPLEMENTATION)
