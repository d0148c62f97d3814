"""Which arithmetic the rows of the tables in docs/accuracy.md have."""

import math

from lmul.golden import find_format
from lmul.golden.quantise import SELF_SCALED_EXPONENT_BITS

SCOPES = ("attention", "all")

FIXED_BITS = 24

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
    return f"{scheme}{',power' if wide else ''},acc=fixed:{FIXED_BITS}:{lsb}"


def accuracy_suite() -> list[str]:
    """Multipliers, formats and accumulators, in attention alone and everywhere."""
    operands = [f"{mul},{name}" for name in SCALED for mul in ("exact", "lmul", "mitchell", "addc")]
    operands += [f"{mul},{name},truncate" for name in TRUNCATED for mul in ("lmul", "mitchell", "addc")]
    operands += [f"{mul},bf16" for mul in ("exact", "lmul", "mitchell")]
    schemes = [f"{words},{scope}" for scope in SCOPES for words in operands]
    return ["full", *schemes, *map(with_fixed_accumulator, schemes)]


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
