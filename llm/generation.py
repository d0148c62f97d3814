"""Continue a prompt, token by token, under one arithmetic and in full precision."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lmul.llm.readers.reader import Reader


@dataclass(frozen=True)
class Step:
    """The tokens that two continuations take next, as text.

    Parameters
    ----------
    full, chosen : str
        In full precision, and under the chosen arithmetic; each follows its own text. Empty at its end.
    """

    full: str
    chosen: str


def continuations(full: Reader, chosen: Reader, prompt: str, count: int) -> Iterator[Step]:
    """Continue a prompt with the most likely tokens.

    Parameters
    ----------
    full, chosen : Reader
        A model in full precision, and under the chosen arithmetic.
    prompt : str
        Not empty.
    count : int
        Tokens at most; a text may end before.

    Yields
    ------
    Step
        As soon as both tokens are known.
    """
    first, second = (_tokens(reader, prompt) for reader in (full, chosen))
    for _ in range(count):
        step = Step(next(first, ""), next(second, ""))
        if not step.full and not step.chosen:
            return
        yield step


def _tokens(reader: Reader, prompt: str) -> Iterator[str]:
    """Give the tokens of a continuation, to its end or for ever."""
    tokens = reader.encode(prompt)
    while True:
        token = int(reader.logits(tokens)[-1].argmax())
        text = reader.decode([token])
        if not text:  # A control token.
            return
        tokens = np.append(tokens, token)
        yield text
