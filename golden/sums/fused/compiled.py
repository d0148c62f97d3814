"""Fused sums by compiled loops, where Numba is installed: the bits of the NumPy ones, much faster.

Factors are floats, as in `lmul.golden.sums.compiled`: float32 where all products fit its exponents and the
terms of a step an int32; float64 for any others. The smallest product has so large an exponent that all sums
with the bit patterns of zero stay far below it, and vanish where it leaves F bits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import FP64_MANTISSA_BITS
from lmul.golden.formats.format import FP32
from lmul.golden.products.exponents import Window, exponent_ranges
from lmul.golden.sums.blocks.compiled import fused_group_sums
from lmul.golden.sums.blocks.scales import Scales
from lmul.golden.sums.compiled import (
    INT32_BITS,
    WIDEST,
    finite_operands,
    gathered,
    normalised_mantissas,
    product_kind,
    tiled,
)
from lmul.golden.sums.tiles import TILE_COLUMNS
from lmul.host.parallel import run_parts, worth_compiling
from lmul.multipliers.forms import ExactProduct, FieldSum, Form, MarkedFieldSum, RoundedProduct

Shifts = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Exponents of the scales of both operands."""

CARRIES = 3
"""Sums of fields carry less often into the exponent."""

FEWEST_TERMS = 8
"""Steps of so many products are integers of 32 bits, or are added in double precision."""


@dataclass(frozen=True)
class Layout:
    """How products lie in floats.

    Parameters
    ----------
    first, second : tuple of int
        The smallest and largest exponents of the operands.
    fraction_bits : int
        F.
    precision : type
        Of the floats.
    """

    first: Window
    second: Window
    fraction_bits: int
    precision: type[np.floating[Any]]

    @property
    def spans(self) -> tuple[int, int]:
        """How many times either operand's exponent can grow by 1."""
        return self.first[1] - self.first[0], self.second[1] - self.second[0]

    @property
    def start(self) -> int:
        """The exponent field of the smallest product: those of zeros end F + 2 below it."""
        return sum(self.spans) + 2 * self.fraction_bits + 2 * CARRIES + 8

    @property
    def zeros(self) -> tuple[int, int]:
        """Exponent fields of zero operands, to be added to any of the other's."""
        end = self.start - self.fraction_bits - 2 - CARRIES - 1
        return end - self.spans[1] - self.start, end - self.spans[0]

    @property
    def fits(self) -> bool:
        """Whether the largest product is a float, with room for the power of two that rounds it."""
        numbers = np.finfo(self.precision)
        largest: int = self.start + sum(self.spans) + CARRIES
        return bool(largest + numbers.nmant < 2 * numbers.maxexp - 1)


def has_fused_loops(arithmetic: Arithmetic, products: int) -> bool:
    """Tell whether there are loops for the fused sums of an arithmetic, and so many products are worth it."""
    wide = max(format_.width for format_ in arithmetic.formats) > WIDEST
    # Where products are terms, those of a step have one scale.
    scales = arithmetic.scales_a_step > 1 and not arithmetic.grouped
    known = arithmetic.grouped or arithmetic.product_form is not None
    return worth_compiling(products) and not wide and not scales and known


def looped_sums(
    a: NDArray[Any],
    b: NDArray[Any],
    start: NDArray[np.float32] | None,
    arithmetic: Arithmetic,
    scales: Scales | None = None,
) -> NDArray[np.float32]:
    """Multiply matrices of codes in a fused sum, step by step. Infinities and NaN of operands count as zero.

    Parameters
    ----------
    a : ndarray of integer codes, shape (M, K)
    b : ndarray of integer codes, shape (K, N)
    start : ndarray of float32, shape (M, N), or None
        Running sums to begin with, not NaN; by default zero.
    arithmetic : Arithmetic
        One that `has_fused_loops`, with a `Fused` accumulator.
    scales : Scales, optional
        Of every step; what NaN among them gives means nothing.

    Returns
    -------
    ndarray of float32, shape (M, N)
        Infinite where a sum became too large on its way.
    """
    shape = len(a), b.shape[1]
    if scales and arithmetic.grouped:
        zeros = np.zeros(shape, np.float32)
        return fused_group_sums(a, b, zeros if start is None else start, arithmetic, scales)
    register, layout = np.empty(shape, np.float32), _layout(a, b, arithmetic)
    shifts = _shifts(a, b, arithmetic, scales)
    for first in range(0, b.shape[1], TILE_COLUMNS):  # Bit patterns are larger than codes.
        columns = slice(first, first + TILE_COLUMNS)
        own = shifts[0], shifts[1][:, columns]
        begun = None if start is None else start[:, columns]
        register[:, columns] = _tile_sums(a, b[:, columns], begun, arithmetic, layout, own)
    return register


def _shifts(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic, scales: Scales | None) -> Shifts:
    """Give the exponents of the scales of each step, of shapes (M, S) and (S, N), zero without any."""
    scale, steps = arithmetic.block_scale, -(-a.shape[1] // arithmetic.lanes)
    if scale is None or scales is None:
        return np.zeros((len(a), steps), np.int32), np.zeros((steps, b.shape[1]), np.int32)
    return scale.exponents(scales.a).astype(np.int32), scale.exponents(scales.b).astype(np.int32)


def _layout(a: NDArray[Any], b: NDArray[Any], arithmetic: Arithmetic) -> Layout:
    """Choose a layout for the exponents that occur."""
    ranges = exponent_ranges(a, b, arithmetic)
    # Where all operands are zero there is no exponent.
    first, second = ranges[0] or (0, 0), ranges[1] or (0, 0)
    if isinstance(arithmetic.product_form, ExactProduct):  # Aligned by the exponents of normal numbers.
        least = [format_.min_exponent for format_ in arithmetic.formats]
        first, second = (first[0], max(first[1], least[0])), (second[0], max(second[1], least[1]))
    fused = arithmetic.fused
    single = Layout(first, second, fused.fraction_bits, np.float32)
    enough = _most_terms(arithmetic) >= min(FEWEST_TERMS, arithmetic.lanes)
    if enough and single.fits and _significand_bits(arithmetic) <= FP32.mantissa_bits + 1:
        return single
    return Layout(first, second, fused.fraction_bits, np.float64)


def _significand_bits(arithmetic: Arithmetic) -> int:
    """Bits of a product before it is rounded."""
    multiplied = isinstance(arithmetic.product_form, ExactProduct | RoundedProduct)
    return 2 + 2 * arithmetic.mantissa_bits if multiplied else 1 + arithmetic.mantissa_bits


def _most_terms(arithmetic: Arithmetic) -> int:
    """Give how many terms an int32 holds the sum of: one is below 2^(F + 1), not normalised 2^(F + 2)."""
    above = 2 if isinstance(arithmetic.product_form, ExactProduct) else 1
    return int(2.0 ** (INT32_BITS - arithmetic.fused.fraction_bits - above))


def _tile_sums(
    a: NDArray[Any],
    b: NDArray[Any],
    start: NDArray[np.float32] | None,
    arithmetic: Arithmetic,
    layout: Layout,
    shifts: Shifts,
) -> NDArray[np.float32]:
    from lmul.golden.sums.fused import loops

    form, numbers = arithmetic.product_form, np.finfo(layout.precision)
    # Exact products are aligned by the sum of the operands' exponents, which has no constant.
    aligned = FieldSum() if isinstance(form, ExactProduct) else form
    x_top, y_top = gathered(*_tables(_aligning(arithmetic, layout), aligned, arithmetic, layout), a, b)
    x, y = gathered(*_tables(_operands(arithmetic, layout), form, arithmetic, layout), a, b)
    x_shift, y_shift = tiled(*shifts, x.shape[2], y.shape[3])
    excess = numbers.nmant - arithmetic.mantissa_bits
    cleared = start is None or not start.any()
    normal = cleared and _all_normal(arithmetic, layout, shifts, a.shape[1])
    how = (
        product_kind(form),
        (x.dtype.type(-1 << numbers.nmant), x.dtype.type(excess << numbers.nmant)),
        _scalars(arithmetic, layout, normal),
        arithmetic.lanes,
    )
    sums = np.zeros((len(x), x.shape[2], y.shape[0] * y.shape[3]), dtype=np.float32)
    matrix = sums.reshape(-1, sums.shape[2])[: len(a), : b.shape[1]]
    if start is not None:
        matrix[...] = start

    def part(groups: slice) -> None:
        loops.add_steps(x_top[groups], x[groups], x_shift[groups], y_top, y, y_shift, *how, sums[groups])

    run_parts(part, len(x))
    return matrix


def _scalars(arithmetic: Arithmetic, layout: Layout, normal: bool) -> tuple[int, ...]:
    """Give the numbers that are called `layout` in the loops."""
    fused, (first, second) = arithmetic.fused, (layout.first, layout.second)
    return (
        first[0] + second[0],
        layout.start,
        first[1] + second[1] + CARRIES,
        fused.fraction_bits,
        fused.floor,
        arithmetic.lanes if layout.precision is np.float64 else _most_terms(arithmetic),
        (FP64_MANTISSA_BITS - fused.mantissa_bits) << FP64_MANTISSA_BITS,
        int(fused.nearest),
        int(normal and not fused.nearest),
    )


def _all_normal(arithmetic: Arithmetic, layout: Layout, shifts: Shifts, depth: int) -> bool:
    """Tell whether sums that begin with zero are zero or normal numbers of fp32, with room on either side.

    Each is a multiple of the smallest product's last bit that is kept, and no sum of larger ones.
    """
    from lmul.golden.sums.fused.loops import NORMAL_EXPONENT

    least, most = (sum(int(extreme(side, initial=0)) for side in shifts) for extreme in (np.min, np.max))
    lowest = layout.first[0] + layout.second[0] + least - layout.fraction_bits
    highest = layout.first[1] + layout.second[1] + CARRIES + most + depth.bit_length()
    return lowest >= -NORMAL_EXPONENT and highest <= NORMAL_EXPONENT


def _operands(arithmetic: Arithmetic, layout: Layout) -> list[NDArray[np.float64]]:
    """Give each code's operand of either format, zero where its exponent does not occur."""
    operands = []
    for format_, (lowest, highest) in zip(arithmetic.formats, (layout.first, layout.second), strict=True):
        reals, exponents = finite_operands(format_, arithmetic.subnormals)
        occur = (reals != 0) & (exponents >= lowest) & (exponents <= highest)
        operands.append(np.where(occur, reals, 0.0))  # A negative zero is no zero among bit patterns.
    return operands


def _aligning(arithmetic: Arithmetic, layout: Layout) -> list[NDArray[np.float64]]:
    """Give what has the exponents that products are aligned by, without sign."""
    magnitudes = [np.abs(reals) for reals in _operands(arithmetic, layout)]
    if not isinstance(arithmetic.product_form, ExactProduct):
        return magnitudes
    return [
        np.where(reals > 0, np.maximum(2.0 ** (np.frexp(reals)[1] - 1), format_.smallest), 0.0)
        for reals, format_ in zip(magnitudes, arithmetic.formats, strict=True)
    ]


def _tables(
    reals: list[NDArray[np.float64]], form: Form | None, arithmetic: Arithmetic, layout: Layout
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give bit patterns of each code's operand, those of the second in one or two versions."""
    numbers = np.finfo(layout.precision)
    exponents = -layout.first[0], layout.start - numbers.maxexp + 1 - layout.second[0]
    x, y = (
        (real * 2.0**exponent).astype(layout.precision).view(f"i{numbers.bits // 8}")
        for real, exponent in zip(reals, exponents, strict=True)
    )
    if not isinstance(form, FieldSum | MarkedFieldSum):
        return x, y[None]
    excess = numbers.nmant - arithmetic.mantissa_bits
    zeros = [zero << numbers.nmant for zero in layout.zeros]
    x = np.where(x, x - ((numbers.maxexp - 1) << numbers.nmant), zeros[0])
    y = np.where(y, y + (arithmetic.mul_constant << excess), zeros[1])[None]
    if isinstance(form, MarkedFieldSum):
        marked_x, marked_y = (
            form.marked(normalised_mantissas(format_, arithmetic)).astype(x.dtype)
            for format_ in arithmetic.formats
        )
        x |= marked_x
        # The bit that chooses is in the sum, too.
        y = np.concatenate([y, y + (marked_y << (excess + form.place)) - 1])
    return x, y
