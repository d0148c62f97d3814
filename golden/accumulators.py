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
from lmul.host.parameters import ParameterError

FIXED_BITS = range(2, 513)
FIXED_LSB = range(-512, 257)

FUSED_FRACTION = range(4, 41)
FUSED_MANTISSA = range(1, FP32.mantissa_bits + 1)

Formats = tuple[Format, Format]

FP8, FP16_BF16, TF32 = {"e4m3", "e5m2"}, {"fp16", "bf16"}, {"e8m10"}

TENSOR_CORES: dict[str, list[tuple[tuple[int, int, int], set[str]]]] = {
    "h100": [((13, 13, 32), FP8), ((25, 23, 16), FP16_BF16), ((25, 23, 8), TF32)],
    "b200": [((25, 23, 32), FP8), ((25, 23, 16), FP16_BF16), ((25, 23, 8), TF32)],
    "ada": [((13, 13, 16), FP8), ((24, 23, 8), FP16_BF16), ((24, 23, 4), TF32)],
    "a100": [((24, 23, 8), FP16_BF16), ((24, 23, 4), TF32)],
    "v100": [((23, 23, 4), {"fp16"})],
}
"""F, M and lanes of GPUs' units by the formats that they take. Their sources are those of `Fused`."""

UNITS = {
    "h100": "Hopper's tensor cores",
    "b200": "Blackwell's tensor cores",
    "ada": "Ada's tensor cores",
    "a100": "Ampere's tensor cores",
    "v100": "Volta's tensor cores",
}


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
    def parse(cls, word: str, formats: Formats) -> Self | None:
        """Make it of a word, for operands of two formats; None for a word that is none of its own.

        Raises
        ------
        ValueError
            The word's numbers are out of range.
        """


class Exact(Accumulator):
    """Fixed point, as wide as the products ask for."""

    WORDS: ClassVar = {"exact": "fixed point, wide enough for every product of --depth; no rounding"}

    @classmethod
    def parse(cls, word: str, formats: Formats) -> Self | None:
        """Take `exact`."""
        return cls() if word in cls.WORDS else None


class Fixed(Accumulator):
    """Fixed point of a chosen width: products are truncated, sums saturated."""

    WORDS: ClassVar = {"fixed:BITS:LSB": "fixed point, last bit 2^LSB; truncates products, saturates sums"}

    @classmethod
    def parse(cls, word: str, formats: Formats) -> Self | None:
        """Take `fixed:BITS:LSB` with numbers in their places."""
        if word in cls.WORDS:
            raise ParameterError("acc", "fixed:BITS:LSB takes numbers for BITS and LSB, such as fixed:24:-8")
        found = re.fullmatch(r"fixed:([0-9]{1,9}):(-?[0-9]{1,9})", word)
        if found is None:
            return None
        bits, lsb = map(int, found.groups())
        if bits not in FIXED_BITS or lsb not in FIXED_LSB:
            raise ParameterError(
                "acc",
                f"{word!r} is out of range: BITS must be from {FIXED_BITS[0]} to {FIXED_BITS[-1]}, "
                f"LSB from {FIXED_LSB[0]} to {FIXED_LSB[-1]}",
            )
        return cls(bits, lsb, saturates=True)


class Floating(Accumulator):
    """A floating-point number, every addition rounded."""

    FORMATS: ClassVar = {format_.name: format_ for format_ in (FP32, BF16, FP16)}
    WORDS: ClassVar = {name: f"IEEE 754 additions in {name}, rounded to nearest even" for name in FORMATS}

    @classmethod
    def parse(cls, word: str, formats: Formats) -> Self | None:
        """Take the name of a format."""
        format_ = cls.FORMATS.get(word)
        return cls(format_.width, format=format_) if format_ else None


@dataclass(frozen=True)
class Fused(Accumulator):
    """An fp32 number to which the products of a step are added at once, as tensor cores do.

    Products and running sum are aligned to the largest exponent among them and truncated, added as integers,
    and normalised once. See Fasi et al. 2021, Li et al. 2024 (FTTN), Xie et al., arXiv 2511.10909 (MMA-Sim),
    Khattak and Mikaitis, doi 10.1145/3830409.

    Parameters
    ----------
    fraction_bits : int
        F: bits of a term behind the binary point of the largest exponent.
    mantissa_bits : int
        M: bits of the running sum that are kept, the others are zero.
    nearest : bool
        Whether the running sum is rounded to nearest even; else it is truncated toward zero.
    """

    fraction_bits: int = 25
    mantissa_bits: int = FP32.mantissa_bits
    nearest: bool = False

    WORDS: ClassVar = {
        "fused:F[:M[:rne]]": "fp32; a step's products aligned to the largest exponent, cut F bits behind it",
        **{name: f"fused, as {unit} add the format: its F, M and lanes" for name, unit in UNITS.items()},
    }

    @classmethod
    def parse(cls, word: str, formats: Formats) -> Self | None:
        """Take `fused:F[:M[:rne]]` with numbers in their places, or the name of a GPU."""
        if word in UNITS:
            return cls.of(*tensor_core(word, formats)[:2])
        found = re.fullmatch(r"fused:([0-9]{1,3})(?::([0-9]{1,3})(:rne)?)?", word)
        if found is None:
            if word.partition(":")[0] == "fused":
                raise ParameterError("acc", f"{word!r} must be fused:F[:M[:rne]], such as fused:13:13")
            return None
        fraction, mantissa = int(found[1]), int(found[2] or FP32.mantissa_bits)
        if fraction not in FUSED_FRACTION or mantissa not in FUSED_MANTISSA:
            raise ParameterError(
                "acc",
                f"{word!r} is out of range: F must be from {FUSED_FRACTION[0]} to {FUSED_FRACTION[-1]}, "
                f"M from {FUSED_MANTISSA[0]} to {FUSED_MANTISSA[-1]}",
            )
        return cls.of(fraction, mantissa, nearest=bool(found[3]))

    @property
    def floor(self) -> int:
        """The smallest exponent that terms are aligned to."""
        # Seen on silicon: -133 where F = 25, -132 where F = 24.
        return min(FP32.min_exponent, -108 - self.fraction_bits)

    @classmethod
    def of(cls, fraction_bits: int, mantissa_bits: int, *, nearest: bool = False) -> Self:
        """Make it of its own parameters."""
        return cls(FP32.width, None, FP32, False, fraction_bits, mantissa_bits, nearest)


def tensor_core(name: str, formats: Formats) -> tuple[int, int, int]:
    """Give F, M and the lanes of a step of a GPU's tensor cores.

    Parameters
    ----------
    name : str
        A key of `UNITS`.
    formats : tuple of Format
        Of both operands.

    Raises
    ------
    ValueError
        It has no such unit.
    """
    names = {format_.name for format_ in formats}
    kind = next((kind for kind, (_, known) in enumerate(TENSOR_CORES[name]) if names <= known), None)
    if kind is None or (len(names) > 1 and not names <= FP8):
        known = ", ".join(sorted(set().union(*(known for _, known in TENSOR_CORES[name]))))
        wanted = " x ".join(format_.name for format_ in formats)
        raise ParameterError(
            "acc", f"{name} is hardware for {known}, not for {wanted}: take fused:F[:M[:rne]]"
        )
    return TENSOR_CORES[name][kind][0]


KINDS: tuple[type[Accumulator], ...] = (Exact, Fixed, Floating, Fused)

ACCUMULATORS = {word: line for kind in KINDS for word, line in kind.WORDS.items()}
"""A line for each word."""


def find_accumulator(word: str, formats: Formats) -> Accumulator:
    """Give the accumulator that a word names.

    Parameters
    ----------
    word : str
        A word of `ACCUMULATORS`, with numbers in the places of capitals.
    formats : tuple of Format
        Of both operands.

    Raises
    ------
    ValueError
        There is none of that name, or its numbers are out of range, or none for those formats.
    """
    found = _parse(word, formats) if isinstance(word, str) else None
    if found is None:
        raise ParameterError("acc", f"{word!r} is unknown: it must be one of {', '.join(ACCUMULATORS)}")
    return found


@lru_cache
def _parse(word: str, formats: Formats) -> Accumulator | None:
    return next(filter(None, (kind.parse(word, formats) for kind in KINDS)), None)
