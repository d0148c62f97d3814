"""Tables of a Liberty file, and what they take from their library: units and templates."""

import math
import re
from collections.abc import Mapping
from itertools import pairwise

from lmul.cost.library.cells import Edges, Table
from lmul.cost.library.syntax import LARGEST, LibertyError, Node, shortened

_EXPONENT = {"": 0, "k": 3, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}
_ROWS = {"input_net_transition", "input_transition_time", "constrained_pin_transition"}
_COLUMNS = {"total_output_net_capacitance", "related_pin_transition"}
_OTHER_LOADS = {
    "related_out_total_output_net_capacitance",
    "equal_or_opposite_output_net_capacitance",
}


MOST_BITS = 1 << 18
"""Bits of all buses of a library."""


class Conventions:
    """What all cells of a library share: units, defaults, types of buses, templates of tables.

    Parameters
    ----------
    library : Node
        The library group.

    Attributes
    ----------
    time, leakage, volt, resistance, load : float
        Units of the file in ns, nW, V, kohm and fF.
    default_load, default_leakage : float
        For input pins in fF, for cells in nW.
    largest_load : float
        That outputs may drive where they do not say, in fF; infinite where the library does not either.
    types : dict of str to Node
        Types of buses by name.
    """

    def __init__(self, library: Node):
        self.time = _unit(library, "time_unit", "1ns", "n", "s")
        self.leakage = _unit(library, "leakage_power_unit", "1nW", "n", "W")
        self.volt = _unit(library, "voltage_unit", "1V", "", "V")
        self.resistance = _unit(library, "pulling_resistance_unit", "1kohm", "k", "ohm")
        self.load = _unit(library, "capacitive_load_unit", "1pf", "f", "f")
        # the reference manual derives the unit of internal power from those of load and voltage
        self._energy = self.load * self.volt**2
        self.default_load = library.number("default_input_pin_cap", 0.0) * self.load
        self.largest_load = library.number("default_max_capacitance", math.inf) * self.load
        self.default_leakage = library.number("default_cell_leakage_power", 0.0) * self.leakage
        self.types = {group_name(node): node for node in library.all("type")}
        delays = {group_name(node): node for node in library.all("lu_table_template")}
        energies = {group_name(node): node for node in library.all("power_lut_template")}
        self._delay_templates, self._energy_templates = energies | delays, delays | energies
        self._bits = 0

    def count_bits(self, number: int, node: Node) -> None:
        """Count the pins that buses stand for, and refuse a library that few words make too large."""
        self._bits += number
        if self._bits > MOST_BITS:
            raise LibertyError(node.offset, f"{node.title} makes more than {MOST_BITS:,} bits of buses")

    def times(self, group: Node, rise: str, fall: str) -> Edges:
        """Read tables of delays, slews or limits."""
        return self._edges(group, (rise, fall), self._delay_templates, self.time)

    def energies(self, group: Node) -> Edges:
        """Read tables of internal power, one for both edges where there are not two."""
        names = ("power", "power") if "power" in group.children else ("rise_power", "fall_power")
        return self._edges(group, names, self._energy_templates, self._energy)

    def _edges(
        self, group: Node, names: tuple[str, str], templates: Mapping[str, Node], scale: float
    ) -> Edges:
        rising, falling = (
            None if node is None else self._table(node, templates, scale) for node in map(group.first, names)
        )
        return rising, falling

    def _table(self, node: Node, templates: Mapping[str, Node], scale: float) -> Table:
        axes = self._axes(node, templates)
        values = _values(node, [len(points) for _, points in axes], scale)
        rows: tuple[float, ...] = (0.0,)
        columns: tuple[float, ...] = (0.0,)
        row_stride, column_stride, stride = 0, 0, len(values)
        for variable, points in axes:
            stride //= len(points)
            if variable in _ROWS:
                rows, row_stride = points, stride
            elif variable in _COLUMNS:
                columns, column_stride = points, stride
        places = [column * column_stride for column in range(len(columns))]
        starts = [row * row_stride for row in range(len(rows))]
        return Table(rows, columns, tuple(tuple(values[start + at] for at in places) for start in starts))

    def _axes(self, node: Node, templates: Mapping[str, Node]) -> list[tuple[str, tuple[float, ...]]]:
        name = next(iter(node.words), "scalar")
        template = templates.get(name)
        if template is None:
            if name == "scalar":
                return []
            raise LibertyError(node.offset, f"there is no table template {shortened(name)!r}")
        names = [template.value(f"variable_{number}") for number in (1, 2, 3)]
        variables = [name for name in names if name]
        for kind in (_ROWS, _COLUMNS, _OTHER_LOADS):
            if sum(variable in kind for variable in variables) > 1:
                raise LibertyError(template.offset, f"{template.title} depends twice on the same")
        return [
            (variable, self._points(node, template, number, variable))
            for number, variable in enumerate(variables, start=1)
        ]

    def _points(self, node: Node, template: Node, number: int, variable: str) -> tuple[float, ...]:
        if variable not in _ROWS | _COLUMNS | _OTHER_LOADS:
            reason = f"{template.title} depends on {shortened(variable)!r}, which is not known"
            raise LibertyError(template.offset, reason)
        index = node.first(f"index_{number}") or template.first(f"index_{number}")
        if index is None:
            raise LibertyError(node.offset, f"{node.title} has no index_{number}")
        points = index.numbers
        if not points or any(low >= high for low, high in pairwise(points)):
            raise LibertyError(index.offset, f"index_{number} is not ascending")
        scale = self.load if variable.endswith("capacitance") else self.time
        return tuple(point * scale for point in points)


def group_name(node: Node) -> str:
    """Give the first word between the parentheses of a group, which must be there."""
    words = node.words
    if not words:
        raise LibertyError(node.offset, f"a {node.name} without a name")
    return words[0]


def _unit(library: Node, attribute: str, default: str, prefix: str, symbol: str) -> float:
    """Give the unit of an attribute in the prefixed one of the data model."""
    node = library.first(attribute)
    text = default if node is None else "".join(node.words)
    match = re.fullmatch(rf"(\d*\.?\d*)([kmunpf]?){symbol}", text, flags=re.IGNORECASE)
    factor = 0.0 if match is None or match[1] == "." else float(match[1] or 1)
    if match is None or not 0.0 < factor <= LARGEST:
        offset = library.offset if node is None else node.offset
        raise LibertyError(offset, f"{attribute} is {shortened(text)!r}, an unknown unit")
    return factor * 10.0 ** (_EXPONENT[match[2].lower()] - _EXPONENT[prefix])


def _values(node: Node, shape: list[int], scale: float) -> list[float]:
    found = node.first("values")
    if found is None:
        raise LibertyError(node.offset, f"{node.title} has no values")
    numbers = found.numbers
    if len(numbers) != math.prod(shape):
        due = " x ".join(map(str, shape)) or "1"
        raise LibertyError(found.offset, f"{node.title} has {len(numbers)} values in place of {due}")
    return [number * scale for number in numbers]
