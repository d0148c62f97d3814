"""Units out of what a user names: files of Verilog and a few options, or a TOML file that says all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmul.errors import UserError
from lmul.host.files import open_input
from lmul.host.toml import read_toml
from lmul.sim.rtl.unit import OPERANDS, PRODUCT, Clock, Part, Unit

WANTED = "name files of Verilog or SystemVerilog, or one TOML file"

PORTS = (*OPERANDS, PRODUCT)

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "files": (list, "a list of files"),
    "include": (list, "a list of folders"),
    "defines": (dict, "a table of names and values"),
    "top": (str, "the name of a module"),
    "parameters": (dict, "a table of names and values"),
    "latency": (int, "a number of cycles"),
    "hold": (int, "a number of cycles"),
    "ports": (dict, "a table with a, b and p"),
    "ties": (dict, "a table of ports and values"),
    "clock": (dict, "a table with port, and reset and reset_active if there is one"),
}
"""Keys of the file, and what they must be."""

_LEVELS = ("high", "low")


def read_unit(paths: Sequence[Path], top: str | None, ports: str | None) -> Unit:
    """Make a unit from what the command line names.

    Parameters
    ----------
    paths : sequence of Path
        Verilog, or one TOML file.
    top : str or None
        The module; before what the file says.
    ports : str or None
        Such as ``a=x,b=y,p=z``; before what the file says.

    Raises
    ------
    UserError
        A file cannot be read, or what it says makes no sense.
    """
    toml = [path for path in paths if path.suffix == ".toml"]
    if toml and len(paths) > 1:
        raise UserError(f"--rtl takes {toml[0]} alone: it names the files of Verilog itself")
    read = read_toml(toml[0]) if toml else {}
    try:
        values: dict[str, Any] = {"files": paths}
        if toml:
            values = _checked_values(read, toml[0].parent)
        if top is not None:
            values["top"] = top
        if ports is not None:
            values["ports"] = _ports_option(ports)
        unit = _unit(values)
    except UserError as error:
        raise error.behind(f"{toml[0]}: " if toml else "--rtl: ") from None
    for path in unit.files:
        with open_input(path, WANTED):
            pass
    for folder in unit.include:
        if not folder.is_dir():
            raise UserError(f"include {str(folder)!r} is no folder: name one")
    return unit


def _checked_values(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Give what a file says, if all of it is known; its paths are relative to its folder."""
    _check_keys(values, _KINDS, "key")
    for name, value in values.items():
        kind, right = _KINDS[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise UserError(f"{name} must be {right}, not {value!r}")
    for name in ("files", "include"):
        if not all(isinstance(one, str) for one in values.get(name, ())):
            raise UserError(f"{name} must be {_KINDS[name][1]}, not {values[name]!r}")
        values[name] = [folder / one for one in values.get(name, ())]
    return values


def _unit(values: Mapping[str, Any]) -> Unit:
    if not values.get("files"):
        raise UserError("files are missing: name the Verilog")
    if "top" not in values:
        raise UserError("top is missing: name the module of the multiplier")
    ports = values.get("ports", {})
    _check_keys(ports, PORTS, "port of [ports]")
    if missing := [name for name in PORTS if name not in ports]:
        raise UserError(f"port {missing[0]} is missing: say where a, b and p are, such as a=x,b=y,p=z")
    return Unit(
        files=tuple(values["files"]),
        top=values["top"],
        ports={name: _parts(name, ports[name]) for name in PORTS},
        include=tuple(values.get("include", ())),
        clock=_clock(values["clock"]) if "clock" in values else None,
        latency=values.get("latency", 0),
        hold=values.get("hold", 0),
        **{name: _table(name, values.get(name, {})) for name in ("defines", "parameters", "ties")},
    )


def _check_keys(found: Mapping[str, Any], known: Mapping[str, Any] | Sequence[str], what: str) -> None:
    for name in found:
        if name not in known:
            raise UserError(f"{what} {name!r} is unknown: it must be one of {', '.join(known)}")


def _table(name: str, values: Mapping[str, Any]) -> dict[str, int | str]:
    for key, value in values.items():
        if not isinstance(value, int | str):
            raise UserError(f"{name}: {key} must be a whole number or a text, not {value!r}")
    return {key: int(value) if isinstance(value, bool) else value for key, value in values.items()}


def _parts(name: str, value: Any) -> tuple[Part, ...]:
    """Read a port: its name, one part, or a list of parts from the least significant."""
    found = value if isinstance(value, list) else [value]
    if not found:
        raise UserError(f"{name} has no part: name a port")
    return tuple(Part(one) if isinstance(one, str) else _part(name, one) for one in found)


def _part(name: str, value: Any) -> Part:
    right = f"{name} must be a port, or parts such as {{port = 'mx', offset = 0, width = 3}}, not {value!r}"
    if not isinstance(value, dict) or not isinstance(value.get("port"), str):
        raise UserError(right)
    _check_keys(value, ("port", "width", "offset"), f"{name}: key")
    for key, least in (("width", 1), ("offset", 0)):
        if key in value and (type(value[key]) is not int or value[key] < least):
            raise UserError(f"{name}: {key} must be a whole number from {least}, not {value[key]!r}")
    return Part(**value)


def _clock(value: Mapping[str, Any]) -> Clock:
    _check_keys(value, ("port", "reset", "reset_active"), "key of [clock]")
    if not all(isinstance(one, str) for one in value.values()) or "port" not in value:
        raise UserError(f"clock must be {_KINDS['clock'][1]}, not {value!r}")
    if value.get("reset_active", "high") not in _LEVELS:
        raise UserError(f"reset_active must be high or low, not {value['reset_active']!r}")
    return Clock(**value)


def _ports_option(text: str) -> dict[str, str]:
    """Read ``a=x,b=y,p=z``."""
    pairs = [word.partition("=") for word in text.split(",")]
    if not all(name and port for name, _, port in pairs):
        raise UserError(f"--ports must be such as a=x,b=y,p=z, not {text!r}")
    return {name: port for name, _, port in pairs}
