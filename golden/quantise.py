"""Tensors of real numbers to codes and one scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.codec import Codes, decode, encode
from lmul.golden.formats import Format


@dataclass(frozen=True)
class Quantised:
    """A tensor as codes and the number that they were divided by.

    Parameters
    ----------
    codes : ndarray of uint8
    scale : float
        `decode(codes) * scale` approximates the tensor.
    """

    codes: Codes
    scale: float


def quantise(tensor: ArrayLike, format_: Format) -> Quantised:
    """Scale a tensor so that its largest magnitude is the format's largest number, then encode.

    One scale for the whole tensor, a normal double, rounding to nearest even. A tensor of zeros has
    scale 1.

    Parameters
    ----------
    tensor : array_like of finite floats, any shape
    format_ : Format

    Raises
    ------
    ValueError
        The tensor holds NaN or infinity.
    """
    reals: NDArray[np.float64] = np.asarray(tensor, dtype=np.float64)
    if not np.all(np.isfinite(reals)):
        raise ValueError("tensor must be finite: NaN and infinity have no scale")
    peak = float(np.max(np.abs(reals), initial=0.0))
    largest = float(decode(np.array(format_.largest_finite), format_))
    # A NumPy scalar, so that codes decoded to float32 are scaled in float64.
    scale = np.float64(max(peak / largest, np.finfo(np.float64).tiny) if peak else 1.0)
    return Quantised(encode(reals / scale, format_), scale)
