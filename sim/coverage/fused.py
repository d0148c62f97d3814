"""Coverage of the steps of fused sums: what alignment and the rounding of the running sum did."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import FP32, Codes
from lmul.golden.sums.blocks.scales import Scales
from lmul.golden.sums.fused.step import NO_TERM, add_step, fused_products
from lmul.sim.stimulus.scales import POWERS_OF_TWO
from lmul.sim.stimulus.stress_operands import far_apart

FUSED_BINS = [
    "running sum above every product",
    "running sum below a product",
    "aligned terms cancel to zero",
    "rounding cut something",
    "rounding on a tie",
    "product cut in part",
    "product shifted out whole",
    "running sum cut in part",
    "running sum shifted out whole",
    "aligned terms cancel to the last place",
]

ANY_SPAN = 5
"""Bins that are there whatever the exponents of products are; the others need products that are far apart."""


def fused_bins(design: Design) -> list[str]:
    """Give the bins of a design, without those of what is cut where no products are far apart."""
    if design.addend:  # Few sums begin with zero.
        return []
    # A sum of no more bits than an operand has is seldom cut in part.
    few = not design.integer and design.fused.mantissa_bits <= design.mantissa_bits
    # Powers of two may lie anywhere.
    apart = design.scale in POWERS_OF_TWO or far_apart(design, design.fused.fraction_bits + 1)
    bins = FUSED_BINS[:ANY_SPAN] if few or not apart else FUSED_BINS
    # Seldom do a running sum and a single product cancel so far, and seldom is a sum cut that has room.
    seldom = {"aligned terms cancel to the last place"} if design.lanes == 1 else set()
    if design.fused.mantissa_bits > design.fused.fraction_bits:
        seldom |= {"rounding cut something", "rounding on a tie"}
    return [name for name in bins if name not in seldom]


def fused_conditions(
    a: Codes, b: Codes, wide: NDArray[np.float64], design: Design, scales: Scales | None = None
) -> dict[str, Any]:
    """Tell for each sum which bins its steps fall into.

    Parameters
    ----------
    a, b : ndarray of codes, shape (K, ...)
        Operands of every product.
    wide : ndarray of float64, shape (K, ...)
        Products.
    design : Design
        With a fused accumulator.
    scales : Scales, optional
        Of every step, for a design with block scales.

    Returns
    -------
    dict of str to ndarray of bool, shape (...)
    """
    found = {name: np.zeros(wide.shape[1:], dtype=bool) for name in fused_bins(design)}
    running = np.zeros(wide.shape[1:], dtype=np.float32)
    products = fused_products(a, b, design)
    rows, cols = (slice(0, size) for size in wide.shape[1:])
    for number, first in enumerate(range(0, len(wide), design.lanes)):
        own = scales and scales.of_step(number, design.scales_a_step, rows, cols)
        terms = products.at(slice(first, first + design.lanes)).scaled(own, design)
        conditions = _step_conditions(terms.values, terms.exponents, running.astype(np.float64), design)
        found = {name: sums | conditions[name] for name, sums in found.items()}
        running = add_step(terms, running, design)
    return found


def fused_rules(design: Design, longest: int) -> dict[str, tuple[bool, str]]:
    """Give for bins whether they can be reached, and why not."""
    fused = design.fused
    steps = (longest >= 2 * design.lanes, "a sum has one step")
    names = [name for name in FUSED_BINS if name.startswith("running sum")]
    return dict.fromkeys(names, steps) | {
        "rounding on a tie": (fused.nearest, "sums are truncated"),
        "aligned terms cancel to the last place": steps,
    }


def _step_conditions(
    wide: NDArray[np.float64], exponents: NDArray[Any], total: NDArray[np.float64], design: Design
) -> dict[str, Any]:
    """Tell what becomes of the products of one step and of the running sums."""
    fused = design.fused
    number = np.isfinite(wide).all(axis=0) & np.isfinite(total)
    values = np.where(number, wide, 0.0)
    own = np.where(number, total, 0.0)
    own_exponent = np.maximum(np.frexp(own)[1] - 1, FP32.min_exponent)
    own_exponent = np.where(own != 0, own_exponent, NO_TERM)
    largest = exponents.max(axis=0)
    top = np.maximum(np.maximum(largest, own_exponent), design.least_exponent)
    places = fused.fraction_bits - top
    products, running = np.ldexp(values, places), np.ldexp(own, places)
    units = np.trunc(products).sum(axis=0) + np.trunc(running)
    leading = np.maximum(np.frexp(units)[1] - 1 - places, FP32.min_exponent)
    kept = np.abs(np.ldexp(units, fused.mantissa_bits - leading - places)) % 1
    terms = (np.abs(products) >= 1).any(axis=0) | (np.abs(running) >= 1)
    conditions = (
        (own_exponent > largest) & (largest > NO_TERM),
        (own_exponent < largest) & (own_exponent > NO_TERM),
        (units == 0) & terms,
        kept != 0,
        (kept == 0.5) & fused.nearest,
        _cut(products).any(axis=0),
        _shifted_out(products).any(axis=0),
        _cut(running),
        _shifted_out(running),
        np.abs(units) == 1,
    )
    return {name: number & found for name, found in zip(FUSED_BINS, conditions, strict=True)}


def _cut(units: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(units) > 1) & (units % 1 != 0))


def _shifted_out(units: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((units != 0) & (np.abs(units) < 1))
