"""Errors of single products: of codes against their exact product, and of operands before they were codes.

Exponents are unbounded here: all that counts is the mantissa width M.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lmul.accuracy.statistics import Errors, ErrorSums, Reals
from lmul.golden import Arithmetic, Format, Integer, decode, encode, find_format, multiply, wide_product
from lmul.golden.formats.codec import Rounding
from lmul.multipliers import find_multiplier, plug_ins
from lmul.multipliers.table import NOT_ADDED

MULTIPLIERS = ("mitchell", "lmul", "addm", "addc", "exact", "formula")
"""In the order of the tables."""

EXHAUSTIVE_BITS = 10
"""Up to this mantissa width all pairs of mantissas are compared, above it `PAIRS` random ones."""

PAIRS = 2_000_000
"""Pairs of random operands."""

SEED = 241000907
"""Of all that is random."""

Distribution = Literal["uniform", "gaussian"]
DISTRIBUTIONS: dict[Distribution, str] = {
    "uniform": "uniform from 1 to 2",
    "gaussian": "Gaussian, mean 0",
}

Mantissas = NDArray[np.int64]


@dataclass(frozen=True)
class CodeErrors:
    """Errors of rounded products of codes.

    Parameters
    ----------
    errors : Errors
        Against the exact product of the same codes.
    nearest : int
        Products that are as near to the exact one as any number of the format.
    """

    errors: Errors
    nearest: int


def multipliers(mantissa_bits: int) -> tuple[str, ...]:
    """Name the multipliers that are defined for a mantissa width, those of plug-ins last."""
    return tuple(
        mul
        for mul in (*MULTIPLIERS, *plug_ins())
        if mul in NOT_ADDED or mantissa_bits <= find_multiplier(mul).most_mantissa_bits
    )


def multipliers_of(format_: Format) -> tuple[str, ...]:
    """Name the multipliers that are defined for a format: of integers the exact one."""
    return ("exact",) if isinstance(format_, Integer) else multipliers(format_.mantissa_bits)


def unbounded_format(mantissa_bits: int) -> Format:
    """Give a format of some mantissa width whose exponent is wide enough never to matter."""
    return find_format(f"e8m{mantissa_bits}")


def mantissa_pairs(mantissa_bits: int) -> tuple[Mantissas, Mantissas]:
    """Give mantissas to multiply with each other.

    Parameters
    ----------
    mantissa_bits : int
        M.

    Returns
    -------
    x, y : ndarrays of int64, to be broadcast against each other
        All 2^M x 2^M pairs, or `PAIRS` random ones above `EXHAUSTIVE_BITS`.
    """
    if mantissa_bits <= EXHAUSTIVE_BITS:
        mantissa = np.arange(1 << mantissa_bits)
        return mantissa[:, None], mantissa[None, :]
    x, y = np.random.default_rng(SEED).integers(0, 1 << mantissa_bits, (2, PAIRS))
    return x, y


def rounded_products(x: Mantissas, y: Mantissas, mul: str, mantissa_bits: int) -> Reals:
    """Multiply 1 + x / 2^M and 1 + y / 2^M as the `mul` design does, which rounds to M bits.

    Parameters
    ----------
    x, y : ndarrays of int64 below 2^M, broadcast against each other
    mul : str
        A name of `MULTIPLIERS`.
    mantissa_bits : int
        M.

    Returns
    -------
    ndarray of float64
    """
    format_ = unbounded_format(mantissa_bits)
    one = format_.bias << mantissa_bits
    codes = multiply(one + x, one + y, Arithmetic(format=format_, mul=mul))
    return decode(codes, format_).astype(np.float64)


def exact_products(x: Mantissas, y: Mantissas, mantissa_bits: int) -> Reals:
    """Multiply 1 + x / 2^M and 1 + y / 2^M without error; shapes and types as for `rounded_products`."""
    one = 1 << mantissa_bits
    products: Reals = np.ldexp(((one + x) * (one + y)).astype(np.float64), -2 * mantissa_bits)
    return products


def code_errors(mul: str, mantissa_bits: int) -> CodeErrors:
    """Compare rounded products of codes with their exact products, for uniformly distributed mantissas.

    Parameters
    ----------
    mul : str
        A name of `MULTIPLIERS`.
    mantissa_bits : int
        M.
    """
    x, y = mantissa_pairs(mantissa_bits)
    true = exact_products(x, y, mantissa_bits)
    products = rounded_products(x, y, mul, mantissa_bits)
    return judge(products, x, y, mantissa_bits, true)


def judge(
    products: Reals, x: Mantissas, y: Mantissas, mantissa_bits: int, true: Reals | None = None
) -> CodeErrors:
    """Compare products of any making with the exact ones.

    Parameters
    ----------
    products : ndarray of float64
        What to judge.
    x, y : ndarrays of int64 below 2^M, broadcast against each other
        Their mantissas.
    mantissa_bits : int
        M.
    true : ndarray of float64, optional
        The exact products, where they are at hand.
    """
    true = exact_products(x, y, mantissa_bits) if true is None else true
    # Of two numbers that are equally near, either is nearest.
    distance = np.abs(rounded_products(x, y, "exact", mantissa_bits) - true)
    nearest = int(np.count_nonzero(np.abs(products - true) <= distance))
    return CodeErrors(ErrorSums.of(products / true - 1.0).errors(), nearest)


@lru_cache(maxsize=2)
def draw(distribution: Distribution, pairs: int = PAIRS) -> tuple[Reals, Reals]:
    """Draw pairs of real operands, always the same ones.

    Returns
    -------
    x, y : ndarrays of float64, shape (pairs,)
    """
    rng = np.random.default_rng(SEED)
    x, y = 1.0 + rng.random((2, pairs)) if distribution == "uniform" else rng.standard_normal((2, pairs))
    return x, y


def operand_errors(
    mul: str, mantissa_bits: int, rounding: Rounding, distribution: Distribution, pairs: int = PAIRS
) -> Errors:
    """Compare unrounded products of rounded operands with the products of the operands before rounding.

    Parameters
    ----------
    mul : str
        A name of `MULTIPLIERS`; `exact` shows what the rounding of the operands costs alone.
    mantissa_bits : int
        M.
    rounding : {"nearest", "truncate"}
        Of the operands.
    distribution : {"uniform", "gaussian"}
    pairs : int
        How many products to draw.
    """
    format_ = unbounded_format(mantissa_bits)
    x, y = draw(distribution, pairs)
    arithmetic = Arithmetic(format=format_, mul=mul)
    products = wide_product(encode(x, format_, rounding), encode(y, format_, rounding), arithmetic)
    return ErrorSums.of(products / (x * y) - 1.0).errors()
