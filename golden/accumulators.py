"""Accumulators by the words that name them: the register that products are added up in.

A class here is a word of `--acc` wherever that is taken. How its sums are computed says `golden/matmul.py`,
which block of hardware computes them `hdl/accumulator/table.py`.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

from lmul.golden.formats.format import BF16, FP16, FP32, Format

FIXED_BITS = range(2, 513)
FIXED_LSB = range(-512, 257)


@dataclass(frozen=True)
class Accumulator(ABC):
    """A register for sums of products.

    Parameters
    ----------
    bits : int or None
        Its width, None for as many as the products of a dot product need.
    lsb_exponent : int or None
        The last bit of a fixed-point one weighs 2 to this power; None for that of the smallest product, or in
        floating point.
    format : Format or None
        Of a floating-point one.
    saturates : bool
        Whether products are truncated to the last bit, and sums saturate.
    """

    bits: int | None = None
    lsb_exponent: int | None = None
    format: Format | None = None
    saturates: bool = False

    WORDS: ClassVar[dict[str, str]]
    """Its words on the command line, and a line for each."""

    @classmethod
    @abstractmethod
    def parse(cls, word: str) -> Self | None:
        """Make it of a word, None for a word that is none of its own.

        Raises
        ------
        ValueError
            The word's numbers are out of range.
        """


class Exact(Accumulator):
    """Fixed point, as wide as the products ask for."""

    WORDS: ClassVar = {"exact": "fixed point, wide enough for every product of --depth; no rounding"}

    @classmethod
    def parse(cls, word: str) -> Self | None:
        """Take `exact`."""
        return cls() if word in cls.WORDS else None


class Fixed(Accumulator):
    """Fixed point of a chosen width: products are truncated, sums saturated."""

    WORDS: ClassVar = {"fixed:BITS:LSB": "fixed point, last bit 2^LSB; truncates products, saturates sums"}

    @classmethod
    def parse(cls, word: str) -> Self | None:
        """Take `fixed:BITS:LSB` with numbers in their places."""
        if word in cls.WORDS:
            raise ValueError("acc fixed:BITS:LSB takes numbers for BITS and LSB, such as fixed:24:-8")
        found = re.fullmatch(r"fixed:([0-9]{1,9}):(-?[0-9]{1,9})", word)
        if found is None:
            return None
        bits, lsb = map(int, found.groups())
        if bits not in FIXED_BITS or lsb not in FIXED_LSB:
            raise ValueError(
                f"acc {word!r} is out of range: BITS must be from {FIXED_BITS[0]} to {FIXED_BITS[-1]}, "
                f"LSB from {FIXED_LSB[0]} to {FIXED_LSB[-1]}"
            )
        return cls(bits, lsb, saturates=True)


class Floating(Accumulator):
    """A floating-point number, every addition rounded."""

    FORMATS: ClassVar = {format_.name: format_ for format_ in (FP32, BF16, FP16)}
    WORDS: ClassVar = {name: f"IEEE 754 additions in {name}, rounded to nearest even" for name in FORMATS}

    @classmethod
    def parse(cls, word: str) -> Self | None:
        """Take the name of a format."""
        format_ = cls.FORMATS.get(word)
        return cls(format_.width, format=format_) if format_ else None


KINDS: tuple[type[Accumulator], ...] = (Exact, Fixed, Floating)

ACCUMULATORS = {word: line for kind in KINDS for word, line in kind.WORDS.items()}
"""A line for each word."""


def find_accumulator(word: str) -> Accumulator:
    """Give the accumulator that a word names.

    Raises
    ------
    ValueError
        There is none of that name, or its numbers are out of range.
    """
    found = _parse(word) if isinstance(word, str) else None
    if found is None:
        raise ValueError(f"acc {word!r} is unknown: it must be one of {', '.join(ACCUMULATORS)}")
    return found


@lru_cache
def _parse(word: str) -> Accumulator | None:
    return next(filter(None, (kind.parse(word) for kind in KINDS)), None)
