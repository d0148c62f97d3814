"""Every bench that the Verilog passes, on the mapped netlist."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lmul.design import Design, make_design
from lmul.hdl import export
from lmul.sim.coverage.products import holes
from lmul.sim.simulate import TESTCASES, Simulation, SimulationRun, simulate
from lmul.sim.stimulus.quick import Matrices
from tests.support.cost.gate_level import netlist_sources

MULS = ("lmul", "mitchell", "addm", "addc", "exact")

DEFAULTS = [
    make_design("mul", mul="exact", pipeline=2),
    *(make_design(kind, mul=mul) for kind in TESTCASES for mul in MULS),
    *(make_design("array", mul=mul, dataflow="ws") for mul in MULS),
]


def run_benches(design: Design, matrices: Matrices, cells: Path, directory: Path) -> list[Simulation]:
    text = export(design)
    paths = []
    for name, source in netlist_sources(design, cells).items():
        paths.append(directory / name)
        paths[-1].write_text(source)
    ports = text.port_names
    files = (paths, text.name, ports, matrices, directory / "build")
    return [simulate(SimulationRun(design, *files, testcase=case, seed=1)) for case in TESTCASES[design.kind]]


@pytest.mark.parametrize(
    "design",
    [
        make_design("mul", mul="exact", format="e3m3", pipeline=2),
        make_design("dot", lanes=2, depth=8),
        make_design("array", rows=2, cols=2, lanes=1, depth=4, mul="addc"),
    ],
    ids=lambda design: design.name,
)
def test_netlist_of_a_small_design_passes_every_bench(
    design: Design, cells: Path, shared: Path, tmp_path: Path, draw_codes: Callable[..., Matrices]
) -> None:
    results = run_benches(design, draw_codes((3, 7, 3), nan=0.02), cells, tmp_path)
    assert all(result.compared >= 9 for result in results)


@pytest.mark.long
@pytest.mark.parametrize("design", DEFAULTS, ids=lambda design: design.name)
def test_netlist_of_a_default_design_passes_every_bench(
    design: Design, cells: Path, shared: Path, tmp_path: Path, draw_codes: Callable[..., Matrices]
) -> None:
    matrices = draw_codes((5, 1, 7), (9, 30, 5)) + draw_codes((8, 24, 8), nan=0.02)
    results = run_benches(design, matrices, cells, tmp_path)
    assert all(result.compared >= 35 + 45 + 64 for result in results)
    assert not holes(results[-1].coverage)
