"""Speed of the simulation of an array: cocotb bench, native bench, and Verilator alone.

`python bench/simulation.py`. Cycles a second of processor time, building and starting left out. Of the cocotb
bench that is the difference of a long and a short run.
"""

import resource
import tempfile
from pathlib import Path

import numpy as np
from results import Result, show

from lmul.design import make_design
from lmul.hdl import export
from lmul.sim.native.native import build_array, run_array, run_bare, write_tiles
from lmul.sim.simulate import SimulationRun, simulate
from lmul.sim.stimulus.tiles import tiles
from lmul.terminal.progress import working

DESIGN = make_design("array", rows=8, cols=8, lanes=8)
DEPTH = 256
SHORT, LONG = 2, 40
"""Tiles in a row, and in a column, of the operands of the cocotb bench."""

COCOTB_GOAL, RATIO = 10_000, 20

OVERTAKEN = "The ratio was set beside a cocotb bench at its goal, and this one is faster."

PASSES = 400
RUNS = 3


def operands(tiles_a_side: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw codes of finite numbers for a matrix product of so many tiles by so many."""
    rng = np.random.default_rng(1)
    shapes = (DESIGN.rows * tiles_a_side, DEPTH), (DEPTH, DESIGN.cols * tiles_a_side)
    a, b = (rng.integers(0, DESIGN.format.largest_finite + 1, shape).astype(np.uint8) for shape in shapes)
    return a, b


def cocotb_speed(source: Path, ports: list[str], directory: Path) -> float:
    """Measure the cycles a second of the cocotb bench."""
    cycles, seconds = {}, {}
    simulate(SimulationRun(DESIGN, [source], DESIGN.name, ports, [operands(1)], directory))
    for size in (SHORT, LONG):
        times = []
        run = SimulationRun(DESIGN, [source], DESIGN.name, ports, [operands(size)], directory)
        for _ in range(RUNS):
            start = resource.getrusage(resource.RUSAGE_CHILDREN)
            result = simulate(run)
            end = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
        cycles[size], seconds[size] = result.cycles, min(times)
    return (cycles[LONG] - cycles[SHORT]) / (seconds[LONG] - seconds[SHORT])


def native_speeds(source: Path, directory: Path) -> tuple[float, float]:
    """Measure the cycles a second of the native bench, and of the same program without any check."""
    program = build_array([source], DESIGN.name, directory)
    jobs = directory / "tiles"
    write_tiles(list(tiles(*operands(SHORT), DESIGN)), DESIGN, jobs)
    checked = [run_array(program, jobs, passes=PASSES) for _ in range(RUNS)]
    bare = [run_bare(program, jobs, checked[0].cycles) for _ in range(RUNS)]
    native, alone = (max(run.cycles / run.seconds for run in runs) for runs in (checked, bare))
    return native, alone


def measure() -> list[Result]:
    """Measure everything there is a goal for."""
    text = export(DESIGN)
    ports = text.port_names
    with tempfile.TemporaryDirectory() as name, working(f"Measuring {DESIGN.name}"):
        source = Path(name) / f"{text.name}.v"
        source.write_text(text.verilog)
        native, alone = native_speeds(source, Path(name) / "native")
        cocotb = cocotb_speed(source, ports, Path(name) / "cocotb")
    speeds = {"cocotb bench": cocotb, "Native bench": native, "Verilator alone": alone}
    goals = (COCOTB_GOAL, RATIO * COCOTB_GOAL, RATIO * COCOTB_GOAL)
    return [
        *(
            Result(name, "cycles/s", speed, goal, at_most=False)
            for (name, speed), goal in zip(speeds.items(), goals, strict=True)
        ),
        Result(
            "Native bench over cocotb bench",
            "ratio",
            native / cocotb,
            RATIO,
            at_most=False,
            reason=OVERTAKEN if cocotb > COCOTB_GOAL else "",
        ),
        Result("Native bench over Verilator alone", "ratio", native / alone, 0.5, at_most=False),
    ]


if __name__ == "__main__":
    show(__doc__, measure)
