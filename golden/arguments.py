"""What callers may give: choices by name, and real numbers of any type."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.host.parameters import ParameterError
from lmul.multipliers.table import MultiplierError

CONSECUTIVE = 2.0**53
"""Whole numbers up to this magnitude are doubles."""


def check_choice(parameter: str, value: object, known: Iterable[str]) -> None:
    """Refuse a value that is no name of some.

    Raises
    ------
    ParameterError
    """
    names = list(known)
    if value not in names:
        raise ParameterError(parameter, f"{value!r} is unknown: it must be one of {', '.join(names)}")


@contextmanager
def checked_multiplier() -> Iterator[None]:
    """Refuse the parameter `mul` where `lmul.multipliers`, which imports nothing of ours, refuses its value.

    Raises
    ------
    ParameterError
    """
    try:
        yield
    except MultiplierError as error:
        raise ParameterError("mul", error.reason) from error


def as_reals(values: ArrayLike) -> NDArray[np.float64]:
    """Give numbers as doubles, for one more rounding: those that are none are rounded to odd.

    A double rounded to odd rounds to 51 bits or fewer as the number itself does (see `FixedPoint.to_odd`).
    What is beyond the largest double becomes that, and no infinity.

    Parameters
    ----------
    values : array_like of real numbers, any shape
        Of any integer or floating-point type, or Python's: integers of any size, fractions.

    Returns
    -------
    ndarray of float64, same shape

    Raises
    ------
    ValueError
        A value is none of them: None, a string, a truth value or a complex number.
    """
    numbers = np.asarray(values)
    if numbers.dtype == np.float64:
        # NumPy has made doubles of lists that hold larger integers beside floats.
        listed = isinstance(values, list | tuple) and bool(np.any(np.abs(numbers) >= CONSECUTIVE))
        return _to_odd(np.asarray(values, dtype=object)) if listed else numbers
    if numbers.dtype == object:
        _check_real(numbers)
        return _to_odd(numbers)
    if numbers.dtype == np.longdouble:
        return _to_odd(numbers)
    if numbers.dtype == np.bool_ or not np.can_cast(numbers.dtype, np.float64):
        raise ValueError(f"values must be real numbers, not of the type {numbers.dtype}")
    doubles = np.asarray(numbers, dtype=np.float64)
    large = np.abs(doubles) >= CONSECUTIVE if numbers.dtype in (np.int64, np.uint64) else np.False_
    if np.any(large):
        doubles[large] = _to_odd(numbers[large].astype(object))
    return doubles


def _check_real(numbers: NDArray[Any]) -> None:
    for number in numbers.flat:
        if not isinstance(number, Real) or isinstance(number, bool):
            raise ValueError(f"values must be real numbers, not {number!r}")


def _to_odd(exact: NDArray[Any]) -> NDArray[np.float64]:
    """Round numbers to doubles whose last bit is one, unless they are doubles."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if exact.dtype == object:
            # NumPy's integers are compared with doubles as doubles, Python's are not.
            exact = np.asarray(np.frompyfunc(_python_integer, 1, 1)(exact), dtype=object)
            nearest = np.asarray(np.frompyfunc(_nearest, 1, 1)(exact), dtype=np.float64)
        else:
            nearest = np.asarray(exact, dtype=np.float64)
        # Of the two doubles beside a number one is odd: if not the nearest, then that on its other side.
        even = (nearest.view(np.int64) & 1) == 0
        other = np.nextafter(nearest, np.where(exact > nearest, np.inf, -np.inf))
        return np.where(even & (exact != nearest), other, nearest)


def _python_integer(number: Any) -> Any:
    return int(number) if isinstance(number, np.integer) else number


def _nearest(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
