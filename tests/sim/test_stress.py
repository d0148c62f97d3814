"""Under pressure: pauses, resets, disagreeing ends and extreme operands change no bit, and lose none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lmul.cli import main
from lmul.design import Design, make_design
from lmul.golden import FORMATS, matmul_codes
from lmul.hdl import Export
from lmul.sim.coverage.products import Group, ProductCoverage, holes
from lmul.sim.coverage.streams import BREAK, StreamCoverage
from lmul.sim.coverage.sums import SumCoverage
from lmul.sim.simulate import Simulation, SimulationError, SimulationRun, simulate
from lmul.sim.stimulus.classes import classes_of
from lmul.sim.stimulus.stress import STALL, digest, draw_dot, draw_mul, draw_runs, through
from lmul.sim.stimulus.stress_operands import draw_cases, products_to_overflow

Stress = Callable[..., Simulation]
ExportTo = Callable[[Design], tuple[Export, Path]]


@pytest.fixture
def stress(shared: Path, export_to: ExportTo) -> Stress:
    """Run the stress test of a design, of its Verilog with a fault if one is given."""

    def run(design: Design, *faults: tuple[str, str], seed: int = 1) -> Simulation:
        text, path = export_to(design)
        for right, wrong in faults:
            assert right in text.verilog
            path.write_text(text.verilog.replace(right, wrong))
        files = ([path], text.name, text.port_names, [], path.parent / "build")
        return simulate(SimulationRun(design, *files, testcase="stress", seed=seed))

    return run


SMALL = [
    make_design("mul", format="e3m3", overflow="ieee", pipeline=1),
    make_design("dot", lanes=2, format="e5m2", acc="fixed:24:-8", out="raw", pipeline=1),
    make_design("array", rows=2, cols=3, lanes=2, depth=8),
]

WEIGHTS = make_design("array", rows=3, cols=2, lanes=1, depth=1, dataflow="ws", format="e5m2")
"""An array whose bench is that of the other."""


def check_stress(design: Design, stress: Stress) -> Simulation:
    found = stress(design, seed=5)
    assert found.compared > 200
    assert not holes(found.coverage)
    return found


def test_small_array_of_weights_is_right_under_pressure(stress: Stress) -> None:
    check_stress(WEIGHTS, stress)


@pytest.mark.parametrize("design", SMALL, ids=lambda design: design.name)
def test_small_design_is_right_under_pressure_and_replays(
    design: Design, stress: Stress, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check_stress(design, stress)
    # What a shell has is not what the run is told.
    monkeypatch.setenv("COCOTB_RANDOM_SEED", "7")
    monkeypatch.setenv("LMUL_DESIGN", "none")
    assert stress(design, seed=5) == first


OS = make_design("array", rows=2, cols=2, lanes=1, depth=4)
WS = make_design("array", rows=2, cols=2, lanes=1, dataflow="ws")
DOT = make_design("dot", lanes=2, depth=4, pipeline=1)
MUL = make_design("mul", format="e2m1", pipeline=1)

FAULTS = {
    "spare row kept in a reset": (OS, "if (rst) spare_valid <= 1'h0;\n    else spare", "spare"),
    "overflow not sticky": (OS, "flags & ~{2{first}}", "flags & {~first, 1'h0}"),
    "weights of before a reset": (WS, "if (rst) loaded <= 1'h0;\n    else loaded", "loaded"),
    "result of before a reset": (DOT, "if (rst) products_valid <= 1'h0;\n    else if (en)", "if (en)"),
}

MORE_FAULTS = {
    "flags that change while a row waits": (
        OS,
        "    else if (load_out) c_payload <=",
        "    else if (c_valid & ~c_ready) c_payload <= {~c_payload[68:65], c_payload[64:0]};\n"
        "    else if (load_out) c_payload <=",
    ),
    "row kept in a reset": (OS, "if (rst) c_valid <= 1'h0;\n    else if (advance)", "if (advance)"),
    "first step kept in a reset": (OS, "if (rst) first <= 1'h1;\n    else if (take)", "if (take)"),
    "drop kept in a reset": (OS, "rst | ((drop_a & a_valid) & a_last)", "(drop_a & a_valid) & a_last"),
    "spare row overwritten": (OS, "(~advance & core_c_valid) & ~spare_valid", "~advance & core_c_valid"),
    "no halt": (OS, "core_en = ~core_c_valid | ~spare_valid", "core_en = 1'h1"),
    "NaN not sticky": (OS, "flags & ~{2{first}}", "flags & {1'h0, ~first}"),
    "weight row kept in a reset": (WS, "if (rst) row <= 1'h0;\n    else if (write)", "if (write)"),
}


def _notices(stress: Stress, design: Design, right: str, wrong: str) -> None:
    with pytest.raises(SimulationError, match=r"( gave | came |never came).*; seed 1, see "):
        stress(design, (right, wrong))


@pytest.mark.parametrize("fault", FAULTS)
def test_stress_notices_a_fault(fault: str, stress: Stress) -> None:
    _notices(stress, *FAULTS[fault])


@pytest.mark.long
@pytest.mark.parametrize("fault", MORE_FAULTS)
def test_stress_notices_more_faults(fault: str, stress: Stress) -> None:
    _notices(stress, *MORE_FAULTS[fault])


LARGE = [
    make_design("mul", format="e3m2", mul="exact", subnormals="full", pipeline=2),
    *(make_design("mul", mul=mul) for mul in ("lmul", "mitchell", "addm", "addc", "exact")),
    *(make_design("mul", mul=mul, format="e5m2", subnormals="full") for mul in ("lmul", "addc", "exact")),
    make_design("mul", mul="exact", format="fp32", subnormals="full", overflow="ieee", pipeline=4),
    make_design("mul", format="bf16", overflow="ieee", pipeline=3),
    make_design("dot"),
    make_design("dot", mul="exact", format="e5m2", carry="save", pipeline=4),
    make_design("dot", acc="fixed:24:-8", mul="exact", subnormals="full", pipeline=2),
    make_design("dot", acc="fp32", format="bf16", out="bf16", pipeline=3),
    make_design("dot", acc="fp16", out="raw"),
    make_design("dot", acc="fused:13:13", mul="exact", format="e5m2", subnormals="full"),
    make_design("dot", acc="fused:13:13", lanes=3, pipeline=2, interleave=2),
    make_design("dot", acc="fused:25", format="bf16", lanes=2, pipeline=3, interleave=3, addend=True),
    make_design("dot", format_a="e5m2", format_b="e2m1", lanes=3),
    make_design("array"),
    make_design("array", rows=8, cols=8, lanes=8, format="e5m2", share=4, pipeline=3, carry="save"),
    make_design("array", rows=3, cols=5, lanes=2, acc="fp32", share=1, pipeline=2),
    make_design("array", rows=4, cols=3, lanes=2, acc="fused:13:13", share=2, pipeline=3, interleave=3),
    make_design("array", rows=1, cols=1, lanes=1, acc="fixed:20:-4", format="e5m2", mul="exact"),
    make_design("array", dataflow="ws"),
    make_design("array", rows=8, cols=8, lanes=8, format="e5m2", dataflow="ws", share=4, pipeline=3),
    make_design("array", rows=5, cols=3, lanes=2, acc="fp16", share=2, dataflow="ws", depth=2),
    make_design("array", rows=1, cols=1, lanes=1, dataflow="ws", pipeline=1),
    make_design(
        "array", rows=2, cols=3, lanes=2, acc="fixed:9:120", format="e8m2", dataflow="ws", pipeline=3
    ),
]


@pytest.mark.long
@pytest.mark.parametrize("design", LARGE, ids=lambda design: design.name)
def test_design_is_right_under_pressure(design: Design, stress: Stress) -> None:
    for seed in range(1, 6):
        assert not holes(stress(design, seed=seed).coverage)


WIDE = [
    make_design("mul", format="bf16", overflow="ieee"),
    make_design("mul", format="fp16", mul="mitchell"),
    make_design("mul", format="fp32"),
    make_design("mul", format="fp32", mul="exact", subnormals="full", overflow="ieee"),
]


@pytest.mark.parametrize("design", WIDE, ids=lambda design: design.name)
def test_drawn_pairs_of_wide_formats_leave_no_hole(design: Design) -> None:
    for seed in range(10):
        coverage, pairs = ProductCoverage(design), draw_mul(design, seed).pairs
        coverage.sample(pairs[:, 0], pairs[:, 1])
        assert not holes(coverage.groups())


def test_command_tells_the_seed_and_takes_it_back(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sim", "mul", "--format", "e2m1", "--stress", "--build", str(tmp_path)]
    assert main(arguments) == 0
    told, *found = capsys.readouterr().out.splitlines()
    assert told.startswith("Seed ")
    assert main([*arguments, *told.split("replay with ")[1].split()]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == found


@pytest.mark.parametrize(
    ("extra", "message"), [(["--operands", "x.npz"], "of its own"), (["--seed", "-1"], "from 0 to")]
)
def test_command_refuses_what_stress_has_no_use_for(
    extra: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", "array", "--stress", *extra]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", [*FORMATS, "e2m1", "e2m2", "e8m1"])
def test_classes_are_drawn_as_they_are_told(name: str) -> None:
    own = classes_of(make_design("mul", format=name).format)
    drawn = np.repeat(np.arange(len(own)), 100)
    assert np.array_equal(own.of(own.draw(drawn, np.random.default_rng(1))), drawn)


def test_every_bit_of_a_stimulus_comes_from_its_seed() -> None:
    for design, draw in ((OS, draw_runs), (WS, draw_runs), (DOT, draw_dot), (MUL, draw_mul)):
        assert digest(draw(design, 1)) == digest(draw(design, 1)) != digest(draw(design, 2))


def test_one_sink_is_not_ready_for_ten_thousand_cycles() -> None:
    longest = [max(np.sum(tile.pauses[2]) for tile in run.tiles) for run in draw_runs(OS, 1)]
    assert max(longest) >= STALL == 10_000


def test_nothing_is_through_that_meets_a_reset() -> None:
    reset = np.array([False, False, True, False, False, False])
    assert through(reset, 2).tolist() == [True, False, False, True, True, True]


E5M2_DOT = make_design("dot", format="e5m2", lanes=2, depth=64)

DROPPED = {
    "pairs of classes: -one x +smallest": ("pairs", "classes", "numbers", "storm", "smallest", "special"),
    "sums: zero by cancellation": ("cancellation", "largest", "classes", "smallest", "beyond"),
    "sums: largest of the depth": ("largest sum",),
    "sums: back in the range, flagged": ("beyond the range and back",),
    "sums: out of the range since an earlier step": ("beyond the range and on", "numbers", "pairs"),
    "sums: NaN of opposite infinities": ("infinities", "storm", "special here"),
    "sums: NaN since an earlier step": ("special", "storm"),
}


def test_operands_that_are_left_out_leave_a_hole() -> None:
    """What each kind of case covers is counted apart; the bins of several kinds are those of all of them."""
    by_kind: dict[str, SumCoverage] = {}
    for case in draw_cases(E5M2_DOT, np.random.default_rng(1)):
        by_kind.setdefault(case.kind, SumCoverage(E5M2_DOT)).sample(case.a, case.b)
    missed = {kind: set(holes(coverage.groups())) for kind, coverage in by_kind.items()}
    assert not set.intersection(*missed.values())
    for hole, dropped in DROPPED.items():
        assert all(hole in bins for kind, bins in missed.items() if not kind.startswith(dropped)), hole


def test_operands_reach_beyond_an_output_that_cannot_hold_every_sum() -> None:
    design = make_design("dot", format="bf16", lanes=1, acc="fp32", out="bf16")
    whole, part = SumCoverage(design), SumCoverage(design)
    for case in draw_cases(design, np.random.default_rng(1)):
        whole.sample(case.a, case.b)
        if case.kind != "beyond the output":
            part.sample(case.a, case.b)
    bins = {f"sums: too {sign} for the output" for sign in ("large", "negative")}
    assert not bins.intersection(holes(whole.groups()))
    assert bins <= set(holes(part.groups()))


def test_a_floating_point_sum_leaves_its_range_after_as_many_products_as_are_told() -> None:
    design = make_design("dot", format="e3m4", lanes=7, acc="fp16")
    products = products_to_overflow(design)
    assert products is not None
    largest = np.full((1, products), design.format.largest_finite)
    infinite = [
        bool(matmul_codes(largest[:, :count], largest[:, :count].T, design).inf[0, 0])
        for count in (products - design.lanes, products)
    ]
    assert infinite == [False, True]
    assert products_to_overflow(make_design("dot", acc="fp32")) is None


def test_steps_of_a_fused_sum_that_are_far_apart_are_drawn_and_missed_without() -> None:
    design = make_design("dot", lanes=2, depth=64, acc="fused:13:13")
    whole, part = SumCoverage(design), SumCoverage(design)
    for case in draw_cases(design, np.random.default_rng(1)):
        whole.sample(case.a, case.b)
        if case.kind != "far apart":
            part.sample(case.a, case.b)
    assert not holes(whole.groups())
    assert "sums: aligned terms cancel to the last place" in holes(part.groups())


@pytest.mark.parametrize("name", ["+largest", "-zero", "+NaN"])
def test_a_class_that_a_multiplier_is_not_given_leaves_a_hole(name: str) -> None:
    design = make_design("mul", mul="exact", subnormals="full")
    own, pairs = classes_of(design.format), draw_mul(design, 1).pairs
    whole, part = ProductCoverage(design), ProductCoverage(design)
    whole.sample(*pairs.T)
    part.sample(*pairs[own.of(pairs[:, 0]) != own.names.index(name)].T)
    assert not holes(whole.groups())
    assert f"pairs of classes: {name} x +one" in holes(part.groups())


def test_cycles_are_sorted_by_hand_counted_pauses() -> None:
    """`a` moves at once, then after two cycles without a beat, and after a reset when it has waited once."""
    coverage = StreamCoverage(OS)
    for cycle in (0b011, 0b000, 0b000, 0b111, 0b011, BREAK, 0b001, 0b011):
        coverage.cycles.append(cycle)
    groups = {group.name: group for group in coverage.groups()}
    hit = {name: count for name, count in groups["pauses of a"].bins.items() if count}
    assert hit == {
        "back to back": 2,
        "no beat for 2 to 9": 1,
        "waits for 1 cycle": 1,
        "valid before ready": 1,
    }
    assert groups["tiles without a gap"].bins == {"of a": 1, "of b": 0, "of c": 0}
    assert "pauses of c: back to back" in holes(coverage.groups())


def test_command_fails_on_a_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = [Group("sums", {"positive": 3, "negative": 0}, {"+infinity": "there is none"})]
    counted = Simulation(3, 3, 0, 0, 0, "f" * 64, groups, None)
    monkeypatch.setattr("lmul.sim.simulate.simulate", lambda *_, **__: counted)
    arguments = ["sim", "mul", "--stress", "--seed", "9", "--build", str(tmp_path)]
    assert main([*arguments, "--json", str(tmp_path / "found.json")]) == 1
    output = capsys.readouterr()
    assert "lmul: seed 9 did not hit sums: negative" in output.err
    assert "Left out of sums, since there is none: +infinity." in output.out
    assert json.loads((tmp_path / "found.json").read_text())["coverage"][0]["bins"]["negative"] == 0
