"""Attention of transformers' models, both products of which are those of an arithmetic."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from lmul.errors import UserError
from lmul.torch.config import Config
from lmul.torch.observer import observe
from lmul.torch.operator import product

IMPLEMENTATION = "lmul"
"""Name in transformers' attention interface."""

CONFIG = "lmul_config"
"""Attribute of an attention module: its `Config`, None for full precision."""

UNKNOWN = ("s_aux", "sinks", "position_bias", "head_mask", "score_mod", "indices", "block_indices")
"""Arguments of an implementation that change what it computes, and that are not known here."""


def register() -> None:
    """Make the implementation known to transformers, and the masks that it takes."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(IMPLEMENTATION, attention)
    ALL_MASK_ATTENTION_FUNCTIONS.register(IMPLEMENTATION, eager_mask)


def uses_interface(module: nn.Module) -> bool:
    """Tell whether a module's own forward pass computes attention by what is registered."""
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    return "ALL_ATTENTION_FUNCTIONS" in getattr(code, "co_names", ())


def is_taken(module: Any) -> bool:
    """Tell whether an attention module takes the attention of this package by now."""
    return getattr(getattr(module, "config", None), "_attn_implementation", None) == IMPLEMENTATION


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, Tensor]:
    """Compute attention as transformers' eager implementation does, its two products in an arithmetic.

    Parameters
    ----------
    module : Module
        The attention layer, which has its `Config`.
    query : Tensor, shape (B, H, T, D)
    key, value : Tensor, shape (B, G, S, D)
        H is a multiple of G.
    attention_mask : Tensor, optional
        Added to the scores; or booleans, true where a key is seen.
    scaling : float, optional
        Of the scores; by default 1 / sqrt(D).
    dropout : float
        Share of the probabilities that become zero.
    softcap : float, optional
        Scores are s tanh(score / s).

    Returns
    -------
    output : Tensor, shape (B, T, H, D)
    probabilities : Tensor, shape (B, H, T, S)

    Raises
    ------
    UserError
        The layer asks for something that is not known here.
    """
    for name in UNKNOWN:
        if others.get(name) is not None:
            raise UserError(
                f"attention of {type(module).__name__} takes {name}, which lmul.torch does not know"
            )
    config: Config | None = getattr(module, CONFIG, None)
    scores = _product(module, "qk", query, key.mT, config)
    scores = scores * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if attention_mask is not None:
        scores = scores + _added(attention_mask, scores.dtype)
    precise = torch.promote_types(scores.dtype, torch.float32)
    probabilities = nn.functional.softmax(scores, dim=-1, dtype=precise).to(query.dtype)
    probabilities = nn.functional.dropout(probabilities, p=dropout, training=module.training)
    output = _product(module, "pv", probabilities, value, config)
    return output.transpose(1, 2).contiguous(), probabilities


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Give what a mask adds to scores."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)


def _product(module: nn.Module, name: str, a: Tensor, b: Tensor, config: Config | None) -> Tensor:
    """Multiply the matrices (..., M, K) of H heads by those (..., K, N) of G, each of which is for H / G."""
    batch, heads, rows, depth = a.shape
    groups = b.shape[1]
    # Heads that share a factor are rows of one matrix.
    a = a.reshape(batch, groups, heads // groups * rows, depth)
    result = torch.matmul(a, b) if config is None else product(a, b, config.names)
    if config is not None:
        observe(module, name, a, b, result)
    return result.reshape(batch, heads, rows, b.shape[-1])
