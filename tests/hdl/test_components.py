"""The components inside an Amaranth design, under Amaranth's own simulator."""

from collections.abc import Callable
from typing import Any

from amaranth.sim import Simulator

from lmul.design import make_design
from lmul.hdl import component
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.tiles import tiles


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
