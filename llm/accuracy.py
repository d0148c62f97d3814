"""Accuracy of a language model under one arithmetic or another: measured once, kept, compared."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lmul.cost.cache import cached, program_digest
from lmul.llm.evaluation import (
    Interval,
    Reading,
    Tokens,
    agreement,
    perplexity,
    perplexity_ratio,
    read,
    right_answers,
)
from lmul.llm.products import SchemeMatmul, Weights
from lmul.llm.scheme import FULL_PRECISION, Scheme
from lmul.workloads import smollm2
from lmul.workloads.texts import Question

SOURCES = ("golden/*.py", "workloads/smollm2.py", "llm/evaluation.py", "llm/products.py", "llm/scheme.py")
"""What a reading depends on."""


@dataclass(frozen=True)
class Accuracy:
    """How a model does under one arithmetic.

    Parameters
    ----------
    arithmetic : str
        As `scheme.parse_scheme` takes it.
    perplexity : Interval
        Of the text.
    ratio : Interval
        That perplexity over the one of full precision.
    agreement : Interval
        Share of places where the most likely token is that of full precision.
    right : Interval or None
        Share of questions answered right, None where none were asked.
    left_range : float
        Share of sums that left the range of the accumulator.
    """

    arithmetic: str
    perplexity: Interval
    ratio: Interval
    agreement: Interval
    right: Interval | None
    left_range: float

    def as_plain(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return asdict(self)


def measure(
    schemes: Sequence[Scheme | None],
    text: str,
    length: int,
    asked: Sequence[Question],
    directory: Path | None,
    progress: Callable[[int, int], None],
) -> list[Accuracy]:
    """Let SmolLM2 read a text and answer questions under each arithmetic, and under full precision.

    Readings that were finished before are taken from the directory, so an interrupted run goes on.

    Parameters
    ----------
    schemes : sequence of Scheme or None
        None is full precision.
    text : str
        What is read.
    length : int
        Tokens of it, from its beginning.
    asked : sequence of Question
        Questions to answer; may be empty.
    directory : Path or None
        Where readings are kept; None keeps nothing.
    progress : callable
        Takes the finished and the total passes of the model.

    Returns
    -------
    list of Accuracy
        In the order of the schemes.

    Raises
    ------
    UserError
        The extra `llm` is not installed.
    """
    reader = _Reader(text, length, asked, directory)
    total = len(schemes) + 1

    def reading(index: int, scheme: Scheme | None) -> Reading:
        return reader.read(scheme, lambda done, all_: progress(index * all_ + done, total * all_))

    reference = reading(0, None)
    found = []
    for index, scheme in enumerate(schemes):
        one = reading(index + 1, scheme)
        found.append(
            Accuracy(
                arithmetic=scheme.name if scheme else FULL_PRECISION,
                perplexity=perplexity(one),
                ratio=perplexity_ratio(one, reference),
                agreement=agreement(one, reference),
                right=right_answers(one, asked) if asked else None,
                left_range=one.left_range / one.sums if one.sums else 0.0,
            )
        )
    return found


class _Reader:
    """Reads one text under any arithmetic; loads the model when it is first needed."""

    def __init__(self, text: str, length: int, asked: Sequence[Question], directory: Path | None) -> None:
        self._text, self._length, self._asked = text, length, asked
        self._directory = directory
        self._weights = Weights()
        self._model: smollm2.Model | None = None
        self._tokens: Tokens | None = None
        questions = repr(list(asked))
        content = "\0".join([text, questions]).encode()
        self._key = {
            "program": program_digest(*SOURCES),
            "model": smollm2.model_file().name,
            "content": hashlib.sha256(content).hexdigest(),
            "length": length,
        }

    def read(self, scheme: Scheme | None, progress: Callable[[int, int], None]) -> Reading:
        key = self._key | {"scheme": scheme.name if scheme else FULL_PRECISION}
        return Reading.from_plain(cached(self._directory, key, lambda: self._read(scheme, progress)))

    def _read(self, scheme: Scheme | None, progress: Callable[[int, int], None]) -> dict[str, Any]:
        if self._model is None or self._tokens is None:
            self._model = smollm2.load_model()
            self._tokens = smollm2.encode(self._model, self._text)[: self._length]
        matmul = SchemeMatmul(scheme, self._weights)
        return read(self._model, self._tokens, self._asked, matmul, progress).as_plain()
