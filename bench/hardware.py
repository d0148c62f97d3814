"""Area, energy and clock of the hardware in Nangate 45 nm, beside what was aimed at.

`python bench/hardware.py`; netlists and figures are kept in `build/cells`. Energy has glitches, on operands
of SmolLM2.
"""

import re
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from results import Result, show

from lmul.cost.cells.estimate import Cost, estimate, module_areas
from lmul.cost.cells.measure import DEFAULT_CONDITIONS, Conditions, Measured, measure_all
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.mapper import CELLS, map_design
from lmul.cost.mapping.scripts import QUICK_SCRIPTS, SCRIPTS, SynthesisScript, with_seeds
from lmul.cost.power.stimulus import stimulus
from lmul.design import Design, make_design
from lmul.hdl import export
from lmul.terminal.progress import working
from lmul.workloads import default_operands

BUILD = Path("build") / CELLS
FIXED = {"acc": "fixed:24:1", "out": "raw"}
CLOCK_PS = 1000.0
ARRAY = {"rows": 16, "cols": 16, "lanes": 8}

QUIET = "The goal was set beside an `exact` with three times the toggles it needs; the netlist kept is quiet."
SPECIALS = "Infinities and NaN take a large share of the small `lmul`, and little of `exact`: a part of it."
SUM = "The sum decides: its shifters and adders are as wide for both multipliers."
REASONS = {
    ("e4m3 multiplier in an element, energy", "lmul / exact"): QUIET,
    ("bf16 multiplier, area", "lmul / exact"): SPECIALS,
    ("bf16 multiplier, energy", "lmul / exact"): QUIET,
    ("fp32 multiplier, area", "lmul / exact"): SPECIALS,
    ("fp32 multiplier, energy", "lmul / exact"): QUIET,
    ("e4m3 multiplier, area", "addc / exact"): "No form of its carry that was tried is smaller.",
    ("1 lane, area", "lmul / exact"): SUM,
    ("1 lane, energy", "lmul / exact"): SUM,
    ("8 lanes, area", "lmul / exact"): SUM,
    ("8 lanes, energy", "lmul / exact"): SUM,
    ("8 lanes, exact sum", "fJ"): "Glitches are a third of it.",
}
"""Why goals are missed, by name and unit; docs/hardware.md has the figures."""


def measured(
    design: Design,
    conditions: Conditions,
    *,
    scripts: Sequence[SynthesisScript] | None = None,
    name: str = "",
    scaling: str = "tensor",
) -> Cost:
    """Measure a design as `lmul cost` does, in the default library on the default operands."""
    with working(f"Measuring {name or design.name}") as progress:
        return estimate(
            design,
            default_operands(scaling),
            default_library(),
            conditions=conditions,
            scripts=scripts,
            cache=BUILD,
            progress=progress,
        )


@cache
def cost(kind: str, mul: str, period_ps: float | None = None, **options: Any) -> Cost:
    """Measure a design by its options."""
    return measured(make_design(kind, mul=mul, **options), Conditions(period_ps=period_ps))


def ratio(
    what: str, kind: str, muls: tuple[str, str], goals: Mapping[str, float], **options: Any
) -> list[Result]:
    """Compare two multipliers in the same design."""
    first, second = (cost(kind, mul, **options) for mul in muls)
    figures = {
        "area": first.area_um2 / second.area_um2,
        "energy": first.measured.energy.total / second.measured.energy.total,
    }
    names = f"{muls[0]} / {muls[1]}"
    return [
        Result(f"{what}, {name}", names, figures[name], goal, at_most=True) for name, goal in goals.items()
    ]


def wide_products() -> list[Result]:
    """Compare the multipliers inside an array's elements."""
    best = {mul: wide_product(mul) for mul in ("lmul", "exact")}
    areas = {mul: found.area_um2 for mul, found in best.items()}
    energies = {mul: found.energy.total for mul, found in best.items()}
    what = "e4m3 multiplier in an element"
    return [
        Result(f"{what}, area", "lmul / exact", areas["lmul"] / areas["exact"], 0.50, at_most=True),
        Result(f"{what}, energy", "lmul / exact", energies["lmul"] / energies["exact"], 0.40, at_most=True),
    ]


def wide_product(mul: str) -> Measured:
    """Measure the multiplier of an array's elements: the module of the export, by itself."""
    text = export(make_design("array", mul=mul))
    name = f"{text.name}_product"
    module = re.search(rf"^module {name} .*?^endmodule", text.verilog, re.MULTILINE | re.DOTALL)
    if module is None:
        raise LookupError(name)
    design = make_design("mul", mul=mul)
    scripts = with_seeds(SCRIPTS, DEFAULT_CONDITIONS.seeds)
    with working(f"Measuring {name}") as progress:
        netlists = map_design(
            module[0], name, default_library(), scripts=scripts, cache=BUILD, progress=progress
        )
    measuring = measure_all(
        netlists,
        lambda: stimulus(design, default_operands()),
        name,
        warmup=0,
        conditions=DEFAULT_CONDITIONS,
        cache=BUILD,
    )
    return min((found for _, found in measuring), key=lambda found: found.area_energy)


def array_over_elements() -> float:
    """Give the area of an array over that of its elements."""
    text = export(make_design("array", **ARRAY))
    areas = []
    for top in (text.name, f"{text.name}_element"):
        with working(f"Mapping {top}") as progress:
            netlists = map_design(
                text.verilog,
                top,
                default_library(),
                scripts=QUICK_SCRIPTS[:1],
                flatten=False,
                cache=BUILD,
                progress=progress,
            )
        areas += [sum(module_areas(mapped).values()) for mapped in netlists.values()]
    return areas[0] / (ARRAY["rows"] * ARRAY["cols"] * areas[1])


PEAK = """
import re, resource, sys
from pathlib import Path
from lmul.cli import main
status = main(sys.argv[1:])
own = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(max(int(own[1]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss), file=sys.stderr)
sys.exit(status)
"""
"""Runs `lmul` and prints the most memory that it or a program of its took, in KiB.

The operating system's own count of a process begins with what the one that started it had.
"""


def verilog_of_the_array() -> tuple[float, float]:
    """Write the array in a process of its own: give seconds of processor time, and gigabytes."""
    sizes = [part for name, size in ARRAY.items() for part in (f"--{name}", str(size))]
    command = [sys.executable, "-c", PEAK, "verilog", "array", *sizes, "-o", "-"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return seconds, int(done.stderr.split()[-1]) * 1024 / 1e9


def large_array() -> list[Result]:
    """Compare the array's area with that of its elements, and time its Verilog."""
    seconds, gigabytes = verilog_of_the_array()
    what = "{rows} x {cols} array of {lanes} lanes".format(**ARRAY)
    return [
        Result(f"{what}, Verilog", "s", seconds, 20, at_most=True),
        Result(f"{what}, memory", "GB", gigabytes, 1, at_most=True),
        Result(f"{what}, area", "elements' area", array_over_elements(), 1.06, at_most=True),
    ]


def clock() -> list[Result]:
    """Map the pipelined dot product for 1 GHz, and with no clock in mind."""
    fast, relaxed = (cost("dot", "lmul", period, pipeline=2, **FIXED) for period in (CLOCK_PS, None))
    growth = fast.area_um2 / relaxed.area_um2
    what = "8 lanes, two stages"
    return [
        Result(f"{what}, clock", "GHz", 1000 / fast.measured.delay_ps, 1.0, at_most=False),
        Result(f"{what}, area at 1 GHz", "relaxed area", growth, 1.25, at_most=True),
    ]


def measure() -> list[Result]:
    """Measure everything there is a goal for."""
    pair = ("lmul", "exact")
    dot = cost("dot", "lmul", **FIXED)
    exact = cost("dot", "lmul")
    results = [
        *large_array(),
        *wide_products(),
        *ratio("bf16 multiplier", "mul", pair, {"area": 0.28, "energy": 0.12}, format="bf16"),
        *ratio("fp32 multiplier", "mul", pair, {"area": 0.075, "energy": 0.023}, format="fp32"),
        *ratio("e4m3 multiplier", "mul", ("addc", "exact"), {"area": 0.82}),
        *ratio("1 lane", "dot", ("addc", "lmul"), {"area": 1.03, "energy": 1.03}, lanes=1, **FIXED),
        *ratio("1 lane", "dot", pair, {"area": 0.80, "energy": 0.72}, lanes=1, **FIXED),
        *ratio("8 lanes", "dot", pair, {"area": 0.72, "energy": 0.70}, **FIXED),
        Result("8 lanes, area of one", "um2", dot.area_um2 / 8, 220, at_most=True),
        Result("8 lanes, energy of a product", "fJ", dot.energy_per_product.total, 550, at_most=True),
        Result("8 lanes, exact sum", "fJ", exact.energy_per_product.total, 750, at_most=True),
        *clock(),
    ]
    return [replace(result, reason=REASONS.get((result.what, result.unit), "")) for result in results]


if __name__ == "__main__":
    show(__doc__, measure)
