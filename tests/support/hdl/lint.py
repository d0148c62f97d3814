"""What Verilator, Icarus and slang say of Verilog: lints with different eyes."""

import shutil
import subprocess
from pathlib import Path

from pyslang.driver import Driver

from lmul.sim.simulators.verilator import verilator_environment


def lint(verilog: str, top: str, directory: Path) -> str:
    """Give what Verilator, and Icarus where it is installed, say about Verilog."""
    path = directory / "lint.v"
    path.write_text(verilog if verilog.endswith("\n") else f"{verilog}\n")
    verilator = ["verilator", "--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", top, str(path)]
    icarus = ["iverilog", "-g2001", "-Wall", "-t", "null", str(path)]
    said = ""
    for command in (verilator, icarus):
        if command is verilator or shutil.which("iverilog"):
            result = subprocess.run(
                command, capture_output=True, text=True, env=verilator_environment(), check=False
            )
            said += "\n".join(
                line for line in (result.stdout + result.stderr).splitlines() if line[:1] != "-"
            )
    return said


def slang_is_silent(path: Path, top: str) -> bool:
    """Tell whether slang has no warning of any kind; it prints those that it has."""
    driver = Driver()
    driver.addStandardArgs()
    words = f'slang "{path}" --top {top} -Weverything -Werror'
    read = driver.parseCommandLine(words) and driver.processOptions() and driver.parseAllSources()
    return bool(read and driver.runFullCompilation(True))
