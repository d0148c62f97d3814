"""A dot product's sum to begin with: taken with the first step, of any mantissa, and read nowhere else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from lmul.cli import main
from lmul.cost.cells.check import check_netlist
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.mapper import map_design
from lmul.cost.power.stimulus import code_stimulus
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.explore.space import read_space
from lmul.golden import fused_step, matmul_codes
from lmul.hdl import DotProduct, Export, export
from lmul.sim.coverage.sums import SumCoverage
from lmul.sim.simulate import SimulationRun, simulate
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.stress import FIRST, VALID, draw_dot
from lmul.sim.stimulus.stress_operands import CROSS
from tests.support.host import cheap

ExportTo = Callable[[Design], tuple[Export, Path]]
Draw = Callable[..., Matrices]

SMALL = make_design("dot", format="e2m1", lanes=2, acc="fused:7:5", out="raw", addend=True)

TAKEN = "first ? addend :"


@pytest.mark.parametrize("out", ["raw", "bf16"])
def test_sums_begin_with_the_start_of_their_place(out: str) -> None:
    rng = np.random.default_rng(1)
    own = make_design("dot", acc="fused:9:7", lanes=3, out=out, subnormals="full")
    a, b = rng.integers(0, 120, (4, 7)), rng.integers(0, 120, (7, 2))
    start = rng.integers(0, 1 << 32, (4, 2))
    total = start.astype(np.uint32)
    for first in range(0, 7, 3):
        step = slice(first, first + 3)
        total = fused_step(a[:, None, step], b[step].T[None], total, own)
    sums = matmul_codes(a, b, own, start)
    assert np.array_equal(sums.raw, total)
    assert np.array_equal(matmul_codes(a, b, own, 0 * start).raw, matmul_codes(a, b, own).raw)


def test_starts_that_no_sum_can_have_are_refused() -> None:
    a = np.zeros((2, 3), dtype=np.uint8)
    own = make_design("dot", acc="h100")
    with pytest.raises(ValueError, match="start must be 2 x 2"):
        matmul_codes(a, a.T, own, np.zeros(2, dtype=np.uint32))
    with pytest.raises(ValueError, match="begins with"):
        matmul_codes(a, a.T, make_design("dot", acc="fp32"), np.zeros((2, 2), dtype=np.uint32))
    with pytest.raises(ValueError, match="from 0 to 4294967295"):
        matmul_codes(a, a.T, own, np.full((2, 2), -1))


@pytest.mark.parametrize("acc", ["exact", "fixed:24:1", "fp32"])
def test_sums_that_are_not_fused_have_no_addend(acc: str) -> None:
    with pytest.raises(UserError, match=f"^addend is for fused sums, not for acc {acc}: take fused:F"):
        make_design("dot", acc=acc, addend=True)
    with pytest.raises(UserError, match=r"^addend means nothing to array"):
        make_design("array", acc="h100", addend=True)


def test_stream_has_it_above_the_operands(export_to: ExportTo, draw_codes: Draw, tmp_path: Path) -> None:
    design = make_design("dot", format="e3m2", lanes=3, acc="fused:7:5", addend=True, stream=True, pipeline=2)
    text, path = export_to(design)
    (port,) = (port for port in text.ports if port["name"] == "s_axis_tdata")
    assert port["width"] == 24 + 24 + 32
    assert port["layout"].endswith("of b at 24+n*6 +: 6, the sum to begin with at 48 +: 32")
    matrices = [(a % 64, b % 64) for a, b in draw_codes((4, 20, 5))]
    run = SimulationRun(design, [path], text.name, text.port_names, matrices, tmp_path / "build")
    assert simulate(run).compared == 20


@pytest.mark.parametrize(("taken", "right"), [(TAKEN, True), ("1'h0 ? addend :", False)])
def test_check_of_a_netlist_reads_it(taken: str, right: bool, cells: Path) -> None:
    text = export(SMALL)
    assert text.verilog.count(TAKEN) == 1
    verilog = text.verilog.replace(TAKEN, taken)
    found = map_design(verilog, text.name, default_library(), scripts=cheap.SCRIPTS[:1], cache=cells)
    assert (check_netlist(found[cheap.SCRIPTS[0].name].netlist, SMALL) == "") == right


def test_stress_shows_something_else_but_in_first_steps() -> None:
    drawn = draw_dot(SMALL, 1)
    begins = (drawn.control & (VALID | FIRST)) == VALID | FIRST
    goes_on = (drawn.control & (VALID | FIRST)) == VALID
    exponents = drawn.start[begins] >> 23 & 0xFF
    assert {0, 0xFF} < set(exponents.tolist())
    others = [case.start for case in drawn.cases if case.kind != CROSS]
    assert np.count_nonzero(np.array(others) & 0x3FFFF) > len(others) / 2
    assert {case.start for case in drawn.cases if case.kind == CROSS} == {0}
    before = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
    assert np.all(drawn.start[goes_on] != drawn.start[before][goes_on])
    assert draw_dot(replace(SMALL, addend=False), 1).start.size == 0


def test_coverage_counts_no_product_that_a_start_could_hide() -> None:
    a, b = np.array([[2, 4]]), np.array([[2], [4]])
    counts = []
    for start in (0, 0x80000000, 0x7F000000):
        coverage = SumCoverage(SMALL)
        coverage.sample(a, b, np.array([[start]], dtype=np.uint32))
        pairs, *_ = coverage.groups()
        counts.append(sum(pairs.bins.values()))
    assert counts == [2, 2, 0]


def test_energy_is_of_plausible_sums_that_are_held() -> None:
    rng = np.random.default_rng(1)
    products = [(rng.integers(0, 8, (8, 20)), rng.integers(0, 8, (20, 8)))]
    bits = code_stimulus(SMALL, products)["c_in"]
    assert bits.shape[2] == 32
    assert not np.any(bits[2:] != bits[2])
    numbers = np.packbits(bits[2], axis=1, bitorder="little").view(np.float32)
    assert np.isfinite(numbers).all()
    assert 0.5 < np.median(np.abs(numbers)) < 100


def test_component_takes_it_beside_the_operands() -> None:
    dut = DotProduct(make_design("dot", acc="h100", lanes=1, addend=True, out="raw"))
    found = []

    async def bench(context: Any) -> None:
        step = {"a": [0x38], "b": [0x40], "c_in": 0x3F800001, "first": 1, "last": 1}
        context.set(dut.steps.payload, step)
        context.set(dut.steps.valid, 1)
        await context.tick()
        found.append((context.get(dut.sums.valid), context.get(dut.sums.payload.c)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    one, two = np.array([[0x38]]), np.array([[0x40]])
    assert found == [(1, int(dut.model(one, two, np.array([[0x3F800001]])).raw[0, 0]))]
    assert found[0][1] != int(dut.model(one, two).raw[0, 0])


def test_option_is_a_flag_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["verilog", "dot", "--lanes", "1", "--acc", "h100", "-o", "-"]
    (tmp_path / "dot.toml").write_text("addend = true\n")
    for words in (["--addend"], ["--config", str(tmp_path / "dot.toml")]):
        assert main([*asked, *words]) == 0
        assert " --carry propagate --addend\n" in capsys.readouterr().out
    assert main(["verilog", "dot", "--addend"]) == 2
    assert "--addend is for fused sums, not for --acc exact" in capsys.readouterr().err
    (tmp_path / "space.toml").write_text('[space]\ndesign = "dot"\nacc = "h100"\naddend = [false, true]\n')
    assert len(read_space(tmp_path / "space.toml").distinct) == 2
    text = export(SMALL)
    assert json.loads(text.metadata)["parameters"]["addend"] is True
    assert text.name.endswith("_addend")
    assert "addend" not in make_design("dot", acc="h100").parameters()
