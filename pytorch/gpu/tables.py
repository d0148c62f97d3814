"""Tables of the golden model on a device: numbers of codes, edges between codes, products of significands."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmul.golden import Arithmetic, Format, decode
from lmul.golden.formats.quantise import OperandRounding, encode_scaled
from lmul.golden.products.exponents import Window
from lmul.golden.products.operand import operand_reals
from lmul.golden.sums.separable import factor_table
from lmul.multipliers.significand import significand_product


@lru_cache(maxsize=32)
def numbers(format_: Format, device: str) -> Tensor:
    """Give the number of each code, in float64."""
    return _tensor(decode(np.arange(1 << format_.width), format_).astype(np.float64), device)


@lru_cache(maxsize=32)
def operands(format_: Format, subnormals: str, device: str) -> Tensor:
    """Give the number that a multiplier takes each code for, in float32, which has all of them."""
    reals = operand_reals(np.arange(1 << format_.width), format_, subnormals)
    return _tensor(reals.astype(np.float32), device)


@lru_cache(maxsize=32)
def weights(format_: Format, subnormals: str, device: str) -> Tensor:
    """Give the power of two of each code's exponent, of a subnormal the smallest normal one, in float32."""
    reals = operand_reals(np.arange(1 << format_.width), format_, subnormals)
    exponents = np.frexp(np.where(np.isfinite(reals), reals, 0.0))[1] - 1
    return _tensor(np.ldexp(np.float32(1), np.maximum(exponents, format_.min_exponent)), device)


@lru_cache(maxsize=32)
def edges(format_: Format, rounding: OperandRounding, device: str) -> Tensor:
    """Give the smallest magnitude that becomes each code but 0, found by halving."""
    wanted = np.arange(1, format_.largest_finite + 1)
    # Bit patterns of doubles are in their order.
    low, high = np.zeros_like(wanted), np.full_like(wanted, np.array(np.finfo(np.float64).max).view(np.int64))
    while np.any(high - low > 1):
        middle = low + (high - low) // 2
        reached = encode_scaled(middle.view(np.float64), format_, rounding) >= wanted
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return _tensor(high.view(np.float64), device)


@lru_cache(maxsize=32)
def significands(mul: str, mantissa_bits: int, fraction_bits: int, device: str) -> Tensor:
    """Give the product of the significands of each two mantissas, row by row, in float64."""
    mantissa = np.arange(1 << mantissa_bits)
    products = significand_product(mantissa[:, None], mantissa, mul, mantissa_bits)
    return _tensor(products.reshape(-1) * 2.0**-fraction_bits, device)


@lru_cache(maxsize=32)
def factors(side: int, spec: Arithmetic, window: Window, device: str) -> Tensor:
    """Give the factors of `lmul.golden.sums.separable` of each code."""
    return _tensor(factor_table(side, spec, window), device)


def _tensor(array: Any, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
