"""Bench of the dot product behind AXI4-Stream ports: beats in, results compared, pauses on both sides."""

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from lmul.hdl.axi_stream import step_bits
from lmul.sim.benches import bench
from lmul.sim.benches.dot import PATIENCE_CYCLES, PROGRESS_STEP, Vector, all_vectors

Beat = tuple[int, bool]
"""tdata and tlast."""


def beats_of(vector: Vector) -> list[Beat]:
    """Give the beats of a dot product."""
    places = step_bits(bench.design())
    data = [a | b << places.b for a, b in zip(vector.a, vector.b, strict=True)]
    for side, place in enumerate((places.a_scale, places.b_scale)):
        data = [beat | vector.scale(side, step) << place for step, beat in enumerate(data)]
    data[0] |= vector.start << places.start
    return [(beat, index == len(data) - 1) for index, beat in enumerate(data)]


class Source:
    """Offers beats, with garbage between them, and holds each until it is taken."""

    def __init__(self, dut: Any, vectors: list[Vector], pause: float) -> None:
        self.data, self.last = dut.s_axis_tdata, dut.s_axis_tlast
        self.valid, self.ready = dut.s_axis_tvalid, dut.s_axis_tready
        self.beats = deque(beat for vector in vectors for beat in beats_of(vector))
        self.pause = pause
        self.offering = False

    def drive(self) -> None:
        """Offer a beat, unless this is a pause."""
        if self.offering:
            return
        self.offering = bool(self.beats) and random.random() >= self.pause
        data, last = self.beats[0] if self.offering else (random.getrandbits(len(self.data)), True)
        self.data.value, self.last.value, self.valid.value = data, int(last), int(self.offering)

    def sample(self) -> tuple[bool, bool]:
        """Tell whether a beat is taken in this cycle, and whether it ends a dot product."""
        if not self.offering or not self.ready.value:
            return False, False
        self.offering = False
        return True, self.beats.popleft()[1]


class Sink:
    """Takes results, unless it pauses, and compares them: one that waits must stay as it is."""

    def __init__(self, dut: Any, vectors: list[Vector], pause: float) -> None:
        self.data, self.user = dut.m_axis_tdata, dut.m_axis_tuser
        self.valid, self.ready = dut.m_axis_tvalid, dut.m_axis_tready
        self.vectors = vectors
        self.pause = pause
        self.compared = 0
        self.waits = self.is_ready = False

    def drive(self) -> None:
        """Be ready, unless this is a pause."""
        self.is_ready = random.random() >= self.pause
        self.ready.value = int(self.is_ready)

    def sample(self) -> bool:
        """Compare the result of this cycle, and tell whether there is one that is taken."""
        if not self.valid.value:
            if self.waits:
                raise AssertionError(f"result {self.compared} was withdrawn before it was taken")
            return False
        if self.compared == len(self.vectors):
            raise AssertionError("a result came that nothing was sent for")
        vector = self.vectors[self.compared]
        found = int(self.data.value), int(self.user.value)
        if found != (vector.c, vector.flags):
            raise AssertionError(
                f"dot product {self.compared} gave {found[0]:#x} with flags {found[1]:#05b}, "
                f"the model {vector.c:#x} with {vector.flags:#05b}"
            )
        self.waits = not self.is_ready
        self.compared += self.is_ready
        return self.is_ready


async def _run(dut: Any, pause: float) -> None:
    """Send all dot products, compare all results; without pauses, their latency and the throughput too."""
    vectors, latency = all_vectors(), bench.design().latency
    source, sink = Source(dut, vectors, pause), Sink(dut, vectors, pause)
    await bench.start_clock_and_reset(dut)
    edge, settled = FallingEdge(bench.clock_of(dut)), ReadOnly()
    ends: deque[int] = deque()
    cycle = steps = last_step = quiet = waited = 0
    while quiet <= bench.SETTLING_CYCLES * (latency + 1):
        await edge
        source.drive()
        sink.drive()
        await settled
        taken, ends_vector = source.sample()
        came = sink.sample()
        steps, last_step = steps + taken, cycle if taken else last_step
        if ends_vector:
            ends.append(cycle)
        if came and not pause and (found := cycle - ends.popleft()) != latency:
            raise AssertionError(f"the result came after {found} cycles, not {latency}")
        waited = 0 if taken or came else waited + 1
        if waited > PATIENCE_CYCLES + latency and sink.compared < len(vectors):
            raise AssertionError(f"the result of dot product {sink.compared} never came")
        quiet = quiet + 1 if sink.compared == len(vectors) else 0
        cycle += 1
        if came and (sink.compared % PROGRESS_STEP == 0 or sink.compared == len(vectors)):
            bench.report_progress(sink.compared, len(vectors))
    if not pause and last_step + 1 != steps:
        raise AssertionError(f"{steps} steps took {last_step + 1} cycles, though nothing paused")
    bench.report_result(
        compared=sink.compared,
        products=sum(vector.length for vector in vectors),
        cycles=cycle - quiet,
        busy=steps,
        window=last_step + 1,
    )


@cocotb.test
async def operands(dut: Any) -> None:
    """Send every dot product of the operands back to back into a sink that is always ready."""
    await _run(dut, 0.0)


@cocotb.test
async def pauses(dut: Any) -> None:
    """Pause the source and the sink at random."""
    await _run(dut, 0.3)
