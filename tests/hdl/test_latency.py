"""Every block says after how many cycles its result is there, and under Amaranth's simulator it is."""

from collections.abc import Sequence
from typing import Any

import pytest
from amaranth.sim import Simulator

from lmul.design import Design, make_design
from lmul.hdl import component
from lmul.hdl.accumulator.align import Align
from lmul.hdl.accumulator.table import accumulator
from lmul.hdl.array.array import CORES
from lmul.hdl.array.element import Element, WeightElement
from lmul.hdl.dot import DotProductBlock
from lmul.hdl.floating.convert import FloatConvert
from lmul.hdl.floating.from_fixed import RoundToFloat
from lmul.hdl.framework.hierarchy import Block
from lmul.hdl.multiplier.rounded import MultiplierBlock

ONE = 0x38
"""The code of 1 in e4m3."""

Inputs = dict[str, int]

OPERANDS = {"a": ONE, "b": ONE}
STEP = OPERANDS | {"valid": 1, "first": 1, "last": 1}


def cycles(block: Any, before: Sequence[Inputs], inputs: Inputs, output: str) -> int:
    """Count the cycles from inputs that are there for one cycle to an output that is not 0."""
    found = []

    async def bench(ctx: Any) -> None:
        async def tick() -> None:
            await ctx.tick()
            for name in inputs.keys() | {name for step in before for name in step}:
                ctx.set(getattr(block, name), 0)

        if hasattr(block, "en"):
            ctx.set(block.en, 1)
        for step in [*before, inputs]:
            if step is not (before or [inputs])[0]:
                await tick()
            for name, value in step.items():
                ctx.set(getattr(block, name), value)
        waited = 0
        while not ctx.get(getattr(block, output)) and waited < 99:
            await tick()
            waited += 1
        found.append(waited)

    simulator = Simulator(block)
    simulator.add_clock(1e-9, if_exists=True)
    simulator.add_testbench(bench)
    simulator.run()
    return found[0]


def sum_of(**options: Any) -> Design:
    return make_design("dot", lanes=1, depth=4, **options)


@pytest.mark.parametrize("stages", [0, 2])
def test_products_take_as_many_cycles_as_they_say(stages: int) -> None:
    block = MultiplierBlock(make_design("mul", pipeline=stages))
    assert cycles(block, [], OPERANDS, "p") == block.latency == stages


@pytest.mark.parametrize(
    "design",
    [
        sum_of(),
        sum_of(pipeline=4, out="raw"),
        sum_of(carry="save", pipeline=3, out="bf16"),
        sum_of(acc="fp32", pipeline=1),
        sum_of(acc="fp16", out="fp32"),
        sum_of(acc="fused:13:13", pipeline=2, interleave=2),
        sum_of(acc="fused:13:13", pipeline=3, interleave=3),
    ],
    ids=lambda design: design.name,
)
def test_sums_take_as_many_cycles_as_they_say(design: Design) -> None:
    block: Block = accumulator(design)(design)
    assert cycles(block, [], STEP, "done") == block.latency
    dot = DotProductBlock(design)
    step = OPERANDS | {"in_valid": 1, "in_first": 1, "in_last": 1}
    assert cycles(dot, [], step, "c_valid") == dot.latency == design.latency == component(design).latency
    element = Element(design)
    assert cycles(element, [], STEP, "result") == element.latency == block.latency + 1


def test_results_take_as_many_cycles_as_they_say() -> None:
    for stages in (2, 3, 4):
        block = RoundToFloat(sum_of(pipeline=stages))
        assert cycles(block, [], {"raw": 1}, "value") == block.latency == max(0, stages - 2)
    convert = FloatConvert(sum_of(acc="fp16", out="fp32"))
    assert cycles(convert, [], {"raw": 1 << 10}, "value") == convert.latency == 0
    align = Align(sum_of())
    assert cycles(align, [], {"nonzero": 1, "significand": 8, "exponent": 12}, "term") == align.latency == 0


@pytest.mark.parametrize("pipeline", [0, 3])
def test_arrays_take_as_many_cycles_as_they_say(pipeline: int) -> None:
    size = {"rows": 3, "cols": 4, "lanes": 1, "share": 2, "pipeline": pipeline}
    ends = {"a_valid": 1, "a_last": 1, "a": ONE, "b": ONE}
    os = make_design("array", **size)
    core: Block = CORES["os"](os)
    assert cycles(core, [], ends | {"b_valid": 1, "b_last": 1}, "c_valid") == core.latency == os.latency - 1
    ws = make_design("array", dataflow="ws", **size)
    core = CORES["ws"](ws)
    weights = [{"b_valid": 1, "b_last": int(row == 2), "b": ONE} for row in range(3)]
    assert cycles(core, weights, ends, "c_valid") == core.latency == ws.latency - 1
    element = WeightElement(ws)
    kept = [{"write": 1, "b": ONE}, {"swap": 1}]
    assert cycles(element, kept, {"a": ONE, "valid": 1}, "sum") == element.latency


def test_every_block_with_registers_states_its_latency() -> None:
    def below(block: type[Block]) -> set[type[Block]]:
        return {block}.union(*map(below, block.__subclasses__()))

    silent = {block.__name__ for block in below(Block) if block.latency is Block.latency}
    combinational = {block.__name__ for block in below(Block) if getattr(block, "sequential", None) is False}
    # The cores of both dataflows state it, what they have in common does not.
    assert silent == combinational | {"Block", "Systolic"}
