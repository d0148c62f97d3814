"""Delays from pin to pin of every instance: what an event-driven simulation and an SDF file are made of.

Static timing gives the slews; a delay is then read from the library's tables at the load of the output.
Where several arcs lead from one pin to one edge of an output (both edges of the pin, other pins high or
low), there are a least, a mean and a largest delay; simulations use the mean.
"""

from dataclasses import dataclass
from typing import NamedTuple

from lmul.cost.netlist.netlist import Instance
from lmul.cost.timing.analysis import BOTH, Timing

FEMTOSECONDS_PER_NS = 1_000_000


class Spread(NamedTuple):
    """Least, mean and largest delay of an edge, in whole femtoseconds."""

    least: int
    mean: int
    largest: int


@dataclass(frozen=True)
class PathDelay:
    """Delays through an instance from one input pin to one output pin.

    Parameters
    ----------
    start, end : str
        Names of the pins.
    rise, fall : Spread
        Of the edges of the output.
    """

    start: str
    end: str
    rise: Spread
    fall: Spread


def path_delays(timing: Timing, instance: Instance) -> list[PathDelay]:
    """Find the delays through an instance.

    Parameters
    ----------
    timing : Timing
        Of the netlist that the instance is in.
    instance : Instance

    Returns
    -------
    list of PathDelay
        In the order of the cell's pins. The clock of a flip-flop is a start. A clock gate has no delay,
        as the clock arrives everywhere at once, and neither have pins that never change.
    """
    if instance.cell.clock_gate:
        return []
    found = []
    for output in instance.cell.outputs:
        for start in dict.fromkeys(arc.related_pin for arc in output.arcs):
            rise, fall = (
                _spread(timing.delays.get((instance.name, start, output.name, edge), [])) for edge in BOTH
            )
            if rise or fall:
                found.append(PathDelay(start, output.name, rise or fall or _NONE, fall or rise or _NONE))
    return found


_NONE = Spread(0, 0, 0)


def _spread(delays: list[float]) -> Spread | None:
    if not delays:
        return None
    # Extrapolated tables may go below zero, which no simulator takes.
    least, mean, largest = (
        max(0, round(delay * FEMTOSECONDS_PER_NS))
        for delay in (min(delays), sum(delays) / len(delays), max(delays))
    )
    return Spread(least, mean, largest)
