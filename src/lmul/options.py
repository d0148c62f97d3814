"""How parameters are written: as options of a command line, as keys of a configuration file."""

from typing import Any


def key(parameter: str) -> str:
    """Give the name of a parameter in a configuration file."""
    return parameter.replace("_", "-")


def parameter(written: str) -> str:
    """Give the name of a parameter in Python, as it is or as a configuration file has it."""
    return written.replace("-", "_")


def option(parameter: str) -> str:
    """Give the command line's name of a parameter."""
    return f"--{key(parameter)}"


def words(parameter: str, value: Any) -> str:
    """Write a parameter as the command line takes it."""
    return option(parameter) if value is True else f"{option(parameter)} {value}"
