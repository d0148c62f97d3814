"""The cost of whole designs: the netlist is the design, and the figures are of that netlist."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lmul.cli import main
from lmul.cost.cells.estimate import Cost, estimate
from lmul.cost.cells.measure import Conditions
from lmul.cost.cells.table import cost_table
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.designs import map_to_cells, scripts_for
from lmul.cost.mapping.mapper import Mapped
from lmul.cost.power.stimulus import RESET_CYCLES, stimulus
from lmul.cost.power.zero_delay import simulate
from lmul.design import Design, make_design
from lmul.golden import matmul_codes, multiply
from lmul.hdl import export
from lmul.workloads import Operands, default_operands
from tests.support.host import cheap

GOALS_UM2 = {("lmul", "e4m3"): 65.0, ("exact", "e3m2"): 40.0, ("exact", "e4m3"): 85.0}


def draw(rows: int, depth: int, cols: int) -> Operands:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, cols))
    return Operands("drawn", a.astype(np.float32), b.astype(np.float32))


def cost_of(design: Design, cells: Path, operands: tuple[Operands, ...] | None = None) -> Cost:
    once = Conditions(seeds=1)
    return estimate(design, operands or default_operands(), default_library(), conditions=once, cache=cells)


def map_all(design: Design, cells: Path) -> dict[str, Mapped]:
    scripts = scripts_for(design)
    return map_to_cells(export(design), design, default_library(), scripts=scripts, cache=cells)


def numbers(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[-1]))


@pytest.mark.parametrize(
    ("mul", "format_"),
    [("lmul", "e4m3"), ("exact", "e3m2"), pytest.param("exact", "e4m3", marks=pytest.mark.long)],
)
def test_mapped_multiplier_is_small_and_right_for_every_pair(mul: str, format_: str, cells: Path) -> None:
    design = make_design("mul", mul=mul, format=format_)
    netlists = [mapped.netlist for mapped in map_all(design, cells).values()]
    smallest = min(netlists, key=lambda netlist: netlist.area)
    assert smallest.area <= GOALS_UM2[mul, format_]
    width = design.format.width
    codes = np.stack(np.meshgrid(*[np.arange(1 << width)] * 2), -1).reshape(-1, 1, 2)
    bits = ((codes[..., None] >> np.arange(width)) & 1).astype(np.uint8)
    expected = multiply(codes[..., 0], codes[..., 1], design)
    for netlist in netlists:
        activity = simulate(netlist, {"a": bits[:, :, 0], "b": bits[:, :, 1]})
        np.testing.assert_array_equal(numbers(activity.outputs["p"]), expected)


@pytest.mark.parametrize("mul", ["lmul", "exact"])
def test_mapped_dot_product_computes_what_it_is_measured_on(mul: str, cells: Path) -> None:
    design = make_design("dot", mul=mul, lanes=2, out="raw", depth=16)
    operands = draw(8, 12, 8)
    # The second product only makes the simulation longer than the first needs.
    ports = stimulus(design, [operands, draw(1, 16, 1)])
    a, b = operands.codes(*design.formats)
    expected = matmul_codes(a, b, design).output().reshape(-1)
    # Six steps for each of 64 dot products, one a stream.
    done = RESET_CYCLES + 5 + design.latency
    for mapped in map_all(design, cells).values():
        assert mapped.netlist.clock_gates
        outputs = simulate(mapped.netlist, ports).outputs
        valid = outputs["c_valid"][:, : len(expected), 0]
        assert not valid[:done].any()
        assert valid[done].all()
        np.testing.assert_array_equal(numbers(outputs["c"][done, : len(expected)]), expected)


def test_figures_add_up_and_scale_with_the_lanes(cells: Path) -> None:
    cost = cost_of(make_design("dot", format="e2m1", lanes=2), cells, (draw(4, 8, 4),))
    idle, busy = cost.measured.idle, cost.measured.energy
    assert idle.net == idle.internal == 0 < idle.clock < busy.clock and idle.leakage > 0
    assert idle.total < cost.measured.unused.total < cost.measured.zero_delay.total
    figures = cost.as_dict()
    energy = figures["energy_per_cycle_fj"]
    parts = [energy[name] for name in ("net", "internal", "clock", "leakage")]
    assert min(parts) > 0
    assert energy["total"] == pytest.approx(sum(parts))
    assert figures["energy_per_product_fj"] == pytest.approx(energy["total"] / 2)
    kept = figures["scripts"][figures["script"]]
    assert kept["area_um2"] == figures["area_um2"]
    assert kept["energy_per_product_fj"] == figures["energy_per_product_fj"]
    assert figures["area_nand2"] == pytest.approx(figures["area_um2"] / 0.798, rel=1e-3)
    assert figures["energy_per_product_zero_delay_fj"] < figures["energy_per_product_fj"]
    assert 0 <= figures["energy_interval_95_fj"] <= 0.01 * energy["total"]
    json.dumps(figures)


def test_isolated_operands_that_are_not_valid_take_no_more_energy_than_none(cells: Path) -> None:
    plain, isolated = (
        cost_of(make_design("dot", format="e2m1", lanes=2, isolate=isolate), cells, (draw(4, 8, 4),)).measured
        for isolate in (False, True)
    )
    # What is left are the nets of the operands themselves, up to the gates that hide them.
    assert isolated.unused.total - isolated.idle.total < 0.5 * (plain.unused.total - plain.idle.total)
    assert isolated.area_um2 > plain.area_um2


def test_netlist_of_least_area_times_energy_is_kept(cells: Path) -> None:
    figures = cost_of(make_design("mul"), cells).as_dict()
    products = {
        name: found["area_um2"] * found["energy_per_product_fj"] for name, found in figures["scripts"].items()
    }
    assert len(products) + len(figures["scripts_stopped"]) == len(scripts_for(make_design("mul"))) - 1
    assert len(products) >= 3
    assert products[figures["script"]] == min(products.values()) < max(products.values())


def clocked(mul: str, period_ps: float, cells: Path) -> Cost:
    design = make_design("mul", mul=mul, format="e3m2", pipeline=1)
    conditions = Conditions(period_ps=period_ps, seeds=1)
    return estimate(design, [draw(8, 16, 8)], default_library(), conditions=conditions, cache=cells)


def test_netlist_that_meets_the_period_is_kept_even_if_others_are_smaller(cells: Path) -> None:
    relaxed, fast = clocked("lmul", 5000, cells), clocked("lmul", 350, cells)
    assert relaxed.slack_ps is not None and relaxed.slack_ps > 3000
    assert fast.slack_ps is not None and fast.slack_ps >= 0
    assert fast.as_dict()["critical_delay_ps"] <= 350 < relaxed.as_dict()["critical_delay_ps"]
    assert fast.area_um2 > relaxed.area_um2


def test_fastest_netlist_is_kept_if_none_meets_the_period(cells: Path) -> None:
    figures = clocked("lmul", 100, cells).as_dict()
    delays = [found["critical_delay_ps"] for found in figures["scripts"].values()]
    assert figures["critical_delay_ps"] == min(delays)
    assert figures["clock_period_ps"] == 100
    assert figures["slack_ps"] == pytest.approx(100 - min(delays)) and figures["slack_ps"] < 0


def test_table_says_by_how_much_the_period_is_missed(cells: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cost = clocked("lmul", 100, cells)
    Console(width=80).print(cost_table([cost]))
    text = capsys.readouterr().out
    assert "Slack of 0.1 ns" in text
    assert f"misses the period by {cost.measured.delay_ps - 100:.1f} ps" in text


@pytest.mark.parametrize("period", ["0", "-5", "nan", "inf", "fast", "1e999"])
def test_period_that_is_none_takes_one_line(period: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "mul", "--clock", period]) == 2
    error = capsys.readouterr().err
    assert "--clock" in error
    assert error.count("\n") == 1


def test_operands_that_never_change_take_no_switching_energy(cells: Path) -> None:
    ones = Operands("ones", np.ones((4, 8), np.float32), np.ones((8, 4), np.float32))
    cost = cost_of(make_design("mul"), cells, (ones,))
    energy = cost.measured.energy
    assert (energy.net, energy.internal, energy.clock) == (0, 0, 0)
    assert energy.leakage > 0


def test_array_is_measured_with_every_element_in_it(cells: Path) -> None:
    design = make_design("array", format="e2m1", rows=2, cols=3, lanes=1, out="raw")
    cost = cost_of(design, cells, (draw(8, 8, 8),))
    # The running sum and the result of every element.
    assert len(cost.mapped.netlist.flip_flops) > 6 * 2 * design.accumulator_bits
    assert cost.energy_per_product.total > 0


def test_two_estimates_give_the_same_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap.use(monkeypatch.setattr)
    first, second = (cost_of(make_design("mul", format="e2m1"), tmp_path / name) for name in "ab")
    assert first.as_dict() == second.as_dict()


def test_table_fits_a_terminal_and_says_how_it_was_made(
    cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    costs = [cost_of(make_design("mul", mul=mul, format="e2m1"), cells) for mul in ("lmul", "exact")]
    Console(width=80).print(cost_table(costs))
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for word in ("um2", "NAND2", "fJ", "ps", "Zero delay", "glitches", "over exact", "Nangate", " *"):
        assert word in text


def test_command_prints_the_table_and_writes_the_figures(
    tmp_path: Path, cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").symlink_to(cells)
    words = ["cost", "mul", "--format", "e2m1", "--compare", "lmul,exact", "--seeds", "1"]
    file = tmp_path / "figures" / "mul.json"
    assert main([*words, "--build", str(tmp_path), "--json", str(file)]) == 0
    assert "over exact" in capsys.readouterr().out
    lmul, exact = json.loads(file.read_text())
    assert lmul["area_um2"] < exact["area_um2"]


@pytest.mark.parametrize("mul", ["lmul", "exact"])
def test_multiplier_netlist_under_verilator_is_right_for_every_pair(
    mul: str, tmp_path: Path, shared: Path, cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").symlink_to(cells)
    assert main(["sim", "mul", "--mul", mul, "--netlist", "--build", str(tmp_path)]) == 0
    assert "65,536 outputs" in capsys.readouterr().out


def test_gated_netlist_under_verilator_is_right_in_every_cycle(
    tmp_path: Path, shared: Path, cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").symlink_to(cells)
    pair = draw(6, 10, 6)
    np.savez(tmp_path / "pair.npz", a=pair.a, b=pair.b)
    options = ["--lanes", "2", "--out", "raw", "--depth", "16", "--operands", str(tmp_path / "pair.npz")]
    for pauses in ([], ["--pauses"]):
        assert main(["sim", "dot", *options, *pauses, "--netlist", "--build", str(tmp_path)]) == 0
        assert "36 outputs" in capsys.readouterr().out
    assert "always_latch" in next(tmp_path.glob("sim/*-netlist/cells.v")).read_text()
