"""Products of tensors where they are, on a graphics processor: the golden model's bits.

`place` says which are computed there and how. All others are computed on the host.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from lmul.golden import Arithmetic, Format, Quantised
from lmul.golden.accumulators import Exact, Fixed, Fused
from lmul.golden.formats.codec import TABLE_WIDTH
from lmul.golden.formats.format import FP32
from lmul.golden.products.exponents import fit_two_doubles
from lmul.golden.sums.fixed_point import FP64_SIGNIFICAND_BITS, INT64_BITS
from lmul.golden.sums.separable import fewest_windows
from lmul.scheme import Scheme
from lmul.torch import host
from lmul.torch.gpu import doubles, quantise, tables

Adder = Callable[[Quantised, Quantised], tuple[Tensor, Any]]

MOST_LANES = 128
"""Products of a step that one program of a kernel has at once."""

MOST_GROUPED_FRACTION = 34
"""F of fused sums of groups, which are below 2^14 times their scales: those of a step are whole doubles."""


def place(scheme: Scheme, kind: str) -> str:
    """Tell where the products of tensors are computed.

    Parameters
    ----------
    scheme : Scheme
    kind : str
        The type of the tensors' device: `cuda` is a graphics processor. On others there are kernels only in
        Triton's interpreter, which is slow and for tests.

    Returns
    -------
    str
        `doubles`: there, as matrix products in double precision, or by a kernel where the exponents of
        operands span too much for those, or on the host where they do for two doubles. `kernels`: there, step
        by step. `host`: by the golden model, and so are integers, formats of more than 16 bits, exact and
        fixed-point sums rounded to bf16, registers of bf16 and fp16, fixed-point ones of more than 54 bits or
        with scales of blocks, steps of more than 128 products, fused sums of groups cut more than 34 bits
        behind the point, and all sums but exact ones without Triton.
    """
    spec = scheme.arithmetic
    if spec.integer or max(format_.width for format_ in spec.formats) > TABLE_WIDTH:
        return "host"
    register = spec.accumulator
    if isinstance(register, Exact):
        return "host" if spec.out == "bf16" else "doubles"
    if spec.lanes > MOST_LANES or not _has_kernels(kind):
        return "host"
    if isinstance(register, Fixed):
        small = spec.accumulator_bits <= FP64_SIGNIFICAND_BITS + 1 and spec.step_bits < INT64_BITS
        return "kernels" if small and spec.block_scale is None and spec.out != "bf16" else "host"
    if isinstance(register, Fused):
        return "host" if spec.grouped and register.fraction_bits > MOST_GROUPED_FRACTION else "kernels"
    return "kernels" if register.format == FP32 else "host"


def quantised_factor(factor: Tensor, side: int, scheme: Scheme) -> Quantised:
    """Quantise a factor of finite numbers, side 0 or 1: to tensors, where products are computed on them."""
    if place(scheme, factor.device.type) == "host":
        return host.quantised_factor(factor, side, scheme)
    return quantise.quantise(factor, side, scheme.arithmetic.formats[side], scheme.rounding, scheme.scaling)


def scaled_product(x: Quantised, y: Quantised, scheme: Scheme, dtype: torch.dtype) -> Tensor:
    """Multiply quantised factors, divide by the gain, and round to the type of a tensor."""
    values, _ = multiply(x, y, scheme)
    return host.rounded_once(quantise.divided(values, scheme.gain), dtype)


def multiply(x: Quantised, y: Quantised, scheme: Scheme) -> tuple[Tensor, int]:
    """Multiply quantised factors.

    Returns
    -------
    product : Tensor of float64
        On the device of tensors, or on the host.
    left_range : int
        Sums that left the range of the accumulator, or of the output.
    """
    if not isinstance(x.codes, Tensor):
        return host.multiply(x, y, scheme)
    add, spec = _adder(x, y, scheme), scheme.arithmetic
    if add is None:
        formats = spec.formats
        return host.multiply(_on_host(x, formats[0]), _on_host(y, formats[1]), scheme)
    total, left_range = torch.zeros((), dtype=torch.float64, device=x.codes.device), 0
    for a, b in _parts(x, y, spec):
        values, left = add(a, b)
        left_range += int(torch.count_nonzero(left | ~torch.isfinite(values)))
        # What the design scales itself has the scale of the tensor left.
        scales = (a.tensor_scale, b.tensor_scale)
        for scale in scales if spec.block_scale else (a.scale, b.scale, *scales):
            values = values * scale
        total = total + values
    return total, left_range


def dequantised(quantised: Quantised, side: int, scheme: Scheme, dtype: torch.dtype) -> Tensor:
    """Give the numbers that a quantised factor stands for, rounded once to float32 or float64."""
    if not isinstance(quantised.codes, Tensor):
        return host.dequantised(quantised, side, scheme, dtype)
    numbers = tables.numbers(scheme.arithmetic.formats[side], str(quantised.codes.device))
    return (numbers[quantised.codes] * quantise.scales(quantised)).to(dtype)


def _parts(x: Quantised, y: Quantised, spec: Arithmetic) -> Iterator[tuple[Quantised, Quantised]]:
    """Give both factors in the parts along K whose sums are scaled and added in double precision."""
    if not x.block or spec.block_scale:
        yield x, y
        return
    for block, first in enumerate(range(0, x.codes.shape[-1], x.block)):
        inner, one = slice(first, first + x.block), slice(block, block + 1)
        yield (
            replace(x, codes=x.codes[..., inner], scale=x.scale[..., one]),
            replace(y, codes=y.codes[..., inner, :], scale=y.scale[..., one, :]),
        )


def _adder(x: Quantised, y: Quantised, scheme: Scheme) -> Adder | None:
    """Give what adds the products of a part: numbers in float64, and which left the range; None: the host."""
    spec = scheme.arithmetic
    if isinstance(spec.accumulator, Exact):
        return _exact_adder(x, y, spec)
    from lmul.torch.gpu import steps

    def fixed(a: Quantised, b: Quantised) -> tuple[Tensor, Any]:
        sums, left = steps.fixed_sums(a, b, spec)
        return _output(sums, spec), left

    def floating(a: Quantised, b: Quantised) -> tuple[Tensor, Any]:
        fused = isinstance(spec.accumulator, Fused)
        sums = steps.fused_sums(a, b, spec, scheme.promote) if fused else steps.float_sums(a, b, spec)
        return _output(sums, spec), False

    return fixed if isinstance(spec.accumulator, Fixed) else floating


def _exact_adder(x: Quantised, y: Quantised, spec: Arithmetic) -> Adder | None:
    """Give what adds exactly: by the fewest windows for all parts, or product by product."""
    depth = min(x.block or x.codes.shape[-1], x.codes.shape[-1])
    codes: Any = x.codes
    ranges = doubles.present_ranges(codes, y.codes, spec)
    windows = fewest_windows(ranges, depth, spec)
    if depth > spec.depth or not fit_two_doubles(ranges, depth, spec):
        return None
    if windows is None and not _has_kernels(codes.device.type):
        return None

    def exact(a: Quantised, b: Quantised) -> tuple[Tensor, Any]:
        if windows:
            parts = doubles.window_sums(a.codes, b.codes, spec, windows)
        else:
            from lmul.torch.gpu import steps

            parts = steps.exact_parts(a, b, spec, ranges)
        return doubles.total(parts, spec.out), False

    return exact


def _output(sums: Tensor, spec: Arithmetic) -> Tensor:
    """Round sums to what comes out, in float64."""
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "raw": sums.dtype}
    return sums.to(kinds[spec.out]).to(torch.float64)


def _on_host(quantised: Quantised, format_: Format) -> Quantised:
    codes: Any = quantised.codes.cpu().numpy().astype(format_.dtype)  # type: ignore[attr-defined]
    return Quantised(codes, quantised.scale.cpu().numpy(), quantised.block, float(quantised.tensor_scale))


def _has_kernels(kind: str) -> bool:
    return _has_triton() and (kind == "cuda" or os.environ.get("TRITON_INTERPRET") == "1")


@lru_cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None
