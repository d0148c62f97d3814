"""Bench of the multiplier: pairs in, products compared."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer
from numpy.typing import NDArray

from lmul.golden import multiply
from lmul.sim.benches import bench

PROGRESS_STEP = 4096


@cocotb.test
async def operands(dut: Any) -> None:
    """Multiply every pair that the matrix products of the operands contain, each once."""
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for a, b in bench.matrices():
        lines = [np.stack(np.broadcast_arrays(a[:, k, None], b[None, k, :]), -1) for k in range(a.shape[1])]
        pairs.append(np.unique(np.concatenate([line.reshape(-1, 2) for line in lines]), axis=0))
    await _compare(dut, np.unique(np.concatenate(pairs), axis=0))


@cocotb.test
async def all_pairs(dut: Any) -> None:
    """Multiply every pair of codes."""
    codes = np.arange(1 << bench.design().format.width)
    await _compare(dut, np.stack(np.meshgrid(codes, codes), -1).reshape(-1, 2))


async def _compare(dut: Any, pairs: NDArray[np.int64]) -> None:
    expected = multiply(pairs[:, 0], pairs[:, 1], bench.design()).tolist()
    a_port, b_port, p_port, settle = dut.a, dut.b, dut.p, Timer(1, "ns")
    for index, ((a, b), product) in enumerate(zip(pairs.tolist(), expected, strict=True)):
        a_port.value = a
        b_port.value = b
        await settle
        if p_port.value != product:
            raise AssertionError(f"{a:#x} * {b:#x} gave {int(p_port.value):#x}, the model {product:#x}")
        if index % PROGRESS_STEP == 0:
            bench.report_progress(index, len(pairs))
    bench.report_progress(len(pairs), len(pairs))
    bench.report_result(compared=len(pairs), products=len(pairs))
