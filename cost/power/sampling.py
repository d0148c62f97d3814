"""How many cycles to simulate with delays: until their mean is known well enough."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmul.cost.power.event_driven import TimedCount, TimedNetlist
from lmul.cost.power.zero_delay import Activity
from lmul.intervals import NORMAL_95

_FIRST = 1024
"""Cycles that are simulated before the spread between them is believed."""


@dataclass(frozen=True)
class Glitches:
    """Glitches of random cycles, and how well their mean is known.

    Parameters
    ----------
    timed : TimedCount
    population : int
        Number of cycles that they were taken from.
    """

    timed: TimedCount
    population: int

    @property
    def interval_fj(self) -> float:
        """Half of the 95 % confidence interval of the mean energy of glitches in a cycle, in fJ."""
        drawn = self.timed.cycles
        spread = float(self.timed.glitch_energy.std(ddof=1)) / float(np.sqrt(drawn)) if drawn > 1 else 0.0
        # Nothing is left to chance where all cycles were simulated.
        return NORMAL_95 * spread * float(np.sqrt(1 - drawn / self.population))


def sample_glitches(
    netlist: TimedNetlist,
    activity: Activity,
    toggle_energy: NDArray[np.float64],
    *,
    within_fj: float,
    half_period_ps: float,
) -> Glitches:
    """Simulate random cycles with delays until the mean energy of their glitches is known well enough.

    Parameters
    ----------
    netlist : TimedNetlist
    activity : Activity
        Its counts without delays, with the ends of the random cycles.
    toggle_energy : float64 array, shape (nets,)
        What a toggle of each net takes, in fJ.
    within_fj : float
        Half of the widest 95 % confidence interval that will do. It may stay wider where all random cycles
        have been simulated.
    half_period_ps : float
        When the clock falls.
    """
    drawn = len(activity.ends)
    glitches = Glitches(TimedCount.nothing(len(toggle_energy)), activity.transitions)
    while (done := glitches.timed.cycles) < drawn and (done == 0 or glitches.interval_fj > within_fj):
        upcoming = slice(done, min(max(_FIRST, 2 * done), drawn))
        found = netlist.count(activity.ends[upcoming], toggle_energy, half_period_ps)
        glitches = Glitches(glitches.timed + found, activity.transitions)
    return glitches
