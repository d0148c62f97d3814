"""Whether a unit is a multiplier of the golden model, and where it is not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden import Arithmetic, Codes, Format, decode, multiply

CLASSES = {
    "nan_code": "both NaN, another code",
    "zero_sign": "both zero, another sign",
    "nan": "an operand NaN, or no product",
    "infinity": "an infinite operand",
    "zero": "an operand zero",
    "subnormal_operand": "a subnormal operand",
    "subnormal_result": "a subnormal product",
    "overflow": "a product too large",
    "normal": "normal operands and product",
}
"""Differences in the order in which they are told apart: each pair counts in the first that fits."""

HARMLESS = ("nan_code", "zero_sign")
"""Classes in which the values are the same."""

EXAMPLES = 3
"""Pairs of each class that are shown."""


@dataclass(frozen=True)
class Example:
    """A pair whose products differ.

    Parameters
    ----------
    a, b, found, expected : int
        Codes.
    product : float
        Of the two operands' values.
    """

    a: int
    b: int
    found: int
    expected: int
    product: float


@dataclass(frozen=True, eq=False)
class Verdict:
    """A unit's products beside those of one multiplier of the golden model.

    Parameters
    ----------
    model : Arithmetic
    a, b, found : ndarray of codes, one-dimensional
    """

    model: Arithmetic
    a: Codes
    b: Codes
    found: Codes

    @property
    def pairs(self) -> int:
        """Pairs that were compared."""
        return self.a.size

    @cached_property
    def expected(self) -> Codes:
        """The model's products."""
        return multiply(self.a, self.b, self.model)

    @cached_property
    def classes(self) -> dict[str, int]:
        """How many pairs differ in each class that has any."""
        counts = np.bincount(self._kinds, minlength=len(CLASSES) + 1)
        return {name: int(count) for name, count in zip(CLASSES, counts, strict=False) if count}

    @property
    def differ(self) -> int:
        """Pairs whose codes differ."""
        return sum(self.classes.values())

    @property
    def values(self) -> int:
        """Pairs whose values differ: codes of NaN and signs of zero aside."""
        return sum(count for name, count in self.classes.items() if name not in HARMLESS)

    @cached_property
    def examples(self) -> dict[str, tuple[Example, ...]]:
        """Some pairs of each class that has any: the first, the last, and one between them."""
        return {
            name: tuple(self._examples(place)) for place, name in enumerate(CLASSES) if name in self.classes
        }

    def _examples(self, place: int) -> Iterator[Example]:
        where = np.flatnonzero(self._kinds == place)
        # Pairs of small codes first: signs and large codes follow from what is wrong with those.
        where = where[np.argsort(self.a[where].astype(np.int64) << 32 | self.b[where], kind="stable")]
        chosen = where[np.unique(np.linspace(0, where.size - 1, EXAMPLES).astype(int))]
        for index in chosen.tolist():
            a, b = int(self.a[index]), int(self.b[index])
            product = float(_products(self.a[index], self.b[index], self.model.format))
            yield Example(a, b, int(self.found[index]), int(self.expected[index]), product)

    @cached_property
    def _kinds(self) -> NDArray[np.intp]:
        """The class of each pair as its place in `CLASSES`; where the codes agree, behind the last."""
        format_ = self.model.format
        operands = np.stack([_magnitude(self.a, format_), _magnitude(self.b, format_)])
        found, due = _magnitude(self.found, format_), _magnitude(self.expected, format_)
        true = np.abs(_products(self.a, self.b, format_))
        nan = _least_nan(format_)
        conditions = [
            self.found == self.expected,
            (found >= nan) & (due >= nan),
            (found == 0) & (due == 0),
            np.isnan(true),
            (operands > format_.largest_finite).any(axis=0),
            (operands == 0).any(axis=0),
            (operands < format_.smallest_normal).any(axis=0),
            (true < format_.smallest) | (due < format_.smallest_normal),
            (true > format_.largest) | (due > format_.largest_finite),
        ]
        order = [len(CLASSES), *range(len(CLASSES) - 1)]
        return np.select(conditions, order, len(CLASSES) - 1)

    def as_dict(self) -> dict[str, Any]:
        """Give the counts and examples as plain values."""
        return {
            "closest": _described(self.model),
            "pairs": self.pairs,
            "differ": self.differ,
            "values": self.values,
            "classes": {name: self.classes.get(name, 0) for name in CLASSES},
            "examples": {
                name: [vars(example) | {"product": _plain(example.product)} for example in examples]
                for name, examples in self.examples.items()
            },
        }

    @property
    def agreement(self) -> str:
        """Whether it computes what the model does, in a few words."""
        model = words(self.model)
        if not self.differ:
            return f"all {self.pairs:,} products are those of {model}"
        if not self.values:
            return f"all {self.pairs:,} products have the values of {model}, {self.differ:,} other codes"
        return f"{self.values:,} of {self.pairs:,} products have other values than {model}"

    @property
    def sentence(self) -> str:
        """The same, with the differences by class."""
        counted = ", ".join(f"{count:,} {CLASSES[name]}" for name, count in self.classes.items())
        return self.agreement + (f" ({counted})" if counted else "")


def words(model: Arithmetic) -> str:
    """Say which multiplier of the golden model it is."""
    return f"{model.mul} --subnormals {model.subnormals} --overflow {model.overflow}"


def closest(a: Codes, b: Codes, found: Codes, models: Sequence[Arithmetic]) -> list[Verdict]:
    """Give the verdicts on a unit's products, the closest model first.

    Parameters
    ----------
    a, b, found : ndarray of codes, one-dimensional
    models : sequence of Arithmetic
        What it might be.
    """
    return sorted((Verdict(model, a, b, found) for model in models), key=lambda one: (one.values, one.differ))


def _described(model: Arithmetic) -> Mapping[str, str]:
    return {
        "mul": model.mul,
        "format": model.format.name,
        "subnormals": model.subnormals,
        "overflow": model.overflow,
    }


def _magnitude(codes: Codes, format_: Format) -> NDArray[np.int64]:
    return codes.astype(np.int64) & format_.magnitude_mask


def _least_nan(format_: Format) -> int:
    """Give the magnitude from which on codes are NaN; above all codes where there is none."""
    if format_.nan is None:
        return format_.magnitude_mask + 1
    return format_.largest_finite + (1 if format_.infinity is None else 2)


def _products(a: Any, b: Any, format_: Format) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # Infinity times zero is NaN.
        product: NDArray[np.float64] = decode(a, format_).astype(np.float64) * decode(b, format_)
    return product


def _plain(value: float) -> float | str:
    """Give a number as JSON has it: infinities and NaN by their names."""
    return value if np.isfinite(value) else str(value)
