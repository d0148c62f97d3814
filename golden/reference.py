"""The same arithmetic one number at a time, in Python integers and fractions.

Written from the specification and not from the vectorised model, which is tested against it. Slow.
"""

from fractions import Fraction
from functools import cache

from lmul.golden.arithmetic import Arithmetic, lmul_offset
from lmul.golden.formats import Format


def decode(code: int, format_: Format) -> Fraction | None:
    """Give the value of a code, None for NaN. The sign of a zero is lost."""
    field = code % (1 << format_.width - 1)
    if field == (1 << format_.width - 1) - 1:
        return None
    exponent, mantissa = divmod(field, (1 << format_.mantissa_bits))
    fraction = Fraction(mantissa, (1 << format_.mantissa_bits))
    if exponent == 0:
        magnitude = fraction * _power(1 - format_.bias)
    else:
        magnitude = (1 + fraction) * _power(exponent - format_.bias)
    return -magnitude if _sign(code, format_) else magnitude


def wide_product(a: int, b: int, arithmetic: Arithmetic) -> Fraction | None:
    """Give the product of two codes as a dot product takes it, None for NaN."""
    format_ = arithmetic.format
    x_real, y_real = decode(a, format_), decode(b, format_)
    if x_real is None or y_real is None:
        return None
    smallest = _power(1 - format_.bias)
    if abs(x_real) < smallest or abs(y_real) < smallest:
        return Fraction(0)
    if arithmetic.mul == "exact":
        return x_real * y_real
    x, y = (code % (1 << format_.width - 1) for code in (a, b))
    constant = 2 ** (format_.mantissa_bits - lmul_offset(format_.mantissa_bits))
    exponent, mantissa = divmod(
        x + y - (format_.bias * (1 << format_.mantissa_bits) - constant), (1 << format_.mantissa_bits)
    )
    magnitude = (1 + Fraction(mantissa, (1 << format_.mantissa_bits))) * _power(exponent - format_.bias)
    return -magnitude if _sign(a, format_) ^ _sign(b, format_) else magnitude


def multiply(a: int, b: int, arithmetic: Arithmetic) -> int:
    """Give the code of the product of two codes: flushed to zero below, saturated above."""
    format_ = arithmetic.format
    wide = wide_product(a, b, arithmetic)
    if wide is None:
        return (1 << format_.width - 1) - 1
    sign = (_sign(a, format_) ^ _sign(b, format_)) << (format_.width - 1)
    rounded = _round(abs(wide), format_)
    if rounded < _power(1 - format_.bias):
        return sign
    return sign + _finite_codes(format_).get(rounded, (1 << format_.width - 1) - 2)


def dot(a: list[int], b: list[int], arithmetic: Arithmetic) -> Fraction | None:
    """Give the exact sum of the wide products of two vectors of codes, None for NaN."""
    total = Fraction(0)
    for x, y in zip(a, b, strict=True):
        product = wide_product(x, y, arithmetic)
        if product is None:
            return None
        total += product
    return total


@cache
def _finite_codes(format_: Format) -> dict[Fraction | None, int]:
    return {decode(code, format_): code for code in range((1 << format_.width - 1) - 1)}


def _sign(code: int, format_: Format) -> int:
    return code // (1 << format_.width - 1)


def _power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def _round(magnitude: Fraction, format_: Format) -> Fraction:
    """Round to M+1 significand bits, ties to even, with an unbounded exponent."""
    if magnitude == 0:
        return magnitude
    ulp = _power(-format_.mantissa_bits)
    while magnitude >= ulp * 2 ** (format_.mantissa_bits + 1):
        ulp *= 2
    while magnitude < ulp * (1 << format_.mantissa_bits):
        ulp /= 2
    return round(magnitude / ulp) * ulp
