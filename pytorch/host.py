"""Products of tensors on the host: by the golden model, which reads their memory as it is."""

import ctypes
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lmul.golden import Quantised, decode, multiply_scaled, quantise_factor
from lmul.golden.sums.whole import whole_products
from lmul.host.parallel import run_parts
from lmul.scheme import Scheme

PAUSE_SOFT = 1
"""`omp_pause_soft` of OpenMP 5.0."""


def quantised_factor(factor: Tensor, side: int, scheme: Scheme) -> Quantised:
    """Quantise a factor of finite numbers, side 0 or 1."""
    reals = as_array(factor)
    _rest()
    return quantise_factor(reals, side, scheme.arithmetic, scheme.rounding, scheme.scaling)


def scaled_product(x: Quantised, y: Quantised, scheme: Scheme, dtype: torch.dtype) -> Tensor:
    """Multiply quantised factors, divide by the gain, and round to the type of a tensor."""
    _rest()
    if scheme.promote is None:
        rounded = np.float32 if dtype == torch.float32 else np.float64
        values = whole_products(x, y, scheme.arithmetic, rounded, scheme.gain)
        if values is not None:
            return rounded_once(torch.from_numpy(values), dtype)
    product, _ = multiply(x, y, scheme)
    return rounded_once(product if scheme.gain == 1 else product / scheme.gain, dtype)


def rounded_once(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Round numbers to a type; those of 16 bits PyTorch makes of float32, which here is rounded to odd."""
    if values.dtype != torch.float64 or dtype in (torch.float64, torch.float32):
        return values.to(dtype)
    single = values.to(torch.float32)
    bits = single.view(torch.int32)
    towards_zero = torch.where(single.double().abs() > values.abs(), bits - 1, bits)
    odd = torch.where(single.double() == values, bits, towards_zero | 1)
    return odd.view(torch.float32).to(dtype)


def multiply(x: Quantised, y: Quantised, scheme: Scheme) -> tuple[Tensor, int]:
    """Multiply quantised factors.

    Returns
    -------
    product : Tensor of float64
    left_range : int
        Sums that left the range of the accumulator, or of the output.
    """
    values, left_range = multiply_scaled(x, y, scheme.arithmetic, scheme.promote)
    return torch.from_numpy(values), left_range


def dequantised(quantised: Quantised, side: int, scheme: Scheme, dtype: torch.dtype) -> Tensor:
    """Give the numbers that a quantised factor stands for, rounded once to float32 or float64."""
    codes, scales, format_ = quantised.codes, quantised.scales(), scheme.arithmetic.formats[side]
    values = np.empty(codes.shape, np.float32 if dtype == torch.float32 else np.float64)

    def part(rows: slice) -> None:
        own = (..., rows, slice(None))
        np.multiply(
            decode(codes[own], format_), scales[own], out=values[own], dtype=np.float64, casting="same_kind"
        )

    _rest()
    run_parts(part, codes.shape[-2])
    return torch.from_numpy(values)


def _rest() -> None:
    """End the threads of PyTorch's operations, which begin anew when they are needed.

    They wait for the next operation in a loop, for milliseconds, on processors that compiled loops want.
    """
    end = end_of_threads()
    if end is not None:
        end(PAUSE_SOFT)


@cache
def end_of_threads() -> Any:
    """Find the function that ends threads in the OpenMP library of PyTorch, None where there is none."""
    return getattr(ctypes.CDLL(torch._C.__file__), "omp_pause_resource_all", None)


def as_array(factor: Tensor) -> NDArray[Any]:
    """Give a tensor's numbers to NumPy, which has no bf16: its numbers are copied to float32."""
    known = factor.detach().cpu()
    return (known.float() if known.dtype == torch.bfloat16 else known).numpy()
