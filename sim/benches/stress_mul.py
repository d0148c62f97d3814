"""Stress bench of the multiplier: all pairs in a random order, resets of a pipeline at any time."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly, Timer
from numpy.typing import NDArray

from lmul.golden import multiply
from lmul.sim.benches import bench
from lmul.sim.coverage.products import ProductCoverage
from lmul.sim.coverage.streams import mul_groups
from lmul.sim.stimulus.stress import MulStimulus, digest, draw_mul, mul_products, through, under_way

PROGRESS_STEP = 4096

Compared = NDArray[np.bool_]
"""Whether the product of each pair was compared."""


async def _run_combinational(dut: Any, stimulus: MulStimulus) -> Compared:
    """Look at the product of every pair: give which ones were compared."""
    pairs = stimulus.pairs
    expected = multiply(pairs[:, 0], pairs[:, 1], bench.design()).tolist()
    a_port, b_port, p_port, settle = dut.a, dut.b, dut.p, Timer(1, "ns")
    for index, (pair, product) in enumerate(zip(pairs.tolist(), expected, strict=True)):
        a_port.value, b_port.value = pair
        await settle
        _check(index, pair, p_port, product)
        if index % PROGRESS_STEP == 0:
            bench.report_progress(index, len(pairs))
    return np.ones(len(pairs), dtype=bool)


async def _run_pipeline(dut: Any, stimulus: MulStimulus) -> Compared:
    """Send a pair in every cycle, look at what is there before the edge that ends it."""
    design = bench.design()
    expected = mul_products(design, stimulus).tolist()[: len(stimulus.pairs)]
    a_port, b_port, p_port, port = dut.a, dut.b, dut.p, bench.Reset(dut)
    edge, settled = FallingEdge(bench.clock_of(dut)), ReadOnly()
    await bench.start_clock_and_reset(dut)
    pairs, resets = stimulus.pairs.tolist(), stimulus.reset.tolist()
    for index, (pair, reset) in enumerate(zip(pairs, resets, strict=True)):
        await edge
        a_port.value, b_port.value = pair
        port.put(reset)
        await settled
        if expected[index] >= 0:
            _check(index, pairs[index - design.latency], p_port, expected[index])
        if index % PROGRESS_STEP == 0:
            bench.report_progress(index, len(pairs))
    return through(stimulus.reset, under_way(design)) & (np.arange(len(pairs)) < len(pairs) - design.latency)


def _check(index: int, pair: list[int], p_port: Any, product: int) -> None:
    if p_port.value != product:
        a, b = pair
        raise AssertionError(
            f"cycle {index}: {a:#x} * {b:#x} gave {int(p_port.value):#x}, the model {product:#x}"
        )


@cocotb.test
async def stress(dut: Any) -> None:
    """Multiply pairs of every class in any order; reset a pipeline at any time."""
    design = bench.design()
    stimulus = draw_mul(design, bench.seed())
    found = await (_run_pipeline if design.pipeline else _run_combinational)(dut, stimulus)
    products = ProductCoverage(design)
    products.sample(*stimulus.pairs[found].T)
    compared = int(found.sum())
    bench.report_progress(compared, compared)
    bench.report_result(
        compared=compared,
        products=compared,
        cycles=len(stimulus.pairs) if design.pipeline else 0,
        stimulus=digest(stimulus),
        coverage=[*products.groups(), *mul_groups(design, stimulus)],
    )
