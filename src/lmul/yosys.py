"""Yosys in a process of its own, since its errors end the process that it runs in.

`python -m lmul.yosys` reads a JSON list of commands from standard input.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lmul.errors import UserError


class YosysError(RuntimeError):
    """Yosys refused a command; the message is its own."""


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
    result = subprocess.run(
        [sys.executable, "-P", "-m", "lmul.yosys"],
        input=json.dumps(list(commands)),
        cwd=directory,
        # ABC keeps a cache in the temporary directory, which runs at the same time must not share.
        env=os.environ | {"TMPDIR": str(directory)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",  # Names of files and cells may be in any encoding.
        check=False,
    )
    if result.returncode == 0:
        return
    output = result.stdout + result.stderr
    if "No module named 'pyosys'" in output:
        raise UserError("pyosys is not installed: run `pip install pyosys`")
    errors = re.findall(r"ERROR: (.*)", output)
    raise YosysError(errors[0] if errors else f"Yosys ended with status {result.returncode}: {output[-300:]}")


def main() -> None:
    """Run the commands that standard input holds."""
    from pyosys import libyosys  # type: ignore[import-untyped]

    design = libyosys.Design()
    for command in json.load(sys.stdin):
        libyosys.run_pass(command, design)


if __name__ == "__main__":
    main()
