"""Arithmetics that a chip could have: what is recorded of each, and how operands are fed to its unit."""

import json
from collections.abc import Hashable
from functools import cache
from pathlib import Path
from typing import Any

from lmul.golden import Arithmetic
from lmul.golden.accumulators import Exact
from lmul.golden.formats.quantise import OperandRounding
from lmul.golden.scaled import SCALED_BY
from lmul.llm.suites import GAINS, LOG_GAINS, WITHOUT_HEAD
from lmul.scheme import Scheme, parse_scheme

RECORD = Path(__file__).parent / "recorded" / "arithmetics.json"
"""What `bench/arithmetics.py` measured: a row an arithmetic, its unit and how the language model did."""

Row = dict[str, Any]


@cache
def recorded_arithmetics() -> list[Row]:
    """Give all rows; read once, so nobody may change them."""
    found: list[Row] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def recorded_tokens() -> int:
    """Give how many tokens were read for the record: the most, where rows differ."""
    return max(int(row["model"]["tokens"]) for row in recorded_arithmetics())


def recorded_rows(arithmetic: Arithmetic) -> list[Row]:
    """Give the rows of one unit: as many as there are recorded ways to feed it."""
    wanted = _sums(arithmetic)
    return [row for row, sums in _recorded_sums() if sums == wanted]


@cache
def _recorded_sums() -> list[tuple[Row, Hashable]]:
    schemes = ((row, parse_scheme(row["arithmetic"])) for row in recorded_arithmetics())
    return [(row, _sums(scheme.arithmetic)) for row, scheme in schemes if scheme]


def _sums(arithmetic: Arithmetic) -> Hashable:
    """Give all that sums of a language model depend on: they fit every register that is wide enough."""
    unit = unit_arithmetic(arithmetic)
    return (unit.mul, unit.formats, unit.accumulator, unit.lanes, unit.scale, unit.subnormals, unit.out)


def unit_arithmetic(arithmetic: Arithmetic) -> Arithmetic:
    """Give an arithmetic, or that of a design, with what decides none of its sums as usual.

    Exact sums are the same of any number of lanes. A raw register is read as the fp32 number next to it.
    """
    exact = isinstance(arithmetic.accumulator, Exact)
    return Arithmetic(
        format=arithmetic.format,
        format_b=arithmetic.format_b,
        mul=arithmetic.mul,
        acc=arithmetic.acc,
        out=Arithmetic.out if arithmetic.out == "raw" else arithmetic.out,
        lanes=Arithmetic.lanes if exact else arithmetic.lanes,
        subnormals=arithmetic.subnormals,
        scale=arithmetic.scale,
    )


def ways_to_feed(arithmetic: Arithmetic) -> list[Scheme]:
    """Give the ways to feed a unit that cost it nothing, in all products but the output layer's.

    They are those of the recorded rows: a scale for each row of integers, block scales by each of their
    rules, and, for products of e4m3 codes that are too large on average, none and the usual gain, and
    operands that are rounded as logarithms.

    Parameters
    ----------
    arithmetic : Arithmetic
    """
    unit = unit_arithmetic(arithmetic)
    plain = ("row",) if unit.integer else ("tensor",)
    scalings = SCALED_BY[unit.scale] if unit.block_scale else plain
    return [
        Scheme(arithmetic=unit, scope=WITHOUT_HEAD, scaling=scaling, rounding=rounding, gain=gain)
        for scaling in scalings
        for rounding, gain in _roundings(unit)
    ]


def _roundings(unit: Arithmetic) -> list[tuple[OperandRounding, float]]:
    """Give how operands are rounded, and what products are too large by then."""
    found: list[tuple[OperandRounding, float]] = [("nearest", 1.0)]
    if unit.format_names == "e4m3":
        found += [("nearest", GAINS[unit.mul])] if unit.mul in GAINS else []
        found += [("log", LOG_GAINS[unit.mul])] if unit.mul in LOG_GAINS and not unit.block_scale else []
    return found
