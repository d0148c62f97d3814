"""Tensors of real numbers to codes and one scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.codec import Rounding, encode
from lmul.golden.formats import Codes, Format

SELF_SCALED_EXPONENT_BITS = 8
"""Formats with as many exponent bits have float32's range and are not scaled."""


@dataclass(frozen=True)
class Quantised:
    """A tensor as codes and the number that they were divided by.

    Parameters
    ----------
    codes : ndarray of unsigned int
    scale : float
        `decode(codes) * scale` approximates the tensor.
    """

    codes: Codes
    scale: float


def quantise(tensor: ArrayLike, format_: Format, rounding: Rounding = "nearest") -> Quantised:
    """Scale a tensor so that its largest magnitude is the format's largest number, then encode.

    One scale for the whole tensor, a normal double. A tensor of zeros has scale 1, and so has every
    tensor in a format with 8 exponent bits.

    Parameters
    ----------
    tensor : array_like of finite floats, any shape
    format_ : Format
    rounding : {"nearest", "truncate"}
        Nearest with ties to even, or toward zero.

    Raises
    ------
    ValueError
        The tensor holds NaN or infinity.
    """
    reals: NDArray[np.float64] = np.asarray(tensor, dtype=np.float64)
    if not np.all(np.isfinite(reals)):
        raise ValueError("tensor must be finite: NaN and infinity have no scale")
    peak = float(np.max(np.abs(reals), initial=0.0))
    if not peak or format_.exponent_bits >= SELF_SCALED_EXPONENT_BITS:
        return Quantised(encode(reals, format_, rounding), 1.0)
    # A NumPy scalar, so that codes decoded to float32 are scaled in float64.
    scale = np.float64(max(peak / format_.largest, np.finfo(np.float64).tiny))
    return Quantised(encode(reals / scale, format_, rounding), scale)
