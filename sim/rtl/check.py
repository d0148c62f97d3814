"""A unit from its files to a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmul.design import Design
from lmul.errors import UserError
from lmul.golden import Format
from lmul.sim.rtl.bench import Program, build_plain, build_unit, products
from lmul.sim.rtl.elaborate import Elaborated, UnreadError, elaborate
from lmul.sim.rtl.sources import Sources, linked
from lmul.sim.rtl.unit import PRODUCT, Unit
from lmul.sim.rtl.verdict import Verdict, closest
from lmul.sim.simulators.verilator import verilator_environment
from lmul.sim.stimulus.pairs import code_pairs
from lmul.terminal.progress import working

LATENCIES = 8
"""Latencies that are tried where the one that was given looks wrong."""

MOST = 0.5
"""Share of the values that are others from which on that is so."""


@dataclass(frozen=True, eq=False)
class Checked:
    """A unit, what read it, and what it computes.

    Parameters
    ----------
    unit : Unit
    format : Format
    elaborated : Elaborated or None
        What Yosys made of it; None where it refuses the sources.
    unread : str
        What each front end of Yosys said then.
    refused : str
        What Verilator said, where what Yosys made of the unit was simulated.
    verdicts : sequence of Verdict
        The closest first.
    remade : int
        Products that what Yosys made of the unit gives otherwise than its sources, where that was looked at.
    better : tuple of (int, int), or None
        Another latency with which fewer values are others, and how many.
    """

    unit: Unit
    format: Format
    elaborated: Elaborated | None
    unread: str
    refused: str
    verdicts: Sequence[Verdict]
    remade: int = 0
    better: tuple[int, int] | None = None

    @property
    def closest(self) -> Design:
        """The design that it is closest to."""
        assert isinstance(self.verdict.model, Design)  # noqa: S101
        return self.verdict.model

    @property
    def verdict(self) -> Verdict:
        """Beside the closest model."""
        return self.verdicts[0]

    @property
    def left_out(self) -> list[str]:
        """Outputs that are not the product."""
        if self.elaborated is None:
            return []
        known = {part.port for part in self.unit.ports[PRODUCT]}
        return [
            name
            for name, port in self.elaborated.ports.items()
            if port.direction != "input" and name not in known
        ]

    @property
    def reading(self) -> dict[str, str]:
        """What each program said of the sources."""
        said = dict(self.elaborated.refused) if self.elaborated else {"yosys": self.unread}
        if self.elaborated:
            said[self.elaborated.front_end] = "read them"
        return said | {"verilator": self.refused or "read them"}

    def as_dict(self) -> Mapping[str, Any]:
        """Give all of it as plain values."""
        return {
            "top": self.unit.top,
            "files": [str(path) for path in self.unit.files],
            "front_ends": self.reading,
            "outputs_left_out": self.left_out,
            **self.verdict.as_dict(),
            "models": [
                {
                    name: value
                    for name, value in one.as_dict().items()
                    if name in ("closest", "differ", "values")
                }
                for one in self.verdicts
            ],
        }


def check_unit(unit: Unit, models: Sequence[Design], *, remade: bool = False) -> Checked:
    """Read a unit, give it all pairs of codes, or many of wide formats, and compare its products.

    Parameters
    ----------
    unit : Unit
    models : sequence of Design
        What it might be, all of one format.
    remade : bool
        Simulate what Yosys made of the unit as well: its cost is of that.

    Raises
    ------
    UserError
        No program reads the sources, or the ports do not fit.
    SimulationError
        The simulation ended early, or products do not stay.
    """
    format_ = models[0].format
    verilator_environment()
    # In their order neighbours are alike: what a unit keeps of the last pair would not show.
    pairs = np.random.default_rng(1).permutation(code_pairs(format_))
    a, b = pairs.T.astype(format_.dtype)
    with linked(unit) as sources:
        with working(f"Reading {unit.top}"):
            elaborated, unread = _read(sources, format_)
        with working(f"Building a simulator of {unit.top}"):
            program = _build(sources, format_, elaborated, unread)
        with working(f"Simulating {len(pairs):,} pairs"):
            found = products(program.path, unit, a, b, format_)
        verdicts, others = closest(a, b, found, models), 0
        better = _better(program, unit, verdicts[0])
        if remade and elaborated and not program.refused:
            with working(f"Simulating what Yosys made of {unit.top}"):
                made = products(build_plain(sources, elaborated), unit, a, b, format_)
            others = int(np.count_nonzero(made != found))
    return Checked(unit, format_, elaborated, unread, program.refused, verdicts, others, better)


def _better(program: Program, unit: Unit, verdict: Verdict) -> tuple[int, int] | None:
    """Look for a latency with which there are far fewer other values, where most are."""
    if not unit.latency or verdict.values < MOST * verdict.pairs:
        return None
    counted = {}
    for latency in range(1, LATENCIES + 1):
        found = products(
            program.path, replace(unit, latency=latency), verdict.a, verdict.b, verdict.model.format
        )
        counted[latency] = replace(verdict, found=found).values
    best = min(counted, key=lambda latency: counted[latency])
    return (best, counted[best]) if counted[best] < MOST * verdict.values else None


def _read(sources: Sources, format_: Format) -> tuple[Elaborated | None, str]:
    """Give what Yosys makes of a unit, or what it says."""
    try:
        return elaborate(sources, format_), ""
    except UnreadError as error:
        return None, str(error)


def _build(sources: Sources, format_: Format, elaborated: Elaborated | None, unread: str) -> Program:
    """Build a simulator; where that fails, say also what Yosys said."""
    try:
        return build_unit(sources, format_, elaborated)
    except UserError as error:
        raise UserError(f"{unread}; {error}" if unread else str(error)) from None
