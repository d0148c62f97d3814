"""Hardware of integers, simulated: every product, and sums under pressure, are those of the golden model."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from lmul.cli import main
from lmul.design import Design, make_design
from lmul.hdl import Export, export
from lmul.sim.coverage.products import holes
from lmul.sim.simulate import Simulation, SimulationError, SimulationRun, simulate
from tests.support.paths import BENCH

ExportTo = Callable[[Design], tuple[Export, Path]]

PRODUCTS = [
    make_design("mul", format="int8"),
    make_design("mul", format="int4", pipeline=1),
    make_design("mul", format_a="int8", format_b="int4", pipeline=4),
]
SUMS = [
    make_design("dot", format="int8", lanes=3, out="raw", acc="fixed:18:0", pipeline=2),
    make_design("dot", format_a="int4", format_b="int8", lanes=4, depth=64, carry="save", pipeline=4),
    make_design("array", format="int8", rows=2, cols=2, lanes=2, depth=16),
    make_design(
        "array", format_a="int8", format_b="int4", rows=2, cols=3, lanes=1, dataflow="ws", pipeline=1
    ),
]
MORE_SUMS = [
    make_design("dot", format="int8"),
    make_design("dot", format="int4", lanes=1, depth=1, pipeline=3),
    make_design("dot", format="int8", lanes=16, out="raw", pipeline=3),
    make_design("array", format="int4", rows=3, cols=5, lanes=2, acc="fixed:8:0", share=1, pipeline=2),
    make_design("array", format="int8", rows=1, cols=1, lanes=1, dataflow="ws", out="raw", acc="fixed:16:0"),
]


def simulated(design: Design, export_to: ExportTo, testcase: str, *fault: str) -> Simulation:
    text, path = export_to(design)
    if fault:
        right, wrong = fault
        assert right in text.verilog
        path.write_text(text.verilog.replace(right, wrong))
    directory = path.parent / "build"
    run = SimulationRun(design, [path], text.name, text.port_names, [], directory, testcase=testcase, seed=1)
    return simulate(run)


@pytest.mark.parametrize("design", PRODUCTS, ids=lambda design: design.name)
def test_every_product_is_the_model_s(design: Design, export_to: ExportTo, shared: Path) -> None:
    assert simulated(design, export_to, "codes").compared == 1 << design.product_bits
    if design.pipeline:
        assert not holes(simulated(design, export_to, "stress").coverage)


@pytest.mark.parametrize("design", SUMS, ids=lambda design: design.name)
def test_sums_are_right_under_pressure(design: Design, export_to: ExportTo, shared: Path) -> None:
    assert not holes(simulated(design, export_to, "stress").coverage)


@pytest.mark.long
@pytest.mark.parametrize("design", MORE_SUMS, ids=lambda design: design.name)
def test_more_sums_are_right_under_pressure(design: Design, export_to: ExportTo, shared: Path) -> None:
    assert not holes(simulated(design, export_to, "stress").coverage)


@pytest.mark.long
@pytest.mark.parametrize("place", [1, 2, 4])
def test_ways_of_the_bench_are_right(
    place: int, export_to: ExportTo, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    way, _ = list(import_module("integers").WAYS.values())[place]
    monkeypatch.setattr("lmul.hdl.accumulator.table.IntegerMultiplyAccumulate", way)
    export.cache_clear()
    design = make_design("dot", format="int8", lanes=3, out="raw", pipeline=2)
    try:
        assert not holes(simulated(design, export_to, "stress").coverage)
    finally:
        export.cache_clear()


def test_a_partial_product_that_is_not_inverted_is_noticed(export_to: ExportTo, shared: Path) -> None:
    with pytest.raises(SimulationError, match=r"gave .* the model"):
        simulated(PRODUCTS[0], export_to, "codes", "bits[7] = ~masked", "bits[7] = masked")


def test_command_simulates_integers_of_a_file(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sim", "mul", "--format-a", "int4", "--format-b", "int8", "--build", str(tmp_path)]
    assert main(arguments) == 0
    assert "4,096 outputs of 4,096 products, bit-exact, 0 mismatches" in capsys.readouterr().out
