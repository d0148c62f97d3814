"""nextpnr, compiled to WebAssembly, in a process of its own: place and route for one FPGA family.

`python -m lmul.programs.nextpnr FAMILY ARGUMENTS` runs the nextpnr of that family.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from lmul.programs.extras import missing


class NextpnrError(RuntimeError):
    """The nextpnr process failed; the message is its own."""


class DoesNotFitError(NextpnrError):
    """The design takes more of something than the device has."""


def package(family: str) -> str:
    """Name the package that carries the nextpnr of a family.

    Raises
    ------
    UserError
        It is not installed.
    """
    name = f"yowasp-nextpnr-{family}"
    if find_spec(name.replace("-", "_")) is None:
        raise missing(name, "fpga")
    return name


def run_nextpnr(family: str, arguments: Sequence[str], directory: Path) -> None:
    """Place and route, in a fresh process.

    Parameters
    ----------
    family : str
        ``ice40`` or ``ecp5``.
    arguments : sequence of str
        File names in them should be plain names inside `directory`.
    directory : Path
        The working directory; temporary files stay in it too.

    Raises
    ------
    UserError
        The nextpnr of the family is not installed.
    DoesNotFitError
        The device is too small.
    NextpnrError
        Anything else went wrong.
    """
    package(family)
    # A user's own mounts would hide the working directory.
    environment = {name: value for name, value in os.environ.items() if name != "YOWASP_MOUNT"}
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-P", "-m", "lmul.programs.nextpnr", family, *arguments],
        cwd=directory,
        env=environment | {"TMPDIR": str(directory)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",  # Names of files and cells may be in any encoding.
        check=False,
    )
    if result.returncode == 0:
        return
    output = result.stdout + result.stderr
    for kind, used, available in re.findall(r"(\w+): +(\d+)/ *(\d+) +\d+%", output):
        if int(used) > int(available):
            raise DoesNotFitError(f"{used} of {available} {kind}")
    errors = re.findall(r"ERROR: (.*)", output)
    ended = f"nextpnr ended with status {result.returncode}: {output[-300:]}"
    raise NextpnrError(errors[0] if errors else ended)


def main() -> None:
    """Run the nextpnr of the family that the first argument names."""
    family, *arguments = sys.argv[1:]
    run = getattr(import_module(f"yowasp_nextpnr_{family}"), f"run_nextpnr_{family}")
    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
