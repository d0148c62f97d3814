"""The dot product behind AXI4-Stream ports: no result is lost, whoever pauses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lmul.cli import main
from lmul.cost.cells.check import check_netlist
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.mapper import map_design
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.evidence.formal.streams import dot_with_streams, hold_claim, order_claim
from lmul.explore.space import read_space
from lmul.hdl import DotAxiStream, Export, export
from lmul.sim.simulate import SimulationError, SimulationRun, simulate
from lmul.sim.stimulus.quick import Matrices
from tests.support.host import cheap

ExportTo = Callable[[Design], tuple[Export, Path]]
Draw = Callable[..., Matrices]

DESIGN = make_design("dot", format="e3m2", lanes=3, stream=True)
SMALL = make_design("dot", format="e2m1", lanes=1, depth=4, out="raw", acc="fixed:10:0", stream=True)

READY = "s_axis_tready = ~m_axis_tvalid | m_axis_tready;"


def test_results_are_the_model_s_with_and_without_pauses(
    export_to: ExportTo, draw_codes: Draw, tmp_path: Path
) -> None:
    text, path = export_to(DESIGN)
    matrices = [(a % 64, b % 64) for a, b in draw_codes((3, 1, 4), (4, 20, 5))]
    files = ([path], text.name, text.port_names, matrices, tmp_path / "build")
    steady = simulate(SimulationRun(DESIGN, *files, testcase="operands"))
    assert steady.compared == 32
    assert steady.busy == steady.window == 12 + 20 * 7
    paused = simulate(SimulationRun(DESIGN, *files, testcase="pauses", seed=1))
    assert paused.compared == 32
    assert paused.window > paused.busy == steady.busy


def test_bench_notices_a_result_that_is_overwritten(
    export_to: ExportTo, draw_codes: Draw, tmp_path: Path
) -> None:
    text, path = export_to(SMALL)
    path.write_text(text.verilog.replace(READY, "s_axis_tready = 1'h1;"))
    matrices = [(a % 16, b % 16) for a, b in draw_codes((4, 1, 4))]
    files = ([path], text.name, text.port_names, matrices, tmp_path / "build")
    with pytest.raises(SimulationError, match=r"was withdrawn|gave 0x|never came"):
        simulate(SimulationRun(SMALL, *files, testcase="pauses", seed=1))


@pytest.mark.parametrize("claim", [hold_claim, order_claim])
def test_results_hold_and_keep_their_order(claim: Callable[..., object]) -> None:
    proof = claim(dot_with_streams())
    assert proof.prove().holds  # type: ignore[attr-defined]
    assert proof.refute_mutant().holds is False  # type: ignore[attr-defined]


@pytest.mark.parametrize(("ready", "right"), [(READY, True), ("s_axis_tready = 1'h1;", False)])
def test_check_of_a_netlist_lets_results_wait(ready: str, right: bool, cells: Path) -> None:
    text = export(SMALL)
    verilog = text.verilog.replace(READY, ready)
    found = map_design(verilog, text.name, default_library(), scripts=cheap.SCRIPTS[:1], cache=cells)
    assert (check_netlist(found[cheap.SCRIPTS[0].name].netlist, SMALL) == "") == right


def test_ports_and_metadata() -> None:
    text = export(DESIGN)
    widths = {port["name"]: port["width"] for port in text.ports}
    assert widths == {
        "clk": 1,
        "rst": 1,
        "s_axis_tdata": 24 + 24,
        "s_axis_tvalid": 1,
        "s_axis_tready": 1,
        "s_axis_tlast": 1,
        "m_axis_tdata": 32,
        "m_axis_tvalid": 1,
        "m_axis_tready": 1,
        "m_axis_tuser": 3,
    }
    layouts = {port["name"]: port.get("layout", "") for port in text.ports}
    assert layouts["s_axis_tdata"] == "lane n of a at bits n*6 +: 6, of b at 24+n*6 +: 6"
    assert json.loads(text.metadata)["parameters"]["stream"] is True
    assert text.name == "lmul_e3m2_dot3_stream"
    assert "stream" not in make_design("dot").parameters()


def test_component_knows_its_model_and_needs_no_option() -> None:
    component = DotAxiStream(make_design("dot", lanes=2))
    assert component.design == make_design("dot", lanes=2, stream=True)
    assert component.latency == 2
    with pytest.raises(ValueError, match="must be of the kind 'dot'"):
        DotAxiStream(make_design("array"))


def test_option_is_a_flag_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dot.toml").write_text("stream = true\n")
    for words in (["--stream"], ["--config", str(tmp_path / "dot.toml")]):
        assert main(["verilog", "dot", "--lanes", "1", *words, "-o", "-"]) == 0
        assert " --carry propagate --stream\n" in capsys.readouterr().out
    (tmp_path / "dot.toml").write_text('stream = "yes"\n')
    assert main(["verilog", "dot", "--config", str(tmp_path / "dot.toml")]) == 2
    assert "stream must be true or false, not 'yes'" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"^stream means nothing to array"):
        make_design("array", stream=True)
    assert main(["sim", "dot", "--stream", "--stress"]) == 2
    assert "--stress has no bench for --stream: take --pauses" in capsys.readouterr().err
    (tmp_path / "space.toml").write_text('[space]\ndesign = "dot"\nstream = [false, true]\n')
    assert len(read_space(tmp_path / "space.toml").distinct) == 2
