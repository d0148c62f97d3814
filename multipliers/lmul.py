"""`lmul`: the sum of the fields and a constant (Luo and Sun, arXiv 2410.00907)."""

from lmul.multipliers.mitchell import Mitchell


class LMul(Mitchell):
    """Adds the operands' fields and 2^-l(M)."""

    description = "addition of the operands' fields and a constant (arXiv 2410.00907)"
    caption = "integer addition + constant"

    def constant(self, mantissa_bits: int) -> int:
        """Give 2^(M - l(M))."""
        return lmul_constant(mantissa_bits)


def lmul_offset(mantissa_bits: int) -> int:
    """L-Mul's offset exponent l(m): the constant added to a product is 2^-l(m).

    Luo and Sun, arXiv 2410.00907: m for m <= 3, 3 for m = 4, 4 above.
    """
    if mantissa_bits <= 3:
        return mantissa_bits
    return 3 if mantissa_bits == 4 else 4


def lmul_constant(mantissa_bits: int) -> int:
    """L-Mul's constant in units of the last place, 2^(M - l(M))."""
    return 1 << (mantissa_bits - lmul_offset(mantissa_bits))
