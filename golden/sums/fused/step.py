"""Sums as tensor cores add them: a step's products and the running sum aligned, truncated, added at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.accumulators import Fused
from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import encode
from lmul.golden.formats.format import FP32, Format, as_codes
from lmul.golden.products.multiply import TABLE_WIDTH, wide_product
from lmul.golden.products.operand import operand_reals
from lmul.golden.products.specials import special_sums
from lmul.golden.sums.blocks.scales import Scales, nan_sums, scaled_terms, step_scales
from lmul.golden.sums.fused.compiled import has_fused_loops, looped_sums
from lmul.golden.sums.tiles import tiles
from lmul.host.parameters import ParameterError
from lmul.multipliers.table import NOT_ADDED

NO_TERM = -(1 << 12)
"""An exponent below that of any term."""


@dataclass(frozen=True)
class Products:
    """Products as terms of a sum, all of one shape.

    Parameters
    ----------
    values : ndarray of float64
        Exact; infinities and NaN among them.
    exponents : ndarray of int16
        Those that a sum is aligned by; `NO_TERM`, or less, of zeros, infinities and NaN.
    """

    values: NDArray[np.float64]
    exponents: NDArray[np.int16]

    def at(self, index: Any) -> "Products":
        """Give some of them."""
        return Products(self.values[index], self.exponents[index])

    def scaled(self, scales: Scales | None, arithmetic: Arithmetic) -> "Products":
        """Give those of a step, or their exact sums in groups, times the scales of their operands."""
        if scales is None:
            return self
        return Products(*scaled_terms((self.values, self.exponents), scales, arithmetic))


def fused_sums(
    a: NDArray[Any],
    b: NDArray[Any],
    arithmetic: Arithmetic,
    start: NDArray[np.float32] | None = None,
    scales: Scales | None = None,
) -> NDArray[np.float32]:
    """Multiply matrices of codes in a register that a step's products are added to at once.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
        With a `Fused` accumulator.
    start : ndarray of float32, shape (M, N), optional
        The running sums to begin with, by default zero.
    scales : Scales, optional
        Of every step, where the arithmetic has block scales.

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    begun = np.zeros((len(a), b.shape[1]), dtype=np.float32) if start is None else start
    if not has_fused_loops(arithmetic, a.size * b.shape[1]):
        return _stepwise_sums(a, b, begun, arithmetic, scales)
    infinity, nan = special_sums(a, b, arithmetic)
    if scales:
        nan |= nan_sums(scales, arithmetic)
    if start is not None:
        nan |= np.isnan(start)
    finite = None if start is None else np.where(nan, 0, start)
    register = looped_sums(a, b, finite, arithmetic, scales)
    if not (infinity.any() or nan.any()):
        return register
    # An infinite product and an infinite sum: which was first does not matter where both have one sign.
    doubtful = (infinity != 0) & np.isinf(register) & (infinity != np.sign(register))
    infinite = infinity != 0
    register[infinite] = np.copysign(np.float32(np.inf), infinity[infinite])
    register[nan] = np.nan
    rows = doubtful.any(axis=1)
    if rows.any():
        some = Scales(scales.a[rows], scales.b) if scales else None
        register[rows] = _stepwise_sums(a[rows], b, begun[rows], arithmetic, some)
    return register


def _stepwise_sums(
    a: NDArray[Any],
    b: NDArray[Any],
    start: NDArray[np.float32],
    arithmetic: Arithmetic,
    scales: Scales | None,
) -> NDArray[np.float32]:
    """Give those sums with NumPy."""
    register = start.copy()
    for rows, cols in tiles(*register.shape):
        total = register[rows, cols]
        for products in step_products(a, b, arithmetic, scales, (rows, cols)):
            total[...] = add_step(products, total, arithmetic)
    return register


def step_products(
    a: NDArray[Any],
    b: NDArray[Any],
    arithmetic: Arithmetic,
    scales: Scales | None,
    tile: tuple[slice, slice],
) -> Iterator[Products]:
    """Give the terms of each step of a tile of a matrix product, times their scales where there are any.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
    scales : Scales, optional
        Of every step.
    tile : tuple of two slices
        Its rows and its columns.
    """
    rows, cols = tile
    for number, first in enumerate(range(0, a.shape[1], arithmetic.lanes)):
        step = slice(first, first + arithmetic.lanes)
        products = fused_products(a[rows, step].T[:, :, None], b[step, cols][:, None], arithmetic)
        own = scales and scales.of_step(number, arithmetic.scales_a_step, rows, cols)
        yield products.scaled(own, arithmetic)


def fused_step(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    arithmetic: Arithmetic,
    a_scale: ArrayLike | None = None,
    b_scale: ArrayLike | None = None,
) -> NDArray[np.uint32]:
    """Add the products of one step to a running sum, as a tensor core's instruction does.

    Parameters
    ----------
    a, b : array_like of integers from 0 to 2^W - 1, shape (..., N)
        N need not be `lanes`.
    c : array_like of integers from 0 to 2^32 - 1, shape (...)
        Codes of fp32, of any mantissa.
    arithmetic : Arithmetic
        With a `fused` accumulator.
    a_scale, b_scale : array_like of integers from 0 to 255, shape (..., S), optional
        Where the arithmetic has block scales: those of every block of the N operands.

    Returns
    -------
    ndarray of uint32, shape (...)
        Codes of fp32; NaN is the canonical one.

    Raises
    ------
    ValueError
        The accumulator is another one, there is no such code, the shapes do not fit, or scales are missing or
        are not those of the arithmetic.

    Examples
    --------
    >>> from lmul.golden import E4M3, Arithmetic, encode, fused_step
    >>> one = encode([1.0, 1.0, 1.0], E4M3)
    >>> hex(int(fused_step(one, one, 0x3F800000, Arithmetic(mul="exact", acc="h100"))))
    '0x40800000'
    >>> mx = Arithmetic(mul="exact", acc="b200", scale="mx")
    >>> hex(int(fused_step(one, one, 0x3F800000, mx, [128], [127])))
    '0x40e00000'
    """
    if not isinstance(arithmetic.accumulator, Fused):
        raise ParameterError("acc", f"{arithmetic.acc!r} is no fused sum: take {', '.join(Fused.WORDS)}")
    first, second = arithmetic.formats
    x, y = np.moveaxis(as_codes(a, first), -1, 0), np.moveaxis(as_codes(b, second), -1, 0)
    start = as_codes(c, FP32).astype(np.uint32).view(np.float32)
    scales = step_scales(a_scale, b_scale, x, y, arithmetic)
    total = add_step(fused_products(x, y, arithmetic).scaled(scales, arithmetic), start, arithmetic)
    return np.asarray(encode(total, FP32, "nearest", "ieee"), dtype=np.uint32)


def add_step(products: Products, total: NDArray[np.float32], arithmetic: Arithmetic) -> NDArray[np.float32]:
    """Add the products of a step to running sums.

    Parameters
    ----------
    products : Products, shape (terms, ...)
        Scaled, where their operands have scales.
    total : ndarray of float32, shape (...)
    arithmetic : Arithmetic
        With a `Fused` accumulator.

    Returns
    -------
    ndarray of float32, shape (...)
    """
    fused = arithmetic.fused
    finite, own = np.isfinite(products.values), np.isfinite(total)
    own_exponent = np.maximum(np.frexp(total)[1] - 1, FP32.min_exponent)
    own_exponent = np.where(own & (total != 0), own_exponent, NO_TERM)
    top = np.maximum(products.exponents.max(axis=0, initial=NO_TERM), own_exponent)
    top = np.maximum(top, arithmetic.least_exponent)
    places = fused.fraction_bits - top
    terms = np.trunc(np.ldexp(np.where(finite, products.values, 0.0), places))
    units = terms.sum(axis=0) + np.trunc(np.ldexp(np.where(own, total, 0.0).astype(np.float64), places))
    rounded = _rounded(units, -places, fused)
    if finite.all() and own.all():
        return rounded
    with np.errstate(invalid="ignore"):  # Infinities of both signs are NaN.
        special = np.where(finite, 0.0, products.values).sum(axis=0) + np.where(own, 0.0, total)
    return np.where(special == 0, rounded, special).astype(np.float32)


def _rounded(units: NDArray[np.float64], exponent: NDArray[Any], fused: Fused) -> NDArray[np.float32]:
    """Round sums, whole numbers of 2^exponent, to the bits of the register that are kept."""
    leading = np.frexp(units)[1] - 1 + exponent
    last = np.maximum(leading, FP32.min_exponent) - fused.mantissa_bits
    kept = np.ldexp(units, exponent - last)
    kept = np.rint(kept) if fused.nearest else np.trunc(kept)
    with np.errstate(over="ignore"):  # What is too large is infinite.
        rounded: NDArray[np.float32] = (np.ldexp(kept, last) + 0.0).astype(np.float32)
    return rounded


def fused_products(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Products:
    """Multiply codes, of shapes that are broadcast against each other, into terms of a fused sum."""
    first, second = arithmetic.formats
    if max(first.width, second.width) > TABLE_WIDTH:
        return _multiplied(a, b, arithmetic)
    return _table(arithmetic).at((a, b))


@lru_cache(maxsize=8)
def _table(arithmetic: Arithmetic) -> Products:
    x, y = (np.arange(1 << format_.width) for format_ in arithmetic.formats)
    return _multiplied(x[:, None], y[None], arithmetic)


def _multiplied(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Products:
    first, second = arithmetic.formats
    values = wide_product(a, b, arithmetic)
    if arithmetic.integer:  # Groups of them are the terms.
        return Products(values, np.full(values.shape, NO_TERM, np.int16))
    if arithmetic.mul in NOT_ADDED:  # Not normalised: the exponents of the operands count.
        exponents = _exponents(a, first, arithmetic) + _exponents(b, second, arithmetic)
    else:  # The carry has run into the exponent.
        exponents = np.frexp(np.where(np.isfinite(values), values, 0.0))[1] - 1
    term = np.isfinite(values) & (values != 0)
    return Products(values, np.where(term, exponents, NO_TERM).astype(np.int16))


def _exponents(codes: NDArray[Any], format_: Format, arithmetic: Arithmetic) -> NDArray[Any]:
    """Give the exponents of operands; a subnormal's is that of the smallest normal number."""
    reals = operand_reals(codes, format_, arithmetic.subnormals)
    leading = np.frexp(np.where(np.isfinite(reals), reals, 0.0))[1] - 1
    exponents: NDArray[Any] = np.maximum(leading, format_.min_exponent)
    return exponents
