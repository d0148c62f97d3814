"""Figures of all designs of a report, measured in several processes and kept."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from lmul.accuracy.designs import design_errors
from lmul.cost.calibration.calibrate import measure_circuit
from lmul.cost.calibration.circuits import float_adder
from lmul.cost.cells.estimate import (
    Cost,
    estimate,
    map_blocks,
    measure_under,
    operands_key,
)
from lmul.cost.cells.measure import SOURCES as MEASURED_BY
from lmul.cost.cells.measure import Block, Conditions
from lmul.cost.cells.noise import figures_of_seeds
from lmul.cost.library.reader import LibraryFiles
from lmul.cost.mapping.designs import DEEP_FORMAT_BITS
from lmul.design import Design, command_line
from lmul.golden import FP32
from lmul.host.cache import cached, find_cached, program_digest
from lmul.host.processes import LocalProcesses
from lmul.multipliers.table import plug_in_digest
from lmul.report.plan import BASELINE, is_split
from lmul.terminal.progress import SharedReport
from lmul.workloads import Operands, default_operands, load_operands

PRECISION = 0.02
"""Of energies, as in `lmul explore`: the command beside each figure asks for it."""

ADDER = "fp32 add"
"""Key of the figures of an fp32 adder alone, which belong to no design."""

CAPTURED_MANTISSA_BITS = 10
"""Of the captured operands, each of which is a float16."""

DRAWN, DRAWN_SEED, DRAWN_SHAPE = "drawn.npz", 1, (64, 256)
"""The file of random operands that is written beside the page, and what is in it."""

SOURCES = (*MEASURED_BY, "accuracy", "report/measure.py", "report/plan.py")
"""Parts of this program that figures of a design depend on."""

BLOCKS = {
    "product": "multipliers",
    "partial": "multipliers",
    "align": "aligners",
    "term": "aligners",
    "mac": "adder tree and sum",
    "add": "adder tree and sum",
    "round": "rounding of the result",
    "convert": "rounding of the result",
    "": "control",
}
"""What the modules of a dot product are for. The sum's tree adds partial products of integers."""

REGISTERS = "registers and clock"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """What all measurements have in common.

    Parameters
    ----------
    library : LibraryFiles
    cells : Path
        Directory of netlists.
    results : Path
        Directory of finished figures.
    operands : Path or None
        File of operands; None are the captured ones of the package.
    seeds : int
        How often each synthesis script is tried.
    """

    library: LibraryFiles
    cells: Path
    results: Path
    operands: Path | None = None
    seeds: int = 1

    @property
    def conditions(self) -> Conditions:
        """What designs are mapped and measured for."""
        return Conditions(seeds=self.seeds, precision=PRECISION)

    @property
    def given(self) -> tuple[Operands, ...]:
        """The file's operands, or the captured ones."""
        return _matrices(self.operands)

    def matrices(self, design: Design) -> tuple[Operands, ...]:
        """Give the operands of a design.

        Captured numbers have ten mantissa bits: what is wider is measured on random numbers, lest
        most bits of its multipliers rest.
        """
        if self.operands is None and not design.integer and design.mantissa_bits > CAPTURED_MANTISSA_BITS:
            return (drawn_operands(),)
        return self.given


@dataclass(frozen=True)
class Job:
    """One thing to measure.

    Parameters
    ----------
    design : Design or None
        None is the fp32 adder.
    setup : Setup
    """

    design: Design | None
    setup: Setup

    @property
    def name(self) -> str:
        """Name for people and for the results."""
        return self.design.name if self.design else ADDER


def measure_designs(
    designs: Sequence[Design | None], setup: Setup, jobs: int, progress: SharedReport
) -> dict[str, Figures]:
    """Measure designs, or take what was measured before.

    Parameters
    ----------
    designs : sequence of Design or None
        None is an fp32 adder.
    setup : Setup
    jobs : int
        Processes.
    progress : callable
        Told the numbers of finished and of all measurements, and the share of the work that is done.

    Returns
    -------
    dict of str to dict
        Figures by name of the design, or `ADDER`; units in the names.

    Raises
    ------
    UserError
        The library cannot be used.
    """
    asked = [Job(design, setup) for design in designs]
    found = {job.name: find_cached(setup.results, _key(job)) for job in asked}
    missing = {job.name: job for job in asked if found[job.name] is None}
    if missing:
        found |= _measure_all(missing, jobs, progress)
    return found


def _measure_all(jobs: Mapping[str, Job], processes: int, progress: SharedReport) -> dict[str, Figures]:
    seconds = {name: _expected_seconds(job) for name, job in jobs.items()}
    # The slow ones first, so that no processor waits long for the last one.
    ordered = sorted(jobs, key=lambda name: seconds[name], reverse=True)
    found: dict[str, Figures] = {}
    with LocalProcesses(measure_job, lambda job: job.name, processes) as engine:
        for name in ordered:
            engine.submit(name, jobs[name])
        while len(found) < len(jobs):
            progress(len(found), len(jobs), done_share(ordered, seconds, found, processes))
            name, figures = engine.take()
            found[name] = figures
    return found


BEGUN = 1 / 3
"""What counts of a measurement that has begun. Half would be true on average, and let the time left grow."""


def done_share(
    ordered: Sequence[str], seconds: Mapping[str, float], finished: Container[str], processes: int
) -> float:
    """Tell what share of the work is done, by what each piece of it was expected to take.

    Parameters
    ----------
    ordered : sequence of str
        All pieces of work, in the order in which they begin.
    seconds : mapping of str to float
        Expected for each, in any unit.
    finished : container of str
    processes : int
        How many work at a time.
    """
    unfinished = [name for name in ordered if name not in finished]
    left = sum(seconds[name] for name in unfinished)
    begun = sum(seconds[name] for name in unfinished[:processes])
    return 1 - (left - BEGUN * begun) / sum(seconds[name] for name in ordered)


def measure_job(job: Job) -> Figures:
    """Measure one design, and keep the figures."""
    figures: Figures = cached(job.setup.results, _key(job), lambda: _measure(job.design, job.setup))
    return figures


def _key(job: Job) -> list[Any]:
    """Give all that figures depend on."""
    common = [program_digest(*SOURCES), version("pyosys"), job.setup.library.read().checksum]
    if job.design is None:
        return [*common, ADDER]
    key = [
        *common,
        asdict(job.setup.conditions),
        operands_key(job.design, job.setup.matrices(job.design)),
    ]
    return [*key, *filter(None, [plug_in_digest(job.design.mul)])]


@cache
def drawn_operands() -> Operands:
    """Draw standard normal operands, whole float32 numbers, always the same ones."""
    rng = np.random.default_rng(DRAWN_SEED)
    rows, depth = DRAWN_SHAPE
    a, b = (rng.normal(size=size).astype(np.float32) for size in ((rows, depth), (depth, rows)))
    return Operands("drawn", a, b)


def drawn_file() -> bytes:
    """Give the random operands as an npz file."""
    file = BytesIO()
    np.savez(file, a=drawn_operands().a, b=drawn_operands().b)
    return file.getvalue()


@lru_cache(maxsize=1)
def _matrices(path: Path | None) -> tuple[Operands, ...]:
    return default_operands() if path is None else load_operands(path)


def _expected_seconds(job: Job) -> float:
    """Guess how much processor time a measurement takes, in seconds of one machine, within a third or so."""
    if job.design is None:
        return 10
    design = job.design
    first, exact = design.format, design.mul == BASELINE
    mantissa = first.width - 1 if design.integer else first.mantissa_bits
    if design.kind == "dot":
        lane = 0.3 + 0.13 * mantissa + 0.017 * mantissa**2 * exact + 0.8 * (design.acc == "exact")
        return 4 + design.lanes * lane + 5 * (design.acc == "fp32")
    if design.format.width > DEEP_FORMAT_BITS:
        return 14 if exact else 2
    if exact:
        return max(12, mantissa**3 / 22)
    return 5


def _measure(design: Design | None, setup: Setup) -> Figures:
    if design is None:
        return asdict(measure_circuit(float_adder(FP32), setup.library.read(), setup.cells))
    operands = setup.matrices(design)
    cost = estimate(design, operands, setup.library.read(), conditions=setup.conditions, cache=setup.cells)
    error, noise = design_errors(design, operands)
    smallest, largest = cost.area_spread
    drawn = f" --operands {DRAWN}" if operands[0] is drawn_operands() else ""
    return {
        **_of_cost(cost),
        "of_seeds": figures_of_seeds(cost),
        "area_um2_of_all_netlists": [round(smallest, 4), round(largest, 4)],
        "rms_error_percent": 100 * error,
        "noise_percent": 100 * noise,
        "blocks": _blocks(cost, setup) if is_split(design) else {},
        "measured_by": f"{command_line('cost', design)} --seeds {setup.seeds} "
        f"--precision {100 * PRECISION:g}{drawn}",
        "verilog": command_line("verilog", design),
    }


KEPT = (
    "design",
    "estimate",
    "library",
    "voltage_v",
    "area_um2",
    "area_nand2",
    "script",
    "scripts_stopped",
    "critical_delay_ps",
    "clock_period_ps",
    "timed_cycles",
    "cycles",
    "energy_per_product_fj",
    "energy_per_product_zero_delay_fj",
    "products_per_cycle",
)
"""Figures of `Cost.as_dict` that a report shows."""


def _of_cost(cost: Cost) -> Figures:
    all_of_it = cost.as_dict()
    return {name: all_of_it[name] for name in KEPT} | {
        "energy_parts_fj": asdict(cost.energy_per_product),
        "glitches_fj": cost.glitches_per_product,
        "interval_95_fj": cost.interval_per_product,
    }


def _blocks(cost: Cost, setup: Setup) -> Figures:
    """Tell the energy of a product block by block, in fJ.

    In a netlist of the kept script whose blocks are mapped one by one, and which takes more.
    """
    operands = setup.matrices(cost.design)
    netlists = {"blocks": map_blocks(cost, cache=setup.cells)}
    measured = dict(measure_under(cost.design, netlists, operands, setup.conditions, setup.cells))["blocks"]
    return _by_purpose(measured.blocks.items(), 1 / cost.design.products_per_cycle)


def _by_purpose(blocks: Iterable[tuple[str, Block]], factor: float) -> Figures:
    """Add up energies by what modules are for, clock pins and registers apart."""
    found = dict.fromkeys([*BLOCKS.values(), REGISTERS], 0.0)
    for name, block in blocks:
        found[BLOCKS[name]] += factor * (block.energy.total - block.energy.clock)
        found[REGISTERS] += factor * block.energy.clock
    return found
