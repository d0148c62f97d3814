"""Products of tensors where they are, on a graphics processor: the golden model's bits.

Exact sums of formats with few mantissa bits are ordinary matrix products in double precision, as in
`lmul.golden.sums.separable`, whose tables are used here. All else is computed on the host.
"""

import itertools
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmul.golden import ROUNDINGS, Arithmetic, Codes, Format, Quantised, decode
from lmul.golden.formats.codec import TABLE_WIDTH, RoundMode
from lmul.golden.formats.quantise import SELF_SCALED_EXPONENT_BITS, OperandRounding
from lmul.golden.products.exponents import Window, exponent_ranges
from lmul.golden.sums.separable import factor_table, fewest_windows
from lmul.scheme import Scheme
from lmul.torch import host

PAIR_BITS = 104
"""Sums of so many bits are exact as the sum of two doubles."""

OUTPUTS = ("raw", "fp32")

SCALINGS = ("tensor", "row")


def quantised_factor(factor: Tensor, side: int, scheme: Scheme) -> Quantised:
    """Quantise a factor of finite numbers, side 0 or 1: to tensors, where products are computed on them."""
    if not _stays(scheme):
        return host.quantised_factor(factor, side, scheme)
    inner = (-1, -2)[side] if scheme.scaling == "row" else None
    return _quantise(factor, scheme.arithmetic.formats[side], scheme.rounding, inner)


def scaled_product(x: Quantised, y: Quantised, scheme: Scheme, dtype: torch.dtype) -> Tensor:
    """Multiply quantised factors, divide by the gain, and round to the type of a tensor."""
    return (multiply(x, y, scheme)[0] / scheme.gain).to(dtype)


def multiply(x: Quantised, y: Quantised, scheme: Scheme) -> tuple[Tensor, int]:
    """Multiply quantised factors.

    Returns
    -------
    product : Tensor of float64
        On the device of tensors, or on the host.
    left_range : int
        Sums that left the range of the accumulator, or of the output.
    """
    if isinstance(x.codes, Tensor):
        sums = _exact_sums(x.codes, y.codes, scheme.arithmetic)
        if sums is not None:
            return sums * x.scale * y.scale, 0
        formats = scheme.arithmetic.formats
        x, y = (_on_host(*each) for each in zip((x, y), formats, strict=True))
    return host.multiply(x, y, scheme)


def dequantised(quantised: Quantised, side: int, scheme: Scheme, dtype: torch.dtype) -> Tensor:
    """Give the numbers that a quantised factor stands for, rounded once to float32 or float64."""
    format_ = scheme.arithmetic.formats[side]
    if not isinstance(quantised.codes, Tensor):
        return host.dequantised(quantised, side, scheme, dtype)
    numbers = _numbers(format_, str(quantised.codes.device))[quantised.codes]
    return (numbers * quantised.scale).to(dtype)


def _stays(scheme: Scheme) -> bool:
    """Tell whether products may be computed on tensors: exact sums, rounded once at most, one scale each."""
    spec = scheme.arithmetic
    if spec.integer:  # Their products are ordinary ones on the host too.
        return False
    narrow = max(format_.width for format_ in spec.formats) <= TABLE_WIDTH
    usual = scheme.rounding in ROUNDINGS and scheme.scaling in SCALINGS
    return narrow and spec.acc == "exact" and spec.out in OUTPUTS and usual


def _on_host(quantised: Quantised, format_: Format) -> Quantised:
    scale: Any = quantised.scale.cpu().numpy()
    return Quantised(quantised.codes.cpu().numpy().astype(format_.dtype), scale)  # type: ignore[attr-defined]


def _quantise(reals: Tensor, format_: Format, rounding: OperandRounding, axis: int | None) -> Quantised:
    """Do what `lmul.golden.quantise` does."""
    exact = reals.to(torch.float64)
    magnitude = exact.abs()
    peak = magnitude.max() if axis is None else magnitude.amax(dim=axis, keepdim=True)
    scale = torch.ones_like(peak)
    if format_.exponent_bits < SELF_SCALED_EXPONENT_BITS:
        least = torch.full_like(peak, np.finfo(np.float64).tiny)
        scale = torch.where(peak > 0, torch.maximum(peak / format_.largest, least), scale)
    scaled = exact / scale
    edges = _edges(format_, rounding, str(reals.device))
    field = torch.bucketize(scaled.abs().contiguous(), edges, right=True, out_int32=True)
    codes: Any = field + torch.signbit(scaled) * format_.sign_mask
    return Quantised(codes, scale)


@lru_cache(maxsize=16)
def _numbers(format_: Format, device: str) -> Tensor:
    """Give the number of each code."""
    return _tensor(decode(np.arange(1 << format_.width), format_).astype(np.float64), device)


@lru_cache(maxsize=16)
def _edges(format_: Format, rounding: OperandRounding, device: str) -> Tensor:
    """Give the smallest magnitude that becomes each code but 0."""
    numbers = decode(np.arange(format_.largest_finite + 1), format_).astype(np.float64)
    edges = numbers[1:].copy()
    if rounding == RoundMode.roundTiesToEven:
        edges = (numbers[:-1] + numbers[1:]) / 2
        # Halfway above an even code stays there.
        edges[::2] = np.nextafter(edges[::2], np.inf)
    return _tensor(edges, device)


def _exact_sums(x: Tensor, y: Tensor, spec: Arithmetic) -> Tensor | None:
    """Multiply tensors of codes (..., M, K) and (..., K, N); None where that is for the golden model."""
    depth = x.shape[-1]
    ranges = exponent_ranges(_present(x, spec.formats[0]), _present(y, spec.formats[1]), spec)
    windows = fewest_windows(ranges, depth, spec)
    if windows is None or depth > spec.depth or _sum_bits(ranges, depth, spec) > PAIR_BITS:
        return None
    high = torch.zeros(1, dtype=torch.float64, device=x.device)
    low = high
    for window_a, window_b in itertools.product(windows.windows_a, windows.windows_b):
        first = _factors(x, 0, spec, window_a)
        second = _factors(y.transpose(-1, -2), 1, spec, window_b)
        high, error = _two_sum(high, torch.matmul(first, second.transpose(-1, -2)))
        low = low + error
    high, low = _two_sum(high, low)
    if spec.out == "fp32":
        high = _to_odd(high, low).to(torch.float32).to(torch.float64)
    return high


def _present(codes: Tensor, format_: Format) -> Codes:
    """Give the codes that occur."""
    seen = torch.zeros(1 << format_.width, dtype=torch.bool, device=codes.device)
    seen[codes.flatten()] = True
    found: Codes = seen.cpu().numpy().nonzero()[0].astype(format_.dtype)
    return found


def _sum_bits(ranges: tuple[Window | None, Window | None], depth: int, spec: Arithmetic) -> int:
    """Bound the bits from the last place of the smallest product to the sign of the largest sum."""
    span = sum(window[1] - window[0] for window in ranges if window)
    return span + spec.fraction_bits + 3 + depth.bit_length()


def _factors(codes: Tensor, side: int, spec: Arithmetic, window: Window) -> Tensor:
    """Give f_r or g_r of codes (..., L, K), those of one operand side by side: (..., L, K R)."""
    return _table(side, spec, window, str(codes.device))[codes].flatten(-2)


@lru_cache(maxsize=16)
def _table(side: int, spec: Arithmetic, window: Window, device: str) -> Tensor:
    return _tensor(factor_table(side, spec, window), device)


def _two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Give a sum and what its rounding left out (Knuth, The Art of Computer Programming 2, 4.2.2)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _to_odd(high: Tensor, low: Tensor) -> Tensor:
    """Round a sum of two doubles, `high` the nearest one to it, to odd: one more rounding is then right."""
    bits = high.view(torch.int64)
    step = torch.where((low > 0) == (high > 0), 1, -1)
    return torch.where((low != 0) & (bits % 2 == 0), bits + step, bits).view(torch.float64)


def _tensor(array: Any, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
