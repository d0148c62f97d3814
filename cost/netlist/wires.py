"""Wires of a placed netlist."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PlacedWires:
    """What wires load and delay.

    Parameters
    ----------
    capacitance : float64 array, shape (nets,)
        Of the wire of each net in fF; none of those of the clock, which a tree of its own carries.
    delays : mapping of tuple to float
        Elmore's delay from the driver of a net to each pin that reads it, in ns, by the names of the instance
        and its pin; of an output port by "" and the name of its bit.
    clock_loads : mapping of int to float
        What drives each net of the clock is loaded with in fF: the top of its tree.
    """

    capacitance: NDArray[np.float64]
    delays: Mapping[tuple[str, str], float]
    clock_loads: Mapping[int, float] = field(default_factory=dict)
