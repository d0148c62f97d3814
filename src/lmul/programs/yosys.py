"""Yosys in a process of its own, since its errors end the process that it runs in."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from lmul.host.files import check_room
from lmul.programs.extras import missing

PROGRAM = Path(__file__).with_name("yosys_process.py")


class YosysError(RuntimeError):
    """Yosys refused a command; the message is its own.

    Parameters
    ----------
    message : str
    place : str
        File and line that it is about, if it says so.
    """

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


def run_yosys(commands: Sequence[str], directory: Path) -> None:
    """Run commands on one design, in a fresh process.

    File names in commands should be plain names inside `directory`: Yosys has no quoting that
    covers every name.

    Parameters
    ----------
    commands : sequence of str
    directory : Path
        The working directory; ABC's temporary files stay in it too.

    Raises
    ------
    UserError
        pyosys is not installed.
    YosysError
        A command failed.
    """
    run_branches(commands, directory)


def run_branches(
    commands: Sequence[str],
    directory: Path,
    *,
    then: Sequence[str] = (),
    branches: Sequence[str] = (),
    at_a_time: int = 1,
    finished: Callable[[str], None] = lambda _branch: None,
) -> None:
    """Run commands in a fresh process, then others in several copies of it, each as if it had been alone.

    Parameters
    ----------
    commands, directory
        As `run_yosys` takes them.
    then : sequence of str
        What to go on with in each copy.
    branches : sequence of str
        Directories inside `directory`, in each of which a copy works.
    at_a_time : int
        Copies at work together.
    finished : callable
        Told each of `branches` as soon as it is done.

    Raises
    ------
    UserError
        pyosys is not installed.
    YosysError
        A command failed.
    """
    reading, writing = os.pipe()
    work = {
        "commands": list(commands),
        "then": list(then),
        "branches": list(branches),
        "at_a_time": at_a_time,
        "told": writing,
    }
    with (
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as said,
        os.fdopen(reading, encoding="utf-8") as told,
    ):
        asked.write(json.dumps(work).encode())
        asked.seek(0)
        with subprocess.Popen(  # noqa: S603
            # No module of this package: to import that takes longer than many a command.
            [sys.executable, "-P", str(PROGRAM)],
            stdin=asked,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=_environment(),
            pass_fds=[writing],
        ) as process:
            os.close(writing)
            for line in told:
                finished(line.rstrip("\n"))
        if process.returncode:
            check_room(directory)
            said.seek(0)
            # Names of files and cells may be in any encoding.
            _raise(process.returncode, said.read().decode(errors="replace"))


def _environment() -> dict[str, str]:
    # ABC keeps a cache in the temporary directory, which runs at the same time must not share.
    return os.environ | {"TMPDIR": "."}


def _raise(status: int, output: str) -> None:
    if "No module named 'pyosys'" in output:
        raise missing("pyosys")
    found = re.search(r"^(?:(\S+:\d+)(?::\d+)?: )?(?:ERROR|error): ?(.*)", output, re.MULTILINE)
    found = found or re.search(r"()ERROR: ?(.*)", output)
    if found:
        raise YosysError(found[2], found[1] or "")
    raise YosysError(f"Yosys ended with status {status}: {output[-300:]}")
