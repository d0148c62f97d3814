"""Loops over products that NumPy has no name for, compiled by Numba for the processor's vectors.

An operand is a float: float64 where sums are exact, float32 where products are truncated. A product of two
bit patterns is their sum, for multipliers that add fields, or the product of the two floats, rounded to fewer
bits or not. Bit patterns of zero are chosen so that their sums with others are floats that vanish.

The sums of a tile stay in registers while products are added, which takes LLVM's own vectors: Numba leaves
them in memory, and one product takes three times as long.
"""

from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

ADDED, CHOSEN, MULTIPLIED, ROUNDED = range(4)
"""Kinds of products: sums of bit patterns, also with one of two patterns of the second operand; products of
floats, also rounded."""

TILE_ROWS = 4

WIDE = bool(llvmlite.binding.get_host_cpu_features().get("avx512f"))
"""Whether the processor has AVX-512: vectors twice as wide as those of AVX2, and twice as many registers."""

TILE_BYTES = 256 if WIDE else 64
"""Of one row of operands: four vectors of AVX-512, or two of AVX2. As many sums as registers hold hide each
other's latency."""

STEP = 32
"""Operands that are skipped together where they are zero."""

_INDEX = ir.IntType(64)


class Vectors:
    """Writes LLVM's code for vectors of bit patterns, of the floats that they are, and of sums.

    Parameters
    ----------
    context, builder
        Numba's, of the function that is compiled.
    integer, total : llvmlite.ir.Type
        Of a bit pattern and of a sum.
    """

    def __init__(self, context: Any, builder: Any, integer: Any, total: Any) -> None:
        self.context, self.builder, self.align = context, builder, integer.width // 8
        self.columns = TILE_BYTES // self.align
        real = ir.DoubleType() if integer.width == 64 else ir.FloatType()
        self.integers, self.reals, self.totals = (
            ir.VectorType(type_, self.columns) for type_ in (integer, real, total)
        )

    def number(self, array: tuple[Any, Any], *indices: Any) -> Any:
        """Point to an element of an array, which is given with its type."""
        type_, value = array
        return cgutils.get_item_pointer(self.context, self.builder, type_, value, list(indices))

    def vector(self, type_: Any, array: tuple[Any, Any], *indices: Any) -> Any:
        """Point to as many elements as a vector has."""
        return self.builder.bitcast(self.number(array, *indices), type_.as_pointer())

    def load(self, pointer: Any) -> Any:
        """Read a number or a vector."""
        return self.builder.load(pointer, align=self.align)

    def second(self, kind: int, a: Any, y: tuple[Any, Any], panel: Any, k: Any) -> Any:
        """Read the operands of the second factor; of two patterns, that which the last bit of `a` chooses.

        Patterns stand beside each other: with a distance that is known LLVM adds to the address, otherwise it
        jumps, and jumps that are taken half of the time cost ten products each.
        """
        first = self.number(y, panel, k, _INDEX(0), _INDEX(0))
        if kind == CHOSEN:
            chosen = self.builder.and_(a, a.type(1))
            first = self.builder.gep(first, [self.builder.mul(chosen, a.type(self.columns))])
        return self.load(self.builder.bitcast(first, self.integers.as_pointer()))

    def repeated(self, number: Any) -> Any:
        """Give a vector of one bit pattern."""
        one = self.builder.insert_element(ir.Constant(self.integers, ir.Undefined), number, _INDEX(0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), self.columns), None)
        return self.builder.shuffle_vector(one, one, first)

    def product(self, kind: int, a: Any, b: Any, rounding: tuple[Any, Any]) -> Any:
        """Multiply two vectors of bit patterns into one of floats."""
        builder = self.builder
        if kind in (ADDED, CHOSEN):
            return builder.bitcast(builder.add(a, b), self.reals)
        exact = builder.fmul(builder.bitcast(a, self.reals), builder.bitcast(b, self.reals))
        if kind == MULTIPLIED:
            return exact
        # A sum with so large a power of two rounds to nearest even.
        mask, excess = rounding
        power = builder.add(builder.and_(builder.bitcast(exact, self.integers), mask), excess)
        power = builder.bitcast(power, self.reals)
        return builder.fsub(builder.fadd(exact, power), power)

    def add(self, total: Any, product: Any) -> Any:
        """Add products to sums, truncated where those are integers."""
        if self.totals == self.reals:
            return self.builder.fadd(total, product)
        return self.builder.add(total, self.builder.fptosi(product, self.totals))


def _tile_adder(kind: int) -> Any:
    """Make the function that adds products of one kind to a tile of sums.

    Its arguments are x (G, K, 4), y (P, K, V, C), (group, panel, first, last), (mask, excess) and sums
    (G, 4, P C), all arrays C-contiguous. Products are those of k from first to last - 1.
    """

    def add_tile(_: Any, x: Any, y: Any, tile: Any, rounding: Any, sums: Any) -> Any:
        return numba.void(x, y, tile, rounding, sums), generate

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, y, sums = (
            (type_, context.make_array(type_)(context, builder, array))
            for type_, array in zip(signature.args, arguments, strict=True)
            if isinstance(type_, numba.types.Array)
        )
        integer, total = (context.get_value_type(type_.dtype) for type_, _ in (x, sums))
        vectors = Vectors(context, builder, integer, total)
        group, panel, first, last = cgutils.unpack_tuple(builder, arguments[2], 4)
        rounding = tuple(vectors.repeated(bits) for bits in cgutils.unpack_tuple(builder, arguments[3], 2))
        start = builder.mul(panel, _INDEX(vectors.columns))
        rows = [vectors.vector(vectors.totals, sums, group, _INDEX(row), start) for row in range(TILE_ROWS)]
        registers = [cgutils.alloca_once_value(builder, vectors.load(row)) for row in rows]
        with cgutils.for_range_slice(builder, first, last, _INDEX(1), inc=True) as (k, _):
            for row, register in enumerate(registers):
                a = vectors.load(vectors.number(x, group, k, _INDEX(row)))
                b = vectors.second(kind, a, y, panel, k)
                product = vectors.product(kind, vectors.repeated(a), b, rounding)
                builder.store(vectors.add(builder.load(register), product), register)
        for row, register in zip(rows, registers, strict=True):
            builder.store(builder.load(register), row, align=vectors.align)
        return context.get_dummy_value()

    return intrinsic(add_tile)


_add_added, _add_chosen, _add_multiplied, _add_rounded = map(_tile_adder, range(4))


@numba.njit(inline="always")
def _add_tile(x: Any, y: Any, tile: Any, product: Any, sums: Any) -> None:
    kind, rounding = product
    if kind == ADDED:
        _add_added(x, y, tile, rounding, sums)
    elif kind == CHOSEN:
        _add_chosen(x, y, tile, rounding, sums)
    elif kind == MULTIPLIED:
        _add_multiplied(x, y, tile, rounding, sums)
    else:
        _add_rounded(x, y, tile, rounding, sums)


@numba.njit(cache=True, nogil=True)
def gather_groups(table: Any, codes: Any, groups: Any) -> None:
    """Put the bit patterns of four rows of the first factor side by side.

    Parameters
    ----------
    table : ndarray, shape (2^W,)
        Of each code.
    codes : ndarray of unsigned integers, shape (M, K)
    groups : ndarray, shape (G, K, 4)
        Is written; rows behind the last are of code 0.
    """
    for group in range(groups.shape[0]):
        for row in range(TILE_ROWS):
            place = group * TILE_ROWS + row
            for k in range(groups.shape[1]):
                groups[group, k, row] = table[codes[place, k] if place < codes.shape[0] else 0]


@numba.njit(cache=True, nogil=True)
def gather_panels(table: Any, codes: Any, panels: Any) -> None:
    """Put the bit patterns of some columns of the second factor side by side.

    Parameters
    ----------
    table : ndarray, shape (V, 2^W)
        Of each code.
    codes : ndarray of unsigned integers, shape (K, N)
    panels : ndarray, shape (P, K, V, C)
        Is written; columns behind the last are of code 0.
    """
    for panel in range(panels.shape[0]):
        start = panel * panels.shape[3]
        count = min(panels.shape[3], codes.shape[1] - start)
        _gather_panel(table, codes, start, count, panels[panel])
        for variant in range(panels.shape[2]):
            panels[panel, :, variant, count:] = table[variant, 0]


@numba.njit(inline="always")
def _gather_panel(table: Any, codes: Any, start: int, count: int, panel: Any) -> None:
    """Put the bit patterns of so many columns, from one on, into a panel (K, V, C)."""
    for k in range(codes.shape[0]):
        for variant in range(table.shape[0]):
            for j in range(count):
                panel[k, variant, j] = table[variant, codes[k, start + j]]


@numba.njit(cache=True, nogil=True)
def add_exactly(x: Any, y: Any, product: Any, used: Any, unit: float, sums: Any) -> None:
    """Add products, which are integers, in double precision.

    Parameters
    ----------
    x : ndarray of int64, shape (G, K, 4)
        Bit patterns of the first factor, four rows side by side.
    y : ndarray of int64, shape (P, K, V, C)
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
    for panel in range(y.shape[0]):
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
    for panel in range(y.shape[0]):
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
