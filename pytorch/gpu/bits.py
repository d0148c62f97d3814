"""Bits of double-precision tensors: exponents and powers of two, which are the same on every device."""

import torch
from torch import Tensor

_MANTISSA, _BIAS, _EXPONENTS = 52, 1023, 0x7FF


def exponent(reals: Tensor) -> Tensor:
    """Give floor(log2) of the magnitudes of normal doubles; of zero -1023."""
    return (reals.view(torch.int64) >> _MANTISSA & _EXPONENTS) - _BIAS


def power_of_two(exponents: Tensor) -> Tensor:
    """Give 2^exponent in float64, exponents from -1022 to 1023."""
    return ((exponents.to(torch.int64) + _BIAS) << _MANTISSA).view(torch.float64)
