"""Netlists of a directory of results as one file, and back, each checked before it is taken.

The file is a zip archive: `netlists.json` says of every netlist what it was made from, and has the checksum
of the member that holds it. Nothing in it is believed. The key of a netlist is made anew from the design, so
that it cannot stand in the place of another, and the netlist is simulated against the golden model. Figures
stay at home: they are measured anew.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmul.cost.cells.check import check_netlist
from lmul.cost.library.cells import Library
from lmul.cost.library.reader import IDENTIFIER
from lmul.cost.mapping.mapper import mapping_key, mapping_texts
from lmul.cost.mapping.scripts import SynthesisScript
from lmul.cost.netlist.netlist import Netlist, read_netlist
from lmul.design import Design, make_design
from lmul.errors import Parameter, UserError, printable
from lmul.hdl import Export, export
from lmul.host.cache import Entry, digest, entry_name, read_entry
from lmul.host.files import open_input, write_files

INDEX = "netlists.json"
KIND, EDITION = "netlists of lmul", 2
WANTED = "wanted a file that `lmul cost --cache export` wrote"

DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member, so that the same netlists give the same bytes."""

LARGEST_INDEX, LARGEST_NETLIST, LARGEST_TOTAL = 1 << 26, 1 << 28, 1 << 32
"""Bytes, unpacked."""

MOST_INSTANCES = 1 << 22
"""Of a netlist, flattened: modules within modules can be more than any memory holds."""

_KEY = re.compile(r"[0-9a-f]{64}")
_ORIGIN = {
    "design": dict,
    "script": str,
    "yosys": list,
    "abc": str,
    "flatten": bool,
    "library": str,
    "library_sha256": str,
    "pyosys": str,
}
_ITEM = {"key": str, "sha256": str, "made_from": dict}

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Exported:
    """An export.

    Parameters
    ----------
    data : bytes
        The file.
    netlists : int
        How many are in it.
    left_out : int
        Other entries of the directory: figures, circuits that are no designs, netlists of other libraries or
        versions, damaged ones.
    """

    data: bytes
    netlists: int
    left_out: int


@dataclass(frozen=True)
class _Source:
    """What a netlist is made from.

    Parameters
    ----------
    design : Design
    script : SynthesisScript
    flatten : bool
    """

    design: Design
    script: SynthesisScript
    flatten: bool


class _Keys:
    """Makes the keys that this version gives netlists of a library."""

    def __init__(self, library: Library):
        self.library = library
        self._files = mapping_texts("", library)
        self._exports: dict[Design, Export] = {}

    def text(self, design: Design) -> Export:
        """Give the Verilog of a design."""
        if design not in self._exports:
            self._exports[design] = export(design)
        return self._exports[design]

    def name(self, source: _Source) -> str:
        """Give the name of the file that the netlist is kept in."""
        text = self.text(source.design)
        texts = self._files | {"design.v": text.verilog}
        return entry_name(mapping_key(texts, text.name, self.library, source.script, source.flatten))


def export_netlists(cells: Path, library: Library, progress: Report) -> Exported:
    """Put the netlists of designs in a library's cells into one file.

    Parameters
    ----------
    cells : Path
        Directory of results.
    library : Library
    progress : callable
        Called with the numbers of finished and of all entries.

    Raises
    ------
    UserError
        The library cannot be read, or there is no netlist of it.
    """
    keys = _Keys(library)
    paths = sorted(cells.glob("*.json"))
    file, index = io.BytesIO(), []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for done, path in enumerate(paths, start=1):
            entry = read_entry(path)
            if entry and _is_current(entry, path.name, keys):
                item = {"key": path.stem, "sha256": digest(entry.value), "made_from": entry.origin}
                index.append(item)
                _add(archive, path.name, entry.value)
            progress(done, len(paths))
        whole = {"kind": KIND, "edition": EDITION, "lmul": version("lmul"), "netlists": index}
        _add(archive, INDEX, json.dumps(whole, indent=1))
    if not index:
        raise UserError(
            f"no netlist of a design in library {keys.library.name} in {str(cells)!r}: ",
            *("run `lmul cost` on one, or name another ", Parameter("build"), " or ", Parameter("liberty")),
        )
    return Exported(file.getvalue(), len(index), len(paths) - len(index))


def _add(archive: zipfile.ZipFile, name: str, content: str) -> None:
    member = zipfile.ZipInfo(name, DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.create_system, member.external_attr = 3, 0o644 << 16
    archive.writestr(member, content)


def _is_current(entry: Entry, name: str, keys: _Keys) -> bool:
    """Tell whether an entry is a netlist that this version would find."""
    try:
        return isinstance(entry.value, str) and keys.name(_source(entry.origin, keys.library)) == name
    except UserError:
        return False


def import_netlists(path: Path, cells: Path, library: Library, progress: Report) -> tuple[int, int]:
    """Take the netlists of an export into a directory of results, all of them or none.

    Parameters
    ----------
    path : Path
        The export.
    cells : Path
        Directory of results. What is in it stays as it is.
    library : Library
        That the netlists are of.
    progress : callable
        Called with the numbers of checked and of all netlists.

    Returns
    -------
    taken, there : int
        Netlists that were written, and those that were there already.

    Raises
    ------
    UserError
        The file is no export, or a netlist is damaged, made from something else than it says, or no
        netlist of its design. Nothing has then been written.
    """
    keys = _Keys(library)
    with _opened(path) as archive:
        index = _read_index(archive, path)
        for done, item in enumerate(index, start=1):
            try:
                _check(item, _read_text(archive, item), keys)
            except UserError as error:
                refused = error.behind(f"{str(path)!r}: {_label(item)} is refused: ")
                raise UserError(*refused.args, f"; {WANTED}") from None
            progress(done, len(index))
        missing = [item for item in index if read_entry(cells / _member(item)) is None]
        for item in missing:
            entry = Entry(_read_text(archive, item), item["made_from"])
            write_files(cells, {_member(item): entry.text})
    return len(missing), len(index) - len(missing)


def _check(item: Mapping[str, Any], text: str, keys: _Keys) -> None:
    source = _source(item["made_from"], keys.library)
    if keys.name(source) != _member(item):
        raise UserError("it is not of that design, or another version of lmul made it")
    netlist = _read_netlist(text, keys.library)
    ports = [(port.name, port.direction, len(port.nets)) for port in netlist.ports]
    wanted = [(p["name"], f"{p['direction']}put", p["width"]) for p in keys.text(source.design).ports]
    if netlist.name != keys.text(source.design).name or sorted(ports) != sorted(wanted):
        raise UserError("its ports are not those of the design")
    if wrong := check_netlist(netlist, source.design):
        raise UserError(f"it does not compute what the golden model does: {wrong}")


def _source(origin: Any, library: Library) -> _Source:
    """Read what a netlist was made from.

    Raises
    ------
    UserError
        It is not told, or is of another library or version of Yosys.
    """
    if not _has_types(origin, _ORIGIN) or not all(isinstance(line, str) for line in origin["yosys"]):
        raise UserError("it does not say what it was made from")
    if origin["library_sha256"] != library.checksum:
        raise UserError(
            f"it is of library {origin['library']}, not {library.name}: name its file by ",
            Parameter("liberty"),
        )
    if origin["pyosys"] != version("pyosys"):
        raise UserError(f"pyosys {origin['pyosys']} made it, and this is {version('pyosys')}")
    try:
        design = make_design(**origin["design"])
        same = design.parameters() == origin["design"]
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"its design is none: {error}") from None
    if not same:
        raise UserError("its design is not told in full")
    script = SynthesisScript(origin["script"], tuple(origin["yosys"]), origin["abc"])
    return _Source(design, script, origin["flatten"])


def _has_types(values: Any, types: Mapping[str, type]) -> bool:
    return isinstance(values, dict) and {name: type(value) for name, value in values.items()} == types


def _read_netlist(text: str, library: Library) -> Netlist:
    """Read a netlist of unknown origin.

    Raises
    ------
    UserError
        It is none, or would fill the memory, or has what a tool would read otherwise than we do.
    """
    try:
        modules = json.loads(text)["modules"]
        _check_words(modules)
        if max(_instances(modules, name, {}) for name in modules) > MOST_INSTANCES:
            raise UserError(f"it has more than {MOST_INSTANCES:,} cells")
        return read_netlist(text, library)
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise UserError("it is no netlist in the JSON of Yosys") from None


def _check_words(modules: Mapping[str, Any]) -> None:
    """Refuse names and bits that Verilog would read as something else."""
    for module, body in modules.items():
        ports, cells, nets = (body[part] for part in ("ports", "cells", "netnames"))
        pins = [(pin, bits) for node in cells.values() for pin, bits in node["connections"].items()]
        names = [module, *ports, *cells, *nets, *(pin for pin, _ in pins)]
        names += [node["type"] for node in cells.values()]
        vectors = [*(bits for _, bits in pins), *(one["bits"] for one in (*ports.values(), *nets.values()))]
        plain = all(IDENTIFIER.fullmatch(name) for name in names)
        known = all(type(bit) is int or bit in ("0", "1", "x", "z") for bits in vectors for bit in bits)
        if not (plain and known and all(port["direction"] in ("input", "output") for port in ports.values())):
            raise UserError(f"module {module} has names, directions or bits that Yosys does not give")


def _instances(modules: Mapping[str, Any], module: str, counted: dict[str, int]) -> int:
    """Count the instances in a module and in those within it, which are counted once each."""
    if module not in counted:
        kinds = (node["type"] for node in modules[module]["cells"].values())
        counted[module] = sum(
            1 + (_instances(modules, kind, counted) if kind in modules else 0) for kind in kinds
        )
    return counted[module]


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with open_input(path, WANTED) as file:
        try:
            archive = zipfile.ZipFile(file)
        # A damaged file makes the unpacker raise almost anything.
        except Exception as error:
            raise UserError(f"{str(path)!r} is not a whole zip file: {WANTED}") from error
        with archive:
            yield archive


def _read_index(archive: zipfile.ZipFile, path: Path) -> list[dict[str, Any]]:
    """Read what netlists there are; the archive holds them and nothing else."""
    try:
        whole = json.loads(_unpacked(archive, INDEX, LARGEST_INDEX))
        edition, items = whole["edition"], whole["netlists"]
        known = whole["kind"] == KIND and isinstance(items, list) and bool(items)
    except (LookupError, TypeError, ValueError, RecursionError):
        raise UserError(f"{str(path)!r} is no export: {WANTED}") from None
    if not known or edition != EDITION:
        raise UserError(f"{str(path)!r} is no export of edition {EDITION}: {WANTED}")
    for number, item in enumerate(items, start=1):
        if not _has_types(item, _ITEM) or not _KEY.fullmatch(item["key"]):
            raise UserError(f"{str(path)!r}: netlist {number} of {INDEX} is not described: {WANTED}")
    expected, found = sorted([INDEX, *map(_member, items)]), sorted(archive.namelist())
    if expected != found:
        odd = next((name for name in found if found.count(name) != expected.count(name)), "") or "a netlist"
        raise UserError(f"{str(path)!r}: {printable(odd)} is missing, double or not in {INDEX}: {WANTED}")
    if sum(member.file_size for member in archive.infolist()) > LARGEST_TOTAL:
        raise UserError(f"{str(path)!r} unpacks to more than {LARGEST_TOTAL:,} bytes: {WANTED}")
    return sorted(items, key=lambda item: (_label(item), item["key"]))


def _member(item: Mapping[str, Any]) -> str:
    return f"{item['key']}.json"


def _label(item: Mapping[str, Any]) -> str:
    """Name a netlist for people, by what it says of itself."""
    script, design = (item["made_from"].get(name) for name in ("script", "design"))
    words = " ".join(map(str, design.values())) if isinstance(design, dict) else "unknown design"
    return f"netlist {item['key'][:12]} ({words}; {script})"


def _read_text(archive: zipfile.ZipFile, item: Mapping[str, Any]) -> str:
    data = _unpacked(archive, _member(item), LARGEST_NETLIST)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UserError("it is not text") from None
    if digest(text) != item["sha256"]:
        raise UserError("its checksum is another one")
    return text


def _unpacked(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Unpack a member of limited size."""
    try:
        if archive.getinfo(name).file_size > limit:
            raise UserError(f"it unpacks to more than {limit:,} bytes")
        with archive.open(name) as member:
            return member.read(limit)
    except (UserError, KeyError):
        raise
    # As above.
    except Exception as error:
        raise UserError("it cannot be unpacked") from error
