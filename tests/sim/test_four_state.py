"""No unknown value leaves a design after its reset, whatever registers and idle inputs hold."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lmul.cli import main
from lmul.design import Design, make_design
from lmul.hdl import Export, export
from lmul.sim.simulate import TESTCASES, Simulation, SimulationError, SimulationRun, simulate
from lmul.sim.simulators.four_state import unknown_while_idle
from lmul.sim.stimulus.quick import Matrices
from tests.support.cost.gate_level import netlist_sources

TOP = "unknown_while_idle"

QUICK_CASES = {kind: [case for case in cases if case != "stress"] for kind, cases in TESTCASES.items()}

QUICK = [
    make_design("mul", pipeline=3, mul="exact", format="e3m3"),
    make_design("dot", lanes=2),
    make_design("dot", lanes=2, out="raw", acc="fixed:24:1", pipeline=2),
    make_design("array", rows=2, cols=3, lanes=1, share=2),
    make_design("array", rows=3, cols=2, lanes=1, share=1, dataflow="ws", acc="fp16"),
]

LONG = [
    make_design("mul", pipeline=3, mul="exact", format="e5m2"),
    *(make_design("mul", mul=mul, pipeline=pipeline) for mul in ("lmul", "exact") for pipeline in range(5)),
    *(make_design("dot", mul=mul) for mul in ("lmul", "mitchell", "addm", "addc", "exact")),
    *(make_design("dot", acc=acc, out=out) for acc in ("fp32", "bf16") for out in ("fp32", "raw")),
    *(make_design("dot", format="e5m2", pipeline=pipeline, carry="save") for pipeline in range(5)),
    *(make_design("array", mul=mul) for mul in ("lmul", "mitchell", "addm", "addc", "exact")),
    *(make_design("array", dataflow="ws", mul=mul) for mul in ("lmul", "exact")),
    *(make_design("array", share=1, pipeline=pipeline) for pipeline in (1, 4)),
]

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")


def simulate_unknown(
    design: Design,
    text: Export,
    sources: dict[str, str],
    matrices: Matrices,
    directory: Path,
    cases: Sequence[str],
) -> list[Simulation]:
    """Run test cases of a design's bench with unknown values."""
    paths = []
    for name, source in (
        sources | {"top.v": unknown_while_idle(design.kind, text.name, TOP, text.ports)}
    ).items():
        paths.append(directory / name)
        paths[-1].write_text(source)
    files = (paths, TOP, text.port_names, matrices, directory / "build")
    return [simulate(SimulationRun(design, *files, testcase=case, seed=1, four_state=True)) for case in cases]


def check_verilog_and_netlist(
    design: Design, matrices: Matrices, cells: Path, directory: Path, cases: Sequence[str]
) -> list[Simulation]:
    text = export(design)
    levels = {"verilog": {"design.v": text.verilog}, "netlist": netlist_sources(design, cells)}
    results = []
    for level, sources in levels.items():
        (directory / level).mkdir()
        results += simulate_unknown(design, text, sources, matrices, directory / level, cases)
    return results


@pytest.mark.parametrize("design", QUICK, ids=lambda design: design.name)
def test_nothing_unknown_leaves_verilog_and_netlist(
    design: Design, cells: Path, tmp_path: Path, draw_codes: Callable[..., Matrices]
) -> None:
    cases = QUICK_CASES[design.kind]
    results = check_verilog_and_netlist(design, draw_codes((3, 5, 4)), cells, tmp_path, cases)
    assert all(result.compared >= 12 for result in results)


@pytest.mark.long
@pytest.mark.parametrize("design", LONG, ids=lambda design: design.name)
def test_nothing_unknown_leaves_designs_of_default_size(
    design: Design, cells: Path, tmp_path: Path, draw_codes: Callable[..., Matrices]
) -> None:
    matrices = draw_codes((9, 30, 9)) + draw_codes((8, 12, 8), nan=0.02)
    cases = TESTCASES[design.kind]
    results = check_verilog_and_netlist(design, matrices, cells, tmp_path, cases)
    assert all(result.compared >= 64 for result in results)


@pytest.mark.parametrize(
    ("design", "right", "wrong"),
    [
        # A result register without its reset, and control without one.
        (make_design("dot", lanes=2), "if (rst) c <= 32'h0;\n    else if", "if"),
        (make_design("array", rows=2, cols=2, lanes=1), "if (rst) spare_valid <= 1'h0;\n    else", ""),
        # The sum follows the operands when there is no step.
        (make_design("dot", lanes=2, out="raw"), "else if (sum_load) sum", "else sum"),
    ],
    ids=["result", "control", "idle operands"],
)
def test_unknown_output_is_noticed(
    design: Design, right: str, wrong: str, tmp_path: Path, draw_codes: Callable[..., Matrices]
) -> None:
    text = export(design)
    assert text.verilog.count(right) == 1
    sources = {"design.v": text.verilog.replace(right, wrong)}
    with pytest.raises(SimulationError, match=r"unknown|non-0/1|Cannot convert Logic"):
        simulate_unknown(design, text, sources, draw_codes((3, 5, 4)), tmp_path, QUICK_CASES[design.kind])


def test_command_says_that_nothing_was_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "mul", "--format", "e2m1", "--four-state", "--build", str(tmp_path)]) == 0
    assert "No output was unknown" in capsys.readouterr().out


def test_command_refuses_waves_of_unknown_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "mul", "--four-state", "--waves"]) == 2
    assert "--waves are of Verilator" in capsys.readouterr().err
