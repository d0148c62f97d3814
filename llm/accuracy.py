"""Accuracy of a language model under one arithmetic or another: measured once, kept, compared."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lmul.errors import UserError
from lmul.host.cache import cached, digest, program_digest
from lmul.llm.evaluation import (
    Interval,
    Reading,
    Tokens,
    agreement,
    answer,
    perplexity,
    perplexity_ratio,
    read,
    right_answers,
)
from lmul.llm.products.devices import find_gpu, load_model, make_matmul
from lmul.llm.products.host import Weights
from lmul.multipliers.table import plug_in_digest
from lmul.scheme import FULL_PRECISION, Scheme
from lmul.terminal.progress import Report
from lmul.workloads import smollm2
from lmul.workloads.texts import Question

SOURCES = (
    "multipliers",
    "golden",
    "workloads/smollm2.py",
    "llm/evaluation.py",
    "llm/products/host.py",
    "llm/products/torch.py",
    "scheme.py",
    "torch/device.py",
    "torch/gpu",
    "torch/host.py",
)
"""Parts of this program that a reading depends on."""


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
        """Give plain values, for JSON: half widths that are not known are None."""
        plain = asdict(self)
        for interval in plain.values():
            if isinstance(interval, dict) and interval["half_width"] == math.inf:
                interval["half_width"] = None
        return plain


def measure_arithmetics(
    schemes: Sequence[Scheme | None],
    text: str,
    length: int,
    asked: Sequence[Question],
    directory: Path | None,
    progress: Report,
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
        Takes the numbers of finished and of all passes of the model, about.

    Returns
    -------
    list of Accuracy
        In the order of the schemes.

    Raises
    ------
    UserError
        The extra `llm` is not installed, or the text is too short.
    """
    reader = _Reader(text, length, asked, directory)
    parts = (len(schemes) + 1) * (2 if asked else 1)
    finished = 0

    def part(done: int, total: int) -> None:
        progress(finished * total + done, parts * total)

    reference = reader.read(None, part)
    found = []
    for scheme in schemes:
        finished += 1
        reading = reader.read(scheme, part)
        right = None
        if asked:
            finished += 1
            right = right_answers(reader.answer(scheme, part), asked)
        found.append(
            Accuracy(
                arithmetic=_name(scheme),
                perplexity=perplexity(reading),
                ratio=perplexity_ratio(reading, reference),
                agreement=agreement(reading, reference),
                right=right,
                left_range=reading.left_range / reading.sums if reading.sums else 0.0,
            )
        )
    return found


class _Reader:
    """Reads one text and answers questions; loads the model when it is first needed."""

    def __init__(self, text: str, length: int, asked: Sequence[Question], directory: Path | None) -> None:
        self._text, self._length, self._asked = text, length, asked
        self._directory = directory
        self._weights = Weights()
        self._key = {"program": program_digest(*SOURCES), "model": smollm2.model_file().name}
        if gpu := find_gpu():  # Its exponentials may differ in the last place.
            self._key["device"] = gpu

    def read(self, scheme: Scheme | None, progress: Report) -> Reading:
        key = self._key | {"text": digest(self._text), "length": self._length} | _key(scheme)

        def make() -> dict[str, Any]:
            tokens = smollm2.encode(self._model, self._text)[: self._length]
            if len(tokens) < 2:
                raise UserError(f"the text has {len(tokens)} tokens: it must have 2 or more")
            return read(self._model, tokens, make_matmul(scheme, self._weights), progress).as_plain()

        return Reading.from_plain(cached(self._directory, key, make))

    def answer(self, scheme: Scheme | None, progress: Report) -> Tokens:
        key = self._key | {"questions": digest(repr(self._asked))} | _key(scheme)

        def make() -> list[int]:
            matmul = make_matmul(scheme, self._weights)
            chosen: list[int] = answer(self._model, self._asked, matmul, progress).tolist()
            return chosen

        return np.array(cached(self._directory, key, make))

    @cached_property
    def _model(self) -> smollm2.Model:
        return load_model()


def _key(scheme: Scheme | None) -> dict[str, str]:
    """Give what readings depend on of a scheme."""
    source = plug_in_digest(scheme.arithmetic.mul) if scheme else ""
    return {"scheme": _name(scheme)} | ({"multiplier": source} if source else {})


def _name(scheme: Scheme | None) -> str:
    return scheme.name if scheme else FULL_PRECISION
