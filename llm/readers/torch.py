"""Any model of transformers that continues text, read by PyTorch under an arithmetic."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lmul.errors import UserError
from lmul.host.cache import program_digest
from lmul.llm.products.devices import find_gpu
from lmul.llm.readers.reader import TORCH_SOURCES, Tokens
from lmul.scheme import Scheme
from lmul.torch import convert_, restore_
from lmul.torch.models import find, load
from lmul.workloads import smollm2


@dataclass(frozen=True)
class TorchModel:
    """A model of transformers, in float32, on a graphics processor where there is one.

    Parameters
    ----------
    path : str
        As `lmul.torch.models.load` takes it.
    """

    path: str
    full_precision: str = "Full precision: PyTorch's float32."

    @property
    def name(self) -> str:
        """Of the folder or the file."""
        return f"{Path(self.path).name} (PyTorch)"

    def key(self) -> dict[str, str]:
        """Give what readings depend on; of a model of a hub its name."""
        source = find(self.path)
        versions = [f"{name} {version(name)}" for name in ("torch", "transformers")]
        return {
            "program": program_digest(*TORCH_SOURCES),
            "model": source.identity() if source.local else source.place,
            "device": " ".join([find_gpu() or "cpu", *versions]),
        }

    def under(self, scheme: Scheme | None) -> "TorchReader":
        """Let it compute under an arithmetic."""
        return TorchReader(*self._loaded, scheme)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return load(self.path)


class TorchReader:
    """A model of transformers that computes under an arithmetic, converted only while it reads.

    Parameters
    ----------
    model : PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
        What it puts in front of an empty text comes in front of all that is read.
    scheme : Scheme or None
        None for full precision.

    Attributes
    ----------
    sums, left_range : int
        0: PyTorch's operators do not count them.
    """

    sums = 0
    left_range = 0

    def __init__(self, model: Any, tokenizer: Any, scheme: Scheme | None) -> None:
        self._model, self._tokenizer, self._scheme = model, tokenizer, scheme
        self._start = np.array(tokenizer("").input_ids, dtype=np.int64)

    def encode(self, text: str) -> Tokens:
        """Give the tokens of a text."""
        found = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return np.array(found, dtype=np.int64)

    def decode(self, tokens: Sequence[int]) -> str:
        """Give the text of tokens."""
        # Behind a letter: some tokenizers drop the space that a text begins with.
        before = self._tokenizer("a", add_special_tokens=False).input_ids
        first, whole = (
            self._tokenizer.decode(part, skip_special_tokens=True) for part in (before, [*before, *tokens])
        )
        return str(whole[len(first) :])

    def logits(self, tokens: Tokens, layout: smollm2.Layout | None = None) -> smollm2.Array:
        """Predict the token after each token.

        Raises
        ------
        UserError
            The model takes no so many tokens, or logits are not finite.
        """
        ids = np.concatenate([self._start, tokens])
        most = getattr(self._model.config, "max_position_embeddings", None) or len(ids)
        if len(ids) > most:
            raise UserError(f"this model reads at most {most} tokens at once: {len(ids)} are too many")
        inputs = {"input_ids": torch.from_numpy(ids)[None]} | (self._laid_out(layout) if layout else {})
        inputs = {name: tensor.to(self._model.device) for name, tensor in inputs.items()}
        with torch.no_grad(), self._converted():
            logits = self._model(**inputs, use_cache=False).logits[0, len(self._start) :]
        if not torch.isfinite(logits).all():
            name = self._scheme.name if self._scheme else "full precision"
            raise UserError(f"logits are not finite under {name}: take an accumulator of a larger range")
        found: smollm2.Array = logits.double().cpu().numpy()
        return found

    def _laid_out(self, layout: smollm2.Layout) -> dict[str, Any]:
        """Give positions and what is added to scores, behind the tokens that all see."""
        start, length = len(self._start), len(layout.positions)
        visible = np.tri(start + length, dtype=np.bool_)
        visible[start:, start:] = layout.visible
        positions = np.concatenate([np.arange(start), start + layout.positions])
        mask = np.where(visible, 0, np.finfo(np.float32).min).astype(np.float32)
        return {
            "position_ids": torch.from_numpy(positions)[None],
            "attention_mask": torch.from_numpy(mask)[None, None],
        }

    @contextmanager
    def _converted(self) -> Iterator[None]:
        if self._scheme is None:
            yield
            return
        convert_(self._model, self._scheme)
        try:
            yield
        finally:
            restore_(self._model)
