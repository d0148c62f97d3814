"""TOML files that a user names."""

import tomllib
from pathlib import Path
from typing import Any

from lmul.errors import UserError
from lmul.host.files import read_input

LARGEST_CONFIG = 1 << 20
"""Bytes of a TOML file."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UserError
        It cannot be read, is too large, or is no TOML.
    """
    text = read_input(path, "name a TOML file", LARGEST_CONFIG)
    try:
        return tomllib.loads(text.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise UserError(f"{path} is not TOML that can be read: its brackets are nested too deeply") from None
