"""The same arithmetic one number at a time, in Python integers and fractions.

Written from the definitions and not from the vectorised model, which is tested against it.

A product is computed on the operands' *fields*, (exponent << M) + mantissa with an unbiased and
unbounded exponent: the field of (1 + mantissa / 2^M) * 2^exponent. They are the bits below the sign
of a normal operand, less the bias; L-Mul adds them.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from lmul.golden.accumulators import Fixed, Fused
from lmul.golden.arguments import check_choice
from lmul.golden.arithmetic import Arithmetic
from lmul.golden.formats.codec import OVERFLOWS, ROUNDINGS, Overflow, Rounding, RoundMode
from lmul.golden.formats.format import FORMATS, FP32, Format, Integer
from lmul.multipliers.lmul import lmul_offset

Real = Fraction | float


class Sum(NamedTuple):
    """One accumulated sum.

    Parameters
    ----------
    raw : int
        The register: a signed integer in units of 2^lsb_exponent, or a code.
    overflow : bool
        The fixed-point register left its range.
    infinity : int
        Sign of an infinite sum, 0 for all others.
    nan : bool
    output : int
        The output element, a bit pattern.
    too_large : bool
        The sum is finite, and rounds to more than the output's largest number.
    """

    raw: int
    overflow: bool
    infinity: int
    nan: bool
    output: int
    too_large: bool


def decode(code: int, format_: Format) -> float:
    """Give the number that a code stands for; every one is a double."""
    if code >> format_.width:
        raise _no_code(code, format_)
    if isinstance(format_, Integer):
        return float(code - (code >> (format_.width - 1) << format_.width))
    field = code & format_.magnitude_mask
    exponent, mantissa = divmod(field, 1 << format_.mantissa_bits)
    significand = mantissa + (1 << format_.mantissa_bits) if exponent else mantissa
    magnitude = math.ldexp(significand, max(exponent, 1) - format_.bias - format_.mantissa_bits)
    if field > format_.largest_finite:
        magnitude = math.inf if field == format_.infinity else math.nan
    return -magnitude if code & format_.sign_mask else magnitude


def encode(
    value: Real, format_: Format, rounding: Rounding = "nearest", overflow: Overflow = "saturate"
) -> int:
    """Round a number into a format; as the vectorised `encode`, for any number.

    Parameters
    ----------
    value : Fraction or float
    format_ : Format
    rounding : {"nearest", "truncate"}
    overflow : {"saturate", "ieee"}

    Raises
    ------
    ValueError
        The value is NaN, and the format has none, or a name is unknown.
    """
    check_choice("rounding", rounding, ROUNDINGS)
    check_choice("overflow", overflow, OVERFLOWS)
    if isinstance(value, float) and math.isnan(value):
        if format_.nan is None:
            raise ValueError(f"{format_.name} has no NaN")
        return format_.nan
    if isinstance(format_, Integer):
        return _encode_integer(value, format_, rounding)
    if isinstance(value, float) and math.isinf(value):
        magnitude = _beyond(format_, overflow)
    else:
        magnitude = _round_magnitude(abs(Fraction(value)), format_, rounding)
        if magnitude > format_.largest_finite:
            magnitude = _beyond(format_, overflow if rounding == RoundMode.roundTiesToEven else "saturate")
    negative = value < 0 or (isinstance(value, float) and math.copysign(1, value) < 0)
    return _signed(magnitude, format_.sign_mask if negative else 0, format_)


def _encode_integer(value: Real, format_: Integer, rounding: Rounding) -> int:
    """Round to a whole number, and stop at the ends of the range; two's complement."""
    end = 1 << (format_.width - 1)
    if isinstance(value, float) and math.isinf(value):
        whole = end if value > 0 else -end
    else:
        whole = round(Fraction(value)) if rounding == RoundMode.roundTiesToEven else math.trunc(value)
    return max(-end, min(whole, end - 1)) % (2 * end)


def multiplier(arithmetic: Arithmetic) -> Callable[[int, int], int]:
    """Make the function that multiplies two codes into a code of the same format, or integers whole.

    Parameters
    ----------
    arithmetic : Arithmetic
        With one format for both operands, unless they are integers.

    Raises
    ------
    ValueError
        The operands have two formats.
    """
    format_, second = arithmetic.formats
    if arithmetic.integer:
        return lambda a, b: int(decode(a, format_) * decode(b, second)) % (1 << arithmetic.product_bits)
    if format_ != second:
        raise ValueError(f"a product of {format_.name} and {second.name} has no format")
    mantissa_bits, largest, sign_mask = format_.mantissa_bits, format_.largest_finite, format_.sign_mask
    magnitude_mask, smallest_normal = format_.magnitude_mask, 1 << mantissa_bits
    offset = format_.bias << mantissa_bits
    flush = arithmetic.subnormals == "flush"
    beyond = ~(sign_mask | magnitude_mask)
    product = _rounded_product(arithmetic.mul, mantissa_bits)
    gradual = _gradual_product(arithmetic.mul, format_)
    too_large = _beyond(format_, arithmetic.overflow)

    def multiply(a: int, b: int) -> int:
        if (a | b) & beyond:
            raise _no_code(a if a & beyond else b, format_)
        sign = (a ^ b) & sign_mask
        x, y = a & magnitude_mask, b & magnitude_mask
        if x > largest or y > largest:
            return _special(x, y, sign, arithmetic)
        if x < smallest_normal or y < smallest_normal:
            if flush or not x or not y:
                return sign
            x, y = _normalise(x, mantissa_bits), _normalise(y, mantissa_bits)
        field = product(x - offset, y - offset) + offset
        if field < smallest_normal:
            return sign if flush else sign | gradual(x - offset, y - offset)
        return sign | field if field <= largest else _signed(too_large, sign, format_)

    return multiply


def wide_multiplier(arithmetic: Arithmetic) -> Callable[[int, int], float]:
    """Make the function that multiplies two codes as a dot product takes them; every result is a double."""
    first, second = arithmetic.formats
    if arithmetic.integer:
        fraction_bits = 0 if arithmetic.scale == "none" else first.width + second.width - 4
        return lambda a, b: decode(a, first) * decode(b, second) / 2**fraction_bits
    mantissa_bits = arithmetic.mantissa_bits
    product = _unrounded_product(arithmetic.mul, mantissa_bits)

    def operand(code: int, format_: Format) -> float:
        real = decode(code, format_)
        subnormal = abs(real) < format_.smallest
        return math.copysign(0.0, real) if subnormal and arithmetic.subnormals == "flush" else real

    def multiply(a: int, b: int) -> float:
        x, y = operand(a, first), operand(b, second)
        if not x or not y or not math.isfinite(x) or not math.isfinite(y):
            return x * y
        magnitude = math.ldexp(*product(_field(x, mantissa_bits), _field(y, mantissa_bits)))
        return magnitude if (x < 0) == (y < 0) else -magnitude

    return multiply


def dot(
    a: Sequence[int], b: Sequence[int], arithmetic: Arithmetic, scales: Sequence[tuple[int, int]] = ()
) -> Sum:
    """Multiply two vectors of codes; with block scales those of both operands, block by block."""
    multiply = wide_multiplier(arithmetic)
    products = [multiply(x, y) for x, y in zip(a, b, strict=True)]
    lanes = arithmetic.lanes
    steps = [products[first : first + lanes] for first in range(0, len(products), lanes)]
    if arithmetic.scale != "none" and isinstance(arithmetic.accumulator, Fixed):
        return _scaled_fixed_dot(steps, arithmetic, scales)
    if isinstance(arithmetic.accumulator, Fused):
        pairs = list(zip(a, b, strict=True))
        return _fused_dot([pairs[n : n + lanes] for n in range(0, len(pairs), lanes)], arithmetic, scales)
    format_ = arithmetic.accumulator_format
    return _float_dot(steps, arithmetic, format_) if format_ else _fixed_dot(steps, arithmetic)


def _no_code(code: int, format_: Format) -> ValueError:
    last = (1 << format_.width) - 1
    return ValueError(f"codes of {format_.name} must be integers from 0 to {last}, not {code}")


def lsb_exponent(arithmetic: Arithmetic) -> int:
    """Give the exponent of a fixed-point register's last bit."""
    if arithmetic.acc != "exact":
        return int(arithmetic.acc.rsplit(":", maxsplit=1)[1])
    if arithmetic.integer:
        return 0
    exponent = sum(format_.min_exponent for format_ in arithmetic.formats)
    if arithmetic.mul == "exact" or arithmetic.subnormals == "full":
        exponent -= sum(format_.mantissa_bits for format_ in arithmetic.formats)
    return exponent if arithmetic.mul == "exact" else exponent - arithmetic.mantissa_bits


def _rounded_product(mul: str, mantissa_bits: int) -> Callable[[int, int], int]:
    """Make the function of two fields that gives the product's, rounded to M bits behind the leading one."""
    if mul in {"lmul", "mitchell"}:
        constant = _constant(mantissa_bits) if mul == "lmul" else 0
        return lambda x, y: x + y + constant
    if mul == "addm":
        return lambda x, y: x + y + _middle_correction(x, y, mantissa_bits)
    product = _unrounded_product("exact" if mul == "addc" else mul, mantissa_bits)
    one = 1 << mantissa_bits

    def rounded(x: int, y: int) -> int:
        significand, exponent = product(x, y)
        excess = significand.bit_length() - mantissa_bits - 1
        # A significand that rounds up to 2 carries into the exponent by itself.
        return (
            ((exponent + excess + mantissa_bits) << mantissa_bits) + _shift_to_even(significand, excess) - one
        )

    return rounded


def _unrounded_product(mul: str, mantissa_bits: int) -> Callable[[int, int], tuple[int, int]]:
    """Make the function of two fields that gives the product's significand and its last bit's exponent."""
    one = 1 << mantissa_bits
    mask = one - 1
    if mul == "exact":
        return lambda x, y: (
            (one | (x & mask)) * (one | (y & mask)),
            (x >> mantissa_bits) + (y >> mantissa_bits) - 2 * mantissa_bits,
        )
    if mul == "formula":
        constant = _constant(mantissa_bits)
        return lambda x, y: (
            one + (x & mask) + (y & mask) + constant,
            (x >> mantissa_bits) + (y >> mantissa_bits) - mantissa_bits,
        )
    product = _rounded_product(mul, mantissa_bits)
    return lambda x, y: _significand(product(x, y), mantissa_bits)


def _gradual_product(mul: str, format_: Format) -> Callable[[int, int], int]:
    """Make the function of two fields that rounds a product onto the subnormal grid, a magnitude code."""
    mantissa_bits = format_.mantissa_bits
    last_bit = format_.min_exponent - mantissa_bits
    unrounded, rounded = _unrounded_product(mul, mantissa_bits), _rounded_product(mul, mantissa_bits)

    def gradual(x: int, y: int) -> int:
        once = mul == "exact"  # IEEE 754 rounds the true product once, all others are rounded before.
        significand, exponent = unrounded(x, y) if once else _significand(rounded(x, y), mantissa_bits)
        return _shift_to_even(significand, last_bit - exponent)

    return gradual


def _significand(field: int, mantissa_bits: int) -> tuple[int, int]:
    """Give the significand that a field stands for and its last bit's exponent."""
    exponent, mantissa = divmod(field, 1 << mantissa_bits)
    return mantissa + (1 << mantissa_bits), exponent - mantissa_bits


def _constant(mantissa_bits: int) -> int:
    """Give L-Mul's 2^-l(M) in units of the last place."""
    return 1 << (mantissa_bits - lmul_offset(mantissa_bits))


def _middle_correction(x: int, y: int, mantissa_bits: int) -> int:
    """Give what `addm` adds to a sum of fields: 2^-5, and 2^-4 where both mantissas are in the middle."""
    one = 1 << mantissa_bits
    middle = all(one <= 4 * (field % one) < 3 * one for field in (x, y))
    if mantissa_bits < 3:
        return 0
    if mantissa_bits < 5:
        return int(middle)
    return (1 + 2 * middle) * one // 32


def _special(x: int, y: int, sign: int, arithmetic: Arithmetic) -> int:
    """Multiply magnitude codes of which one or both are infinity or NaN."""
    format_ = arithmetic.format
    least = format_.smallest_normal if arithmetic.subnormals == "flush" else 1
    infinite = all(code <= format_.largest_finite or code == format_.infinity for code in (x, y))
    magnitude = format_.infinity if infinite and min(x, y) >= least else format_.nan
    assert magnitude is not None  # noqa: S101
    return _signed(magnitude, sign, format_)


def _signed(magnitude: int, sign: int, format_: Format) -> int:
    """Add the sign bit to a magnitude code; the canonical NaN has none."""
    return magnitude if magnitude == format_.nan else sign | magnitude


def _beyond(format_: Format, overflow: Overflow) -> int:
    """Give the magnitude code of what is too large."""
    if overflow == "saturate" or format_.specials == "finite":
        return format_.largest_finite
    return format_.largest_finite + 1  # Infinity, and in `fn` NaN.


def _normalise(magnitude: int, mantissa_bits: int) -> int:
    """Extend a magnitude code below the smallest normal number: the leading one goes to its place."""
    shift = mantissa_bits + 1 - magnitude.bit_length()
    return magnitude if shift <= 0 else (magnitude << shift) - (shift << mantissa_bits)


def _field(real: float, mantissa_bits: int) -> int:
    """Give the field of a nonzero number, which is rounded nowhere."""
    significand, exponent = math.frexp(abs(real))  # from 0.5 to 1
    return ((exponent - 2) << mantissa_bits) + int(math.ldexp(significand, mantissa_bits + 1))


def _shift_to_even(integer: int, places: int) -> int:
    """Divide by 2^places and round to nearest, ties to even."""
    if places <= 0:
        return integer << -places
    quotient, rest = integer >> places, integer & ((1 << places) - 1)
    half = 1 << (places - 1)
    return quotient + 1 if rest > half or (rest == half and quotient & 1) else quotient


def _round_magnitude(magnitude: Fraction, format_: Format, rounding: Rounding) -> int:
    """Round into a format without an upper end: the code that the magnitude would have."""
    exponent = format_.min_exponent
    if magnitude:
        floor = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
        exponent = max(exponent, floor if magnitude >= Fraction(2) ** floor else floor - 1)
    units = magnitude / Fraction(2) ** (exponent - format_.mantissa_bits)
    rounded = round(units) if rounding == RoundMode.roundTiesToEven else math.floor(units)
    return rounded + ((exponent - format_.min_exponent) << format_.mantissa_bits)


def _fixed_dot(steps: list[list[float]], arithmetic: Arithmetic) -> Sum:
    """Add products in a fixed-point register: `exact` wraps, `fixed` truncates and saturates."""
    unit = Fraction(2) ** lsb_exponent(arithmetic)
    limit = 1 << (arithmetic.accumulator_bits - 1)
    register, overflow = 0, False
    for step in steps:
        terms = [int(Fraction(product) / unit) for product in step if math.isfinite(product)]
        if arithmetic.acc == "exact":
            total = register + sum(terms)
            register = (total + limit) % (2 * limit) - limit
        else:
            clamped = [max(1 - limit, min(term, limit - 1)) for term in terms]
            overflow |= clamped != terms
            total = register + sum(clamped)
            register = max(-limit, min(total, limit - 1))
        overflow |= register != total
    specials = {product for step in steps for product in step if not math.isfinite(product)}
    nan = any(math.isnan(product) for product in specials) or len(specials) > 1
    infinity = 0 if nan or not specials else int(math.copysign(1, specials.pop()))
    value: Real = math.nan if nan else infinity * math.inf if infinity else register * unit
    return Sum(register, overflow, infinity, nan, *_output(register, value, arithmetic))


def _scaled_fixed_dot(
    steps: list[list[float]], arithmetic: Arithmetic, scales: Sequence[tuple[int, int]]
) -> Sum:
    """Add exact sums of 16 products each, times their scales, in a fixed-point register."""
    sums: list[list[float]] = []
    first = 0
    for step in steps:
        own = scales[first // 32 :]
        groups = _groups(step, own, arithmetic)
        nan = [255 in own[n // 2] for n in range(len(groups))]
        # Whole numbers of so few bits are floats.
        sums.append([math.nan if no else float(total) for no, (total, _) in zip(nan, groups, strict=True)])
        first += len(step)
    return _fixed_dot(sums, arithmetic)


def _float_dot(steps: list[list[float]], arithmetic: Arithmetic, format_: Format) -> Sum:
    """Add products in a floating-point register: a step's in a balanced tree, then to the running sum."""
    total = 0.0
    for step in steps:
        # Lanes without a product are zero.
        terms = [_rounded(product, format_) for product in step] + [0.0] * (arithmetic.lanes - len(step))
        while len(terms) > 1:
            half = (len(terms) + 1) // 2
            sums = [_add(x, y, format_) for x, y in zip(terms, terms[half:], strict=False)]
            terms = sums + terms[len(sums) : half]
        total = _add(total, terms[0], format_)
    infinity = int(math.copysign(1, total)) if math.isinf(total) else 0
    raw = encode(total, format_, "nearest", "ieee")
    return Sum(raw, False, infinity, math.isnan(total), *_output(raw, total, arithmetic))


def fused_step(
    pairs: Sequence[tuple[int, int]],
    start: float,
    arithmetic: Arithmetic,
    scales: Sequence[tuple[int, int]] = (),
) -> float:
    """Add the products of a step to a running sum, in whole numbers of the last bit of a term.

    Parameters
    ----------
    pairs : sequence of (int, int)
        Codes of both operands.
    start : float
        The running sum.
    arithmetic : Arithmetic
        With a fused accumulator.
    scales : sequence of (int, int)
        With block scales: codes of those of both operands, block by block.
    """
    fused, multiply = arithmetic.fused, wide_multiplier(arithmetic)
    products = [multiply(x, y) for x, y in pairs]
    special = sum(value for value in (*products, start) if not math.isfinite(value))
    if arithmetic.scale != "none" and any(_is_nan(code, arithmetic) for both in scales for code in both):
        return math.nan
    if special:
        return special
    if arithmetic.scale in {"mxfp4", "nvfp4", "mx16"}:
        terms, floor = _groups(products, scales, arithmetic), -126
    else:
        terms = [
            (Fraction(product), _alignment(x, y, product, arithmetic))
            for (x, y), product in zip(pairs, products, strict=True)
        ]
        if arithmetic.scale == "mx":
            shifts = [sum(scales[n // 32]) - 254 for n in range(len(terms))]
            terms = [
                (term * Fraction(2) ** shift, exponent + shift)
                for (term, exponent), shift in zip(terms, shifts, strict=True)
            ]
        terms, floor = [term for term in terms if term[0]], min(-126, -108 - fused.fraction_bits)
    terms += [(Fraction(start), max(math.frexp(start)[1] - 1, FP32.min_exponent))] if start else []
    top = max([floor, *(exponent for _, exponent in terms)])
    unit = Fraction(2) ** (top - fused.fraction_bits)
    return _kept(unit * sum(int(term / unit) for term, _ in terms), fused)


def _is_nan(code: int, arithmetic: Arithmetic) -> bool:
    return code & 0x7F == 0x7F if arithmetic.scale == "nvfp4" else code == 255


def _groups(
    products: Sequence[float], scales: Sequence[tuple[int, int]], arithmetic: Arithmetic
) -> list[tuple[Fraction, int]]:
    """Give the exact sums of 16 products each, times their scales, with the sums of the scales' exponents."""
    block = 16 if arithmetic.scale == "nvfp4" else 32
    groups: list[tuple[Fraction, int]] = []
    for first in range(0, len(products), 16):
        total, exponents = sum(map(Fraction, products[first : first + 16]), Fraction(0)), 0
        for code in scales[first // block]:
            if arithmetic.scale == "nvfp4":
                value = decode(code & 0x7F, FORMATS["e4m3"])
                exponent = max(math.frexp(value)[1] - 1, -6) if value else -126
            else:
                value, exponent = 2.0 ** (code - 127), code - 127
            total, exponents = total * Fraction(value), exponents + exponent
        groups.append((total, exponents))
    return groups


def _alignment(a: int, b: int, product: float, arithmetic: Arithmetic) -> int:
    """Give the exponent that a term is aligned by."""
    if arithmetic.mul not in {"exact", "formula"}:
        return math.frexp(product)[1] - 1
    return sum(
        max(math.frexp(decode(code, format_))[1] - 1, format_.min_exponent)
        for code, format_ in zip((a, b), arithmetic.formats, strict=True)
    )


def _kept(total: Fraction, fused: Fused) -> float:
    """Round a sum to the bits of an fp32 number that are kept, infinity if it is too large."""
    exponent = FP32.min_exponent
    while abs(total) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    last = Fraction(2) ** (exponent - fused.mantissa_bits)
    kept = last * (round(total / last) if fused.nearest else int(total / last))
    return float(kept) if abs(kept) < 2**128 else math.copysign(math.inf, kept)


def _fused_dot(
    steps: list[list[tuple[int, int]]], arithmetic: Arithmetic, scales: Sequence[tuple[int, int]]
) -> Sum:
    """Add the products of each step at once to an fp32 number."""
    total, first = 0.0, 0
    for step in steps:
        block = {"none": 0, "nvfp4": 16}.get(arithmetic.scale, 32)
        own = scales[first // block : -(-(first + len(step)) // block)] if block else ()
        total, first = fused_step(step, total, arithmetic, own), first + len(step)
    infinity = int(math.copysign(1, total)) if math.isinf(total) else 0
    raw = encode(total, FP32, "nearest", "ieee")
    return Sum(raw, False, infinity, math.isnan(total), *_output(raw, total, arithmetic))


def _rounded(value: Real, format_: Format) -> float:
    """Round to a number of a format, as IEEE 754."""
    return decode(encode(value, format_, "nearest", "ieee"), format_)


def _add(x: float, y: float, format_: Format) -> float:
    """Add two numbers of a format. Python's sum has the right sign of zero, infinities and NaN."""
    if not math.isfinite(x) or not math.isfinite(y) or x == -y:
        return x + y
    return _rounded(Fraction(x) + Fraction(y), format_)


def _output(raw: int, value: Real, arithmetic: Arithmetic) -> tuple[int, bool]:
    """Give the output element of a register and the sum that it stands for, and whether that is too large."""
    if arithmetic.out == "raw":
        return raw & ((1 << arithmetic.output_bits) - 1), False
    format_ = FORMATS[arithmetic.out]
    finite = math.isfinite(value)
    too_large = finite and _round_magnitude(abs(Fraction(value)), format_, "nearest") > format_.largest_finite
    return encode(value, format_, "nearest", "ieee"), too_large
