"""Bench of the multiplier: pairs in, products compared."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, Timer
from numpy.typing import NDArray

from lmul.golden import multiply
from lmul.sim.benches import bench
from lmul.sim.stimulus.pairs import code_pairs

Pairs = list[list[int]]

PROGRESS_STEP = 4096


@cocotb.test
async def operands(dut: Any) -> None:
    """Multiply every pair that the matrix products of the operands contain, each once."""
    width = np.uint64(bench.design().formats[1].width)
    found = [np.zeros(0, dtype=np.uint64)]
    for a, b, _ in bench.matrices():
        columns, rows = a.T.astype(np.uint64), b.astype(np.uint64)
        found += [np.unique(x[:, None] << width | y) for x, y in zip(columns, rows, strict=True)]
    numbers = np.unique(np.concatenate(found))
    pairs = np.stack([numbers >> width, numbers & ((np.uint64(1) << width) - np.uint64(1))], axis=-1)
    await _compare(dut, pairs.astype(np.int64))


@cocotb.test
async def codes(dut: Any) -> None:
    """Multiply all pairs of bit patterns, or of a wide format random pairs and those of the edge codes."""
    first, second = bench.design().formats
    await _compare(dut, code_pairs(first, bench.seed(), second))


async def _compare(dut: Any, pairs: NDArray[np.int64]) -> None:
    expected = multiply(pairs[:, 0], pairs[:, 1], bench.design()).tolist()
    run = _run_pipeline if bench.design().pipeline else _run_combinational
    await run(dut, pairs.tolist(), expected)
    cycles = len(pairs) + bench.design().pipeline if bench.design().pipeline else 0
    bench.report_progress(len(pairs), len(pairs))
    bench.report_result(compared=len(pairs), products=len(pairs), cycles=cycles)


async def _run_combinational(dut: Any, pairs: Pairs, expected: list[int]) -> None:
    a_port, b_port, p_port, settle = dut.a, dut.b, dut.p, Timer(1, "ns")
    bench.fork_mutants(dut)
    for index, (pair, product) in enumerate(zip(pairs, expected, strict=True)):
        a_port.value, b_port.value = pair
        await settle
        _check(pair, p_port, product)
        if index % PROGRESS_STEP == 0:
            bench.report_progress(index, len(pairs))


async def _run_pipeline(dut: Any, pairs: Pairs, expected: list[int]) -> None:
    """Send a pair every cycle, and compare each product in its cycle."""
    a_port, b_port, p_port, edge = dut.a, dut.b, dut.p, FallingEdge(bench.clock_of(dut))
    await bench.start_clock_and_reset(dut)
    await edge
    if p_port.value != 0:
        raise AssertionError(f"the reset gave {int(p_port.value):#x}, not +0")
    waiting = bench.design().latency - 1
    for index in range(len(pairs) + waiting):
        if index < len(pairs):
            a_port.value, b_port.value = pairs[index]
        await edge
        if index >= waiting:
            _check(pairs[index - waiting], p_port, expected[index - waiting])
        if index % PROGRESS_STEP == 0:
            bench.report_progress(index, len(pairs))


def _check(pair: list[int], p_port: Any, product: int) -> None:
    if p_port.value != product:
        a, b = pair
        raise AssertionError(f"{a:#x} * {b:#x} gave {int(p_port.value):#x}, the model {product:#x}")
