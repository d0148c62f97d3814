"""Each extra alone is enough for its commands.

`python -m tests.support.project.extras WHEEL` installs each into an empty environment, or those named
behind it; `tests/project/test_extras.py` makes environments with links to what is installed here.
"""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.support.paths import ROOT

SMALL = ("mul", "--format", "e2m1")

QUICK = ("--seeds=1", "--precision=20")

SPACE = """
[space]
design = "mul"
format = "e2m1"
mul = ["lmul", "exact"]
[search]
method = "{method}"
trials = 1
"""

COMMANDS: dict[str, list[tuple[str, ...]]] = {
    "": [
        ("verilog", *SMALL, "-o", "out"),
        ("error", "--format", "e2m1"),
        ("cost", *SMALL, "--estimate", "gates"),
        ("cost", *SMALL, "--estimate", "paper"),
        ("cost", "--claims"),
        ("list",),
        ("completion", "bash"),
        ("doctor",),
    ],
    "sim": [("sim", *SMALL), ("sim", *SMALL, "--waves"), ("sim", *SMALL, "--stress", "--seed", "1")],
    "cost": [("cost", *SMALL, *QUICK), ("explore", "random.toml", *QUICK)],
    "layout": [("cost", *SMALL, *QUICK, "--layout", "--placements=1", "--netlist=out")],
    "fpga": [("cost", *SMALL, "--estimate", "ice40"), ("cost", *SMALL, "--estimate", "ecp5")],
    "plot": [("error", "--format", "e2m1", "--plot", "error.png")],
    "report": [("report", "--formats=e2m1", "--multipliers=lmul,exact", "-o", "out")],
    "explore": [("explore", "optuna.toml", *QUICK)],
    "dask": [("explore", "random.toml", *QUICK)],
    "llm": [("llm", "--tokens=32", "--arithmetic=lmul,e4m3,attention"), ("continue", "The", "--tokens=1")],
    "torch": [("list",)],
    "eval": [("eval", "--help")],
}
"""Commands by extra, those of none first."""


def run_commands(python: Path, commands: Sequence[tuple[str, ...]], place: Path) -> None:
    """Run commands in a directory, as a user of an environment would."""
    for method in ("random", "optuna"):
        (place / f"{method}.toml").write_text(SPACE.format(method=method))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for words in commands:
        found = subprocess.run(
            [python, "-P", "-m", "lmul", *words],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, f"lmul {' '.join(words)}: {found.stderr}"


def main(wheel: str, *extras: str) -> int:
    """Install each extra of a wheel alone and run its commands."""
    constraints = ROOT / "constraints.txt"
    for extra in extras or COMMANDS:
        commands = COMMANDS[extra]
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            venv.create(place / "env", with_pip=True)
            python = place / "env" / "bin" / "python"
            wanted = f"lmul[{extra}] @ {Path(wheel).absolute().as_uri()}"
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, "--constraint", constraints, wanted], check=True)
            run_commands(python, commands, place)
        print(f"lmul[{extra}]: {len(commands)} commands", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
