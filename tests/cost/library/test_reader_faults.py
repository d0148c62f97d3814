"""Liberty files that cannot be read: one line for each, with the place and the reason, whatever is wrong."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings

from lmul.cost.library.cells import Library
from lmul.cost.library.reader import read_liberty
from lmul.errors import UserError
from tests.support.host.edits import EDITS, VALID, edited

HEAD = "library(a) {\n nom_voltage : 1;\n"
CELL = "cell(b) {\n area : 1;\n"
PIN = HEAD + CELL + "pin(A) {\n direction : input;\n"


def timed(text: str, template: str = "") -> str:
    return f"""library(a) {{ nom_voltage : 1; {template}
      cell(b) {{ area : 1; pin(A) {{ direction : input; }} pin(Y) {{ direction : output;
      timing() {{ related_pin : "A";
      cell_rise{text}
      }} }} }} }}"""


ONE_AXIS = 'lu_table_template(t) { variable_1 : input_net_transition; index_1("1, 2"); }'

BROKEN = {
    "": (1, "holds no library"),
    "\n\n/* only a comment */\n": (1, "holds no library"),
    "module m; endmodule": (1, "module is followed by neither"),
    "\n&&&": (2, "'&&&' is neither attribute nor group"),
    "cell(a) { area : 1; }": (1, "cell(a) is not inside a library"),
    "pin(a) { }": (1, "pin(a) is not inside the library"),
    f"{HEAD}}} area : 1;": (3, "area(1) is not inside the library"),
    f"{HEAD}}}\n library(b) {{ }}": (4, "library(b) is not inside the library"),
    f"{HEAD}}}": (1, "no cells"),
    "library(a) {\n cell(b) { area : 1; } }": (1, "has no nom_voltage"),
    # What is open at the end, where it was opened.
    "library(a) {": (1, "library(a) is not closed"),
    HEAD + CELL: (3, "cell(b) is not closed"),
    f"{HEAD}{CELL} vendor(x) {{\n y : 1;": (5, "vendor(x) is not closed"),
    f"{HEAD}{CELL}\n}}\n}}\n}}": (8, "closes no group"),
    f"{PIN} }}\n cell(c) {{ }} }}": (3, "cell(b) is not closed before cell(c)"),
    f"{HEAD} /* open": (3, "a comment is not closed"),
    f"{HEAD} values(\n/* open": (4, "a comment is not closed"),
    f"{HEAD} vendor() {{ \n /* open }} }}": (4, "a comment is not closed"),
    f'{HEAD}\n comment : "open; }}': (4, "a string is not closed"),
    f'{HEAD} vendor() {{ \n comment : "open; }} }}': (4, "a string is not closed"),
    f'{HEAD} comment : "open;\n date : "today"; }}': (3, "a string is not closed"),
    f'{HEAD} values("1, 2",\n "3, 4,\n "5, 6");': (4, "a string is not closed"),
    # What is no statement.
    f"{HEAD}{CELL} pin A;": (5, "pin is followed by neither"),
    f"{HEAD}\n area : ; }}": (4, "area has no value"),
    f"{HEAD}\n area : }}": (4, "area has no value"),
    f"{HEAD}\n capacitive_load_unit(1, pf; }}": (4, "in the parentheses of capacitive_load_unit"),
    f"{HEAD} ]": (3, "']' is neither attribute nor group"),
    # What is no number, or not as many as it takes.
    f"{HEAD} cell(b) {{\n area : wide; }} }}": (4, "area is 'wide', not a number"),
    f"{HEAD} cell(b) {{\n area : nan; }} }}": (4, "area is 'nan', not a number"),
    f"{HEAD} cell(b) {{\n area : VDD + 0.5; }} }}": (4, "area is 'VDD + 0.5', not a number"),
    f"{PIN} capacitance : 1pf; }} }} }}": (7, "capacitance is '1pf', not a number"),
    timed('(scalar) { values("1x"); }'): (4, "'1x' in values is not a number"),
    timed('(t) { values("1,\n\n 1e999"); }', ONE_AXIS): (6, "'1e999' in values is not a number"),
    timed('(t) { values("1.7e308, 1.7e308"); }', ONE_AXIS): (4, "too large"),
    timed('(scalar) { values("1, 2"); }'): (4, "cell_rise(scalar) has 2 values in place of 1"),
    timed('(t) {\n values("1, 2, 3"); }', ONE_AXIS): (5, "cell_rise(t) has 3 values in place of 2"),
    timed("(t) { }", ONE_AXIS): (4, "cell_rise(t) has no values"),
    timed('(u) { values("1"); }', ONE_AXIS): (4, "no table template 'u'"),
    timed('(t) { index_1("2, 1"); values("1, 2"); }', ONE_AXIS): (4, "index_1 is not ascending"),
    timed('(t) { index_1("1, 1"); values("1, 2"); }', ONE_AXIS): (4, "index_1 is not ascending"),
    timed('(t) { index_1(""); values(""); }', ONE_AXIS): (4, "index_1 is not ascending"),
    timed('(t) { values("1"); }', "lu_table_template(t) { variable_1 : weather; }"): (1, "'weather'"),
    timed('(t) { values("1"); }', "lu_table_template(t) { variable_1 : input_net_transition; }"): (
        4,
        "has no index_1",
    ),
    timed(
        '(t) { values("1"); }',
        "lu_table_template(t) { variable_1 : input_net_transition; variable_2 : input_transition_time; }",
    ): (1, "depends twice on the same"),
    # What is known by name alone.
    f'{HEAD} time_unit : "1h";\n{CELL} }} }}': (3, "time_unit is '1h', an unknown unit"),
    f"{HEAD} capacitive_load_unit(., pf);\n{CELL} }} }}": (3, "an unknown unit"),
    f"{HEAD} capacitive_load_unit(0, pf);\n{CELL} }} }}": (3, "an unknown unit"),
    f"{HEAD} leakage_power_unit : 1;\n{CELL} }} }}": (3, "an unknown unit"),
    f"{HEAD} cell() {{ area : 1; }} }}": (3, "a cell without a name"),
    f"{HEAD}{CELL} pin() {{ direction : input; }} }} }}": (5, "a pin without a name"),
    f"{HEAD}{CELL} bus(A) {{ bus_type : lost; }} }} }}": (5, "bus(A) has no known bus_type"),
    f"{HEAD}{CELL} type(t) {{ bit_from : 0; bit_to : 1e9; }} bus(A) {{ bus_type : t; }} }} }}": (5, "bits"),
    f"{HEAD}{CELL} type(t) {{\n bit_from : 0; bit_to : 1e300; }} bus(A) {{ bus_type : t; }} }} }}": (
        6,
        "1e+12",
    ),
    f"{HEAD}{CELL} type(t) {{ bit_from : 0; bit_to : 99999; }}" + "bus(A) { bus_type : t; }" * 9 + "} }": (
        5,
        "bits",
    ),
    f"{HEAD} cell(x;) {{ area : 1; }} }}": (3, "parentheses of cell"),
    f'{HEAD} cell("x;exec") {{ area : 1; }} }}': (3, "a cell is named 'x;exec'"),
    f"{HEAD}{CELL} bus(A) {{ pin(A[0:999999]) {{ }} }} }} }}": (5, "bits"),
    f"{HEAD} wire_load(w) {{ fanout_length(3); }}\n{CELL} }} }}": (3, "fanout_length"),
    f"{HEAD} wire_load(w) {{ fanout_length(-1, 3); }}\n{CELL} }} }}": (3, "fanout_length"),
    # What would be too much for a reader that recurses or tries again.
    "library(a) {" + "pin(a) {" * 100_000: (1, "pin(a) is not closed"),
    "library(a) {" + "vendor(a) {" * 100_000: (1, "vendor(a) is not closed"),
    "library(a) {" + "}" * 100_000: (1, "closes no group"),
    HEAD + "values(" + '"1",' * 100_000: (3, "in the parentheses of values"),
    HEAD + "(" * 100_000: (3, "neither attribute nor group"),
    HEAD + "/* " * 100_000: (3, "a comment is not closed"),
    HEAD + '"' * 100_001: (3, "a string is not closed"),
    HEAD + "a:" + "\\" * 100_000: (3, "a has no value"),
}


def refusal(file: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_liberty(file)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert repr(str(file)) in message
    return message


@pytest.mark.parametrize("text", BROKEN, ids=[reason for _, reason in BROKEN.values()])
def test_broken_files_take_one_line_with_the_place(tmp_path: Path, text: str) -> None:
    line, reason = BROKEN[text]
    file = tmp_path / "broken.lib"
    file.write_text(text)
    message = refusal(file)
    assert message.startswith(f"not a usable Liberty file: {str(file)!r}, line {line}: ")
    assert reason in message
    assert len(message) < len(str(file)) + 200


def test_unreadable_files_take_one_line(tmp_path: Path) -> None:
    binary, packed = tmp_path / "binary.lib", tmp_path / "cut.lib.gz"
    binary.write_bytes(b"\0\1\2\3")
    packed.write_bytes(gzip.compress(b"library(a) { }")[:12])
    for file in (tmp_path, tmp_path / "missing.lib", binary, packed):
        assert "Liberty file" in refusal(file)


@pytest.fixture(scope="module")
def mutant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants") / "mutant.lib"


def test_the_library_to_be_mutated_is_valid(mutant: Path) -> None:
    mutant.write_text(VALID)
    cells = read_liberty(mutant).cells
    assert [name for name, cell in cells.items() if cell.unusable] == ["RAM"]


@settings(derandomize=True, max_examples=1000, deadline=500)
@given(EDITS)
def test_a_mutated_library_is_read_or_refused_in_one_line(
    mutant: Path, edits: list[tuple[str, int, int | str | None]]
) -> None:
    mutant.write_bytes(edited(VALID, edits).encode("latin-1"))
    try:
        library = read_liberty(mutant)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        assert repr(str(mutant)) in str(error)
    else:
        assert isinstance(library, Library)
        assert all(len(cell.unusable.splitlines()) <= 1 for cell in library.cells.values())
