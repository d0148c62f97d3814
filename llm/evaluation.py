"""How well a model predicts a text and answers questions under one arithmetic, and how sure that is."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.intervals import NORMAL_95
from lmul.llm.readers.reader import Reader, Tokens
from lmul.terminal.progress import Report
from lmul.workloads import smollm2
from lmul.workloads.texts import Question

WINDOW = 512
"""Tokens that the model reads at a time; it knows nothing of what was before."""

SAMPLE_TOKENS = 64
"""Tokens whose mean is taken as one independent sample: neighbours are alike."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What a model made of a text.

    Parameters
    ----------
    surprises : ndarray of float64, (N,)
        Negative log likelihood of each predicted token, in nats.
    guesses : ndarray of int64, (N,)
        The most likely token at each place.
    sums, left_range : int
        Sums that were accumulated, and those that left the range of the accumulator.
    """

    surprises: Reals
    guesses: Tokens
    sums: int
    left_range: int

    def as_plain(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        arrays = {name: getattr(self, name).tolist() for name in ("surprises", "guesses")}
        return arrays | {"sums": self.sums, "left_range": self.left_range}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Reading":
        """Make a reading of what `as_plain` gave."""
        arrays = {name: np.array(plain[name]) for name in ("surprises", "guesses")}
        return cls(**arrays, sums=plain["sums"], left_range=plain["left_range"])


@dataclass(frozen=True)
class Interval:
    """An estimate with the half width of its 95 % confidence interval."""

    value: float
    half_width: float


def read(reader: Reader, text: Tokens, progress: Report) -> Reading:
    """Let a model read a text in windows of 512 tokens.

    Parameters
    ----------
    reader : Reader
        One that has read nothing yet.
    text : ndarray of int64, (T,)
        Tokens; the first of each window is given, the others are predicted.
    progress : callable
        Takes the numbers of finished and of all windows.
    """
    windows = [text[start : start + WINDOW] for start in range(0, len(text) - 1, WINDOW)]
    surprises, guesses = [], []
    for done, window in enumerate(windows, 1):
        logits = reader.logits(window)[:-1]
        surprises.append(smollm2.surprises(logits, window[1:]))
        guesses.append(smollm2.on_host(logits.argmax(-1)))
        progress(done, len(windows))
    return Reading(np.concatenate(surprises), np.concatenate(guesses), reader.sums, reader.left_range)


def answer(reader: Reader, asked: Sequence[Question], progress: Report) -> Tokens:
    """Let a model answer questions: the choice of the largest likelihood behind the prompt.

    Parameters
    ----------
    reader : Reader
    asked : sequence of Question
    progress : callable
        Takes the numbers of finished and of all packs of questions.

    Returns
    -------
    ndarray of int64, (Q,)
        Place of the choice.
    """
    packs = list(pack_questions(reader, asked))
    answers = []
    for done, pack in enumerate(packs, 1):
        answers.append(pack.answers(reader.logits(pack.tokens, pack.layout)))
        progress(done, len(packs))
    return np.concatenate(answers)


@dataclass(frozen=True)
class Pack:
    """Several questions that the model reads at once, each blind to the others, as are its choices.

    Parameters
    ----------
    tokens : ndarray of int64, (T,)
    layout : Layout
    spans : list of list of (ndarray, ndarray)
        For each choice of each question: its tokens' places, and the places that they are predicted at.
    """

    tokens: Tokens
    layout: smollm2.Layout
    spans: list[list[tuple[Tokens, Tokens]]]

    def answers(self, logits: smollm2.Array) -> Tokens:
        """Give the most likely choice of each question."""
        likelihoods = [
            [-smollm2.surprises(logits[before], self.tokens[places]).sum() for places, before in choices]
            for choices in self.spans
        ]
        best: Tokens = np.argmax(likelihoods, axis=-1)
        return best


def pack_questions(reader: Reader, asked: Sequence[Question]) -> Iterator[Pack]:
    """Put as many questions as fit into windows of 512 tokens, in their order."""
    pending: list[tuple[Tokens, list[Tokens]]] = []
    length = 0
    for question in asked:
        prompt = reader.encode(question.prompt)
        choices = [reader.encode(f" {choice}") for choice in question.choices]
        size = len(prompt) + sum(map(len, choices))
        if pending and length + size > WINDOW:
            yield _pack(pending)
            pending, length = [], 0
        pending.append((prompt, choices))
        length += size
    if pending:
        yield _pack(pending)


def _pack(asked: list[tuple[Tokens, list[Tokens]]]) -> Pack:
    tokens, positions, spans = [], [], []
    # Each part sees itself as a text does, and the prompt before it.
    sees: list[tuple[slice, slice]] = []
    start = 0
    for prompt, choices in asked:
        first = slice(start, start + len(prompt))
        tokens.append(prompt)
        positions.append(np.arange(len(prompt)))
        start = first.stop
        places = []
        for choice in choices:
            own = slice(start, start + len(choice))
            tokens.append(choice)
            positions.append(len(prompt) + np.arange(len(choice)))
            sees.append((own, first))
            place = np.arange(own.start, own.stop)
            places.append((place, np.append(first.stop - 1, place[:-1])))
            start = own.stop
        spans.append(places)
    parts = np.repeat(np.arange(len(tokens)), [len(part) for part in tokens])
    visible = np.tri(start, dtype=np.bool_) & (parts[:, None] == parts)
    for own, first in sees:
        visible[own, first] = True
    return Pack(np.concatenate(tokens), smollm2.Layout(np.concatenate(positions), visible), spans)


def perplexity(reading: Reading) -> Interval:
    """Give the exponential of the mean surprise."""
    mean = block_mean(reading.surprises)
    value = math.exp(mean.value)
    return Interval(value, value * mean.half_width)


def perplexity_ratio(reading: Reading, reference: Reading) -> Interval:
    """Give a perplexity as a multiple of another one's, whose surprises are at the same places.

    Its interval is that of the differences from place to place, which is much smaller than those of both.
    """
    mean = block_mean(reading.surprises - reference.surprises)
    value = math.exp(mean.value)
    return Interval(value, value * mean.half_width)


def agreement(reading: Reading, reference: Reading) -> Interval:
    """Give the share of places where both find the same token the most likely."""
    return block_mean((reading.guesses == reference.guesses).astype(np.float64))


def right_answers(answers: Tokens, asked: Sequence[Question]) -> Interval:
    """Give the share of questions that were answered right, with the width of Wilson's interval."""
    right = answers == [question.answer for question in asked]
    count, share = len(right), float(np.mean(right))
    squared = NORMAL_95**2 / count
    half_width = NORMAL_95 * math.sqrt(share * (1 - share) / count + squared / (4 * count)) / (1 + squared)
    return Interval(share, half_width)


def block_mean(values: Reals) -> Interval:
    """Give the mean of values in their order, from the spread of the means of blocks."""
    blocks = [values[start : start + SAMPLE_TOKENS] for start in range(0, len(values), SAMPLE_TOKENS)]
    mean = float(np.mean(values))
    if len(blocks) < 2:
        return Interval(mean, math.inf)
    # Each block's sum is off by its own deviation; those are independent.
    deviations = np.array([np.sum(block - mean) for block in blocks])
    variance = np.sum(deviations**2) * len(blocks) / (len(blocks) - 1)
    return Interval(mean, float(NORMAL_95 * math.sqrt(variance) / len(values)))
