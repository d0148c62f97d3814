"""Speed of the cost estimate: the event-driven simulation beside Icarus Verilog with SDF, and a large array.

`python bench/cost.py`; Icarus is Debian's package iverilog, without which its rows are left out.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results import Result, show

from lmul.cost.cells.estimate import estimate
from lmul.cost.cells.measure import SEEDS, Conditions
from lmul.cost.layout.estimate import PLACEMENTS, Placing, estimate_layout, lay_out
from lmul.cost.layout.technology.lef import default_lef, read_lef
from lmul.cost.layout.technology.technology import Technology
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.designs import map_to_cells
from lmul.cost.mapping.mapper import CELLS, Mapped
from lmul.cost.mapping.scripts import QUICK_SCRIPTS
from lmul.cost.netlist.netlist import cell_models
from lmul.cost.power.event_driven import TimedNetlist
from lmul.cost.power.stimulus import stimulus
from lmul.cost.power.zero_delay import Steps, simulate
from lmul.cost.timing.analysis import analyse_timing
from lmul.cost.timing.sdf import sdf_text
from lmul.design import Design, make_design
from lmul.hdl import export
from lmul.sim.simulators.icarus import GateLevelBench
from lmul.terminal.progress import working
from lmul.workloads import default_operands

DESIGN = make_design("mul", mul="exact", format="e8m8")
"""A multiplier of some 350 cells."""

TIMED_CYCLES = 100_000
ICARUS_CYCLES = 4_000
RUNS = 3
PLACED_DOT = {"mul": "lmul", "lanes": 8, "acc": "fixed:24:1", "out": "raw"}
PLACED_ARRAY = {"rows": 4, "cols": 4, "lanes": 1}
"""Some 10,000 cells."""

ARRAY = {"rows": 16, "cols": 16, "lanes": 4}


def mapped_design(design: Design) -> Mapped:
    """Map a design with one script."""
    with working(f"Mapping {design.name}"):
        (mapped,) = map_to_cells(
            export(design),
            design,
            default_library(),
            scripts=QUICK_SCRIPTS[:1],
            cache=Path("build") / CELLS,
        ).values()
    return mapped


def timed_speed(mapped: Mapped, ports: dict[str, np.ndarray]) -> tuple[float, float]:
    """Measure the cycles a second of our event-driven simulation: by processor time, and by the clock."""
    netlist = mapped.netlist
    cycles = min(TIMED_CYCLES, len(next(iter(ports.values()))) - 1)
    steps = Steps(np.arange(cycles), np.zeros(cycles, dtype=np.intp))
    activity = simulate(netlist, ports, 0, steps)
    timed, weights = TimedNetlist(netlist, analyse_timing(netlist)), np.ones(netlist.nets)
    timed.count(activity.ends[:10], weights, 1e6)
    seconds = []
    for _ in range(RUNS):
        start = time.process_time(), time.perf_counter()
        timed.count(activity.ends, weights, 1e6)
        seconds.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    processor, clock = map(min, zip(*seconds, strict=True))
    return cycles / processor, cycles / clock


def icarus_speed(mapped: Mapped, ports: dict[str, np.ndarray], dump: str) -> float:
    """Measure the cycles a second of Icarus with the same delays, its start left out."""
    netlist = mapped.netlist
    seconds = {}
    for cycles in (2, ICARUS_CYCLES):
        bench = GateLevelBench(
            netlist.name,
            mapped.verilog,
            cell_models(netlist.library, netlist.cell_counts, paths=True),
            sdf_text(netlist, analyse_timing(netlist)),
            {name: bits[:cycles, 0] for name, bits in ports.items()},
            netlist.clock_port,
            period_ps=20_000,
        )
        with tempfile.TemporaryDirectory() as name:
            bench.build(Path(name), dump)
            runs = []
            for _ in range(RUNS):
                start = time.perf_counter()
                bench.run(Path(name))
                runs.append(time.perf_counter() - start)
        seconds[cycles] = min(runs)
    return (ICARUS_CYCLES - 2) / (seconds[ICARUS_CYCLES] - seconds[2])


def one_stream() -> dict[str, np.ndarray]:
    """Lay the streams of the workload one after the other."""
    ports = stimulus(DESIGN, default_operands())
    return {
        name: bits.transpose(1, 0, 2).reshape(-1, 1, bits.shape[2])[: TIMED_CYCLES + 1]
        for name, bits in ports.items()
    }


def array_seconds() -> float:
    """Time the cost of an array from an empty cache."""
    design = make_design("array", **ARRAY)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, working(f"Measuring {design.name}") as progress:
        estimate(design, default_operands(), default_library(), cache=Path(name), progress=progress)
    return time.perf_counter() - start


def layout_results() -> Iterator[Result]:
    """Time placements, and a placed cost over one without wires, each from an empty cache."""
    technology = read_lef(default_lef())
    dot, array = make_design("dot", **PLACED_DOT), make_design("array", **PLACED_ARRAY)
    for design, goal in ((dot, 5), (array, 120)):
        netlist = mapped_design(design).netlist
        with working(f"Placing {netlist.name}"):
            start = time.perf_counter()
            lay_out(netlist, technology, Placing(), 1)
            seconds = time.perf_counter() - start
        yield Result(f"Placing {len(netlist.instances):,} cells", "s", seconds, goal, at_most=True)
    for seeds, placements in ((1, 1), (SEEDS, PLACEMENTS)):
        ratio = placed_ratio(dot, technology, Conditions(seeds=seeds), Placing(placements=placements))
        what = (
            f"8-lane dot product of {seeds} seeds placed {placements} times and measured, over without wires"
        )
        yield Result(what, "times", ratio, 2, at_most=True)


def placed_ratio(design: Design, technology: Technology, conditions: Conditions, placing: Placing) -> float:
    """Give how many times as long a placed cost takes as one without wires."""
    library, operands = default_library(), default_operands()
    with tempfile.TemporaryDirectory() as name, working(f"Measuring {design.name}") as progress:
        start = time.perf_counter()
        cost = estimate(design, operands, library, conditions=conditions, cache=Path(name), progress=progress)
        bare = time.perf_counter() - start
        estimate_layout(cost, operands, technology, placing, cache=Path(name), progress=progress)
        return (time.perf_counter() - start) / bare


def measure() -> list[Result]:
    """Measure everything there is a goal for."""
    mapped, ports = mapped_design(DESIGN), one_stream()
    cells = len(mapped.netlist.instances)
    one_core, all_cores = timed_speed(mapped, ports)
    what = f"Event-driven simulation, {cells} cells, one core"
    results = [Result(what, "cycles/s", one_core, 100_000, at_most=False)]
    for name, dump in (("dump", "dump.vcd"), ("no dump", "")) if shutil.which("iverilog") else ():
        ratio = all_cores / icarus_speed(mapped, ports, dump)
        results.append(Result(f"All cores over Icarus with SDF, {name}", "ratio", ratio, 20, at_most=False))
    what = "{rows} x {cols} array of {lanes} lanes, empty cache".format(**ARRAY)
    return [*results, Result(what, "s", array_seconds(), 120, at_most=True), *layout_results()]


if __name__ == "__main__":
    show(__doc__, measure)
