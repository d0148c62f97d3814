"""Bench of the dot product that compares nothing: it keeps what comes of operands and sums to begin with."""

import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from lmul.sim.benches import bench
from lmul.sim.benches.dot import scale_steps
from lmul.sim.stimulus.tiles import pack
from lmul.sim.stimulus.turns import FILLER, turns

PROGRESS_STEP = 256


@cocotb.test
async def vectors(dut: Any) -> None:
    """Send dot products back to back, the first row with the first column, and so on."""
    design = bench.design()
    ((a, b, scales),) = bench.matrices()
    products = a.shape[1]
    steps = -(-products // design.lanes)
    padding = (0, 0), (0, -products % design.lanes)
    sides = [
        pack(np.pad(codes, padding).reshape(-1, design.lanes), format_.width)
        for codes, format_ in zip((a, b.T), design.formats, strict=True)
    ]
    own = scale_steps(scales, a, b, design)
    starts, total = bench.starts().tolist(), len(sides[0])
    await bench.start_clock_and_reset(dut)
    edge, settled = FallingEdge(bench.clock_of(dut)), ReadOnly()
    found: list[int] = []
    order = list(turns([steps] * len(starts), design.interleave))
    fillers = [place == FILLER for place, step in order if step == steps - 1 or place == FILLER]
    for cycle in range(len(order) + design.latency):
        await edge
        dut.in_valid.value = int(cycle < len(order))
        if cycle < len(order):
            place, step = order[cycle]
            beat = place * steps + step
            dut.a.value, dut.b.value, dut.c_in.value = (
                (0, 0, 0) if place == FILLER else (sides[0][beat], sides[1][beat], starts[place])
            )
            if design.block_scale:
                dut.a_scale.value, dut.b_scale.value = (
                    0 if place == FILLER else side[place][step] for side in own
                )
            dut.in_first.value = int(step == 0)
            dut.in_last.value = int(step == steps - 1 or place == FILLER)
        await settled
        if dut.c_valid.value:
            found.append(int(dut.c.value))
        if cycle % PROGRESS_STEP == 0:
            bench.report_progress(cycle, len(order) + design.latency)
    found = [value for value, filler in zip(found, fillers, strict=True) if not filler]
    if len(found) != len(starts):
        raise AssertionError(f"{len(found)} results came of {len(starts)} dot products")
    np.save(Path(os.environ["LMUL_RESULT"]).with_suffix(".npy"), np.array(found, dtype=np.uint32))
    cycles = len(order) + design.latency
    bench.report_result(compared=0, products=a.size, cycles=cycles, busy=total, window=total)
