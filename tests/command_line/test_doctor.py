"""`lmul doctor` and what else a new user meets first: help, completion, time to the first line."""

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

from lmul.cli import _parser
from lmul.programs.installed import COMMANDS, OLDEST_VERILATOR
from lmul.sim.simulators.verilator import OLDEST_VERSION
from lmul.terminal.manual import PAGES
from lmul.terminal.parser import with_commands
from tests.support.host.runs import run

START_SECONDS, FIRST_VERILOG_SECONDS = 0.3, 1.5
"""Of processor time, so that what else the machine does counts less."""


def doctor(directory: Path, environment: dict[str, str]) -> tuple[int, dict[str, dict[str, str]]]:
    found = run(directory, "doctor", "--json", "doctor.json", env=os.environ | environment)
    found.check()
    figures = json.loads((directory / "doctor.json").read_text())
    assert figures["base_works"] is (found.status == 0)
    return found.status, {f"{row['kind']} {row['name']}": row for row in figures["findings"]}


def test_doctor_finds_what_the_tests_run_with(tmp_path: Path) -> None:
    status, findings = doctor(tmp_path, {})
    assert status == 0
    for name in ("base numpy", "base pyosys", "sim cocotb", "program g++", "program verilator", "dev pytest"):
        assert findings[name]["found"]
        assert findings[name]["mend"] is None


def test_doctor_names_the_command_that_installs_what_is_missing(tmp_path: Path) -> None:
    status, findings = doctor(tmp_path, {"PATH": str(tmp_path)})
    assert status == 0
    assert findings["program g++"]["found"] is None
    assert findings["program g++"]["mend"] == "apt install g++"
    assert findings["program iverilog"]["needed_by"] == "lmul sim --four-state"


def test_doctor_takes_a_package_that_is_too_old_for_missing(tmp_path: Path) -> None:
    info = tmp_path / "site" / "matplotlib-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: matplotlib\nVersion: 1.0\n")
    status, findings = doctor(tmp_path, {"PYTHONPATH": str(tmp_path / "site")})
    assert status == 0
    assert findings["plot matplotlib"]["mend"] == "pip install 'lmul[plot]'"


def test_doctor_takes_a_verilator_that_is_too_old_for_none(tmp_path: Path) -> None:
    assert tuple(map(int, str(OLDEST_VERILATOR).split("."))) == OLDEST_VERSION
    program = tmp_path / "verilator"
    program.write_text("#!/bin/sh\necho Verilator 5.006 2023-01-22\n")
    program.chmod(0o755)
    _, findings = doctor(tmp_path, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert findings["program verilator"]["found"] != "5.006"


def test_doctor_says_that_the_base_does_not_work(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "pyosys.py").write_text("raise ImportError('a library is missing')\n")
    status, findings = doctor(tmp_path, {"PYTHONPATH": str(site)})
    assert status == 1
    assert "a library is missing" in findings["base Verilog of a design"]["mend"]


def test_every_extra_says_what_it_is_for() -> None:
    extras = set(metadata("lmul").get_all("Provides-Extra") or [])
    assert extras | {"base"} == set(COMMANDS)


def test_every_command_has_a_page_with_examples_that_parse() -> None:
    parser = _parser()
    commands = {command.prog.removeprefix("lmul "): command for command in with_commands(parser)[1:]}
    assert commands.keys() == PAGES.keys()
    for name, page in PAGES.items():
        assert page.examples
        assert page.epilog in commands[name].format_help()
        assert page.description.endswith(".")
        for arguments, _ in page.examples:
            words = shlex.split(arguments.partition(">")[0])
            assert parser.parse_args(words).command == name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(shell: str, tmp_path: Path) -> None:
    script = run(tmp_path, "completion", shell).out
    for word in ("verilog", "explore", "four-state", "completion"):
        assert word in script
    if path := shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([path, "-n", tmp_path / "script"], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_a_command_and_an_option(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(run(tmp_path, "completion", "bash").out)

    def completed(*words: str) -> list[str]:
        line = f"COMP_WORDS=({' '.join(words)} ''); COMP_CWORD={len(words) - 1}; "
        ask = f"source {tmp_path / 'script'}; {line} _shtab_lmul; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        result = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
        return result.stdout.split()

    assert completed("lmul", "ver") == ["verilog"]
    assert completed("lmul", "verilog", "--subn") == ["--subnormals"]
    place = tmp_path / "directory"
    place.mkdir()
    assert str(place) in "".join(completed("lmul", "verilog", "-o", str(place)))


def processor_seconds(*arguments: str) -> float:
    """Give the least processor time of three runs."""
    command = [sys.executable, "-m", "lmul", *arguments]

    def used() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return children.ru_utime + children.ru_stime

    def once() -> float:
        before = used()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return used() - before

    return min(once() for _ in range(3))


def test_help_comes_at_once() -> None:
    assert processor_seconds("--help") < START_SECONDS


def test_first_verilog_comes_soon() -> None:
    assert processor_seconds("verilog", "mul", "-o", "-") < FIRST_VERILOG_SECONDS


def test_help_needs_neither_numpy_nor_amaranth() -> None:
    program = "import sys, lmul.cli; lmul.cli.main(['--help']); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"numpy", "amaranth", "rich", "pyosys"} & set(modules.stdout.split())
