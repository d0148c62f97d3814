"""Errors of all products of two matrices of real operands, against the products before quantisation.

The relative error of one product is V u v - 1: V, the significand product, depends on the two mantissas
alone, and u and v, the power of two of a quantised operand over its true value, on one operand each. So the
sums over all pairs need only the operands of each mantissa, and for the sum of magnitudes their order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.accuracy.products import SEED
from lmul.accuracy.statistics import Errors, ErrorSums, Reals
from lmul.golden import Arithmetic, Format, Integer, decode, quantise
from lmul.golden.formats.codec import Rounding
from lmul.golden.formats.quantise import Quantised
from lmul.golden.products.operand import split
from lmul.multipliers.significand import fraction_bits, significand_product
from lmul.terminal.progress import Report

PRODUCTS_AT_ONCE = 1 << 13
"""Products, or pairs of an operand and a mantissa, computed at once: they stay in the cache."""

TABULATED_BITS = 6
"""Up to this mantissa width the operands of each mantissa are treated together."""

MOST_PRODUCTS = 1 << 30
"""Above `TABULATED_BITS` no more products than these are compared: of random steps k."""

KEY_SPACING = 4.0
"""More than any ratio u or v: less than 2, as a number is never rounded up by half of itself."""


@dataclass(frozen=True)
class TensorErrors:
    """Errors of the products of two matrices.

    Parameters
    ----------
    errors : dict of str to Errors
        By multiplier; empty where every product is zero.
    products : int
        All products, M K N.
    zeros : int
        Products left out because they are zero before quantisation.
    flushed : int
        Products that count -100 % because an operand became zero.
    drawn : bool
        Not all products were looked at, but those of random steps k.
    """

    errors: dict[str, Errors]
    products: int
    zeros: int
    flushed: int
    drawn: bool


@dataclass(frozen=True)
class _Side:
    """One operand of all products of a step, without zeros: sorted by mantissa, then by ratio."""

    mantissa: NDArray[np.int64]
    ratio: Reals

    @property
    def nonzero(self) -> int:
        """Operands that quantisation left other than zero."""
        return int(np.count_nonzero(self.ratio))


def tensor_errors(
    a: NDArray[Any],
    b: NDArray[Any],
    format_: Format,
    rounding: Rounding,
    muls: tuple[str, ...],
    progress: Report,
    quantised: tuple[Quantised, Quantised] | None = None,
) -> TensorErrors:
    """Compare unrounded products of quantised operands with the products before quantisation.

    Parameters
    ----------
    a : ndarray of float, shape (M, K)
    b : ndarray of float, shape (K, N)
    format_ : Format
    rounding : {"nearest", "truncate"}
        Of the operands.
    muls : tuple of str
        Names of multipliers.
    progress : callable
        Told the numbers of finished and of all steps k.
    quantised : tuple of two Quantised, optional
        The operands with their scales. Default: each with one scale.
    """
    first, second = quantised or (quantise(a, format_, rounding), quantise(b, format_, rounding))
    columns = Quantised(first.codes.T, first.scales().T)
    operands = _Steps(a.T, columns, format_), _Steps(b, second, format_)
    per_step = a.shape[0] * b.shape[1]
    steps = _choose_steps(b.shape[0], per_step, format_)
    sums = {mul: ErrorSums() for mul in muls}
    compared, flushed = 0, 0
    for done, k in enumerate(steps):
        x, y = (operand.side(k) for operand in operands)
        compared += x.ratio.size * y.ratio.size
        flushed += x.ratio.size * y.ratio.size - x.nonzero * y.nonzero
        for mul, block in _step_sums(x, y, format_, muls):
            sums[mul].add(block)
        progress(done + 1, len(steps))
    errors = {mul: total.errors() for mul, total in sums.items() if total.count}
    zeros = len(steps) * per_step - compared
    return TensorErrors(errors, per_step * b.shape[0], zeros, flushed, len(steps) < b.shape[0])


class _Steps:
    """The operands of one matrix, step by step; rows are steps."""

    def __init__(self, tensor: NDArray[Any], quantised: Quantised, format_: Format) -> None:
        self.tensor, self.format = tensor, format_
        self.codes, self.scales = quantised.codes, quantised.scales()

    def side(self, k: int) -> _Side:
        """Give the nonzero operands of a step."""
        true = self.tensor[k].astype(np.float64)
        kept = true != 0
        if isinstance(self.format, Integer):  # A number is its own power of two, as it were.
            power: NDArray[Any] = decode(self.codes[k], self.format)[kept]
            mantissa = np.zeros(power.shape, dtype=np.int64)
        else:
            operand = split(self.codes[k], self.format, Arithmetic(format=self.format))
            power, mantissa = operand.power[kept], operand.mantissa[kept]
        ratio = power * self.scales[k][kept] / true[kept]
        order = np.lexsort((ratio, mantissa))
        return _Side(mantissa[order], ratio[order])


def _choose_steps(depth: int, per_step: int, format_: Format) -> list[int]:
    """Give the steps k to look at: all where that is quick."""
    count = max(1, MOST_PRODUCTS // per_step)
    if _mantissa_bits(format_) <= TABULATED_BITS or count >= depth:
        return list(range(depth))
    drawn: list[int] = np.sort(np.random.default_rng(SEED).choice(depth, count, replace=False)).tolist()
    return drawn


def _step_sums(x: _Side, y: _Side, format_: Format, muls: tuple[str, ...]) -> Iterator[tuple[str, ErrorSums]]:
    """Give the error sums of the products of one step, block by block."""
    if not (x.ratio.size and y.ratio.size):
        return
    bits = _mantissa_bits(format_)
    tabulated = bits <= TABULATED_BITS
    classes = _Classes(y) if tabulated else None
    rows = max(1, PRODUCTS_AT_ONCE // (classes.mantissa.size if classes else y.ratio.size))
    for start in range(0, x.ratio.size, rows):
        block = _Side(x.mantissa[start : start + rows], x.ratio[start : start + rows])
        for mul in muls:
            if classes:
                yield mul, classes.sums(block, mul, bits)
            else:
                gain = _significands(block.mantissa[:, None], y.mantissa, mul, bits)
                yield mul, ErrorSums.of(gain * block.ratio[:, None] * y.ratio - 1.0)


def _mantissa_bits(format_: Format) -> int:
    """Give the mantissa bits that operands are told apart by, none of integers."""
    return 0 if isinstance(format_, Integer) else format_.mantissa_bits


class _Classes:
    """Second operands of a step, by mantissa: their sums, and their sums from any ratio on."""

    def __init__(self, side: _Side) -> None:
        ratio = side.ratio
        self.mantissa, starts, counts = np.unique(side.mantissa, return_index=True, return_counts=True)
        self.ends = (starts + counts)[:, None]
        self.offsets = KEY_SPACING * np.arange(self.mantissa.size)[:, None]
        self.keys = ratio + np.repeat(self.offsets, counts)
        self.prefix = np.concatenate([[0.0], np.cumsum(ratio)])
        self.counts = counts
        self.ratios, self.squares = np.add.reduceat(ratio, starts), np.add.reduceat(ratio * ratio, starts)
        self.lowest, self.highest = ratio[starts, None], ratio[starts + counts - 1, None]

    def sums(self, block: _Side, mul: str, mantissa_bits: int) -> ErrorSums:
        """Add up the errors of all products of these operands with a block of first ones."""
        gain = _significands(block.mantissa, self.mantissa[:, None], mul, mantissa_bits) * block.ratio
        count = int(np.sum(self.counts)) * block.ratio.size
        linear = float(np.dot(self.ratios, np.sum(gain, axis=1)))
        square = float(np.dot(self.squares, np.sum(gain * gain, axis=1)))
        total = linear - count
        return ErrorSums(
            count,
            total,
            2.0 * self._positive(gain) - total,
            max(square - 2.0 * linear + count, 0.0),  # Rounding makes less of it where no product is off.
            float(np.min(gain * self.lowest)) - 1.0,
            float(np.max(gain * self.highest)) - 1.0,
        )

    def _positive(self, gain: Reals) -> float:
        """Add up the errors above zero: those of ratios above 1 / gain."""
        threshold = np.full_like(gain, KEY_SPACING / 2)
        np.divide(1.0, gain, out=threshold, where=gain > 2.0 / KEY_SPACING)
        first = np.searchsorted(self.keys, threshold + self.offsets, side="right")
        ratios = self.prefix[self.ends] - self.prefix[first]
        return float(np.vdot(gain, ratios)) - float(np.sum(self.ends - first))


def _significands(x: NDArray[Any], y: NDArray[Any], mul: str, mantissa_bits: int) -> Reals:
    """Multiply significands, as numbers from 1 to 4."""
    if mantissa_bits <= TABULATED_BITS:
        looked_up: Reals = _significand_table(mul, mantissa_bits)[x, y]
        return looked_up
    return _multiply_significands(x, y, mul, mantissa_bits)


@lru_cache(maxsize=8)
def _significand_table(mul: str, mantissa_bits: int) -> Reals:
    mantissa = np.arange(1 << mantissa_bits)
    return _multiply_significands(mantissa[:, None], mantissa[None, :], mul, mantissa_bits)


def _multiply_significands(x: NDArray[Any], y: NDArray[Any], mul: str, mantissa_bits: int) -> Reals:
    products = significand_product(x, y, mul, mantissa_bits).astype(np.float64)
    products *= 2.0 ** -fraction_bits(mul, mantissa_bits)
    return products
