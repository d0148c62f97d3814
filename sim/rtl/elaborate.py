"""A unit as one plain module: elaborated by Yosys, whose two front ends each read what the other refuses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from lmul.errors import UserError
from lmul.golden import Format
from lmul.programs.yosys import YosysError, run_yosys
from lmul.sim.rtl.sources import WRAPPER, Sources
from lmul.sim.rtl.wrapper import TOP, Port, Ports, check_ports, probe_text, wrapper_text

# As other tools have it: macros for the files behind, delays that mean nothing, numbers for enumerations.
_SLANG = "--threads 1 --single-unit --allow-use-before-declare --relax-enum-conversions --ignore-timing"

FRONT_ENDS: Mapping[str, tuple[str, ...]] = {
    "read_verilog": ("read_verilog -sv {options} {files}", f"hierarchy -check -top {TOP}"),
    "read_slang": (f"read_slang {_SLANG} --keep-hierarchy --top {TOP} {{options}} {{files}}",),
}
"""Commands of Yosys that read Verilog, in the order in which they are tried."""

_PLAIN = ("proc -norom", "flatten", "opt_clean", "write_verilog -noattr plain.v")


@dataclass(frozen=True)
class Elaborated:
    """A unit that Yosys has read.

    Parameters
    ----------
    front_end : str
        What read it.
    refused : mapping of str to str
        What other front ends said.
    ports : mapping of str to Port
        Of the unit.
    verilog : str
        The module around it, flat and in plain Verilog.
    """

    front_end: str
    refused: Mapping[str, str]
    ports: Ports
    verilog: str


class UnreadError(UserError):
    """No front end of Yosys reads the sources."""


def elaborate(sources: Sources, format_: Format) -> Elaborated:
    """Read a unit by whichever front end takes it, and write it as one plain module.

    Parameters
    ----------
    sources : Sources
    format_ : Format
        Of its operands.

    Raises
    ------
    UserError
        Its ports do not fit.
    UnreadError
        No front end reads it: the message has what each said.
    """
    refused: dict[str, str] = {}
    for front_end in FRONT_ENDS:
        try:
            ports = _ports(sources, front_end)
            check_ports(sources.unit, format_, ports)
            sources.wrap(wrapper_text(sources.unit, format_, ports))
            run_yosys([*_commands(sources, front_end), *_PLAIN], sources.directory)
        except YosysError as error:
            place = f"{error.place}: " if error.place else ""
            refused[front_end] = sources.told(f"{place}{error}")
        else:
            text = (sources.directory / "plain.v").read_text(encoding="utf-8")
            return Elaborated(front_end, refused, ports, text)
    modules = sources.modules
    if modules and sources.unit.top not in modules:
        raise UserError(
            f"module {sources.unit.top!r} is in none of the files: they have {', '.join(modules)}"
        )
    raise UnreadError("; ".join(f"Yosys' {name}: {said}" for name, said in refused.items()))


def _ports(sources: Sources, front_end: str) -> dict[str, Port]:
    """Give the ports of the unit, as wide as its parameters make them."""
    sources.wrap(probe_text(sources.unit))
    run_yosys([*_commands(sources, front_end), "proc", "write_json ports.json"], sources.directory)
    modules = json.loads((sources.directory / "ports.json").read_text(encoding="utf-8"))["modules"]
    ((kind),) = (cell["type"] for cell in modules[TOP]["cells"].values() if cell["type"] in modules)
    return {name: Port(port["direction"], len(port["bits"])) for name, port in modules[kind]["ports"].items()}


def _commands(sources: Sources, front_end: str) -> list[str]:
    options, files = " ".join(sources.options), " ".join([*sources.files, WRAPPER])
    return [command.format(options=options, files=files) for command in FRONT_ENDS[front_end]]
