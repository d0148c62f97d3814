"""Scales of blocks in hardware: every kind, in dot products, streams and arrays."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from lmul.cli import main
from lmul.cost.power.stimulus import RESET_CYCLES, code_stimulus
from lmul.design import Design, make_design
from lmul.explore.space import read_space
from lmul.golden.sums.blocks.scales import Scales
from lmul.hdl import DotProduct, Export
from lmul.sim.coverage.products import holes
from lmul.sim.simulate import SimulationRun, simulate
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.scales import draw_scales, model_sums, seeded_scales
from lmul.sim.stimulus.tiles import tiles
from tests.hdl.test_sums import matrices
from tests.support.hdl.drawn_designs import drawn_dots
from tests.support.hdl.matrix.batch import simulate_batch

ExportTo = Callable[[Design], tuple[Export, Path]]

DOTS = [
    make_design("dot", **options)
    for options in (
        {"scale": "mx", "acc": "fused:25", "lanes": 4, "mul": "exact", "subnormals": "full", "out": "raw"},
        {"scale": "mx", "acc": "fused:13:13", "format": "e5m2", "lanes": 2, "pipeline": 4},
        {"scale": "mx", "acc": "fused:4", "format_b": "e2m1", "lanes": 8, "mul": "addc", "out": "bf16"},
        {
            "scale": "mx",
            "acc": "fused:7:5:rne",
            "format_a": "e2m3",
            "format_b": "e3m2",
            "lanes": 1,
            "addend": True,
            "pipeline": 2,
            "interleave": 3,
        },
        {
            "scale": "mx",
            "acc": "fused:40",
            "format": "e5m2",
            "mul": "exact",
            "lanes": 2,
            "subnormals": "full",
            "addend": True,
        },
        {"scale": "mxfp4", "acc": "fused:10:7", "format": "e2m1", "lanes": 32, "pipeline": 3},
        {
            "scale": "nvfp4",
            "acc": "fused:35",
            "format": "e2m1",
            "mul": "exact",
            "lanes": 32,
            "subnormals": "full",
            "pipeline": 1,
        },
        {"scale": "nvfp4", "acc": "fused:4", "format": "e2m1", "lanes": 16, "addend": True, "out": "raw"},
        {"scale": "mx16", "acc": "fused:13:13", "format": "int8", "lanes": 32, "pipeline": 3, "addend": True},
        {
            "scale": "mx16",
            "acc": "fixed:20:-4",
            "format_a": "int8",
            "format_b": "int4",
            "lanes": 16,
            "pipeline": 4,
        },
        {
            "scale": "mx16",
            "acc": "fixed:33:-12",
            "format_a": "e3m2",
            "format_b": "e2m3",
            "mul": "exact",
            "lanes": 32,
            "subnormals": "full",
            "pipeline": 3,
            "out": "raw",
        },
        {"scale": "mxfp4", "acc": "fixed:9:0", "format": "e2m1", "mul": "addm", "lanes": 16, "out": "raw"},
    )
]

DRAWN = drawn_dots(4, lambda design: design.block_scale is not None)

NARROW = [
    make_design("dot", format=format_, mul=mul, acc="fused:7:9", lanes=2, scale="mx", subnormals=subnormals)
    for format_, mul, subnormals in (
        ("e2m1", "addm", "full"),
        ("e2m3", "exact", "full"),
        ("e3m2", "lmul", "flush"),
    )
]

OTHERS = [
    make_design("dot", scale="nvfp4", acc="fused:13", format="e2m1", lanes=32, stream=True, addend=True),
    make_design("array", scale="mx", acc="fused:13:13", rows=3, cols=2, lanes=2, share=2, pipeline=2),
    make_design("array", scale="mx", acc="fused:9", format="e5m2", rows=2, cols=3, lanes=1, dataflow="ws"),
    make_design(
        "array", scale="nvfp4", acc="fused:9", format="e2m1", rows=1, cols=2, lanes=32, dataflow="ws"
    ),
    make_design(
        "array", scale="mx16", acc="fixed:28:-10", format="int8", rows=1, cols=2, lanes=16, dataflow="ws"
    ),
]

SMALL = make_design("dot", format="e2m1", lanes=2, acc="fused:7:5", scale="mx", out="raw")


def small_sums(design: Design) -> list[Any]:
    """Draw matrix products of two steps whose sums are about the least exponents, and subnormal or zero."""
    rng = np.random.default_rng(1)
    products: list[Any] = []
    for exponent in (-150, -143, -136, -130, -124) if design.scale == "mx" else ():
        pair = []
        for format_, shape in zip(
            design.formats, ((6, 2 * design.lanes), (2 * design.lanes, 6)), strict=True
        ):
            magnitude = rng.integers(0, format_.largest_finite + 1, shape)
            pair.append((magnitude | rng.choice([0, format_.sign_mask], shape)).astype(format_.dtype))
        first = rng.integers(20, 100, 2)
        a_scale = first + rng.integers(-6, 7, (6, 2))
        b_scale = (254 + exponent - first)[:, None] + rng.integers(-6, 7, (2, 6))
        scales = (np.clip(codes, 0, 254).astype(np.uint8) for codes in (a_scale, b_scale))
        products.append((*pair, Scales(*scales)))
    return products


def largest_sums(design: Design) -> list[Any]:
    """Give one step of the largest products, with every scale from where their sum is zero."""
    if design.scale != "mx":
        return []
    a, b = (
        np.full(shape, format_.largest_finite, format_.dtype)
        for format_, shape in zip(design.formats, ((200, design.lanes), (design.lanes, 1)), strict=True)
    )
    rows = np.arange(200, dtype=np.uint8)[:, None]
    return [(a, b, Scales(rows, np.full((1, 1), 30, np.uint8)))]


def test_dot_products_with_scales_are_right_for_codes_of_every_kind(tmp_path: Path) -> None:
    designs = [*DOTS, *DRAWN]
    products = [[*matrices(design), *small_sums(design), *largest_sums(design)] for design in designs]
    powers = sum(design.scale == "mx" for design in designs)
    assert simulate_batch(designs, products, tmp_path) == 197 * len(designs) + powers * (5 * 36 + 200)


def every_pair(design: Design, draws: int = 3) -> list[Any]:
    """Give a step for each pair of codes in the first lane, with any pair in the second and drawn scales."""
    rng = np.random.default_rng(1)
    first, second = (np.arange(1 << format_.width, dtype=format_.dtype) for format_ in design.formats)
    a, b = np.stack([first, rng.permutation(first)], axis=1), np.stack([second, rng.permutation(second)])
    shape = len(a), 2, b.shape[1]
    return [(a, b, draw_scales(design, shape, rng)) for _ in range(draws)]


def test_every_pair_of_narrow_codes_is_scaled_as_the_model_does(tmp_path: Path) -> None:
    products = [every_pair(design) for design in NARROW]
    assert simulate_batch(NARROW, products, tmp_path) == 3 * (16**2 + 2 * 64**2)


@pytest.mark.long
@pytest.mark.parametrize("mul", ["lmul", "exact"])
def test_every_pair_of_codes_of_two_narrow_formats_is_scaled_too(mul: str, tmp_path: Path) -> None:
    designs = [
        make_design("dot", format_a=first, format_b=second, mul=mul, acc="fused:7:9", lanes=2, scale="mx")
        for first, second in product(("e2m1", "e2m3", "e3m2"), repeat=2)
    ]
    products = [every_pair(design) for design in designs]
    assert simulate_batch(designs, products, tmp_path) == 3 * (16**2 + 4 * 16 * 64 + 4 * 64**2)


@pytest.mark.long
def test_every_two_pairs_of_fp4_codes_are_scaled_as_the_model_does(tmp_path: Path) -> None:
    design = make_design(
        "dot", format="e2m1", mul="exact", acc="fused:7:9", lanes=2, scale="mx", subnormals="full"
    )
    both = np.indices((16, 16), dtype=np.uint8).reshape(2, -1)
    scales = draw_scales(design, (256, 2, 256), np.random.default_rng(1))
    assert simulate_batch([design], [[(both.T, both, scales)]], tmp_path) == 16**4


@pytest.mark.parametrize("design", OTHERS, ids=lambda design: design.name)
def test_streams_and_arrays_take_scales_in_their_beats(design: Design, export_to: ExportTo) -> None:
    text, path = export_to(design)
    files = ([path], text.name, text.port_names, matrices(design), path.parent / "build")
    assert simulate(SimulationRun(design, *files, testcase="pauses")).compared > 150


def stressed(design: Design, export_to: ExportTo) -> Any:
    """Run the stress test of a design."""
    text, path = export_to(design)
    files = ([path], text.name, text.port_names, [], path.parent / "build")
    return simulate(SimulationRun(design, *files, testcase="stress", seed=1))


def test_dot_product_with_scales_is_right_under_pressure(export_to: ExportTo) -> None:
    found = stressed(SMALL, export_to)
    assert found.compared > 200 and not holes(found.coverage)


LARGE = [
    *DOTS,
    make_design("dot", scale="mx", acc="b200", lanes=32, mul="exact", subnormals="full", pipeline=2),
    make_design("array", scale="mx", acc="fused:13:13", rows=3, cols=2, lanes=4, share=2, pipeline=2),
    make_design("array", scale="mx", acc="fused:25", rows=2, cols=2, lanes=2, dataflow="ws"),
    make_design("array", scale="mxfp4", acc="fused:35", format="e2m1", rows=2, cols=1, lanes=16),
    make_design("array", scale="mx16", acc="fixed:24:-8", format="int4", rows=2, cols=1, lanes=16),
]


@pytest.mark.long
@pytest.mark.parametrize("design", LARGE, ids=lambda design: design.name)
def test_design_with_scales_is_right_under_pressure(design: Design, export_to: ExportTo) -> None:
    assert not holes(stressed(design, export_to).coverage)


def test_component_in_amaranth_takes_scales() -> None:
    design = make_design("dot", format="e2m1", lanes=2, acc="fused:13", scale="mx", out="raw")
    a, b = np.array([[2, 5, 7, 1]], dtype=np.uint8), np.array([[3], [6], [14], [2]], dtype=np.uint8)
    scales = Scales(np.array([[128, 130]], dtype=np.uint8), np.array([[127], [120]], dtype=np.uint8))
    dot, found = DotProduct(design), list[int]()

    async def send(ctx: Any) -> None:
        for step in range(2):
            lanes = slice(2 * step, 2 * step + 2)
            ctx.set(dot.steps.valid, 1)
            ctx.set(
                dot.steps.payload,
                {
                    "a": a[0, lanes].tolist(),
                    "b": b[lanes, 0].tolist(),
                    "a_scale": int(scales.a[0, step]),
                    "b_scale": int(scales.b[step, 0]),
                    "first": step == 0,
                    "last": step == 1,
                },
            )
            await ctx.tick()
        found.append(ctx.get(dot.sums.payload.c))

    simulator = Simulator(dot)
    simulator.add_clock(1e-9)
    simulator.add_testbench(send)
    simulator.run()
    assert found == dot.model(a, b, None, *scales).raw.reshape(-1).tolist()


def test_stimulus_of_the_cost_is_what_benches_send(draw_codes: Callable[..., Matrices]) -> None:
    ((a, b),) = draw_codes((4, 16, 4))
    array = make_design("array", scale="mx", acc="fused:13:13", rows=2, cols=2, lanes=2)
    scales = seeded_scales(array, a, b)
    first, *_ = tiles(a, b, array, scales)
    ports = code_stimulus(array, [(a, b)], [scales])
    for side, beats in (("a", first.a), ("b", first.b)):
        bits = ports[f"s_axis_{side}_tdata"][RESET_CYCLES : RESET_CYCLES + len(beats), 0]
        assert [
            int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in bits
        ] == beats
    dot = make_design("dot", scale="mx", acc="fused:13:13", lanes=8)
    own = seeded_scales(dot, a, b)
    assert own is not None
    given = code_stimulus(dot, [(a, b)], [own])["a_scale"][RESET_CYCLES : RESET_CYCLES + 2, 0]
    assert np.packbits(given, axis=1, bitorder="little")[:, 0].tolist() == own.a[0].tolist()


def test_zeros_of_a_last_step_change_nothing() -> None:
    rng = np.random.default_rng(1)
    design = make_design("dot", scale="nvfp4", acc="fused:4", format="e2m1", lanes=32)
    a, b = rng.integers(0, 16, (3, 40)), rng.integers(0, 16, (40, 2))
    scales = draw_scales(design, (3, 40, 2), rng)
    assert scales is not None and scales.a.shape == (3, 4)
    scales.a[:, 3], scales.b[3] = 0, 0
    whole = model_sums(a, b, design, scales)
    part = DotProduct(design).model(a, b, None, scales.a[:, :3], scales.b[:3])
    assert np.array_equal(whole.raw, part.raw)


def test_option_is_named_wherever_a_design_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verilog", "dot", "--acc", "b200", "--scale", "mx", "-o", str(tmp_path)]) == 0
    (metadata,) = tmp_path.glob("*_scale_mx.json")
    found = json.loads(metadata.read_text())
    assert found["parameters"]["scale"] == "mx"
    ports = {port["name"]: port for port in found["ports"]}
    assert ports["a_scale"] == {
        "name": "a_scale",
        "direction": "in",
        "width": 8,
        "layout": "scale s at bits s*8 +: 8",
    }
    assert "scale" not in make_design("dot", acc="b200").parameters()
    assert make_design("dot", scale="nvfp4", format="e2m1", acc="fused:35").lanes == 16
    (tmp_path / "space.toml").write_text('[space]\ndesign = "dot"\nacc = "b200"\nscale = ["none", "mx"]\n')
    assert len(read_space(tmp_path / "space.toml").distinct) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--scale mx", "--scale is for fused sums, not for acc 'exact': take fused:F"),
        (
            "--acc b200 --scale fp8",
            "--scale 'fp8' is unknown: it must be one of none, mx, mxfp4, nvfp4, mx16",
        ),
        (
            "--acc fused:25 --format fp16 --scale mx",
            "--scale mx is for e4m3, e5m2, e3m2, e2m3, e2m1, not for fp16",
        ),
        (
            "--acc b200 --lanes 12 --scale mx",
            "--lanes must be 1, 2, 4, 8, 16 or a multiple of 32 with scale mx",
        ),
        ("--acc fused:35 --scale nvfp4", "--scale nvfp4 is for e2m1, not for e4m3"),
    ],
)
def test_designs_without_such_scales_are_refused(
    options: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verilog", "dot", *options.split()]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert main(["verilog", "mul", "--scale", "mx"]) == 2
    assert "means nothing to mul" in capsys.readouterr().err
