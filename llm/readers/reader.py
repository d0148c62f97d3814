"""What reads a text under an arithmetic, and how SmolLM2 does by NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lmul.llm.products.host import SchemeMatmul
from lmul.scheme import Scheme
from lmul.workloads import smollm2

Tokens = NDArray[np.int64]

SOURCES = (
    "multipliers",
    "golden",
    "workloads/smollm2.py",
    "llm/evaluation.py",
    "llm/readers/reader.py",
    "llm/products/host.py",
    "llm/products/torch.py",
    "scheme.py",
    "torch/device.py",
    "torch/gpu",
    "torch/host.py",
)
"""Parts of this program that a reading by NumPy depends on."""

TORCH_SOURCES = (
    "multipliers",
    "golden",
    "workloads/smollm2.py",
    "llm/evaluation.py",
    "llm/readers/reader.py",
    "llm/readers/torch.py",
    "llm/products/host.py",
    "llm/products/devices.py",
    "llm/products/torch.py",
    "scheme.py",
    "torch",
)
"""Parts of this program that a reading by PyTorch depends on."""


class Reader(Protocol):
    """A language model that computes under one arithmetic."""

    @property
    def sums(self) -> int:
        """Sums so far, 0 where they are not counted."""

    @property
    def left_range(self) -> int:
        """Those that left the range of the accumulator."""

    def encode(self, text: str) -> Tokens:
        """Give the tokens of a text, without those that begin or end one."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Give the text of tokens; control tokens have none."""

    def logits(self, tokens: Tokens, layout: smollm2.Layout | None = None) -> smollm2.Array:
        """Predict the token after each of T tokens, (T, vocabulary); by default they are one text."""


class LanguageModel(Protocol):
    """A language model that is loaded when it first reads."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def full_precision(self) -> str:
        """What full precision is, a sentence."""

    def key(self) -> dict[str, str]:
        """Give what readings depend on beside the text and the arithmetic."""

    def under(self, scheme: Scheme | None) -> Reader:
        """Let it compute under an arithmetic, None for full precision."""


@dataclass(frozen=True)
class NumpyReader:
    """A model in NumPy's arrays, or in tensors of the same interface, and what multiplies for it.

    Parameters
    ----------
    model : Model
    matmul : SchemeMatmul
    """

    model: smollm2.Model
    matmul: SchemeMatmul

    @property
    def sums(self) -> int:
        """Sums so far."""
        return self.matmul.sums

    @property
    def left_range(self) -> int:
        """Those that left the range of the accumulator."""
        return self.matmul.left_range

    def encode(self, text: str) -> Tokens:
        """Give the tokens of a text."""
        return smollm2.encode(self.model, text)

    def decode(self, tokens: Sequence[int]) -> str:
        """Give the text of tokens."""
        return smollm2.decode(self.model, tokens)

    def logits(self, tokens: Tokens, layout: smollm2.Layout | None = None) -> smollm2.Array:
        """Predict the token after each token."""
        return smollm2.forward(self.model, tokens, self.matmul, layout)
