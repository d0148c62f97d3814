"""How a language model did: what `make accuracy` found, as it was recorded, or as a user has it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from lmul.errors import UserError
from lmul.host.files import read_input
from lmul.llm.memory_energy import MemoryEnergy

RECORDED = Path(__file__).parent / "recorded"
"""Results of `make accuracy` that come with this package."""


@cache
def recorded(name: str) -> Any:
    """Give what is recorded under a name; read once, so nobody may change it."""
    return json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


FILES = ("accuracy", "bias", "questions", "sums", "energy")
"""Names of the files, without their suffix."""

LARGEST = 1 << 24
"""Bytes of such a file."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class LanguageModel:
    """Results of `lmul llm`.

    Parameters
    ----------
    accuracy, bias, questions, sums : sequence of mapping
        Rows of `lmul llm --json`, by its suites.
    energy : sequence of mapping
        Those of `lmul llm --energy --json`.
    source : str
        Where they are from, for people.
    """

    accuracy: Sequence[Row]
    bias: Sequence[Row]
    questions: Sequence[Row]
    sums: Sequence[Row]
    energy: Sequence[Row]
    source: str

    def interval(self, mul: str, format_: str, scope: str, *more: str) -> tuple[float, float] | None:
        """Give perplexity over that of full precision with half of its interval, None if not measured.

        Parameters
        ----------
        mul, format_, scope : str
        *more : str
            What else the arithmetic is named with, as `lmul.scheme` writes it.
        """
        name = ",".join((mul, format_, scope, *more))
        rows = (row["ratio"] for row in (*self.accuracy, *self.bias, *self.sums) if row["arithmetic"] == name)
        return next(((float(row["value"]), float(row["half_width"])) for row in rows), None)

    def ratio(self, mul: str, format_: str, scope: str, *more: str) -> float | None:
        """Give the same without its interval."""
        found = self.interval(mul, format_, scope, *more)
        return None if found is None else found[0]


def read_results(directory: Path | None) -> LanguageModel:
    """Read results of `make accuracy`.

    Parameters
    ----------
    directory : Path or None
        Where they are; None are those recorded with this package.

    Raises
    ------
    UserError
        One of the files is missing or is something else.
    """
    place = directory or RECORDED
    rows = {name: _read(place / f"{name}.json") for name in FILES}
    source = f"{directory}" if directory else "recorded with this version by `make accuracy`"
    return LanguageModel(**rows, source=source)


def _read(path: Path) -> list[Row]:
    wanted = "name the directory that `make accuracy` wrote, such as build/llm"
    try:
        rows = json.loads(read_input(path, wanted, LARGEST))
    except (ValueError, RecursionError):
        raise UserError(f"{path} is not JSON: {wanted}") from None
    is_row = _is_energy if path.stem == "energy" else _is_accuracy
    if not isinstance(rows, list) or not all(map(is_row, rows)):
        raise UserError(f"{path} is not what `lmul llm --json` writes: {wanted}")
    return rows


def _is_accuracy(row: Any) -> bool:
    """Tell whether this is a row of `lmul llm --json`, of a text long enough for an interval."""
    intervals = ("perplexity", "ratio", "agreement")
    return _has(row, "arithmetic", "right", "left_range", *intervals) and all(
        _has(row[name], "value", "half_width") and None not in row[name].values() for name in intervals
    )


def _is_energy(row: Any) -> bool:
    """Tell whether this is a row of `lmul llm --energy --json`."""
    parts = ("kind", "products", "multipliers", "elements", "sram", "dram", "total")
    return (
        _has(row, "design", "machine", "memory_pj_per_byte", "kinds", "total", "total_high")
        and _has(row["design"], "mul")
        and _has(row["machine"], "batch")
        and _is_memory(row["memory_pj_per_byte"])
        and isinstance(row["kinds"], list)
        and all(_has(kind, *parts) for kind in row["kinds"])
    )


def _is_memory(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {field.name for field in fields(MemoryEnergy)}


def _has(value: Any, *names: str) -> bool:
    """Tell whether this is a mapping with such entries."""
    return isinstance(value, dict) and set(names) <= set(value)
