"""Two's complement integers: their numbers and their bit patterns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.formats.format import Codes, Integer


def integers(codes: NDArray[Any], format_: Integer) -> NDArray[np.int64]:
    """Give the numbers that codes stand for."""
    signed: NDArray[np.int64] = (codes.astype(np.int64) ^ format_.sign_mask) - format_.sign_mask
    return signed


def integer_codes(whole: NDArray[np.float64], format_: Integer) -> Codes:
    """Give the codes of whole numbers; beyond the range, infinities too, that of its end on their side."""
    ends = -float(format_.sign_mask), format_.largest
    mask = (1 << format_.width) - 1
    codes: Codes = (np.clip(whole, *ends).astype(np.int64) & mask).astype(format_.dtype)
    return codes
