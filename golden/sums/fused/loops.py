"""Loops over the steps of fused sums, compiled by Numba for the processor's vectors.

A step takes its products twice: once for the largest exponent, once to add them, each times the power of two
of its own sum's that leaves F bits of the largest before the binary point. Conversion to integers truncates
toward zero. What follows is done once for each sum and step, in double precision, which holds all of it.

Products are those of `lmul.golden.sums.compiled_loops`.
"""

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from lmul.golden.sums.compiled_loops import ADDED, CHOSEN, MULTIPLIED, ROUNDED, TILE_ROWS, Vectors

NO_TERM = -(1 << 12)
"""An exponent below that of any term."""

NORMAL_EXPONENT = 120
"""Powers of two to this one, and their inverses, are normal numbers of fp32."""

FP32_BIAS, FP64_BIAS = 127, 1023
FP32_MANTISSA, FP64_MANTISSA = 23, 52
_INDEX, _INT32, _FLOAT, _DOUBLE = ir.IntType(64), ir.IntType(32), ir.FloatType(), ir.DoubleType()


class _Step:
    """Writes LLVM's code of one step of a tile's sums.

    Parameters
    ----------
    context, builder
        Numba's, of the function that is compiled.
    integer : llvmlite.ir.Type
        Of a bit pattern.
    layout : tuple of int64
        The loop's argument of that name.
    rounding : tuple
        Of products, two integers.
    """

    def __init__(self, context: Any, builder: Any, integer: Any, layout: Any, rounding: Any) -> None:
        self.builder = builder
        self.double = integer.width == 64
        total = _DOUBLE if self.double else _INT32
        self.vectors = vectors = Vectors(context, builder, integer, total)
        self.ints, self.longs, self.floats, self.doubles = (
            ir.VectorType(type_, vectors.columns) for type_ in (_INT32, _INDEX, _FLOAT, _DOUBLE)
        )
        self.mantissa, self.bias = (FP64_MANTISSA, FP64_BIAS) if self.double else (FP32_MANTISSA, FP32_BIAS)
        self.rounding = tuple(vectors.repeated(bits) for bits in cgutils.unpack_tuple(builder, rounding, 2))
        self.layout = cgutils.unpack_tuple(builder, layout, 9)

    def number(self, place: int, type_: Any) -> Any:
        """Give a vector of a number of the layout."""
        return self.repeated(self.layout[place], type_)

    def repeated(self, number: Any, type_: Any) -> Any:
        return self.spread(self.builder.trunc(number, _INT32) if type_ == self.ints else number)

    def spread(self, number: Any) -> Any:
        """Give a vector of one number of its type."""
        type_ = ir.VectorType(number.type, self.ints.count)
        one = self.builder.insert_element(ir.Constant(type_, ir.Undefined), number, _INDEX(0))
        return self.builder.shuffle_vector(one, one, ir.Constant(self.ints, None))

    def constant(self, number: float, type_: Any) -> Any:
        return ir.Constant(type_, [number] * type_.count)

    def larger(self, x: Any, y: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed(">", x, y), x, y)

    def smaller(self, x: Any, y: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)

    def called(self, name: str, number: Any) -> Any:
        suffix = f"v{number.type.count}f{64 if number.type == self.doubles else 32}"
        type_ = ir.FunctionType(number.type, [number.type])
        function = cgutils.get_or_insert_function(self.builder.module, type_, f"llvm.{name}.{suffix}")
        return self.builder.call(function, [number])

    def registers(self, type_: Any) -> list[Any]:
        """Make a vector for each row, outside of all loops, and clear them here."""
        registers = [cgutils.alloca_once(self.builder, type_) for _ in range(TILE_ROWS)]
        for register in registers:
            self.builder.store(ir.Constant(type_, None), register)
        return registers

    def products(self, kind: int, x: Any, y: Any, tile: Any, k: Any) -> Any:
        """Give the products of each row at one k."""
        vectors, (group, panel) = self.vectors, tile
        for row in range(TILE_ROWS):
            a = vectors.load(vectors.number(x, group, k, _INDEX(row)))
            b = vectors.second(kind, a, y, panel, k)
            yield vectors.product(kind, vectors.repeated(a), b, self.rounding)

    def largest(self, kind: int, x: Any, y: Any, tile: Any, first: Any, last: Any) -> list[Any]:
        """Give the bit patterns of the largest magnitudes of each row."""
        registers = self.registers(self.vectors.integers)
        with cgutils.for_range_slice(self.builder, first, last, _INDEX(1), inc=True) as (k, _):
            for product, register in zip(self.products(kind, x, y, tile, k), registers, strict=True):
                bits = self.builder.bitcast(product, self.vectors.integers)
                self.builder.store(self.larger(self.builder.load(register), bits), register)
        return [self.builder.load(register) for register in registers]

    def shift(self, x_shift: Any, y_shift: Any, tile: Any, number: Any) -> list[Any]:
        """Give what the scales of a step add to the exponents of its products, for each row."""
        group, panel = tile
        own = self.builder.load(
            self.vectors.vector(self.ints, y_shift, panel, number, _INDEX(0)), align=_INT32.width // 8
        )
        rows = (self.vectors.number(x_shift, group, number, _INDEX(row)) for row in range(TILE_ROWS))
        return [self.builder.add(own, self.spread(self.builder.load(row))) for row in rows]

    def top(self, largest: Any, own: Any, shift: Any) -> Any:
        """Give the exponents that sums are aligned to, of bit patterns of products and of running sums."""
        builder, ints = self.builder, self.ints
        exponent = builder.lshr(largest, self.constant(self.mantissa, largest.type))
        exponent = builder.trunc(exponent, ints) if self.double else exponent
        lowest, start = self.number(0, ints), self.number(1, ints)
        none = self.constant(NO_TERM, ints)
        products = builder.add(builder.add(builder.sub(exponent, start), lowest), shift)
        products = builder.select(builder.icmp_signed(">=", exponent, start), products, none)
        bits = builder.lshr(builder.bitcast(own, ints), self.constant(FP32_MANTISSA, ints))
        bits = self.larger(builder.and_(bits, self.constant(0xFF, ints)), self.constant(1, ints))
        running = builder.sub(bits, self.constant(FP32_BIAS, ints))
        zero = builder.fcmp_ordered("==", own, self.constant(0.0, self.floats))
        running = builder.select(zero, none, running)
        return self.larger(self.larger(products, running), self.number(4, ints))

    def scale(self, places: Any) -> Any:
        """Give the powers of two that products are multiplied by."""
        builder, ints = self.builder, self.ints
        lowest, start, highest, fraction = (self.number(place, ints) for place in range(4))
        # Beyond these there are no products, or all of them vanish.
        places = self.smaller(places, builder.sub(fraction, lowest))
        places = self.larger(places, builder.sub(self.constant(-3, ints), highest))
        field = builder.add(places, builder.sub(lowest, start))
        field = builder.add(field, self.constant(2 * self.bias, ints))
        integers = self.vectors.integers
        field = builder.zext(field, integers) if self.double else field
        field = builder.shl(field, self.constant(self.mantissa, integers))
        return builder.bitcast(field, self.vectors.reals)

    def added(self, kind: int, x: Any, y: Any, tile: Any, bounds: Any, scales: Any) -> list[Any]:
        """Give the sums of truncated products of each row, in double precision."""
        builder, totals = self.builder, self.vectors.totals
        first, last = bounds
        sums, parts = self.registers(self.doubles), [cgutils.alloca_once(builder, totals) for _ in scales]
        with cgutils.for_range_slice(builder, first, last, self.layout[5], inc=True) as (start, _):
            for part in parts:
                builder.store(ir.Constant(totals, None), part)
            stop = builder.add(start, self.layout[5])
            stop = builder.select(builder.icmp_signed("<", stop, last), stop, last)
            with cgutils.for_range_slice(builder, start, stop, _INDEX(1), inc=True) as (k, _):
                for product, scale, part in zip(
                    self.products(kind, x, y, tile, k), scales, parts, strict=True
                ):
                    builder.store(self.add(builder.load(part), builder.fmul(product, scale)), part)
            for part, register in zip(parts, sums, strict=True):
                number = builder.load(part)
                number = number if self.double else builder.sitofp(number, self.doubles)
                builder.store(builder.fadd(builder.load(register), number), register)
        return [builder.load(register) for register in sums]

    def add(self, total: Any, term: Any) -> Any:
        if self.double:
            return self.builder.fadd(total, self.called("trunc", term))
        return self.builder.add(total, self.builder.fptosi(term, self.vectors.totals))

    def power(self, exponent: Any, type_: Any) -> Any:
        """Give powers of two, normal numbers of single or double precision."""
        builder, double = self.builder, type_ == self.doubles
        bias, mantissa = (FP64_BIAS, FP64_MANTISSA) if double else (FP32_BIAS, FP32_MANTISSA)
        field = builder.add(exponent, self.constant(bias, self.ints))
        field = builder.zext(field, self.longs) if double else field
        return builder.bitcast(builder.shl(field, self.constant(mantissa, field.type)), type_)

    def truncated(self, sums: Any, own: Any, places: Any) -> Any:
        """Give what `rounded` does, where sums are truncated and none leaves the normal numbers of fp32."""
        builder, limit = self.builder, NORMAL_EXPONENT
        # Beyond these no product is left, and own sums are multiples of the last unit.
        places = self.smaller(places, self.constant(limit, self.ints))
        places = self.larger(places, self.constant(-limit, self.ints))
        term = builder.fptosi(builder.fmul(own, self.power(places, self.floats)), self.ints)
        exact = builder.fadd(sums, builder.sitofp(term, self.doubles))
        mask = builder.shl(_INDEX(-1), builder.lshr(self.layout[6], _INDEX(FP64_MANTISSA)))
        bits = builder.and_(builder.bitcast(exact, self.longs), self.spread(mask))
        kept = builder.fptrunc(builder.bitcast(bits, self.doubles), self.floats)
        return builder.fmul(kept, self.power(builder.sub(self.constant(0, self.ints), places), self.floats))

    def next(self, sums: Any, own: Any, places: Any, row: Any) -> None:
        """Write the running sums of a row."""
        if self.double:
            self.builder.store(self.rounded(sums, own, places), row, align=4)
            return
        plain = self.builder.icmp_signed("!=", self.layout[8], _INDEX(0))
        with self.builder.if_else(plain) as (then, otherwise):
            with then:
                self.builder.store(self.truncated(sums, own, places), row, align=4)
            with otherwise:
                self.builder.store(self.rounded(sums, own, places), row, align=4)

    def rounded(self, sums: Any, own: Any, places: Any) -> Any:
        """Give the running sums that follow, of sums of products in units of 2^-places."""
        builder, longs = self.builder, self.longs
        term = builder.fmul(builder.fpext(own, self.doubles), self.power(places, self.doubles))
        exact = builder.fadd(sums, self.called("trunc", term))
        exact = builder.fmul(
            exact, self.power(builder.sub(self.constant(0, self.ints), places), self.doubles)
        )
        bits = builder.bitcast(exact, longs)
        exponent = builder.and_(bits, self.constant(0x7FF << FP64_MANTISSA, longs))
        smallest = self.constant((FP64_BIAS + 1 - FP32_BIAS) << FP64_MANTISSA, longs)
        field = builder.add(self.larger(exponent, smallest), self.number(6, longs))
        sign = builder.and_(bits, self.constant(-1 << 63, longs))
        power = builder.bitcast(builder.or_(field, sign), self.doubles)
        # A sum with so large a power of two rounds to nearest even; what that made larger is one unit less.
        nearest = builder.fsub(builder.fadd(exact, power), power)
        above = builder.fcmp_ordered(">", self.called("fabs", nearest), self.called("fabs", exact))
        truncates = builder.icmp_signed("==", self.number(7, longs), self.constant(0, longs))
        unit = builder.fmul(power, self.constant(2.0**-FP64_MANTISSA, self.doubles))
        truncated = builder.fsub(nearest, unit)
        kept = builder.select(builder.and_(above, truncates), truncated, nearest)
        # An infinite sum stays so: its power is finite, since the exponent field wraps around.
        return builder.fptrunc(kept, self.floats)


def _step_adder(kind: int) -> Any:
    """Make the function that adds a step of products of one kind to a tile of running sums.

    Its arguments are x_top, x, x_shift, y_top, y, y_shift, (group, panel, step, first, last), (rounding,
    layout) and sums, as `add_steps` has them. Products are those of k from first to last - 1.
    """
    # Exact products are aligned by the exponents of their operands, which are added.
    aligned = ADDED if kind == MULTIPLIED else kind

    def add_step(
        _: Any,
        x_top: Any,
        x: Any,
        x_shift: Any,
        y_top: Any,
        y: Any,
        y_shift: Any,
        tile: Any,
        how: Any,
        sums: Any,
    ) -> Any:
        return numba.void(x_top, x, x_shift, y_top, y, y_shift, tile, how, sums), generate

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x_top, x, x_shift, y_top, y, y_shift, sums = (
            (type_, context.make_array(type_)(context, builder, array))
            for type_, array in zip(signature.args, arguments, strict=True)
            if isinstance(type_, numba.types.Array)
        )
        rounding, layout = cgutils.unpack_tuple(builder, arguments[7], 2)
        step = _Step(context, builder, context.get_value_type(x[0].dtype), layout, rounding)
        group, panel, number, first, last = cgutils.unpack_tuple(builder, arguments[6], 5)
        tile, start = (group, panel), builder.mul(panel, _INDEX(step.vectors.columns))
        rows = [step.vectors.vector(step.floats, sums, group, _INDEX(row), start) for row in range(TILE_ROWS)]
        owns = [builder.load(row, align=4) for row in rows]
        tops = step.largest(aligned, x_top, y_top, tile, first, last)
        fraction, shifts = step.number(3, step.ints), step.shift(x_shift, y_shift, tile, number)
        places = [builder.sub(fraction, step.top(*terms)) for terms in zip(tops, owns, shifts, strict=True)]
        scales = [step.scale(builder.add(*each)) for each in zip(places, shifts, strict=True)]
        totals = step.added(kind, x, y, tile, (first, last), scales)
        for row, total, own, place in zip(rows, totals, owns, places, strict=True):
            step.next(total, own, place, row)
        return context.get_dummy_value()

    return intrinsic(add_step)


_add_added, _add_chosen, _add_multiplied, _add_rounded = map(
    _step_adder, (ADDED, CHOSEN, MULTIPLIED, ROUNDED)
)


@numba.njit(cache=True, nogil=True)
def add_steps(
    x_top: Any,
    x: Any,
    x_shift: Any,
    y_top: Any,
    y: Any,
    y_shift: Any,
    kind: int,
    rounding: Any,
    layout: Any,
    lanes: int,
    sums: Any,
) -> None:
    """Add products to fp32 numbers, the products of a step at once.

    Parameters
    ----------
    x_top, x : ndarray of int32 or int64, shape (G, K, 4)
        Bit patterns of the first factor, four rows side by side: what products are aligned by, without sign,
        and what they are made of.
    x_shift : ndarray of int32, shape (G, S, 4)
        What the scale of each step adds to the exponents of the products.
    y_top, y : ndarray of the same type, shape (P, K, V, C)
        Those of the second, in panels of C columns; V is 2 for `CHOSEN` products, 1 for others.
    y_shift : ndarray of int32, shape (P, S, C)
        As `x_shift`.
    kind : int
        How products are formed of them.
    rounding : tuple of two integers of that type
        A mask of a float's sign and exponent, and 2^m times the bits that rounding takes off, with m mantissa
        bits of the float.
    layout : tuple of nine int64
        The smallest exponent of a product; the exponent field that it has as a float, smaller ones are of
        zeros; the largest exponent; F; the smallest exponent that sums are aligned to; the most terms whose
        sum fits the type; the mantissa bits of a double beyond M, times 2^52; 1 to round sums to nearest; 1
        where sums are truncated, and all of them surely normal numbers of fp32.
    lanes : int
        Products of a step.
    sums : ndarray of float32, shape (G, 4, P C)
        The running sums to begin with, not NaN; is written.
    """
    how, depth = (rounding, layout), x.shape[1]
    for panel in range(y.shape[0]):
        for group in range(x.shape[0]):
            for first in range(0, depth, lanes):
                tile = (group, panel, first // lanes, first, min(first + lanes, depth))
                if kind == ADDED:
                    _add_added(x_top, x, x_shift, y_top, y, y_shift, tile, how, sums)
                elif kind == CHOSEN:
                    _add_chosen(x_top, x, x_shift, y_top, y, y_shift, tile, how, sums)
                elif kind == MULTIPLIED:
                    _add_multiplied(x_top, x, x_shift, y_top, y, y_shift, tile, how, sums)
                else:
                    _add_rounded(x_top, x, x_shift, y_top, y, y_shift, tile, how, sums)
