"""Faults in netlists: those that the benches notice, those that are none, and those that survive."""

import json
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest

from lmul.design import make_design
from lmul.evidence.mutation import campaign as campaigns
from lmul.evidence.mutation.__main__ import main
from lmul.evidence.mutation.campaign import WRITTEN, Campaign, run_campaign
from lmul.evidence.mutation.netlist import Mutation, Netlist, draw
from lmul.evidence.mutation.written import Written
from lmul.terminal.parser import run_tool

MUL = Campaign("multiplier", "lmul", make_design("mul"), 8)
DOT = Campaign("dot product", "exact sum", make_design("dot", lanes=1, depth=2), 2, testcases=("operands",))

STEERED = """
module steered(input clk, input [1:0] data, input go, input stop, output reg [1:0] held, output busy);
  assign busy = go & ~stop;
  always @(posedge clk) if (busy) held <= data ^ {data[0], data[1]};
endmodule
"""


def run(options: list[str], campaign: Campaign, tmp_path: Path) -> int:
    with chdir(tmp_path):  # As `make mutants` names its directory.
        return main([*options, "--build", "build", "--seconds", "20"], [campaign])


def test_every_mutant_of_a_multiplier_is_killed_by_its_exhaustive_bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--json", str(tmp_path / "mutants.json")], MUL, tmp_path) == 0
    (outcome,) = json.loads((tmp_path / "mutants.json").read_text())
    assert [mutant["killed_by"] for mutant in outcome["mutants"]] == ["codes"] * 8
    assert all(" gave " in mutant["message"] for mutant in outcome["mutants"])
    assert len({mutant["command"] for mutant in outcome["mutants"]}) == 8
    assert "8 mutants; of those not proven equivalent 100.00% were killed" in capsys.readouterr().out


def test_mutants_that_a_weak_bench_does_not_see_are_listed_and_fail_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without operands this test compares nothing.
    weak = replace(MUL, testcases=("operands",))
    assert run(["--most", "3"], weak, tmp_path) == 1
    printed = capsys.readouterr().out
    assert printed.count("Survivor of lmul_e4m3_mul (a fault by proof): ") == 3
    assert "0.00% were killed" in printed


@pytest.mark.parametrize("campaign", WRITTEN, ids=lambda one: one.name)
def test_faults_that_are_written_fit_what_is_exported_now(campaign: Campaign, tmp_path: Path) -> None:
    written = Written(campaign.design, campaign.faults, tmp_path)
    texts = {written.one(number) for number in range(1, len(campaign.faults) + 1)}
    assert len(texts | {written.verilog}) == len(campaign.faults) + 1


QUICK = ("mx", "products", "sums")


@pytest.mark.parametrize(
    "campaign",
    [pytest.param(one, id=one.name, marks=[] if one.name in QUICK else pytest.mark.long) for one in WRITTEN],
)
def test_faults_of_scales_and_integers_are_noticed(campaign: Campaign, tmp_path: Path) -> None:
    outcome = run_campaign(campaign, tmp_path / "written", seed=1, seconds=20, progress=lambda *_: None)
    assert outcome.killed == len(campaign.faults)


def test_mutant_that_no_output_depends_on_is_proven_equivalent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result's register may load always: it counts only while c_valid is high."""

    def choose(mutations: list[Mutation], _count: int, _seed: int) -> list[Mutation]:
        enables = [m for m in mutations if m.port == "E" and "mac" not in m.cell]
        return [next(m for m in enables if m.mode == mode) for mode in ("const1", "const0")]

    monkeypatch.setattr(campaigns, "draw", choose)
    outcome = run_campaign(DOT, tmp_path / "dot", seed=1, seconds=20, progress=lambda *_: None)
    harmless, stuck = outcome.mutants
    assert (harmless.killed_by, harmless.equivalent) == (None, True)
    assert (stuck.killed_by, stuck.equivalent) == ("operands", None)
    assert (outcome.killed, outcome.equivalent, outcome.survivors) == (1, 1, [])


def test_faults_of_control_are_those_that_no_operand_reaches(tmp_path: Path) -> None:
    netlist = Netlist.of(STEERED, "steered", tmp_path)
    inside = netlist.control_mutations(["data"], inside=True)
    enables = netlist.control_mutations(["data"], inside=False)
    assert {netlist.describe(mutation).split()[0].split(".")[1] for mutation in enables} == {"E"}
    assert all("busy" in netlist.describe(mutation) for mutation in inside)
    assert {mutation.mode for mutation in inside} == {"inv", "const0", "const1"}
    assert len(inside) + len(enables) < len(netlist.mutations())
    assert all(mutation.port != "C" for mutation in netlist.mutations())


def test_drawn_faults_are_different_and_repeat() -> None:
    mutations = [Mutation("inv", f"cell{index}", "A") for index in range(100)]
    drawn = draw(mutations, 40, 3)
    assert len(set(drawn)) == 40
    assert drawn == draw(mutations, 40, 3) != draw(mutations, 40, 4)
    assert draw(mutations, 200, 3) == mutations


@pytest.mark.parametrize(
    "options",
    [
        ["--seconds", "nan"],
        ["--seconds", "inf"],
        ["--seconds", "-7"],
        ["--build", "file"],
        ["--most", "0"],
        ["--only", "dividers"],
    ],
)
def test_options_that_cannot_be_used_take_one_line(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert run_tool(main, options) == 2
    assert capsys.readouterr().err.count("\n") == 1
