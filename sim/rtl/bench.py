"""What a unit gives for pairs of codes: its own sources under Verilator, driven by a program in C++."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.errors import UserError
from lmul.golden import Codes, Format
from lmul.host.files import write_files
from lmul.sim.native.native import build_program
from lmul.sim.rtl.elaborate import Elaborated
from lmul.sim.rtl.sources import WRAPPER, Sources
from lmul.sim.rtl.unit import Unit
from lmul.sim.rtl.wrapper import TOP, wrapper_text
from lmul.sim.simulate import SimulationError, prepare_directory

_MAIN = Path(__file__).with_name("products.cpp")


@dataclass(frozen=True)
class Program:
    """A simulator of a unit.

    Parameters
    ----------
    path : Path
    refused : str
        What Verilator said of the sources, where what Yosys made of them is simulated in their place.
    """

    path: Path
    refused: str = ""


def build_unit(sources: Sources, format_: Format, elaborated: Elaborated | None) -> Program:
    """Build a simulator of a unit.

    Parameters
    ----------
    sources : Sources
        It is built in their directory.
    format_ : Format
        Of its operands.
    elaborated : Elaborated or None
        What Yosys made of it, which is simulated where Verilator refuses the sources.

    Raises
    ------
    UserError
        There is no usable Verilator, or it refuses the sources, and Yosys does so too.
    """
    ports = elaborated.ports if elaborated else None
    sources.wrap(wrapper_text(sources.unit, format_, ports))
    own = [sources.directory / name for name in (*sources.files, WRAPPER)]
    try:
        return Program(_build(sources, own, "build"))
    except SimulationError:
        refused = _refusal(sources)
    if elaborated is None:
        raise UserError(f"Verilator: {refused}")
    return Program(build_plain(sources, elaborated), refused)


def build_plain(sources: Sources, elaborated: Elaborated) -> Path:
    """Build a simulator of what Yosys made of a unit; parameters as `build_unit` has them."""
    plain = write_files(sources.directory / "plain", {"plain.v": elaborated.verilog})
    return _build(sources, plain, "plain-build")


def _build(sources: Sources, files: list[Path], name: str) -> Path:
    clock, flags = sources.unit.clock, []
    if clock:
        flags.append("-DCLOCKED")
    if clock and clock.reset:
        flags.append(f"-DRESET_ON={clock.reset_level}")
    directory = prepare_directory(sources.directory / name)
    # Delays are those of somebody's bench, and x is any level.
    more = ["--no-timing", "-Wno-lint", "-Wno-style", "-DSYNTHESIS"]
    more += [f"-I../{option[2:]}" if option.startswith("-I") else option for option in sources.options]
    return build_program(files, TOP, _MAIN, directory, flags, more)


def _refusal(sources: Sources) -> str:
    """Give the first error of Verilator or the compiler."""
    log = (sources.directory / "build" / "build.log").read_text(encoding="utf-8", errors="replace")
    found = re.search(r"%Error[\w-]*: (.*)", log) or re.search(r"(?:error|ERROR): (.*)", log)
    return sources.told(found[1].replace("../", "") if found else "it ended without saying why")


def products(program: Path, unit: Unit, a: Codes, b: Codes, format_: Format) -> Codes:
    """Give the products of a unit.

    Parameters
    ----------
    program : Path
        Of `build_unit`.
    unit : Unit
    a, b : ndarray of codes, one-dimensional
    format_ : Format

    Raises
    ------
    SimulationError
        The simulation ended early, or a product does not stay while its operands are held.
    """
    words = [np.array([a.size]), a, b]
    sent = b"".join(one.astype("<u4").tobytes() for one in words)
    written = program.with_name("products")
    command = [str(program), str(unit.latency), str(unit.hold), str(written)]
    result = subprocess.run(command, input=sent, capture_output=True, check=False)  # noqa: S603
    if result.returncode or not written.exists():
        said = re.search(rb"%Error[\w-]*: (.*)", result.stdout + result.stderr)
        raise SimulationError(
            f"the simulation of {unit.top} ended early: {said[1].decode() if said else 'no reason'}"
        )
    found: NDArray[Any] = np.fromfile(written, "<u4")
    if moved := int(found[-1]):
        raise SimulationError(
            f"{moved:,} of {a.size:,} products of {unit.top} do not stay after {unit.hold} cycles: "
            "hold must be the cycles until the product is there for good"
        )
    return found[:-1].astype(format_.dtype)
