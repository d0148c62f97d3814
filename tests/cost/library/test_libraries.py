"""Libraries as they come: in any units and several files, with cells that are no logic, and with faults."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lmul.cost.cells.estimate import Cost, estimate
from lmul.cost.cells.measure import Conditions
from lmul.cost.cells.table import three_digits
from lmul.cost.handover.accelergy import accelergy_files
from lmul.cost.handover.opensta import handover_files
from lmul.cost.library.cells import Library, Table, TimingArc
from lmul.cost.library.functions import parse_function, timing_sense
from lmul.cost.library.join import left_out_kinds
from lmul.cost.library.reader import default_liberty, default_library, read_liberty
from lmul.cost.library.writer import mapping_library
from lmul.cost.mapping.mapper import map_design
from lmul.cost.mapping.scripts import RIPPLE_EMAP, timed_scripts
from lmul.design import make_design
from lmul.errors import UserError
from lmul.workloads import Operands
from tests.support.cost.small_library import GATES, small_library
from tests.support.host import cheap
from tests.support.host.runs import run_here

MUL = make_design("mul", format="e2m1")
QUICK = Conditions(seeds=1, precision=0.2)
"""Conditions of figures that need not be precise."""


def write(folder: Path, text: str, name: str = "small.lib") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def cost_in(library: Library) -> Cost:
    """Measure a small multiplier by one script on a few operands."""
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=size).astype(np.float32) for size in ((8, 24), (24, 8)))
    return estimate(MUL, [Operands("drawn", a, b)], library, conditions=QUICK, scripts=cheap.SCRIPTS[:1])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Cost:
    """Measure with the library of no special kind."""
    return cost_in(read_liberty(write(tmp_path_factory.mktemp("plain"), small_library())))


def figures(cost: Cost) -> tuple[float, ...]:
    return cost.area_um2, cost.measured.delay_ps, cost.energy_per_product.total


# Units.


@pytest.mark.skipif(shutil.which("sta") is None, reason="needs Debian's opensta")
@pytest.mark.parametrize("units", [("1ns", "1pf"), ("1ps", "1ff"), ("1ns", "1ff"), ("10ps", "100ff")])
def test_constraints_are_in_the_units_of_the_library(
    units: tuple[str, str], plain: Cost, tmp_path: Path
) -> None:
    time, load = units
    path = write(tmp_path, small_library(time, load))
    cost = cost_in(read_liberty(path))
    assert figures(cost) == pytest.approx(figures(plain))
    rng = np.random.default_rng(1)
    operands = Operands("drawn", *(rng.normal(size=(9, 9)).astype(np.float32) for _ in range(2)))
    for name, text in handover_files(cost, [operands]).items():
        write(tmp_path, text.partition("read_saif")[0] if name.endswith(".tcl") else text, name)
    done = subprocess.run(
        ["sta", "-no_splash", "-exit", f"{MUL.name}.tcl"],
        cwd=tmp_path,
        env=os.environ | {"LIBERTY": str(path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "arning" not in done.stdout + done.stderr
    arrival, slack = (
        float(re.search(rf"(-?[\d.]+)\s+{what}", done.stdout)[1])  # type: ignore[index]
        for what in ("data arrival time", "slack")
    )
    unit_ps = {"1ns": 1e3, "1ps": 1.0, "10ps": 10.0}[time]
    assert arrival * unit_ps == pytest.approx(cost.measured.delay_ps, rel=1e-3)
    assert abs(slack * unit_ps) < 1e-3 * cost.measured.delay_ps


# What an arc means that says little.


def test_an_edge_goes_where_the_function_takes_it() -> None:
    cases = {
        ("A B", "A", ""): "positive_unate",
        ("!(A + B)", "B", ""): "negative_unate",
        ("A ^ B", "A", ""): "non_unate",
        ("A ^ B", "A", "B"): "negative_unate",
        ("A ^ B", "A", "!B"): "positive_unate",
        ("(S A) + (S' B)", "S", ""): "non_unate",
        ("(S A) + (S' B)", "B", ""): "positive_unate",
        ("A + !A", "A", ""): "non_unate",
    }
    for (function, pin, when), sense in cases.items():
        state = parse_function(when) if when else None
        assert timing_sense(parse_function(function), pin, state) == sense, (function, pin, when)
    assert timing_sense(None, "A", None) == "non_unate"


def test_a_published_library_without_timing_sense_means_the_same(tmp_path: Path) -> None:
    text, count = re.subn(r"timing_sense\s*:[^;]*;", "", default_liberty().read_text(encoding="latin-1"))
    assert count > 1000
    path = tmp_path / "without.lib"
    path.write_text(text, encoding="latin-1")
    assert senses(read_liberty(path)) == senses(default_library())


def senses(library: Library) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Give pin and sense of all arcs through gates."""
    return {
        (cell.name, pin.name): [(arc.related_pin, arc.sense) for arc in pin.arcs]
        for cell in library.cells.values()
        for pin in cell.outputs
        if cell.is_gate
    }


def test_timing_sense_left_out_changes_no_figure(plain: Cost, tmp_path: Path) -> None:
    assert figures(cost_in(read_liberty(write(tmp_path, small_library(senses=False))))) == figures(plain)


def test_an_arc_without_related_pin_starts_at_the_only_input(tmp_path: Path) -> None:
    text = re.sub(r'related_pin : "A";', "", small_library())
    cells = read_liberty(write(tmp_path, text)).cells
    assert [arc.related_pin for arc in cells["INV"].pins["Y"].arcs] == ["A"]
    assert "no related_pin" in cells["NAND2"].unusable
    assert not cells["NAND2"].is_gate


# Which cells are used.


def test_what_is_mapped_to_is_what_was_understood(tmp_path: Path) -> None:
    nangate = default_library()
    again = read_liberty(write(tmp_path, mapping_library(nangate, delays=True)))
    gates = {name: cell for name, cell in nangate.cells.items() if cell.is_gate}
    assert len(gates) == 90
    assert {name for name, cell in again.cells.items() if cell.is_gate} == set(gates)
    assert {name for name, cell in again.cells.items() if cell.is_flip_flop} == {
        name for name, cell in nangate.cells.items() if cell.is_flip_flop
    }
    for name, cell in gates.items():
        for pin in cell.outputs:
            other = again.cells[name].pins[pin.name]
            assert pin.function is not None
            assert other.function is not None
            assert pin.function.truth_table() == other.function.truth_table()
            assert [(a.related_pin, a.sense) for a in pin.arcs] == [
                (a.related_pin, a.sense) for a in other.arcs
            ]
            tables = zip(delays(pin.arcs), delays(other.arcs), strict=True)
            assert all(one.at(0.03, 7.0) == pytest.approx(two.at(0.03, 7.0), rel=1e-5) for one, two in tables)


def delays(arcs: tuple[TimingArc, ...]) -> list[Table]:
    return [table for arc in arcs for table in (*arc.delay, *arc.slew) if table]


@pytest.mark.parametrize("value", ["true", '"true"', "TRUE", "1"])
@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("dont_use", "cells marked dont_use"),
        ("is_isolation_cell", "isolation cells"),
        ("is_level_shifter", "level shifters"),
        ("always_on", "always-on cells"),
        ("pad_cell", "pads"),
        ("is_filler_cell", "fillers"),
        ("is_macro_cell", "macros"),
    ],
)
def test_marked_cells_are_left_alone(mark: str, kind: str, value: str, tmp_path: Path) -> None:
    marked = small_library(marks={"NOR2": f"{mark} : {value};"})
    library = read_liberty(write(tmp_path, marked))
    assert left_out_kinds(library) == {kind: 1}
    assert "NOR2" not in mapping_library(library, delays=False)
    unmarked = re.sub(rf"{mark} : [^;]*;", f'{mark} : "false";', marked)
    assert not left_out_kinds(read_liberty(write(tmp_path, unmarked)))


@pytest.mark.parametrize(
    ("pin", "kind"),
    [
        ("is_pad : true;", "pads"),
        ("isolation_cell_enable_pin : true;", "isolation cells"),
        ("level_shifter_data_pin : true;", "level shifters"),
        ("always_on : true;", "always-on cells"),
    ],
)
def test_cells_of_marked_pins_are_left_alone(pin: str, kind: str, tmp_path: Path) -> None:
    text = small_library().replace("cell(NOR2)", "cell(SPECIAL)").replace("pin(B) {", f"pin(B) {{ {pin}", 2)
    assert left_out_kinds(read_liberty(write(tmp_path, text)))[kind] >= 1


def test_a_cell_that_may_be_used_is_whatever_its_spelling(plain: Cost, tmp_path: Path) -> None:
    for value in ("false", '"false"', "FALSE"):
        text = small_library(marks={"NAND2": f"dont_use : {value};", "INV": f"dont_use : {value};"})
        assert figures(cost_in(read_liberty(write(tmp_path, text)))) == figures(plain)


def test_cells_are_left_out_by_name(plain: Cost, tmp_path: Path) -> None:
    path = write(tmp_path, small_library())
    library = read_liberty(path, dont_use=["XOR*", "BUF"])
    cost = cost_in(library)
    assert left_out_kinds(library) == {"cells left out by name": 2}
    assert "XOR2" in plain.measured.cells
    assert not {"XOR2", "BUF"} & set(cost.measured.cells)
    assert library.checksum != read_liberty(path).checksum
    assert cost.as_dict()["dont_use"] == ["XOR*", "BUF"]


def test_patterns_come_from_options_files_and_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap.use(monkeypatch.setattr)
    write(tmp_path, small_library())
    write(tmp_path, 'format = "e2m1"\ndont-use = ["XOR*"]\n', "design.toml")
    words = ["cost", "mul", "--liberty=small.lib", "--seeds=1", "--precision=20", "--clock=5"]
    out = run_here(tmp_path, [*words, "--config=design.toml"]).out
    assert "--dont-use XOR*" in out
    assert "cells left out by name (1)" in out
    assert "--dont-use NOR2" in run_here(tmp_path, [*words, "--format=e2m1", "--dont-use=NOR2"]).out
    refused = run_here(tmp_path, [*words, "--format=e2m1", "--dont-use=NOR", "--dont-use=*x1p*"]).refusal()
    assert "'NOR' fits no cell of library small" in refused
    write(tmp_path, "dont-use = 3\n[space]\ndesign = 'mul'\n", "space.toml")
    assert "dont-use must be a list" in run_here(tmp_path, ["explore", "space.toml"]).refusal()
    write(tmp_path, "dont-use = ['?Q*']\n[space]\ndesign = 'mul'\n", "space.toml")
    assert "'?Q*' fits" in run_here(tmp_path, ["explore", "space.toml", "--liberty=small.lib"]).refusal()


# Several files.


def parts(folder: Path, **other: str) -> list[Path]:
    """Write the library in two files."""
    first = {name: gate for name, gate in GATES.items() if name in {"INV", "BUF"}}
    rest = {name: gate for name, gate in GATES.items() if name not in first}
    one = write(folder, small_library(gates=first), "one.lib")
    return [one, write(folder, small_library(gates=rest, flip_flop=False, **other), "two.lib")]  # type: ignore[arg-type]


def test_files_of_one_library_are_one(plain: Cost, tmp_path: Path) -> None:
    for paths in (parts(tmp_path), parts(tmp_path)[::-1]):
        library = read_liberty(*paths)
        assert sorted(library.cells) == sorted([*GATES, "DFF"])
        assert list(library.files) == [path.name for path in paths]
        assert library.name == "small and 1 more"
        assert figures(cost_in(library)) == pytest.approx(figures(plain), rel=0.2)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"time": "1ps"}, "time unit is 1 ns and 0.001 ns"),
        ({"load": "1ff"}, "capacitive load unit is 1000 fF and 1 fF"),
        ({"head": "nom_process : 1; nom_temperature : 25; nom_voltage : 0.9;"}, "voltage is 1.1 V and 0.9 V"),
        ({"head": "nom_temperature : 125; nom_voltage : 1.1;"}, "nom_temperature is 25 and 125"),
        (
            {"head": "nom_voltage : 1.1; slew_derate_from_library : 0.5;"},
            "slew_derate_from_library is 1 and 0.5",
        ),
    ],
)
def test_files_of_different_libraries_are_refused(other: dict[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="are no one library") as caught:
        read_liberty(*parts(tmp_path, **other))
    assert words in str(caught.value)


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, small_library())
    with pytest.raises(UserError, match="name each file once"):
        read_liberty(path, path)


# Libraries that nothing can be mapped to.

NO_AREA = {name: (inputs, function, 0, sense) for name, (inputs, function, _, sense) in GATES.items()}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            small_library(gates={name: gate for name, gate in GATES.items() if name != "INV"}),
            ["no inverter that", "gates (4), flip-flops (1)"],
        ),
        (
            small_library(marks=dict.fromkeys(GATES, "dont_use : true;")),
            ["no inverter and no two-input NAND", "cells marked dont_use (5)"],
        ),
        (small_library(gates=NO_AREA), ["no inverter", "cells without an area (5)"]),
        (
            "library(small) { nom_voltage : 1; type(w) { bit_from : 3; bit_to : 0; } "
            "cell(RAM) { area : 9; bus(A) { bus_type : w; direction : input; } } }",
            ["no inverter", "cells with ports or states of several bits (1)"],
        ),
        (
            re.sub(r"cell_(rise|fall)", "other", small_library()),
            ["cells without delays (5)"],
        ),
    ],
    ids=["no inverter", "all marked", "no area", "memories", "no delays"],
)
def test_a_library_that_lacks_a_cell_is_refused_with_what_it_has(
    text: str, words: list[str], tmp_path: Path
) -> None:
    write(tmp_path, text)
    refused = run_here(tmp_path, ["cost", "mul", "--format=e2m1", "--liberty=small.lib"]).refusal()
    assert all(word in refused for word in words), refused
    assert "library small has no" in refused


def test_a_flip_flop_is_asked_for_where_there_are_registers(tmp_path: Path) -> None:
    library = read_liberty(write(tmp_path, small_library(flip_flop=False)))
    cost_in(library)
    clocked = "module m(input clk, d, output reg q); always @(posedge clk) q <= d; endmodule"
    with pytest.raises(UserError, match="has no flip-flop"):
        map_design(clocked, "m", library, scripts=[RIPPLE_EMAP])


def test_a_broken_cell_keeps_itself_out(plain: Cost, tmp_path: Path) -> None:
    broken = "\ncell(BAD) { area : wide; }\ncell(WORSE) { area : 1; pin() { } } }"
    path = write(tmp_path, small_library().rstrip().removesuffix("}") + broken)
    library = read_liberty(path)
    assert left_out_kinds(library) == {"cells with a fault in the file": 2}
    assert re.fullmatch(r"line \d+: area is 'wide', not a number", library.cells["BAD"].unusable)
    assert figures(cost_in(library)) == figures(plain)


def test_scripts_for_speed_take_tables_of_any_shape(tmp_path: Path) -> None:
    text = small_library().replace('index_1("0.01, 0.2")', 'index_1("0.01")')
    text = re.sub(r'(rise|fall|transition)\(t\) \{ values\(("[^"]*"), "[^"]*"\)', r"\1(t) { values(\2)", text)
    library = read_liberty(write(tmp_path, text))
    design = "module m(input [3:0] a, b, output [3:0] y); assign y = a + b; endmodule"
    scripts = timed_scripts(300)[4:5]
    assert map_design(design, "m", library, scripts=scripts)[scripts[0].name].netlist.area > 0


# What is said of it.


def test_figures_of_small_cells_keep_their_digits(tmp_path: Path) -> None:
    tiny = {
        name: (inputs, function, area / 1e3, sense) for name, (inputs, function, area, sense) in GATES.items()
    }
    text = small_library(gates=tiny).replace("cell_leakage_power : 2", "cell_leakage_power : 2e-7")
    cost = cost_in(read_liberty(write(tmp_path, text)))
    files = accelergy_files([cost])
    leakage, area = (
        float(re.search(pattern, files[name])[1])  # type: ignore[index]
        for name, pattern in (("ERT.yaml", r"leak\n.*\n\s+energy: (\S+)"), ("ART.yaml", r"area: (\S+)"))
    )
    assert leakage == pytest.approx(cost.measured.energy.leakage / 1e3, rel=1e-5)
    assert leakage > 0
    assert area == pytest.approx(cost.area_um2, rel=1e-5)
    digits = {0.0: "0.0", 1234.5: "1234", 123.45: "123.5", 12.345: "12.3", 1.2345: "1.23", 0.012345: "0.0123"}
    assert {value: three_digits(value) for value in digits} == digits


def test_long_names_of_cells_are_whole_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap.use(monkeypatch.setattr)
    prefix = "a_foundry_013_standard_cells_of_seven_tracks_at_the_typical_corner__"
    write(tmp_path, small_library(prefix=prefix, power=False))
    words = ["cost", "mul", "--format=e2m1", "--liberty=small.lib", "--seeds=1", "--precision=20", "--path"]
    out = run_here(tmp_path, words).out
    assert f" {prefix}INV " in out
    assert "no internal power" in out
