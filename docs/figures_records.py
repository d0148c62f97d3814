"""What commands have recorded, for the tables and the sentences of the documents."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from lmul.design import make_design

ROOT = Path(__file__).parent.parent

RECORDED, MODEL, TIMES = ROOT / "docs/recorded", ROOT / "report/recorded", ROOT / "tests/support/times.json"

Rows = Iterable[Sequence[str]]

Figures = Mapping[str, Any]


RECORDS = dict.fromkeys(
    (
        "costs",
        "products",
        "hardware",
        "claims",
        "gates",
        "calibration",
        "ice40",
        "ecp5",
        "ecp5_dot",
        "simulation",
        "simulation_ws",
        "pytorch",
        "training",
        "finetuning",
    ),
    RECORDED,
) | dict.fromkeys(("units", "rivals", "noise", "layout"), MODEL)
"""What `bench/record.py`, `bench/pytorch.py`, `bench/layout.py` and examples/training write, and where."""


class NotRecordedError(LookupError):
    """A record is not there: what is made of it stays as it is."""


@lru_cache
def recorded(name: str, directory: Path = RECORDED) -> Any:
    """Read what a command has recorded.

    Raises
    ------
    NotRecordedError
        The file is not there.
    """
    path = directory / f"{name}.json"
    if not path.exists():
        raise NotRecordedError(f"{path.relative_to(ROOT)} is not there: run `make figures`")
    return json.loads(path.read_text(encoding="utf-8"))


def cost(kind: str, clock: float | None = None, **options: Any) -> Figures:
    """Find the recorded cost of a design.

    Parameters
    ----------
    kind : str
    clock : float, optional
        In ns.
    **options
        Of `lmul cost`.

    Raises
    ------
    LookupError
        `bench/record.py` has not measured it, or twice.
    """
    wanted = make_design(kind, **options).parameters()
    period = clock and 1e3 * clock
    rows = [r for r in recorded("costs") if r["design"] == wanted and r["clock_period_ps"] == period]
    if len(rows) != 1:
        raise LookupError(f"{len(rows)} recorded costs of {kind} {options} at {clock}: wanted one")
    found: Figures = rows[0]
    return found


AREA, DELAY = "area_um2", "critical_delay_ps"

ENERGY, QUIET = "energy_per_product_fj", "energy_per_product_zero_delay_fj"


def ratio(name: str, first: Figures, second: Figures) -> str:
    """Give a figure of a design over that of another one."""
    return f"{first[name] / second[name]:.2f}"


def table(head: Sequence[str], rows: Rows) -> str:
    """Lay out a table in Markdown."""
    lines = [f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


RAW = {"acc": "fixed:24:1", "out": "raw"}
"""A 24-bit sum whose last bit is 2, as it is."""


def busy(name: str) -> float:
    """Give the share of cycles with a step of a recorded simulation, in %."""
    found = recorded(name)
    return 100 * float(found["busy"]) / float(found["window"])


def added_error(found: Figures) -> float:
    """Give the most that a design's sums add to the error of a tile with exact sums, in % of that error."""
    whole = cost("dot", mul=found["design"]["mul"])
    tiles = [design["rms_error_percent_of_tiles"] for design in (found, whole)]
    return 100 * max(one / other - 1 for one, other in zip(*tiles, strict=True))


def perplexity(mul: str, format_: str, scope: str, register: bool = False) -> str:
    """Give perplexity over that of full precision with its interval; nothing if it was not measured."""
    start = f"{mul},{format_},{scope}"
    for row in recorded("accuracy", MODEL):
        name = row["arithmetic"]
        if f"{name},".startswith(f"{start},") and ("acc=" in name) == register:
            return interval(**row["ratio"])
    return ""


def interval(value: float, half_width: float) -> str:
    """Write a figure with its interval, to as many digits as mean something."""
    digits = 3 if value < 2 else 2 if value < 10 else 0
    return f"{value:.{digits}f} ± {half_width:.{digits}f}"
