"""The answer in a few sentences, made of the figures."""

from collections.abc import Iterable, Sequence

from lmul.llm.suites import FULL_PRECISION_IS, GAINS
from lmul.report.contents import Contents
from lmul.report.plan import BASELINE, BEST_SUM, FP32_SUM
from lmul.report.sections.tables import Cell, Table, percent
from lmul.report.units import recorded_units

TOLD = {"e4m3": "fp8 (e4m3)", "bf16": "bf16", "fp32": "fp32"}
"""Formats of the first sentences, where the report has them."""

ACCEPTED = 1.10
"""Perplexity over that of full precision that a design is picked for, at most."""


def sentences(contents: Contents) -> list[str]:
    """Say what L-Mul saves of a product, what of a dot product, and what it costs in accuracy."""
    formats = _told(contents)
    names = _joined([TOLD.get(name, name) for name in formats])
    texts = [
        f"Of the energy of one product, L-Mul saves {_shares(map(contents.saved_by_product, formats))} in "
        f"{names}, beside the best conventional multiplier we can write; the paper says 95 %.",
        f"Of a dot product it saves {_dots(contents)}; the paper says 80 %. The adders stay.",
    ]
    return [*texts, *_accuracy(contents)]


def picks(contents: Contents) -> list[str]:
    """Say which design to take, for each format whose accuracy was measured."""
    return [text for name in _told(contents) if (text := _pick(contents, name))]


def units_sentence() -> str:
    """Say what L-Mul saves in units whose sums are those of tensor cores."""
    units = [unit for unit in recorded_units() if unit.lmul["design"]["acc"].startswith("fused")]
    spans = []
    for name in RATIOS:
        saved = [1 - unit.saved(name) for unit in units if unit.lmul["design"]["format"] == "e4m3"]
        spans.append(f"{100 * min(saved):.0f} to {percent(max(saved))}")
    area, energy = spans
    unit = "In fp8 units that add as tensor cores do"
    return f"{unit}, L-Mul saves {area} of the area and {energy} of the energy."


def units_table() -> Table:
    """Lay out the units of one clock, a row each."""
    found = list(recorded_units())
    rows: list[Sequence[Cell]] = []
    for unit in found:
        design, fixed = unit.lmul["design"], unit.beside_fixed
        figures = [unit.lmul["area_um2"], unit.lmul["energy_per_product_fj"]]
        ratios = [*map(unit.saved, RATIOS), *map(fixed, RATIOS)]
        shown = [None if share is None else round(share, 2) for share in ratios]
        rows.append((design["format"], design["lanes"], design["acc"], *figures, *shown))
    period = found[0].lmul["clock_period_ps"] / 1e3
    return Table(
        "units",
        f"Units as accelerators have them, all at {period} ns",
        (
            *("format", "lanes", "sum", "area of lmul, um2", "energy of a product, fJ"),
            *("area, lmul / exact", "energy, lmul / exact", "area / fixed:24:1", "energy / fixed:24:1"),
        ),
        rows,
        "fused:F: products and running sum aligned to their largest exponent, cut F bits behind it, and "
        "added at once, as tensor cores do; three dot products take turns. Nangate 45 nm, recorded with this "
        "version by bench/record.py, whatever library and operands this page was made with.",
    )


RATIOS = ("area_um2", "energy_per_product_fj")


def first_table(contents: Contents) -> Table:
    """Lay out what the sentences say, and more multipliers."""
    rows: list[Sequence[Cell]] = []
    for name in contents.formats:
        for mul in contents.multipliers_of(name):
            if mul == BASELINE:
                continue
            savings = (
                contents.saved_by_product(name, mul),
                contents.saved_by_dot(name, FP32_SUM, mul),
                contents.saved_by_dot(name, BEST_SUM, mul),
            )
            shares = [None if share is None else 100 * share for share in savings]
            ratios = [contents.model.ratio(other, name, "all") for other in (mul, BASELINE)]
            rows.append((name, mul, *shares, *ratios))
    return Table(
        "savings",
        "Energy saved beside the exact multiplier, and perplexity over that of full precision",
        (
            "format",
            "multiplier",
            "saved of a product, %",
            f"of a dot product, {FP32_SUM.title}, %",
            f"of one with {BEST_SUM.title}, %",
            "perplexity, x full",
            "the same of exact",
        ),
        rows,
        "Perplexity: SmolLM2-135M with every matrix product in this arithmetic, exact sums. fp32 is full "
        "precision, and its dot product a multiplier with an adder behind it, measured apart. "
        f"{FULL_PRECISION_IS}",
    )


def _told(contents: Contents) -> list[str]:
    """Give the formats that are spoken of, or the first if the report has others."""
    return [name for name in TOLD if name in contents.formats] or list(contents.formats[:1])


def _dots(contents: Contents) -> str:
    """Say what is saved of each kind of dot product, by format."""
    texts = []
    for sum_ in (FP32_SUM, BEST_SUM):
        found = {name: contents.saved_by_dot(name, sum_) for name in _told(contents)}
        known = [f"{percent(share)} in {name}" for name, share in found.items() if share is not None]
        texts.append(f"{_joined(known)} with {sum_.title}")
    return "; ".join(texts)


def _accuracy(contents: Contents) -> list[str]:
    ratio = contents.model.ratio
    ours, theirs = ratio("lmul", "e4m3", "all"), ratio("exact", "e4m3", "all")
    attention, wide = ratio("lmul", "e4m3", "attention"), ratio("lmul", "bf16", "all")
    if ours is None or theirs is None or attention is None or wide is None:
        return []
    own, of_exact = (_with_its_sums(contents, "e4m3", mul) for mul in ("lmul", BASELINE))
    coarse = ""
    if own is not None and of_exact is not None:
        coarse = f"; with those of {BEST_SUM.title}, everything in e4m3, by {_rise(own)} ({_rise(of_exact)})"
    texts = [
        f"It costs accuracy: with every matrix product of SmolLM2-135M in e4m3 L-Mul the perplexity rises by "
        f"{_rise(ours)} (exact e4m3: {_rise(theirs)}), with attention alone by {_rise(attention)}, and with "
        f"everything in bf16 by {_rise(wide)}, sums being exact{coarse}."
    ]
    mended = ratio("lmul", "e4m3", "all", f"gain={GAINS['lmul']}")
    if mended is not None:
        texts.append(
            f"Scales that take out L-Mul's mean error, which cost nothing, make {_rise(mended)} of the "
            f"{_rise(ours)}."
        )
    return texts


def _with_its_sums(contents: Contents, format_: str, mul: str) -> float | None:
    """Give the perplexity, over full precision's, with the sums of the dot product that is measured."""
    figures = contents.dot(format_, mul, BEST_SUM)
    if figures is None:
        return None
    acc, lanes = (figures["design"][name] for name in ("acc", "lanes"))
    return contents.model.ratio(mul, format_, "all", f"acc={acc}", f"lanes={lanes}")


def _pick(contents: Contents, format_: str) -> str:
    """Name the multiplier of least energy whose perplexity is accepted."""
    candidates = []
    for mul in contents.multipliers_of(format_):
        figures, ratio = contents.dot(format_, mul, BEST_SUM), contents.model.ratio(mul, format_, "all")
        if figures and ratio is not None and ratio <= ACCEPTED:
            candidates.append((figures["energy_per_product_fj"], mul, ratio))
    if not candidates:
        return ""
    _, mul, ratio = min(candidates)
    saved, of_lmul = (contents.saved_by_dot(format_, BEST_SUM, name) for name in (mul, "lmul"))
    beside = "" if mul == "lmul" else f" (lmul: {percent(of_lmul)})"
    own = _with_its_sums(contents, format_, mul)
    coarse = "" if own is None else f", {_rise(own)} with its own"
    return (
        f"In {format_} take {mul}, the least energy with a perplexity at most {percent(ACCEPTED - 1)} above "
        f"full precision (of 4-bit weights): {percent(saved)} saved of a dot product of {BEST_SUM.title}"
        f"{beside}, perplexity {_rise(ratio)} up with exact sums{coarse}."
    )


def _rise(ratio: float) -> str:
    return f"{100 * (ratio - 1):.2g} %"


def _shares(shares: Iterable[float | None]) -> str:
    return _joined([percent(share) for share in shares])


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
