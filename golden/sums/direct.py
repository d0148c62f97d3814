"""Exact matrix products one product after the other, for formats too wide to separate.

Wide products are doubles. Their sum is kept exact by cutting each product, at fixed places, into
pieces so short that K of them add up without rounding (Rump, Ogita and Oishi, SIAM J. Sci. Comput.
31(1), 2008: ExtractVector).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.products.multiply import wide_product
from lmul.golden.products.operand import split
from lmul.golden.products.specials import is_special
from lmul.golden.sums.fixed_point import FP64_SIGNIFICAND_BITS
from lmul.golden.sums.tiles import tiles


def direct_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic
) -> Iterator[tuple[NDArray[np.float64], int]]:
    """Multiply matrices of codes. Infinities and NaN count as zero.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic

    Yields
    ------
    sums : ndarray of float64, shape (M, N)
        One for each place of a cut, exact; together they are the matrix product.
    exponent : int
        The sums are multiples of 2^exponent.
    """
    a, b = (
        np.where(is_special(codes, format_), codes.dtype.type(0), codes)
        for codes, format_ in zip((a, b), arithmetic.formats, strict=True)
    )
    exponents = _piece_exponents(a, b, arithmetic)
    sums = np.zeros((len(exponents), a.shape[0], b.shape[1]))
    for rows, cols in tiles(a.shape[0], b.shape[1]):
        for k in range(a.shape[1]):
            rest = wide_product(a[rows, k, None], b[None, k, cols], arithmetic)
            for index, exponent in enumerate(exponents):
                # Adding and subtracting 1.5 * 2^52 units rounds to whole units.
                anchor = 1.5 * 2.0 ** (exponent + FP64_SIGNIFICAND_BITS - 1)
                piece = (rest + anchor) - anchor
                sums[index, rows, cols] += piece
                rest -= piece
    yield from zip(sums, exponents, strict=True)


def _piece_exponents(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> list[int]:
    """Give the exponents of the pieces' units, largest first; the last is that of the smallest product."""
    lowest, highest = -arithmetic.fraction_bits, 2
    for codes, format_ in zip((a, b), arithmetic.formats, strict=True):
        power = np.abs(split(codes, format_, arithmetic).power)
        if not np.any(power):
            return []
        highest += int(np.frexp(np.max(power, initial=0.0))[1])
        lowest += int(np.frexp(np.min(power, where=power > 0, initial=np.inf))[1]) - 1
    piece_bits = FP64_SIGNIFICAND_BITS - 2 - max(a.shape[1], 1).bit_length()
    return list(range(max(lowest, arithmetic.product_lsb_exponent), highest, piece_bits))[::-1]
