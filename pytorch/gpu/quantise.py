"""Tensors of real numbers to codes on their device, to the bit as `lmul.golden.formats.quantise` does."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmul.golden import E4M3, Format, Quantised
from lmul.golden.formats.block_scale import element_fraction_bits
from lmul.golden.formats.quantise import (
    BLOCK_EXPONENTS,
    BLOCK_SCALINGS,
    OperandRounding,
    largest_number,
    scales_itself,
)
from lmul.torch.gpu import tables
from lmul.torch.gpu.bits import exponent, power_of_two


def quantise(
    factor: Tensor, side: int, format_: Format, rounding: OperandRounding, scaling: str
) -> Quantised:
    """Quantise a factor of a matrix product.

    Parameters
    ----------
    factor : Tensor of finite numbers, shape (..., M, K) or (..., K, N)
    side : {0, 1}
        Which factor it is.
    format_ : Format
        Of floating point, with at most 16 bits.
    rounding : {"nearest", "truncate", "log"}
    scaling : str
        A name of `lmul.golden.SCALINGS`.

    Returns
    -------
    Quantised
        Of tensors: codes of int32, scales of float64.
    """
    exact, inner = factor.to(torch.float64), (-1, -2)[side]
    if scaling in BLOCK_SCALINGS:
        return _quantise_blocks(exact, inner, format_, rounding, scaling)
    peak = exact.abs().amax(dim=inner, keepdim=True) if scaling == "row" else exact.abs().max()
    scale = _power(peak, format_) if scaling == "power" else _to_largest(peak, format_, rounding)
    return Quantised(_encode(exact / scale, format_, rounding), scale)


def scales(quantised: Quantised) -> Tensor:
    """Give the scales of all numbers, to be broadcast."""
    scale, codes = quantised.scale, quantised.codes
    for axis in (-2, -1):
        if scale.ndim and scale.shape[axis] not in (1, codes.shape[axis]):
            scale = spread(scale, quantised.block, axis, codes.shape[axis])
    return scale * quantised.tensor_scale


def spread(scale: Tensor, block: int, axis: int, length: int) -> Tensor:
    """Give the scale of every number along an axis, of the scales of blocks."""
    return scale.repeat_interleave(block, dim=axis).narrow(axis, 0, length)


def _quantise_blocks(
    exact: Tensor, axis: int, format_: Format, rounding: OperandRounding, scaling: str
) -> Quantised:
    block, tensor_scale = BLOCK_SCALINGS[scaling], torch.ones((), dtype=torch.float64, device=exact.device)
    peak = _block_peaks(exact, block, axis)
    if scaling == "nvfp4":
        scale, tensor_scale = _two_levels(peak, format_)
    else:
        scale = _power(peak, format_, up=scaling == "block-up")
    divisor = spread(scale, block, axis, exact.shape[axis]) * tensor_scale
    scaled = torch.where(divisor > 0, exact / divisor, 0.0)
    return Quantised(_encode(scaled, format_, rounding), scale, block, tensor_scale)


def _block_peaks(exact: Tensor, block: int, axis: int) -> Tensor:
    """Give the largest magnitude of each block along an axis."""
    magnitude = exact.abs().movedim(axis, -1)
    padded = torch.nn.functional.pad(magnitude, (0, -magnitude.shape[-1] % block))
    return padded.unflatten(-1, (-1, block)).amax(dim=-1).movedim(-1, axis)


def _to_largest(peak: Tensor, format_: Format, rounding: OperandRounding) -> Tensor:
    """Give the scales that take the largest magnitudes to the format's largest number."""
    if scales_itself(format_):
        return torch.ones_like(peak)
    least = np.finfo(np.float64).tiny
    return torch.where(peak > 0, divided(peak, largest_number(format_, rounding)).clamp(min=least), 1.0)


def _power(peak: Tensor, format_: Format, *, up: bool = False) -> Tensor:
    """Give the scales that are powers of two, 1 where all is zero."""
    highest = 0 if scales_itself(format_) else int(np.frexp(format_.largest)[1]) - 1
    least, most = (end - element_fraction_bits(format_) for end in BLOCK_EXPONENTS)
    places = torch.where(peak > 0, exponent(peak) - highest, 0).clamp(least, most)
    scale = power_of_two(places)
    if up:
        scale = torch.where(peak > scale * format_.largest, 2 * scale, scale).clamp(max=2.0**most)
    return scale


def _two_levels(peak: Tensor, format_: Format) -> tuple[Tensor, Tensor]:
    """Give the scales of NVFP4: of e4m3 for blocks, of fp32 for the tensor."""
    single = np.finfo(np.float32)
    largest = divided(peak.max(), E4M3.largest * format_.largest)
    bounded = largest.clamp(float(single.tiny), float(single.max)).to(torch.float32).to(torch.float64)
    tensor_scale = torch.where(largest > 0, bounded, 1.0)
    codes = _encode(divided(peak, format_.largest) / tensor_scale, E4M3, "nearest")
    return tables.numbers(E4M3, str(peak.device))[codes], tensor_scale


def divided(reals: Tensor, number: float) -> Tensor:
    """Divide by a number, which on a GPU PyTorch would invert and multiply by, rounding twice."""
    return reals / torch.full((), number, dtype=reals.dtype, device=reals.device)


def _encode(scaled: Tensor, format_: Format, rounding: OperandRounding) -> Any:
    """Give the codes of scaled numbers."""
    edges = tables.edges(format_, rounding, str(scaled.device))
    field = torch.bucketize(scaled.abs().contiguous(), edges, right=True, out_int32=True)
    return torch.where(torch.signbit(scaled), field | format_.sign_mask, field)
