"""Triton's kernels of sums: the products of a step at once, as the hardware takes them, to the golden bits.

A program adds a tile of sums, `ROWS` by `COLUMNS`. The products of a step are a block of `LANES` by rows by
columns in double precision, which has every product exactly. Of the lanes, 2^`LEVELS`, the first `lanes` are
in use. Conversion to integers truncates toward zero; powers of two are made of their bits.

All kernels take these. `a`, (B, K, M), and `b`, (B, K, N), are numbers as a multiplier takes them, times
their scales. `significands` has the product of each two mantissas, which `TABULATED` products take; others
are multiplied. Kernels that align terms take `a_weights` and `b_weights` of those shapes too.

Nothing of Triton's own library is called: its interpreter has that only if it is chosen before Triton is
imported, which PyTorch does.
"""

import triton
import triton.language as tl

WHOLE = tl.constexpr(1.5 * 2.0**52)
"""Added and subtracted, it rounds doubles to whole numbers, ties to even."""


@triton.jit
def _exponent(reals):
    """Give floor(log2) of the magnitudes of normal doubles; of zero -1023, below that of any term."""
    return ((reals.to(tl.int64, bitcast=True) >> 52) & 0x7FF).to(tl.int32) - 1023


@triton.jit
def _two_to(exponent):
    return ((exponent.to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def _mantissa(reals, MANTISSA: tl.constexpr):
    return ((reals.to(tl.int64, bitcast=True) >> (52 - MANTISSA)) & ((1 << MANTISSA) - 1)).to(tl.int32)


@triton.jit
def _power(reals):
    """Give signed powers of two; NaN of NaN."""
    power = ((reals.to(tl.int64, bitcast=True) >> 52) << 52).to(tl.float64, bitcast=True)
    return tl.where(tl.abs(reals) <= float("inf"), power, reals)


@triton.jit
def _scale_power(scales, inside, SMALLEST: tl.constexpr):
    """Give what scales, (lanes, rows or columns), align their groups by; 0 where there are none."""
    normal = tl.maximum(_power(scales), 2.0**SMALLEST)
    return tl.where(inside[:, None], tl.where(scales == 0, 2.0**-126, normal), 0.0)


@triton.jit
def _finite(reals):
    return tl.abs(reals) < float("inf")


@triton.jit
def _tile(rows, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Give the matrix, the rows and the columns of a program's sums."""
    down, across = (rows + ROWS - 1) // ROWS, (columns + COLUMNS - 1) // COLUMNS
    number = tl.program_id(0)
    matrix = (number // (down * across)).to(tl.int64)
    row = (number // across) % down * ROWS + tl.arange(0, ROWS)
    column = number % across * COLUMNS + tl.arange(0, COLUMNS)
    return matrix, row, column


@triton.jit
def _operand(base, matrix, k, stop, depth, line, lines):
    """Load the numbers of an operand in a step, (lanes, rows or columns); 0 where there are none."""
    places = (matrix * depth + k)[:, None] * lines + line[None, :]
    valid = (k < stop)[:, None] & (line < lines)[None, :]
    return tl.load(base + places, mask=valid, other=0.0).to(tl.float64)


@triton.jit
def _products(x, y, significands, TABULATED: tl.constexpr, MANTISSA: tl.constexpr):
    """Multiply the operands of a step, (lanes, rows) and (lanes, columns)."""
    if TABULATED:
        place = (_mantissa(x, MANTISSA) << MANTISSA)[:, :, None] + _mantissa(y, MANTISSA)[:, None, :]
        products = tl.load(significands + place) * (_power(x)[:, :, None] * _power(y)[:, None, :])
    else:
        products = x[:, :, None] * y[:, None, :]
    return products


@triton.jit
def _folded(
    block,
    COUNT: tl.constexpr,
    LEVELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    LARGEST: tl.constexpr = False,
):
    """Add the halves of a block, (COUNT, rows, columns), or take the larger ones, again and again.

    A thread has its own numbers.
    """
    for level in tl.static_range(LEVELS):
        pairs = tl.reshape(block, (2, COUNT >> (level + 1), ROWS, COLUMNS))
        one, other = tl.split(tl.permute(pairs, (1, 2, 3, 0)))
        block = tl.maximum(one, other) if LARGEST else one + other
    return block


@triton.jit
def _store(sums, values, matrix, row, column, rows, columns):
    places = (matrix * rows + row)[:, None] * columns + column[None, :]
    tl.store(sums + places, values, mask=(row < rows)[:, None] & (column < columns)[None, :])


@triton.jit
def fused_sums(
    a,
    b,
    a_weights,
    b_weights,
    significands,
    sums,
    rows,
    columns,
    depth,
    lanes,
    promote,
    TABULATED: tl.constexpr,
    MANTISSA: tl.constexpr,
    ALIGNED: tl.constexpr,
    GROUPED: tl.constexpr,
    SMALLEST: tl.constexpr,
    FRACTION: tl.constexpr,
    KEPT: tl.constexpr,
    NEAREST: tl.constexpr,
    LEAST: tl.constexpr,
    LANES: tl.constexpr,
    LEVELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Add the terms of a step and the running sum at once, every `promote` products to a number outside.

    Terms are aligned by what `ALIGNED` says: by their own exponents ("products"), by their operands' weights
    ("operands"), or by the scales of 2^`GROUPED` products, whose exact sum is a term ("groups"): weights are
    scales then, whose smallest normal exponent is `SMALLEST`.
    `FRACTION`, `KEPT` and `NEAREST` are those of `lmul.golden.accumulators.Fused`, `LEAST` the arithmetic's
    `least_exponent`. `sums`, float32, (B, M, N), is written.
    """
    matrix, row, column = _tile(rows, columns, ROWS, COLUMNS)
    # Groups side by side: their products are what is added first.
    slot = tl.arange(0, LANES)
    lane = slot % (LANES >> GROUPED) * (1 << GROUPED) + slot // (LANES >> GROUPED)
    outside = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    for begin in range(0, depth, promote):
        end = tl.minimum(begin + promote, depth)
        total = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
        for first in range(begin, end, lanes):
            stop = tl.minimum(first + lanes, end)
            k = first + lane
            x = _operand(a, matrix, k, stop, depth, row, rows)
            y = _operand(b, matrix, k, stop, depth, column, columns)
            values = _products(x, y, significands, TABULATED, MANTISSA)
            weights = tl.abs(values)
            if ALIGNED != "products":
                u = _operand(a_weights, matrix, k, stop, depth, row, rows)
                v = _operand(b_weights, matrix, k, stop, depth, column, columns)
                if ALIGNED == "groups":
                    values *= u[:, :, None] * v[:, None, :]
                    u, v = _scale_power(u, k < stop, SMALLEST), _scale_power(v, k < stop, SMALLEST)
                weights = u[:, :, None] * v[:, None, :]
            values = _folded(values, LANES, GROUPED, ROWS, COLUMNS)
            weights = _folded(weights, LANES, GROUPED, ROWS, COLUMNS, LARGEST=True)
            if ALIGNED == "operands":
                weights = tl.where(values == 0, 0.0, weights)
            total = _fused_step(
                values,
                weights,
                total,
                FRACTION,
                KEPT,
                NEAREST,
                LEAST,
                LANES >> GROUPED,
                LEVELS - GROUPED,
                ROWS,
                COLUMNS,
            )
        outside += total
    _store(sums, outside, matrix, row, column, rows, columns)


@triton.jit
def _fused_step(
    values,
    weights,
    total,
    FRACTION: tl.constexpr,
    KEPT: tl.constexpr,
    NEAREST: tl.constexpr,
    LEAST: tl.constexpr,
    TERMS: tl.constexpr,
    LEVELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Add terms, (TERMS, rows, columns), to running sums, as `lmul.golden.sums.fused.step.add_step`."""
    finite = _finite(values)
    running = total.to(tl.float64)
    own = _finite(running)
    exponent = tl.where(own & (running != 0), tl.maximum(_exponent(running), -126), -1023)
    top = _exponent(_folded(tl.where(finite, weights, 0.0), TERMS, LEVELS, ROWS, COLUMNS, LARGEST=True))
    top = tl.reshape(top, (ROWS, COLUMNS))
    places = FRACTION - tl.maximum(tl.maximum(top, exponent), LEAST)
    unit = _two_to(places)
    terms = (tl.where(finite, values, 0.0) * unit[None, :, :]).to(tl.int64)
    units = tl.reshape(_folded(terms, TERMS, LEVELS, ROWS, COLUMNS), (ROWS, COLUMNS))
    units += (tl.where(own, running, 0.0) * unit).to(tl.int64)
    exact = units.to(tl.float64)
    last = tl.maximum(_exponent(exact) - places, -126) - KEPT
    kept = exact * _two_to(-places - last)
    kept = (kept + WHOLE) - WHOLE if NEAREST else kept.to(tl.int64).to(tl.float64)
    rounded = kept * _two_to(last)
    special = _folded(tl.where(finite, 0.0, values), TERMS, LEVELS, ROWS, COLUMNS)
    special = tl.reshape(special, (ROWS, COLUMNS)) + tl.where(own, 0.0, running)
    return tl.where(special == 0, rounded, special).to(tl.float32)


@triton.jit
def fixed_sums(
    a,
    b,
    significands,
    sums,
    left,
    rows,
    columns,
    depth,
    lanes,
    TABULATED: tl.constexpr,
    MANTISSA: tl.constexpr,
    BITS: tl.constexpr,
    LSB: tl.constexpr,
    LANES: tl.constexpr,
    LEVELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Add products, truncated to 2^LSB, in registers of `BITS` bits that saturate after each step.

    `sums`, float64, and `left`, int8, (B, M, N), are written: the numbers in the registers, infinite or NaN
    where products are; and where one left its range.
    """
    matrix, row, column = _tile(rows, columns, ROWS, COLUMNS)
    lane = tl.arange(0, LANES)
    limit = tl.full((1, 1, 1), 1, tl.int64) << (BITS - 1)
    bound = limit.to(tl.float64)
    unit = _two_to(tl.full((1, 1, 1), LSB, tl.int64))
    total = tl.full((1, ROWS, COLUMNS), 0, tl.int64)
    over = tl.full((1, ROWS, COLUMNS), 0, tl.int32)
    special = tl.full((1, ROWS, COLUMNS), 0.0, tl.float64)
    for first in range(0, depth, lanes):
        stop = tl.minimum(first + lanes, depth)
        k = first + lane
        x = _operand(a, matrix, k, stop, depth, row, rows)
        y = _operand(b, matrix, k, stop, depth, column, columns)
        values = _products(x, y, significands, TABULATED, MANTISSA)
        finite = _finite(values)
        special += _folded(tl.where(finite, 0.0, values), LANES, LEVELS, ROWS, COLUMNS)
        # What does not fit becomes the nearest that does, in doubles, before it is an integer.
        scaled = tl.where(finite, values, 0.0) * _two_to(tl.full((1, 1, 1), -LSB, tl.int64))
        terms = tl.minimum(tl.maximum(scaled, 1 - bound), bound - 1).to(tl.int64)
        over |= _folded((tl.abs(scaled) >= bound).to(tl.int32), LANES, LEVELS, ROWS, COLUMNS)
        total += _folded(terms, LANES, LEVELS, ROWS, COLUMNS)
        over |= ((total < -limit) | (total >= limit)).to(tl.int32)
        total = tl.minimum(tl.maximum(total, -limit), limit - 1)
    numbers = tl.where(special == 0, total.to(tl.float64) * unit, special)
    _store(sums, tl.reshape(numbers, (ROWS, COLUMNS)), matrix, row, column, rows, columns)
    left_range = tl.reshape(over != 0, (ROWS, COLUMNS)).to(tl.int8)
    _store(left, left_range, matrix, row, column, rows, columns)


@triton.jit
def float_sums(
    a,
    b,
    significands,
    order,
    sums,
    rows,
    columns,
    depth,
    lanes,
    TABULATED: tl.constexpr,
    MANTISSA: tl.constexpr,
    LANES: tl.constexpr,
    LEVELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Add products, rounded to float32, in a tree and their sum to the running one, every addition rounded.

    `order` has the lane at each of the 2^`LEVELS` leaves of the tree, `lanes` where there is none. `sums`,
    float32, (B, M, N), is written.
    """
    matrix, row, column = _tile(rows, columns, ROWS, COLUMNS)
    lane = tl.load(order + tl.arange(0, LANES))
    total = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
    for first in range(0, depth, lanes):
        stop = tl.minimum(first + lanes, depth)
        k = first + lane
        x = _operand(a, matrix, k, stop, depth, row, rows)
        y = _operand(b, matrix, k, stop, depth, column, columns)
        terms = _products(x, y, significands, TABULATED, MANTISSA).to(tl.float32)
        total += tl.reshape(_folded(terms, LANES, LEVELS, ROWS, COLUMNS), (ROWS, COLUMNS))
    _store(sums, total, matrix, row, column, rows, columns)


@triton.jit
def exact_sums(
    a,
    b,
    significands,
    sums,
    rows,
    columns,
    depth,
    highest,
    TABULATED: tl.constexpr,
    MANTISSA: tl.constexpr,
    PART: tl.constexpr,
    BITS: tl.constexpr,
    LANES: tl.constexpr,
    LEVELS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Add one of the parts that products are cut into at fixed places, as `lmul.golden.sums.direct` does.

    Part 0 is in whole units of 2^`highest`, each next one in units that are `BITS` bits smaller: so few that
    sums are exact. `sums`, float64, (B, M, N), is written.
    """
    matrix, row, column = _tile(rows, columns, ROWS, COLUMNS)
    lane = tl.arange(0, LANES)
    total = tl.full((ROWS, COLUMNS), 0.0, tl.float64)
    for first in range(0, depth, LANES):
        k = first + lane
        x = _operand(a, matrix, k, depth, depth, row, rows)
        y = _operand(b, matrix, k, depth, depth, column, columns)
        rest = _products(x, y, significands, TABULATED, MANTISSA)
        piece = rest
        for part in tl.static_range(PART + 1):
            anchor = _two_to(tl.full((1, 1, 1), 0, tl.int64) + highest - part * BITS) * WHOLE
            piece = (rest + anchor) - anchor
            rest -= piece
        total += tl.reshape(_folded(piece, LANES, LEVELS, ROWS, COLUMNS), (ROWS, COLUMNS))
    _store(sums, total, matrix, row, column, rows, columns)
