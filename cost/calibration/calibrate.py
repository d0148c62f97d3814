"""Calibration: the operations of Horowitz's table through our own flow, side by side with the table.

Nothing is fitted. The point is to see by which factor our figures differ from widely used ones, whether it is
the same for all operations, and what share of a multiply-accumulate is its accumulator.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lmul.cost.calibration.circuits import CYCLES, SEED, STREAMS, Circuit, accumulations, operations
from lmul.cost.cells.measure import DEFAULT_CONDITIONS, measure_all
from lmul.cost.library.cells import Library
from lmul.cost.mapping.mapper import map_design
from lmul.cost.mapping.scripts import QUICK_SCRIPTS
from lmul.cost.published.claims import FP32_DOT, FP32_PRODUCT, Saving
from lmul.cost.published.energies import TABLES, VOLTAGE

METHOD = "glitches included, no wires; leakage over one critical delay"


@dataclass(frozen=True)
class Figures:
    """What a circuit takes.

    Parameters
    ----------
    area_um2, delay_ps : float
    energy_fj, zero_delay_fj : float
        Of a mean cycle, with and without glitches.
    script : str
        What found the netlist, the one of the least product of area and energy.
    """

    area_um2: float
    delay_ps: float
    energy_fj: float
    zero_delay_fj: float
    script: str


@dataclass(frozen=True)
class Calibrated:
    """A circuit and its figures.

    Parameters
    ----------
    detail : str
        How it computes.
    figures : Figures
    table_pj : float or None
        Energy in Horowitz's table, in pJ.
    table_7nm_pj : float or None
        Energy in the table of 7 nm, in pJ.
    accumulator : str
        Name of its accumulator alone, empty where there is none.
    """

    detail: str
    figures: Figures
    table_pj: float | None = None
    table_7nm_pj: float | None = None
    accumulator: str = ""

    @property
    def ratio(self) -> float | None:
        """Our energy over the table's."""
        return None if self.table_pj is None else self.figures.energy_fj / (1e3 * self.table_pj)


@dataclass(frozen=True)
class Calibration:
    """All circuits, by name.

    Parameters
    ----------
    library : str
    voltage : float
        In V.
    operations : mapping of str to Calibrated
        Those of the table.
    accumulations : mapping of str to Calibrated
        Multiply-accumulates and accumulators alone.
    """

    library: str
    voltage: float
    operations: Mapping[str, Calibrated]
    accumulations: Mapping[str, Calibrated]

    @property
    def voltage_factor(self) -> float:
        """How much more energy a charge takes at the library's voltage than at the table's."""
        return (self.voltage / VOLTAGE) ** 2

    def accumulator_share(self, name: str) -> float | None:
        """Energy of the accumulator alone over that of the multiply-accumulate; None for others."""
        whole = self.accumulations[name]
        if not whole.accumulator:
            return None
        return self.accumulations[whole.accumulator].figures.energy_fj / whole.figures.energy_fj

    def as_dict(self) -> dict[str, Any]:
        """Give the figures as plain values."""
        operations = {name: asdict(found) | {"ratio": found.ratio} for name, found in self.operations.items()}
        accumulations = {
            name: asdict(found) | {"accumulator_share": self.accumulator_share(name)}
            for name, found in self.accumulations.items()
        }
        return {
            "library": self.library,
            "voltage_v": self.voltage,
            "table_voltage_v": VOLTAGE,
            "voltage_factor": self.voltage_factor,
            "energy_method": METHOD,
            "seed": SEED,
            "cycles": CYCLES,
            "streams": STREAMS,
            "sources": {table.node: table.source for table in TABLES},
            "operations": operations,
            "accumulations": accumulations,
            "paper_savings": {row.replacement.what: row.share for row in paper_savings(self)},
        }


def calibrate(
    library: Library, *, cache: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> Calibration:
    """Put the operations of Horowitz's table, and multiply-accumulates, through the flow.

    Parameters
    ----------
    library : Library
    cache : Path, optional
        Directory where netlists are kept.
    progress : callable, optional
        Called with the numbers of finished and of all circuits.

    Raises
    ------
    UserError
        The library cannot be used.
    """
    table, sums = list(operations()), list(accumulations())
    found = {}
    for done, circuit in enumerate([*table, *sums], start=1):
        found[circuit.name] = _calibrated(circuit, library, cache)
        if progress:
            progress(done, len(table) + len(sums))
    return Calibration(
        library.name,
        library.voltage,
        {circuit.name: found[circuit.name] for circuit in table},
        {circuit.name: found[circuit.name] for circuit in sums},
    )


def paper_savings(calibration: Calibration) -> tuple[Saving, ...]:
    """Work out the paper's savings for fp32 operands with our figures in place of the table's."""
    pj = {name: found.figures.energy_fj / 1e3 for name, found in calibration.operations.items()}
    return FP32_PRODUCT.saving(pj), FP32_DOT.saving(pj)


def _calibrated(circuit: Circuit, library: Library, cache: Path | None) -> Calibrated:
    figures = measure_circuit(circuit, library, cache)
    old, new = (table.operations.get(circuit.name) for table in TABLES)
    return Calibrated(circuit.detail, figures, old, new, circuit.accumulator)


def measure_circuit(circuit: Circuit, library: Library, cache: Path | None = None) -> Figures:
    """Map a circuit with the scripts for any size, and measure the netlist that the cells' estimate keeps."""
    netlists = map_design(circuit.verilog, circuit.top, library, scripts=QUICK_SCRIPTS, cache=cache)
    measuring = measure_all(
        netlists,
        lambda: circuit.ports,
        circuit.name,
        warmup=circuit.warmup,
        conditions=DEFAULT_CONDITIONS,
        cache=cache,
    )
    script, kept = min(measuring, key=lambda found: found[1].area_energy)
    return Figures(kept.area_um2, kept.delay_ps, kept.energy.total, kept.zero_delay.total, script)
