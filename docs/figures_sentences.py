"""Sentences of the documents with figures that a command makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from figures_records import (
    AREA,
    ENERGY,
    MODEL,
    RAW,
    TIMES,
    Figures,
    added_error,
    busy,
    cost,
    perplexity,
    recorded,
)
from narrow_sums import width_of

NARROW_MULS = ("exact", "lmul", "addm")
"""Multipliers of `bench/narrow.py`, in the order of its tables."""


@dataclass(frozen=True)
class Sentence:
    """A sentence with numbers.

    Parameters
    ----------
    document : str
        Its path in the repository.
    words : str
        The sentence, ``{}`` for every number; a space is any white space.
    numbers : callable
        Gives them as they are to be written.
    """

    document: str
    words: str
    numbers: Callable[[], Sequence[str]]


def rms(what: str) -> str:
    """Give a published error as it was recomputed, in %."""
    rows = recorded("claims")["figures"]["RMS relative error against the operands before rounding"]
    (found,) = (row["recomputed"] for row in rows if row["what"] == what)
    return str(found)


def loss(arithmetic: str) -> tuple[str, str]:
    """Give how much perplexity an arithmetic loses, in %, with its interval."""
    found = _perplexity(arithmetic)
    return f"{100 * (found['value'] - 1):.1f}", f"{100 * found['half_width']:.1f}"


def losses(*arithmetic: str, digits: int = 1) -> tuple[str, ...]:
    """Give how much perplexity several lose, in %."""
    return tuple(f"{100 * (_perplexity(one)['value'] - 1):.{digits}f}" for one in arithmetic)


def _perplexity(arithmetic: str) -> Figures:
    rows = [*recorded("accuracy", MODEL), *recorded("bias", MODEL)]
    found: Figures = next(row["ratio"] for row in rows if row["arithmetic"] == arithmetic)
    return found


def divergences(acc: str) -> tuple[str, ...]:
    """Give how much more predictions diverge with narrow sums than exact ones, by multiplier, in nats."""
    return tuple(f"{found['value']:.2f}" for found in _narrow("losses", acc, "divergence"))


def product_errors(acc: str, figure: str, digits: int) -> tuple[str, ...]:
    """Give a figure of the errors of products with narrow sums, by multiplier, in %."""
    return tuple(f"{abs(found):.{digits}f}" for found in _narrow("errors", acc, figure))


def _divergences_of_bf16_sums() -> tuple[str, ...]:
    """Give those of `lmul` and `exact` with F = 10 and running sums of 7 bits, with their intervals."""
    exact, lmul, _ = _narrow("losses", "fused:10:7:rne", "divergence")
    return tuple(f"{found[name]:.3f}" for found in (lmul, exact) for name in ("value", "half_width"))


def _narrow(part: str, acc: str, figure: str) -> list[Any]:
    """Give a figure of each multiplier with sums of some width, as it is recorded."""
    rows = {row["mul"]: row for row in recorded("narrow", MODEL)[part] if width_of(row).acc == acc}
    return [rows[mul][figure] for mul in NARROW_MULS]


def _counts(name: str) -> tuple[str, ...]:
    found = recorded(name)
    return f"{found['compared']:,}", f"{found['products']:,}"


def _calibrated_savings() -> tuple[str, ...]:
    """Give the energies of an integer add and of a multiplication in pJ, and what the paper makes of ours."""
    found = recorded("calibration")
    energies = (found["operations"][name]["figures"]["energy_fj"] / 1e3 for name in ("int32 add", "fp32 mul"))
    shares = (found["paper_savings"][what] for what in ("product", "dot product"))
    return *(f"{energy:.2f}" for energy in energies), *(f"{100 * share:.0f}" for share in shares)


README, ACCURACY, COST, HARDWARE = "README.md", "docs/accuracy.md", "docs/cost.md", "docs/hardware.md"

NUMERICS, VERIFICATION = "docs/numerics.md", "docs/verification.md"

SENTENCES = (
    Sentence(README, "{} outputs of {} products, bit-exact", lambda: _counts("simulation")),
    Sentence(
        README,
        "{} cycles, {} % utilisation from first",
        lambda: (f"{recorded('simulation')['cycles']:,}", f"{busy('simulation'):.1f}"),
    ),
    Sentence(
        README,
        "it takes {} % more area than L-Mul",
        lambda: (f"{100 * cost('mul', mul='addm')[AREA] / cost('mul')[AREA] - 100:.0f}",),
    ),
    Sentence(
        README,
        "{} with `exact` and {} with `lmul` where sums are those of an H100's tensor cores",
        lambda: tuple(
            f"{row['ratio']['value']:.3f}"
            for mul in ("exact", "lmul")
            for row in recorded("sums", MODEL)
            if row["arithmetic"] == f"{mul},e4m3,all,acc=h100,lanes=32"
        ),
    ),
    Sentence(
        README,
        "({} against {}).",
        lambda: tuple(perplexity(mul, "bf16", "all").split()[0] for mul in ("addm", "lmul")),
    ),
    Sentence(
        README,
        "(RMS error {} and {} % against {} %)",
        lambda: (
            rms("lmul, m = 4 truncated, uniform"),
            rms("lmul, m = 4 nearest, uniform"),
            rms("exact, e4m3 nearest, uniform"),
        ),
    ),
    Sentence(
        README,
        "better than e5m2 ({} and {} % against {} %)",
        lambda: (
            rms("lmul, m = 3 truncated, uniform"),
            rms("lmul, m = 3 nearest, uniform"),
            rms("exact, e5m2 nearest, uniform"),
        ),
    ),
    Sentence(
        README,
        "differ in {} % of all pairs of e4m3 mantissas",
        lambda: (f"{100 * (1 - recorded('claims')['partings']['e4m3']['shares'][0]):.0f}",),
    ),
    Sentence(
        "docs/tutorial.md",
        "`mitchell`'s {} % and `addm`'s {} %",
        lambda: tuple(
            f"{recorded('products')['3'][mul]['mean_absolute_percent']:.2f}" for mul in ("mitchell", "addm")
        ),
    ),
    Sentence(
        NUMERICS,
        "falls from `lmul`'s {} % to {} %, on bf16 from {} to {} %; what no factor repairs "
        "falls from {} to {} % and from {} to {} %.",
        lambda: tuple(
            f"{recorded('products')[bits][mul][name]:.2f}"
            for name in ("mean_absolute_percent", "left_percent")
            for bits in ("3", "7")
            for mul in ("lmul", "addm")
        ),
    ),
    Sentence(
        ACCURACY,
        "`mitchell` leaves {} % (e4m3) and {} % (bf16) that no factor repairs, `lmul` {} and {} %",
        lambda: tuple(
            f"{recorded('products')[bits][mul]['left_percent']:.2f}"
            for mul in ("mitchell", "lmul")
            for bits in ("3", "7")
        ),
    ),
    Sentence(
        ACCURACY,
        "perplexity over full precision's, which is {}.",
        lambda: (f"{recorded('accuracy', MODEL)[0]['perplexity']['value']:.2f}",),
    ),
    Sentence(
        ACCURACY,
        "it loses {} % of perplexity with three mantissa bits and {} % with four; on operands that are "
        "e4m3, {} %, where exact products lose {} %.",
        lambda: losses(
            "lmul,e8m3,attention,truncate",
            "lmul,e8m4,attention,truncate",
            "lmul,e4m3,attention",
            "exact,e4m3,attention",
        ),
    ),
    Sentence(
        ACCURACY,
        "no. It loses {} % with operands cut short and {} % with e4m3 ones; exact e4m3 loses {} %.",
        lambda: losses("lmul,e8m3,all,truncate", "lmul,e4m3,all", "exact,e4m3,all", digits=0),
    ),
    Sentence(
        ACCURACY,
        "takes a loss of {} % (`mitchell`, e8m3) to {} %",
        lambda: losses("mitchell,e8m3,all,truncate", "lmul,e8m3,all,truncate", digits=0),
    ),
    Sentence(
        ACCURACY,
        "{} % with it, {} % without, in e4m3",
        lambda: losses("lmul,e4m3,all", "mitchell,e4m3,all", digits=0),
    ),
    Sentence(
        ACCURACY,
        "`addc` loses {} % and `lmul` {} %.",
        lambda: losses("addc,e8m4,all,truncate", "lmul,e8m4,all,truncate"),
    ),
    Sentence(
        ACCURACY,
        "`lmul` in e4m3 everywhere loses {} ± {} % and not",
        lambda: loss("lmul,e4m3,all,gain=1.05"),
    ),
    Sentence(
        ACCURACY,
        "with `gain=0.96` it loses {} ± {} % and not {} %.",
        lambda: (*loss("mitchell,e4m3,all,gain=0.96"), *losses("mitchell,e4m3,all")),
    ),
    Sentence(
        ACCURACY,
        "with `gain=0.98` it loses {} ± {} % and not {} %",
        lambda: (*loss("addm,e4m3,all,gain=0.98"), *losses("addm,e4m3,all")),
    ),
    Sentence(
        ACCURACY,
        "instead of one a tensor: `exact` loses {} ± {} %, `addc` {} ± {} % and not {} %, `addm` {} ± {} %, "
        "`mitchell` {} ± {} %, and `lmul` still {} ± {} %.",
        lambda: (
            *loss("exact,e4m3,all,row"),
            *loss("addc,e4m3,all,row"),
            *losses("addc,e4m3,all"),
            *loss("addm,e4m3,all,row"),
            *loss("mitchell,e4m3,all,row"),
            *loss("lmul,e4m3,all,row"),
        ),
    ),
    Sentence(
        ACCURACY,
        "everything in e4m3 loses {} ± {} % with `exact` and not {} %, {} ± {} % with `addm` and not {} %, "
        "{} ± {} % with `addc` and not {} %",
        lambda: tuple(
            number
            for mul in ("exact", "addm", "addc")
            for number in (*loss(f"{mul},e4m3,all,full"), *losses(f"{mul},e4m3,all"))
        ),
    ),
    Sentence(
        ACCURACY,
        "`lmul` loses {} ± {} %, `addm` {} ± {} %, `mitchell` {} ± {} %, `addc`, which needs no gain, "
        "{} ± {} %, `exact` {} ± {} %.",
        lambda: (
            *loss("lmul,e4m3,all,row,full,gain=1.05"),
            *loss("addm,e4m3,all,row,full,gain=0.98"),
            *loss("mitchell,e4m3,all,row,full,gain=0.96"),
            *loss("addc,e4m3,all,row,full"),
            *loss("exact,e4m3,all,row,full"),
        ),
    ),
    Sentence(
        ACCURACY,
        "`exact` loses {} ± {} % and not {} %, `addm` {} ± {} %, `lmul` {} ± {} %.",
        lambda: (
            *loss("exact,e4m3,all,block,full"),
            *losses("exact,e4m3,all,full"),
            *loss("addm,e4m3,all,block,full"),
            *loss("lmul,e4m3,all,block,full"),
        ),
    ),
    Sentence(
        ACCURACY,
        "(`block-up`) `exact` loses {} ± {} %",
        lambda: loss("exact,e4m3,all,block-up,full"),
    ),
    Sentence(
        ACCURACY,
        "`lmul` diverges by {} ± {} nats more than with exact sums, `exact` by {} ± {}.",
        _divergences_of_bf16_sums,
    ),
    Sentence(
        ACCURACY,
        "makes predictions diverge by {}, {} and {} nats more (`exact`, `lmul`, `addm`), **F = 6** by {}, {} "
        "and {}.",
        lambda: (*divergences("fused:8"), *divergences("fused:6")),
    ),
    Sentence(
        ACCURACY,
        "shrink products by {}, {} and {} % at F = 13, and predictions diverge by {}, {} and {} nats more",
        lambda: (*product_errors("fused:13:7", "gain_percent", 1), *divergences("fused:13:7")),
    ),
    Sentence(
        ACCURACY,
        "with 5 rounded bits predictions diverge by {}, {} and {}.",
        lambda: divergences("fused:13:5:rne"),
    ),
    Sentence(
        ACCURACY,
        "products are off by {}, {} and {} % with M = 10, and by {}, {} and {} % with M = 23.",
        lambda: tuple(
            error for acc in ("fused:10:10", "fused:10") for error in product_errors(acc, "rms_percent", 2)
        ),
    ),
    Sentence(
        COST,
        "our net switching has them (22 of {} fJ for e4m3 `lmul`)",
        lambda: (f"{cost('mul')[ENERGY]:.0f}",),
    ),
    Sentence(
        COST,
        "A one-lane dot product takes {} LUTs with `lmul` and {} with `exact` on ECP5",
        lambda: tuple(str(found["luts"]) for found in recorded("ecp5_dot")),
    ),
    Sentence(
        COST,
        "1 - {} / {} = {} % for an fp32 product and {} %, not 80 %, for a dot product",
        _calibrated_savings,
    ),
    Sentence(
        HARDWARE,
        "that adds at most {} % to the error of any SmolLM2 tile",
        lambda: (f"{max(added_error(cost('dot', mul=mul, **RAW)) for mul in ('lmul', 'exact')):.1f}",),
    ),
)
"""Sentences with figures that a command makes."""


def counts_of_tests() -> tuple[Sentence, ...]:
    """Give the sentences with numbers of tests; none where those are not recorded."""
    if not TIMES.exists():
        return ()
    files = recorded("times", TIMES.parent)["files"]
    host = sum(found["tests"] for name, found in files.items() if "/test_host" in name)
    names = files["tests/host/test_names.py"]["tests"]
    return (
        Sentence(VERIFICATION, "all quick tests of the host side: {} |", lambda: (str(host),)),
        Sentence(VERIFICATION, "| {} quick cases, 13 builds", lambda: (str(names),)),
    )
