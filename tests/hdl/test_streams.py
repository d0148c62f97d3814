"""The components with stream interfaces, placed in designs of a user's own, under Amaranth's simulator."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.hdl import DotProduct, Multiplier
from lmul.sim.stimulus.quick import Matrices


def run(design: Any, *benches: Callable[[Any], Any]) -> None:
    simulator = Simulator(design)
    simulator.add_clock(1e-9)
    for index, bench in enumerate(benches):
        simulator.add_testbench(bench, background=index > 0)
    simulator.run()


@pytest.mark.parametrize("pipeline", [1, 3])
def test_multiplier_gives_what_its_model_gives_and_when_it_says(pipeline: int) -> None:
    dut = Multiplier(make_design("mul", format="e5m2", mul="addc", pipeline=pipeline))
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 256, (2, 50))
    sent, found = [], []

    async def send(ctx: Any) -> None:
        for index in range(len(a)):
            ctx.set(dut.operands.payload, {"a": int(a[index]), "b": int(b[index])})
            ctx.set(dut.operands.valid, 1)
            sent.append(index)
            await ctx.tick()
            if index % 3 == 0:
                ctx.set(dut.operands.valid, 0)
                sent.append(None)
                await ctx.tick()
        ctx.set(dut.operands.valid, 0)
        await ctx.tick().repeat(dut.latency)

    async def receive(ctx: Any) -> None:
        async for _, _, valid, product in ctx.tick().sample(dut.products.valid, dut.products.payload):
            found.append(product if valid else None)

    run(dut, send, receive)
    expected = dut.model(a, b)
    assert found[dut.latency :] == [None if index is None else expected[index] for index in sent]
    assert not any(found[: dut.latency])


def test_combinational_multiplier_answers_in_the_same_cycle() -> None:
    dut = Multiplier(make_design("mul"))

    async def bench(ctx: Any) -> None:
        for x, y in ((0x38, 0x40), (0x7F, 0), (0xC4, 0x12)):
            ctx.set(dut.operands.payload, {"a": x, "b": y})
            ctx.set(dut.operands.valid, 1)
            assert ctx.get(dut.products.payload) == dut.model(np.array(x), np.array(y))
            assert ctx.get(dut.products.valid)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert dut.latency == 0


@pytest.mark.parametrize(
    "options", [{}, {"out": "raw"}, {"pipeline": 2}, {"carry": "save"}, {"acc": "fp16", "pipeline": 1}]
)
def test_dot_product_gives_what_its_model_gives_and_when_it_says(
    options: dict[str, Any], draw_codes: Callable[..., Matrices]
) -> None:
    dut = DotProduct(make_design("dot", lanes=2, **options))
    ((a, b),) = draw_codes((3, 6, 4), nan=0.02)
    ended: list[bool] = []
    found: list[Any] = []

    async def send(ctx: Any) -> None:
        ctx.set(dut.steps.valid, 1)
        for row, column in ((row, column) for row in a for column in b.T):
            for step in range(3):
                lanes = slice(2 * step, 2 * step + 2)
                codes = {"a": row[lanes].tolist(), "b": column[lanes].tolist()}
                ctx.set(dut.steps.payload, codes | {"first": step == 0, "last": step == 2})
                ended.append(step == 2)
                await ctx.tick()
        ctx.set(dut.steps.valid, 0)
        await ctx.tick().repeat(dut.latency)

    async def receive(ctx: Any) -> None:
        async for _, _, valid, result in ctx.tick().sample(dut.sums.valid, dut.sums.payload):
            found.append((result.c, result.flags.nan) if valid else None)

    run(dut, send, receive)
    sums = dut.model(a, b)
    assert [result for result in found if result] == list(
        zip(sums.output().reshape(-1).tolist(), sums.nan.reshape(-1).tolist(), strict=True)
    )
    assert [result is not None for result in found[dut.latency :]] == ended


class SquareSum(wiring.Component):  # type: ignore[type-arg]
    """A user's component: the sum of the squares of what comes in."""

    def __init__(self, design: Design) -> None:
        self.dot = DotProduct(design)
        super().__init__({name: self.dot.signature.members[name] for name in ("steps", "sums")})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        m.submodules.dot = self.dot
        wiring.connect(m, wiring.flipped(self.sums), self.dot.sums)
        m.d.comb += [
            self.dot.steps.valid.eq(self.steps.valid),
            self.dot.steps.payload.eq(self.steps.payload),
            self.dot.steps.payload.b.eq(self.steps.payload.a),
        ]
        return m


def test_streams_connect_to_those_of_a_users_design() -> None:
    dut = SquareSum(make_design("dot", lanes=1))
    found = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.steps.payload, {"a": [0x40], "b": [0], "first": 1, "last": 1})
        ctx.set(dut.steps.valid, 1)
        await ctx.tick()
        ctx.set(dut.steps.valid, 0)
        await ctx.tick().repeat(dut.dot.latency - 1)
        found.append((ctx.get(dut.sums.valid), ctx.get(dut.sums.payload.c)))

    run(dut, bench)
    codes = np.array([[0x40]])
    assert found == [(1, int(dut.dot.model(codes, codes).output()[0, 0]))]


def test_components_refuse_designs_that_they_are_not() -> None:
    with pytest.raises(ValueError, match="kind 'dot', not 'mul'"):
        DotProduct(make_design("mul"))
    with pytest.raises(UserError, match="at most 16"):
        DotProduct(make_design("dot", format="fp32", acc="fp32"))
