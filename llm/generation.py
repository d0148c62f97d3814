"""Continue a prompt, token by token, under one arithmetic and in full precision."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lmul.workloads import smollm2
from lmul.workloads.smollm2 import Matmul


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


def continuations(model: smollm2.Model, prompt: str, count: int, matmul: Matmul) -> Iterator[Step]:
    """Continue a prompt with the most likely tokens.

    Parameters
    ----------
    model : Model
    prompt : str
        Not empty.
    count : int
        Tokens at most; a text may end before.
    matmul : callable
        The chosen arithmetic, as `smollm2.forward` takes it.

    Yields
    ------
    Step
        As soon as both tokens are known.
    """
    full, chosen = (_tokens(model, prompt, arithmetic) for arithmetic in (smollm2.plain_matmul, matmul))
    for _ in range(count):
        step = Step(next(full, ""), next(chosen, ""))
        if not step.full and not step.chosen:
            return
        yield step


def _tokens(model: smollm2.Model, prompt: str, matmul: Matmul) -> Iterator[str]:
    """Give the tokens of a continuation, to its end or for ever."""
    tokens = smollm2.encode(model, prompt)
    while True:
        logits = smollm2.forward(model, tokens, matmul)
        token = int(logits[-1].argmax())
        text = smollm2.decode(model, [token])
        if not text:  # A control token.
            return
        tokens = np.append(tokens, token)
        yield text
