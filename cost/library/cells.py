"""Cell libraries: cells with their functions, delays, energies and loads, in one set of units.

Times are ns, capacitances fF, energies fJ, leakage nW, areas um2, resistances kohm and voltages V.
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lmul.cost.library.functions import Expression

Points = NDArray[np.float64]

_Places = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """A look-up table of the non-linear delay model (NLDM).

    Delays, transitions and energies have the input slew (ns) in rows and the output load (fF) in columns;
    setup times have the slew of the data in rows and that of the clock in columns. An axis on which the
    table does not depend has one point. Where the file has the load of another output as a third axis, it is
    held at its first point.

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
        below, above = self.values[i], self.values[upper]
        low = below[j] + (below[right] - below[j]) * column_share
        high = above[j] + (above[right] - above[j]) * column_share
        return low + (high - low) * row_share

    def at_all(self, rows: Points, columns: Points) -> Points:
        """Interpolate as `at` does, for many points at once.

        Parameters
        ----------
        rows, columns : float64 array, shape (points,)

        Returns
        -------
        float64 array, shape (points,)
        """
        values = np.array(self.values)
        i, upper, row_share = _segments(self.rows, rows)
        j, right, column_share = _segments(self.columns, columns)
        low = values[i, j] + (values[i, right] - values[i, j]) * column_share
        high = values[upper, j] + (values[upper, right] - values[upper, j]) * column_share
        blended: Points = low + (high - low) * row_share
        return blended


def _segment(axis: tuple[float, ...], point: float) -> tuple[int, int, float]:
    if len(axis) == 1:
        return 0, 0, 0.0
    # Searched among the inner points, what is outside is in the first or last segment.
    start = bisect_right(axis, point, 1, len(axis) - 1) - 1
    return start, start + 1, (point - axis[start]) / (axis[start + 1] - axis[start])


def _segments(axis: tuple[float, ...], points: Points) -> tuple[_Places, _Places, Points]:
    if len(axis) == 1:
        first = np.zeros(len(points), dtype=np.intp)
        return first, first, np.zeros(len(points))
    marks = np.array(axis)
    start = np.clip(np.searchsorted(marks, points, side="right") - 1, 0, len(axis) - 2)
    return start, start + 1, (points - marks[start]) / (marks[start + 1] - marks[start])


Edges = tuple[Table | None, Table | None]
"""Tables for the rising and the falling edge."""


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
    when : Expression or None
        The state of the other pins for which this holds; None if for all.
    delay, slew : tuple of (Table or None)
        Tables for the rising and the falling edge of the output.
    """

    related_pin: str
    kind: str
    sense: str
    when: Expression | None
    delay: Edges
    slew: Edges

    @property
    def through_gate(self) -> bool:
        """Whether the arc tells when an edge of an input arrives, and how steep it is."""
        return self.kind.startswith("combinational") and any(self.delay) and any(self.slew)


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
    limit: Edges


@dataclass(frozen=True)
class InternalPower:
    """Energy that a cell takes inside itself when a pin toggles. One edge alone may be negative.

    Those of one pin, related pin and supply are alternatives, of which the one holds whose `when` is true.
    Those of different supplies are drawn at the same time and add up.

    Parameters
    ----------
    related_pin : str or None
        The input that caused the toggle of an output; None for the power of an input pin.
    related_pg_pin : str or None
        The supply that the energy is drawn from; None in libraries that do not tell supplies apart.
    when : Expression or None
        The state of the other pins for which this holds; None if for all.
    energy : tuple of (Table or None)
        Tables for the rising and the falling edge.
    """

    related_pin: str | None
    related_pg_pin: str | None
    when: Expression | None
    energy: Edges

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

    def mean_at(self, slews: Points, loads: Points) -> Points:
        """Energy of one toggle for many slews (ns) and loads (fF) at once, in fJ."""
        return 0.5 * sum((table.at_all(slews, loads) for table in self.energy if table), np.zeros(len(slews)))


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
    edge_capacitances : tuple of two floats
        The same for rising and falling edges, where delays tell them apart.
    function : Expression or None
        What an output carries; None where the library gives no function, the output is three-state or the
        cell is a clock gate.
    arcs : tuple of TimingArc
        Delays to this output.
    constraints : tuple of Constraint
        Setup times of this input.
    powers : tuple of InternalPower
        Internal power of this pin.
    largest_load : float
        What an output may drive, in fF; infinite where the library has no limit.
    """

    name: str
    direction: str
    capacitance: float
    edge_capacitances: tuple[float, float]
    function: Expression | None
    arcs: tuple[TimingArc, ...]
    constraints: tuple[Constraint, ...]
    powers: tuple[InternalPower, ...]
    largest_load: float = math.inf


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
class LeakageState:
    """Leakage in one state of the pins.

    Those of one supply are alternatives; those of different supplies add up.

    Parameters
    ----------
    related_pg_pin : str or None
        The supply that the power is drawn from; None in libraries that do not tell supplies apart.
    when : Expression or None
        The state; None if it is every state that no other of this supply names.
    power : float
        Leakage power in nW.
    """

    related_pg_pin: str | None
    when: Expression | None
    power: float


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
        Leakage power in nW, of the mean state where the library gives no figure of its own.
    leakage_states : tuple of LeakageState
        Leakage by state, empty where the library does not tell states apart.
    pins : mapping of str to Pin
        Signal pins by name, in the order of the file. The bits of buses and bundles come last, as
        ``"A[0]"`` or by their own names, with direction and load alone.
    flip_flop : FlipFlop or None
        Present in edge-triggered cells.
    clock_gate : ClockGate or None
        Present in clock-gating cells for rising edges.
    latch : bool
        The cell keeps a state in another way than a flip-flop: latches and clock gates.
    left_out : str
        The kind of cells that synthesis leaves alone and that this one is of, such as ``"pads"``; empty if it
        is of none.
    unusable : str
        Why the cell cannot stand in a netlist; empty if it can.
    """

    name: str
    area: float
    leakage: float
    leakage_states: tuple[LeakageState, ...]
    pins: Mapping[str, Pin]
    flip_flop: FlipFlop | None
    clock_gate: ClockGate | None
    latch: bool
    left_out: str
    unusable: str

    @property
    def is_gate(self) -> bool:
        """Whether logic can be mapped to the cell: its outputs are functions of its inputs, with delays."""
        if self.left_out or self.latch or self.flip_flop or self.clock_gate or not self.outputs:
            return False
        names = {pin.name for pin in self.inputs}
        return all(
            pin.function
            and pin.function.pins() <= names & {arc.related_pin for arc in pin.arcs if arc.through_gate}
            for pin in self.outputs
        )

    @property
    def is_flip_flop(self) -> bool:
        """Whether registers can be mapped to the cell: it stores at the rising edge of one pin."""
        return (
            not self.left_out and self.flip_flop is not None and self.flip_flop.clocked_on.operator == "pin"
        )

    @property
    def inputs(self) -> tuple[Pin, ...]:
        """Input pins, in the order of the file."""
        return tuple(pin for pin in self.pins.values() if pin.direction == "input")

    @property
    def outputs(self) -> tuple[Pin, ...]:
        """Output pins, in the order of the file."""
        return tuple(pin for pin in self.pins.values() if pin.direction == "output")


@dataclass(frozen=True)
class WireLoad:
    """A wire load model: what a net is guessed to be before it is placed.

    Parameters
    ----------
    name : str
        Name of the model.
    resistance : float
        Resistance in kohm per unit of length.
    unit_capacitance : float
        Capacitance in fF per unit of length.
    slope : float
        Length that each pin adds beyond the table.
    lengths : mapping of float to float
        Length by fan-out, ascending from 0, in a unit that is the library's own.
    """

    name: str
    resistance: float
    unit_capacitance: float
    slope: float
    lengths: Mapping[float, float]

    def length(self, fanout: float) -> float:
        """Guess the length of a net: linear between the points of the table, by the slope beyond them.

        Parameters
        ----------
        fanout : float
            Number of pins that the net drives.

        Returns
        -------
        float
            Length in the unit of the library.
        """
        for (low, shorter), (high, longer) in pairwise(self.lengths.items()):
            if fanout <= high:
                return shorter + (longer - shorter) * ((fanout - low) / (high - low))
        last, longest = list(self.lengths.items())[-1]
        return longest + (fanout - last) * self.slope

    def capacitance(self, fanout: float) -> float:
        """Guess the capacitance of a net.

        Parameters
        ----------
        fanout : float
            Number of pins that the net drives.

        Returns
        -------
        float
            Capacitance in fF, without that of the pins.
        """
        return self.unit_capacitance * self.length(fanout)


@dataclass(frozen=True)
class Units:
    """What a library's files count in.

    Parameters
    ----------
    time : float
        Unit of time in ns.
    load : float
        Unit of capacitance in fF.
    """

    time: float
    load: float


# Two are one only if they are the same object: it is large, and a key of what is made from it.
@dataclass(frozen=True, eq=False)
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
    wire_loads : mapping of str to WireLoad
        Wire load models by name, in the order of the file.
    default_wire_load : str
        Name of the model that the library proposes; empty if none.
    units : Units
        Those of its files.
    corner : mapping of str to str
        What else files of one library have in common: process, temperature, thresholds, unit of leakage.
    files : mapping of str to str
        SHA-256 of the text of each file, by name, in the order in which they were read.
    dont_use : tuple of str
        Patterns of names of cells that synthesis was told to leave alone.
    """

    name: str
    voltage: float
    cells: Mapping[str, Cell]
    wire_loads: Mapping[str, WireLoad]
    default_wire_load: str
    units: Units
    corner: Mapping[str, str]
    files: Mapping[str, str]
    dont_use: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 of its one text; of those of several files, or with patterns, a digest of all."""
        texts = list(self.files.values())
        if len(texts) == 1 and not self.dont_use:
            return texts[0]
        return hashlib.sha256(repr((texts, self.dont_use)).encode()).hexdigest()

    @property
    def internal_power(self) -> bool:
        """Whether any cell has tables of the energy that it takes inside itself."""
        return any(pin.powers for cell in self.cells.values() for pin in cell.pins.values())
