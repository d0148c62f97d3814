"""Results in one SQLite file, a row an evaluation, written as soon as it is finished."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lmul.design import PARAMETERS
from lmul.errors import Parameter, UserError
from lmul.explore.evaluate import Evaluation, Task
from lmul.metrics import EVALUATED

TABLE = "evaluations"

BUSY_SECONDS = 60
"""How long another program may hold the file."""

_WHOLE = {"lanes", "rows", "cols", "share", "depth", "pipeline", "interleave", "addend", "stream", "seeds"}
_REAL = {"clock_ns", "precision_percent", "seconds", *(metric.name for metric in EVALUATED.values())}
_PARAMETERS = dict.fromkeys(name for names in PARAMETERS.values() for name in names)
_SETUP = ("seeds", "precision_percent", "wires", "layout", "library", "operands", "program", "pyosys")
_METRICS = tuple(metric.name for metric in EVALUATED.values())

COLUMNS = ("effort", "kind", *_PARAMETERS, "clock_ns", *_METRICS, "seconds", *_SETUP)
"""Columns beside the key."""


class Store:
    """The file of results, open.

    Parameters
    ----------
    path : Path
        Made if it is not there.

    Raises
    ------
    UserError
        It cannot be read or written, or is no SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told(), self._connection() as connection, connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (key TEXT PRIMARY KEY)")
            there = {row[1] for row in connection.execute(f"PRAGMA table_info({TABLE})")}
            for name in COLUMNS:  # An earlier version may have had fewer.
                if name not in there:
                    connection.execute(f"ALTER TABLE {TABLE} ADD COLUMN {name} {_type(name)}")

    def figures(self, keys: Sequence[str]) -> dict[str, dict[str, float]]:
        """Give the figures of those keys that have been evaluated."""
        wanted = set(keys)
        with self._told(), self._connection() as connection:
            rows = connection.execute(f"SELECT key, {', '.join(_METRICS)} FROM {TABLE}")  # noqa: S608
            return {key: dict(zip(_METRICS, row, strict=True)) for key, *row in rows if key in wanted}

    def add(self, key: str, task: Task, found: Evaluation, fingerprint: Mapping[str, Any]) -> None:
        """Keep a result: it is in the file when this returns, and stays whatever happens then."""
        values = {
            "key": key,
            "effort": task.effort,
            **task.point.design.parameters(),
            "clock_ns": task.point.clock_ns,
            **found.figures,
            "seconds": found.seconds,
            **fingerprint,
        }
        names, places = ", ".join(values), ", ".join("?" * len(values))
        with self._told(), self._connection() as connection, connection:
            statement = f"INSERT INTO {TABLE} ({names}) VALUES ({places})"  # noqa: S608
            connection.execute(statement, tuple(values.values()))

    def _connection(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(self.path.absolute(), timeout=BUSY_SECONDS))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UserError(
                f"cannot keep results in {str(self.path)!r}: {error}; ",
                *("make room, or name another file with ", Parameter("results")),
            ) from None


def _type(name: str) -> str:
    return "INTEGER" if name in _WHOLE else "REAL" if name in _REAL else "TEXT"
