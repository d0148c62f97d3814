"""Options that would be ignored beside others, command by command: they are refused before any work."""

from collections.abc import Collection

from lmul.errors import UserError
from lmul.options import option

TOKEN = ("compare", "batch", "context", "memory_energy")
"""Options of `lmul llm` that say what takes the energy of a token."""

ALONE: dict[str, dict[str, frozenset[str]]] = {
    "cost": {
        "cache": frozenset({"liberty", "dont_use", "build"}),
        "claims": frozenset({"json"}),
        "calibration": frozenset({"liberty", "dont_use", "build", "json"}),
    },
    "error": {"claims": frozenset({"json"})},
    "llm": {"energy": frozenset({*TOKEN, "arithmetic", "build", "json"})},
    "report": {"check": frozenset()},
}
"""Options that ask for something else, and all that mean something beside each."""

NEEDED = {
    "sim": {"liberty": "netlist", "dont_use": "netlist", "top": "rtl", "ports": "rtl"},
    "cost": {"top": "rtl", "ports": "rtl", "share_blocks": "compare"},
    "llm": dict.fromkeys(TOKEN, "energy"),
    "continue": {"build": "array"},
}
"""Options that mean nothing without another."""

BESIDE = {
    "cost": {"compare": {"mul"}, "rtl": {"accelergy", "netlist", "share_blocks"}},
    "sim": {
        "rtl": {
            *("operands", "scaling", "codes", "waves", "netlist", "four_state", "pauses"),
            *("stress", "vectors", "seed", "build"),
            *("pipeline", "reset", "reset_active", "clock_name", "reset_name"),
        }
    },
    "error": {"operands": {"length"}},
    "llm": {"arithmetic": {"compare"}},
    "continue": {"array": {"model"}},
    "explore": {"scheduler": {"jobs"}},
}
"""Options that mean nothing beside another: what that one says takes their place."""


def refuse_ignored(command: str, given: Collection[str]) -> None:
    """Refuse a command line with an option that would change nothing.

    Parameters
    ----------
    command : str
    given : collection of str
        Names of the options and arguments on the command line, as attributes of the parsed ones.

    Raises
    ------
    UserError
        The message names the option, and the one that it means nothing to.
    """
    for asked, takes in ALONE.get(command, {}).items():
        if asked in given:
            _refuse(sorted({*given} - takes - {asked}), f"to {_word(asked)}")
    for name, needed in NEEDED.get(command, {}).items():
        if name in given and needed not in given:
            raise UserError(
                f"{_word(name)} means nothing without {_word(needed)}: add {_word(needed)} or leave it out"
            )
    for asked, names in BESIDE.get(command, {}).items():
        if asked in given:
            _refuse(sorted(names.intersection(given)), f"beside {_word(asked)}")


def _refuse(names: list[str], where: str) -> None:
    if names:
        raise UserError(f"{_word(names[0])} means nothing {where}: leave it out")


def _word(name: str) -> str:
    """Write the name of an option or argument as a command line has it."""
    return "DESIGN" if name == "design" else option(name)
