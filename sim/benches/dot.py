"""Bench of the dot product: driver, monitor, model and scoreboard."""

import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge, SimTimeoutError, with_timeout
from numpy.typing import NDArray

from lmul.design import Design
from lmul.golden.sums.blocks.scales import Scales
from lmul.hdl.multiplier.unrounded import SCALE_BITS
from lmul.sim.benches import bench
from lmul.sim.stimulus.scales import model_sums, seeded_scales
from lmul.sim.stimulus.stress_operands import draw_starts
from lmul.sim.stimulus.tiles import pack
from lmul.sim.stimulus.turns import FILLER, turns

PROGRESS_STEP = 64
PATIENCE_CYCLES = 100


@dataclass(frozen=True)
class Vector:
    """One dot product: its steps, the result of the model, the sum to begin with, and scales of steps."""

    a: list[int]
    b: list[int]
    length: int
    c: int
    flags: int
    start: int = 0
    scales: tuple[list[int], list[int]] = ([], [])

    def scale(self, side: int, step: int) -> int:
        """Give the scales of an operand in a step, zero where there are none."""
        return self.scales[side][step] if self.scales[side] else 0


ZERO = Vector([0], [0], 0, 0, 0)
"""What fills turns that no other dot product has."""


class Bench:
    """Drives vectors, collects results, compares them in order."""

    def __init__(self, dut: Any, pause: float) -> None:
        self.dut = dut
        self.pause = pause
        self.expected: deque[tuple[Vector, int]] = deque()
        self.compared = 0
        self.cycle = 0

    async def run(self, vectors: list[Vector]) -> None:
        """Drive all vectors and wait for the last result."""
        await bench.start_clock_and_reset(self.dut)
        order = list(turns([len(vector.a) for vector in vectors], bench.design().interleave))
        fillers = sum(place == FILLER for place, _ in order)
        monitor = cocotb.start_soon(self.monitor(len(vectors) + fillers))
        await RisingEdge(bench.clock_of(self.dut))
        first = self.cycle
        for place, step in order:
            await self.drive(ZERO if place == FILLER else vectors[place], step)
        window = self.cycle - first
        self.dut.in_valid.value = 0
        try:
            await with_timeout(monitor, PATIENCE_CYCLES * bench.PERIOD_NS, "ns")
        except SimTimeoutError:
            raise AssertionError(f"the result of dot product {self.compared} never came") from None
        bench.report_result(
            compared=self.compared - fillers,
            products=sum(vector.length for vector in vectors),
            cycles=self.cycle - first,
            busy=len(order) - fillers,
            window=window,
        )

    async def drive(self, vector: Vector, step: int) -> None:
        """Send a step of a vector, behind a gap of garbage."""
        dut, edge = self.dut, RisingEdge(bench.clock_of(self.dut))
        while random.random() < self.pause:
            self.set_inputs(random.getrandbits(len(dut.a)), random.getrandbits(len(dut.b)), 0b110)
            self.set_start(random.getrandbits(32))
            self.set_scales(*(random.getrandbits(SCALE_BITS * bench.design().scales_a_step) for _ in "ab"))
            await edge
        last = step == len(vector.a) - 1
        self.set_inputs(vector.a[step], vector.b[step], (last << 2) | ((step == 0) << 1) | 1)
        self.set_start(random.getrandbits(32) if step else vector.start)
        self.set_scales(vector.scale(0, step), vector.scale(1, step))
        if last:
            self.expected.append((vector, self.cycle + 1))
        await edge

    def set_inputs(self, a: int, b: int, control: int) -> None:
        """Set all inputs; control is {last, first, valid}."""
        self.dut.a.value = a
        self.dut.b.value = b
        self.dut.in_valid.value = control & 1
        self.dut.in_first.value = (control >> 1) & 1
        self.dut.in_last.value = control >> 2

    def set_start(self, code: int) -> None:
        """Set the sum to begin with, where there is a port for it."""
        if bench.design().addend:
            self.dut.c_in.value = code

    def set_scales(self, a: int, b: int) -> None:
        """Set the scales of both operands, where there are ports for them."""
        if bench.design().block_scale:
            self.dut.a_scale.value, self.dut.b_scale.value = a, b

    async def monitor(self, count: int) -> None:
        """Compare every result as it comes, its latency too."""
        dut, edge, settled = self.dut, RisingEdge(bench.clock_of(self.dut)), ReadOnly()
        latency = bench.design().latency
        while self.compared < count:
            await edge
            await settled
            self.cycle += 1
            if not dut.c_valid.value:
                continue
            if not self.expected:
                raise AssertionError("a result came that nothing was sent for")
            vector, sent = self.expected.popleft()
            found = (int(dut.c.value), int(dut.c_flags.value))
            if found != (vector.c, vector.flags):
                raise AssertionError(
                    f"dot product {self.compared} gave {found[0]:#x} with flags {found[1]:#05b}, "
                    f"the model {vector.c:#x} with {vector.flags:#05b}"
                )
            if self.cycle - sent != latency:
                raise AssertionError(f"the result came after {self.cycle - sent} cycles, not {latency}")
            self.compared += 1
            if self.compared % PROGRESS_STEP == 0 or self.compared == count:
                bench.report_progress(self.compared, count)


def vectors_of(
    a: NDArray[Any], b: NDArray[Any], design: Design, scales: Scales | None = None
) -> list[Vector]:
    """Give all dot products of rows of A with columns of B.

    With an addend they begin with any sum, and with block scales those are drawn where none are given.
    """
    scales = scales or seeded_scales(design, a, b)
    shape = a.shape[0], b.shape[1]
    start = draw_starts(np.random.default_rng(len(a)), shape) if design.addend else np.zeros(shape, np.uint32)
    sums = model_sums(a, b, design, scales, start if design.addend else None)
    elements = sums.output()
    flags = sums.flags
    first, second = design.formats
    a_steps = [_steps(row, design.lanes, first.width) for row in a]
    b_steps = [_steps(column, design.lanes, second.width) for column in b.T]
    a_scales, b_scales = scale_steps(scales, a, b, design)
    return [
        Vector(
            a_steps[row],
            b_steps[col],
            a.shape[1],
            int(elements[row, col]),
            int(flags[row, col]),
            int(start[row, col]),
            (a_scales[row], b_scales[col]),
        )
        for row in range(a.shape[0])
        for col in range(b.shape[1])
    ]


def scale_steps(
    scales: Scales | None, a: NDArray[Any], b: NDArray[Any], design: Design
) -> tuple[list[list[int]], list[list[int]]]:
    """Give the scales in every step of each row of A and of each column of B, nothing without any."""
    if scales is None:
        return [[] for _ in a], [[] for _ in b.T]
    first, second = (
        [_steps(codes, design.scales_a_step, SCALE_BITS) for codes in side] for side in (scales.a, scales.b.T)
    )
    return first, second


def _steps(codes: NDArray[Any], lanes: int, width: int) -> list[int]:
    padded = np.pad(codes, (0, -len(codes) % lanes))
    return pack(padded.reshape(-1, lanes), width)


def all_vectors() -> list[Vector]:
    """Give the dot products of all matrix products."""
    design = bench.design()
    return [vector for a, b, scales in bench.matrices() for vector in vectors_of(a, b, design, scales)]


@cocotb.test
async def operands(dut: Any) -> None:
    """Send every dot product of the operands back to back."""
    await Bench(dut, pause=0.0).run(all_vectors())


@cocotb.test
async def pauses(dut: Any) -> None:
    """Leave random gaps in which the inputs hold garbage."""
    await Bench(dut, pause=0.3).run(all_vectors())
