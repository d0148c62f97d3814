"""The multiplier's Verilog, through Yosys, equals the golden model in every bit."""

import re
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from lmul.cost.library.reader import default_library
from lmul.cost.mapping.mapper import map_design
from lmul.cost.mapping.scripts import SynthesisScript
from lmul.cost.power.zero_delay import simulate
from lmul.design import PIPELINE_LIMIT, Design, make_design
from lmul.golden import FORMATS, MULTIPLIERS, OVERFLOWS, SUBNORMALS, find_format, multiply
from lmul.hdl import Export, export
from lmul.multipliers.addc import ADDC_MANTISSA_BITS
from lmul.programs.yosys import run_yosys
from lmul.sim.simulate import SimulationRun
from lmul.sim.simulate import simulate as simulate_verilog
from lmul.sim.simulators.verilator import verilator_environment
from lmul.sim.stimulus.pairs import code_pairs
from tests.support.hdl.lint import slang_is_silent

QUICK_MAPPING = SynthesisScript("quick", ("synth {flatten} -top {top}",), "strash; map")

PIPELINE_CYCLES = 16
"""Pairs that follow one another in one stream of a pipeline's simulation."""

WEIGHTS = 1 << np.arange(64)

ODD_FORMATS = ("e2m2", "e2m5", "e3m1", "e8m1", "e2m10", "e5m4", "e6m9", "e2m23", "e8m23")
"""Where fields are as narrow or as wide as they can be."""

BUILT = [mul for mul in MULTIPLIERS if mul != "formula"]
POLICIES = list(product(SUBNORMALS, OVERFLOWS))


def designs(format_: str, *pipelines: int) -> list[Design]:
    """Give every multiplier of a format with all policies."""
    narrow = find_format(format_).mantissa_bits <= ADDC_MANTISSA_BITS
    muls = [mul for mul in BUILT if mul != "addc" or narrow]
    return [
        make_design(
            "mul", format=format_, mul=mul, subnormals=subnormals, overflow=overflow, pipeline=pipeline
        )
        for mul, (subnormals, overflow), pipeline in product(muls, POLICIES, pipelines)
    ]


def chosen(format_: str, *choices: tuple[str, str, str, int]) -> list[Design]:
    return [
        make_design("mul", format=format_, mul=mul, subnormals=s, overflow=o, pipeline=pipeline)
        for mul, s, o, pipeline in choices
    ]


QUICK = {
    "e2m1": designs("e2m1", 0),
    "e4m3ieee": chosen("e4m3ieee", ("exact", "full", "ieee", 0), ("lmul", "flush", "saturate", 0)),
    "e4m3finite": chosen("e4m3finite", ("exact", "full", "ieee", 0), ("lmul", "flush", "saturate", 0)),
    "e2m3": chosen(
        "e2m3",
        ("lmul", "flush", "ieee", 0),
        ("addm", "full", "saturate", 0),
        ("addc", "full", "ieee", 0),
        ("exact", "flush", "saturate", 0),
    ),
    "e3m2": designs("e3m2", 0),
    "e4m3": chosen(
        "e4m3",
        ("addc", "flush", "saturate", 0),
        ("mitchell", "flush", "ieee", 0),
        ("lmul", "full", "saturate", 0),
        ("exact", "full", "ieee", 0),
    ),
    "e4m3, pipelines": chosen(
        "e4m3", ("lmul", "full", "ieee", 2), ("addc", "flush", "ieee", 2), ("exact", "flush", "saturate", 2)
    ),
    "e5m2": chosen(
        "e5m2",
        ("lmul", "flush", "ieee", 0),
        ("addc", "full", "saturate", 0),
        ("exact", "flush", "ieee", 0),
        ("mitchell", "full", "ieee", 0),
    ),
    "e5m2, pipelines": chosen("e5m2", ("lmul", "full", "saturate", 4), ("exact", "full", "ieee", 4)),
    "e3m4": chosen(
        "e3m4",
        ("lmul", "full", "ieee", 0),
        ("addc", "flush", "ieee", 0),
        ("exact", "full", "saturate", 0),
        ("mitchell", "flush", "saturate", 0),
    ),
    "e3m4, pipelines": chosen("e3m4", ("lmul", "flush", "ieee", 3), ("addc", "full", "ieee", 3)),
    "e2m5": chosen("e2m5", ("lmul", "flush", "saturate", 0), ("exact", "flush", "ieee", 0)),
    "bf16": chosen("bf16", ("lmul", "flush", "saturate", 0), ("exact", "full", "ieee", 0)),
    "fp16": chosen("fp16", ("lmul", "full", "ieee", 1), ("exact", "flush", "saturate", 1)),
    "fp32": chosen("fp32", ("lmul", "flush", "ieee", 0), ("mitchell", "full", "saturate", 0)),
}


def side_by_side(designs: list[Design]) -> str:
    """Put designs of one format and latency on the same operands: Yosys takes as long for one as for many."""
    width, latency = designs[0].format.width, designs[0].latency
    clock, pins = ("input clk, rst, ", ".clk(clk), .rst(rst), ") if latency else ("", "")
    ports = "".join(f", output [{width - 1}:0] p{index}" for index in range(len(designs)))
    instances = "".join(
        f"  {design.name} m{index}({pins}.a(a), .b(b), .p(p{index}));\n"
        for index, design in enumerate(designs)
    )
    top = f"module top({clock}input [{width - 1}:0] a, b{ports});\n{instances}endmodule\n"
    return "".join(export(design).verilog for design in designs) + top


def products(designs: list[Design], pairs: np.ndarray) -> list[np.ndarray]:
    """Compute products with a netlist of the exported Verilog, pipelines with a new pair every cycle."""
    mapped = map_design(side_by_side(designs), "top", default_library(), scripts=[QUICK_MAPPING])
    netlist = mapped[QUICK_MAPPING.name].netlist
    width, latency = designs[0].format.width, designs[0].latency
    cycles = PIPELINE_CYCLES if latency else len(pairs)
    sent = np.pad(pairs, [(0, -len(pairs) % cycles), (0, 0)]).reshape(-1, cycles, 2).swapaxes(0, 1)
    # What a pipeline still holds comes out while the last pairs wait.
    sent = np.pad(sent, [(0, latency), (0, 0), (0, 0)], mode="edge")
    bits = ((sent[..., None] >> np.arange(width)) & 1).astype(np.uint8)
    ports = {"a": bits[:, :, 0], "b": bits[:, :, 1]}
    if latency:
        ports["rst"] = np.zeros((*sent.shape[:2], 1), dtype=np.uint8)
    outputs = simulate(netlist, ports).outputs
    codes = [
        outputs[f"p{index}"][latency:].astype(np.int64) @ WEIGHTS[:width] for index in range(len(designs))
    ]
    return [code.swapaxes(0, 1).ravel()[: len(pairs)] for code in codes]


def assert_equal_the_model(designs: list[Design]) -> None:
    pairs = code_pairs(designs[0].format)
    for design, found in zip(designs, products(designs, pairs), strict=True):
        expected = multiply(pairs[:, 0], pairs[:, 1], design)
        np.testing.assert_array_equal(found, expected, err_msg=design.name)


@pytest.mark.parametrize("label", QUICK)
def test_products_are_the_model_s(label: str) -> None:
    assert_equal_the_model(QUICK[label])


@pytest.mark.full
@pytest.mark.parametrize("pipeline", range(PIPELINE_LIMIT + 1))
@pytest.mark.parametrize("format_", [*FORMATS, *ODD_FORMATS])
def test_products_are_the_model_s_for_every_policy_and_pipeline(format_: str, pipeline: int) -> None:
    for design in designs(format_, pipeline):
        assert_equal_the_model([design])


@pytest.mark.parametrize(
    "design",
    [
        *chosen("e4m3", ("addc", "full", "ieee", 3), ("lmul", "flush", "ieee", 1)),
        *chosen("e3m4", ("addc", "flush", "saturate", 0)),
        *chosen("e2m1", ("mitchell", "flush", "saturate", 4)),
        *chosen("e8m1", ("lmul", "full", "saturate", 0)),
        *chosen("bf16", ("exact", "full", "ieee", 4), ("lmul", "full", "ieee", 2)),
        *chosen("fp32", ("exact", "flush", "saturate", 0), ("mitchell", "full", "saturate", 0)),
    ],
    ids=lambda design: design.name,
)
def test_verilator_slang_and_yosys_have_nothing_to_say(
    design: Design, export_to: Callable[[Design], tuple[Export, Path]]
) -> None:
    text, path = export_to(design)
    lint = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--top-module", text.name, str(path)],
        capture_output=True, text=True, env=verilator_environment(), check=False,
    )  # fmt: skip
    assert lint.returncode == 0, lint.stderr
    assert "Warning" not in lint.stderr + lint.stdout
    assert slang_is_silent(path, text.name)
    run_yosys(["logger -werror .*", f"read_verilog {path.name}", "prep", "check -assert"], path.parent)
    assert not re.findall(r"\b_\d+_\b|\\|\$\d", text.verilog)
    assert ("clk" in text.verilog) == (design.latency > 0)


def test_bench_sends_a_pair_a_cycle_into_a_pipeline(
    tmp_path: Path, shared: Path, export_to: Callable[[Design], tuple[Export, Path]]
) -> None:
    (design,) = chosen("bf16", ("exact", "full", "saturate", 3))
    text, path = export_to(design)
    files = ([path], text.name, ["clk", "rst", "a", "b", "p"], [], tmp_path / "build")
    result = simulate_verilog(SimulationRun(design, *files, testcase="codes"))
    assert result.compared == len(code_pairs(design.format))
    assert result.cycles == result.compared + design.pipeline
