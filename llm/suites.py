"""Which arithmetic the rows of the tables in docs/accuracy.md have."""

import math

from lmul.golden import find_format
from lmul.golden.formats.quantise import SELF_SCALED_EXPONENT_BITS

FULL_PRECISION_IS = "Full precision: double precision, of weights that come from a 4-bit file."
"""What everything is compared with, for people."""

SCOPES = ("attention", "all")

WITHOUT_HEAD = "all-but-head"
"""The scope that scripts for fp8 have: the output layer stays in full precision."""

MULTIPLIERS = ("exact", "lmul", "mitchell", "addm", "addc")

GAINS = {"lmul": 1.05, "mitchell": 0.96, "addm": 0.98}
"""What products of e4m3 codes are too large by on average: one more than the mean error."""

LOG_GAINS = {"lmul": 1.135, "mitchell": 1.04}
"""The same of operands rounded as logarithms: the mean of (1 + z) / 2^z, and 2^(1/8) for L-Mul's constant."""

FIXED_BITS = 24

LANES = 8
"""Products that are added before the register saturates, as in the default `dot`."""

TRUNCATED = ("e8m3", "e8m4")
"""The paper's case: mantissas of float32 cut short, no scale."""

SCALED = ("e4m3", "e5m2", "e3m4")


def with_fixed_accumulator(scheme: str) -> str:
    """Give a scheme a 24-bit register whose range is four times the largest product of its operands.

    Formats with the range of float32 are scaled for it, by powers of two, to below 2.
    """
    format_ = find_format(scheme.split(",")[1])
    wide = format_.exponent_bits >= SELF_SCALED_EXPONENT_BITS
    largest = 2.0 if wide else format_.largest
    lsb = math.ceil(math.log2(largest**2)) + 3 - FIXED_BITS
    return f"{scheme}{',power' if wide else ''},acc=fixed:{FIXED_BITS}:{lsb},lanes={LANES}"


def accuracy_suite() -> list[str]:
    """Multipliers, formats and accumulators, in attention alone, everywhere, and everywhere but the head."""
    operands = [f"{mul},{name}" for name in SCALED for mul in MULTIPLIERS]
    operands += [f"{mul},{name},truncate" for name in TRUNCATED for mul in MULTIPLIERS if mul != "exact"]
    operands += [f"{mul},bf16" for mul in MULTIPLIERS if mul != "addc"]
    schemes = [f"{words},{scope}" for scope in SCOPES for words in operands]
    usual = [f"{mul},e4m3,{WITHOUT_HEAD}" for mul in MULTIPLIERS]
    return ["full", *schemes, *map(with_fixed_accumulator, schemes), *usual]


def bias_suite() -> list[str]:
    """Ways to mend the mean error of integer addition on operands that are fp8 already."""
    plain = {mul: f"{mul},e4m3,all" for mul in MULTIPLIERS}
    gains = {mul: f",gain={gain}" for mul, gain in GAINS.items()}
    schemes = ["full", *plain.values(), *(plain[mul] + gain for mul, gain in gains.items())]
    schemes += [f"{words},{more}" for more in ("full", "row") for words in plain.values()]
    schemes += [f"{words},row,full{gains.get(mul, '')}" for mul, words in plain.items()]
    schemes += [f"{plain[mul]},block,full" for mul in ("exact", "lmul", "addm")]
    return [*schemes, f"{plain['exact']},block-up,full"]


def question_suite() -> list[str]:
    """Arithmetic that answers questions: every multiplier in e4m3, and L-Mul in other formats."""
    plain = [f"{mul},e4m3,all" for mul in MULTIPLIERS]
    cut = [f"lmul,{name},truncate,all" for name in TRUNCATED]
    attention = [f"{mul},e4m3,attention" for mul in ("exact", "lmul")]
    return ["full", *plain, "exact,e5m2,all", "lmul,e5m2,all", *cut, "lmul,bf16,all", *attention]


PROMOTED = 128
"""Products after which DeepSeek-V3 adds a tensor core's sum to an fp32 number outside."""


def sums_suite() -> list[str]:
    """Two tensor cores' sums in e4m3, the remedy for the narrow one of them, and scales that cost nothing."""
    remedy = f"h100,promote={PROMOTED}"
    sums = [f"{mul},e4m3,all,acc={acc}" for acc in ("h100", remedy, "b200") for mul in MULTIPLIERS]
    return ["full", *sums, *(f"{mul},e4m3,all,acc=h100,gain={gain}" for mul, gain in GAINS.items())]


UNIT_LANES = 16
"""Products of a step in the units that arithmetics are compared in."""


def _in_unit(words: str, acc: str = "") -> str:
    """Give an arithmetic, with the sums of a unit, in every product but the output layer's."""
    sums = f",acc={acc},lanes={UNIT_LANES}" if acc else ""
    return f"{words},{WITHOUT_HEAD}{sums}"


def arithmetics_suite() -> list[str]:
    """Arithmetics that a chip could have, each with its sums, for one chart of energy and accuracy."""
    best = ("exact", "lmul", "addm")
    hopper, blackwell, narrow = "fused:13:13", "fused:25", "fused:10:7:rne"
    coarse, wide = "fixed:24:-3", "fixed:28:-3"
    found = [_in_unit(f"{mul},e4m3", acc) for acc in (hopper, narrow, coarse, wide, "") for mul in best]
    found += [
        _in_unit(f"{mul},e4m3,gain={gain}", acc) for acc in (hopper, wide, "") for mul, gain in GAINS.items()
    ]
    by_rows = ["exact,e4m3,row", *(f"{mul},e4m3,log,gain={gain},row" for mul, gain in LOG_GAINS.items())]
    found += [_in_unit(words, acc) for acc in (wide, "", hopper) for words in by_rows]
    found += [_in_unit(f"exact,{formats},row") for formats in ("int8", "int8xint4", "int4")]
    found += [_in_unit("exact,int8,scale=mx16", acc) for acc in ("fixed:28:-18", hopper)]
    found += [_in_unit("exact,int8xint4,scale=mx16", "fixed:28:-14")]
    found += [_in_unit(f"{mul},e4m3,scale=mx", hopper) for mul in best]
    # Formats of few exponents have no subnormals to lose.
    found += [
        _in_unit(f"{mul},{name},full,scale=mx", hopper)
        for name in ("e2m3", "e3m2")
        for mul in ("exact", "addm")
    ]
    found += [_in_unit("exact,e2m3,full,scale=mx16", "fixed:28:-14")]
    found += [
        _in_unit(f"exact,{formats},full,scale=mx", hopper) for formats in ("e2m1", "e4m3xe2m1", "e4m3xe2m3")
    ]
    found += [_in_unit(f"exact,e2m1,full,scale={scale}", blackwell) for scale in ("nvfp4", "mxfp4")]
    found += [_in_unit(f"{mul},bf16", blackwell) for mul in best]
    found += [_in_unit("exact,bf16xe2m1,full,row", blackwell), _in_unit("exact,e4m3xe2m1,full,row", hopper)]
    found += [_in_unit(f"{mul},e4m3", blackwell) for mul in best]
    found += [_in_unit(f"{mul},e3m4,full") for mul in best]
    found += [_in_unit(f"{mul},e5m2", hopper) for mul in best]
    found += [_in_unit(f"{mul},e4m3", hopper) for mul in ("mitchell", "addc")]
    found += [_in_unit("addc,e4m3", wide)]
    return [
        *found,
        *(_in_unit(f"{words},block-up,scale=mx", hopper) for words in ("exact,e4m3", "lmul,e4m3,gain=1.05")),
    ]


SUITES = {
    "accuracy": accuracy_suite,
    "bias": bias_suite,
    "questions": question_suite,
    "sums": sums_suite,
    "arithmetics": arithmetics_suite,
}
"""Tables by name."""
