"""Formats, of floating point and of integers: where the bits of an operand are and what its codes mean."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from numbers import Integral
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lmul.golden.arguments import check_choice
from lmul.host.parameters import ParameterError

Specials = Literal["ieee", "fn", "finite"]
SPECIALS = {
    "ieee": "infinities and NaN",
    "fn": "NaN but no infinity",
    "finite": "no infinity, no NaN",
}
Codes = NDArray[np.integer[Any]]
"""Bit patterns of numbers, from 0 to 2^W - 1."""

EXPONENT_BITS, MANTISSA_BITS = range(2, 9), range(1, 24)
INTEGER_BITS = range(2, 9)


@dataclass(frozen=True)
class Format:
    """A binary floating-point format: sign | exponent | mantissa, MSB first, with gradual underflow.

    Parameters
    ----------
    name : str
        Name on the command line.
    exponent_bits, mantissa_bits : int
        Widths of the two fields below the sign.
    specials : {"ieee", "fn", "finite"}
        What the largest magnitudes mean. `ieee`: an exponent of all ones is infinity or NaN (IEEE
        754). `fn`: only all ones is NaN, no infinity (E4M3 of OFP8 r1.0). `finite`: every code is a
        number (FP6 and FP4 of OCP MX).

    Raises
    ------
    ValueError
        A width is out of range, or the kind of specials unknown.

    Examples
    --------
    >>> from lmul.golden import Format
    >>> e3m3 = Format("e3m3", exponent_bits=3, mantissa_bits=3, specials="finite")
    >>> e3m3.width, e3m3.bias, e3m3.largest
    (7, 3, 30.0)
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    specials: Specials = "ieee"

    def __post_init__(self) -> None:
        for parameter, known in (("exponent_bits", EXPONENT_BITS), ("mantissa_bits", MANTISSA_BITS)):
            value = getattr(self, parameter)
            if type(value) is not int or value not in known:
                raise ParameterError(
                    parameter, f"must be a whole number from {known[0]} to {known[-1]}, not {value!r}"
                )
        check_choice("specials", self.specials, SPECIALS)

    @property
    def width(self) -> int:
        """Bits of an operand, the sign included."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @cached_property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The smallest unsigned integer that holds a code."""
        return np.min_scalar_type((1 << self.width) - 1)

    @property
    def bias(self) -> int:
        """Exponent bias, 2^(E-1) - 1."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal number and of all subnormals (emin)."""
        return 1 - self.bias

    @property
    def sign_mask(self) -> int:
        """The sign bit of a code."""
        return 1 << (self.width - 1)

    @property
    def magnitude_mask(self) -> int:
        """The exponent and mantissa bits of a code."""
        return self.sign_mask - 1

    @property
    def mantissa_mask(self) -> int:
        """The mantissa bits of a code."""
        return (1 << self.mantissa_bits) - 1

    @property
    def smallest_normal(self) -> int:
        """Magnitude code of the smallest normal number."""
        return 1 << self.mantissa_bits

    @property
    def infinity(self) -> int | None:
        """Magnitude code of infinity, None in formats without."""
        return self.magnitude_mask - self.mantissa_mask if self.specials == "ieee" else None

    @property
    def nan(self) -> int | None:
        """Canonical NaN, None in formats without: sign 0, and of several the top mantissa bit only."""
        if self.infinity is not None:
            return self.infinity | (1 << (self.mantissa_bits - 1))
        return self.magnitude_mask if self.specials == "fn" else None

    @property
    def largest_finite(self) -> int:
        """Magnitude code of the largest finite number."""
        if self.infinity is not None:
            return self.infinity - 1
        return self.magnitude_mask - (1 if self.specials == "fn" else 0)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        exponent, mantissa = divmod(self.largest_finite, 1 << self.mantissa_bits)
        return ((1 << self.mantissa_bits) | mantissa) * 2.0 ** (exponent - self.bias - self.mantissa_bits)

    @property
    def smallest(self) -> float:
        """The smallest positive normal number, 2^emin."""
        return 2.0**self.min_exponent


class Integer(Format):
    """A two's complement integer: every code is a number, and its bits are no fields.

    Who asks for an exponent or a mantissa, or for what follows from them, is refused.

    Parameters
    ----------
    name : str
        Name on the command line.
    width : int
        Bits of an operand, the sign included.

    Raises
    ------
    ValueError
        The width is out of range.

    Examples
    --------
    >>> from lmul.golden import INT8, decode, encode
    >>> INT8.width, INT8.largest
    (8, 127.0)
    >>> encode([-1.0, 2.5], INT8), decode([128], INT8).tolist()
    (array([255,   2], dtype=uint8), [-128.0])
    """

    def __init__(self, name: str, width: int) -> None:
        if type(width) is not int or width not in INTEGER_BITS:
            known = f"a whole number from {INTEGER_BITS[0]} to {INTEGER_BITS[-1]}"
            raise ParameterError("width", f"must be {known}, not {width!r}")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "specials", "finite")
        object.__setattr__(self, "_width", width)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Integer) and (self.name, self.width) == (other.name, other.width)

    def __hash__(self) -> int:
        return hash((self.name, self.width))

    def __repr__(self) -> str:
        return f"Integer(name={self.name!r}, width={self.width})"

    @property
    def width(self) -> int:
        """Bits of an operand, the sign included."""
        bits: int = vars(self)["_width"]
        return bits

    @property
    def largest(self) -> float:
        """The largest number, one less than the magnitude of the smallest one."""
        return float(self.sign_mask - 1)

    def _has_none(self) -> NoReturn:
        raise ParameterError(
            "format",
            f"{self.name} has no exponent and no mantissa: take a floating-point format, such as e4m3",
        )

    @property
    def exponent_bits(self) -> int:
        """Refused, as what follows from it is."""
        self._has_none()

    @property
    def mantissa_bits(self) -> int:
        """Refused, as what follows from it is."""
        self._has_none()

    @property
    def magnitude_mask(self) -> int:
        """Refused: no bits of a code are its magnitude."""
        self._has_none()


E4M3 = Format("e4m3", exponent_bits=4, mantissa_bits=3, specials="fn")
E5M2 = Format("e5m2", exponent_bits=5, mantissa_bits=2)
BF16 = Format("bf16", exponent_bits=8, mantissa_bits=7)
FP16 = Format("fp16", exponent_bits=5, mantissa_bits=10)
FP32 = Format("fp32", exponent_bits=8, mantissa_bits=23)

FORMATS = {
    format_.name: format_
    for format_ in (
        E4M3,
        E5M2,
        Format("e3m4", exponent_bits=3, mantissa_bits=4),
        Format("e3m2", exponent_bits=3, mantissa_bits=2, specials="finite"),
        Format("e2m3", exponent_bits=2, mantissa_bits=3, specials="finite"),
        Format("e2m1", exponent_bits=2, mantissa_bits=1, specials="finite"),
        BF16,
        FP16,
        FP32,
    )
}

VARIANTS = {
    format_.name: format_
    for format_ in (
        Format("e4m3ieee", exponent_bits=4, mantissa_bits=3, specials="ieee"),
        Format("e4m3finite", exponent_bits=4, mantissa_bits=3, specials="finite"),
    )
}
"""Other readings of the fields of a named format, by its name and that of their specials."""

INT8, INT4 = Integer("int8", 8), Integer("int4", 4)

INTEGERS = {format_.name: format_ for format_ in (INT8, INT4)}

OTHER_NAMES = {
    "float8_e4m3": "e4m3ieee",
    "float8_e4m3fn": "e4m3",
    "float8_e5m2": "e5m2",
    "float8_e3m4": "e3m4",
    "float6_e3m2fn": "e3m2",
    "float6_e2m3fn": "e2m3",
    "float4_e2m1fn": "e2m1",
    "bfloat16": "bf16",
    "float16": "fp16",
    "float32": "fp32",
}
"""What ml_dtypes, NumPy and PyTorch call the formats."""

_NOT_OURS = {
    "float8_e4m3fnuz": "has another bias and no -0: it must be float8_e4m3fn",
    "float8_e4m3b11fnuz": "has another bias and no -0: it must be float8_e4m3fn",
    "float8_e5m2fnuz": "has another bias and no -0: it must be float8_e5m2",
}
"""Names of those libraries that are taken for others of them, and why they are no formats of ours."""


@cache
def find_format(name: str, parameter: str = "format") -> Format:
    """Give a format by its name: of `FORMATS`, `VARIANTS` or `INTEGERS`, or eXmY, IEEE-like of X and Y bits.

    Parameters
    ----------
    name : str
        Or one of `OTHER_NAMES`, with or without ``torch.`` in front.
    parameter : str
        What the message calls the parameter that has this name.

    Raises
    ------
    ParameterError
        There is no such format.

    Examples
    --------
    >>> from lmul.golden import find_format
    >>> find_format("torch.float8_e4m3fn").name
    'e4m3'
    >>> find_format("e5m4")
    Format(name='e5m4', exponent_bits=5, mantissa_bits=4, specials='ieee')
    """
    other = str(name).removeprefix("torch.")
    if other in _NOT_OURS:
        raise ParameterError(parameter, f"{name!r} {_NOT_OURS[other]}")
    name = other if other in INTEGERS else OTHER_NAMES.get(other, name)
    if name in (named := FORMATS | VARIANTS | INTEGERS):
        return named[name]
    fields = re.fullmatch(r"e([2-8])m([1-9]|1\d|2[0-3])", str(name))
    if not fields:
        known = f"one of {', '.join(named)}, or eXmY with X from 2 to 8 and Y from 1 to 23"
        raise ParameterError(parameter, f"{name!r} is unknown: it must be {known}")
    return Format(name, exponent_bits=int(fields[1]), mantissa_bits=int(fields[2]))


def check_format(format_: object) -> None:
    """Refuse what is no format, such as a name of one.

    Raises
    ------
    ValueError
    """
    if not isinstance(format_, Format):
        raise ParameterError(
            "format", f"must be a Format, such as find_format('e4m3') gives, not {format_!r}"
        )


def as_codes(codes: ArrayLike, format_: Format) -> Codes:
    """Give codes in the format's type.

    Parameters
    ----------
    codes : array_like of integers from 0 to 2^W - 1, any shape
    format_ : Format

    Raises
    ------
    ValueError
        There is no such code, or a code is no integer.
    """
    check_format(format_)
    given, width = np.asarray(codes), format_.width
    if width == 8 * given.itemsize and given.dtype == format_.dtype:
        return given  # Each bit pattern is a code.
    # Unsigned integers are looked at once.
    if given.dtype.kind not in "ui" or (given.dtype.kind == "i" and np.min(given, initial=0) < 0):
        _check_each(given, format_)
    if np.max(given, initial=0) >= 1 << width:
        _check_each(given, format_)
    return given.astype(format_.dtype, copy=False)


def _check_each(codes: NDArray[Any], format_: Format) -> None:
    """Refuse the first that is no code."""
    for code in codes.ravel().tolist():
        if not isinstance(code, Integral) or isinstance(code, bool) or code >> format_.width:
            last = (1 << format_.width) - 1
            raise ValueError(f"codes of {format_.name} must be integers from 0 to {last}, not {code!r}")
