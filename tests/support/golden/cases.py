"""What the tests of the golden model share: formats, policies, and codes worth trying."""

from collections.abc import Container, Iterable, Iterator
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from lmul.golden import (
    FORMATS,
    MULTIPLIERS,
    OVERFLOWS,
    SUBNORMALS,
    Arithmetic,
    Codes,
    Format,
    find_format,
)
from lmul.golden.formats.format import Integer
from lmul.multipliers.addc import ADDC_MANTISSA_BITS

by_name: dict[str, Any] = {"ids": lambda format_: format_.name}
"""Names the cases of a test over formats."""

POLICIES = list(product(SUBNORMALS, OVERFLOWS))

EXMY = [
    find_format(f"e{exponent_bits}m{mantissa_bits}")
    for exponent_bits in range(2, 9)
    for mantissa_bits in range(1, 16 - exponent_bits)
    if f"e{exponent_bits}m{mantissa_bits}" not in FORMATS
]
"""All IEEE-like formats of up to 16 bits, but those whose names mean another format."""

IEEE_TWINS = [
    find_format("e4m3ieee"),
    *(Format(f"{name}-ieee", e, m) for name, e, m in (("e2m3", 2, 3), ("e2m1", 2, 1))),
]
"""IEEE-like codes of the fields of named formats that are not."""


def edge_codes(format_: Format) -> list[int]:
    """Give the codes of both signs of zero, one, specials, and the ends of each kind of number."""
    if isinstance(format_, Integer):
        return [0, 1, 2, format_.sign_mask - 1, format_.sign_mask, 2 * format_.sign_mask - 1]
    one = format_.bias << format_.mantissa_bits
    largest = format_.largest_finite
    magnitudes = {0, 1, 2, format_.mantissa_mask, format_.smallest_normal, format_.smallest_normal + 1}
    magnitudes |= {one - 1, one, one + 1, largest - 1, largest, format_.magnitude_mask}
    magnitudes |= {code for code in (format_.infinity, format_.nan) if code is not None}
    magnitudes |= {format_.infinity + 1} if format_.infinity is not None else set()  # a signalling NaN
    return sorted(magnitudes | {code | format_.sign_mask for code in magnitudes})


def drawn_pairs(first: Format, second: Format, count: int, seed: int = 1) -> tuple[Codes, Codes]:
    """Draw pairs of codes of every kind, and add all pairs of edge codes."""
    rng = np.random.default_rng(seed)
    edges = np.array(list(product(edge_codes(first), edge_codes(second))))
    a, b = (rng.integers(0, 1 << format_.width, count) for format_ in (first, second))
    a[: count // 4] = rng.choice(edge_codes(first), count // 4)
    b[-count // 4 :] = rng.choice(edge_codes(second), len(b[-count // 4 :]))
    return (
        np.concatenate([edges[:, 0], a]).astype(first.dtype),
        np.concatenate([edges[:, 1], b]).astype(second.dtype),
    )


def all_pairs(format_: Format) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give every pair of codes."""
    codes = np.arange(1 << format_.width)
    return np.repeat(codes, codes.size), np.tile(codes, codes.size)


def multipliers(*formats: Format) -> list[str]:
    """Give the multipliers that are defined for formats."""
    wide = max(format_.mantissa_bits for format_ in formats) > ADDC_MANTISSA_BITS
    return [mul for mul in MULTIPLIERS if not (wide and mul == "addc")]


def with_policies(format_: Format, mul: str) -> Iterator[Arithmetic]:
    """Give a multiplier with all four policies."""
    for subnormals, overflow in POLICIES:
        yield Arithmetic(format=format_, mul=mul, subnormals=subnormals, overflow=overflow)


def with_multipliers(formats: Iterable[Format], among: Container[str] = MULTIPLIERS) -> dict[str, Any]:
    """Give the arguments of a test over formats, each with all multipliers that are defined for it."""
    pairs = [(format_, mul) for format_ in formats for mul in multipliers(format_) if mul in among]
    return {"argvalues": pairs, "ids": [f"{format_.name}-{mul}" for format_, mul in pairs]}


ORACLES = {
    "e4m3ieee": ml_dtypes.float8_e4m3,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m4": ml_dtypes.float8_e3m4,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "bf16": ml_dtypes.bfloat16,
    "fp16": np.float16,
    "fp32": np.float32,
}
