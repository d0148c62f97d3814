"""Loops over products that NumPy has no name for, compiled by Numba for the processor's vectors.

An operand is a float: float64 where sums are exact, float32 where products are truncated. A product of two
bit patterns is their sum, for multipliers that add fields, or the product of the two floats, rounded to fewer
bits or not. Bit patterns of zero are chosen so that their sums with others are floats that vanish.

The sums of a tile stay in registers while products are added, which takes LLVM's own vectors: Numba leaves
them in memory, and one product takes three times as long.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

ADDED, CHOSEN, MULTIPLIED, ROUNDED = range(4)
"""Kinds of products: sums of bit patterns, also with one of two patterns of the second operand; products of
floats, also rounded."""

TILE_ROWS = 4

TILE_BYTES = 64
"""Of one row of operands: two vectors of AVX2, or one of AVX-512."""

STEP = 32
"""Operands that are skipped together where they are zero."""


def _tile_adder(kind_: int) -> Any:
    """Make the function that adds products of one kind to a tile of sums.

    Its arguments are x (G, K, 4), y (V, P, K, C), (group, panel, first, last), (mask, excess) and sums
    (G, 4, P C), all arrays C-contiguous. Products are those of k from first to last - 1.
    """

    def add_tile(context: Any, x: Any, y: Any, tile: Any, rounding: Any, sums: Any) -> Any:
        return numba.void(x, y, tile, rounding, sums), generate

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x_type, y_type, _, _, sums_type = signature.args
        x, y, sums = (
            context.make_array(type_)(context, builder, value)
            for type_, value in ((x_type, arguments[0]), (y_type, arguments[1]), (sums_type, arguments[4]))
        )
        group, panel, first, last = cgutils.unpack_tuple(builder, arguments[2], 4)
        integer, total = context.get_value_type(x_type.dtype), context.get_value_type(sums_type.dtype)
        columns = TILE_BYTES * 8 // integer.width
        real = ir.DoubleType() if integer.width == 64 else ir.FloatType()
        integers, reals, totals = (ir.VectorType(type_, columns) for type_ in (integer, real, total))
        index = ir.IntType(64)

        def place(type_: Any, array: Any, indices: list[Any], vector: Any) -> Any:
            pointer = cgutils.get_item_pointer(context, builder, type_, array, indices)
            return builder.bitcast(pointer, vector.as_pointer())

        def load(pointer: Any) -> Any:
            return builder.load(pointer, align=integer.width // 8)

        def repeated(number: Any) -> Any:
            one = builder.insert_element(ir.Constant(integers, ir.Undefined), number, index(0))
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), columns), None))

        def product(a: Any, b: Any) -> Any:
            if kind_ in (ADDED, CHOSEN):
                return builder.bitcast(builder.add(repeated(a), b), reals)
            exact = builder.fmul(builder.bitcast(repeated(a), reals), builder.bitcast(b, reals))
            if kind_ == MULTIPLIED:
                return exact
            # A sum with so large a power of two rounds to nearest even.
            power = builder.add(builder.and_(builder.bitcast(exact, integers), mask), excess)
            power = builder.bitcast(power, reals)
            return builder.fsub(builder.fadd(exact, power), power)

        mask, excess = (repeated(word) for word in cgutils.unpack_tuple(builder, arguments[3], 2))
        start = builder.mul(panel, index(columns))
        rows = [place(sums_type, sums, [group, index(row), start], totals) for row in range(TILE_ROWS)]
        registers = [cgutils.alloca_once_value(builder, load(row)) for row in rows]
        with cgutils.for_range_slice(builder, first, last, index(1), inc=True) as (k, _):
            for row, register in enumerate(registers):
                a = load(cgutils.get_item_pointer(context, builder, x_type, x, [group, k, index(row)]))
                plane = builder.zext(builder.and_(a, integer(1)), index) if kind_ == CHOSEN else index(0)
                b = load(place(y_type, y, [plane, panel, k, index(0)], integers))
                more = product(a, b)
                add = builder.fadd if isinstance(total, ir.DoubleType) else builder.add
                more = more if isinstance(total, ir.DoubleType) else builder.fptosi(more, totals)
                builder.store(add(builder.load(register), more), register)
        for row, register in zip(rows, registers, strict=True):
            builder.store(builder.load(register), row, align=integer.width // 8)
        return context.get_dummy_value()

    return intrinsic(add_tile)


_add_added, _add_chosen, _add_multiplied, _add_rounded = map(_tile_adder, range(4))


@numba.njit(inline="always")
def _add_tile(x: Any, y: Any, tile: Any, product: Any, sums: Any) -> None:
    kind_, rounding = product
    if kind_ == ADDED:
        _add_added(x, y, tile, rounding, sums)
    elif kind_ == CHOSEN:
        _add_chosen(x, y, tile, rounding, sums)
    elif kind_ == MULTIPLIED:
        _add_multiplied(x, y, tile, rounding, sums)
    else:
        _add_rounded(x, y, tile, rounding, sums)


@numba.njit(cache=True, nogil=True)
def add_exactly(x: Any, y: Any, product: Any, used: Any, unit: float, sums: Any) -> None:
    """Add products, which are integers, in double precision.

    Parameters
    ----------
    x : ndarray of int64, shape (G, K, 4)
        Bit patterns of the first factor, four rows side by side.
    y : ndarray of int64, shape (V, P, K, C)
        Those of the second, in panels of C columns; V is 2 for `CHOSEN` products, 1 for others.
    product : tuple of int and two int64
        The kind. A mask of a float's sign and exponent, and 2^52 times the bits that rounding takes off.
    used : ndarray of bool, shape (G, ceil(K / STEP))
        Whether any of so many operands of x is not zero.
    unit : float64
        What the sums are multiplied by.
    sums : ndarray of float64, shape (G, 4, P C)
        Zero; is written.
    """
    for panel in range(y.shape[1]):
        for group in range(x.shape[0]):
            for step in range(used.shape[1]):
                if used[group, step]:
                    last = min((step + 1) * STEP, x.shape[1])
                    _add_tile(x, y, (group, panel, step * STEP, last), product, sums)
    numbers = sums.reshape(sums.size)
    for i in range(numbers.size):
        # What zeros left is far less than a half.
        numbers[i] = np.rint(numbers[i]) * unit


@numba.njit(cache=True, nogil=True)
def add_truncated(
    x: Any, y: Any, product: Any, used: Any, reach: Any, lanes: int, limit: Any, sums: Any, extreme: Any
) -> None:
    """Add products truncated to integers, step by step, in a saturating register.

    Where no sum can have left the register since the last look, none is taken.

    Parameters
    ----------
    x, y, product
        Those of `add_exactly`, of int32 and float32.
    used : ndarray of bool, shape (G, ceil(K / lanes))
        Whether any operand of x in a step is not zero.
    reach : ndarray of float64, shape (K,)
        No product with x[g, k, r] is larger than its float32 times reach[k].
    lanes : int
        Products of a step.
    limit : int32
        The register holds integers from -limit to limit - 1.
    sums : ndarray of int32, shape (G, 4, P C)
        Zero; is written. A step's sum must fit.
    extreme : ndarray of int32, shape (G, 4, P C)
        Zero; is raised to the largest v, or -1 - v of a negative one, that was to be held, if too large.
    """
    columns, added = y.shape[3], _largest_sums(x, reach, used.shape[1], lanes)
    for panel in range(y.shape[1]):
        start, stop = panel * columns, (panel + 1) * columns
        for group in range(x.shape[0]):
            bound = 0.0
            for step in range(used.shape[1]):
                if not used[group, step]:
                    continue
                last = min((step + 1) * lanes, x.shape[1])
                _add_tile(x, y, (group, panel, step * lanes, last), product, sums)
                bound += added[group, step]
                if bound >= limit:
                    bound = _saturate(sums[group, :, start:stop], extreme[group, :, start:stop], limit)


@numba.njit
def _largest_sums(x: Any, reach: Any, steps: int, lanes: int) -> Any:
    """Give a bound on the magnitude of what each step adds to the sums of a group, shape (G, steps)."""
    sums, row_sums, floats = np.empty((x.shape[0], steps)), np.empty(TILE_ROWS), x.view(np.float32)
    for group in range(x.shape[0]):
        for step in range(steps):
            row_sums[:] = 0
            for k in range(step * lanes, min((step + 1) * lanes, x.shape[1])):
                for row in range(TILE_ROWS):
                    row_sums[row] += abs(floats[group, k, row]) * reach[k]
            sums[group, step] = row_sums.max()
    return sums


@numba.njit(inline="always")
def _saturate(total: Any, most: Any, limit: Any) -> Any:
    """Bring sums back into the register, raise `most` to what they were, and give their largest magnitude."""
    largest = np.int32(0)
    for row in range(total.shape[0]):
        for j in range(total.shape[1]):
            value = total[row, j]
            size = value ^ (value >> np.int32(31))
            most[row, j] = max(most[row, j], size)
            largest = max(largest, size)
            total[row, j] = min(max(value, -limit), limit - np.int32(1))
    return min(largest + 1.0, float(limit))
