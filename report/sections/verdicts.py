"""What the paper claims beside what was measured, a verdict each."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from lmul.cost.published.claims import DOT, PRODUCT, PUBLISHED_SAVINGS, TOTALS, saving_claims
from lmul.cost.published.energies import TABLES
from lmul.report.contents import Contents
from lmul.report.plan import BASELINE, BEST_SUM, FP32_SUM
from lmul.report.sections.tables import Cell, Table, percent

POINTS = 0.005
"""A saving that rounds to the published one has reached it."""

SAME_AREA = 0.1
"""A share of area is as published if it is as near as this."""

LOSSLESS = 1.01
"""Perplexity over full precision that is almost lossless still."""

EQUAL = 1.01
"""Perplexity over that of the other arithmetic that is equal still."""

TRUNCATED = "truncate"
"""Operands cut short, as the paper has them: float32 with fewer mantissa bits."""

THREE_BITS: Mapping[str, tuple[str, ...]] = {"e8m3 truncated": ("e8m3", TRUNCATED), "e4m3": ("e4m3",)}
"""L-Mul with three mantissa bits: the paper's case, and on operands that are e4m3."""

FOUR_BITS: Mapping[str, tuple[str, ...]] = {"e8m4 truncated": ("e8m4", TRUNCATED)}

HEADINGS = ("the paper claims", "measured here", "verdict", "conditions")

NOT_MEASURED = "not measured"

Row = tuple[Cell, ...]


def claims_table(contents: Contents) -> Table:
    """Lay out all claims: energy, gates, accuracy, attention."""
    energies = *_energy(contents), *_published_energies()
    rows = [*energies, *_gates(contents), *_accuracy(contents), *_language_model(contents)]
    return Table("claims", "The paper's claims", HEADINGS, rows)


def _energy(contents: Contents) -> Iterator[Row]:
    products = {name: contents.saved_by_product(name) for name in contents.formats}
    yield _saving(
        "95 % less energy for element-wise products",
        products,
        PUBLISHED_SAVINGS[PRODUCT],
        "multiplier alone, result in the same format, glitches included",
    )
    dots = {name: contents.saved_by_dot(name, FP32_SUM) for name in contents.formats}
    yield _saving(
        "80 % less energy for dot products",
        dots,
        PUBLISHED_SAVINGS[DOT],
        "one product added to an fp32 sum; fp32 is multiplier and adder, measured apart",
    )
    wide = {name: contents.saved_by_dot(name, BEST_SUM) for name in contents.formats_of(BEST_SUM)}
    yield _saving(
        "80 % less energy for dot products",
        wide,
        PUBLISHED_SAVINGS[DOT],
        "eight products added to a fixed-point sum, as an accelerator would",
    )


def _published_energies() -> Iterator[Row]:
    """Say what the paper's arithmetic gives by published energies: where its figures are from."""
    sources = "; ".join(f"{table.node}: {table.source}" for table in TABLES)
    for claim in saving_claims():
        yield claim.what, claim.recomputed, claim.verdict, f"published energies, nothing measured; {sources}"


def _saving(what: str, found: Mapping[str, float | None], published: float, conditions: str) -> Row:
    """Say which formats save as much as published."""
    known = {name: share for name, share in found.items() if share is not None}
    reached = [name for name, share in known.items() if share >= published - POINTS]
    verdict = f"reached by {' and '.join(reached)} only" if reached else "not reached by any format"
    measured = ", ".join(f"{name} {percent(share)}" for name, share in known.items())
    return what, measured, verdict, conditions


def _gates(contents: Contents) -> Iterator[Row]:
    totals = {claim["what"]: claim for claim in contents.gates}
    holds = all(claim["published"] == claim["recomputed"] for claim in totals.values())
    text = ", ".join(f"{what} {claim['recomputed']}" for what, claim in totals.items())
    yield (
        f"gate counts: {', '.join(str(claim['published']) for claim in totals.values())}",
        f"by its own rule: {text}",
        "all five follow from its rule" if holds else "not reproduced",
        "a rule for adders and arrays; no zeros, overflow or NaN in it",
    )
    published = _published_shares()
    measured = {name: _area_share(contents, name) for name in contents.formats}
    known = {name: share for name, share in measured.items() if share is not None}
    yield (
        f"L-Mul takes {_listed(published)} of the gates",
        f"of the area: {_listed(known)}",
        _compared(published, known),
        "cells of the library, special cases handled on both sides",
    )


def _published_shares() -> dict[str, float]:
    """Give the gates of L-Mul as a share of a multiplier's, by format, as the paper counts them."""
    ours = {format_.width: gates for _, mul, format_, gates in TOTALS if mul == "lmul"}
    return {format_.name: ours[format_.width] / gates for _, mul, format_, gates in TOTALS if mul == BASELINE}


def _compared(published: Mapping[str, float], measured: Mapping[str, float]) -> str:
    """Say for which formats a share is as published, larger or smaller."""
    more = {name: measured[name] - share for name, share in published.items() if name in measured}
    found = {
        "as much for": [name for name, by in more.items() if abs(by) <= SAME_AREA],
        "more for": [name for name, by in more.items() if by > SAME_AREA],
        "less for": [name for name, by in more.items() if by < -SAME_AREA],
    }
    return "; ".join(f"{what} {', '.join(names)}" for what, names in found.items() if names) or NOT_MEASURED


def _listed(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.2f}" for name, share in shares.items())


def _area_share(contents: Contents, format_: str) -> float | None:
    ours, theirs = contents.product(format_, "lmul"), contents.product(format_, BASELINE)
    return ours["area_um2"] / theirs["area_um2"] if ours and theirs else None


def _accuracy(contents: Contents) -> Iterator[Row]:
    for claim in contents.claims:
        yield (
            claim["what"],
            claim["recomputed"],
            claim["verdict"],
            "single products, worked out on random operands",
        )


def _language_model(contents: Contents) -> Iterator[Row]:
    conditions = "SmolLM2-135M, weights from a 4-bit file, perplexity over that of full precision"
    attention = _perplexities(contents, "attention", {**THREE_BITS, **FOUR_BITS})
    yield (
        "attention by L-Mul is almost lossless",
        _ratios(attention, contents.model.ratio("exact", "e4m3", "attention")),
        _judged(attention, lambda found: found <= LOSSLESS),
        f"{conditions}; at most {LOSSLESS:g} counts",
    )
    everywhere = _perplexities(contents, "all", THREE_BITS)
    other = contents.model.ratio("exact", "e4m3", "all")
    yield (
        "3-bit mantissa L-Mul everywhere equals e4m3",
        _ratios(everywhere, other),
        _judged(everywhere, lambda found: other is not None and found <= EQUAL * other),
        f"{conditions}; at most {EQUAL:g} times exact e4m3 counts",
    )


def _perplexities(
    contents: Contents, scope: str, operands: Mapping[str, Sequence[str]]
) -> dict[str, float | None]:
    """Give the perplexities of L-Mul by its operands."""
    ratio = contents.model.ratio
    return {title: ratio("lmul", format_, scope, *more) for title, (format_, *more) in operands.items()}


def _ratios(found: Mapping[str, float | None], exact: float | None) -> str:
    texts = [f"{title} {ratio:.3f}" for title, ratio in found.items() if ratio is not None]
    return ", ".join([*texts, *([f"exact e4m3 {exact:.3f}"] if exact is not None else [])])


def _judged(found: Mapping[str, float | None], holds: Callable[[float], bool]) -> str:
    known = {title: ratio for title, ratio in found.items() if ratio is not None}
    good = [title for title, ratio in known.items() if holds(ratio)]
    if not known:
        return NOT_MEASURED
    if len(good) == len(known):
        return "holds"
    return f"holds for {' and '.join(good)} only" if good else "does not hold"
