"""Netlists as one file and back: what is taken is what was made, and nothing else is."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lmul.cli import main
from lmul.cost.cells import exchange
from lmul.cost.cells.check import check_netlist
from lmul.cost.cells.estimate import estimate
from lmul.cost.cells.table import cost_table
from lmul.cost.library.reader import default_liberty, default_library
from lmul.cost.mapping.mapper import map_design, mapping_key, mapping_texts
from lmul.cost.mapping.scripts import QUICK_SCRIPTS, RIPPLE_EMAP
from lmul.cost.netlist.netlist import cell_models, read_netlist
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.hdl import export
from lmul.host.cache import Entry, entry_name, read_entry
from lmul.programs.yosys import run_yosys
from lmul.workloads import Operands
from tests.support.cost.gate_level import DESIGNS, mapped_design

MUL = make_design("mul")

EXPORT = cache(export)

OTHERS = [
    make_design("array", rows=2, cols=2, lanes=1),
    make_design("dot", lanes=2),
    make_design("mul", mul="exact", pipeline=1),
]
"""Streams, sums and stages: each is compared in its own way."""


@dataclass
class Package:
    """The members of an export, to be damaged; what is told of them and their checksums follow if asked."""

    index: dict[str, Any]
    members: dict[str, bytes]
    more: list[tuple[str, bytes]] = field(default_factory=list)

    @classmethod
    def read(cls, data: bytes) -> "Package":
        """Read a whole export."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        return cls(json.loads(members.pop(exchange.INDEX)), members)

    @property
    def item(self) -> dict[str, Any]:
        """What is told of the one netlist."""
        (item,) = self.index["netlists"]
        return item

    @property
    def name(self) -> str:
        """The name of its member."""
        return f"{self.item['key']}.json"

    def replace(self, netlist: bytes) -> None:
        """Put in another netlist, whose checksum is right."""
        self.members[self.name] = netlist
        self.item["sha256"] = sha256(netlist).hexdigest()

    def edit(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change the netlist's top module."""
        netlist = json.loads(self.members[self.name])
        (body,) = netlist["modules"].values()
        change(body)
        self.replace(json.dumps(netlist).encode())

    def write(self, path: Path) -> None:
        """Write it as it now is."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in [*self.members.items(), (exchange.INDEX, json.dumps(self.index)), *self.more]:
                archive.writestr(name, data)


def entry_path(design: Design, directory: Path) -> Path:
    """Give where the netlist of a design by the first of the quick scripts is kept."""
    text, library = EXPORT(design), default_library()
    texts, flatten = mapping_texts(text.verilog, library), design.kind != "array"
    return directory / entry_name(mapping_key(texts, text.name, library, QUICK_SCRIPTS[0], flatten))


def build_with(design: Design, cells: Path, directory: Path) -> Path:
    """Make a build directory with one netlist of a design in it."""
    mapped_design(design, cells)
    (directory / "cells").mkdir(parents=True)
    shutil.copy(entry_path(design, cells), directory / "cells")
    return directory


@pytest.fixture(scope="module")
def exported(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a directory with a build of one netlist of a multiplier, and its export."""
    place = tmp_path_factory.mktemp("exported")
    build_with(MUL, cells, place / "build")
    options = ["--build", str(place / "build")]
    assert main(["cost", "--cache", "export", str(place / "whole.zip"), *options]) == 0
    return place


@pytest.fixture
def build(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    return tmp_path / "build"


@pytest.fixture
def package(build: Path) -> Package:
    """Give the export, which is also in the test's directory, to be damaged."""
    return Package.read((build.parent / "whole.zip").read_bytes())


@pytest.fixture(autouse=True)
def _export_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare a third of a second of Yosys each time that the Verilog of the same design is asked for."""
    monkeypatch.setattr(exchange, "export", EXPORT)


def take(file: Path, *options: str) -> int:
    return main(["cost", "--cache", "import", str(file), "--build", str(file.parent / "other"), *options])


def refusal(file: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Give the line that an import is refused with, after which nothing is there."""
    capsys.readouterr()
    assert take(file, *options) == 2
    error = capsys.readouterr().err.removeprefix("Checking netlists ...\n")
    assert error.count("\n") == 1, error
    assert not list((file.parent / "other").rglob("*.json"))
    return error


def table(cells: Path) -> str:
    """Map and measure the multiplier by one script."""
    rng = np.random.default_rng(1)
    drawn = Operands("drawn", *(rng.normal(size=(8, 8)).astype(np.float32) for _ in range(2)))
    cost = estimate(MUL, [drawn], default_library(), scripts=QUICK_SCRIPTS[:1], cache=cells)
    console = Console(file=io.StringIO(), width=80)
    console.print(cost_table([cost]))
    return json.dumps(cost.as_dict()) + console.file.getvalue()  # type: ignore[attr-defined]


def test_imported_netlists_give_the_same_table_without_mapping(
    build: Path, package: Package, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = {path.name: path.read_bytes() for path in (build / "cells").iterdir()}
    assert take(build.parent / "whole.zip") == 0
    other = build.parent / "other" / "cells"
    assert {path.name: path.read_bytes() for path in other.iterdir()} == kept
    assert take(build.parent / "whole.zip") == 0
    assert "0 netlists imported, 1 there already" in capsys.readouterr().out

    def mapped(*_: object) -> None:
        raise AssertionError("a netlist was mapped")

    monkeypatch.setattr("lmul.cost.mapping.mapper._map_missing", mapped)
    assert table(other) == table(build / "cells")


def test_same_netlists_give_the_same_bytes_and_figures_stay_at_home(
    build: Path, package: Package, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = build / "cells"
    table(cells)
    map_design(
        "module m(input a, output b); assign b = ~a; endmodule",
        "m",
        default_library(),
        scripts=[RIPPLE_EMAP],
        cache=cells,
    )
    (cells / ("0" * 64 + ".json")).write_text("damaged")
    again = build.parent / "again.zip"
    assert main(["cost", "--cache", "export", str(again), "--build", str(build)]) == 0
    assert again.read_bytes() == (build.parent / "whole.zip").read_bytes()
    assert "1 netlist; 3 other entries" in capsys.readouterr().out


def test_key_depends_on_content_alone(tmp_path: Path) -> None:
    verilog, library = "module m(input a, output b); assign b = ~a; endmodule", default_library()
    for design in (None, MUL.parameters()):
        map_design(verilog, "m", library, scripts=[RIPPLE_EMAP], design=design, cache=tmp_path / str(design))
    (without,), (told,) = (list(path.iterdir()) for path in tmp_path.iterdir())
    assert without.name == told.name
    origins = {entry.origin is None for path in (without, told) if (entry := read_entry(path))}
    assert origins == {True, False}


def test_entry_of_an_earlier_version_has_no_origin(tmp_path: Path) -> None:
    value = json.dumps("text")
    (tmp_path / "entry").write_text(f"{sha256(value.encode()).hexdigest()}\n{value}")
    assert read_entry(tmp_path / "entry") == Entry("text")
    (tmp_path / "entry").write_text(Entry("text", {"design": 1}).text + "\n1")
    assert read_entry(tmp_path / "entry") is None


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_netlists_of_every_kind_pass(design: Design, cells: Path) -> None:
    assert check_netlist(mapped_design(design, cells).netlist, design) == ""


@pytest.mark.parametrize("dataflow", [{"dataflow": "os"}, {"dataflow": "ws"}], ids=str)
@pytest.mark.long
def test_netlists_of_arrays_pass(dataflow: dict[str, str], cells: Path) -> None:
    design = make_design("array", rows=3, cols=2, lanes=2, pipeline=1, share=1, **dataflow)
    assert check_netlist(mapped_design(design, cells).netlist, design) == ""


FLIPPED = {"AND2_X1": "NAND2_X1", "NAND2_X1": "AND2_X1", "OR2_X1": "NOR2_X1", "NOR2_X1": "OR2_X1"}
"""Nangate's gates whose pins have the same names."""


def flip(modules: dict[str, Any], number: int = 0) -> None:
    """Let a gate of a netlist compute the opposite."""
    nodes = [node for body in modules.values() for node in body["cells"].values()]
    found = [node for node in nodes if node["type"] in FLIPPED]
    node = found[number % len(found)]
    node["type"] = FLIPPED[node["type"]]


@pytest.mark.parametrize("design", OTHERS, ids=lambda design: design.name)
def test_flipped_gate_is_noticed_in_every_kind(design: Design, cells: Path) -> None:
    mapped = mapped_design(design, cells)
    for number in (0, 7):
        netlist = json.loads(mapped.json)
        flip(netlist["modules"], number)
        assert check_netlist(read_netlist(json.dumps(netlist), mapped.library), design), number


SHARES = {"mul": 0.97, "dot": 0.8, "array": 0.75}
"""Of stuck inputs that are noticed at least. Of the 16 of 80 missed in `dot`, 5 change no register."""


@pytest.mark.long
@pytest.mark.parametrize("design", [MUL, *OTHERS[:2]], ids=lambda design: design.name)
def test_most_stuck_inputs_are_noticed(design: Design, cells: Path) -> None:
    mapped = mapped_design(design, cells)
    netlist = json.loads(mapped.json)
    known = mapped.library.cells
    nodes = [node for body in netlist["modules"].values() for node in body["cells"].values()]
    pins = [
        (node["connections"], pin.name)
        for node in nodes
        if node["type"] in known and not (known[node["type"]].flip_flop or known[node["type"]].clock_gate)
        for pin in known[node["type"]].inputs
    ]
    noticed = []
    for place in np.random.default_rng(1).permutation(len(pins))[:40]:
        connections, pin = pins[place]
        before = connections[pin]
        for level in "01":
            connections[pin] = [level]
            stuck = read_netlist(json.dumps(netlist), mapped.library)
            noticed.append(bool(check_netlist(stuck, design)))
        connections[pin] = before
    assert np.mean(noticed) >= SHARES[design.kind]


def two_drivers(body: dict[str, Any]) -> None:
    """Drive an output a second time, by a copy of its gate, which no simulation tells from the first."""
    (last,) = body["ports"]["p"]["bits"][-1:]
    node = next(node for node in body["cells"].values() if [last] in node["connections"].values())
    body["cells"]["_copy_"] = node


def to_input(body: dict[str, Any]) -> None:
    """Drive an input from within."""
    node = next(iter(body["cells"].values()))
    body["cells"]["_more_"] = node | {
        "connections": node["connections"] | {"ZN": [body["ports"]["a"]["bits"][0]]}
    }


def nested(body: dict[str, Any]) -> None:
    body["cells"]["_self_"] = {"type": "lmul_e4m3_mul", "connections": {}}


def named(name: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        body["cells"][name] = body["cells"].pop(next(iter(body["cells"])))

    return change


def bit(text: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        body["netnames"]["_odd_"] = {"bits": [text]}

    return change


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "flipped gate": (lambda body: flip({"": body}), "p differs in"),
    "two drivers": (two_drivers, "2 drivers"),
    "driven input": (to_input, "2 drivers"),
    "other cell": (lambda body: next(iter(body["cells"].values())).update(type="NONE_X1"), "NONE_X1"),
    "latch": (lambda body: next(iter(body["cells"].values())).update(type="DLH_X1"), "DLH_X1"),
    "missing port": (lambda body: body["ports"].pop("a"), "ports"),
    "port of one bit more": (lambda body: body["ports"]["p"]["bits"].append("0"), "ports"),
    "within itself": (nested, "no netlist"),
    "Verilog in a name": (named("x (); assign p = 0; //"), "names"),
    "Verilog in a bit": (bit("1; assign p = 0; //"), "names"),
    "no cells": (lambda body: body.pop("cells"), "no netlist"),
    "bits that are none": (lambda body: body["ports"]["p"].update(bits=7), "no netlist"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_netlist_is_refused_by_name(
    name: str, package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, reason = WRONG[name]
    package.edit(change)
    package.write(tmp_path / "wrong.zip")
    error = refusal(tmp_path / "wrong.zip", capsys)
    assert package.item["key"][:12] in error and "mul e4m3 lmul" in error
    assert reason in error


def test_one_wrong_netlist_among_right_ones_keeps_all_out(
    package: Package, cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = build_with(make_design("mul", mul="mitchell", format="e5m2"), cells, tmp_path / "more")
    file = tmp_path / "more.zip"
    assert main(["cost", "--cache", "export", str(file), "--build", str(other)]) == 0
    more = Package.read(file.read_bytes())
    package.edit(lambda body: flip({"": body}))
    both = Package({**package.index, "netlists": [more.item, package.item]}, package.members | more.members)
    both.write(tmp_path / "both.zip")
    assert package.item["key"][:12] in refusal(tmp_path / "both.zip", capsys)


TOLD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "checksum": (lambda item: item.update(sha256="0" * 64), "checksum"),
    "other design": (lambda item: item["made_from"]["design"].update(mul="addm"), "not of that design"),
    "other script": (lambda item: item["made_from"].update(abc="strash"), "not of that design"),
    "hierarchy": (lambda item: item["made_from"].update(flatten=False), "not of that design"),
    "script that fills the memory": (
        lambda item: item["made_from"].update(yosys=["{top:>99999999999}"]),
        "not of that design",
    ),
    "script of numbers": (lambda item: item["made_from"].update(yosys=[1]), "made from"),
    "other Yosys": (lambda item: item["made_from"].update(pyosys="0.1"), "pyosys 0.1"),
    "no library": (lambda item: item["made_from"].pop("library"), "made from"),
    "design of nothing": (lambda item: item["made_from"].update(design={}), "its design is none"),
    "kind of nothing": (lambda item: item["made_from"]["design"].update(kind="div"), "'div' is unknown"),
    "format of nothing": (lambda item: item["made_from"]["design"].update(format=[1]), "its design is none"),
    "other words for the design": (lambda item: item["made_from"]["design"].update(lanes=1), "lanes"),
}


@pytest.mark.parametrize("name", TOLD)
def test_netlist_that_is_not_what_it_says_is_refused_by_name(
    name: str, package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, reason = TOLD[name]
    change(package.item)
    package.write(tmp_path / "told.zip")
    error = refusal(tmp_path / "told.zip", capsys)
    assert package.item["key"][:12] in error
    assert reason in error


def test_other_library_is_refused_and_asked_for(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.lib"
    other.write_text("/* another */" + default_liberty().read_text())
    error = refusal(tmp_path / "whole.zip", capsys, "--liberty", str(other))
    assert "NangateOpenCellLibrary" in error and "--liberty" in error
    cells = str(tmp_path / "build")
    options = ["--build", cells, "--liberty", str(other)]
    assert main(["cost", "--cache", "export", str(tmp_path / "none.zip"), *options]) == 2
    assert "no netlist of a design" in capsys.readouterr().err
    assert not (tmp_path / "none.zip").exists()


PATHS = ["../escaped.json", "/escaped.json", "..\\escaped.json", "escaped/", "cells\x00.json"]


@pytest.mark.parametrize("name", PATHS)
def test_member_of_another_name_is_refused(
    name: str, package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package.more.append((name, b"{}"))
    package.write(tmp_path / "paths.zip")
    assert "escaped" in refusal(tmp_path / "paths.zip", capsys) or "cells" in name
    assert not list(tmp_path.rglob("escaped*"))


@pytest.mark.parametrize("key", ["../" * 21 + "x", "0" * 63, "A" * 64, ""])
def test_key_that_is_none_is_refused(
    key: str, package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = package.members.pop(package.name)
    package.item["key"] = key
    package.members[package.name] = data
    package.write(tmp_path / "key.zip")
    assert "netlist 1" in refusal(tmp_path / "key.zip", capsys)


@pytest.mark.parametrize("limit", ["LARGEST_NETLIST", "LARGEST_TOTAL", "MOST_INSTANCES"])
def test_netlist_that_would_fill_the_memory_is_refused(
    limit: str,
    package: Package,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package.replace(package.members[package.name] + b" " * 1_000_000)
    package.write(tmp_path / "large.zip")
    monkeypatch.setattr(exchange, limit, 10 if limit == "MOST_INSTANCES" else 100_000)
    assert "more than" in refusal(tmp_path / "large.zip", capsys)


def test_modules_within_modules_are_counted_not_placed(cells: Path) -> None:
    modules = {
        f"m{depth}": {
            "attributes": {"top": "1"} if depth == 0 else {},
            "ports": {},
            "netnames": {},
            "cells": {str(n): {"type": f"m{depth + 1}", "connections": {}} for n in "ab"}
            if depth < 99
            else {},
        }
        for depth in range(100)
    }
    text = (
        json.dumps({"modules": modules}).replace('"a": {"type"', '"a_": {"type"').replace('"b": {', '"b_": {')
    )
    with pytest.raises(UserError, match="more than"):
        exchange._read_netlist(text, default_library())


FILES: dict[str, bytes] = {
    "empty": b"",
    "text": b"netlists",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "zip without anything": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("name", FILES)
def test_file_of_another_kind_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(FILES[name])
    assert "lmul cost --cache export" in refusal(tmp_path / "file", capsys)


def test_operands_directories_and_missing_files_are_no_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "mine.npz", a=np.ones((2, 2)), b=np.ones((2, 2)))
    for file in (tmp_path / "mine.npz", tmp_path, tmp_path / "missing"):
        assert "lmul cost --cache export" in refusal(file, capsys)


@pytest.mark.parametrize(
    "index", ["[]", "{", '{"kind": "netlists of lmul", "edition": 1, "netlists": [1]}', "[" * 9999]
)
def test_index_that_is_none_is_refused(
    index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "index.zip", "w") as archive:
        archive.writestr(exchange.INDEX, index)
    assert "is no export" in refusal(tmp_path / "index.zip", capsys)


def test_damaged_bytes_are_refused(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (tmp_path / "whole.zip").read_bytes()
    for place in (40, len(whole) // 4, len(whole) // 2):
        (tmp_path / "bytes.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        refusal(tmp_path / "bytes.zip", capsys)
    (tmp_path / "bytes.zip").write_bytes(whole[: len(whole) // 2])
    refusal(tmp_path / "bytes.zip", capsys)


@pytest.mark.parametrize(
    "options",
    [
        ["mul"],
        ["--seeds", "1"],
        ["--json", "x.json"],
        ["--compare", "lmul"],
        ["--estimate", "gates"],
        ["--claims"],
        ["--format", "e5m2"],
        ["--format-a", "e5m2"],
        ["--operands", "mine.npz"],
        ["--config", "x.toml"],
    ],
    ids=" ".join,
)
def test_options_that_would_be_ignored_are_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "netlists.zip")
    assert main(["cost", *options, "--cache", "export", file, "--build", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "leave" in error
    assert not Path(file).exists()


def test_other_words_than_export_and_import_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--cache", "send", "file"]) == 2
    assert "--cache takes export FILE or import FILE, not 'send'" in capsys.readouterr().err


ALIASES = """
module inner(input [3:0] x, output [3:0] y, output [1:0] z);
  assign y = {x[0], x[2:1], ~x[3]};
  assign z = 2'b10;
endmodule
module m(input [3:0] a, input [1:0] b, output [7:0] p, output [3:0] q, output r);
  wire [3:0] y;
  inner one(.x(a), .y(y), .z(p[7:6]));
  inner other(.x({b, y[3:2]}), .y(q), .z());
  assign p[5:0] = {a[2:1], q};
  assign r = b[0];
endmodule
"""
"""Outputs that are inputs, constants or each other, and slices of vectors between modules."""

PROVE = """\
read_verilog design.v; prep -flatten -top m; rename m gold; design -stash gold
read_verilog netlist.v cells.v; prep -flatten -top m; rename m gate; design -stash gate
design -copy-from gold gold; design -copy-from gate gate
miter -equiv -flatten gold gate both; sat -verify -prove trigger 0 both
"""


@pytest.mark.parametrize("flatten", [True, False])
def test_verilog_of_a_netlist_is_the_design(flatten: bool, tmp_path: Path) -> None:
    mapping = map_design(ALIASES, "m", default_library(), scripts=[RIPPLE_EMAP], flatten=flatten)
    (mapped,) = mapping.values()
    models = cell_models(mapped.library, mapped.netlist.cell_counts)
    for name, text in {"design.v": ALIASES, "netlist.v": mapped.verilog, "cells.v": models}.items():
        (tmp_path / name).write_text(text)
    run_yosys(PROVE.replace(";", "\n").split("\n"), tmp_path)
