"""Which design to take, by the rule for complete designs, in words."""

from collections.abc import Sequence

from lmul.cost.cells.noise import ENERGY, Noise
from lmul.cost.cells.table import ratio_text
from lmul.llm.suites import GAINS, MULTIPLIERS
from lmul.report.contents import Contents, format_names
from lmul.report.plan import BASELINE, BEST_SUM
from lmul.report.rule import Candidate, recommend
from lmul.report.sections.tables import percent
from lmul.report.units import RECOMMENDED, RECOMMENDED_SUM, recommended_units, recorded_noise

ACCEPTED = 1.10
"""Perplexity over that of full precision that a design is recommended for, at most."""

TOLD = {"e4m3": "fp8 (e4m3)", "bf16": "bf16", "fp32": "fp32"}
"""Formats that are spoken of, where the report has them, by their names in words."""


def told_formats(contents: Contents) -> list[str]:
    """Give the formats that are spoken of, or the first if the report has others."""
    return [name for name in TOLD if name in contents.formats] or list(contents.formats[:1])


def recommendations(contents: Contents) -> list[str]:
    """Say which design to take: of the unit that is recorded, and of this page's dot products."""
    muls, ratio = contents.multipliers_of("e4m3"), contents.model.ratio
    sum_, lanes = RECOMMENDED_SUM, f"lanes={RECOMMENDED[1]}"
    units = [
        Candidate(mul, scale, ratio(mul, "e4m3", "all", sum_, lanes, *filter(None, [scale])), one[ENERGY])
        for one in recommended_units()
        for mul in [one["design"]["mul"]]
        for scale in _scales(mul)
    ]
    unit = f"{RECOMMENDED[1]} lanes, {RECOMMENDED[0]}"
    texts = [_told_rule(f"In e4m3 with sums of an H100 ({unit})", units, recorded_noise("unit"))]
    for format_ in told_formats(contents):
        figures = {mul: contents.dot(format_, mul, BEST_SUM) for mul in contents.multipliers_of(format_)}
        measured = [found for found in figures.values() if found]
        dots = [
            Candidate(mul, "", with_its_sums(contents, format_, mul), found[ENERGY])
            for mul, found in figures.items()
            if found
        ]
        if dots:
            noise = contents.noise(measured[0])
            texts.append(_told_rule(f"In {format_} with {BEST_SUM.title}", dots, noise))
    plug_ins = [mul for mul in muls if mul not in MULTIPLIERS]
    if plug_ins:
        texts.append(f"Of {joined(plug_ins)} no accuracy is known: nothing is recommended of it.")
    return texts


def integer_sentences(contents: Contents) -> list[str]:
    """Say what integers take beside the first format that is spoken of; nothing where the report has none."""
    format_ = told_formats(contents)[0]
    others = {f"{mul} {format_}": contents.dot(format_, mul, BEST_SUM) for mul in (BASELINE, "lmul")}
    texts = []
    for figures in contents.dots(BEST_SUM):
        name = format_names(figures["design"])
        if not name.startswith("int"):
            continue
        ratios = {other: contents.ratio(figures, theirs) for other, theirs in others.items()}
        told = [f"{ratio_text(ratio).strip()} of that of {other}" for other, ratio in ratios.items() if ratio]
        texts.append(
            f"A product of {name} with {BEST_SUM.title} takes {figures[ENERGY]:,.0f} fJ, {joined(told)}; its "
            "perplexity is among those of the arithmetics to build."
        )
    return texts


def _scales(mul: str) -> list[str]:
    """Give the scales that a language model was read with, that of the format alone as nothing."""
    return ["", *([f"gain={GAINS[mul]}"] if mul in GAINS else [])]


def _told_rule(where: str, candidates: Sequence[Candidate], noise: Noise) -> str:
    """Say what the rule makes of candidates."""
    found = recommend(candidates, ACCEPTED, noise)
    limit = f"a perplexity at most {percent(ACCEPTED - 1)} above full precision (of 4-bit weights)"
    if found.nearest is None:
        return f"{where} nothing is recommended: no accuracy was measured with such sums."
    if found.best is None:
        nearest = found.nearest
        return (
            f"{where} nothing is recommended: none has {limit}; the nearest is {nearest.name}, "
            f"{rise(nearest.perplexity)} above."
        )
    of_exact = [one.energy for one in candidates if one.mul == BASELINE]
    saved = f", {percent(1 - found.best.energy / of_exact[0])} less than exact" if of_exact else ""
    text = (
        f"{where} take {found.best.name}: the least energy with {limit}{saved}, perplexity "
        f"{rise(found.best.perplexity)} above."
    )
    if found.ties:
        names = joined([f"{one.name} ({rise(one.perplexity)})" for one in found.ties])
        text += f" No difference in energy is shown to {names}."
    return text


def with_its_sums(contents: Contents, format_: str, mul: str) -> float | None:
    """Give the perplexity, over full precision's, with the sums of the dot product that is measured."""
    figures = contents.dot(format_, mul, BEST_SUM)
    if figures is None:
        return None
    acc, lanes = (figures["design"][name] for name in ("acc", "lanes"))
    return contents.model.ratio(mul, format_, "all", f"acc={acc}", f"lanes={lanes}")


def rise(ratio: float | None) -> str:
    """Write how far a perplexity is above that of full precision."""
    return "-" if ratio is None else percent(ratio - 1)


def joined(words: Sequence[str]) -> str:
    """Write words as a list in a sentence."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
