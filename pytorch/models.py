"""Models of transformers by a word of the command line."""

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from lmul.errors import UserError, one_line
from lmul.workloads import smollm2

SMOLLM2 = "smollm2"
"""Stands for SmolLM2-135M-Instruct, from the file that its package carries."""


def load(name: str) -> tuple[Any, Any]:
    """Load a model in float32 and its tokenizer, with no word on the terminal and none to a network.

    Parameters
    ----------
    name : str
        A folder of transformers' form, a `.gguf` file, or `smollm2`.

    Returns
    -------
    model : PreTrainedModel
        In evaluation mode.
    tokenizer : PreTrainedTokenizerBase

    Raises
    ------
    UserError
        There is no such model, or transformers cannot read it as one that continues text.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = smollm2.model_file() if name == SMOLLM2 else Path(name)
    if path.is_dir():
        place, options = path, {}
    elif path.suffix == ".gguf" and path.is_file():
        place, options = path.parent, {"gguf_file": path.name}
    else:
        raise UserError(f"model {name!r}: it must be a folder, a .gguf file or {SMOLLM2}, and is none")
    known: dict[str, Any] = {"local_files_only": True} | options
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(place, **known)
            model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, **known)
    except Exception as error:  # Of many kinds, and of what transformers imports.
        raise UserError(f"model {name!r} cannot be read by transformers: {one_line(error)}") from error
    return model.eval(), tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the bars and the warnings of transformers from the terminal inside of a `with` statement."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with redirect_stderr(StringIO()):  # Bars over the tensors of a GGUF file know no other switch.
            yield
    finally:
        logging.set_verbosity(before)
