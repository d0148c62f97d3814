"""Stress bench of the dot product: random cycles, all made before, and each compared."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly
from numpy.typing import NDArray

from lmul.design import Design
from lmul.hdl.multiplier.unrounded import SCALE_BITS
from lmul.sim.benches import bench
from lmul.sim.coverage.streams import dot_groups
from lmul.sim.coverage.sums import SumCoverage
from lmul.sim.stimulus.scales import model_sums
from lmul.sim.stimulus.stress import LAST, RESET, VALID, DotStimulus, digest, draw_dot, through, under_way
from lmul.sim.stimulus.stress_operands import Case
from lmul.sim.stimulus.tiles import pack

PROGRESS_STEP = 4096

Result = tuple[int, int, str] | None
"""Value, flags, and what kind of operands they are of; None where there is no result."""


def expected_results(stimulus: DotStimulus, design: Design) -> tuple[list[Result], NDArray[np.bool_]]:
    """Give what must be there in each cycle, and which of the cases come out."""
    taken = (stimulus.control & (RESET | LAST | VALID)) == LAST | VALID
    comes = through((stimulus.control & RESET) != 0, under_way(design))[taken]
    results: list[Result] = [None] * (len(taken) + design.latency)
    for cycle, case, whole in zip(np.flatnonzero(taken).tolist(), stimulus.cases, comes, strict=True):
        if whole:
            sums = model_sums(case.a, case.b, design, case.scales, _start(case, design))
            value, flags = sums.output()[0, 0], sums.flags[0, 0]
            results[cycle + design.latency] = int(value), int(flags), case.kind
    return results, comes


async def _run(dut: Any, stimulus: DotStimulus, results: list[Result], design: Design) -> None:
    """Set the inputs of each cycle; look at the outputs before the edge that ends it."""
    first, second = design.formats
    a, b = pack(stimulus.a, first.width), pack(stimulus.b, second.width)
    edge, settled = FallingEdge(bench.clock_of(dut)), ReadOnly()
    inputs = dut.in_valid, dut.in_first, dut.in_last, bench.Reset(dut).port
    starts = stimulus.start.tolist()
    scales = [pack(codes, SCALE_BITS) for codes in np.split(stimulus.scales, 2, axis=1)]
    levels = stimulus.control ^ (0 if design.reset_level else RESET)
    for cycle, control in enumerate(levels.tolist()):
        await edge
        dut.a.value, dut.b.value = a[cycle], b[cycle]
        if starts:
            dut.c_in.value = starts[cycle]
        if design.block_scale:
            dut.a_scale.value, dut.b_scale.value = (side[cycle] for side in scales)
        for place, signal in enumerate(inputs):
            signal.value = control >> place & 1
        await settled
        _check(dut, cycle, results[cycle])
        if cycle % PROGRESS_STEP == 0:
            bench.report_progress(cycle, len(a))


def _start(case: Case, design: Design) -> NDArray[np.uint32] | None:
    return np.array([[case.start]], dtype=np.uint32) if design.addend else None


def _check(dut: Any, cycle: int, expected: Result) -> None:
    if not dut.c_valid.value:
        if expected:
            raise AssertionError(f"the result of cycle {cycle} ({expected[2]}) never came")
        return
    if not expected:
        raise AssertionError(f"a result came in cycle {cycle} that nothing was sent for")
    found = int(dut.c.value), int(dut.c_flags.value)
    if found != expected[:2]:
        raise AssertionError(
            f"the dot product of cycle {cycle} ({expected[2]}) gave {found[0]:#x} with flags "
            f"{found[1]:#05b}, the model {expected[0]:#x} with {expected[1]:#05b}"
        )


@cocotb.test
async def stress(dut: Any) -> None:
    """Gaps of all patterns, resets in any cycle, storms of specials, extreme sums."""
    design = bench.design()
    stimulus = draw_dot(design, bench.seed())
    results, comes = expected_results(stimulus, design)
    await bench.start_clock_and_reset(dut)
    await _run(dut, stimulus, results, design)
    cycles = len(stimulus.control)
    bench.report_progress(cycles, cycles)
    compared = [case for case, whole in zip(stimulus.cases, comes, strict=True) if whole]
    sums = SumCoverage(design)
    for case in compared:
        if np.isfinite(np.uint32(case.start).view(np.float32)):  # Else no fault of a product would show.
            sums.sample(case.a, case.b, _start(case, design), case.scales)
    bench.report_result(
        compared=len(compared),
        products=sum(case.a.size for case in compared),
        cycles=cycles,
        stimulus=digest(stimulus),
        coverage=[*sums.groups(), *dot_groups(design, stimulus, compared)],
    )
