"""Pairs of codes for a multiplier: all of them, or of wide formats those that matter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden import Format

Pairs = NDArray[np.int64]

WIDEST_ALL = 8
"""Formats up to this width are checked with all pairs of codes."""

DRAWN = 20_000


def code_pairs(format_: Format, seed: int = 1, second: Format | None = None) -> Pairs:
    """Give pairs of codes: all of formats of up to 8 bits; of a wider one random pairs and edge codes.

    Half of the random pairs are of any codes, the products of the other half lie near the ends of the
    format's range.

    Returns
    -------
    ndarray of int64, shape (pairs, 2)
    """
    if format_.width <= WIDEST_ALL:
        return _all_pairs(np.arange(1 << format_.width), np.arange(1 << (second or format_).width))
    rng = np.random.default_rng(seed)
    return np.concatenate([draw_pairs(format_, DRAWN, rng), _all_pairs(*[edge_codes(format_)] * 2)])


def draw_pairs(format_: Format, count: int, rng: np.random.Generator) -> Pairs:
    """Draw pairs of codes: one half of any codes, one with products near the ends of the format's range.

    Returns
    -------
    ndarray of int64, shape (count, 2)
    """
    anywhere = rng.integers(0, 1 << format_.width, (count // 2, 2))
    return np.concatenate([anywhere, _near_the_ends(format_, count - count // 2, rng)])


def describe_pairs(format_: Format) -> str:
    """Say what `code_pairs` gives."""
    if format_.width <= WIDEST_ALL:
        return "all pairs of bit patterns"
    return f"{DRAWN:,} random pairs and all pairs of {len(edge_codes(format_))} edge bit patterns"


def edge_codes(format_: Format) -> NDArray[np.int64]:
    """Give the codes at which something begins or ends, and their neighbours, with both signs."""
    one = format_.bias << format_.mantissa_bits
    infinity = format_.largest_finite + 1
    edges = np.array([0, format_.smallest_normal, one, infinity, format_.magnitude_mask])
    around = (edges[:, None] + np.arange(-2, 3)).ravel()
    return _with_both_signs(around, format_)


def many_edge_codes(format_: Format) -> NDArray[np.int64]:
    """Give some thousands of edge codes of a wide format, with both signs.

    Around every power of two, subnormal ones too; and mantissas that carry and round, of one bit, of ones
    only, or of ones and zeros in turn, at exponents whose products lie in the middle and at both ends of the
    range.
    """
    bits, bias = format_.mantissa_bits, format_.bias
    powers = np.concatenate([1 << np.arange(bits), np.arange(1 << format_.exponent_bits) << bits])
    single = 1 << np.arange(bits)
    mask = format_.mantissa_mask
    in_turn = np.array([0x55555555 & mask, 0xAAAAAAAA & mask])
    patterns = np.concatenate([single, single - 1, mask - single, mask - single + 1, in_turn])
    last = (1 << format_.exponent_bits) - 2
    middles = [0, 1, bias // 2, bias, bias + bias // 2, last]
    exponents = np.unique(np.concatenate([np.array(middles) + step for step in range(-1, 2)]))
    codes = (np.clip(exponents, 0, last)[:, None] << bits) | patterns
    around = (powers[:, None] + np.arange(-1, 2)).ravel()
    return _with_both_signs(np.concatenate([edge_codes(format_), around, codes.ravel()]), format_)


def _with_both_signs(codes: NDArray[np.int64], format_: Format) -> NDArray[np.int64]:
    magnitudes = np.unique(codes[(codes >= 0) & (codes <= format_.magnitude_mask)])
    return np.concatenate([magnitudes, magnitudes | format_.sign_mask])


def _all_pairs(first: NDArray[Any], second: NDArray[Any]) -> Pairs:
    return np.stack(np.meshgrid(first, second), -1).reshape(-1, 2).astype(np.int64)


def _near_the_ends(format_: Format, count: int, rng: np.random.Generator) -> Pairs:
    """Draw pairs whose exponents add up to about the smallest or the largest exponent."""
    bits = format_.mantissa_bits
    largest = (1 << format_.exponent_bits) - 1
    small = rng.integers(-bits - 3, 3, count)
    target = np.where(rng.random(count) < 0.5, small, largest + rng.integers(-3, 3, count))
    total = np.clip(target + format_.bias, 0, 2 * largest)
    first = rng.integers(np.maximum(total - largest, 0), np.minimum(total, largest) + 1)
    second = total - first
    signs = rng.integers(0, 2, (count, 2)) << (format_.width - 1)
    mantissas = rng.integers(0, 1 << bits, (count, 2))
    return signs | np.stack([first, second], -1) << bits | mantissas
