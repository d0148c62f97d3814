"""Results kept by the content they were made from, each with a checksum of its own."""

import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from lmul.files import write_files
from lmul.multipliers import find_multiplier
from lmul.multipliers.table import DESCRIPTIONS


def cached(directory: Path | None, key: Any, make: Callable[[], Any]) -> Any:
    """Give a result from a directory, or make it and keep it there.

    Entries are written whole or not at all, so runs may share a directory, and what an interrupted run had
    finished stays. An entry that is not what its checksum says is made again.

    Parameters
    ----------
    directory : Path or None
        None keeps nothing.
    key : JSON value
        All that the result depends on, versions of tools and of this program among it.
    make : callable
        Gives the result, a JSON value but null.
    """
    if directory is None:
        return make()
    value = find_cached(directory, key)
    if value is None:
        value = make()
        content = json.dumps(value)
        write_files(directory, {_file_name(key): f"{digest(content)}\n{content}"})
    return value


def find_cached(directory: Path, key: Any) -> Any:
    """Give a result from a directory, None if it is not there or damaged.

    Parameters
    ----------
    directory : Path
    key : JSON value
        As `cached` takes it.
    """
    with suppress(OSError, ValueError):
        checksum, _, content = (directory / _file_name(key)).read_text(encoding="utf-8").partition("\n")
        if checksum == digest(content):
            return json.loads(content)
    return None


@cache
def program_digest(*patterns: str) -> str:
    """Give a checksum of the source of this program, which results depend on as much as on their input.

    Parameters
    ----------
    *patterns : str
        Of the files that matter, below the package. Default: all.
    """
    package = Path(__file__).parent.parent
    patterns = patterns or ("*.py", "*/*.py", "*/*/*.py")
    sources = sorted(path for pattern in patterns for path in package.glob(pattern))
    return digest("\0".join(path.read_text(encoding="utf-8") for path in sources))


def multiplier_digest(mul: str) -> str:
    """Give a checksum of the module that a plug-in's multiplier is in, nothing for those of this package.

    Parameters
    ----------
    mul : str
        Name of a multiplier.
    """
    if mul in DESCRIPTIONS:
        return ""
    return digest(inspect.getsource(sys.modules[type(find_multiplier(mul)).__module__]))


def digest(text: str) -> str:
    """Give the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _file_name(key: Any) -> str:
    return f"{digest(json.dumps(key, sort_keys=True))}.json"
