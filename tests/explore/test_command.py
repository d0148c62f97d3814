"""`lmul explore` and `lmul compare`: what they print, write and refuse; the example of the documents."""

import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from lmul.cli import main
from lmul.design import command_line, make_design
from lmul.explore.space import Point, read_space
from lmul.golden import MULTIPLIERS
from lmul.hdl import export
from lmul.metrics import EVALUATED, METRICS
from lmul.terminal.pictures import COLOURS
from lmul.terminal.progress import working
from tests.support.cost.tiny_library import LIBRARY
from tests.support.host.runs import run, run_here, write_small
from tests.support.paths import DOCS

DOCUMENT = DOCS / "explore.md"


SPACE = """
objectives = ["area", "error", "throughput"]
[space]
design = "mul"
format = "e2m2"
mul = ["lmul", "exact"]
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run a sweep: its directory, and what it printed."""
    place = tmp_path_factory.mktemp("swept")
    (place / "space.toml").write_text(SPACE)
    files = ["--json=out/explore.json", "--plot=out/explore.svg"]
    found = run(place, "explore", "space.toml", *write_small(place, LIBRARY), *files, cheap=True)
    assert found.status == 0, found
    return place, found.out


def test_the_front_is_a_table_with_units_and_commands(swept: tuple[Path, str]) -> None:
    table, _, commands = swept[1].partition("\n1: ")
    assert max(map(len, table.splitlines())) <= 80
    for word in ("Pareto front", "area,", "um2", "error,", "%", "throughput,", "1/ns", "mul"):
        assert word in table
    assert "lmul verilog mul" in commands


def test_the_json_has_every_point_and_the_front_is_what_no_other_beats(swept: tuple[Path, str]) -> None:
    report = json.loads((swept[0] / "out" / "explore.json").read_text())
    assert [objective["direction"] for objective in report["objectives"]] == [
        "minimize",
        "minimize",
        "maximize",
    ]
    assert [point["design"]["mul"] for point in report["points"]] == ["lmul", "exact"]
    costs = [
        (point["area_um2"], point["rms_error_percent"], -point["products_per_ns"])
        for point in report["points"]
    ]
    for point, cost in zip(report["points"], costs, strict=True):
        beaten = any(other != cost and all(map(float.__le__, other, cost)) for other in costs)
        assert point["pareto"] is not beaten
        assert all(isinstance(point[metric.name], float) for metric in EVALUATED.values())


def test_every_command_gives_the_verilog_of_its_point(swept: tuple[Path, str], tmp_path: Path) -> None:
    report = json.loads((swept[0] / "out" / "explore.json").read_text())
    for point in report["points"]:
        _, *words = shlex.split(point["verilog"])
        assert main([*words, "-o", str(tmp_path)]) == 0
        design = make_design(**point["design"])
        assert (tmp_path / f"{design.name}.v").read_text() == export(design).verilog


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "array", "dataflow": "ws", "depth": 2048},
        {"kind": "array", "dataflow": "ws", "rows": 2},
        {"kind": "dot", "format_a": "e5m2", "format_b": "e4m3", "acc": "fixed:24:-3"},
        {"kind": "dot", "lanes": 4, "mul": "exact", "carry": "save"},
        {"kind": "mul", "format": "bf16", "overflow": "ieee"},
    ],
)
def test_a_command_names_what_is_not_usual(options: dict[str, Any]) -> None:
    design = make_design(**options)
    _, _, kind, *words = command_line("verilog", design).split()
    chosen = dict(zip(words[::2], words[1::2], strict=True))
    named = {name.removeprefix("--").replace("-", "_"): value for name, value in chosen.items()}
    numbers = {name: int(value) if value.isdigit() else value for name, value in named.items()}
    assert make_design(kind, **numbers) == design


def test_the_picture_is_the_same_every_time(swept: tuple[Path, str]) -> None:
    picture = (swept[0] / "out" / "explore.svg").read_bytes()
    (swept[0] / "out" / "explore.svg").unlink()
    words = ["explore", "space.toml", *write_small(swept[0], LIBRARY), "--plot=out/explore.svg"]
    again = run_here(swept[0], words)
    assert again.status == 0
    assert (swept[0] / "out" / "explore.svg").read_bytes() == picture


def test_figures_are_those_of_lmul_cost(swept: tuple[Path, str]) -> None:
    options = [*write_small(swept[0], LIBRARY), "--seeds=1", "--json=cost.json"]
    words = ["cost", "mul", "--format=e2m2", "--compare=lmul,exact", *options]
    assert run(swept[0], *words, cheap=True).status == 0
    costs = json.loads((swept[0] / "cost.json").read_text())
    points = json.loads((swept[0] / "out" / "explore.json").read_text())["points"]
    for cost, point in zip(costs, points, strict=True):
        for name in ("area_um2", "critical_delay_ps", "energy_per_product_fj"):
            assert cost[name] == point[name]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--jobs", "0"], ["--jobs", "from 1 to 1024"]),
        (["--plot", "x.gif"], ["--plot", ".svg"]),
        (["--seeds", "0"], ["--seeds", "from 1 to 100"]),
        (["--precision", "0"], ["--precision", "20 %"]),
        (["--wires", "nope"], ["--wires 'nope'"]),
        (["--scheduler", "host"], ["--scheduler", "tcp://host:8786"]),
    ],
)
def test_options_that_cannot_be_used_take_one_line(
    options: list[str], words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "small.lib").write_text(LIBRARY)
    line = run_here(tmp_path, ["explore", "space.toml", "--liberty=small.lib", *options]).refusal()
    assert all(word in line for word in words)


def test_dot_products_longer_than_the_accumulator_are_refused(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text('[space]\ndesign = "dot"\ndepth = [64, 2048]')
    assert "--depth 1536" in run_here(tmp_path, ["explore", "space.toml"]).refusal()


def test_the_example_of_the_documents_is_a_space_that_can_be_swept(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    for block in blocks:
        (tmp_path / "space.toml").write_text(block)
        space = read_space(tmp_path / "space.toml")
        assert all(isinstance(point, Point) for point in space.distinct)
        assert f"{len(space.distinct)} designs" in DOCUMENT.read_text()
    assert blocks


def report_of(place: Path, name: str, points: list[dict[str, Any]]) -> str:
    content = {
        "report": "explore",
        "estimate": "cells",
        "library": "small",
        "voltage_v": 1.0,
        "points": points,
    }
    (place / name).write_text(json.dumps(content))
    return name


def point_of(mul: str, clock_ns: float | None = None, **figures: Any) -> dict[str, Any]:
    return {"design": make_design("mul", mul=mul).parameters(), "clock_ns": clock_ns, **figures}


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_worse_follows_the_direction_of_each_metric(metric: Any, tmp_path: Path) -> None:
    low, high = (
        report_of(tmp_path, f"{value}.json", [point_of("lmul", **{metric.name: value})]) for value in (2, 3)
    )
    up, down, same = (
        run_here(tmp_path, ["compare", *pair]) for pair in ((low, high), (high, low), (low, low))
    )
    worse, better = (down, up) if metric.higher_is_better else (up, down)
    assert (worse.status, better.status, same.status) == (1, 0, 0)
    assert "| **worse** |" in worse.out
    assert "| better |" in better.out
    assert metric.label in worse.out
    assert "0 figures worse, 0 better" in same.out


def test_changes_within_the_tolerance_are_none(tmp_path: Path) -> None:
    files = [
        report_of(tmp_path, f"{area}.json", [point_of("lmul", area_um2=area)]) for area in (100.0, 102.0)
    ]
    assert run_here(tmp_path, ["compare", *files, "--tolerance", "2"]).status == 0
    assert run_here(tmp_path, ["compare", *files, "--tolerance", "1.9"]).status == 1
    quiet = run_here(tmp_path, ["compare", *files, "--quiet"])
    assert (quiet.status, quiet.out) == (1, "")
    assert "--tolerance" in run_here(tmp_path, ["compare", *files, "--tolerance", "nan"]).refusal()


def test_designs_and_fronts_that_came_and_went_are_listed(tmp_path: Path) -> None:
    before = report_of(
        tmp_path, "a.json", [point_of("lmul", pareto=True), point_of("exact", pareto=False), point_of("addc")]
    )
    after = report_of(
        tmp_path,
        "b.json",
        [point_of("lmul", pareto=False), point_of("exact", pareto=True), point_of("mitchell")],
    )
    found = run_here(tmp_path, ["compare", before, after])
    assert found.status == 0
    parts = re.split(r"\n(?=Left|Joined|Only)", found.out)[1:]
    for part, (heading, mul) in zip(
        parts,
        [("Left", "lmul"), ("Joined", "exact"), ("Only before", "addc"), ("Only after", "mitchell")],
        strict=True,
    ):
        assert part.startswith(heading)
        assert part.count("* `") == 1
        assert f"mul={mul}" in part


def test_sums_that_overflow_are_the_worst_error(tmp_path: Path) -> None:
    files = [
        report_of(tmp_path, f"{n}.json", [point_of("lmul", rms_error_percent=error)])
        for n, error in enumerate((5.0, None))
    ]
    assert run_here(tmp_path, ["compare", *files]).status == 1
    assert run_here(tmp_path, ["compare", *files[::-1]]).status == 0


@pytest.mark.parametrize("estimate", ["gates", "cells"])
def test_reports_of_lmul_cost_are_compared(estimate: str, tmp_path: Path) -> None:
    (tmp_path / "small.lib").write_text(LIBRARY)
    cells = ["--liberty=small.lib", "--seeds=1", "--precision=20"] if estimate == "cells" else []
    words = ["cost", "mul", "--format=e2m1", f"--estimate={estimate}", *cells, "--json"]
    assert run_here(tmp_path, [*words, "a.json"]).status == 0
    figures = json.loads((tmp_path / "a.json").read_text())
    name = "nand2_equivalents" if estimate == "gates" else "area_um2"
    figures[0][name] *= 1.01
    (tmp_path / "b.json").write_text(json.dumps(figures))
    assert run_here(tmp_path, ["compare", "a.json", "a.json"]).status == 0
    found = run_here(tmp_path, ["compare", "a.json", "b.json"])
    assert found.status == 1
    assert "1 figure worse" in found.out


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([point_of("exact", area_um2=1.0)], "no design in common"),
        ([point_of("lmul", 1.0, area_um2=1.0)], "no design in common"),
        ([point_of("lmul"), point_of("lmul")], "two records"),
        ([point_of("lmul", area_um2="large")], "area_um2 must be a finite number"),
        ([{"area_um2": 1.0}], "without a design"),
        ([], "no report"),
    ],
)
def test_reports_that_cannot_be_compared_are_refused(
    after: list[dict[str, Any]], words: str, tmp_path: Path
) -> None:
    files = [
        report_of(tmp_path, "a.json", [point_of("lmul", area_um2=1.0)]),
        report_of(tmp_path, "b.json", after),
    ]
    assert words in run_here(tmp_path, ["compare", *files]).refusal()


def test_plain_progress_tells_the_time_left_and_quiet_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lmul.terminal.progress.LINE_SECONDS", 0.0)
    for quiet in (False, True):
        with working("Evaluating", quiet=quiet) as progress:
            progress(0, 500)
            progress(1, 500)
    first, begun, second, rest = capsys.readouterr().err.split("\n")
    assert first == "Evaluating ..."
    assert begun == "Evaluating: 0 of 500 ..."
    assert re.fullmatch(r"Evaluating: 1 of 500, about \d+ min left \.\.\.", second)
    assert rest == ""


def test_plain_progress_says_that_a_long_piece_is_still_going_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lmul.terminal.progress.QUIET_SECONDS", 0.02)
    with working("Mapping"):
        time.sleep(0.05)
    assert re.match(r"Mapping \.\.\.\nMapping: 0 s, still at it \.\.\.\n", capsys.readouterr().err)


def test_what_was_kept_from_an_earlier_run_does_not_shorten_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([0.0, 60.0, 120.0])
    monkeypatch.setattr("lmul.terminal.progress.time.monotonic", lambda: next(seconds))
    with working("Reading") as progress:
        progress(17, 32)
        progress(18, 32)
    kept, read = capsys.readouterr().err.splitlines()[1:]
    assert kept == "Reading: 17 of 32 ..."
    assert read == "Reading: 18 of 32, about 14 min left ..."


def test_every_multiplier_that_is_built_is_in_the_picture() -> None:
    assert COLOURS.keys() == MULTIPLIERS.keys() - {"formula"}
