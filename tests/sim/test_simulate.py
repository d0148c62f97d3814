"""The Verilog equals the golden model in every bit, and the benches notice when it does not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from pylibfst import get_scopes_signals2, lib  # type: ignore[import-untyped]

from lmul.cli import main
from lmul.design import Design, make_design
from lmul.hdl import Export
from lmul.sim.simulate import Simulation, SimulationError, SimulationRun, simulate
from lmul.sim.stimulus.quick import Matrices, quick_operands, shortest_tiles

ExportTo = Callable[[Design], tuple[Export, Path]]
Draw = Callable[..., Matrices]


class Run(Protocol):
    """Simulate a design: give what each test case of its bench counted."""

    def __call__(  # noqa: D102
        self,
        design: Design,
        exported: tuple[Export, Path],
        matrices: Matrices,
        cases: Sequence[str] = ("operands",),
        *,
        waves: bool = False,
    ) -> list[Simulation]: ...


@pytest.fixture
def run(shared: Path) -> Run:
    def simulate_cases(
        design: Design,
        exported: tuple[Export, Path],
        matrices: Matrices,
        cases: Sequence[str] = ("operands",),
        *,
        waves: bool = False,
    ) -> list[Simulation]:
        text, path = exported
        ports = text.port_names
        files = ([path], text.name, ports, matrices, path.parent / "build")
        return [simulate(SimulationRun(design, *files, testcase=case, waves=waves)) for case in cases]

    return simulate_cases


@pytest.mark.parametrize("mul", ["lmul", "exact"])
def test_multiplier_is_right_for_every_pair(mul: str, run: Run, export_to: ExportTo) -> None:
    design = make_design("mul", mul=mul)
    (result,) = run(design, export_to(design), [], ["codes"])
    assert result.compared == 1 << 16


@pytest.mark.parametrize(
    "design",
    [
        make_design("dot", mul="lmul"),
        make_design("dot", mul="exact", lanes=3, out="raw"),
        make_design("dot", mul="lmul", lanes=1, depth=2),
    ],
    ids=lambda design: f"{design.name}-{design.out}",
)
def test_dot_product_is_right_for_codes_of_every_kind(design: Design, run: Run, export_to: ExportTo) -> None:
    for result in run(design, export_to(design), quick_operands(design), ["operands", "pauses"]):
        assert result.compared == 36 + 36 + 36 + 81


@pytest.mark.parametrize(
    "design",
    [
        make_design("array", rows=4, cols=4, lanes=4, mul="lmul"),
        make_design("array", rows=3, cols=4, lanes=2, mul="exact", share=1, carry="save", pipeline=1),
        make_design("array", rows=5, cols=6, lanes=1, share=2, pipeline=4, out="bf16", depth=4),
        make_design("array", rows=1, cols=1, lanes=1, mul="lmul", out="raw"),
        make_design("array", dataflow="ws", rows=4, cols=5, lanes=2, share=2),
        make_design("array", dataflow="ws", rows=3, cols=1, lanes=2, acc="fp16", pipeline=2, out="bf16"),
    ],
    ids=lambda design: f"{design.name}-{design.out}",
)
def test_array_is_right_for_codes_of_every_kind(design: Design, run: Run, export_to: ExportTo) -> None:
    """K of 1 and K beyond the depth, NaN, sizes that fill no tile; pauses, and ends that disagree."""
    exported = export_to(design)
    for result in run(design, exported, quick_operands(design), ["operands", "pauses", "mismatch"]):
        assert result.compared >= 35 + 45 + 16 + 64
    (result,) = run(design, exported, shortest_tiles(design))
    assert result.busy == 100 * design.rows
    assert result.busy / result.window >= 0.99


def test_register_that_leaves_its_range_is_flagged(run: Run, export_to: ExportTo) -> None:
    """The largest products, more of them than the depth allows; the model's flags are compared too."""
    design = make_design("array", rows=2, cols=2, lanes=2, depth=1)
    largest = np.full((2, 6), 0x7E, dtype=np.uint8)
    (result,) = run(design, export_to(design), [(largest, largest.T | np.uint8(0x80)), (largest, largest.T)])
    assert result.compared == 8


def test_weight_stationary_array_takes_operands_longer_than_its_sums(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "operands.npz", a=rng.normal(size=(3, 11)), b=rng.normal(size=(11, 3)))
    options = ["--dataflow", "ws", "--rows", "2", "--cols", "2", "--lanes", "2", "--build", str(tmp_path)]
    assert main(["sim", "array", *options, "--operands", str(tmp_path / "operands.npz")]) == 0
    # Three parts of the sums, and two blocks of columns.
    assert "36 outputs of 99 products" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("design", "right", "wrong"),
    [
        (make_design("mul"), ") + 8'h1;", ") + 8'h2;"),
        (make_design("dot", lanes=2), " = total_0_0_half ^ ", " = total_0_0_half | "),
        (make_design("dot", lanes=2), "valid & last", "valid & ~last & last"),
        (make_design("array", rows=2, cols=2, lanes=1), "take & last", "take & ~take"),
        (make_design("array", rows=2, cols=2, lanes=1, share=1), "c_c0_align0 <= ", "c_c0_align0 <= ~"),
        (make_design("array", rows=3, cols=2, lanes=1), "(last & drain_busy)", "(1'h0)"),
        (make_design("array", rows=2, cols=2, lanes=1), "| b_last;", "& b_last;"),
        (
            make_design("array", rows=2, cols=2, lanes=1),
            "    else if (load_out) c_payload <=",
            "    else if (c_valid & ~c_ready) c_payload <= {~c_payload[68:65], c_payload[64:0]};\n"
            "    else if (load_out) c_payload <=",
        ),
        (make_design("array", rows=2, cols=2, lanes=1, dataflow="ws"), "marked <= ~b_last |", "marked <= "),
    ],
)
def test_bench_notices_a_fault(
    design: Design, right: str, wrong: str, run: Run, export_to: ExportTo, draw_codes: Draw
) -> None:
    text, path = export_to(design)
    assert right in text.verilog
    path.write_text(text.verilog.replace(right, wrong))
    matrices = draw_codes((6, 1, 6), (6, 8, 6))
    case = {"mul": "codes", "dot": "pauses", "array": "mismatch"}[design.kind]
    with pytest.raises(SimulationError, match=r" gave | came |never came"):
        run(design, (text, path), matrices, [case])


def test_design_that_verilator_refuses_names_the_log(run: Run, export_to: ExportTo) -> None:
    design = make_design("mul")
    text, path = export_to(design)
    path.write_text(text.verilog.replace("endmodule", ""))
    with pytest.raises(SimulationError, match=r"could not build lmul_e4m3_mul: see .*build\.log"):
        run(design, (text, path), [], ["codes"])


def test_waves_hold_the_signals_and_the_time(run: Run, export_to: ExportTo, draw_codes: Draw) -> None:
    design = make_design("dot", lanes=2)
    (result,) = run(design, export_to(design), draw_codes((3, 4, 3)), waves=True)
    assert result.waves
    reader = lib.fstReaderOpen(str(result.waves).encode())
    _, signals = get_scopes_signals2(reader)
    assert f"{design.name}.mac.total [45:0]" in signals.by_name
    assert lib.fstReaderGetEndTime(reader) >= 1000 * result.cycles
    lib.fstReaderClose(reader)
