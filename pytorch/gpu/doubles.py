"""Exact sums as ordinary matrix products in double precision, as `lmul.golden.sums.separable` has them."""

import itertools
from collections.abc import Iterable

import torch
from torch import Tensor

from lmul.golden import Arithmetic, Codes, Format
from lmul.golden.products.exponents import Ranges, Window, exponent_ranges
from lmul.golden.sums.separable import Plan
from lmul.torch.gpu import tables


def present_ranges(x: Tensor, y: Tensor, spec: Arithmetic) -> Ranges:
    """Give the smallest and the largest exponent of the operands that occur in tensors of codes."""
    return exponent_ranges(_present(x, spec.formats[0]), _present(y, spec.formats[1]), spec)


def window_sums(x: Tensor, y: Tensor, spec: Arithmetic, windows: Plan) -> Iterable[Tensor]:
    """Give the exact sums of products of each pair of windows, of codes (..., M, K) and (..., K, N)."""
    # Where all operands are zero, any window will do.
    pairs = (own or ((0, 0),) for own in (windows.windows_a, windows.windows_b))
    for window_a, window_b in itertools.product(*pairs):
        first = _factors(x, 0, spec, window_a)
        second = _factors(y.transpose(-1, -2), 1, spec, window_b)
        yield torch.matmul(first, second.transpose(-1, -2))


def total(parts: Iterable[Tensor], out: str) -> Tensor:
    """Add up exact parts of sums that fit two doubles, rounded once to the output."""
    high = low = torch.zeros(())
    for number, part in enumerate(parts):
        high, error = _two_sum(high, part) if number else (part, torch.zeros_like(part))
        low = low + error if number else error
    high, low = _two_sum(high, low)
    return _to_odd(high, low).to(torch.float32).to(torch.float64) if out == "fp32" else high


def _present(codes: Tensor, format_: Format) -> Codes:
    """Give the codes that occur."""
    seen = torch.zeros(1 << format_.width, dtype=torch.bool, device=codes.device)
    seen[codes.flatten()] = True
    found: Codes = seen.cpu().numpy().nonzero()[0].astype(format_.dtype)
    return found


def _factors(codes: Tensor, side: int, spec: Arithmetic, window: Window) -> Tensor:
    """Give f_r or g_r of codes (..., L, K), those of one operand side by side: (..., L, K R)."""
    return tables.factors(side, spec, window, str(codes.device))[codes].flatten(-2)


def _two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Give a sum and what its rounding left out (Knuth, The Art of Computer Programming 2, 4.2.2)."""
    added = a + b
    other = added - a
    return added, (a - (added - other)) + (b - other)


def _to_odd(high: Tensor, low: Tensor) -> Tensor:
    """Round a sum of two doubles, `high` the nearest one to it, to odd: one more rounding is then right."""
    bits = high.view(torch.int64)
    step = torch.where((low > 0) == (high > 0), 1, -1)
    return torch.where((low != 0) & (bits % 2 == 0), bits + step, bits).view(torch.float64)
