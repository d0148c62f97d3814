"""Sums of products by compiled loops, where Numba is installed: the bits of the NumPy ones, much faster.

A finite operand of at most 16 bits is a float, whatever its format: float64 where sums are exact, float32
where products are truncated to integers. The sum of two such bit patterns, less that of 1.0, is a sum of
fields, as `mitchell` has it, with a constant more as `lmul` does. `addm` has a bit more where both mantissas
are marked: the second factor has patterns with that bit too. A product that is rounded, as that of `addc`, is
the product of the two floats, rounded to M bits. `lmul.multipliers.forms` says which multiplier has which.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import FP64_MANTISSA_BITS
from lmul.golden.formats.format import FP32, Format
from lmul.golden.products.exponents import Window, cut, exponent_ranges
from lmul.golden.products.operand import operand_reals
from lmul.golden.products.specials import is_special
from lmul.golden.sums.fixed_point import FP64_SIGNIFICAND_BITS, FixedPoint
from lmul.host.parallel import run_parts, worth_compiling
from lmul.multipliers.forms import ExactProduct, FieldSum, Form, MarkedFieldSum, RoundedProduct


@dataclass(frozen=True)
class Factors:
    """Both factors as the loops take them.

    Parameters
    ----------
    x, y : ndarray of int64 or int32
        Bit patterns, (G, K, 4) and (P, K, V, C).
    product : tuple
        How products are formed of them.
    zero : int
        Bit pattern of zero in x.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    product: tuple[int, tuple[Any, Any]]
    zero: int


WIDEST = 16
"""Operands of wider formats have no table."""

INT32_BITS = 31

SLACK = 2.0**-30
"""More than what is lost where bounds are added up in double precision."""

ZERO_EXPONENT = -37
"""Exponent that sums with zeros stay below: far above the smallest float32, far below any product."""


def has_loops(arithmetic: Arithmetic, products: int) -> bool:
    """Tell whether there are loops for an arithmetic's products, and so many are worth it."""
    wide = max(format_.width for format_ in arithmetic.formats) > WIDEST
    exact_in_fp32 = arithmetic.significand_bits <= FP32.mantissa_bits + 1
    return worth_compiling(products) and not wide and exact_in_fp32 and arithmetic.product_form is not None


def exact_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic
) -> Iterator[tuple[NDArray[np.float64], int]]:
    """Multiply matrices of codes without rounding. Infinities and NaN count as zero.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
        One that `has_loops`.

    Yields
    ------
    sums : ndarray of float64, shape (M, N)
        One for each pair of windows of exponents, exact; together they are the matrix product.
    exponent : int
        The sums are multiples of 2^exponent.
    """
    from lmul.golden.sums import compiled_loops as loops

    windows_a, windows_b = fewest_exact_windows(exponent_ranges(a, b, arithmetic), a.shape[1], arithmetic)
    for window_b in windows_b:
        for window_a in windows_a:
            unit = window_a[0] + window_b[0] - arithmetic.fraction_bits
            factors = _factors(a, b, arithmetic, (window_a, window_b), -unit, np.float64)
            sums = _cleared(factors)
            _run(loops.add_exactly, factors, _used(factors, loops.STEP), (2.0**unit,), (sums,))
            yield _matrix(sums, a, b), unit


def saturated_sums(
    a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic
) -> tuple[FixedPoint, NDArray[np.bool_]] | None:
    """Multiply matrices of codes in a `fixed` register, step by step. Infinities and NaN count as zero.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    arithmetic : Arithmetic
        One that `has_loops`, with a `fixed` accumulator.

    Returns
    -------
    register : FixedPoint, shape (M, N)
    overflow : ndarray of bool, shape (M, N)
        None instead of both where the register is too wide, or a product could be beyond it.
    """
    from lmul.golden.sums import compiled_loops as loops

    first, second = exponent_ranges(a, b, arithmetic)
    bits, lsb, headroom = arithmetic.accumulator_bits, arithmetic.lsb_exponent, _headroom(arithmetic)
    if first is None or second is None or bits + arithmetic.lanes.bit_length() > INT32_BITS:
        return None
    largest = first[1] + second[1] + headroom - lsb
    if largest >= bits:
        return None
    if largest <= 0:  # All products are below the last place.
        return FixedPoint.cleared((len(a), b.shape[1]), bits), np.zeros((len(a), b.shape[1]), dtype=np.bool_)
    # Products of smaller operands are below the last place.
    window_a = max(first[0], lsb - headroom + 1 - second[1]), first[1]
    window_b = max(second[0], lsb - headroom + 1 - first[1]), second[1]
    factors = _factors(a, b, arithmetic, (window_a, window_b), -lsb, np.float32)
    reach = _largest_products(b, arithmetic) * 2.0 ** (window_a[0] - lsb)
    used = _used(factors, arithmetic.lanes)
    sums, extreme, limit = _cleared(factors), _cleared(factors), np.int32(1 << (bits - 1))
    _run(loops.add_truncated, factors, used, (reach, arithmetic.lanes, limit), (sums, extreme))
    return FixedPoint(_matrix(sums, a, b)[None], bits), _matrix(extreme, a, b) >= limit


def _largest_products(b: NDArray[Any], arithmetic: Arithmetic) -> NDArray[np.float64]:
    """Give a number for each row of b (K, N): no product with it and some x is larger than x times that."""
    format_, mantissa_bits = arithmetic.formats[1], arithmetic.mantissa_bits
    largest = np.max(b & b.dtype.type(format_.magnitude_mask), axis=1, initial=0)
    finite = np.minimum(largest, format_.largest_finite)
    # Relative to the exact product nothing adds more than to 1 times 1, and rounding less than a unit.
    form = arithmetic.product_form
    added = arithmetic.mul_constant + (1 << (form.place if isinstance(form, MarkedFieldSum) else 0))
    above = (1 + added / (1 << mantissa_bits)) * (1 + SLACK)
    return operand_reals(finite, format_, arithmetic.subnormals) * above


def _headroom(arithmetic: Arithmetic) -> int:
    """Give h: products of operands with exponents ex and ey are below 2^(ex + ey + h)."""
    return (arithmetic.largest_significand >> arithmetic.fraction_bits).bit_length()


@lru_cache
def fewest_exact_windows(
    ranges: tuple[Window | None, Window | None], depth: int, arithmetic: Arithmetic
) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    """Divide ranges of exponents so that sums of as many products as `depth` are exact in double precision.

    Every window of `b` takes all products once more, a window of `a` only skips those of the others: the
    largest operands are in one as wide as can be, which leaves few for the next.
    """
    first, second = ranges
    room = FP64_SIGNIFICAND_BITS - depth.bit_length() - arithmetic.fraction_bits
    # Windows of n and m exponents have products below 2^(n - 1 + m - 1 + headroom).
    exponents = room + 2 - _headroom(arithmetic)
    sizes = range(exponents - 1, 0, -1)
    pairs = [(cut(first, size), cut(second, exponents - size)) for size in sizes]
    return min(pairs, key=lambda pair: (len(pair[1]), len(pair[0])))


def _factors(
    a: NDArray[Any],
    b: NDArray[Any],
    arithmetic: Arithmetic,
    windows: tuple[Window, Window],
    scale: int,
    precision: type[np.floating[Any]],
) -> Factors:
    """Give the factors, their products times 2^scale. Operands outside of the windows are zero."""
    x, y, product, zero = pattern_tables(arithmetic, windows, scale, precision)
    return Factors(*gathered(x, y, a, b), product, zero)


def pattern_tables(
    arithmetic: Arithmetic,
    windows: tuple[Window, Window],
    scale: int,
    precision: type[np.floating[Any]],
) -> tuple[NDArray[Any], NDArray[Any], tuple[int, tuple[Any, Any]], int]:
    """Give the bit patterns of all codes of both factors, as `Factors` has them.

    Returns
    -------
    x, y : ndarray of int64 or int32, shapes (2^W,) and (V, 2^W)
    product : tuple
        How products are formed of them.
    zero : int
        Bit pattern of zero in x.
    """
    form, (first, second), layout = arithmetic.product_form, windows, np.finfo(precision)
    kind = product_kind(form)
    excess = layout.nmant - arithmetic.mantissa_bits
    zeros, offset = (0, 0), 0
    if isinstance(form, FieldSum | MarkedFieldSum):
        zeros = _zeros(first[1] - first[0] + 1, second[0] + first[0] + scale, layout.nmant)
        offset = ((layout.maxexp - 1) << layout.nmant) - (arithmetic.mul_constant << excess)
    x = _bit_patterns(arithmetic, 0, first, -first[0], precision)
    y = _bit_patterns(arithmetic, 1, second, first[0] + scale, precision)
    x, y = np.where(x, x, zeros[0]), np.where(y, y - offset, zeros[1])[None]
    if isinstance(form, MarkedFieldSum):
        marked_x, marked_y = (
            form.marked(normalised_mantissas(format_, arithmetic)).astype(x.dtype)
            for format_ in arithmetic.formats
        )
        x |= np.where(x == zeros[0], 0, marked_x)  # Zeros are skipped.
        # The bit that chooses is in the sum, too.
        y = np.concatenate([y, y + (marked_y << (excess + form.place)) - 1])
    integer = x.dtype.type
    rounding = integer(-1 << layout.nmant), integer(excess << layout.nmant)
    return x, y, (kind, rounding), zeros[0]


def product_kind(form: Form | None) -> int:
    """Give the loops' kind of products.

    Raises
    ------
    ValueError
        There is no loop for them.
    """
    from lmul.golden.sums import compiled_loops as loops

    match form:
        case FieldSum():
            return loops.ADDED
        case MarkedFieldSum():
            return loops.CHOSEN
        case ExactProduct():
            return loops.MULTIPLIED
        case RoundedProduct():
            return loops.ROUNDED
    raise ValueError("there is no loop for these products")


def gathered(
    x: NDArray[Any], y: NDArray[Any], a: NDArray[Any], b: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give the bit patterns of codes as tiles take them, with those of code 0 up to whole tiles."""
    from lmul.golden.sums import compiled_loops as loops

    columns = loops.TILE_BYTES // y.itemsize
    groups = np.empty((-(-len(a) // loops.TILE_ROWS), a.shape[1], loops.TILE_ROWS), x.dtype)
    panels = np.empty((-(-b.shape[1] // columns), len(b), len(y), columns), y.dtype)
    loops.gather_groups(x, np.ascontiguousarray(a), groups)
    loops.gather_panels(y, np.ascontiguousarray(b), panels)
    return groups, panels


def tiled(a: NDArray[Any], b: NDArray[Any], rows: int, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Cut matrices (M, K) and (K, N) into whole tiles (G, K, rows) and (P, K, columns), padded with zeros."""
    a = np.pad(a, ((0, -len(a) % rows), (0, 0)))
    b = np.pad(b, ((0, 0), (0, -b.shape[1] % columns)))
    groups = a.reshape(len(a) // rows, rows, a.shape[1]).swapaxes(1, 2)
    panels = b.reshape(len(b), b.shape[1] // columns, columns).swapaxes(0, 1)
    return np.ascontiguousarray(groups), np.ascontiguousarray(panels)


def _zeros(span: int, lowest: int, mantissa_bits: int) -> tuple[int, int]:
    """Give bit patterns of zero for both factors: added to any of the other's, they are tiny floats.

    Parameters
    ----------
    span : int
        Exponents of the first factor, from that of 1.0 on.
    lowest : int
        Smallest exponent of the second, whose bit patterns are without that of 1.0.
    mantissa_bits : int
        Of the floats.
    """
    second = ZERO_EXPONENT - span
    first = max(1 - second, 1 - lowest)
    return first << mantissa_bits, second << mantissa_bits


def _bit_patterns(
    arithmetic: Arithmetic, side: int, window: Window, scale: int, precision: type[np.floating[Any]]
) -> NDArray[Any]:
    """Give the float of each code of one operand, times 2^scale; 0 for zeros and outside of the window."""
    reals, exponent = finite_operands(arithmetic.formats[side], arithmetic.subnormals)
    inside = (reals != 0) & (exponent >= window[0]) & (exponent <= window[1])
    floats = (np.where(inside, reals, 0) * 2.0**scale).astype(precision)
    return floats.view(np.dtype(f"i{floats.itemsize}"))


def normalised_mantissas(format_: Format, arithmetic: Arithmetic) -> NDArray[np.int64]:
    """Give each code's mantissa, of a subnormal that is normalised, in the M bits of the wider operand."""
    bits = finite_operands(format_, arithmetic.subnormals)[0].view(np.int64)
    mask = (1 << arithmetic.mantissa_bits) - 1
    mantissas: NDArray[np.int64] = bits >> (FP64_MANTISSA_BITS - arithmetic.mantissa_bits) & mask
    return mantissas


def _used(factors: Factors, step: int) -> NDArray[np.bool_]:
    """Tell whether any of the operands of so many k is not zero, (G, ceil(K / step))."""
    used = np.any(factors.x != factors.zero, axis=2)
    return np.logical_or.reduceat(used, np.arange(0, used.shape[1], step), axis=1)


def _cleared(factors: Factors) -> NDArray[Any]:
    """Make the sums of all tiles, which are zero: doubles of float64 products, integers of float32 ones."""
    (groups, _, rows), (panels, _, _, columns) = factors.x.shape, factors.y.shape
    dtype = np.float64 if factors.x.dtype == np.int64 else np.int32
    return np.zeros((groups, rows, panels * columns), dtype=dtype)


def _matrix(sums: NDArray[Any], a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Give the sums of a matrix product from those of its tiles."""
    groups, rows, columns = sums.shape
    return sums.reshape(groups * rows, columns)[: len(a), : b.shape[1]]


def _run(
    loop: Callable[..., None],
    factors: Factors,
    used: NDArray[np.bool_],
    scalars: Sequence[Any],
    results: Sequence[NDArray[Any]],
) -> None:
    """Run a loop over ranges of tiles, on every processor."""

    def part(groups: slice) -> None:
        loop(
            factors.x[groups],
            factors.y,
            factors.product,
            used[groups],
            *scalars,
            *(result[groups] for result in results),
        )

    run_parts(part, len(factors.x))


@lru_cache(maxsize=16)
def finite_operands(format_: Format, subnormals: str) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Give each code's operand, zero for infinities, NaN and flushed numbers, and its exponent."""
    codes = np.arange(1 << format_.width, dtype=format_.dtype)
    reals = np.where(is_special(codes, format_), 0.0, operand_reals(codes, format_, subnormals))
    return reals, np.frexp(reals)[1] - 1
