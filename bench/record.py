"""Measure what the documents show, into docs/recorded; `python docs/figures.py` takes it from there.

`python bench/record.py` measures all of it anew, `python bench/record.py costs` one file. Netlists and
figures are kept in `build`, so that an interrupted run goes on where it was.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hardware import array_over_elements, measured, verilog_of_the_array, wide_product

from lmul.accuracy.designs import design_errors
from lmul.accuracy.products import (
    code_errors,
    exact_products,
    mantissa_pairs,
    multipliers,
    rounded_products,
)
from lmul.cost.cells.estimate import Cost
from lmul.cost.cells.measure import PRECISION, SEEDS, Conditions
from lmul.cost.cells.noise import AREA, DELAY, ENERGY, noise_of
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.host.files import write_json
from lmul.options import option
from lmul.workloads import default_operands

RECORDED = Path(__file__).parent.parent / "docs" / "recorded"

PLACES = dict.fromkeys(("units", "rivals", "noise"), Path(__file__).parent.parent / "report" / "recorded")
"""Where records are that the report's page shows, too."""

BUILD = Path("build")

RAW = {"acc": "fixed:24:1", "out": "raw"}

FAST = {"pipeline": 4, "clock": 1.0}

FUSED = {"out": "raw", "pipeline": 3, "interleave": 3}
FIXED = {"out": "raw", "pipeline": 2}
"""Stages of a unit as accelerators have it: what its clock asks for, and no more."""

UNITS: tuple[dict[str, Any], ...] = (
    *({"lanes": 16, "acc": acc, **FUSED} for acc in ("fused:25", "fused:13:13", "fused:10:7:rne")),
    *({"lanes": 32, "acc": acc, **FUSED} for acc in ("fused:25", "fused:13:13")),
    {"lanes": 16, "format": "bf16", "acc": "fused:25", **FUSED},
    *({"lanes": lanes, "acc": acc, **FIXED} for lanes in (16, 32) for acc in ("fixed:24:1", "exact")),
)
"""Units of one clock, beside each other: tensor cores' sums, fixed and exact ones."""

UNIT_CLOCK = 1.5
"""Of all of them, in ns."""

RIVALS: tuple[str, ...] = ("mitchell", "addm", "addc")
"""Multipliers of which one unit is recorded beside `lmul` and `exact`, for the recommendation."""

RIVALS_UNIT = {"lanes": 32, "acc": "fused:13:13", **FUSED}
"""That of an H100's fp8, with which the language model was read."""

NOISES: dict[str, dict[str, Any]] = {
    "mul": {"kind": "mul"},
    "dot": {"kind": "dot", "lanes": 8, **RAW},
    "unit": {"kind": "dot", "lanes": 4, "acc": "fused:13:13", "clock": UNIT_CLOCK, **FUSED},
}
"""Designs of whose seeds the noise of synthesis is told; a small unit stands for the large ones."""

NOISE_SEEDS = 8

NOISE_PRECISION = 0.02

NOISE_FIGURES = (AREA, DELAY, ENERGY)
"""What the report and the documents give ratios of."""

COSTS: tuple[dict[str, Any], ...] = (
    *({"kind": "mul", "mul": mul} for mul in ("lmul", "addm", "addc", "exact")),
    # The table of options: each by itself.
    *({"kind": "dot", "mul": mul} for mul in ("lmul", "mitchell", "addm", "addc", "exact")),
    {"kind": "dot", "format": "e5m2"},
    {"kind": "dot", "subnormals": "full"},
    {"kind": "dot", "acc": "fixed:24:1"},
    {"kind": "dot", "out": "raw"},
    {"kind": "dot", "lanes": 16},
    {"kind": "dot", "pipeline": 2},
    {"kind": "dot", "carry": "save"},
    # Chains of adders that take minutes a netlist: one seed, as the document says.
    {"kind": "dot", "acc": "fp32", "seeds": 1},
    {"kind": "dot", "format": "bf16", "acc": "fp32", "seeds": 1},
    *({"kind": "dot", "lanes": 1, "mul": mul, **RAW} for mul in ("lmul", "addc", "exact")),
    *(
        {"kind": "dot", "mul": mul, "acc": f"fixed:24:{lsb}", "out": "raw"}
        for lsb in (-4, 0, 1, 2)
        for mul in ("lmul", "exact")
    ),
    *({"kind": "dot", "pipeline": 2, **RAW, **clock} for clock in ({}, {"clock": 1.0}, {"clock": 0.8})),
    {"kind": "dot", **FAST},
    {"kind": "dot", "carry": "save", **FAST},
    *({"kind": "mul", "format": name, "mul": mul} for name in ("bf16", "fp32") for mul in ("lmul", "exact")),
)
"""Options of `lmul cost`, the clock in ns: every design whose area, delay or energy a document shows."""

KEPT = (
    "design",
    "library",
    "voltage_v",
    "clock_period_ps",
    "script",
    "area_um2",
    "critical_delay_ps",
    "energy_per_product_fj",
    "energy_per_product_zero_delay_fj",
)
"""What is recorded of a cost; the rest of it, cells and paths, is in no document."""

COMMANDS = {
    "claims": "error --claims",
    "gates": "cost --claims",
    "calibration": "cost --calibration",
    "ice40": "cost mul --estimate ice40 --compare lmul,mitchell,addc,exact",
    "ecp5": "cost mul --estimate ecp5 --compare lmul,mitchell,addc,exact",
    "ecp5_dot": "cost dot --lanes 1 --estimate ecp5 --compare lmul,exact",
    "simulation": "sim array",
    "simulation_ws": "sim array --dataflow ws",
}
"""What is recorded as `lmul` writes it with `--json`."""


def costs() -> list[dict[str, Any]]:
    """Measure the costs of designs, and the errors of dot products."""
    found = []
    for place, options in enumerate(COSTS, start=1):
        print(f"Cost {place} of {len(COSTS)}", file=sys.stderr)
        found.append(_cost(**options))
    return found


def units() -> list[dict[str, Any]]:
    """Measure the units of one clock: twenty of the largest designs, so each script is tried once."""
    chosen = [(unit, mul) for unit in UNITS for mul in ("lmul", "exact")]
    return [_cost(kind="dot", mul=mul, clock=UNIT_CLOCK, seeds=1, **unit) for unit, mul in chosen]


def rivals() -> list[dict[str, Any]]:
    """Measure the unit of the recommendation with other multipliers, each script once."""
    return [_cost(kind="dot", mul=mul, clock=UNIT_CLOCK, seeds=1, **RIVALS_UNIT) for mul in RIVALS]


def noise() -> dict[str, Any]:
    """Measure how the figures of one seed scatter, over eight seeds of four multipliers each."""
    found = {}
    for name, unit in NOISES.items():
        options = {"seeds": NOISE_SEEDS, "precision": NOISE_PRECISION, **unit}
        costs_ = [_estimate(mul=mul, **options)[1] for mul in ("lmul", "addm", "addc", "exact")]
        told = noise_of(costs_, of=1)
        deviations = {figure: told.deviations[figure] for figure in NOISE_FIGURES}
        size = costs_[0].design.size
        found[name] = {
            "design": size,
            "seeds": NOISE_SEEDS,
            "deviations": deviations,
            "freedom": told.freedom,
        }
    return found


def _estimate(
    clock: float | None = None, seeds: int = SEEDS, precision: float = PRECISION, **options: Any
) -> tuple[Design, Cost]:
    design = make_design(**options)
    conditions = Conditions(period_ps=clock and 1e3 * clock, seeds=seeds, precision=precision)
    return design, measured(design, conditions)


def _cost(**options: Any) -> dict[str, Any]:
    design, cost = _estimate(**options)
    figures = cost.as_dict()
    return {name: figures[name] for name in KEPT} | (_errors(design) if design.kind == "dot" else {})


def _errors(design: Design) -> dict[str, Any]:
    """Give the error of each matrix product, and of all, each counting as much as any other."""
    tiles = [100 * design_errors(design, [pair])[0] for pair in default_operands()]
    mean = math.sqrt(sum(error**2 for error in tiles) / len(tiles))
    return {"rms_error_percent": mean, "rms_error_percent_of_tiles": tiles}


def products() -> dict[str, Any]:
    """Compare single products of codes with true ones, by mantissa width and multiplier."""
    return {
        str(bits): {mul: _product_errors(mul, bits) for mul in multipliers(bits)} for bits in (3, 4, 5, 7, 10)
    }


def _product_errors(mul: str, bits: int) -> dict[str, float]:
    """Give the errors in %, what no factor repairs among them: its RMS over that of the true products."""
    found = code_errors(mul, bits)
    x, y = mantissa_pairs(bits)
    true, product = exact_products(x, y, bits), rounded_products(x, y, mul, bits)
    gain = np.sum(product * true) / np.sum(true**2)
    left = math.sqrt(np.mean((product - gain * true) ** 2) / np.mean(true**2))
    errors = {name: getattr(found.errors, name) for name in ("mean", "mean_absolute", "rms")}
    percent = {f"{name}_percent": 100 * value for name, value in (errors | {"left": left}).items()}
    return percent | {"nearest": found.nearest}


def hardware() -> dict[str, Any]:
    """Measure what `lmul cost` does not: an element's multiplier, a large array, and the time to write it."""
    areas, energies = {}, {}
    for mul in ("lmul", "exact"):
        found = wide_product(mul)
        areas[mul], energies[mul] = found.area_um2, found.energy.total
    seconds, gigabytes = verilog_of_the_array()
    return {
        "element_multiplier_um2": areas,
        "element_multiplier_fj": energies,
        "array_over_elements": array_over_elements(),
        "verilog_seconds": seconds,
        "verilog_gigabytes": gigabytes,
    }


def lmul(command: str) -> Any:
    """Run a command of `lmul` and give what it writes as JSON; its tables are not shown."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "figures.json"
        words = [sys.executable, "-m", "lmul", *command.split(), "--json", str(file)]
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        return json.loads(file.read_text(encoding="utf-8"))


RECORDS: dict[str, Callable[[], Any]] = {
    "costs": costs,
    "units": units,
    "rivals": rivals,
    "noise": noise,
    "products": products,
    "hardware": hardware,
    **{name: partial(lmul, command) for name, command in COMMANDS.items()},
}


def processor_seconds() -> float:
    """Give the time of processors that this process and those that it started have taken."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def main() -> int:
    """Record what the command line names, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(RECORDS)}; default: all")
    names = parser.parse_args().names or list(RECORDS)
    if unknown := [name for name in names if name not in RECORDS]:
        parser.error(f"nothing is recorded as {unknown[0]!r}: name some of {', '.join(RECORDS)}")
    for name in names:
        before = processor_seconds()
        try:
            write_json(PLACES.get(name, RECORDED) / f"{name}.json", RECORDS[name]())
        except UserError as error:
            print(f"lmul: {error.told(option)}", file=sys.stderr)
            return 2
        except subprocess.CalledProcessError as error:
            return error.returncode
        print(f"{name}: {processor_seconds() - before:,.0f} s of processor time", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
