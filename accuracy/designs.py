"""Errors of the dot products that a design computes, with what its accumulator and its output do to them."""

import math
from collections.abc import Sequence

import numpy as np

from lmul.accuracy.dots import compare_dots, dot_rows, spread
from lmul.accuracy.statistics import Reals
from lmul.design import Design
from lmul.golden import Codes, matmul_codes, quantise, wide_product
from lmul.workloads import Operands


def design_errors(design: Design, operands: Sequence[Operands]) -> tuple[float, float]:
    """Compare the dot products of a design with those of the operands before quantisation.

    Every matrix product counts as much as any other. Where one has many dot products, evenly spaced rows and
    columns are taken.

    Parameters
    ----------
    design : Design
        Products of a `mul` are rounded to its mantissa (but those of integers), neither flushed nor
        saturated, for a scale between them and what follows has to see to that; then they are added up
        exactly. A weight-stationary array adds rows * lanes products, and its sums are added up exactly.
    operands : sequence of Operands

    Returns
    -------
    error : float
        RMS of y' - y over the RMS of y; infinite where a sum is infinite or NaN, or every y is zero.
    noise : float
        What is left of it after y' is divided by its gain.
    """
    found = [_errors(design, pair) for pair in operands]
    error, noise = np.sqrt(np.mean(np.square(found), axis=0)).tolist()
    return error, noise


def _errors(design: Design, operands: Operands) -> tuple[float, float]:
    first, second = design.formats
    x, y = quantise(operands.a, first), quantise(operands.b, second)
    most = dot_rows(operands.a.shape[1])
    rows, columns = spread(operands.a.shape[0], most), spread(operands.b.shape[1], most)
    computed = _dots(design, x.codes[rows], y.codes[:, columns]) * x.scale * y.scale
    if not np.all(np.isfinite(computed)):
        return math.inf, math.inf
    true = operands.a[rows].astype(np.float64) @ operands.b[:, columns].astype(np.float64)
    dots = compare_dots(computed, true)
    if math.isnan(dots.noise):
        return math.inf, math.inf
    # What is left is orthogonal to y, and so to what the gain adds.
    return math.hypot(dots.bias, dots.noise), dots.noise


def _dots(design: Design, a: Codes, b: Codes) -> Reals:
    """Give the dot products of codes, shapes (M, K) and (K, N), as numbers."""
    if design.kind == "mul":
        return np.stack([_sum_products(design, row, b) for row in a])
    if design.weight_stationary:
        step = design.rows * design.lanes
        parts = (slice(start, start + step) for start in range(0, len(b), step))
        total = np.zeros((len(a), b.shape[1]))
        for part in parts:
            total += matmul_codes(a[:, part], b[part], design).values()
        return total
    return matmul_codes(a, b, design).values()


def _sum_products(design: Design, row: Codes, b: Codes) -> Reals:
    """Add up products that are rounded to the format's mantissa, whatever their exponents."""
    products = wide_product(row[:, None], b, design)
    if design.integer:
        whole: Reals = products.sum(axis=0)
        return whole
    significand, exponent = np.frexp(products)
    bits = design.mantissa_bits + 1
    rounded = np.ldexp(np.rint(np.ldexp(significand, bits)), exponent - bits)
    total: Reals = rounded.sum(axis=0)
    return total
