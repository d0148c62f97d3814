"""The array as a component with streams, under Amaranth's own simulator: both dataflows, every size."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from lmul.cost.power.stimulus import RESET_CYCLES, stimulus
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.golden import matmul_codes
from lmul.hdl import Array, ArrayAxiStream, export
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.tiles import Tile, in_turn, pack, tiles
from lmul.workloads import Operands

PATIENCE_CYCLES = 60
SETTLING_CYCLES = 40
MISMATCH = 0b1000

Beats = list[tuple[int, int]]

QUICK: list[dict[str, Any]] = [
    {"rows": 1, "cols": 1, "lanes": 1, "share": 1},
    {"rows": 1, "cols": 5, "lanes": 2, "share": 2},
    {"rows": 4, "cols": 1, "lanes": 1, "share": 3},
    {"rows": 3, "cols": 4, "lanes": 1, "share": 1},
    {"rows": 2, "cols": 3, "lanes": 2, "share": 32, "format": "e5m2"},
]

STAGED: list[dict[str, Any]] = [
    {"rows": 4, "cols": 3, "share": 2, "pipeline": 1, "carry": "save"},
    {"rows": 3, "cols": 2, "share": 1, "pipeline": 4},
    {"rows": 2, "cols": 3, "share": 2, "pipeline": 2, "acc": "fp16", "dataflow": "ws"},
    {"rows": 3, "cols": 2, "share": 1, "pipeline": 4, "acc": "fixed:14:-6", "dataflow": "ws"},
    {"rows": 2, "cols": 3, "share": 2, "pipeline": 2, "acc": "fused:13:13", "interleave": 2},
    {"rows": 3, "cols": 2, "share": 1, "pipeline": 3, "acc": "fused:7:9:rne", "interleave": 3},
]

LONG = list(product(("os", "ws"), (1, 2, 5), (1, 3, 6), (1, 2, 4), ("exact", "fp16", "fixed:14:-6"), (0, 2)))


def short_name(options: dict[str, Any]) -> str:
    return "-".join(map(str, options.values()))


@dataclass
class Outcome:
    """What came out, and the cycles in which something was taken or came."""

    rows: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    row_cycles: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)


def simulate(
    design: Design, a: Beats, b: Beats, rows: int, *, pause: float = 0.0, patience: int = PATIENCE_CYCLES
) -> Outcome:
    """Send beats into both streams until so many rows came, or none for a long time."""
    dut = Array(design)
    outcome = Outcome()
    simulator = Simulator(dut)
    simulator.add_clock(1e-9)

    def sender(name: str, beats: Beats) -> Any:
        stream, rng = getattr(dut, name), np.random.default_rng([ord(name), len(beats)])

        async def send(ctx: Any) -> None:
            for data, last in beats:
                while rng.random() < pause:
                    ctx.set(stream.valid, 0)
                    await ctx.tick()
                ctx.set(stream.payload, {"data": data, "last": last})
                ctx.set(stream.valid, 1)
                while not (await ctx.tick().sample(stream.ready))[-1]:
                    pass
            ctx.set(stream.valid, 0)

        return send

    async def receive(ctx: Any) -> None:
        rng = np.random.default_rng(3)
        cycle, silent = 0, 0
        while silent < (patience if len(outcome.rows) < rows else SETTLING_CYCLES):
            ready = rng.random() >= pause
            ctx.set(dut.c.ready, int(ready))
            *_, valid, payload, a_valid, a_ready = await ctx.tick().sample(
                dut.c.valid, dut.c.payload, dut.a.valid, dut.a.ready
            )
            cycle, silent = cycle + 1, silent + 1
            if a_valid and a_ready:
                outcome.taken.append(cycle)
            if valid and ready:
                silent = 0
                outcome.rows.append(payload.data)
                outcome.flags.append(payload.flags.as_bits())
                outcome.lasts.append(payload.last)
                outcome.row_cycles.append(cycle)

    simulator.add_testbench(sender("a", a), background=True)
    simulator.add_testbench(sender("b", b), background=True)
    simulator.add_testbench(receive)
    simulator.run()
    return outcome


def frame(beats: Sequence[int]) -> Beats:
    return [(beat, int(place == len(beats) - 1)) for place, beat in enumerate(beats)]


def frames(jobs: Sequence[Tile], name: str) -> Beats:
    return [beat for tile in jobs for beat in frame(getattr(tile, name))]


def send_tiles(design: Design, jobs: Sequence[Tile], pause: float = 0.0) -> Outcome:
    return simulate(
        design, frames(jobs, "a"), frames(jobs, "b"), sum(len(tile.rows) for tile in jobs), pause=pause
    )


def check_tiles(design: Design, jobs: Sequence[Tile], pause: float = 0.0) -> Outcome:
    outcome = send_tiles(design, jobs, pause)
    assert outcome.rows == [row for tile in jobs for row in tile.rows]
    assert outcome.flags == [flags for tile in jobs for flags in tile.flags]
    assert outcome.lasts == [last for tile in jobs for _, last in frame(tile.rows)]
    return outcome


def draw(design: Design, *shapes: tuple[int, int, int], seed: int = 1) -> Matrices:
    rng = np.random.default_rng(seed)
    first, second = design.formats
    return [
        (
            rng.integers(0, 1 << first.width, (m, k)).astype(first.dtype),
            rng.integers(0, 1 << second.width, (k, n)).astype(second.dtype),
        )
        for m, k, n in shapes
    ]


def draw_tiles(design: Design) -> list[Tile]:
    """Give tiles that are partly empty, and short ones back to back."""
    steps = design.rows * design.lanes
    shapes = (design.rows + 1, 2 * steps + 1, design.cols + 1), (1, design.lanes, 2 * design.cols)
    return in_turn([tile for a, b in draw(design, *shapes) for tile in tiles(a, b, design)], design)


@pytest.mark.parametrize("dataflow", ["os", "ws"])
@pytest.mark.parametrize("options", QUICK, ids=short_name)
def test_array_of_every_shape_equals_the_model_with_and_without_pauses(
    dataflow: str, options: dict[str, Any]
) -> None:
    design = make_design("array", dataflow=dataflow, **options)
    for pause in (0.0, 0.4):
        check_tiles(design, draw_tiles(design), pause)


@pytest.mark.parametrize("options", STAGED, ids=short_name)
def test_stages_inside_the_elements_keep_the_results(options: dict[str, Any]) -> None:
    design = make_design("array", lanes=1, **options)
    for pause in (0.0, 0.4):
        check_tiles(design, draw_tiles(design), pause)


@pytest.mark.full
@pytest.mark.parametrize(("dataflow", "rows", "cols", "share", "acc", "pipeline"), LONG)
def test_array_of_every_combination_equals_the_model(
    dataflow: str, rows: int, cols: int, share: int, acc: str, pipeline: int
) -> None:
    sizes = {"rows": rows, "cols": cols, "share": share, "lanes": 1}
    design = make_design("array", dataflow=dataflow, acc=acc, pipeline=pipeline, **sizes)
    for pause in (0.0, 0.3):
        check_tiles(design, draw_tiles(design), pause)


@pytest.mark.parametrize(
    "options",
    [QUICK[1], QUICK[3], *STAGED, {"rows": 3, "cols": 4, "share": 1, "dataflow": "ws"}],
    ids=short_name,
)
def test_rows_come_after_the_latency(options: dict[str, Any]) -> None:
    design = make_design("array", **{"lanes": 1, **options})
    (operands,) = draw(design, (2 * design.rows, design.rows * design.lanes, design.cols))
    jobs = in_turn(list(tiles(*operands, design)), design)
    outcome = check_tiles(design, jobs)
    needed = outcome.taken
    if design.dataflow == "os":
        ends = np.cumsum([len(job.a) for job in jobs]) - 1
        needed = [outcome.taken[end] + row for end in ends for row in range(design.rows)]
    assert outcome.row_cycles == [cycle + design.latency for cycle in needed]


@pytest.mark.parametrize("share", [1, 2, 4])
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_hundred_tiles_of_as_many_beats_as_rows_keep_the_array_busy(dataflow: str, share: int) -> None:
    design = make_design("array", dataflow=dataflow, rows=2, cols=3, lanes=1, share=share)
    depth = 2 if dataflow == "os" else 20
    (operands,) = draw(design, (20 if dataflow == "os" else 2, depth, 30))
    outcome = check_tiles(design, list(tiles(*operands, design)))
    assert len(outcome.taken) == 200
    assert outcome.taken[-1] - outcome.taken[0] + 1 <= len(outcome.taken) / 0.99


def test_tiles_in_turn_keep_the_array_busy() -> None:
    design = make_design(
        "array", rows=4, cols=3, lanes=1, acc="fused:13:13", pipeline=3, interleave=3, share=2
    )
    (operands,) = draw(design, (12, 6, 9))
    outcome = check_tiles(design, in_turn(list(tiles(*operands, design)), design))
    assert outcome.taken[-1] - outcome.taken[0] + 1 == len(outcome.taken)


@pytest.fixture(scope="module")
def ws() -> Design:
    return make_design("array", dataflow="ws", rows=3, cols=3, lanes=2, share=2, out="raw")


def weights_tile(design: Design, a: Any, b: Any) -> Tile:
    (tile,) = tiles(a, b, design)
    return tile


def test_rows_wait_until_their_weights_are_complete(ws: Design) -> None:
    ((a, b),) = draw(ws, (2, 6, 3))
    tile = weights_tile(ws, a, b)
    outcome = simulate(ws, frames([tile], "a"), frames([tile], "b")[:-1], 1)
    assert outcome.taken == []
    assert outcome.rows == []


def test_next_weights_enter_while_a_tile_runs_and_change_nothing(ws: Design) -> None:
    """Rows of a second tile never come, so its weights wait for ever."""
    first, second = (weights_tile(ws, a, b) for a, b in draw(ws, (9, 6, 3), (1, 6, 3)))
    outcome = simulate(ws, frames([first], "a"), frames([first, second], "b"), 9)
    assert outcome.rows == first.rows


def test_missing_weights_are_those_of_the_tile_before_and_mark_all_rows(ws: Design) -> None:
    (a, b), (x, y), third = draw(ws, (4, 6, 3), (4, 6, 3), (2, 6, 3))
    mixed = np.concatenate([y[:2], b[2:]])
    before, short, after = weights_tile(ws, a, b), weights_tile(ws, x, mixed), weights_tile(ws, *third)
    b_beats = frame(before.b) + frame(short.b[:1]) + frame(after.b)
    outcome = simulate(ws, frames([before, short, after], "a"), b_beats, 10)
    assert outcome.rows == before.rows + short.rows + after.rows
    assert [flags & MISMATCH for flags in outcome.flags] == [0] * 4 + [MISMATCH] * 4 + [0] * 2


def test_surplus_weights_are_dropped_and_mark_all_rows(ws: Design) -> None:
    long, after = (weights_tile(ws, a, b) for a, b in draw(ws, (3, 6, 3), (2, 6, 3)))
    b_beats = frame([*long.b, 1, 2, 3, 4]) + frame(after.b)
    outcome = simulate(ws, frames([long, after], "a"), b_beats, 5)
    assert outcome.rows == long.rows + after.rows
    assert [flags & MISMATCH for flags in outcome.flags] == [MISMATCH] * 3 + [0] * 2


def test_steps_beyond_the_shorter_operand_are_dropped_and_mark_the_tile() -> None:
    design = make_design("array", rows=3, cols=2, lanes=1, share=2)
    first, second, third = (tile for a, b in draw(design, *[(3, 4, 2)] * 3) for tile in tiles(a, b, design))
    a_beats = frame([*first.a, 5, 6]) + frame(second.a) + frame(third.a)
    b_beats = frame(first.b) + frame([*second.b, 7]) + frame(third.b)
    outcome = simulate(design, a_beats, b_beats, 9)
    assert outcome.rows == first.rows + second.rows + third.rows
    assert [flags & MISMATCH for flags in outcome.flags] == [MISMATCH] * 6 + [0] * 3


def register_bits(verilog: str, module: str, pattern: str) -> int:
    """Count the bits of the registers of a module whose names match."""
    body = re.search(rf"^module \w+_{module} .*?^endmodule", verilog, re.DOTALL | re.MULTILINE)
    assert body
    found = re.findall(rf"^ +reg +(?:\[(\d+):0\] )?({pattern});", body[0], re.MULTILINE)
    return sum(int(msb or 0) + 1 for msb, _ in found)


@pytest.mark.parametrize("share", [1, 2, 3, 8])
def test_operand_registers_shrink_by_the_share(share: int) -> None:
    verilog = export(make_design("array", rows=5, cols=6, lanes=1, share=share)).verilog
    # A code, and whether it was NaN.
    bits = 8 + 1
    assert register_bits(verilog, "core", r"a_r\d+_g\d+") == bits * 5 * -(-6 // share)
    assert register_bits(verilog, "core", r"b_c\d+_g\d+") == bits * 6 * -(-5 // share)
    skew = sum(place // share for size in (5, 6) for place in range(size))
    assert register_bits(verilog, "core", r"\w+_skew\d+") == bits * skew


def test_weights_are_kept_twice_and_nothing_else_of_them() -> None:
    verilog = export(make_design("array", dataflow="ws", rows=2, cols=2, lanes=3)).verilog
    # Three codes, and whether one of them was NaN.
    assert register_bits(verilog, "element", r"\w+") == 2 * (3 * 8 + 1)
    assert register_bits(verilog, "core", r"b_\w+") == 0


def test_array_knows_its_design_and_its_model() -> None:
    design = make_design("array", rows=2, cols=2, lanes=1)
    ((a, b),) = draw(design, (3, 4, 5))
    for dut in (Array(design), ArrayAxiStream(design)):
        assert dut.design == design
        assert (dut.latency, dut.products_per_cycle) == (design.latency, 4)
        np.testing.assert_array_equal(dut.model(a, b).raw, matmul_codes(a, b, design).raw)


def test_designs_that_are_no_array_with_hardware_are_refused() -> None:
    for array in (Array, ArrayAxiStream):
        with pytest.raises(ValueError, match="'dot'"):
            array(make_design("dot"))
        with pytest.raises(UserError, match="formula"):
            array(make_design("array", mul="formula"))


def taken_beats(design: Design, ports: dict[str, Any], stream: int) -> list[int]:
    """Drive the ports as one stream of a stimulus has them: give the ready of every beat of `a`."""
    dut = ArrayAxiStream(design)
    taken = []

    async def bench(ctx: Any) -> None:
        for cycle in range(RESET_CYCLES, len(ports["rst"])):
            for name, bits in ports.items():
                if name != "rst":
                    ctx.set(getattr(dut, name), pack(bits[cycle, [stream]], 1)[0])
            *_, valid, ready = await ctx.tick().sample(dut.s_axis_a_tvalid, dut.s_axis_a_tready)
            if valid:
                taken.append(ready)

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    return taken


@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_cost_is_measured_on_an_array_that_takes_every_beat(dataflow: str) -> None:
    """The second product has tiles of fewer beats than the array has rows."""
    design = make_design("array", dataflow=dataflow, rows=4, cols=5, lanes=1, share=2)
    rng = np.random.default_rng(1)
    shapes = ((5, 40), (40, 5)), ((3, 3), (3, 5))
    pairs = [Operands("drawn", *(rng.normal(size=s).astype(np.float32) for s in pair)) for pair in shapes]
    ports = stimulus(design, pairs)
    assert taken_beats(design, ports, 0) == [1] * 40
    assert taken_beats(design, ports, -1) == [1] * 30
