"""How narrow a fused sum may be: what a language model loses, and the error of each layer's products.

A last place more or less at the first layer makes other tokens likely at the end, so that one reading of a
text says little of small losses. So the operands of several readings are scaled by almost 1, which changes
nothing but their roundings; beside the loss stands the divergence from full precision's predictions, which
does not depend on what came next in the text; and products are compared layer by layer, without a reading.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden import Arithmetic, Quantised, multiply_scaled
from lmul.golden.accumulators import FUSED_MANTISSA
from lmul.host.cache import cached, digest, program_digest
from lmul.intervals import NORMAL_95, student
from lmul.llm.evaluation import SAMPLE_TOKENS, WINDOW, Interval, Reals, block_mean
from lmul.llm.products.host import SchemeMatmul, Weights
from lmul.llm.readers.reader import SOURCES, Tokens
from lmul.scheme import Scheme, is_attention
from lmul.terminal.progress import Report
from lmul.workloads import smollm2
from lmul.workloads.smollm2 import Array

LANES = 16
"""Products of a step, as in the units whose cost is recorded."""

SCOPE = "all-but-head"

FACTORS = (1.0, 1.000001)
"""What the first operands of each reading are scaled by."""

EVERY = 8
"""Of so many tokens one is taken for the errors of products."""

Logs = NDArray[np.float32]


@dataclass(frozen=True)
class Width:
    """The bits of a fused sum.

    Parameters
    ----------
    fraction_bits, mantissa_bits : int
        F and M.
    nearest : bool
        Whether the running sum is rounded to nearest even; else it is truncated.
    """

    fraction_bits: int
    mantissa_bits: int = FUSED_MANTISSA[-1]
    nearest: bool = False

    @property
    def acc(self) -> str:
        """The accumulator, by the shortest word for it."""
        whole = self.mantissa_bits == FUSED_MANTISSA[-1] and not self.nearest
        mantissa = "" if whole else f":{self.mantissa_bits}"
        return f"fused:{self.fraction_bits}{mantissa}{':rne' if self.nearest else ''}"


@dataclass(frozen=True)
class Loss:
    """What a model loses to narrow sums, beside exact ones of the same multiplier.

    Parameters
    ----------
    mul : str
    width : Width
    loss : Interval
        Of cross-entropy, in nats a token.
    divergence : Interval
        Of Kullback and Leibler's divergence of the predictions from full precision's, in nats a token: how
        much more it is than with exact sums.
    loss_of_runs : list of float
        The loss of each reading alone.
    """

    mul: str
    width: Width
    loss: Interval
    divergence: Interval
    loss_of_runs: list[float]


@dataclass(frozen=True)
class LayerErrors:
    """Errors of the products of all linear layers but the output layer, beside exact sums of their operands.

    Parameters
    ----------
    mul : str
    width : Width
    rms_percent : float
        Root mean square over layers, and over tokens, of the error of a token's products over their own size.
    rms_percent_of_kinds : dict of str to float
        The same of each kind of layer.
    gain_percent : float
        How much larger sums are on average; negative where they shrink.
    """

    mul: str
    width: Width
    rms_percent: float
    rms_percent_of_kinds: dict[str, float]
    gain_percent: float


class NudgedMatmul(SchemeMatmul):
    """Computes products of a model, first operands scaled by almost 1.

    Parameters
    ----------
    scheme : Scheme or None
    weights : Weights
    factor : float
        What they are scaled by.
    """

    def __init__(self, scheme: Scheme | None, weights: Weights, factor: float) -> None:
        super().__init__(scheme, weights)
        self._factor = factor

    def quantise(self, reals: Array, side: int, scheme: Scheme) -> Quantised:
        """Quantise a factor, side 0 or 1."""
        return super().quantise(reals if side else np.asarray(reals) * self._factor, side, scheme)


def scheme_with(mul: str, acc: str) -> Scheme:
    """Give the scheme of a multiplier with sums of some kind."""
    return Scheme(arithmetic=Arithmetic(mul=mul, acc=acc, lanes=LANES), scope=SCOPE)


class Losses:
    """Reads a text in windows with sums of any width; readings are kept.

    Parameters
    ----------
    model : Model
    text : ndarray of int64, (T,)
    directory : Path or None
        Where readings are kept; None keeps nothing.
    """

    def __init__(self, model: smollm2.Model, text: Tokens, directory: Path | None) -> None:
        self._model, self._directory, self._weights = model, directory, Weights()
        self._windows = [text[start : start + WINDOW] for start in range(0, len(text) - 1, WINDOW)]
        program = program_digest(*SOURCES, "llm/narrow.py")
        self._key = {"program": program, "text": digest(repr(text.tolist()))}

    @property
    def predicted(self) -> int:
        """Tokens that are predicted in one reading."""
        return sum(len(window) - 1 for window in self._windows)

    @cached_property
    def _full(self) -> list[Logs]:
        """The logarithms of full precision's predictions."""
        return [log_likelihoods(smollm2.forward(self._model, window)) for window in self._windows]

    def reading(self, mul: str, acc: str, factor: float) -> Reals:
        """Give surprises and divergences of each predicted token, (2, N)."""

        def make() -> list[list[float]]:
            scheme = scheme_with(mul, acc)
            both: list[list[float]] = np.concatenate(list(self._read(scheme, factor)), axis=1).tolist()
            return both

        key = self._key | {"scheme": scheme_with(mul, acc).name, "factor": factor}
        return np.array(cached(self._directory, key, make))

    def _read(self, scheme: Scheme, factor: float) -> Iterator[Reals]:
        for window, full in zip(self._windows, self._full, strict=True):
            matmul = NudgedMatmul(scheme, self._weights, factor)
            found = log_likelihoods(smollm2.forward(self._model, window, matmul))
            surprises = -np.take_along_axis(found[:-1], window[1:, None], axis=-1)[:, 0]
            divergences = np.sum(np.exp(full[:-1]) * (full[:-1] - found[:-1]), axis=-1, dtype=np.float64)
            yield np.stack([surprises.astype(np.float64), divergences])

    def loss(self, mul: str, width: Width, factors: Sequence[float]) -> Loss:
        """Compare sums of some width with exact ones, on the same tokens and over the same runs."""
        acc = width.acc
        more = np.array([self.reading(mul, acc, each) - self.reading(mul, "exact", each) for each in factors])
        loss, divergence = (paired(more[:, figure]) for figure in range(2))
        return Loss(mul, width, loss, divergence, more[:, 0].mean(axis=1).tolist())


def log_likelihoods(logits: Array) -> Logs:
    """Give the logarithms of predictions, of logits (T, vocabulary)."""
    single = logits.astype(np.float32)
    single -= single.max(axis=-1, keepdims=True)
    single -= np.log(np.exp(single).sum(axis=-1, keepdims=True))
    return single


def paired(more: Reals) -> Interval:
    """Give the mean of differences (runs, N); its interval is Student's, of blocks of tokens."""
    interval = block_mean(more.mean(axis=0))
    freedom = -(-more.shape[1] // SAMPLE_TOKENS) - 1
    return Interval(interval.value, interval.half_width * student(freedom) / NORMAL_95)


class Products:
    """The operands of all linear layers but the output layer, as exact sums of a multiplier make them.

    Parameters
    ----------
    model : Model
    text : ndarray of int64, (T,)
        Of which every eighth token is taken.
    mul : str
    """

    def __init__(self, model: smollm2.Model, text: Tokens, mul: str) -> None:
        self._mul = mul
        self._layers: list[tuple[str, Quantised, Quantised, Reals]] = []
        scheme = scheme_with(mul, "exact")
        matmul = SchemeMatmul(scheme, Weights())

        def spy(name: str, a: Array, b: Array) -> Array:
            if scheme.covers(name) and not is_attention(name):
                x, y = matmul.quantise(a, 0, scheme), matmul.quantise(b, 1, scheme)
                x = replace(x, codes=x.codes[::EVERY])
                exact = multiply_scaled(x, y, scheme.arithmetic)[0]
                self._layers.append((name.rsplit(".", 1)[-1], x, y, exact))
            return matmul(name, a, b)

        smollm2.forward(model, text, spy)

    def errors(self, width: Width) -> LayerErrors:
        """Compare sums of some width with exact ones, layer by layer."""
        arithmetic = scheme_with(self._mul, width.acc).arithmetic
        squares: dict[str, list[float]] = {}
        gains = []
        for kind, x, y, exact in self._layers:
            found = multiply_scaled(x, y, arithmetic)[0]
            sizes = np.sum(exact**2, axis=-1)
            squares.setdefault(kind, []).append(float(np.mean(np.sum((found - exact) ** 2, axis=-1) / sizes)))
            gains.append(float(np.mean(np.sum(found * exact, axis=-1) / sizes)))
        kinds = {kind: 100 * math.sqrt(np.mean(each)) for kind, each in squares.items()}
        rms = 100 * math.sqrt(np.mean([square for each in squares.values() for square in each]))
        return LayerErrors(self._mul, width, rms, kinds, 100 * (float(np.mean(gains)) - 1))


def all_losses(
    losses: Losses,
    widths: Sequence[tuple[str, Width]],
    progress: Report,
    factors: Sequence[float] = FACTORS,
) -> list[Loss]:
    """Read with every multiplier and width, all of them once before any is read again.

    Parameters
    ----------
    losses : Losses
    widths : sequence of (str, Width)
        Multipliers and widths.
    progress : callable
        Takes the numbers of finished and of all readings.
    factors : sequence of float
        What the operands of each reading are scaled by.
    """
    accs = [*((mul, "exact") for mul in dict(widths)), *((mul, width.acc) for mul, width in widths)]
    readings = [(mul, acc, factor) for factor in factors for mul, acc in accs]
    for done, reading in enumerate(readings, 1):
        losses.reading(*reading)
        progress(done, len(readings))
    return [losses.loss(mul, width, factors) for mul, width in widths]


def as_plain(found: Loss | LayerErrors) -> dict[str, Any]:
    """Give plain values, for JSON, those of the width beside the others."""
    plain = asdict(found)
    return {"mul": plain.pop("mul"), **plain.pop("width"), **plain}
