"""The components inside an Amaranth design, under Amaranth's own simulator."""

from collections.abc import Callable
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from lmul.design import make_design
from lmul.golden import matmul_codes
from lmul.hdl import DotProduct, component
from lmul.sim.tiles import pack, tiles
from tests.conftest import Matrices


def test_dot_product_in_amaranth_equals_the_golden_model(draw_codes: Callable[..., Matrices]) -> None:
    design = make_design("dot", lanes=2)
    ((a, b),) = draw_codes((3, 6, 4), nan=0.02)
    dut = DotProduct(design)
    found = []

    async def bench(ctx: Any) -> None:
        for row, column in ((row, column) for row in a for column in b.T):
            steps = [pack(codes.reshape(3, 2), design.format.width) for codes in (row, column)]
            for step, (x, y) in enumerate(zip(*steps, strict=True)):
                values = (x, y, 1, step == 0, step == 2)
                for port, value in zip(
                    (dut.a, dut.b, dut.in_valid, dut.in_first, dut.in_last), values, strict=True
                ):
                    ctx.set(port, int(value))
                await ctx.tick()
                if ctx.get(dut.c_valid):
                    found.append(ctx.get(dut.c))
        ctx.set(dut.in_valid, 0)
        await ctx.tick()
        found.append(ctx.get(dut.c))

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()
    np.testing.assert_array_equal(found, matmul_codes(a, b, design).output().reshape(-1))


def test_array_in_amaranth_equals_the_golden_model(draw_codes: Callable[..., Matrices]) -> None:
    design = make_design("array", rows=2, cols=2, lanes=1)
    ((a, b),) = draw_codes((4, 5, 4))
    dut: Any = component(design)
    jobs = list(tiles(a, b, design))
    found = []

    async def send(ctx: Any) -> None:
        ctx.set(dut.m_axis_c_tready, 1)
        for tile in jobs:
            for step, (x, y) in enumerate(zip(tile.a, tile.b, strict=True)):
                for stream, data in (("a", x), ("b", y)):
                    ctx.set(getattr(dut, f"s_axis_{stream}_tdata"), data)
                    ctx.set(getattr(dut, f"s_axis_{stream}_tvalid"), 1)
                    ctx.set(getattr(dut, f"s_axis_{stream}_tlast"), int(step == len(tile.a) - 1))
                await ctx.tick().until(dut.s_axis_a_tready)
        ctx.set(dut.s_axis_a_tvalid, 0)
        await ctx.tick().repeat(2 * design.latency)

    async def receive(ctx: Any) -> None:
        async for _, _, valid, data in ctx.tick().sample(dut.m_axis_c_tvalid, dut.m_axis_c_tdata):
            if valid:
                found.append(data)

    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(send)
    simulator.add_testbench(receive, background=True)
    simulator.run()
    assert found == [row for tile in jobs for row in tile.rows]
