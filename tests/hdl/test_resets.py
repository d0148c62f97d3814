"""Clocks and resets of any kind, level and name: all do what the usual ones do, and say so everywhere."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.cli import main
from lmul.cost.cells.check import check_netlist
from lmul.cost.fpga.estimate import wrapper
from lmul.cost.gates.estimate import FLIP_FLOP_TRANSISTORS, flip_flops_of, gate_library
from lmul.cost.handover.opensta import reset_exception
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.designs import map_to_cells
from lmul.cost.mapping.scripts import RIPPLE_EMAP
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.evidence.formal.accumulation import INTERFACES, sum_claim
from lmul.evidence.formal.claims import DUT, device
from lmul.evidence.formal.streams import hold_claim
from lmul.explore.space import read_space
from lmul.golden import multiply
from lmul.hdl import Export, export
from lmul.sim.native.native import build_array, run_array, write_tiles
from lmul.sim.simulate import SimulationRun, simulate
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.stress import MulStimulus, mul_products
from lmul.sim.stimulus.tiles import tiles
from tests.support.host import cheap

ExportTo = Callable[[Design], tuple[Export, Path]]
Options = dict[str, Any]

LOW: Options = {"reset_active": "low"}
ASYNC: Options = {"reset": "async"}
NAMED: Options = ASYNC | LOW | {"clock_name": "aclk", "reset_name": "aresetn"}
VARIANTS: list[Options] = [{}, LOW, ASYNC, ASYNC | LOW, NAMED]

DOT = make_design("dot", format="e2m1", lanes=2, depth=4, pipeline=2)
ARRAY = make_design("array", format="e2m1", rows=2, cols=1, lanes=1, depth=4)


@pytest.mark.parametrize("options", VARIANTS)
def test_flip_flops_have_the_reset_that_was_asked_for(options: Options) -> None:
    verilog = export(replace_with(DOT, options)).verilog
    clock, reset = options.get("clock_name", "clk"), replace_with(DOT, options).reset_name
    edge, on = ("negedge", f"!{reset}") if "reset_active" in options else ("posedge", reset)
    events = f"posedge {clock} or {edge} {reset}" if "reset" in options else f"posedge {clock}"
    assert verilog.count(f"  always @({events})\n    if ({on}) c_valid <= 1'h0;\n") == 1
    assert ("negedge" in verilog or "or posedge" in verilog) == ("reset" in options)


def replace_with(design: Design, options: Options) -> Design:
    """Give a design with another clock and reset."""
    given = {name: value for name, value in design.parameters().items() if name != "kind"}
    return make_design(design.kind, **(given | options))


OUTPUTS = {
    "dot": ("c_valid", ("c", "c_flags"), ()),
    "array": (
        "m_axis_c_tvalid",
        ("m_axis_c_tdata", "m_axis_c_tuser", "m_axis_c_tlast"),
        ("s_axis_a_tready", "s_axis_b_tready"),
    ),
}
"""By kind: what says that there is a result, the result, and outputs that always count."""


def bench(kind: str, texts: list[tuple[Design, Export]]) -> str:
    """Write a bench that gives several designs the same random inputs and compares them in every cycle.

    At its end the reset comes while a result is there and the clock stands still.
    """
    inputs = [port for port in texts[0][1].ports[2:] if port["direction"] == "in"]
    valid, data, always = OUTPUTS[kind]
    joined = f"{{{', '.join([valid, *always])}, {valid} ? {{{', '.join(data)}}} : 1'b0}}"
    wires, checks = [], []
    for index, (design, text) in enumerate(texts):
        outputs = [port for port in text.ports if port["direction"] == "out"]
        wires += [f"wire [{port['width'] - 1}:0] {port['name']}_{index};" for port in outputs]
        pins = [f".{port['name']}({port['name']}_{index})" for port in outputs]
        pins += [f".{port['name']}({port['name']})" for port in inputs]
        pins += [
            f".{design.clock_name}(clk)",
            f".{design.reset_name}({'' if design.reset_level else '!'}rst)",
        ]
        wires.append(f"{text.name} dut_{index} ({', '.join(pins)});")
        own = joined
        for name in (valid, *data, *always):
            own = own.replace(name + ",", f"{name}_{index},").replace(name + " ", f"{name}_{index} ")
            own = own.replace(name + "}", f"{name}_{index}}}")
        wires.append(f"wire [127:0] seen_{index} = {own};")
        differs = f'if (seen_{index} !== seen_0) begin $display("FAIL: {text.name} differs"); $finish; end'
        checks.append(f"if (!rst) {differs}")
    at_once = [
        f'if ({valid}_{index} !== 1\'b{int(design.reset == "sync")}) $display("FAIL: {text.name} at once");'
        for index, (design, text) in enumerate(texts)
    ]
    later = [
        f'if ({valid}_{index} !== 1\'b0) $display("FAIL: {text.name} at the edge");'
        for index, (_, text) in enumerate(texts)
    ]
    declared = [f"reg [{port['width'] - 1}:0] {port['name']};" for port in inputs]
    draw = [f"{port['name']} = {{$random, $random}};" for port in inputs]
    return "\n".join(
        [
            "module bench;",
            "reg clk = 0, rst = 1, fresh = 1;",
            "integer cycle = 0;",
            *declared,
            *wires,
            "task tick; begin #1 clk = 1; #1 clk = 0; end endtask",
            "initial begin",
            *draw,
            "repeat (4) tick;",
            f"while (cycle < 400 || {valid}_0 !== 1'b1) begin",
            "  cycle = cycle + 1;",
            *draw,
            "  rst = cycle % 64 == 0;",
            # Before the first step of a dot product sums are what they happen to be.
            *(["  in_first = in_first | fresh; fresh = rst | fresh & ~in_valid;"] if kind == "dot" else []),
            "  #1;",
            *checks,
            "  tick;",
            "end",
            "rst = 1; #1;",
            *at_once,
            "tick;",
            *later,
            '$display("DONE");',
            "end",
            "endmodule",
        ]
    )


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("design", [DOT, ARRAY], ids=["dot", "array"])
def test_all_do_the_same_and_an_asynchronous_reset_needs_no_clock(design: Design, tmp_path: Path) -> None:
    designs = [replace_with(design, options) for options in VARIANTS]
    texts = [(one, export(one)) for one in designs]
    source = tmp_path / "all.v"
    source.write_text("".join(text.verilog for _, text in texts) + bench(design.kind, texts))
    command = ["iverilog", "-g2012", "-s", "bench", "-o", str(tmp_path / "all.vvp"), str(source)]
    subprocess.run(command, check=True)
    run = subprocess.run(["vvp", "-n", tmp_path / "all.vvp"], capture_output=True, text=True, check=True)
    assert run.stdout == "DONE\n"


def test_bench_presses_on_an_asynchronous_reset(export_to: ExportTo, tmp_path: Path) -> None:
    design = replace_with(DOT, NAMED)
    text, path = export_to(design)
    files = ([path], text.name, text.port_names, [], tmp_path / "build")
    assert simulate(SimulationRun(design, *files, testcase="stress", seed=1)).compared > 100


def test_results_are_lost_in_the_cycle_of_an_asynchronous_reset() -> None:
    pairs = np.array([[2, 2]] * 6)
    stimulus = MulStimulus(pairs, np.array([0, 0, 1, 0, 0, 0], dtype=bool))
    design = make_design("mul", format="e2m1", pipeline=2)
    product = int(multiply(pairs[:1, 0], pairs[:1, 1], design)[0])
    assert mul_products(design, stimulus).tolist() == [-1, -1, product, -1, -1, *[product] * 3]
    lost = mul_products(replace(design, reset="async"), stimulus).tolist()
    assert lost == [-1, -1, -1, -1, -1, *[product] * 3]


def test_native_bench_knows_the_ports(
    tmp_path: Path, export_to: ExportTo, draw_codes: Callable[..., Matrices]
) -> None:
    design = make_design("array", rows=1, cols=2, lanes=1, **NAMED)
    text, path = export_to(design)
    jobs = [tile for a, b in draw_codes((3, 4, 4)) for tile in tiles(a, b, design)]
    write_tiles(jobs, design, tmp_path / "tiles")
    program = build_array([path], text.name, tmp_path / "array", design)
    assert run_array(program, tmp_path / "tiles", pause=0.2, seed=1).rows == len(jobs)


@pytest.mark.parametrize("interface", INTERFACES)
def test_proofs_hold_and_their_mutants_fall(interface: Options) -> None:
    claim = sum_claim(make_design("dot", format="e2m1", acc="fixed:4:2", lanes=1, out="raw", **interface))
    assert claim.prove().holds
    assert claim.refute_mutant().holds is False


def test_rows_hold_under_an_asynchronous_reset_but_not_in_it() -> None:
    design = make_design("array", format="e2m1", rows=1, cols=1, lanes=1, depth=4, **NAMED)
    claim = hold_claim(design)
    assert claim.prove().holds
    assert claim.refute_mutant().holds is False
    in_it = {
        name: text.replace("wire cleared = rst", "wire cleared = 0")
        for name, text in claim.sources(device(design)).items()
    }
    assert replace(claim, sources=lambda _: in_it).prove().holds is False


def test_device_of_a_proof_has_the_usual_ports() -> None:
    assert device(DOT) == export(DOT, DUT).verilog
    assert "device device (.aclk(clk), .aresetn(!rst), " in device(replace_with(DOT, NAMED))


@pytest.mark.parametrize("options", [LOW, NAMED])
def test_netlists_are_checked_and_have_flip_flops_with_a_reset(options: Options, cells: Path) -> None:
    design = make_design("dot", format="e2m1", lanes=1, depth=4, out="raw", **options)
    found = map_to_cells(export(design), design, default_library(), scripts=cheap.SCRIPTS[:1], cache=cells)
    (netlist,) = (mapped.netlist for mapped in found.values())
    assert netlist.clock_port == design.clock_name
    assert any(cell.startswith("DFFR") for cell in netlist.cell_counts) == (options == NAMED)
    # A gate passes the clock for the enable, and for a synchronous reset too.
    assert any(cell.startswith("CLKGATE") for cell in netlist.cell_counts)
    assert check_netlist(netlist, design) == ""
    assert check_netlist(netlist, replace(design, reset_active="high")) != ""


def test_library_without_such_flip_flops_is_refused_before_mapping() -> None:
    design = make_design("mul", pipeline=1, **ASYNC)
    with pytest.raises(
        UserError, match=r"no usable flip-flop with an asynchronous reset: take .* reset sync"
    ):
        map_to_cells(export(design), design, gate_library(), scripts=[RIPPLE_EMAP])


def test_gates_count_what_an_asynchronous_reset_takes() -> None:
    design = make_design("mul", format="e2m1", pipeline=1, **ASYNC)
    library = gate_library(flip_flops_of(design))
    found = map_to_cells(export(design), design, library, scripts=[RIPPLE_EMAP])
    assert found[RIPPLE_EMAP.name].netlist.cell_counts["DFFR"] > 0
    assert library.cells["DFFR"].area == (FLIP_FLOP_TRANSISTORS + 4) / 4
    assert flip_flops_of(DOT) == ("DFF",)


def test_constraints_leave_out_an_asynchronous_reset() -> None:
    assert reset_exception(DOT) == ""
    assert reset_exception(replace_with(DOT, NAMED)) == "set_false_path -from [get_ports aresetn]\n"


def test_fpga_wrapper_finds_the_clock() -> None:
    text = wrapper(export(replace_with(DOT, NAMED)))
    assert ".aclk(clk)" in text
    assert ".aresetn(inputs[0:0])" in text


def test_metadata_says_what_is_not_as_usual() -> None:
    metadata = json.loads(export(replace_with(DOT, NAMED)).metadata)
    assert [port["name"] for port in metadata["ports"][:2]] == ["aclk", "aresetn"]
    assert metadata["reset"] == {"clock": "aclk", "port": "aresetn", "kind": "async", "active": "low"}
    assert "reset" not in json.loads(export(DOT).metadata)


def test_what_is_as_usual_is_not_named() -> None:
    usual = {"reset": "sync", "reset_active": "high", "clock_name": "clk", "reset_name": "rst"}
    assert replace_with(DOT, usual) == DOT
    low = replace_with(DOT, LOW)
    assert low.reset_name == "rst_n"
    assert low.arguments() == [*DOT.arguments(), "--reset-active low"]
    assert low.name == f"{DOT.name}_active_low"
    assert replace_with(DOT, LOW | {"reset_name": "rst"}).arguments()[-1] == "--reset-name rst"


WRONG = {
    "--reset later": "--reset 'later' is unknown: it must be one of sync, async",
    "--reset-active 0": "--reset-active '0' is unknown: it must be one of high, low",
    "--clock-name module": "--clock-name 'module' names no port",
    "--clock-name double": "--clock-name 'double' names no port",
    "--reset-name 1st": "--reset-name '1st' names no port",
    "--reset-name a__b": "--reset-name 'a__b' names no port",
    "--reset-name rst$": "--reset-name 'rst$' names no port",
    "--clock-name x --reset-name x": "--clock-name and --reset-name are both 'x': name two ports",
    "--reset-name in_valid": "'in_valid' cannot name the clock or the reset: the design has such a signal",
    "--clock-name en": "'en' cannot name the clock or the reset",
    "--clock-name mac": "'mac' cannot name the clock or the reset",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_names_are_one_line(words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["verilog", "dot", "--lanes", "1", *words.split(), "-o", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"lmul: {WRONG[words]}")
    assert not (tmp_path / "out").exists()


def test_usual_names_are_free_in_every_design() -> None:
    usual = {
        "clock",
        "clk_i",
        "i_clk",
        "CLK",
        "aclk",
        "ap_clk",
        "reset",
        "rst_n",
        "rst_ni",
        "nreset",
        "aresetn",
    }
    for design in (DOT, ARRAY, replace_with(ARRAY, {"dataflow": "ws"}), make_design("mul", pipeline=4)):
        assert not usual & set(re.findall(r"\w+", export(design).verilog))


@pytest.mark.parametrize("option", [{"reset": "sync"}, LOW, {"clock_name": "c"}, {"reset_name": "r"}])
def test_multiplier_without_registers_has_no_reset(option: Options) -> None:
    with pytest.raises(UserError, match="means nothing to mul without registers: add pipeline"):
        make_design("mul", **option)


def test_block_whose_registers_are_never_cleared_has_no_reset() -> None:
    design = make_design("array", dataflow="ws", rows=1, cols=1, lanes=1, out="raw", **NAMED)
    (ports,) = re.findall(r"^module \w+_element \((.*?)\);", export(design).verilog, re.MULTILINE | re.DOTALL)
    assert re.findall(r"\ba\w+", ports)[0] == "aclk"
    assert "aresetn" not in ports


def test_spaces_may_hold_resets(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        '[space]\ndesign = ["mul", "dot"]\npipeline = [0, 1]\nreset = ["sync", "async"]\nreset-name = "r"\n'
    )
    designs = {point.design for point in read_space(path).distinct}
    assert len(designs) == 3 + 4
    path.write_text('[space]\ndesign = "mul"\nreset = "async"\n')
    with pytest.raises(UserError, match="reset means nothing to mul: leave it out"):
        read_space(path)


def test_configuration_files_may_hold_resets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dot.toml"
    path.write_text('reset = "async"\nreset-active = "low"\nclock-name = "aclk"\n')
    assert main(["verilog", "dot", "--lanes", "1", "--config", str(path), "-o", "-"]) == 0
    assert "always @(posedge aclk or negedge rst_n)" in capsys.readouterr().out
