"""The fan-out-of-4 delay of a library, in which clock periods are the same in all libraries."""

from lmul.cost.library.cells import Cell, Library
from lmul.cost.netlist.netlist import is_inverter
from lmul.cost.timing.analysis import BOTH, INPUT_SLEW_NS, edges_before
from lmul.errors import UserError

FANOUT = 4

STAGES = 30
"""Inverters in a row, after which slews stay what they are."""


def fo4_ps(library: Library) -> float:
    """Give the fan-out-of-4 delay of a library, the mean of a rising and a falling edge, in ps.

    Of the smallest inverter in a long row of such, each driving four of its inputs, with the slews that such
    a row settles to. No wires.

    Parameters
    ----------
    library : Library

    Raises
    ------
    UserError
        The library has no inverter with delays.
    """
    cell = _inverter(library)
    (pin,) = cell.inputs
    loads = [FANOUT * load for load in pin.edge_capacitances]
    slews, delays = [INPUT_SLEW_NS, INPUT_SLEW_NS], [0.0, 0.0]
    for _ in range(STAGES):
        found = [_edge(cell, edge, slews, loads[edge]) for edge in BOTH]
        delays, slews = [list(values) for values in zip(*found, strict=True)]
    return 1e3 * sum(delays) / len(delays)


def _edge(cell: Cell, edge: int, slews: list[float], load: float) -> tuple[float, float]:
    """Give delay and slew of an edge of the output, in ns."""
    (output,) = cell.outputs
    for arc in output.arcs:
        delay, slew, before = arc.delay[edge], arc.slew[edge], edges_before(arc, edge)
        if delay and slew and before:
            return delay.at(slews[before[0]], load), slew.at(slews[before[0]], load)
    raise UserError(f"cell {cell.name} has no delays: a clock period in FO4 needs an inverter's")


def _inverter(library: Library) -> Cell:
    found = [cell for cell in library.cells.values() if is_inverter(cell)]
    if not found:
        raise UserError(f"library {library.name} has no inverter that a clock period in FO4 could be told in")
    return min(found, key=lambda cell: cell.area)
