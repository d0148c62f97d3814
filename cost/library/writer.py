"""The library that Yosys and ABC see: a Liberty file of our own making, from the cells that may be used.

Other readers of the same file may see other cells in it, or take an attribute for its opposite. What is
written here is what was understood: gates with their functions and delays, and flip-flops with theirs.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from lmul.cost.library.cells import Cell, Edges, Library, Pin, Table
from lmul.cost.library.functions import Expression

_HEAD = """library(mapping) {{
  delay_model : table_lookup;
  time_unit : "1ns";
  capacitive_load_unit(1, ff);
  voltage_unit : "1V";
  current_unit : "1uA";
  pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW";
  nom_voltage : {voltage:g};
"""

_SHAPE = re.compile(r"\(t(\d+)x(\d+)\)")

_TEMPLATE = """  lu_table_template({name}) {{
    variable_1 : input_net_transition;
    variable_2 : total_output_net_capacitance;
    index_1("{rows}");
    index_2("{columns}");
  }}
"""


@lru_cache(maxsize=4)
def mapping_library(library: Library, *, delays: bool) -> str:
    """Write the cells of a library that designs may be mapped to as a Liberty file.

    Parameters
    ----------
    library : Library
    delays : bool
        Whether delays are written too. Without, the file is read in a fraction of the time.

    Returns
    -------
    str
        Gates with area, loads and functions, and flip-flops with area and function; times in ns, loads in
        fF. Nothing else that the library has is in it.
    """
    cells = [_cell(cell, delays) for cell in library.cells.values() if cell.is_gate or cell.is_flip_flop]
    shapes = sorted(set(_SHAPE.findall("".join(cells))))
    templates = (
        _TEMPLATE.format(name=f"t{rows}x{columns}", rows=_range(rows), columns=_range(columns))
        for rows, columns in shapes
    )
    return "".join([_HEAD.format(voltage=library.voltage), *templates, *cells, "}\n"])


def _cell(cell: Cell, delays: bool) -> str:
    lines = [f"  cell({cell.name}) {{\n    area : {cell.area:.9g};\n"]
    if flip_flop := cell.flip_flop:
        lines.append(f"    ff({flip_flop.state}, {flip_flop.complement}) {{\n")
        for name in ("clocked_on", "next_state", "clear", "preset"):
            if function := getattr(flip_flop, name):
                lines.append(f'      {name} : "{_function(function)}";\n')
        lines.append("    }\n")
    for pin in (*cell.inputs, *cell.outputs):
        lines += _pin(pin, delays and cell.is_gate)
    return "".join([*lines, "  }\n"])


def _pin(pin: Pin, delays: bool) -> Iterator[str]:
    yield f"    pin({pin.name}) {{\n      direction : {pin.direction};\n"
    yield f"      capacitance : {pin.capacitance:.7g};\n"
    if pin.function:
        yield f'      function : "{_function(pin.function)}";\n'
    for arc in (arc for arc in pin.arcs if delays and arc.through_gate):
        yield f'      timing() {{\n        related_pin : "{arc.related_pin}";\n'
        yield f"        timing_sense : {arc.sense};\n"
        yield from _tables(("cell_rise", "cell_fall"), arc.delay)
        yield from _tables(("rise_transition", "fall_transition"), arc.slew)
        yield "      }\n"
    yield "    }\n"


def _tables(names: tuple[str, str], edges: Edges) -> Iterator[str]:
    """Write the tables of both edges, the same for both where there is one."""
    rise, fall = edges
    for name, table in zip(names, (rise or fall, fall or rise), strict=True):
        if table:
            yield f"        {name}{_table(table)}\n"


def _table(table: Table) -> str:
    """Write a table of the same values with points enough for ABC: two slews and three loads."""
    rows = _more_points(table.rows, 2)
    columns = _more_points(table.columns, 3)
    values: Sequence[Sequence[float]] = table.values
    if (rows, columns) != (table.rows, table.columns):
        values = [[table.at(row, column) for column in columns] for row in rows]
    lines = ", ".join(f'"{_numbers(line)}"' for line in values)
    template = f"t{len(rows)}x{len(columns)}"
    return f'({template}) {{ index_1("{_numbers(rows)}"); index_2("{_numbers(columns)}"); values({lines}); }}'


def _more_points(axis: tuple[float, ...], least: int) -> tuple[float, ...]:
    """Give an axis more points within its last segment, or behind its only point."""
    if len(axis) >= least:
        return axis
    last = axis[-1] if len(axis) > 1 else axis[0] + 1
    return (*axis[:-1], *(float(point) for point in np.linspace(axis[0], last, least)[len(axis) - 1 :]))


def _range(points: str) -> str:
    return _numbers(range(int(points)))


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.7g}" for value in values)


def _function(expression: Expression) -> str:
    """Write a Boolean function as Liberty does, in parentheses where it has several operands."""
    match expression.operator:
        case "pin":
            return expression.pin
        case "0" | "1":
            return expression.operator
        case "!":
            return f"!{_function(expression.operands[0])}"
    return "(" + expression.operator.join(map(_function, expression.operands)) + ")"
