"""Bench of the dot product that compares nothing: it keeps what comes of operands and sums to begin with."""

import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from lmul.sim.benches import bench
from lmul.sim.stimulus.tiles import pack

PROGRESS_STEP = 256


@cocotb.test
async def vectors(dut: Any) -> None:
    """Send dot products back to back, the first row with the first column, and so on."""
    design = bench.design()
    ((a, b),) = bench.matrices()
    products = a.shape[1]
    steps = -(-products // design.lanes)
    padding = (0, 0), (0, -products % design.lanes)
    sides = [
        pack(np.pad(codes, padding).reshape(-1, design.lanes), format_.width)
        for codes, format_ in zip((a, b.T), design.formats, strict=True)
    ]
    starts, total = bench.starts().tolist(), len(sides[0])
    await bench.start_clock_and_reset(dut)
    edge, settled = FallingEdge(bench.clock_of(dut)), ReadOnly()
    found: list[int] = []
    for cycle in range(total + design.latency):
        await edge
        valid, step = cycle < total, cycle % steps
        dut.in_valid.value = int(valid)
        if valid:
            dut.a.value, dut.b.value, dut.c_in.value = (
                sides[0][cycle],
                sides[1][cycle],
                starts[cycle // steps],
            )
            dut.in_first.value, dut.in_last.value = int(step == 0), int(step == steps - 1)
        await settled
        if dut.c_valid.value:
            found.append(int(dut.c.value))
        if cycle % PROGRESS_STEP == 0:
            bench.report_progress(cycle, total + design.latency)
    if len(found) != len(starts):
        raise AssertionError(f"{len(found)} results came of {len(starts)} dot products")
    np.save(Path(os.environ["LMUL_RESULT"]).with_suffix(".npy"), np.array(found, dtype=np.uint32))
    bench.report_result(compared=0, products=a.size, cycles=total + design.latency, busy=total, window=total)
