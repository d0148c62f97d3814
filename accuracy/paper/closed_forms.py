"""What the mean relative error must be: sums of harmonic numbers, and their limits.

Derived in `docs/accuracy.md`. Both mantissas are uniformly distributed and the reference is the exact
product. With n = 2^M an operand is p / n or q / n, where p and q run from n to 2n - 1; c is the multiplier's
constant in units of the last place, d = c / n the same as a number.
"""

import math

import numpy as np

from lmul.accuracy.statistics import Reals


def formula_mean(mantissa_bits: int, constant: int) -> float:
    """Mean relative error of (1 + xm + ym + c / n), the paper's formula with any constant.

    h (2n + (c - n) h) / n - 1, with h = H(2n - 1) - H(n - 1) = 1 / n + ... + 1 / (2n - 1).

    Parameters
    ----------
    mantissa_bits : int
        M.
    constant : int
        c.
    """
    n = 1 << mantissa_bits
    h = float(np.sum(_reciprocals(n)))
    return h * (2 * n + (constant - n) * h) / n - 1.0


def integer_add_mean(mantissa_bits: int, constant: int) -> float:
    """Mean relative error of integer addition with a constant: 0 for `mitchell`, 2^(M - l) for `lmul`.

    That of the formula and (A(3n - c) + 2 A(4n - c)) / n, where A(s) is the sum of (p + q - s) / (p q)
    over all p + q >= s: what a first and a second carry of the mantissas add.

    Parameters
    ----------
    mantissa_bits : int
        M.
    constant : int
        c, from 0 to n.
    """
    n = 1 << mantissa_bits
    carries = carry_sum(n, 3 * n - constant) + 2.0 * carry_sum(n, 4 * n - constant)
    return formula_mean(mantissa_bits, constant) + carries / n


def carry_sum(n: int, s: int) -> float:
    """Sum of (p + q - s) / (p q) over p and q from n to 2n - 1 with p + q >= s.

    With t(p) = H(2n - 1) - H(s - p - 1), a = max(n, s - 2n + 1) and b = min(s - n, 2n - 1):
    2 [(2n - s) (H(b) - H(a - 1)) + b - a + 1 + n (H(2n - 1) - H(b))]
    - s [sum of t(p) / p for p = a ... b, plus h (H(2n - 1) - H(b))].
    The one sum left is the discrete dilogarithm.

    Parameters
    ----------
    n : int
        2^M.
    s : int
        From 2n.
    """
    first, last = max(n, s - 2 * n + 1), min(s - n, 2 * n - 1)
    if first > last:
        return 0.0
    reciprocals = _reciprocals(n)
    tails = np.cumsum(reciprocals[::-1])[::-1]  # H(2n - 1) - H(q - 1) for q = n ... 2n - 1
    partial = reciprocals[first - n : last - n + 1]
    cut = float(np.sum(partial))
    whole = float(np.sum(reciprocals[last - n + 1 :]))
    dilogarithm_sum = float(np.dot(tails[s - last - n : s - first - n + 1][::-1], partial)) if cut else 0.0
    counts = (2 * n - s) * cut + (last - first + 1) + n * whole
    return 2.0 * counts - s * (dilogarithm_sum + float(tails[0]) * whole)


def formula_limit(constant: float) -> float:
    """Mean relative error of the formula for M without end: 2 ln 2 + (d - 1) ln^2 2 - 1.

    Parameters
    ----------
    constant : float
        d.
    """
    return 2.0 * math.log(2.0) + (constant - 1.0) * math.log(2.0) ** 2 - 1.0


def integer_add_limit(constant: float) -> float:
    """Mean relative error of integer addition for M without end: formula_limit(d) + B(3 - d) + 2 B(4 - d).

    For d = 0, B(3) = 2 - 2 ln 2 - 3 [pi^2 / 6 - ln 3 ln(3/2) - ln 2 ln(3/2) - 2 Li2(1/3)] and B(4) = 0:
    -3.849 %.

    Parameters
    ----------
    constant : float
        d, from 0 to 1.
    """
    return formula_limit(constant) + carry_integral(3.0 - constant) + 2.0 * carry_integral(4.0 - constant)


def carry_integral(s: float) -> float:
    """Integral of (x + y - s) / (x y) over x and y from 1 to 2 with x + y >= s: B(s).

    With a = max(1, s - 2) and b = min(s - 1, 2):
    2 [(2 - s) ln(b / a) + b - a + ln(2 / b)]
    - s [ln(2 / s) ln(b / a) + Li2(b / s) - Li2(a / s) + ln 2 ln(2 / b)].

    Parameters
    ----------
    s : float
        From 2 to 4.
    """
    a, b = max(1.0, s - 2.0), min(s - 1.0, 2.0)
    cut, whole = math.log(b / a), math.log(2.0 / b)
    dilogarithms = dilogarithm(b / s) - dilogarithm(a / s)
    areas = (2.0 - s) * cut + b - a + whole
    return 2.0 * areas - s * (math.log(2.0 / s) * cut + dilogarithms + math.log(2.0) * whole)


def dilogarithm(z: float) -> float:
    """Li2(z), the sum of z^k / k^2 for k from 1, for z from 0 to 1.

    Above 1/2 by Euler's reflection: Li2(z) = pi^2 / 6 - ln z ln(1 - z) - Li2(1 - z).
    """
    if z == 1.0:
        return math.pi**2 / 6.0
    if z > 0.5:
        return math.pi**2 / 6.0 - math.log(z) * math.log1p(-z) - dilogarithm(1.0 - z)
    return math.fsum(z**k / k**2 for k in range(1, 61))


def _reciprocals(n: int) -> Reals:
    """Give 1 / q for q from n to 2n - 1."""
    return 1.0 / np.arange(n, 2 * n, dtype=np.float64)
