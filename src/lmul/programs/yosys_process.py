"""What runs Yosys: it reads what to do from standard input, as JSON, and imports as little as it can."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any


def main() -> None:
    """Do what standard input asks for."""
    from pyosys import libyosys  # type: ignore[import-untyped]

    work = json.load(sys.stdin)
    design = libyosys.Design()

    def run(commands: Sequence[str]) -> None:
        for command in commands:
            libyosys.run_pass(command, design)

    run(work["commands"])
    running: dict[int, str] = {}
    for branch in work["branches"]:
        if len(running) == work["at_a_time"]:
            _wait(running, work)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _branch(branch, lambda: run(work["then"]))
        running[child] = branch
    while running:
        _wait(running, work)


def _branch(directory: str, work: Callable[[], None]) -> None:
    """Work in a directory, in this copy of the process, and end it."""
    try:
        os.chdir(directory)
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def _wait(running: dict[int, str], work: dict[str, Any]) -> None:
    """Wait for a copy, and tell that it has finished."""
    child, status = os.wait()
    branch = running.pop(child)
    if status:
        while running:
            running.pop(os.wait()[0])
        sys.exit(1)
    os.write(work["told"], f"{branch}\n".encode())


if __name__ == "__main__":
    main()
