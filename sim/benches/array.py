"""Bench of the array: AXI4-Stream drivers and monitor, model and scoreboard."""

import logging
import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, SimTimeoutError, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from lmul.sim.benches import bench
from lmul.sim.benches.rules import watch_rows
from lmul.sim.tiles import MISMATCH, Tile, tiles

PATIENCE = 50
"""Cycles to wait for each step of a tile."""


class Bench:
    """Sends tiles into both operand streams and compares the rows that come out."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        for name in ("s_axis_a", "s_axis_b", "m_axis_c"):
            logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.WARNING)
        # A beat is one number: cocotbext-axi would take it apart into bytes otherwise.
        ports = {"clock": dut.clk, "reset": dut.rst, "byte_lanes": 1}
        self.a = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_a"), **ports)
        self.b = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_b"), **ports)
        self.c = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_c"), **ports)
        self.cycle = 0
        self.compared = 0
        self.first_step = 0
        self.last_step = 0
        self.first_end = 0
        self.first_row = 0
        self.steps = 0

    @property
    def window(self) -> int:
        """Cycles from the first to the last step."""
        return self.last_step - self.first_step + 1

    def pause(self, probability: float) -> None:
        """Let all three streams pause at random, and watch the rows that wait."""
        for stream in (self.a, self.b, self.c):
            stream.set_pause_generator(_coin(probability))
        cocotb.start_soon(watch_rows(self.dut))

    async def run(self, jobs: list[Tile]) -> None:
        """Send all tiles, compare all rows, report."""
        await bench.start_clock_and_reset(self.dut)
        counter = cocotb.start_soon(self.count())
        for tile in jobs:
            self.a.send_nowait(AxiStreamFrame(tile.a))
            self.b.send_nowait(AxiStreamFrame(tile.b))
        for index, tile in enumerate(jobs):
            self.compare(index, tile, await self.receive(index, tile))
            bench.report_progress(index + 1, len(jobs))
        cycles = self.cycle - self.first_step
        for _ in range(bench.SETTLING_CYCLES * (bench.design().latency + 1)):
            await RisingEdge(self.dut.clk)
        counter.cancel()
        if not self.c.empty() or self.dut.m_axis_c_tvalid.value:
            raise AssertionError("a row came that no tile was sent for")
        self.report(cycles, self.window)

    async def receive(self, index: int, tile: Tile) -> AxiStreamFrame:
        """Wait for the result of a tile, but not for ever."""
        patience = PATIENCE * (len(tile.a) + len(tile.b) + bench.design().latency) * bench.PERIOD_NS
        try:
            return await with_timeout(self.c.recv(compact=False), patience, "ns")
        except SimTimeoutError:
            raise AssertionError(f"the result of tile {index} never came") from None

    def report(self, cycles: int, window: int) -> None:
        """Report the counts of this run."""
        design = bench.design()
        products = sum(a.shape[0] * a.shape[1] * b.shape[1] for a, b in bench.matrices())
        bench.report_result(
            compared=self.compared * design.cols,
            products=products,
            cycles=cycles,
            busy=self.steps,
            window=window,
        )

    def compare(self, index: int, tile: Tile, frame: AxiStreamFrame) -> None:
        """Compare the rows of one tile with the model's, every bit of data and flags."""
        if len(frame.tdata) != len(tile.rows):
            raise AssertionError(f"tile {index} gave {len(frame.tdata)} rows, not {len(tile.rows)}")
        for row, (data, user) in enumerate(zip(frame.tdata, frame.tuser, strict=True)):
            if (data, user) != (tile.rows[row], tile.flags[row]):
                raise AssertionError(
                    f"tile {index} row {row} gave {data:#x} with flags {user:#06b}, "
                    f"the model {tile.rows[row]:#x} with {tile.flags[row]:#06b}"
                )
        self.compared += len(tile.rows)

    async def count(self) -> None:
        """Count cycles, and those in which `a` was taken; note when the first tile ends and comes out."""
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        valid, ready, last = dut.s_axis_a_tvalid, dut.s_axis_a_tready, dut.s_axis_a_tlast
        while True:
            await edge
            self.cycle += 1
            if not self.first_row and dut.m_axis_c_tvalid.value:
                self.first_row = self.cycle
            if valid.value and ready.value:
                self.steps += 1
                self.last_step = self.cycle
                self.first_step = self.first_step or self.cycle
                if last.value:
                    self.first_end = self.first_end or self.cycle


def _coin(probability: float) -> Iterator[bool]:
    while True:
        yield random.random() < probability


def all_tiles() -> list[Tile]:
    """Give the tiles of all matrix products."""
    design = bench.design()
    return [tile for a, b in bench.matrices() for tile in tiles(a, b, design)]


@cocotb.test
async def operands(dut: Any) -> None:
    """Send every tile of the operands back to back, nothing pausing."""
    environment = Bench(dut)
    jobs = all_tiles()
    await environment.run(jobs)
    # Output-stationary results need a whole tile, the others one row of it.
    needed = environment.first_step if bench.design().dataflow == "ws" else environment.first_end
    latency = environment.first_row - needed
    if latency != bench.design().latency:
        raise AssertionError(f"the first row came after {latency} cycles, not {bench.design().latency}")
    enough = len(jobs[0].a) + sum(max(len(job.a), bench.design().rows) for job in jobs[1:])
    if environment.window > enough:
        raise AssertionError(f"the steps came in {environment.window} cycles, where {enough} are enough")


@cocotb.test
async def pauses(dut: Any) -> None:
    """Pause both inputs and the output at random."""
    environment = Bench(dut)
    environment.pause(0.3)
    await environment.run(all_tiles())


@cocotb.test
async def mismatch(dut: Any) -> None:
    """Let both streams of some tiles disagree: they are marked, and the next tile is right again."""
    environment = Bench(dut)
    spoil = _spoil_weights if bench.design().dataflow == "ws" else _spoil_steps
    jobs = [job for index, tile in enumerate(all_tiles()) for job in spoil(index, tile)]
    environment.pause(0.2)
    await environment.run(jobs)


def _spoil_steps(index: int, tile: Tile) -> list[Tile]:
    """Make every third tile longer on one side."""
    marked = [flags | MISMATCH for flags in tile.flags]
    if index % 6 == 0:
        return [Tile(tile.a + _surplus(), tile.b, tile.rows, marked)]
    if index % 6 == 3:
        return [Tile(tile.a, tile.b + _surplus(), tile.rows, marked)]
    return [tile]


def _spoil_weights(index: int, tile: Tile) -> list[Tile]:
    """Make the weights of every third tile too many, or send them again but not all of them."""
    marked = [flags | MISMATCH for flags in tile.flags]
    if index % 6 == 0:
        return [Tile(tile.a, tile.b + _surplus(), tile.rows, marked)]
    if index % 6 == 3 and len(tile.b) > 1:
        return [tile, Tile(tile.a, tile.b[: random.randrange(1, len(tile.b))], tile.rows, marked)]
    return [tile]


def _surplus() -> list[int]:
    return [random.getrandbits(8) for _ in range(random.randint(1, 9))]
