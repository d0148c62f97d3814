"""Functional coverage: what the compared results, and the cycles they came in, were made of.

Sampled from what a bench really compared, as counts over arrays. A group has bins; a bin that a design cannot
reach is left out by a rule, with its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden import Arithmetic, Codes, Format, multiply, wide_product
from lmul.golden.formats.codec import decode
from lmul.golden.products.operand import split
from lmul.multipliers.significand import significand_product
from lmul.sim.stimulus.classes import classes_of

Counts = NDArray[np.int64]
Places = NDArray[np.int64]

ENUMERATED = 8
"""Formats up to this width are sampled as pairs of codes, of which all are tried for what can be reached."""

NO_PAIR = "no pair of codes does it"

ROUNDINGS = (
    "exact",
    "below half",
    "tie, down to even",
    "tie, up to even",
    "above half",
    "into the next binade",
)


@dataclass
class Group:
    """Bins of one kind.

    Parameters
    ----------
    name : str
    bins : dict of str to int
        How often each bin was hit that the design can reach.
    left_out : dict of str to str
        The reason why the design cannot reach a bin.
    """

    name: str
    bins: dict[str, int]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def holes(self) -> list[str]:
        """Bins that were not hit."""
        return [name for name, count in self.bins.items() if not count]

    def as_plain(self) -> dict[str, Any]:
        """Give the group as plain values, for JSON."""
        return asdict(self)


def make_group(name: str, counts: Mapping[str, int], reasons: Mapping[str, str]) -> Group:
    """Make a group of counted bins, without those that there is a reason to leave out.

    Raises
    ------
    AssertionError
        A bin was hit that the reason says cannot be.
    """
    for place, reason in reasons.items():
        if counts.get(place):
            raise AssertionError(f"coverage of {name}: {place} came {counts[place]} times, though {reason}")
    bins = {place: int(count) for place, count in counts.items() if place not in reasons}
    return Group(name, bins, dict(reasons))


def holes(groups: Sequence[Group]) -> list[str]:
    """Give the bins of all groups that were not hit, with their group's name."""
    return [f"{group.name}: {name}" for group in groups for name in group.holes]


class ProductCoverage:
    """Counts of the products that were compared, by what matters to a multiplier.

    Parameters
    ----------
    design : Design
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        self._narrow = max(format_.width for format_ in design.formats) <= ENUMERATED
        self._shift = design.formats[1].width
        self._pairs = np.zeros(
            1 << sum(format_.width for format_ in design.formats) if self._narrow else 0, int
        )
        self._views = _views(design)
        self._counts = [np.zeros(len(view.bins), dtype=np.int64) for view in self._views]

    def sample(self, a: Codes, b: Codes) -> None:
        """Count products of codes, of one shape."""
        a, b = a.ravel().astype(np.int64), b.ravel().astype(np.int64)
        if self._narrow:
            self._pairs += np.bincount(a << self._shift | b, minlength=len(self._pairs))
            return
        for index, view in enumerate(self._views):
            self._counts[index] += view.count(a, b, np.ones(a.shape))

    def groups(self) -> list[Group]:
        """Give the groups of bins."""
        if self._narrow:
            pairs = np.flatnonzero(self._pairs)
            a, b = pairs >> self._shift, pairs & ((1 << self._shift) - 1)
            self._counts = [view.count(a, b, self._pairs[pairs]) for view in self._views]
        reachable = _reachable(self._design)
        groups = []
        for view, counts, reached in zip(self._views, self._counts, reachable, strict=True):
            found = dict(zip(view.bins, counts.tolist(), strict=True))
            reasons = {name: NO_PAIR for name, can in zip(view.bins, reached, strict=True) if not can}
            groups.append(make_group(view.name, found, reasons))
        return groups


class _View:
    """One way to sort products: names of bins, and the bin of each pair of codes, -1 for none."""

    def __init__(self, name: str, bins: Sequence[str], design: Design) -> None:
        self.name = name
        self.bins = bins
        self.design = design

    def places(self, a: Codes, b: Codes) -> Places:
        raise NotImplementedError

    def count(self, a: Codes, b: Codes, weights: NDArray[Any]) -> Counts:
        """Count pairs of codes that each came `weights` times."""
        places = self.places(a, b)
        sorted_ = places >= 0
        counts = np.bincount(places[sorted_], weights=weights[sorted_], minlength=len(self.bins))
        return counts.astype(np.int64)


class _Classes(_View):
    """Classes of the two operands."""

    def __init__(self, design: Design) -> None:
        self._sides = [classes_of(format_) for format_ in design.formats]
        names = [f"{first} x {second}" for first in self._sides[0].names for second in self._sides[1].names]
        super().__init__("pairs of classes", names, design)

    def places(self, a: Codes, b: Codes) -> Places:
        return self._sides[0].of(a) * len(self._sides[1]) + self._sides[1].of(b)


class _Carry(_View):
    """Whether the mantissas carry into the exponent."""

    def __init__(self, design: Design) -> None:
        super().__init__("mantissas", ("no carry", "carry into the exponent"), design)

    def places(self, a: Codes, b: Codes) -> Places:
        x, y, finite = _mantissas(a, b, self.design)
        product = significand_product(x, y, self.design.mul, self.design.mantissa_bits)
        return np.where(finite, product >> (self.design.fraction_bits + 1) > 0, -1)


class _Rounding(_View):
    """What rounding of the true product of two mantissas decides."""

    def __init__(self, design: Design) -> None:
        super().__init__("rounding", ROUNDINGS, design)

    def places(self, a: Codes, b: Codes) -> Places:
        x, y, finite = _mantissas(a, b, self.design)
        bits = self.design.mantissa_bits
        product = significand_product(x, y, "exact", bits)
        excess = np.where(product >> (2 * bits + 1), bits + 1, bits)
        places = _rounding(product, excess)
        ones = product >> excess == (2 << bits) - 1
        return np.where(finite, np.where(ones & (places >= 3), 5, places), -1)


class _SubnormalRounding(_View):
    """What rounding onto the grid of subnormal numbers decides."""

    def __init__(self, design: Design) -> None:
        bins = (*ROUNDINGS[:5], "up to the smallest normal")
        super().__init__("rounding of subnormal results", bins, design)

    def places(self, a: Codes, b: Codes) -> Places:
        format_ = self.design.format
        # Every product is a whole number of 2^-64 grid units, or so small that it only is below half.
        units = np.abs(wide_product(a, b, self.design)) * 2.0 ** (
            format_.mantissa_bits - format_.min_exponent
        )
        small = (units > 0) & (units < format_.smallest_normal)
        whole = np.floor(np.where(small, units, 0))
        rest = np.where(small, units, 0) - whole
        places = np.select([rest == 0, rest < 0.5, rest > 0.5, whole % 2 == 0], [0, 1, 4, 2], 3)
        top = (whole == format_.smallest_normal - 1) & (places >= 3)
        return np.where(small, np.where(top, 5, places), -1)


class _Results(_View):
    """What a multiplier gives, by class and sign; what is too small or too large for the format apart."""

    def __init__(self, design: Design) -> None:
        self._classes = classes_of(design.format)
        extra = tuple(f"{sign}{name}" for sign in "+-" for name in ("underflow to zero", "above the largest"))
        nan = ("NaN of a NaN", "NaN of infinity x zero")
        super().__init__("results", (*self._classes.names, *extra, *nan), design)

    def places(self, a: Codes, b: Codes) -> Places:
        wide = wide_product(a, b, self.design)
        products = multiply(a, b, self.design)
        places = self._classes.of(products)
        first = len(self._classes.names)
        negative = np.signbit(wide) * 2
        zero = np.isin(places, self._classes.places("zero"))
        places = np.where(zero & (wide != 0), first + negative, places)
        large = np.isfinite(wide) & (np.abs(wide) > self.design.format.largest)
        places = np.where(large, first + 1 + negative, places)
        nan_operand = _is_nan(a, self.design.format) | _is_nan(b, self.design.format)
        return np.where(np.isnan(wide), first + 4 + ~nan_operand, places)


def _is_nan(codes: Codes, format_: Format) -> NDArray[np.bool_]:
    nan: NDArray[np.bool_] = np.isnan(decode(codes, format_))
    return nan


def _rounding(product: Places, excess: Places) -> Places:
    """Give the place in `ROUNDINGS` of dropping the last bits of products."""
    rest, half = product & ((1 << excess) - 1), 1 << (excess - 1)
    odd = (product >> excess) & 1 == 1
    return np.select([rest == 0, rest < half, rest > half, odd], [0, 1, 4, 3], 2)


def _mantissas(a: Codes, b: Codes, arithmetic: Arithmetic) -> tuple[Places, Places, NDArray[np.bool_]]:
    """Give the mantissas of pairs, and whether both operands are numbers other than zero."""
    first, second = arithmetic.formats
    x, y = split(a, first, arithmetic), split(b, second, arithmetic)
    power = np.abs(x.power), np.abs(y.power)
    finite = np.isfinite(power[0]) & np.isfinite(power[1]) & (power[0] > 0) & (power[1] > 0)
    return x.mantissa, y.mantissa, finite


def _views(design: Design) -> list[_View]:
    if design.integer:
        return [_Classes(design)]
    views: list[_View] = [_Classes(design), _Carry(design)]
    if design.adds_products:
        return views
    if design.mul in {"addc", "exact"}:
        views.append(_Rounding(design))
    if design.subnormals == "full":
        views.append(_SubnormalRounding(design))
    return [*views, _Results(design)]


def _reachable(design: Design) -> list[NDArray[np.bool_]]:
    """Tell which bins of every view some pair of codes falls into, by trying all of them.

    Instead of a wider format one with up to 4 bits of exponent and 3 of mantissa is tried.
    """
    first, second = (_stand_in(format_) for format_ in design.formats)
    narrow = _with_formats(design, first, second)
    codes = np.stack(np.meshgrid(np.arange(1 << first.width), np.arange(1 << second.width)), -1).reshape(
        -1, 2
    )
    ones = np.ones(len(codes))
    return [view.count(codes[:, 0], codes[:, 1], ones) > 0 for view in _views(narrow)]


def _with_formats(design: Design, first: Format, second: Format) -> Design:
    # Only products are looked at, and a GPU's sum has none of other formats.
    both = None if first == second else second
    return replace(design, format=first, format_b=both, acc="exact", scale="none", addend=False, interleave=1)


def _stand_in(format_: Format) -> Format:
    if format_.width <= ENUMERATED:
        return format_
    exponent, mantissa = min(format_.exponent_bits, 4), min(format_.mantissa_bits, 3)
    return Format(f"e{exponent}m{mantissa}", exponent, mantissa, format_.specials)
