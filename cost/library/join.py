"""A library in several files, and what of a library is left alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from lmul.cost.library.cells import Library, WireLoad
from lmul.errors import UserError
from lmul.host.parameters import ParameterError

BY_NAME = "cells left out by name"
"""The kind of cells that the user wants to be left alone."""


@lru_cache(maxsize=4)
def join_libraries(parts: tuple[tuple[Path, Library], ...]) -> Library:
    """Make one library of those of several files.

    Parameters
    ----------
    parts : tuple of (Path, Library)
        Two at least.

    Raises
    ------
    UserError
        If they differ in units, voltage or corner, or hold a cell twice.
    """
    (first_path, first), *others = parts
    cells, wire_loads, files = dict(first.cells), dict(first.wire_loads), dict(first.files)
    for path, part in others:
        _check_alike(first_path, first, path, part)
        if twice := next((name for name in part.cells if name in cells), None):
            raise UserError(f"cell {twice} is in {str(path)!r} and in a file before it: name each file once")
        cells |= part.cells
        wire_loads = _joined_wire_loads(wire_loads, part, path)
        ((name, checksum),) = part.files.items()
        files[name if name not in files else str(path)] = checksum
    return replace(
        first,
        name=f"{first.name} and {len(others)} more",
        cells=cells,
        wire_loads=wire_loads,
        default_wire_load=next(filter(None, (part.default_wire_load for _, part in parts)), ""),
        files=files,
    )


def _check_alike(first_path: Path, first: Library, path: Path, part: Library) -> None:
    """Refuse files whose cells do not belong together."""
    common = {
        "time unit": (first.units.time, part.units.time, "ns"),
        "capacitive load unit": (first.units.load, part.units.load, "fF"),
        "nominal voltage": (first.voltage, part.voltage, "V"),
    }
    for what, (one, other, unit) in common.items():
        if abs(one - other) > 1e-9 * abs(one):
            raise UserError(_difference(first_path, path, what, f"{one:g} {unit}", f"{other:g} {unit}"))
    for what in first.corner.keys() & part.corner.keys():
        if first.corner[what] != part.corner[what]:
            raise UserError(_difference(first_path, path, what, first.corner[what], part.corner[what]))


def _difference(first: Path, path: Path, what: str, one: str, other: str) -> str:
    return (
        f"{str(first)!r} and {str(path)!r} are no one library: {what} is {one} and {other}; "
        "name files of one corner"
    )


def _joined_wire_loads(known: Mapping[str, WireLoad], part: Library, path: Path) -> dict[str, WireLoad]:
    for name, wire_load in part.wire_loads.items():
        if name in known and known[name] != wire_load:
            raise UserError(f"wire load model {name} in {str(path)!r} is not that of a file before it")
    return {**known, **part.wire_loads}


@lru_cache(maxsize=4)
def leave_out(library: Library, patterns: tuple[str, ...]) -> Library:
    """Leave the cells alone whose names fit a pattern.

    Parameters
    ----------
    library : Library
    patterns : tuple of str
        As shells write them.

    Raises
    ------
    UserError
        If a pattern fits no cell.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in library.cells):
            some = ", ".join(list(library.cells)[:3])
            raise ParameterError(
                "dont_use", f"{pattern!r} fits no cell of library {library.name}, such as {some}"
            )
    cells = {
        name: replace(cell, left_out=BY_NAME)
        if any(fnmatchcase(name, pattern) for pattern in patterns) and not cell.left_out
        else cell
        for name, cell in library.cells.items()
    }
    return replace(library, cells=cells, dont_use=patterns)


def check_patterns(patterns: Any) -> tuple[str, ...]:
    """Give the patterns of cells to leave alone that a TOML file has.

    Raises
    ------
    UserError
        They are no list of words.
    """
    if not isinstance(patterns, list) or not all(isinstance(one, str) and one for one in patterns):
        raise UserError(f"dont-use must be a list of patterns, such as ['*x1p*'], not {patterns!r}")
    return tuple(patterns)


def left_out_kinds(library: Library) -> Counter[str]:
    """Count the cells that are left alone, by their kind."""
    return Counter(cell.left_out for cell in library.cells.values() if cell.left_out)
