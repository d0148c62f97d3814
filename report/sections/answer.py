"""The answer in a sentence and a table, made of the figures."""

from collections.abc import Sequence

from lmul.cost.cells.noise import AREA, ENERGY, Ratio
from lmul.cost.cells.table import ratio_text
from lmul.llm.suites import FULL_PRECISION_IS, GAINS
from lmul.report.contents import Contents
from lmul.report.plan import BASELINE, BEST_SUM, FP32_SUM
from lmul.report.sections.recommendation import TOLD, rise, told_formats, with_its_sums
from lmul.report.sections.tables import NBSP, Cell, Table, percent
from lmul.report.units import RECOMMENDED, RECOMMENDED_SUM, is_recommended, recorded_units


def answer(contents: Contents) -> list[str]:
    """Say in few sentences what L-Mul saves in a unit as accelerators have it, and of a whole token."""
    recorded = "" if "e4m3" in contents.formats else "These figures are recorded; the table is of this page."
    return [units_sentence(), *filter(None, [recorded, _token_sentence(contents)])]


def units_sentence() -> str:
    """Say what L-Mul saves in units whose sums are those of tensor cores."""
    units = [unit for unit in recorded_units() if unit.lmul["design"]["acc"].startswith("fused")]
    spans = []
    for name in RATIOS:
        saved = [1 - unit.ratio(name).value for unit in units if unit.lmul["design"]["format"] == "e4m3"]
        spans.append(f"{100 * min(saved):.0f} to {percent(max(saved))}")
    area, energy = spans
    unit = "In fp8 units that add as tensor cores do, all at one clock"
    return f"{unit}, L-Mul saves {area} of the area and {energy} of the energy; the paper says 80{NBSP}%."


def _token_sentence(contents: Contents) -> str:
    """Say what is saved of a whole token, memory too; nothing where it was not measured."""
    found = {(row["design"]["mul"], row["machine"]["batch"]): row["total"] for row in contents.model.energy}
    batches = sorted(batch for mul, batch in found if mul == "lmul" and (BASELINE, batch) in found)
    saved = {batch: 1 - found["lmul", batch] / found[BASELINE, batch] for batch in batches}
    if len(saved) < 2:
        return ""
    (one, alone), *_, (most, shared) = saved.items()
    users = "one user" if one == 1 else f"{one} users"
    return (
        f"Of the energy of a whole token of SmolLM2-135M, memory too, it saves {percent(alone, 1)} for "
        f"{users} and {percent(shared, 1)} where {most} share the weights."
    )


def answer_table(contents: Contents) -> Table:
    """Lay out what is saved in each format, and what it costs in accuracy."""
    rows, sums = zip(*(_answer_row(contents, name) for name in told_formats(contents)), strict=True)
    return Table(
        "answer",
        "What L-Mul saves, and what it costs",
        (
            "format",
            "product: energy saved, %",
            "dot product: energy saved, %",
            "perplexity, x full precision",
            "the same of exact",
        ),
        rows,
        f"Dot products: {'; '.join(sums)}. Beside the best conventional multiplier we can write. ±: with "
        "other seeds of synthesis, or cycles drawn, 19 of 20 are inside; of perplexities, 95 % intervals. "
        f"Perplexity: every product of SmolLM2-135M in this arithmetic. {FULL_PRECISION_IS}",
    )


def _answer_row(contents: Contents, format_: str) -> tuple[Sequence[Cell], str]:
    """Give the row of a format, and say what its dot product is."""
    units = [unit for unit in recorded_units() if unit.lmul["design"]["format"] == format_]
    fused = [unit for unit in units if unit.lmul["design"]["acc"].startswith("fused")]
    chosen = next((unit for unit in fused if is_recommended(unit.lmul)), fused[0] if fused else None)
    product = contents.product_ratio(format_)
    if chosen is None:
        dot, words = contents.dot_ratio(format_, FP32_SUM), "a multiplier and an fp32 adder"
    else:
        design = chosen.lmul["design"]
        dot, words = chosen.ratio(ENERGY), f"{design['lanes']} lanes, {design['acc']}"
    own: tuple[str, ...] = (RECOMMENDED_SUM, f"lanes={RECOMMENDED[1]}")
    if contents.model.interval("lmul", format_, "all", *own) is None:
        own = ()
    found = [contents.model.interval(mul, format_, "all", *own) for mul in ("lmul", BASELINE)]
    if found[0] is not None and not own:
        words += ", perplexity with exact sums"
    name = TOLD.get(format_, format_)
    return (name, _saved(product), _saved(dot), *map(_perplexity, found)), f"{name}: {words}"


def _saved(ratio: Ratio | None) -> str:
    """Write what a ratio saves, in %, with half of its interval."""
    if ratio is None:
        return "-"
    return f"{100 * (1 - ratio.value):.0f}{NBSP}±{NBSP}{100 * ratio.half_width:.0f}"


def _perplexity(found: tuple[float, float] | None) -> str:
    return "-" if found is None else f"{found[0]:.2f}{NBSP}±{NBSP}{found[1]:.2f}"


def units_table() -> Table:
    """Lay out the units of one clock, a row each."""
    found = list(recorded_units())
    rows: list[Sequence[Cell]] = []
    for unit in found:
        design = unit.lmul["design"]
        figures = [unit.lmul[name] for name in RATIOS]
        beside = [unit.beside_fixed(name) for name in RATIOS]
        fixed = [None if share is None else round(share, 2) for share in beside]
        ratios = [ratio_text(unit.ratio(name)).strip() for name in RATIOS]
        rows.append((design["format"], design["lanes"], design["acc"], *figures, *ratios, *fixed))
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
        "added at once, as tensor cores do; three dot products take turns. One seed a script; ±: with "
        "another 19 of 20 are inside; = is no difference shown. Nangate 45 nm, recorded with this version by "
        "bench/record.py, whatever library and operands this page was made with.",
    )


RATIOS = (AREA, ENERGY)


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


def accuracy_sentences(contents: Contents) -> list[str]:
    """Say what integer addition costs in accuracy, and what mends it; nothing where it was not measured."""
    ratio = contents.model.ratio
    ours, theirs = ratio("lmul", "e4m3", "all"), ratio("exact", "e4m3", "all")
    attention, wide = ratio("lmul", "e4m3", "attention"), ratio("lmul", "bf16", "all")
    if ours is None or theirs is None or attention is None or wide is None:
        return []
    own, of_exact = (with_its_sums(contents, "e4m3", mul) for mul in ("lmul", BASELINE))
    coarse = ""
    if own is not None and of_exact is not None:
        coarse = f"; with those of {BEST_SUM.title}, everything in e4m3, by {rise(own)} ({rise(of_exact)})"
    texts = [
        f"It costs accuracy: with every matrix product of SmolLM2-135M in e4m3 L-Mul the perplexity rises by "
        f"{rise(ours)} (exact e4m3: {rise(theirs)}), with attention alone by {rise(attention)}, and with "
        f"everything in bf16 by {rise(wide)}, sums being exact{coarse}."
    ]
    mended = ratio("lmul", "e4m3", "all", f"gain={GAINS['lmul']}")
    if mended is not None:
        texts.append(
            f"Scales that take out L-Mul's mean error cost nothing: with them it is {rise(mended)} in place "
            f"of {rise(ours)}."
        )
    return texts
