"""The shape of the code: what imports what, how much is on a floor, what kept figures depend on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmul.cost.cells import measure as cells
from lmul.host.cache import program_sources
from lmul.llm.readers import reader
from lmul.report import measure as report
from tests.support.paths import DOCS, ROOT
from tests.support.scripts import script

rooms = script(DOCS / "rooms.py")


def places(rows: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    return {name: place for place, names in enumerate(rows) for name in names}


def upward(graph: dict[str, set[str]], order: dict[str, int]) -> list[tuple[str, str]]:
    return [(room, name) for room, names in graph.items() for name in names if order[name] >= order[room]]


def test_rooms_import_only_what_comes_before_them() -> None:
    graph, order = rooms.rooms(), places(rooms.FLOW)
    assert graph.keys() == order.keys() == rooms.TEXTS.keys()
    assert not upward(graph, order)
    assert graph["golden"] <= {"host", "multipliers"}


@pytest.mark.parametrize("room", rooms.INSIDE)
def test_parts_of_a_room_import_only_what_comes_before_them(room: str) -> None:
    graph, order = rooms.inside(room), places(rooms.INSIDE[room])
    assert graph.keys() == order.keys()
    assert not upward(graph, order)


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert not rooms.circles(rooms.modules())
    assert rooms.circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": set()}) == ["a", "b", "c", "d"]


def test_imports_are_seen_wherever_they_are() -> None:
    found = rooms.imported(ROOT / "src/lmul/cli.py")
    assert {"kinds", "hdl.__init__", "commands.cost"} < found
    assert rooms.imported(ROOT / "sim/native/native.py") > {"sim.simulators.verilator", "golden.__init__"}
    assert rooms.room_of("hdl.array.array") == "hdl"
    assert rooms.room_of("errors") == "common"


def test_the_picture_is_of_the_imports_in_the_code() -> None:
    assert rooms.PICTURE.read_text() == rooms.picture(rooms.rooms()), "run `python docs/rooms.py`"


def test_the_table_has_every_part_of_every_room() -> None:
    assert rooms.PAGE.read_text() == rooms.page(), "run `python docs/rooms.py`"


STEPS = [
    pytest.param(file, re.findall(r"`(\w+)`", names), id=f"{number}-{file}")
    for number, (file, names) in enumerate(
        re.findall(r"^\| `([\w/]+\.py)` \| (`.*?) \| .* \|$", rooms.PAGE.read_text(), re.MULTILINE)
    )
]
"""Files and names of the walks."""


@pytest.mark.parametrize(("file", "names"), STEPS)
def test_a_walk_goes_by_files_and_names_that_there_are(file: str, names: list[str]) -> None:
    assert names
    assert set(names) <= set(defined(ast.parse((ROOT / file).read_text()).body))


def test_files_that_the_page_names_are_there() -> None:
    assert len(STEPS) > 40
    # In the table of rooms files are named within their room, as they were found there.
    text = re.sub("<!-- rooms -->.*?<!-- end -->", "", rooms.PAGE.read_text(), flags=re.S)
    paths = re.findall(r"`(\w+/[\w/]+\.py)`", text)
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def defined(body: list[ast.stmt]) -> Iterator[str]:
    """Give the names of functions, classes and their methods, and of constants."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from defined(node.body)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def folders(room: Path) -> Iterator[Path]:
    yield room
    for path in room.iterdir():
        if path.is_dir() and path.name != "__pycache__":
            yield from folders(path)


ROOMS = sorted(path for path in (ROOT / "src/lmul").iterdir() if path.is_dir())


@pytest.mark.parametrize("room", [*ROOMS, ROOT / "tests"], ids=lambda room: room.name)
def test_no_floor_has_more_than_a_dozen_files(room: Path) -> None:
    for folder in folders(room):
        modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= rooms.MOST_FILES, folder


@pytest.mark.parametrize(
    ("parts", "made_by"),
    [
        (cells.SOURCES, ["cost.cells.measure"]),
        (report.SOURCES, ["report.measure"]),
        (reader.SOURCES, ["llm.evaluation", "llm.products.host", "llm.products.torch", "scheme"]),
        (reader.TORCH_SOURCES, ["llm.evaluation", "llm.readers.torch"]),
    ],
)
def test_kept_figures_depend_on_all_that_makes_them(parts: tuple[str, ...], made_by: list[str]) -> None:
    graph, needed, found = rooms.modules(), set(made_by), set[str]()
    while needed - found:
        name = (needed - found).pop()
        found.add(name)
        needed |= graph[name]
    covered = {
        ".".join(path.relative_to(rooms.SOURCE).with_suffix("").parts) for path in program_sources(*parts)
    }
    # Of the machine and its terminal figures do not depend, and a text's checksum is in its key.
    apart = {"common", "host", "programs", "terminal"}
    assert not {n for n in found - covered - {"workloads.texts"} if rooms.room_of(n) not in apart}
