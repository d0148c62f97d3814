"""Published and expected accuracy figures, recomputed.

Comparable means: an RMS relative error at most 5 % above the other, on uniform mantissas and on Gaussian
operands. Better means: a smaller RMS error on both. A figure is reproduced if it differs by at most one unit
of the last printed digit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lmul.accuracy.paper.constants import WIDTHS, BestConstants, best_constants
from lmul.accuracy.paper.regions import Parting, parting
from lmul.accuracy.products import (
    DISTRIBUTIONS,
    CodeErrors,
    Distribution,
    Mantissas,
    code_errors,
    judge,
    mantissa_pairs,
    operand_errors,
)
from lmul.golden import FORMATS, addc_carry
from lmul.golden.formats.codec import Rounding
from lmul.multipliers.integer_add import integer_add
from lmul.terminal.progress import Report

PAPER = "paper"
DERIVED = "derived"
SOURCES = {
    PAPER: "Luo and Sun, Addition is All You Need for Energy-efficient Language Models, arXiv 2410.00907",
    DERIVED: "worked out beforehand from the definitions, apart from this program",
}

REPRODUCED = "reproduced"
TRUNCATED = "reproduced only with truncated operands"
NOT_REPRODUCED = "not reproduced"
NOT_RECOMPUTED = "not recomputed here: needs the models"

COMPARABLE = 1.05
"""Largest ratio of RMS errors that are still comparable."""

ROUNDINGS: tuple[Rounding, ...] = ("truncate", "nearest")
ROUNDED: dict[Rounding, str] = {"truncate": "truncated", "nearest": "nearest"}

RMS_FIGURES: tuple[tuple[str, int, str, Rounding, float, float], ...] = (
    ("exact, e4m3 nearest", 3, "exact", "nearest", 3.61, 3.74),
    ("lmul, m = 4 truncated", 4, "lmul", "truncate", 3.58, 3.68),
    ("lmul, m = 4 nearest", 4, "lmul", "nearest", 6.12, 6.18),
    ("exact, e5m2 nearest", 2, "exact", "nearest", 7.19, 7.45),
    ("lmul, m = 3 truncated", 3, "lmul", "truncate", 5.95, 5.92),
    ("lmul, m = 3 nearest", 3, "lmul", "nearest", 6.94, 6.92),
)
"""What, mantissa width, multiplier, rounding of operands, expected RMS in % for each distribution."""

FP8_FIGURES: tuple[tuple[str, int, str, float, float | None], ...] = (
    ("e4m3, lmul", 3, "lmul", 4.9, 5.2),
    ("e4m3, no constant", 3, "mitchell", -3.8, 3.8),
    ("e5m2, lmul", 2, "lmul", 14.7, None),
    ("e5m2, no constant", 2, "mitchell", -3.6, None),
)
"""What, mantissa width, multiplier, expected mean and mean absolute error in %."""

CELL_FIGURES: tuple[tuple[str, int, float, float], ...] = (
    ("mitchell", 41, 3.78, -3.78),
    ("lmul", 28, 5.24, 4.93),
    ("(x2|x1) & (y2|y1)", 46, 2.96, 1.16),
    ("no mantissa is 0 or 7", 56, 2.35, 0.97),
    ("addc", 64, 1.90, -0.54),
    ("exact", 64, 1.90, -0.54),
)
"""Multiplier or carry, expected nearest cells, mean absolute and mean error in % of one e4m3 product."""

CARRIES: dict[str, Callable[[Mantissas], Mantissas]] = {
    "(x2|x1) & (y2|y1)": lambda m: (m >= 2).astype(np.int64),
    "no mantissa is 0 or 7": lambda m: ((m != 0) & (m != 7)).astype(np.int64),
}
"""Carries that are a function of each mantissa, and-ed."""


@dataclass(frozen=True)
class Claim:
    """Something published or expected, and what came out here.

    Parameters
    ----------
    what : str
        The claim, or what the figure is of.
    source : str
        A key of `SOURCES`.
    unit : str
        Of both figures; empty where they are words.
    published, recomputed : str
        Figures, or words; nothing where it is not recomputed.
    verdict : str
        `REPRODUCED`, `TRUNCATED`, `NOT_REPRODUCED` or `NOT_RECOMPUTED`.
    """

    what: str
    source: str
    unit: str
    published: str
    recomputed: str
    verdict: str


@dataclass(frozen=True)
class Claims:
    """All claims, by heading, and the tables that go with them.

    Parameters
    ----------
    statements : tuple of Claim
        The paper's claims in words.
    figures : dict of str to tuple of Claim
        Figures, by heading.
    partings : dict of str to Parting
        Where formula and integer addition differ, by format.
    constants : tuple of BestConstants
    """

    statements: tuple[Claim, ...]
    figures: dict[str, tuple[Claim, ...]]
    partings: dict[str, Parting]
    constants: tuple[BestConstants, ...]


RmsErrors = dict[tuple[int, str, Rounding, Distribution], float]


def recompute_claims(progress: Report) -> Claims:
    """Recompute everything, on random operands that are always the same.

    Parameters
    ----------
    progress : callable
        Told the numbers of finished and of all pieces of work.
    """
    pieces = len(RMS_FIGURES) + len(WIDTHS)
    rms: RmsErrors = {}
    for done, (_, bits, mul, rounding, *_) in enumerate(RMS_FIGURES):
        for distribution in DISTRIBUTIONS:
            rms[bits, mul, rounding, distribution] = operand_errors(mul, bits, rounding, distribution).rms
        progress(done + 1, pieces)
    constants = []
    for done, bits in enumerate(WIDTHS):
        constants += [best_constants(bits, rounding) for rounding in ROUNDINGS]
        progress(len(RMS_FIGURES) + done + 1, pieces)
    partings = {name: parting(format_.mantissa_bits) for name, format_ in FORMATS.items()}
    figures = {
        "RMS relative error against the operands before rounding": tuple(_rms_figures(rms)),
        "Operands that are already fp8, uniform mantissas": tuple(_fp8_figures()),
        "One e4m3 product, uniform mantissas: a multiplier, or integer addition with a carry": tuple(
            _cell_figures()
        ),
        "Cells that plain integer addition does not round to nearest even": tuple(_carry_figures()),
        "Bit operations of the paper's Figure 2": tuple(_figure2_figures()),
        "Is l(m) the best l, uniform mantissas?": tuple(_offset_figures(constants)),
    }
    return Claims(tuple(_statements(rms, constants, partings)), figures, partings, tuple(constants))


def figure2_multiply(x: float, y: float) -> float:
    """Multiply with the bit operations of the paper's Figure 2, on fp32, just as they are printed.

    ((x & 0x7fffffff) + (y & 0x7fffffff) - 0x3f780000) & 0x7fffffff, and the exclusive or of the signs.

    Parameters
    ----------
    x, y : float
        Rounded to float32.
    """
    a, b = (int(np.float32(value).view(np.uint32)) for value in (x, y))
    field = ((a & 0x7FFFFFFF) + (b & 0x7FFFFFFF) - 0x3F780000) & 0x7FFFFFFF
    return float(np.uint32(field | ((a ^ b) & 0x80000000)).view(np.float32))


def _figure(what: str, unit: str, published: float, decimals: int, recomputed: float) -> Claim:
    """Compare a figure with the expected one, to the last printed digit."""
    step = 10.0**-decimals
    apart = abs(round(recomputed, decimals) - published)
    verdict = REPRODUCED if apart < 1.5 * step else NOT_REPRODUCED
    sign = "+" if unit == "% mean" else ""
    expected, ours = (f"{value:{sign}.{decimals}f}" for value in (published, recomputed))
    return Claim(what, DERIVED, unit, expected, ours, verdict)


def _rms_figures(rms: RmsErrors) -> Iterator[Claim]:
    for what, bits, mul, rounding, *expected in RMS_FIGURES:
        for distribution, published in zip(DISTRIBUTIONS, expected, strict=True):
            value = 100 * rms[bits, mul, rounding, distribution]
            yield _figure(f"{what}, {distribution}", "% RMS", published, 2, value)


def _fp8_figures() -> Iterator[Claim]:
    for what, bits, mul, mean, absolute in FP8_FIGURES:
        errors = code_errors(mul, bits).errors
        yield _figure(what, "% mean", mean, 1, 100 * errors.mean)
        if absolute is not None:
            yield _figure(what, "% mean abs.", absolute, 1, 100 * errors.mean_absolute)


def _cell_figures() -> Iterator[Claim]:
    for what, nearest, absolute, mean in CELL_FIGURES:
        judged = _carry_errors(CARRIES[what]) if what in CARRIES else code_errors(what, 3)
        yield _figure(what, "of 64 nearest", nearest, 0, judged.nearest)
        yield _figure(what, "% mean abs.", absolute, 2, 100 * judged.errors.mean_absolute)
        yield _figure(what, "% mean", mean, 2, 100 * judged.errors.mean)


def _carry_errors(carry: Callable[[Mantissas], Mantissas]) -> CodeErrors:
    """Judge integer addition with a carry that both mantissas must allow, 3 mantissa bits."""
    x, y = mantissa_pairs(3)
    products = integer_add(x + y + (carry(x) & carry(y)), 3) / 8.0
    return judge(products, x, y, 3)


def _carry_figures() -> Iterator[Claim]:
    for name, bits, cells in (("e5m2", 2, 2), ("e4m3", 3, 25)):
        carry = addc_carry(bits)
        yield _figure(f"{name}, a carry of one", f"of {carry.size}", cells, 0, int(np.sum(carry == 1)))
        yield _figure(f"{name}, a larger carry", f"of {carry.size}", 0, 0, int(np.sum(carry > 1)))


def _figure2_figures() -> Iterator[Claim]:
    for what, factor, published in (("0 * 0", 0.0, "4.25"), ("1e30 * 1e30", 1e30, "8.5e-18")):
        recomputed = f"{figure2_multiply(factor, factor):.3g}"
        shown = f"{float(recomputed):.2g}" if "e" in published else recomputed
        yield Claim(what, DERIVED, "", published, shown, REPRODUCED if shown == published else NOT_REPRODUCED)


def _offset_figures(constants: list[BestConstants]) -> Iterator[Claim]:
    expected: dict[Rounding, str] = {"truncate": "yes", "nearest": "no"}
    for rounding, published in expected.items():
        widths = [best for best in constants if best.rounding == rounding and 2 <= best.mantissa_bits <= 6]
        yes = [best.mantissa_bits for best in widths if best.offset == best.paper_offset]
        holds = len(yes) == len(widths) if published == "yes" else not yes
        recomputed = "yes" if len(yes) == len(widths) else f"only for m = {_ranges(yes)}" if yes else "no"
        what = f"m = 2 ... 6, {ROUNDED[rounding]} operands"
        yield Claim(what, DERIVED, "", published, recomputed, REPRODUCED if holds else NOT_REPRODUCED)


def _statements(
    rms: RmsErrors, constants: list[BestConstants], partings: dict[str, Parting]
) -> Iterator[Claim]:
    comparable = "L-Mul with 4 mantissa bits is comparable to e4m3 (abstract)"
    yield _contest(comparable, rms, 4, 3, COMPARABLE)
    yield _contest("L-Mul with 3 mantissa bits is better than e5m2 (abstract)", rms, 3, 2, 1.0)
    yield _best_offset(constants)
    fp32 = partings["fp32"]
    differ = f"differ for {100 * (1 - fp32.shares[0]):.0f} % of fp32 mantissas, by up to"
    differ += f" {100 * fp32.largest:.0f} %, {100 * fp32.mean:.1f} % on average"
    yield _statement("The integer addition of Figure 2 computes the formula", differ, fp32.shares[0] == 1.0)
    zero, huge = figure2_multiply(0.0, 0.0), figure2_multiply(1e30, 1e30)
    results = f"0 * 0 = {zero:.3g}, 1e30 * 1e30 = {huge:.2g}"
    yield _statement("Figure 2's bit operations handle all of fp32", results, zero == 0.0 and huge > 1e30)
    drop = "Attention by L-Mul, no retraining: 0.07 % average drop in language tasks"
    yield Claim(drop, PAPER, "", "0.07 %", "", NOT_RECOMPUTED)


def _statement(what: str, recomputed: str, holds: bool) -> Claim:
    return Claim(what, PAPER, "", "yes", recomputed, REPRODUCED if holds else NOT_REPRODUCED)


def _contest(what: str, rms: RmsErrors, lmul_bits: int, exact_bits: int, ratio: float) -> Claim:
    """Compare L-Mul, its operands rounded both ways, with an exact product of rounded operands."""
    holds, texts = {}, []
    theirs = {d: rms[exact_bits, "exact", "nearest", d] for d in DISTRIBUTIONS}
    for rounding in ROUNDINGS:
        ours = {d: rms[lmul_bits, "lmul", rounding, d] for d in DISTRIBUTIONS}
        holds[rounding] = all(ours[d] < ratio * theirs[d] for d in DISTRIBUTIONS)
        texts.append(f"{100 * ours['uniform']:.2f} % {ROUNDED[rounding]}")
    recomputed = f"RMS {', '.join(texts)}; against {100 * theirs['uniform']:.2f} %"
    return Claim(what, PAPER, "", "yes", recomputed, _by_rounding(holds))


def _best_offset(constants: list[BestConstants]) -> Claim:
    """Say for which mantissa widths the paper's l(m) is the best."""
    holds, texts = {}, []
    for rounding in ROUNDINGS:
        best = [c.mantissa_bits for c in constants if c.rounding == rounding and c.offset == c.paper_offset]
        holds[rounding] = len(best) == len(WIDTHS)
        texts.append(f"{ROUNDED[rounding]}: best for m = {_ranges(best)}")
    return Claim("l(m) is the best choice of l", PAPER, "", "yes", "; ".join(texts), _by_rounding(holds))


def _by_rounding(holds: dict[Rounding, bool]) -> str:
    if not holds["truncate"]:
        return NOT_REPRODUCED
    return REPRODUCED if holds["nearest"] else TRUNCATED


def _ranges(numbers: list[int]) -> str:
    """Write ascending numbers, runs of three or more as first-last."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(texts) or "none"
