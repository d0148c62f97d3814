"""Bench of the array with backpressure: drives all three streams cycle by cycle, checks rules and rows."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly

from lmul.design import Design
from lmul.golden.sums.blocks.scales import Scales
from lmul.sim.benches import bench
from lmul.sim.coverage.streams import StreamCoverage
from lmul.sim.coverage.sums import SumCoverage
from lmul.sim.stimulus.stress import STALL, Run, StressTile, digest, draw_runs
from lmul.sim.stimulus.tiles import MISMATCH, Beats, Tile, in_turn, pack, tiles


@dataclass(frozen=True)
class Job(Beats):
    """A tile as the streams carry it: beats of both sources, rows {data, user, last} of the sink."""

    tile: StressTile
    rows: list[tuple[int, int, int]]


def make_job(tile: StressTile, design: Design) -> Job:
    """Give the beats of a tile and the rows that the model makes of it."""
    (beats,) = tiles(tile.case.a, tile.case.b, design, tile.case.scales)
    a, b = _spoiled(tile, beats, design)
    flags = [found | (MISMATCH if tile.spoil else 0) for found in beats.flags]
    lasts = [0] * (len(beats.rows) - 1) + [1]
    return Job(a, b, tile, list(zip(beats.rows, flags, lasts, strict=True)))


def _spoiled(tile: StressTile, beats: Tile, design: Design) -> tuple[list[int], list[int]]:
    first, second = design.formats
    if tile.spoil == "a longer":
        return beats.a + pack(tile.surplus, first.width), beats.b
    if tile.spoil == "b longer":
        return beats.a, beats.b + pack(tile.surplus, second.width)
    return beats.a, beats.b[: len(beats.b) - len(tile.surplus) if tile.spoil else None]


class Source:
    """Offers beats, and holds each of them until it is taken."""

    def __init__(self, dut: Any, name: str) -> None:
        self.data, self.last = getattr(dut, f"{name}_tdata"), getattr(dut, f"{name}_tlast")
        self.valid, self.ready = getattr(dut, f"{name}_tvalid"), getattr(dut, f"{name}_tready")
        self.width = len(self.data)
        self.start([], [])

    def start(self, beats: list[list[int]], pauses: list[list[bool]]) -> None:
        """Take new tiles, and forget the old ones."""
        self.beats, self.pauses = beats, pauses
        self.tile = self.beat = self.cycle = 0
        self.offering = False

    @property
    def inside(self) -> bool:
        """Whether some beats of a tile have been taken, but not all."""
        return self.beat > 0

    def drive(self) -> None:
        """Offer the next beat, unless one is offered already, none is left or this is a pause."""
        if self.offering:
            return
        if self.tile < len(self.beats):
            pauses = self.pauses[self.tile]
            self.offering = not pauses[self.cycle % len(pauses)]
            self.cycle += 1
        self.valid.value = int(self.offering)
        if self.offering:
            beats = self.beats[self.tile]
            self.data.value = beats[self.beat]
            self.last.value = int(self.beat == len(beats) - 1)
        else:
            # Neither means anything now.
            self.data.value = random.getrandbits(self.width)
            self.last.value = random.getrandbits(1)

    def sample(self) -> int:
        """Note whether the beat is taken at the end of this cycle: {ends a tile, ready, valid}."""
        ready = int(self.ready.value)
        if not (ready and self.offering):
            return ready << 1 | self.offering
        self.offering = False
        self.beat += 1
        if self.beat < len(self.beats[self.tile]):
            return 0b011
        self.tile, self.beat, self.cycle = self.tile + 1, 0, 0
        return 0b111


class Sink:
    """Takes rows, compares them, and sees that a row that waits is held."""

    def __init__(self, dut: Any, streams: StreamCoverage) -> None:
        self.streams, self.sums = streams, SumCoverage(bench.design())
        self.data, self.last = dut.m_axis_c_tdata, dut.m_axis_c_tlast
        self.valid, self.ready = dut.m_axis_c_tvalid, dut.m_axis_c_tready
        self.user = dut.m_axis_c_tuser
        self.compared = self.products = 0
        self.first = 0
        self.start([])

    def start(self, jobs: list[Job], first: int = 0) -> None:
        """Expect the rows of new tiles, the first one with this number, and forget the old ones."""
        self.jobs, self.first = jobs, first
        self.pauses = [job.tile.pauses[2].tolist() for job in jobs] + [[False]]
        self.tile = self.row = self.cycle = 0
        self.held: tuple[int, int, int] | None = None

    def drive(self) -> None:
        """Be ready, unless this is a pause."""
        pauses = self.pauses[self.tile]
        self.is_ready = not pauses[self.cycle % len(pauses)]
        self.cycle += 1
        self.ready.value = int(self.is_ready)

    def sample(self) -> int:
        """Take the row of this cycle: {ends a tile, ready, valid}."""
        if not self.valid.value:
            if self.held:
                raise AssertionError(f"{self.place} came and was withdrawn before it was taken")
            if self.cycle == STALL < len(self.pauses[self.tile]):
                raise AssertionError(f"{self.place} never came: it waits for the sink to be ready")
            return self.is_ready << 1
        found = (int(self.data.value), int(self.user.value), int(self.last.value))
        if self.held is not None and found != self.held:
            raise AssertionError(f"{self.place} gave {found} while it waited, {self.held} before")
        self.held = None if self.is_ready else found
        return self._compare(found) << 2 | 0b011 if self.is_ready else 0b001

    def _compare(self, found: tuple[int, int, int]) -> int:
        if self.tile == len(self.jobs):
            raise AssertionError(f"a row came that no tile was sent for, after {self.place}")
        rows = self.jobs[self.tile].rows
        if found != rows[self.row]:
            raise AssertionError(
                f"{self.place} gave {found[0]:#x} with flags {found[1]:#06b} and last {found[2]}, "
                "the model {:#x} with {:#06b} and {}".format(*rows[self.row])
            )
        self.compared += 1
        self.products += self.jobs[self.tile].tile.case.a.shape[1]
        self.row += 1
        if self.row < len(rows):
            return 0
        self.count_rows()
        self.streams.note_tile(self.jobs[self.tile].tile)
        self.tile, self.row, self.cycle = self.tile + 1, 0, 0
        return 1

    def count_rows(self) -> None:
        """Count the rows of this tile that were compared, for coverage."""
        if self.row:
            case = self.jobs[self.tile].tile.case
            scales = case.scales and Scales(case.scales.a[: self.row], case.scales.b)
            self.sums.sample(case.a[: self.row], case.b, scales=scales)

    @property
    def place(self) -> str:
        """The row that is expected."""
        kind = self.jobs[self.tile].tile.case.kind if self.tile < len(self.jobs) else "none left"
        return f"tile {self.first + self.tile} ({kind}) row {self.row}"


class Bench:
    """Runs tiles through the array, and ends runs by resets."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.a, self.b = Source(dut, "s_axis_a"), Source(dut, "s_axis_b")
        self.streams = StreamCoverage(bench.design())
        self.c = Sink(dut, self.streams)
        self.cycle = 0
        self.edge, self.settled = FallingEdge(bench.clock_of(dut)), ReadOnly()

    async def run(self, run: Run, jobs: list[Job], first: int) -> None:
        """Send the tiles of a run until all rows are there, or until its reset."""
        self.a.start([job.a for job in jobs], [job.tile.pauses[0].tolist() for job in jobs])
        self.b.start([job.b for job in jobs], [job.tile.pauses[1].tolist() for job in jobs])
        self.c.start(jobs, first)
        patience = self.patience(run.tiles)
        waited, seen, phase = 0, 0, "idle"
        to_idle = run.reset is not None and run.reset.phase == "idle"
        while to_idle or min(self.a.tile, self.b.tile, self.c.tile) < len(jobs):
            moved, phase = await self.step()
            waited = 0 if moved else waited + 1
            if waited > patience:
                raise AssertionError(f"{self.c.place} never came: nothing has moved for {waited} cycles")
            if run.reset:
                seen += run.reset.phase in (phase, "any")
                if seen == run.reset.cycles:
                    break
        if run.reset:
            self.streams.note_reset(phase)
            self.c.count_rows()
            await self.reset(run.reset.length)
        else:
            await self.settle()

    def patience(self, tiles_: Sequence[StressTile]) -> int:
        """Give the cycles in which something must move, whatever the pauses."""
        design = bench.design()
        longest = sum(max(len(tile.pauses[stream]) for tile in tiles_) for stream in range(3))
        return longest + 4 * (design.latency + design.rows + design.cols) + 16

    async def step(self) -> tuple[bool, str]:
        """Go through one cycle: give whether anything was transferred, and what the array was doing."""
        await self.edge
        self.a.drive()
        self.b.drive()
        self.c.drive()
        await self.settled
        inside, outstanding = self.a.inside or self.b.inside, self.a.tile > self.c.tile
        a, b, c = self.a.sample(), self.b.sample(), self.c.sample()
        self.streams.cycles.append(c << 6 | b << 3 | a)
        self.cycle += 1
        phase = ("draining" if c & 2 else "blocked" if a & 3 == 1 else "stalled") if c & 1 else ""
        phase = phase or ("loading" if inside else "in flight" if outstanding else "idle")
        return a & 3 == 3 or b & 3 == 3 or c & 3 == 3, phase

    async def reset(self, cycles: int) -> None:
        """Reset the array: no row may be there from the first edge on, until new tiles are sent."""
        await self.edge
        port = bench.Reset(self.dut)
        port.put(True)
        self.a.start([], [])
        self.b.start([], [])
        self.c.start([])
        self.a.drive()
        self.b.drive()
        for _ in range(cycles):
            await self.edge
            if self.c.valid.value:
                raise AssertionError("a row came in a reset")
        port.put(False)

    async def settle(self) -> None:
        """See that nothing comes after the last row."""
        for _ in range(bench.SETTLING_CYCLES * (bench.design().latency + 1)):
            await self.step()


@cocotb.test
async def stress(dut: Any) -> None:
    """Pauses of all patterns, resets at any time, disagreeing ends, storms of specials, extreme sums."""
    design = bench.design()
    runs = draw_runs(design, bench.seed())
    jobs = [in_turn([make_job(tile, design) for tile in run.tiles], design) for run in runs]
    environment = Bench(dut)
    await bench.start_clock_and_reset(dut)
    starts = [0, *accumulate(len(run.tiles) for run in runs)]
    for first, run, ready in zip(starts, runs, jobs, strict=False):
        await environment.run(run, ready, first)
        bench.report_progress(first, starts[-1])
    bench.report_progress(starts[-1], starts[-1])
    bench.report_result(
        compared=environment.c.compared * design.cols,
        products=environment.c.products * design.cols,
        cycles=environment.cycle,
        stimulus=digest(runs),
        coverage=[*environment.c.sums.groups(), *environment.streams.groups()],
    )
