"""Bench of the array: AXI4-Stream drivers and monitor, model and scoreboard."""

import logging
import random
from collections.abc import Iterable, Iterator
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, SimTimeoutError, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from lmul.sim.benches import bench
from lmul.sim.benches.rules import watch_rows
from lmul.sim.stimulus.tiles import MISMATCH, Tile, in_turn, tiles

PATIENCE = 50
"""Cycles to wait for each step of a tile."""

Row = tuple[int, int]
"""Data and flags."""


class Bench:
    """Counts cycles and steps, and compares the rows that come out; cycles count from 1, 0 is never."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
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

    async def run(self, jobs: list[Tile]) -> None:
        """Send all tiles, compare all rows, report."""
        await bench.start_clock_and_reset(self.dut)
        self.send(jobs)
        for index, tile in enumerate(jobs):
            rows = await self.receive(PATIENCE * (len(tile.a) + len(tile.b) + bench.design().latency))
            if rows is None:
                raise AssertionError(f"the result of tile {index} never came")
            self.compare(index, tile, rows)
            bench.report_progress(index + 1, len(jobs))
        cycles = self.cycle - self.first_step
        if await self.receives(bench.SETTLING_CYCLES * (bench.design().latency + 1)):
            raise AssertionError("a row came that no tile was sent for")
        self.report(cycles)

    def send(self, jobs: list[Tile]) -> None:
        """Start to send the operands of all tiles."""
        raise NotImplementedError

    async def receive(self, patience: int) -> list[Row] | None:
        """Wait for the rows of a tile, but for no more cycles than that."""
        raise NotImplementedError

    async def receives(self, cycles: int) -> bool:
        """Say whether a row comes in so many cycles."""
        raise NotImplementedError

    def note_step(self, ends_tile: bool) -> None:
        """Note that a beat of `a` is taken in this cycle."""
        self.steps += 1
        self.last_step = self.cycle
        self.first_step = self.first_step or self.cycle
        if ends_tile:
            self.first_end = self.first_end or self.cycle

    def compare(self, index: int, tile: Tile, rows: list[Row]) -> None:
        """Compare the rows of one tile with the model's, every bit of data and flags."""
        if len(rows) != len(tile.rows):
            raise AssertionError(f"tile {index} gave {len(rows)} rows, not {len(tile.rows)}")
        for row, ((data, user), *model) in enumerate(zip(rows, tile.rows, tile.flags, strict=True)):
            if [data, user] != model:
                raise AssertionError(
                    f"tile {index} row {row} gave {data:#x} with flags {user:#06b}, "
                    "the model {:#x} with {:#06b}".format(*model)
                )
        self.compared += len(rows)

    def report(self, cycles: int) -> None:
        """Report the counts of this run."""
        products = sum(a.shape[0] * a.shape[1] * b.shape[1] for a, b, _ in bench.matrices())
        bench.report_result(
            compared=self.compared * bench.design().cols,
            products=products,
            cycles=cycles,
            busy=self.steps,
            window=self.window,
        )


class Sender:
    """Offers beats one after the other, and holds each of them until it is taken."""

    def __init__(self, dut: Any, name: str, beats: Iterable[tuple[int, bool]]) -> None:
        self.data, self.last = getattr(dut, f"{name}_tdata"), getattr(dut, f"{name}_tlast")
        self.valid, self.ready = getattr(dut, f"{name}_tvalid"), getattr(dut, f"{name}_tready")
        self.beats = iter(beats)
        self.last.value = 0
        self.ends_tile = False
        self.valid.value = 1
        self.offering = True
        self.offer()

    def offer(self) -> None:
        """Offer the next beat, if there is one, and write what changes."""
        beat, ends_tile = next(self.beats, (None, False))
        if beat is None:
            self.offering = False
            self.valid.value = 0
        else:
            self.data.value = beat
        if ends_tile != self.ends_tile:
            self.ends_tile = ends_tile
            self.last.value = int(ends_tile)


class BackToBack(Bench):
    """Offers beats and takes rows in every cycle: one task for all streams, for speed."""

    def send(self, jobs: list[Tile]) -> None:
        """Start to send the operands of all tiles."""
        dut = self.dut
        self.a = Sender(dut, "s_axis_a", _beats([job.a for job in jobs]))
        self.b = Sender(dut, "s_axis_b", _beats([job.b for job in jobs]))
        self.edge = bench.clock_of(dut).rising_edge
        self.valid, self.last = dut.m_axis_c_tvalid, dut.m_axis_c_tlast
        self.row = dut.m_axis_c_tdata, dut.m_axis_c_tuser
        dut.m_axis_c_tready.value = 1

    async def receive(self, patience: int) -> list[Row] | None:
        """Wait for the rows of a tile, but for no more cycles than that."""
        rows: list[Row] = []
        data, user = self.row
        for _ in range(patience):
            if await self.step():
                rows.append((int(data.value), int(user.value)))
                if self.last.value:
                    return rows
        return None

    async def receives(self, cycles: int) -> bool:
        """Say whether a row comes in so many cycles."""
        for _ in range(cycles):
            if await self.step():
                return True
        return False

    async def step(self) -> bool:
        """Go to the end of a cycle: offer more of what is taken there, and say whether there is a row."""
        await self.edge
        self.cycle += 1
        if self.a.offering and self.a.ready.value:
            self.note_step(self.a.ends_tile)
            self.a.offer()
        if self.b.offering and self.b.ready.value:
            self.b.offer()
        if not self.valid.value:
            return False
        self.first_row = self.first_row or self.cycle
        return True


class Paused(Bench):
    """Lets all three streams pause at random, by drivers and a monitor of others."""

    def __init__(self, dut: Any, probability: float) -> None:
        super().__init__(dut)
        for name in ("s_axis_a", "s_axis_b", "m_axis_c"):
            logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.WARNING)
        # A beat is one number: cocotbext-axi would take it apart into bytes otherwise.
        ports = {"clock": bench.clock_of(dut), "reset": bench.Reset(dut).port, "byte_lanes": 1}
        ports["reset_active_level"] = bool(bench.design().reset_level)
        self.a = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_a"), **ports)
        self.b = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis_b"), **ports)
        self.c = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_c"), **ports)
        for stream in (self.a, self.b, self.c):
            stream.set_pause_generator(_coin(probability))
        cocotb.start_soon(watch_rows(dut))

    def send(self, jobs: list[Tile]) -> None:
        """Start to send the operands of all tiles."""
        cocotb.start_soon(self.count())
        for tile in jobs:
            self.a.send_nowait(AxiStreamFrame(tile.a))
            self.b.send_nowait(AxiStreamFrame(tile.b))

    async def receive(self, patience: int) -> list[Row] | None:
        """Wait for the rows of a tile, but for no more cycles than that."""
        try:
            frame = await with_timeout(self.c.recv(compact=False), patience * bench.PERIOD_NS, "ns")
        except SimTimeoutError:
            return None
        return list(zip(frame.tdata, frame.tuser, strict=True))

    async def receives(self, cycles: int) -> bool:
        """Say whether a row comes in so many cycles."""
        await ClockCycles(bench.clock_of(self.dut), cycles)
        return not self.c.empty() or bool(self.dut.m_axis_c_tvalid.value)

    async def count(self) -> None:
        """Count cycles, and those in which `a` was taken."""
        dut, edge = self.dut, bench.clock_of(self.dut).rising_edge
        valid, ready, last = dut.s_axis_a_tvalid, dut.s_axis_a_tready, dut.s_axis_a_tlast
        while True:
            await edge
            self.cycle += 1
            if valid.value and ready.value:
                self.note_step(bool(last.value))


def _beats(tiles_: list[list[int]]) -> Iterator[tuple[int, bool]]:
    """Give every beat, and whether it is its tile's last."""
    for beats in tiles_:
        *others, last = beats
        yield from ((beat, False) for beat in others)
        yield last, True


def _coin(probability: float) -> Iterator[bool]:
    while True:
        yield random.random() < probability


def all_tiles() -> list[Tile]:
    """Give the tiles of all matrix products, in turn if the design has them so."""
    design = bench.design()
    return in_turn(
        [tile for a, b, scales in bench.matrices() for tile in tiles(a, b, design, scales)], design
    )


@cocotb.test
async def operands(dut: Any) -> None:
    """Send every tile of the operands back to back, nothing pausing."""
    environment = BackToBack(dut)
    jobs = all_tiles()
    await environment.run(jobs)
    # Output-stationary results need a whole tile, the others one row of it.
    needed = environment.first_step if bench.design().weight_stationary else environment.first_end
    latency = environment.first_row - needed
    if latency != bench.design().latency:
        raise AssertionError(f"the first row came after {latency} cycles, not {bench.design().latency}")
    enough = len(jobs[0].a) + sum(max(len(job.a), bench.design().rows) for job in jobs[1:])
    if environment.window > enough:
        raise AssertionError(f"the steps came in {environment.window} cycles, where {enough} are enough")


@cocotb.test
async def pauses(dut: Any) -> None:
    """Pause both inputs and the output at random."""
    await Paused(dut, 0.3).run(all_tiles())


@cocotb.test
async def mismatch(dut: Any) -> None:
    """Let both streams of some tiles disagree: they are marked, and the next tile is right again.

    Of tiles in turn the last one, after which no turn is right again.
    """
    spoil = _spoil_weights if bench.design().weight_stationary else _spoil_steps
    jobs = all_tiles()
    if bench.design().interleave > 1:
        jobs = [*jobs[:-1], *_spoil_steps(0, jobs[-1])]
    else:
        jobs = [job for index, tile in enumerate(jobs) for job in spoil(index, tile)]
    await Paused(dut, 0.2).run(jobs)


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
