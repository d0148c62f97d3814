"""Coverage of sums: the ends of the accumulator, specials, what sticks, and the products inside."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import FP32, Codes, wide_product
from lmul.golden.accumulators import Fused
from lmul.golden.sums.blocks.scales import Scales, nan_sums, scaled_terms
from lmul.golden.sums.fixed_point import FixedPoint
from lmul.sim.coverage.fused import fused_bins, fused_conditions, fused_rules
from lmul.sim.coverage.products import Group, ProductCoverage, make_group
from lmul.sim.stimulus.scales import POWERS_OF_TWO, model_sums, neutral_scales
from lmul.sim.stimulus.stress_operands import (
    accumulated,
    largest_term,
    longest_sum,
    products_to_overflow,
    terms_beyond_output,
)

Truth = NDArray[np.bool_]

TOO_SHORT = "a sum has too few products"
NO_SPECIAL = "no operand or product is infinite"
NO_NAN = "no product is NaN"
NAN_SCALE = "NaN of a scale"
IN_RANGE = "no sum that is tried leaves the range"

OF_RANGE = [
    "left the range upward",
    "left the range downward",
    "saturated upward",
    "saturated downward",
    "product beyond the register",
    "product truncated to zero",
    "product truncated in part",
]
OF_STEPS = ["back in the range, flagged", "out of the range since an earlier step"]
"""What becomes of a fixed-point register in any sum, and in one of several steps."""

MOST_PRODUCTS = 1 << 18
"""Products that are looked at together."""


class SumCoverage:
    """Counts of the sums that were compared, and of their products.

    A product counts where a fault in it would show: in a sum that is a number, or as the only special one
    of its sum.

    Parameters
    ----------
    design : Design
        A `dot` or an `array`.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        self._products = ProductCoverage(design)
        self._sums = dict.fromkeys(self._names(), 0)

    def sample(self, a: Codes, b: Codes, start: Codes | None = None, scales: Scales | None = None) -> None:
        """Count compared sums.

        Parameters
        ----------
        a : ndarray of codes, shape (M, K)
            Rows whose sums were compared.
        b : ndarray of codes, shape (K, N)
        start : ndarray of codes of fp32, shape (M, N), optional
            Finite numbers that the sums begin with.
        scales : Scales, optional
            Of every step, for a design with block scales.
        """
        rows = max(1, MOST_PRODUCTS // max(1, b.size))
        for first in range(0, len(a), rows):
            some = slice(first, first + rows)
            own = scales and Scales(scales.a[some], scales.b)
            self._sample_rows(a[some], b, None if start is None else start[some], own)

    def groups(self) -> list[Group]:
        """Give the groups of bins."""
        return [*self._products.groups(), make_group("sums", self._sums, self._reasons())]

    def _sample_rows(self, a: Codes, b: Codes, start: Any, scales: Scales | None) -> None:
        """Count the sums of rows; all products are there at once, those of a sum along the first axis."""
        design = self._design
        a_codes, b_codes = np.broadcast_arrays(a.T[:, :, None], b[:, None, :])
        wide = wide_product(a_codes, b_codes, design)
        terms = accumulated(wide, design)
        special = ~np.isfinite(terms)
        sums = model_sums(a, b, design, scales, start)
        finite = ~(sums.nan | sums.inf)
        shown = np.where(special, np.count_nonzero(special, axis=0) == 1, finite)
        if start is not None:
            shown &= start & FP32.magnitude_mask == 0
        self._products.sample(a_codes[shown], b_codes[shown])
        added = self._groups(wide, scales) if scales and not design.accumulator_format else wide
        found = self._conditions(wide, terms, sums, added)
        if scales:
            found |= self._scale_conditions(found, scales)
        if isinstance(design.accumulator, Fused):
            found |= fused_conditions(a_codes, b_codes, wide, design, scales)
        # What a sum that begins with any number can be is no rule's.
        counted: Any = True if start is None else start & FP32.magnitude_mask == 0
        for name, sums_of_it in found.items():
            self._sums[name] += int(np.count_nonzero(sums_of_it & counted))

    def _groups(self, wide: Any, scales: Scales) -> Any:
        """Give what is added to a fixed-point register: sums of groups of products, times their scales."""
        design = self._design
        wide = np.pad(wide, ((0, -len(wide) % design.lanes), (0, 0), (0, 0)))
        rows, cols = (slice(0, size) for size in wide.shape[1:])
        found = []
        for step in range(len(wide) // design.lanes):
            products = wide[step * design.lanes :][: design.lanes]
            own = scales.of_step(step, design.scales_a_step, rows, cols)
            found.append(scaled_terms((products, np.zeros(products.shape, np.int16)), own, design)[0])
        return np.concatenate(found)

    def _conditions(self, wide: Any, terms: Any, sums: Any, added: Any) -> dict[str, Truth]:
        """Tell for each sum which bins it falls into; `added` is what comes to the register."""
        nan, infinity, value = sums.nan, sums.infinity, _register(sums)
        number = ~nan & (infinity == 0)
        special = ~np.isfinite(terms)
        early = special.any(axis=0) & ~special[-self._last_step(len(terms)) :].any(axis=0)
        nan_product = np.isnan(wide).any(axis=0)
        only_output = sums.too_large & ~sums.overflow
        found = {
            "too large for the output": only_output & (value > 0),
            "too negative for the output": only_output & (value < 0),
            "zero of zeros": number & (value == 0) & (wide == 0).all(axis=0),
            "zero by cancellation": number & (value == 0) & self._counts(terms).any(axis=0),
            "positive": number & (value > 0),
            "negative": number & (value < 0),
            "+infinity": infinity > 0,
            "-infinity": infinity < 0,
            "NaN of a product": nan_product,
            "NaN of opposite infinities": nan & ~nan_product,
            "NaN since an earlier step": nan & nan_product & early,
            "infinity since an earlier step": (infinity != 0) & early,
        }
        own = self._float_conditions if self._design.accumulator_format else self._fixed_conditions
        return found | own(added, terms, sums, value)

    def _scale_conditions(self, found: dict[str, Truth], scales: Scales) -> dict[str, Truth]:
        """Tell for each sum which bins of scales it falls into, and which are no others' then."""
        nan = nan_sums(scales, self._design)
        opposite = "NaN of opposite infinities"
        return {NAN_SCALE: nan & ~found["NaN of a product"], opposite: found[opposite] & ~nan}

    def _last_step(self, products: int) -> int:
        return (products - 1) % self._design.lanes + 1

    def _counts(self, terms: NDArray[np.float64]) -> Truth:
        """Tell which terms are numbers that the accumulator has any bit of."""
        unit = 0.0 if self._design.accumulator_format else 2.0**self._design.lsb_exponent
        counts: Truth = np.isfinite(terms) & (terms != 0) & (np.abs(terms) >= unit)
        return counts

    def _float_conditions(self, wide: Any, terms: Any, sums: Any, value: Any) -> dict[str, Truth]:
        finite = np.isfinite(wide).all(axis=0)
        infinity = sums.infinity
        return {
            "beyond the largest": finite & (infinity > 0),
            "beyond the most negative": finite & (infinity < 0),
        }

    def _fixed_conditions(self, wide: Any, terms: Any, sums: Any, value: Any) -> dict[str, Truth]:
        design = self._design
        limit = 1 << (design.accumulator_bits - 1)
        unit = 2.0**-design.lsb_exponent
        units = np.where(np.isfinite(wide), wide, 0.0) * unit
        total = np.trunc(units).sum(axis=0)
        overflow = sums.overflow
        last = units[-(design.terms if design.grouped else self._last_step(len(units))) :]
        # One product of -limit is clamped, and leaves nothing to come back from.
        inside = (total > -limit) & (total < limit)
        found = {
            "left the range upward": overflow & (total >= limit),
            "left the range downward": overflow & (total < -limit),
            "back in the range, flagged": overflow & inside,
            "out of the range since an earlier step": overflow & ~last.any(axis=0),
        }
        if design.acc == "exact":
            largest, most_negative = (design.depth * largest_term(design, sign) for sign in (0, 1))
            found |= {
                "largest of the depth": value == largest,
                "most negative of the depth": value == -most_negative,
            }
            return found
        magnitude = np.abs(units)
        return found | {
            "saturated upward": overflow & (value == limit - 1),
            "saturated downward": overflow & (value == -limit),
            "product beyond the register": (magnitude >= limit).any(axis=0),
            "product truncated to zero": ((magnitude > 0) & (magnitude < 1)).any(axis=0),
            "product truncated in part": ((magnitude > 1) & (magnitude % 1 != 0)).any(axis=0),
        }

    def _names(self) -> list[str]:
        one = np.zeros((1, 1), dtype=np.int64)
        wide = wide_product(one, one, self._design)
        scales = neutral_scales(self._design, (1, 1, 1))
        names = list(self._conditions(wide, wide, model_sums(one, one, self._design, scales), wide))
        names += [NAN_SCALE] if self._design.block_scale else []
        fused = isinstance(self._design.accumulator, Fused)
        return names + (fused_bins(self._design) if fused else [])

    def _reasons(self) -> dict[str, str]:
        """Give the bins that cannot be reached, by rules on the design's parameters."""
        design, longest = self._design, longest_sum(self._design)
        lanes, beyond = design.lanes, products_to_overflow(design)
        largest, smallest = _extreme_products(design)
        infinite = any(format_.infinity is not None for format_ in design.formats)
        term_infinite = bool(np.isinf(accumulated(np.array([largest]), design)[0]))
        nan = infinite or any(format_.nan is not None for format_ in design.formats)
        floating = design.accumulator_format is not None
        rules: dict[str, tuple[bool, str]] = {
            "zero by cancellation": (longest > 1, TOO_SHORT),
            "NaN of a product": (nan, NO_NAN),
            "NaN since an earlier step": (nan and longest >= 2 * lanes, TOO_SHORT if nan else NO_NAN),
            "infinity since an earlier step": (
                (infinite or term_infinite) and longest >= 2 * lanes,
                TOO_SHORT if infinite else NO_SPECIAL,
            ),
            "NaN of opposite infinities": (
                ((infinite or term_infinite) and longest > 1)
                or (floating and beyond == lanes and longest >= 2 * lanes),
                TOO_SHORT if infinite else NO_SPECIAL,
            ),
        }
        for sign, name in enumerate(("too large for the output", "too negative for the output")):
            rules[name] = (
                bool(terms_beyond_output(design, sign)),
                "the output holds every sum that is tried",
            )
        for name in ("+infinity", "-infinity"):
            rules[name] = (infinite or (floating and beyond is not None), NO_SPECIAL)
        for name in ("beyond the largest", "beyond the most negative", "left the range upward"):
            rules[name] = (beyond is not None, IN_RANGE)
        if design.scale in POWERS_OF_TWO and floating:  # Any product can be so large.
            too_large = ["+infinity", "-infinity", "beyond the largest", "beyond the most negative"]
            rules |= dict.fromkeys(too_large, (True, ""))
            rules["infinity since an earlier step"] = (
                infinite and longest >= 2 * lanes,
                TOO_SHORT if infinite else NO_SPECIAL,
            )
        rules["left the range downward"] = (products_to_overflow(design, 1) is not None, IN_RANGE)
        rules["saturated upward"] = rules["saturated downward"] = rules["left the range upward"]
        for name in ("back in the range, flagged", "out of the range since an earlier step"):
            rules[name] = (
                beyond is not None and -(-beyond // lanes) * lanes < longest,
                IN_RANGE if beyond is None else TOO_SHORT,
            )
        for name in ("largest of the depth", "most negative of the depth"):
            rules[name] = (design.depth <= longest, TOO_SHORT)
        unit = 2.0**design.lsb_exponent if not floating else 0.0
        rules["product beyond the register"] = (design.clamps if not floating else True, "every product fits")
        rules["product truncated to zero"] = (smallest < unit, "every product has a bit in the register")
        rules["product truncated in part"] = (
            not floating and design.lsb_exponent > design.product_lsb_exponent and largest > unit,
            "no product has bits on both sides of the register's last",
        )
        if design.scale in POWERS_OF_TWO and not floating:  # Groups may be anywhere in the register.
            rules |= dict.fromkeys(OF_RANGE, (True, ""))
            rules |= dict.fromkeys(OF_STEPS, (longest >= 2 * lanes, TOO_SHORT))
        if isinstance(design.accumulator, Fused):
            rules |= fused_rules(design, longest)
        return {name: reason for name, (can, reason) in rules.items() if name in self._sums and not can}


def _register(sums: Any) -> Any:
    """Give the values of sums: units of a fixed-point register, or numbers."""
    register = sums.register
    return register.integers() if isinstance(register, FixedPoint) else np.nan_to_num(register)


def _extreme_products(design: Design) -> tuple[float, float]:
    """Give the largest and the smallest magnitude of a product that is not zero."""
    first, second = design.formats
    if design.integer:
        unit = 2.0**design.product_lsb_exponent
        return design.largest_product * unit, unit
    smallest = [1 if design.subnormals == "full" else format_.smallest_normal for format_ in design.formats]
    largest = wide_product(first.largest_finite, second.largest_finite, design)
    return float(largest), float(wide_product(smallest[0], smallest[1], design))
