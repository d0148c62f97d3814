"""Running the command line, in this process or as one of its own, and what is promised of every run."""

import io
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmul.cli import main
from lmul.errors import LONGEST_LINE

CHEAP = Path(__file__).with_name("cheap.py")

SECONDS = 200
"""Longest that a run may take before it counts as hanging."""


@dataclass(frozen=True)
class Run:
    """What a command did.

    Parameters
    ----------
    status : int
    out, err : str
        Standard output and standard error.
    """

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines on standard error but those of progress."""
        return [line for line in self.err.split("\n")[:-1] if not line.endswith(" ...")]

    def check(self) -> None:
        """Check that the command worked, or said in one printable line of bounded length why not."""
        assert self.status in {0, 1, 2}, self
        assert "Traceback" not in self.err
        assert "Exception ignored" not in self.err
        assert all(line.isprintable() for line in self.err.split("\n")), ascii(self.err)
        if self.status == 2:
            assert len(self.lines) == 1, self.err
            assert self.lines[0].startswith("lmul: ")
            assert len(self.lines[0]) <= LONGEST_LINE + len("lmul: ")

    def refusal(self) -> str:
        """Give the line that says why the command did not work."""
        self.check()
        assert self.status == 2, self
        return self.lines[0]


def run(
    directory: Path, *arguments: object, seconds: float = SECONDS, cheap: bool = False, **options: object
) -> Run:
    """Run `lmul` as a process in a directory, whose name is left out of what it prints.

    `cheap` is that of `command`, `options` are those of `subprocess.run`.
    """
    words = command(*arguments, cheap=cheap)
    found = subprocess.run(words, cwd=directory, capture_output=True, check=False, timeout=seconds, **options)  # type: ignore[call-overload]
    out = os.fsdecode(found.stdout).replace(f"{directory}/", "")
    return Run(found.returncode, out, os.fsdecode(found.stderr))


def command(*arguments: object, cheap: bool = False) -> list[str]:
    """Give the words that start `lmul`, or `cheap.py` in its place, whose netlists take less to map."""
    program = ["-P", CHEAP] if cheap else ["-m", "lmul"]
    return [sys.executable, *map(str, (*program, *arguments))]


def run_here(directory: Path, arguments: Sequence[str]) -> Run:
    """Run `lmul` in this process, in a directory; a refusal must leave the directory as it was."""
    before = contents(directory)
    out, err = io.StringIO(), io.StringIO()
    with chdir(directory), redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # It would be a line on standard error.
        warnings.simplefilter("error", UserWarning)
        signal.signal(signal.SIGALRM, _hang)
        signal.alarm(SECONDS)
        status = main(arguments)
        signal.alarm(0)
    found = Run(status, out.getvalue(), err.getvalue())
    found.check()
    if status == 2:
        assert contents(directory) == before
    return found


def _hang(*_: object) -> None:
    raise AssertionError(f"no end after {SECONDS} seconds")


def contents(directory: Path, ignored: str = r"(?!)") -> Mapping[str, bytes | None]:
    """Give all files below a directory with what is in them, directories as None."""
    return {
        name: path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
        if not re.fullmatch(ignored, name := str(path.relative_to(directory)))
    }


SPACE = Path(__file__).parent / "space.toml"

WRITERS = {
    "verilog": ("verilog", "dot", "--format", "e2m1", "--lanes", "2", "-o", "out"),
    "error": ("error", "--format", "e2m1", "--json", "out/error.json", "--plot", "out/error.svg"),
    "gates": ("cost", "mul", "--format", "e2m1", "--estimate", "gates", "--json", "out/gates.json"),
    "cost": (
        *("cost", "mul", "--format", "e2m1", "--compare", "lmul,exact", "--seeds", "1"),
        *("--json", "out/cost.json", "--csv", "out/cost.csv", "--netlist", "out", "--accelergy", "out"),
    ),
    "explore": (
        *("explore", str(SPACE), "--precision", "20"),
        *("--json", "out/explore.json", "--plot", "out/explore.svg"),
    ),
    "report": ("report", "--formats", "e2m1", "--multipliers", "lmul,exact", "-o", "out"),
    "sim": ("sim", "mul", "--format", "e2m1"),
    "waves": ("sim", "mul", "--format", "e2m1", "--waves"),
    "netlist": ("sim", "mul", "--format", "e2m1", "--netlist"),
}
"""Commands that write files, below the directory that they run in; a new command is a new row."""


def write_small(place: Path, library: str) -> list[str]:
    """Write a library and operands that are measured in a second; give the options that name them."""
    (place / "small.lib").write_text(library)
    rng = np.random.default_rng(1)
    np.savez(place / "small.npz", a=rng.normal(size=(8, 24)), b=rng.normal(size=(24, 8)))
    return ["--liberty=small.lib", "--operands=small.npz", "--precision=20"]


SCRATCH = (
    r"(.*/)?(\.lock|\.lmul-[0-9a-f]{16}\.part)"
    r"|build/sim/(.*/(build|waves)|verilator)(/.*)?|build/explore(/results\.sqlite(-journal)?)?"
)
"""Files that are no results: locks, temporary files, what Verilator and compilers keep for the next build,
and the database of sweeps, whose bytes depend on who finished first."""
