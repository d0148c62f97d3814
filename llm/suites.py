"""Which arithmetic the rows of the tables in docs/accuracy.md have."""

import math

from lmul.golden import find_format

SCOPES = ("attention", "all")

FIXED_BITS = 24

UNSCALED_LSB = -11
"""Last bit of a 24-bit register for formats without a scale: sums up to 4096."""

TRUNCATED = ("e8m3", "e8m4")
"""The paper's case: mantissas of float32 cut short, no scale."""

SCALED = ("e4m3", "e5m2", "e3m4")


def fixed_accumulator(name: str) -> str:
    """Give a 24-bit register whose range is four times the largest product of a format's operands."""
    format_ = find_format(name)
    if format_.exponent_bits == 8:
        return f"fixed:{FIXED_BITS}:{UNSCALED_LSB}"
    return f"fixed:{FIXED_BITS}:{math.ceil(math.log2(format_.largest**2)) + 3 - FIXED_BITS}"


def accuracy_suite() -> list[str]:
    """Multipliers, formats and accumulators, in attention alone and everywhere."""
    operands = [f"{mul},{name}" for name in SCALED for mul in ("exact", "lmul", "mitchell", "addc")]
    operands += [f"{mul},{name},truncate" for name in TRUNCATED for mul in ("lmul", "mitchell", "addc")]
    operands += [f"{mul},bf16" for mul in ("exact", "lmul", "mitchell")]
    schemes = [f"{words},{scope}" for scope in SCOPES for words in operands]
    formats = [words.split(",")[1] for words in schemes]
    fixed = [f"{scheme},acc={fixed_accumulator(name)}" for scheme, name in zip(schemes, formats, strict=True)]
    return ["full", *(scheme for pair in zip(schemes, fixed, strict=True) for scheme in pair)]


def bias_suite() -> list[str]:
    """Ways to mend the mean error of integer addition on operands that are fp8 already."""
    schemes = ["full"]
    for scope in SCOPES:
        for mul, gain in (("exact", 1.0), ("lmul", 1.05), ("mitchell", 0.96), ("addc", 1.0)):
            plain = f"{mul},e4m3,{scope}"
            gains = [f"{plain},gain={gain}"] if gain != 1 else []
            schemes += [plain, *gains, f"{plain},full", f"{plain},row", f"{plain},block"]
            schemes += [f"{words},full" for words in (f"{plain},row", f"{plain},block")]
            schemes += [f"{words},block,full" for words in gains]
    return schemes


SUITES = {"accuracy": accuracy_suite, "bias": bias_suite}
"""Tables by name."""
