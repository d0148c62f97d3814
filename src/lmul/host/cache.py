"""Results kept by the content they were made from, each with a checksum of its own."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lmul.host.files import write_files


@dataclass(frozen=True)
class Entry:
    """What a file of a directory of results holds.

    Parameters
    ----------
    value : JSON value
        The result.
    origin : JSON value
        What it was made from, as far as that was told; None if it was not.
    """

    value: Any
    origin: Any = None

    @property
    def text(self) -> str:
        """The file: a line with the checksum of the rest, one with the value, one with the origin if any."""
        values = [self.value] if self.origin is None else [self.value, self.origin]
        content = "\n".join(map(json.dumps, values))
        return f"{digest(content)}\n{content}"


def cached(directory: Path | None, key: Any, make: Callable[[], Any], *, origin: Any = None) -> Any:
    """Give a result from a directory, or make it and keep it there.

    Entries are written whole or not at all, so runs may share a directory, and what an interrupted run had
    finished stays. An entry that is not what its checksum says is made again. Of runs that want the same
    entry at once, one makes it and the others wait for it.

    Parameters
    ----------
    directory : Path or None
        None keeps nothing.
    key : JSON value
        All that the result depends on, versions of tools and of this program among it.
    make : callable
        Gives the result, a JSON value but null.
    origin : JSON value, optional
        What the result is made from, in words that let another machine make the key: kept beside it.
    """
    if directory is None:
        return make()
    name = entry_name(key)  # Once: a key may hold a whole library.
    entry = read_entry(directory / name)
    if entry is None:
        with making(directory, name):
            entry = read_entry(directory / name)
            if entry is None:
                entry = Entry(make(), origin)
                write_files(directory, {name: entry.text})
    return entry.value


@contextmanager
def making(directory: Path | None, name: str) -> Iterator[None]:
    """Have the making of a result to ourselves: other runs that want it wait; one that is killed lets go.

    Parameters
    ----------
    directory : Path or None
        Of results; None shares nothing.
    name : str
        Of the entry, or of several that are made together.
    """
    with ExitStack() as stack:
        # Whoever cannot write a lock cannot write the entry either, and is told why then.
        with suppress(OSError):
            if directory is not None:
                directory.mkdir(parents=True, exist_ok=True)
                path = directory / f"{name}.lock"
                fcntl.flock(stack.enter_context(path.open("wb")), fcntl.LOCK_EX)
                stack.callback(path.unlink, missing_ok=True)
        yield


def find_cached(directory: Path, key: Any) -> Any:
    """Give a result from a directory, None if it is not there or damaged.

    Parameters
    ----------
    directory : Path
    key : JSON value
        As `cached` takes it.
    """
    entry = read_entry(directory / entry_name(key))
    return entry and entry.value


def read_entry(path: Path) -> Entry | None:
    """Read a file of a directory of results, None if it is not there or damaged.

    Parameters
    ----------
    path : Path
    """
    with suppress(OSError, ValueError):
        checksum, _, content = path.read_text(encoding="utf-8").partition("\n")
        if checksum == digest(content):
            return Entry(*map(json.loads, content.split("\n", 1)))
    return None


@cache
def program_digest(*parts: str) -> str:
    """Give a checksum of the source of this program, which results depend on as much as on their input.

    Parameters
    ----------
    *parts : str
        Modules and folders below the package, a folder with all that is in it. Default: the package.

    Raises
    ------
    ValueError
        If a part holds no source: it would never change a key.
    """
    return digest("\0".join(path.read_text(encoding="utf-8") for path in program_sources(*parts)))


def program_sources(*parts: str) -> list[Path]:
    """Give the modules of parts of this program, as `program_digest` takes them."""
    package = Path(__file__).parent.parent
    return sorted({path for part in parts or (".",) for path in _modules(package / part)})


def _modules(part: Path) -> list[Path]:
    # Links followed, which Path.rglob does not: in a clone the rooms are links.
    found = [Path(folder, name) for folder, _, names in os.walk(part, followlinks=True) for name in names]
    modules = [path for path in [part, *found] if path.suffix == ".py" and path.is_file()]
    if not modules:
        raise ValueError(f"{part}: no source of this program, so that nothing would change with it")
    return modules


def digest(text: str) -> str:
    """Give the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def entry_name(key: Any) -> str:
    """Give the name of the file that the result of a key is kept in."""
    return f"{digest(json.dumps(key, sort_keys=True))}.json"
