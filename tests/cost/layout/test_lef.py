"""LEF files: the real one at hand, small ones with what real ones hold, and those that cannot be read."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lmul.cost.layout.technology.lef import default_lef, read_lef
from lmul.cost.layout.technology.published import WIRES, wire_capacitances
from lmul.cost.layout.technology.technology import Layer, Site, Technology, Terminal
from lmul.cost.library.reader import default_library, read_liberty
from lmul.errors import UserError

Point = tuple[float, float]


def layer(name: str, direction: str, more: str = "") -> str:
    return f"LAYER {name} TYPE ROUTING ; DIRECTION {direction} ; WIDTH 0.1 ; PITCH 0.2 ; {more} END {name}\n"


def cell(name: str, body: str, head: str = "CLASS CORE ;") -> str:
    return f"MACRO {name} {head} SIZE 4 BY 2 ; SITE row ; {body} END {name}\n"


def pin(shapes: str, name: str = "A", use: str = "SIGNAL") -> str:
    return f"PIN {name} DIRECTION INPUT ; USE {use} ; PORT {shapes} END END {name}\n"


UNITS = "UNITS DATABASE MICRONS 1000 ; END UNITS\n"
LAYERS = layer("M1", "HORIZONTAL") + layer("M2", "VERTICAL") + layer("M3", "HORIZONTAL")
SITE = "SITE row CLASS CORE ; SIZE 0.2 BY 2 ; END row\n"
SQUARE = "LAYER M1 ; RECT 1 1 2 2 ;"
INVERTER = cell("INV", pin(SQUARE) + pin(SQUARE, "Y"))
SMALL = UNITS + LAYERS + SITE + INVERTER

Read = Callable[[str], Technology]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_text(text: str) -> Technology:
        file = tmp_path / "small.lef"
        file.write_text(text)
        return read_lef([file])

    return read_text


def shapes_of_nangate() -> dict[tuple[str, str], list[list[Point]]]:
    """Give the corners of the polygons and rectangles of each pin, found line by line."""
    found: dict[tuple[str, str], list[list[Point]]] = {}
    macro = name = ""
    for line in default_lef()[1].read_text(encoding="latin-1").splitlines():
        words = line.replace(";", " ").split()
        if words[:1] == ["MACRO"]:
            macro = words[1]
        elif words[:1] in (["PIN"], ["OBS"]):
            name = words[1] if words[0] == "PIN" else ""
        elif words[:1] in (["POLYGON"], ["RECT"]):
            numbers = [float(word) for word in words[1:]]
            points = list(zip(numbers[::2], numbers[1::2], strict=True))
            if words[0] == "RECT":
                (left, bottom), (right, top) = points
                points = [(left, bottom), (right, bottom), (right, top), (left, top)]
            found.setdefault((macro, name), []).append(points)
    return found


def inside(terminal: Terminal, corners: list[Point]) -> bool:
    """Tell whether a point is inside of a polygon: how often a ray from it meets the edges."""
    crossings = 0
    for (x, y), (to_x, to_y) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y > terminal.y_um) != (to_y > terminal.y_um):
            crossings += terminal.x_um < x + (to_x - x) * (terminal.y_um - y) / (to_y - y)
    return crossings % 2 == 1


def test_the_pins_of_all_cells_at_hand_are_met_inside_of_their_shapes() -> None:
    technology, shapes, cells = read_lef(default_lef()), shapes_of_nangate(), default_library().cells
    technology.check(cells.values())
    for cell_name in cells:
        macro = technology.macros[cell_name]
        assert macro.width_um * macro.height_um == pytest.approx(cells[cell_name].area)
        assert macro.terminals.keys() == cells[cell_name].pins.keys()
        for name, terminal in macro.terminals.items():
            assert terminal.layer == "metal1"
            assert any(inside(terminal, corners) for corners in shapes[cell_name, name]), (cell_name, name)


def test_the_technology_at_hand_is_read() -> None:
    technology = read_lef(default_lef())
    size = technology.macros["AND2_X1"]
    assert (size.width_um, size.height_um) == (0.76, 1.4)
    assert technology.site == Site("FreePDK45_38x28_10R_NP_162NW_34O", 0.19, 1.4)
    assert technology.database_units == 2000
    assert [each.name for each in technology.layers] == [f"metal{number}" for number in range(1, 11)]
    metal2 = technology.layers[1]
    assert (metal2.direction, metal2.width_um, metal2.pitch_um) == ("vertical", 0.07, 0.19)
    assert metal2.resistance_ohm_um == pytest.approx(3.57, abs=0.005)
    assert metal2.capacitance_ff_um == pytest.approx(0.0532, abs=0.00005)
    assert [each.name for each in technology.wires()] == ["metal3", "metal2"]
    assert wire_capacitances(technology) == (0.105, 0.083)
    assert [name for name, _ in technology.files] == ["rtk-tech.lef", "stdcells.lef"]


def test_a_library_of_oklahoma_state_university_is_read() -> None:
    folder = Path("/usr/share/qflow/tech/osu018")
    if not folder.exists():
        pytest.skip("needs the Debian package qflow-tech-osu018")
    technology = read_lef([folder / "osu018_stdcells.lef"])
    technology.check(read_liberty(folder / "osu018_stdcells.lib").cells.values())
    assert technology.site == Site("core", 0.8, 10.0)
    assert [each.name for each in technology.wires()] == ["metal3", "metal2"]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ("LAYER M1 ; RECT 0 0 1 1 ; RECT 1 1 4 2 ;", (2.5, 1.5, "M1")),
        ("LAYER M1 ; RECT 3 2 1 1 ;", (2.0, 1.5, "M1")),
        ("LAYER M1 SPACING 0.1 ; RECT 0 0 1 1 ; LAYER M2 ; RECT 2 0 4 2 ;", (3.0, 1.0, "M2")),
        ("LAYER M1 ; RECT 0 0 1 1 ; LAYER V1 ; RECT 2 0 4 2 ;", (0.5, 0.5, "M1")),
        ("LAYER M1 ; RECT 0 0 1 1 ; END PORT LAYER M1 ; RECT 2 0 4 2 ;", (3.0, 1.0, "M1")),
        ("LAYER M1 ; RECT MASK 2 1 1 2 2 ;", (1.5, 1.5, "M1")),
        ("LAYER M1 ; RECT ITERATE 0 0 1 1 DO 3 BY 1 STEP 1.5 0 ;", (0.5, 0.5, "M1")),
        ("LAYER M1 ; POLYGON MASK 1 ITERATE 0 0 0 2 2 2 2 0 DO 2 BY 1 STEP 2 0 ;", (1.0, 1.0, "M1")),
        ("LAYER M1 ; POLYGON ( 0 0 ) ( 4 0 ) ( 4 0.5 ) ( 1 0.5 ) ( 1 2 ) ( 0 2 ) ;", (2.0, 0.25, "M1")),
        ("LAYER M1 ; POLYGON 0 0 1 0 1 1 3 1 3 0 4 0 4 2 0 2 ;", (2.0, 1.5, "M1")),
        ("LAYER M1 ; POLYGON 0 0 2 0 1 1 ;", (1.0, 0.5, "M1")),
        ("LAYER M1 ; WIDTH 0.1 ; PATH 0 0 4 0 ; VIA 1 1 V ; RECT 0 0 1 1 ;", (0.5, 0.5, "M1")),
    ],
)
def test_a_wire_meets_a_pin_in_its_largest_rectangle(
    read: Read, shapes: str, expected: tuple[float, float, str]
) -> None:
    technology = read(SITE + LAYERS + cell("X", pin(shapes)))
    assert technology.macros["X"].terminals == {"A": Terminal(*expected)}


def test_a_cell_is_moved_by_its_origin(read: Read) -> None:
    technology = read(SITE + LAYERS + cell("X", pin(SQUARE), "ORIGIN 0.5 -1 ;"))
    assert technology.macros["X"].terminals["A"] == Terminal(2.0, 0.5, "M1")


def test_only_signal_pins_of_core_cells_are_kept(read: Read) -> None:
    supplies = pin(SQUARE, "VDD", "power") + pin(SQUARE, "VSS", "GROUND")
    mixed = cell("X", supplies + pin(SQUARE, "CK", "CLOCK"), "CLASS core FEEDTHRU ;")
    others = cell("RAM", "", "CLASS BLOCK ;") + cell("PAD", "", "CLASS PAD INPUT ;")
    macros = read(SMALL + mixed + others + cell("FILL", "PIN B END B", "")).macros
    assert {name: list(macro.terminals) for name, macro in macros.items()} == {
        "INV": ["A", "Y"],
        "X": ["CK"],
        "FILL": [],
    }


PASSED_OVER = """
# MACRO "quoted
VERSION 5.8; BUSBITCHARS "[]" ; DIVIDERCHAR "/";
PROPERTYDEFINITIONS LAYER LEF58_PITCH STRING ; MACRO note STRING "a ; b" ; END PROPERTYDEFINITIONS
SPACING SAMENET M1 M1 0.1 ; END SPACING
BEGINEXT "tag" CREATOR "x" MACRO END LIBRARY ENDEXT
VIA M1M2 DEFAULT LAYER M1 ; RECT -1 -1 1 1 ; END M1M2
VIARULE M1M2 GENERATE LAYER M1 ; ENCLOSURE 0 0 ; END M1M2
NONDEFAULTRULE wide LAYER M1 WIDTH 5 ; END M1 VIA far LAYER M1 ; RECT 0 0 1 1 ; END far END wide
ARRAY core SITE row 0 0 N DO 1 BY 1 STEP 1 1 ; FLOORPLAN f SITE row 0 0 N DO 1 BY 1 STEP 1 1 ; END f END core
units time nanoseconds 1 ; database microns 1000 ; end units
LAYER poly TYPE MASTERSLICE ; END poly
LAYER diagonal TYPE ROUTING ; DIRECTION DIAG45 ; END diagonal
LAYER M1 TYPE ROUTING ; DIRECTION VERTICAL; PITCH 0.2 0.3 ; WIDTH 0.1;#glued
  SPACINGTABLE PARALLELRUNLENGTH 0 0.5
    WIDTH 0 0.1 0.2
    WIDTH 1 0.1 0.3 ;
  ACCURRENTDENSITY PEAK FREQUENCY 1 100 ; WIDTH 0.4 0.8 ; TABLEENTRIES 1 2 3 4 ;
  PROPERTY LEF58_PITCH "
    PITCH 9 ; END M1 \\" ;" ;
END M1
LAYER V1 TYPE CUT ; RESISTANCE 5 ; END V1
LAYER M2 TYPE ROUTING ; DIRECTION HORIZONTAL ; PITCH 0.2 0.3 ; WIDTH 0.5 ; RESISTANCE RPERSQ 0.1 ;
  CAPACITANCE CPERSQDIST 4e-05 ; EDGECAPACITANCE 3e-05 ; END M2
LAYER M3 TYPE ROUTING ; DIRECTION VERTICAL ; PITCH 0.4 ; WIDTH 0.2 ; END M3
SITE row SIZE 0.2 BY 2 ; END row
MACRO INV EEQ NAND ; FOREIGN INV 0 0 ; SIZE 4 BY 2 ; SYMMETRY X Y ; SITE row ;
  OBS LAYER M1 ; RECT 0 0 9 9 ; END
  PIN A[0] ANTENNAGATEAREA 0.1 LAYER M1 ; PORT END PORT CLASS CORE ; LAYER M1 ; RECT 1 1 2 2 ; END END A[0]
  DENSITY LAYER M1 ; RECT 0 0 1 1 45 ; END
  TIMING FROMPIN A ; END TIMING
END INV
END LIBRARY
VERSION 5.8 ; MACRO JOINED SIZE 4 BY 2 ; SITE row ; END JOINED
END LIBRARY
"""


def test_what_is_of_no_use_is_passed_over(read: Read) -> None:
    technology = read(PASSED_OVER)
    assert technology.database_units == 1000
    assert technology.layers == (
        Layer("M1", "vertical", 0.1, 0.2, 0.0, 0.0),
        Layer("M2", "horizontal", 0.5, 0.3, 0.2, pytest.approx(0.08)),
        Layer("M3", "vertical", 0.2, 0.4, 0.0, 0.0),
    )
    assert technology.macros["INV"].terminals == {"A[0]": Terminal(1.5, 1.5, "M1")}
    assert technology.macros["JOINED"].width_um == 4


def test_a_technology_may_be_in_several_files_and_packed(tmp_path: Path) -> None:
    cells, rest = tmp_path / "cells.lef", tmp_path / "rest.lef.gz"
    cells.write_text(INVERTER)
    rest.write_bytes(gzip.compress((UNITS + LAYERS + SITE + cell("INV", "")).encode()))
    technology = read_lef([cells, rest])
    assert technology.macros["INV"].terminals["A"] == Terminal(1.5, 1.5, "M1")
    assert read_lef([rest, cells]).macros["INV"].terminals == {}


def test_rows_are_those_of_most_cells(read: Read) -> None:
    double = "SITE double SIZE 0.2 BY 4 ; END double SITE pads SIZE 1 BY 1 ; END pads\n"
    high = INVERTER.replace("INV", "HIGH").replace("row", "double")
    assert read(double + SMALL + high).site == Site("row", 0.2, 2.0)


def test_cells_that_cannot_be_placed_are_named(read: Read, tmp_path: Path) -> None:
    liberty = tmp_path / "small.lib"
    pins = 'pin(A) { direction : input; } pin(Y) { direction : output; function : "!A"; }'
    liberty.write_text(
        "library(small) { nom_voltage : 1; capacitive_load_unit(1, ff); "
        f"cell(INV) {{ area : 1; {pins} }} cell(BUF) {{ area : 1; {pins} }} }}"
    )
    cells = read_liberty(liberty).cells
    read(SMALL).check([cells["INV"]])
    high = INVERTER.replace("INV", "BUF").replace("BY 2", "BY 4")
    for more, fault in (
        ("", "no MACRO of the cells BUF:"),
        (cell("BUF", pin(SQUARE)), "no shape on a routing layer for the pins Y of BUF:"),
        (high, "another height than that of rows, 2 um, for the cells BUF:"),
    ):
        with pytest.raises(UserError, match=fault):
            read(SMALL + more).check(cells.values())


def test_without_layers_above_the_pins_there_are_no_wires(read: Read) -> None:
    with pytest.raises(UserError, match="no horizontal and vertical routing layers above M2"):
        read(SITE + LAYERS + cell("X", pin("LAYER M2 ; RECT 0 0 1 1 ;"))).wires()
    with pytest.raises(UserError, match="no cell in the LEF files has a signal pin"):
        read(SITE + LAYERS + cell("X", "")).wires()


def test_only_the_sites_own_layers_have_published_capacitances(read: Read) -> None:
    ihp = SMALL.replace("row", "CoreSite").replace("M", "Metal").replace("MetalACRO", "MACRO")
    ihp = ihp.replace("MetalICRONS", "MICRONS")
    same = ihp.replace("0.2 BY 2", "0.48 BY 3.78")
    assert wire_capacitances(read(same)) == (0.183, 0.169)
    edge = layer("Metal1", "HORIZONTAL") + layer("Metal2", "VERTICAL", "EDGECAPACITANCE 1e-05 ;")
    assert wire_capacitances(read(edge + ihp)) == (0.0, pytest.approx(0.02))
    assert all(0.05 < value < 0.25 for layers in WIRES.values() for value in layers.values())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "have no routing layer: name that of the technology too"),
        (SITE + INVERTER, "have no routing layer"),
        (LAYERS + SITE, "have no MACRO of class CORE: name that of the cells too"),
        (LAYERS + INVERTER, "have no SITE that their cells stand on"),
        (LAYERS + INVERTER + "SITE other SIZE 1 BY 1 ; END other", "have no SITE that"),
        (SMALL[: SMALL.index("END M3")], "line 4: LAYER M3 has no END"),
        (SMALL[: SMALL.index("END Y")], "line 7: PIN Y has no END"),
        (SMALL + "MACRO", "line 9: MACRO has no END"),
        (SMALL + "VIA a", "line 9: VIA a has no END a"),
        (SMALL + "SIZE 1 BY 2", "line 9: SIZE has no semicolon"),
        (SMALL.replace("1 2 2 ;", "1 2 2"), "line 6: RECT has no semicolon"),
        (SMALL + 'A "b', "line 9: a string is not closed"),
        (SMALL.replace("END INV", "END INVERTER"), "line 8: END INVERTER does not end MACRO INV"),
        (SMALL + "END INV", "line 9: END INV does not end LIBRARY"),
        (SMALL.replace("RECT 1 1", "RECT 1 one"), "line 6: 'one' in RECT is not a number"),
        (SMALL.replace("RECT 1 1", "RECT 1 nan"), "line 6: 'nan' in RECT is not a number"),
        (SMALL.replace("RECT 1 1", "RECT 1"), "line 6: RECT has 3 numbers"),
        (SMALL.replace("RECT 1 1", "RECT ITERATE 1"), "line 6: RECT has 3 numbers"),
        (
            SMALL.replace("WIDTH 0.1", "RESISTANCE RPERSQ -5 ; WIDTH 0.1"),
            "line 2: LAYER M1 has a resistance or",
        ),
        (
            SMALL.replace("MICRONS 1000", "MICRONS 7"),
            "a site of 0.2 um and a grid of 7 steps a um, which it is",
        ),
        (SMALL.replace("WIDTH 0.1", "WIDTH 0"), "line 2: WIDTH of LAYER M1 is 0, not above 0"),
        (SMALL.replace("WIDTH 0.1 ;", ""), "line 2: LAYER M1 has no WIDTH"),
        (SMALL.replace("PITCH 0.2", "PITCH"), "line 2: PITCH has no number"),
        (SMALL.replace("4 BY 2", "4"), "line 6: SIZE of MACRO INV has 1 numbers in place of 2"),
        (SMALL.replace("LAYER M1 ;", "LAYER ;"), "line 6: LAYER has nothing behind it"),
        (SMALL.replace("1000", "1e999"), "line 1: '1e999' in DATABASE is not a number"),
        ("a\0b", "is not text"),
    ],
)
def test_faults_are_one_line_that_says_where(read: Read, text: str, fault: str) -> None:
    with pytest.raises(UserError, match=re.escape(fault)) as error:
        read(text)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read '.*no.lef'.*name a LEF file"):
        read_lef([tmp_path / "no.lef"])
