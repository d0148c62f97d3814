"""One evaluation: a design, its clock and what it is measured with, to its figures."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any

from lmul.accuracy.designs import design_errors
from lmul.cost.cells.estimate import estimate
from lmul.cost.cells.measure import Conditions
from lmul.cost.cells.noise import AREA, DELAY, ENERGY
from lmul.cost.layout.estimate import Placing, estimate_layout
from lmul.cost.layout.technology.lef import read_lef
from lmul.cost.layout.technology.technology import Technology
from lmul.cost.library.reader import LibraryFiles
from lmul.cost.mapping.scripts import RIPPLE_EMAP, SynthesisScript, with_seeds
from lmul.errors import UserError
from lmul.explore.space import Point
from lmul.host.cache import digest, program_digest
from lmul.multipliers.table import plug_in_digest
from lmul.workloads import Operands, default_operands, load_operands

DEFAULT_LIBRARY = LibraryFiles()

FULL, LOOK = "full", "look"
"""Efforts: all scripts, or one to see whether a design is worth all."""

_SCRIPTS: Mapping[str, Sequence[SynthesisScript] | None] = {FULL: None, LOOK: with_seeds([RIPPLE_EMAP], 1)}


@dataclass(frozen=True)
class Setup:
    """What all evaluations of a sweep have in common.

    Parameters
    ----------
    conditions : Conditions
        Without a clock period.
    operands : Path or None
        File, the same wherever evaluations run; None are those of the package.
    library : LibraryFiles
        Files of the same kind.
    cache : Path or None
        Directory of netlists and figures; None keeps nothing.
    lef : tuple of Path
        Files by which designs are placed before they are measured; not placed without any.
    """

    conditions: Conditions
    operands: Path | None = None
    library: LibraryFiles = DEFAULT_LIBRARY
    cache: Path | None = None
    lef: tuple[Path, ...] = ()

    @property
    def technology(self) -> Technology | None:
        """What designs are placed by."""
        return read_lef(self.lef) if self.lef else None

    @property
    def _layout(self) -> str:
        """What makes a placement: its files, and the placer."""
        technology = self.technology
        return digest(repr((technology.files, version("coloquinte")))) if technology else ""

    def matrices(self) -> tuple[Operands, ...]:
        """Read the operands."""
        return default_operands() if self.operands is None else load_operands(self.operands)

    def fingerprint(self) -> dict[str, Any]:
        """Give all that figures depend on beside the point, as plain values."""
        conditions = self.conditions
        return {
            "program": program_digest(),
            "pyosys": version("pyosys"),
            "library": self.library.read().checksum,
            "operands": digest(" ".join(pair.checksum for pair in self.matrices())),
            "seeds": conditions.seeds,
            "precision_percent": 100 * conditions.precision,
            "wires": conditions.wires,
            "layout": self._layout,
        }


@dataclass(frozen=True)
class Task:
    """What is to be evaluated.

    Parameters
    ----------
    point : Point
    effort : str
        `FULL` or `LOOK`.
    """

    point: Point
    effort: str = FULL

    def key(self, fingerprint: Mapping[str, Any]) -> str:
        """Give a name of the result that nothing else has."""
        point = self.point
        made_from = [dict(fingerprint), point.design.parameters(), point.clock_ns, self.effort]
        made_from += filter(None, [plug_in_digest(point.design.mul)])
        return digest(json.dumps(made_from, sort_keys=True))


@dataclass(frozen=True)
class Evaluation:
    """A result.

    Parameters
    ----------
    figures : mapping of str to float
        By name of a metric. An error that is no number is infinite.
    seconds : float
        Time that it took.
    """

    figures: Mapping[str, float]
    seconds: float


def evaluate(task: Task, setup: Setup, fingerprint: Mapping[str, Any]) -> Evaluation:
    """Measure a design.

    Parameters
    ----------
    task : Task
    setup : Setup
    fingerprint : mapping
        What `setup.fingerprint` has to give, wherever this runs.

    Raises
    ------
    UserError
        Program, library or operands are not those of the sweep, or the design cannot be measured.
    """
    start = time.perf_counter()
    _check_fingerprint(setup, fingerprint)
    figures = _figures(task, setup)
    return Evaluation(figures, time.perf_counter() - start)


@lru_cache(maxsize=4)
def _fingerprint_here(setup: Setup) -> dict[str, Any]:
    return setup.fingerprint()


@lru_cache(maxsize=4)
def _matrices_here(setup: Setup) -> tuple[Operands, ...]:
    return setup.matrices()


@lru_cache(maxsize=4)
def _technology_here(setup: Setup) -> Technology | None:
    return setup.technology


def _check_fingerprint(setup: Setup, wanted: Mapping[str, Any]) -> None:
    here = _fingerprint_here(setup)
    differing = [name for name, value in here.items() if wanted.get(name) != value]
    if differing:
        raise UserError(
            f"a worker has another {' and '.join(differing)} than this machine: install the same lmul and "
            "pyosys on every worker, and name files that are the same everywhere"
        )


def _figures(task: Task, setup: Setup) -> dict[str, float]:
    design, clock = task.point.design, task.point.clock_ns
    matrices = _matrices_here(setup)
    period = None if clock is None else 1e3 * clock
    conditions = Conditions(**asdict(setup.conditions) | {"period_ps": period})
    cost = estimate(
        design,
        matrices,
        setup.library.read(),
        conditions=conditions,
        scripts=_SCRIPTS[task.effort],
        cache=setup.cache,
    )
    technology = _technology_here(setup)
    area, delay, energy = cost.area_um2, cost.measured.delay_ps, cost.energy_per_product.total
    if technology:
        laid = estimate_layout(cost, matrices, technology, Placing(), cache=setup.cache)
        area, delay, energy = (mean(laid.figures(name)) for name in (AREA, DELAY, ENERGY))
    error, noise = design_errors(design, matrices)
    return {
        "energy_per_product_fj": energy,
        "area_um2": round(area, 4),
        "critical_delay_ps": round(delay, 2),
        "products_per_ns": 1e3 * design.products_per_cycle / max(period or 0.0, delay),
        "rms_error_percent": 100 * error,
        "noise_percent": 100 * noise,
    }
