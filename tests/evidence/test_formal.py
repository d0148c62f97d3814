"""Model checking: proofs hold, and their mutants are refuted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lmul.design import make_design
from lmul.evidence.formal.__main__ import all_claims
from lmul.evidence.formal.claims import Fault, device, edited
from lmul.evidence.formal.equivalence import equivalent
from lmul.evidence.formal.fusion import CUT, fused_claim
from lmul.evidence.formal.groups import STEPS, group_design, products_claim, step_claim, sum_claim
from lmul.evidence.formal.model_checker import Verdict, check
from lmul.evidence.formal.multiplication import integer_claim
from lmul.evidence.formal.outputs import output_claim
from lmul.evidence.formal.streams import hold_claim

COUNTER = """
module counter(input clk, input rst, input step, output reg [3:0] n, output reg [3:0] held, output reg valid);
  always @(posedge clk) if (rst) n <= 0; else if (step) n <= n + 4'd1;
  always @(posedge clk) if (step) held <= n;
  always @(posedge clk) if (rst) valid <= 0; else valid <= step;
endmodule
"""

PRODUCT = "module product(input [3:0] a, b, output [7:0] p); assign p = a * b; endmodule"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [("a * b", "b * a", True), ("a * b", "b * a + (&{a, b})", False)],
)
def test_combinational_modules_are_compared_for_every_input(old: str, new: str, same: bool) -> None:
    assert equivalent(PRODUCT, PRODUCT.replace(old, new), "product") is same


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("n + 4'd1", "~(~n - 4'd1)", True),
        ("n + 4'd1", "n + 4'd1 + (n == 14)", False),
        ("if (rst) n <= 0; else", "", False),
        ("if (step) held <= n", "held <= n", False),
    ],
)
def test_registers_are_compared_in_every_cycle(old: str, new: str, same: bool) -> None:
    assert COUNTER.count(old) == 1
    assert equivalent(COUNTER, COUNTER.replace(old, new), "counter") is same


def test_nets_inside_may_differ() -> None:
    inside = COUNTER.replace("if (step) n <= n + 4'd1;", "if (step) n <= next;")
    inside = inside.replace("  always", "  wire [3:0] next = n + 4'd1;\n  always", 1)
    inverted = inside.replace("next = n + 4'd1", "next = ~n").replace("n <= next", "n <= ~next + 4'd1")
    assert equivalent(inside, inverted, "counter")


def test_masked_outputs_count_while_their_valid_is_high() -> None:
    free = COUNTER.replace("if (step) held <= n", "held <= n")
    assert equivalent(COUNTER, free, "counter", masks={"held": "valid"})
    assert (
        equivalent(COUNTER, free.replace("held <= n", "held <= n + 1"), "counter", masks={"held": "valid"})
        is False
    )


def test_only_outputs_are_compared_and_registers_keep_their_names() -> None:
    """A net that only feeds a masked output may differ, also where it becomes another name of a register."""
    gated = """
module gated(input clk, input rst, input step, input d, output reg valid, output reg q);
  reg sum;
  wire inner = sum & step;
  always @(posedge clk) sum <= d ^ sum;
  always @(posedge clk) if (rst) valid <= 0; else valid <= step;
  always @(posedge clk) if (step) q <= inner;
endmodule
"""
    for free in ("sum & 1'b1", "sum | ~step"):
        changed = gated.replace("sum & step", free)
        assert equivalent(gated, changed, "gated", masks={"q": "valid"})
    assert equivalent(gated, gated.replace("sum & step", "~sum"), "gated", masks={"q": "valid"}) is False


def test_other_ports_are_refused() -> None:
    with pytest.raises(ValueError, match="the same ports"):
        equivalent(PRODUCT, PRODUCT.replace("[7:0] p", "[6:0] p"), "product")


LIMITED = """
module limited(input clk, input rst, output reg [3:0] n);
  initial n = 0;
  always @(posedge clk) n <= rst || n == 9 ? 0 : n + 1;
  always @* assert (n < LIMIT);
endmodule
"""


@pytest.mark.parametrize("method", ["pdr", "sec"])
def test_proofs_hold_for_any_number_of_cycles(method: str) -> None:
    assert _check("10", method=method, seconds=10) == Verdict(True, None)
    assert _check("9", method=method, seconds=10) == Verdict(False, 10)


def test_bounded_proofs_say_how_far_they_go() -> None:
    assert _check("9", method="bmc", seconds=10, cycles=9) == Verdict(True, 9)
    assert _check("9", method="bmc", seconds=10, cycles=10) == Verdict(False, 10)


def _check(limit: str, *, method: str, seconds: float, cycles: int = 0) -> Verdict:
    sources = {"limited.sv": LIMITED.replace("LIMIT", limit)}
    return check(sources, "limited", method=method, seconds=seconds, cycles=cycles)


def test_mutants_change_as_many_places_as_they_say() -> None:
    assert edited("a = b;", "b", "c") == "a = c;"
    assert edited("a = b + b;", "b", "c", 2) == "a = c + c;"
    with pytest.raises(ValueError, match="must match once, not 2 times"):
        edited("a = b + b;", "b", "c")


@pytest.mark.commands
def test_every_mutant_changes_what_is_exported_now() -> None:
    for claim in all_claims():
        verilog = device(claim.design)
        assert claim.mutant_sources(verilog) != claim.sources(verilog)


def test_command_proves_a_multiplier_for_every_pair_of_operands(tmp_path: Path) -> None:
    file = tmp_path / "proofs.json"
    options = ["--only", "lmul_e4m3_mul_full", "--json", str(file)]
    command = [sys.executable, "-m", "lmul.evidence.formal", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    outcomes = json.loads(file.read_text())
    assert len(outcomes) == 2
    assert all(outcome["proven"] and outcome["mutant_refuted"] for outcome in outcomes)


@pytest.mark.parametrize("formats", [("int4", "int4"), ("int8", "int4")])
def test_products_of_integers_are_proved_whole(formats: tuple[str, str]) -> None:
    claim = integer_claim(make_design("mul", format_a=formats[0], format_b=formats[1]))
    assert claim.prove().holds
    assert claim.refute_mutant().holds is False


def test_flag_of_an_output_that_cannot_hold_its_sum_is_proved() -> None:
    claim = output_claim(make_design("dot", format="e8m2", lanes=1, acc="fixed:12:118", out="bf16"))
    assert claim.prove().holds
    assert claim.refute_mutant().holds is False


def test_one_step_of_a_fused_sum_is_proved_from_every_running_sum() -> None:
    design = make_design("dot", format="e2m1", lanes=1, acc="fused:4:2", out="raw")
    claim = fused_claim(design, CUT)
    assert claim.prove().holds
    assert claim.refute_mutant() == Verdict(False, 2)


def test_exact_sum_of_a_group_is_proved_in_two_parts() -> None:
    design = group_design(scale="nvfp4", lanes=16, acc="fused:8:2")
    assert products_claim(design).prove().holds
    assert sum_claim(design).prove().holds


@pytest.mark.parametrize(("options", "fault"), STEPS)
def test_faults_of_the_scales_of_groups_are_refuted(options: dict[str, Any], fault: Fault) -> None:
    assert step_claim(group_design(**options), fault).refute_mutant() == Verdict(False, 2)


@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_rows_of_an_array_hold_until_they_are_taken(dataflow: str) -> None:
    design = make_design("array", format="e2m1", dataflow=dataflow, rows=1, cols=1, lanes=1, depth=4)
    claim = hold_claim(design)
    assert claim.prove().holds
    assert claim.refute_mutant().holds is False
