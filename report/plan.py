"""Which designs a report is about."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.golden import Integer
from lmul.golden.formats.quantise import SELF_SCALED_EXPONENT_BITS
from lmul.hdl.framework.supported import check_built
from lmul.host.parameters import ParameterError
from lmul.workloads import Operands

FORMATS = ("e4m3", "e5m2", "bf16", "fp16", "fp32", "int8")

MULTIPLIERS = ("lmul", "mitchell", "addm", "addc", "exact")

ADDED = "fp32"
"""The format whose dot products are a multiplier and an adder, measured apart."""

BASELINE = "exact"

COMPARED = ("lmul", BASELINE)
"""Multipliers without which there is nothing to say."""

REGISTER_BITS, SELF_SCALED_REGISTER_BITS = 24, 32
"""Of fixed-point sums: 24 bits are coarse for operands that are not scaled to their format."""


@dataclass(frozen=True)
class Sum:
    """A kind of dot product.

    Parameters
    ----------
    title : str
    acc : str
        `fixed`, `fp32` or `exact`.
    lanes : int
    """

    title: str
    acc: str
    lanes: int


SUMS = (
    Sum("1 lane, fp32 sum", "fp32", 1),
    Sum("1 lane, fixed point", "fixed", 1),
    Sum("8 lanes, fixed point", "fixed", 8),
    Sum("8 lanes, exact sum", "exact", 8),
)
"""An fp32 sum of eight lanes would be eight adders in a row, which nobody builds."""

FP32_SUM, BEST_SUM = SUMS[0], SUMS[2]
"""What the paper speaks of, and what an accelerator would have, whose energy is told block by block."""


@dataclass(frozen=True)
class Plan:
    """Formats and multipliers of a report, and how often each is mapped.

    Parameters
    ----------
    formats : sequence of str
        As `find_format` takes them, or two with an x between; kept by their short names.
    multipliers : sequence of str
    seeds : int
        How often each synthesis script is tried. From two on the noise of synthesis is told from these
        designs; of one it is the recorded one.

    Raises
    ------
    UserError
        A format is unknown, a name is given twice, or a multiplier is missing that others are compared with.
    """

    formats: Sequence[str] = FORMATS
    multipliers: Sequence[str] = MULTIPLIERS
    seeds: int = 1

    def __post_init__(self) -> None:
        short = tuple(make_design("dot", **format_options(name)).format_names for name in self.formats)
        object.__setattr__(self, "formats", short)
        for name, names in (("formats", self.formats), ("multipliers", self.multipliers)):
            if twice := [one for one in names if names.count(one) > 1]:
                raise ParameterError(name, f"has {twice[0]} twice: name it once")
        missing = [name for name in COMPARED if name not in self.multipliers]
        if missing:
            raise ParameterError(
                "multipliers", f"must have {' and '.join(COMPARED)}: {missing[0]} is missing"
            )

    def designs(self, operands: Sequence[Operands]) -> list[Design]:
        """Give all designs; those that there is no hardware for are left out.

        Parameters
        ----------
        operands : sequence of Operands
            Whose products fixed-point registers have room for.

        Raises
        ------
        UserError
            A multiplier is unknown, or for none of the formats; or none of them has a dot product.
        """
        products = [self._made("mul", format_options(name)) for name in self.formats]
        dots = [
            self._made("dot", {**format_options(name), "lanes": sum_.lanes, "acc": acc})
            for name in self.formats
            for sum_ in SUMS
            for acc in [fixed_accumulator(name, operands) if sum_.acc == "fixed" else sum_.acc]
        ]
        found = [design for group in (*products, *dots) for design in group]
        built = {design.mul for design in found}
        if unknown := [name for name in self.multipliers if name not in built]:
            raise ParameterError(
                "multipliers",
                f"{unknown[0]!r} is for none of {', '.join(self.formats)}: see `lmul list multipliers`",
            )
        if not any(map(is_split, found)):
            raise ParameterError(
                "formats",
                f"{','.join(self.formats)} has no dot product of {BEST_SUM.title}: "
                "name one of at most 16 bits too, such as e4m3",
            )
        return found

    def _made(self, kind: str, options: Mapping[str, Any]) -> list[Design]:
        found = []
        for mul in self.multipliers:
            try:
                design = make_design(kind, mul=mul, **options)
                check_built(design)
            except UserError:
                continue
            found.append(design)
        return found


def format_options(name: str) -> dict[str, Any]:
    """Give the options of a design for a format, or for two with an x between."""
    first, x, second = name.partition("x")
    return {"format_a": first, "format_b": second} if x else {"format": first}


def fixed_accumulator(name: str, operands: Sequence[Operands]) -> str:
    """Give a register that holds four times the largest product; of integers, every bit of products.

    Parameters
    ----------
    name : str
        A format, or two with an x between. Operands are scaled to its largest number, unless it has the range
        of float32.
    operands : sequence of Operands
    """
    formats = make_design("dot", **format_options(name)).formats
    if isinstance(formats[0], Integer):
        return f"fixed:{REGISTER_BITS}:0"
    scaled = [format_.exponent_bits < SELF_SCALED_EXPONENT_BITS for format_ in formats]
    bits = REGISTER_BITS if all(scaled) else SELF_SCALED_REGISTER_BITS

    def largest_product(pair: Operands) -> float:
        peaks = (float(abs(side).max()) for side in (pair.a, pair.b))
        ends = zip(formats, scaled, peaks, strict=True)
        return math.prod(format_.largest if own else peak for format_, own, peak in ends)

    largest = max(map(largest_product, operands)) or 1.0
    return f"fixed:{bits}:{math.ceil(math.log2(largest)) + 3 - bits}"


def is_split(design: Design) -> bool:
    """Tell whether the energy of a design is told block by block."""
    acc = design.acc.partition(":")[0]
    return design.kind == "dot" and (design.lanes, acc) == (BEST_SUM.lanes, BEST_SUM.acc)
