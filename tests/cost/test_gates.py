"""Gates of no technology: counts and depth of circuits known by hand, and netlists that equal the designs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lmul.cost.gates.estimate import (
    FLIP_FLOP_TRANSISTORS,
    GATES,
    depth,
    estimate_gates,
    gate_library,
    map_to_gates,
)
from lmul.cost.gates.table import gates_table
from lmul.cost.library.cells import Library
from lmul.cost.library.functions import input_combinations
from lmul.cost.mapping.mapper import map_design
from lmul.cost.mapping.scripts import QUICK_SCRIPTS, RIPPLE_EMAP, SynthesisScript
from lmul.cost.netlist.netlist import Netlist, nand2
from lmul.cost.power.zero_delay import simulate
from lmul.design import make_design
from lmul.golden import multiply

pytest.importorskip("pyosys")

FULL_ADDERS = QUICK_SCRIPTS[1]
ADDER = "module m(input [7:0] a, b, output [8:0] y); assign y = a + b; endmodule"
BIT_ADDER = "module m(input a, b, c, output [1:0] y); assign y = a + b + c; endmodule"
XOR_CHAIN = "module m(input [3:0] a, output y); assign y = ((a[0] & a[1]) | a[2]) ^ a[3]; endmodule"
REGISTERED = """
module m(input clk, input [2:0] a, output reg y);
  reg [2:0] x;
  always @(posedge clk) begin x <= a; y <= x[0] & x[1] | x[2]; end
endmodule
"""


@pytest.fixture(scope="module")
def library() -> Library:
    return gate_library()


def map_one(verilog: str, library: Library, script: SynthesisScript = FULL_ADDERS) -> Netlist:
    (mapped,) = map_design(verilog, "m", library, scripts=[script]).values()
    return mapped.netlist


def test_gates_compute_what_their_names_say(library: Library) -> None:
    a, b, c = input_combinations(3)
    expected = {
        "NOT": [~a],
        "NAND": [~(a & b)],
        "NOR": [~(a | b)],
        "AND": [a & b],
        "OR": [a | b],
        "XOR": [a ^ b],
        "XNOR": [~(a ^ b)],
        "HA": [a ^ b, a & b],
        "FA": [a ^ b ^ c, (a & b) | (a & c) | (b & c)],
    }
    assert set(expected) == set(GATES)
    for name, outputs in expected.items():
        functions = [pin.function for pin in library.cells[name].outputs if pin.function]
        found = [function.evaluate({"A": a, "B": b, "C": c}) for function in functions]
        for value, wanted in zip(found, outputs, strict=True):
            np.testing.assert_array_equal(value, wanted)


def test_a_nand_is_the_unit_of_area(library: Library) -> None:
    assert nand2(library).name == "NAND"
    assert nand2(library).area == 1
    assert library.cells["FA"].area == 7
    assert library.cells["DFF"].area == FLIP_FLOP_TRANSISTORS / 4


def test_one_bit_adder_is_one_full_adder(library: Library) -> None:
    netlist = map_one(BIT_ADDER, library)
    assert netlist.cell_counts == {"FA": 1}
    assert netlist.area == 7
    assert depth(netlist) == 2


def test_ripple_adder_is_a_half_adder_and_seven_full_adders(library: Library) -> None:
    netlist = map_one(ADDER, library, RIPPLE_EMAP)
    assert netlist.cell_counts == {"FA": 7, "HA": 1}
    assert netlist.area == 7 * 7 + 3.5
    assert depth(netlist) == 1 + 7 * 2


def test_depth_counts_gates_between_ports_and_between_flip_flops(library: Library) -> None:
    assert depth(map_one(XOR_CHAIN, library)) == 3
    registered = map_one(REGISTERED, library)
    assert registered.cell_counts["DFF"] == 4
    assert depth(registered) == 2


@pytest.mark.parametrize(
    "mul", ["lmul", *(pytest.param(mul, marks=pytest.mark.long) for mul in ("mitchell", "addc", "exact"))]
)
def test_gates_are_right_for_every_pair(mul: str, cells: Path) -> None:
    design = make_design("mul", mul=mul)
    codes = np.stack(np.meshgrid(np.arange(256), np.arange(256)), -1).reshape(-1, 1, 2)
    bits = ((codes[..., None] >> np.arange(8)) & 1).astype(np.uint8)
    expected = multiply(codes[..., 0], codes[..., 1], design)
    for mapped in map_to_gates(design, cache=cells).values():
        outputs = simulate(mapped.netlist, {"a": bits[:, :, 0], "b": bits[:, :, 1]}).outputs
        np.testing.assert_array_equal(outputs["p"].astype(np.int64) @ (1 << np.arange(8)), expected)


def test_the_smallest_netlist_is_kept_and_its_parts_add_up(cells: Path) -> None:
    design = make_design("mul")
    cost = estimate_gates(design, cache=cells)
    assert cost.nand2_equivalents == cost.spread[0] < cost.spread[1]
    counts = cost.gates | {"FA": cost.full_adders, "HA": cost.half_adders}
    transistors = sum(GATES[name].transistors * count for name, count in counts.items())
    assert cost.flip_flops == 0
    assert transistors / 4 == pytest.approx(cost.nand2_equivalents)
    assert json.loads(json.dumps(cost.as_dict()))["depth"] == cost.depth


@pytest.mark.long
def test_lmul_takes_fewer_gates_than_exact_but_not_half(cells: Path) -> None:
    lmul, exact = (estimate_gates(make_design("mul", mul=mul), cache=cells) for mul in ("lmul", "exact"))
    assert 0.6 < lmul.nand2_equivalents / exact.nand2_equivalents < 0.9


def test_flip_flops_of_a_sum_are_counted_apart(cells: Path) -> None:
    design = make_design("dot", lanes=1, out="raw", depth=16)
    cost = estimate_gates(design, cache=cells)
    # The sum, its flags {nan, overflow} and c_valid.
    assert cost.flip_flops == design.accumulator_bits + 3


@pytest.mark.long
def test_array_is_mapped_block_by_block(cells: Path) -> None:
    cost = estimate_gates(make_design("array", rows=1, cols=2, lanes=1, depth=16), cache=cells)
    assert cost.flip_flops > 0
    assert cost.depth > 0


def test_table_fits_80_columns(cells: Path) -> None:
    cost = estimate_gates(make_design("mul"), cache=cells)
    costs = [replace(cost, design=cost.design.with_mul(mul)) for mul in ("lmul", "mitchell", "addc", "exact")]
    console = Console(width=80)
    for shown in (costs, costs[:1]):
        with console.capture() as capture:
            console.print(gates_table(shown))
        text = capture.get()
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert f"{costs[0].nand2_equivalents:g}" in text
