"""Exported Verilog: clean under the tools, readable, reproducible, described by its metadata."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from lmul.cli import main
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.hdl import DotProduct, Export, export
from lmul.programs.yosys import run_yosys
from lmul.sim.simulators.verilator import verilator_environment
from tests.support.hdl.designs import CHOICES, DESIGNS, name_of
from tests.support.hdl.lint import lint, slang_is_silent

ExportTo = Callable[[Design], tuple[Export, Path]]

NAMES = ["steps_0_payload", "steps_0_valid", "steps_1_payload", "steps_1_valid"]
"""Ports of `Engine`."""


@pytest.mark.parametrize("design", CHOICES, ids=name_of)
def test_verilator_slang_and_yosys_have_nothing_to_say(design: Design, export_to: ExportTo) -> None:
    text, path = export_to(design)
    environment = verilator_environment()
    lint = subprocess.run(
        ["verilator", "--lint-only", "-Wall", "--top-module", text.name, str(path)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert lint.returncode == 0, lint.stderr
    assert "Warning" not in lint.stderr + lint.stdout
    assert slang_is_silent(path, text.name)
    check = ["logger -werror .*", f"read_verilog {path.name}", f"hierarchy -check -top {text.name}"]
    run_yosys([*check, "proc", "check -assert", "synth -run begin:fine", "check -assert"], path.parent)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
@pytest.mark.parametrize("design", CHOICES, ids=name_of)
def test_icarus_has_nothing_to_say(design: Design, export_to: ExportTo) -> None:
    _, path = export_to(design)
    command = ["iverilog", "-Wall", "-g2005", "-t", "null", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout + result.stderr == ""


@pytest.mark.parametrize("design", CHOICES, ids=name_of)
def test_no_name_is_escaped_or_made_unique_by_a_number(design: Design) -> None:
    assert not re.findall(r"\\|\$\d", export(design).verilog)


@pytest.mark.parametrize("design", CHOICES, ids=name_of)
def test_every_signal_has_a_name(design: Design) -> None:
    assert not re.findall(r"\b_\d+_\b", export(design).verilog)


@pytest.mark.parametrize("design", DESIGNS, ids=name_of)
def test_every_kind_of_block_is_one_module(design: Design) -> None:
    text = export(design).verilog
    modules = re.findall(r"^module (\w+)", text, re.MULTILINE)
    kinds = {"mul": 1, "dot": 5, "array": 8}[design.kind] - (design.out == "raw")
    assert len(modules) == len(set(modules)) == kinds + (design.kind == "mul" and design.out == "raw")


def test_larger_array_has_no_more_modules() -> None:
    small, large = (
        export(make_design("array", rows=size, cols=size)).verilog.count("\nmodule ") for size in (2, 8)
    )
    assert small == large


@pytest.mark.parametrize("design", DESIGNS, ids=name_of)
def test_metadata_describes_the_ports_that_the_verilog_has(design: Design) -> None:
    text = export(design)
    metadata = json.loads(text.metadata)
    head = re.search(rf"^module {text.name} \((.*?)^\);", text.verilog, re.DOTALL | re.MULTILINE)
    assert head
    found = re.findall(r"(input|output) +(?:wire|reg) +(?:\[(\d+):0\] )?(\w+)", head[1])
    ports = [(direction.removesuffix("put"), int(msb or 0) + 1, name) for direction, msb, name in found]
    assert ports == [(port["direction"], port["width"], port["name"]) for port in metadata["ports"]]
    assert metadata["parameters"] == design.parameters()
    assert metadata["latency_cycles"] == design.latency


def test_prefix_begins_the_names_of_all_modules_and_files(tmp_path: Path) -> None:
    assert main(["verilog", "dot", "--name-prefix", "mine_", "-o", str(tmp_path)]) == 0
    name = "mine_lmul_e4m3_dot8"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.core", f"{name}.json", f"{name}.v"]
    text = (tmp_path / f"{name}.v").read_text()
    modules = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert len(modules) > 1
    assert all(module.startswith("mine_") for module in modules)


@pytest.mark.parametrize("prefix", ["9a", "a-", "a b", "\u00e4_"])
def test_prefix_that_is_no_verilog_name_is_refused(
    prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verilog", "mul", "--name-prefix", prefix, "-o", str(tmp_path)]) == 2
    assert "take letters, digits and _" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["my-mul", "", "9a", "a b", "mul\n", "\u00e4", "a$", 7])
def test_name_that_is_none_in_verilog_is_refused(name: Any) -> None:
    with pytest.raises(UserError, match="names no Verilog module: take letters, digits and _"):
        export(make_design("mul"), name)


@pytest.mark.parametrize("name", ["module", "logic", "reg", "int", "interface", "delete"])
def test_name_that_is_a_keyword_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"^'{name}' is a keyword, which names no Verilog module"):
        export(make_design("mul"), name)


class Engine(wiring.Component):  # type: ignore[type-arg]
    """Two dot products of different designs, and a difference."""

    def __init__(self, result: str = "difference") -> None:
        self.result = result
        self.dots = [
            DotProduct(make_design("dot", lanes=lanes, acc="fixed:24:1", out="raw")) for lanes in (2, 3)
        ]
        steps = {f"steps_{index}": dot.signature.members["steps"] for index, dot in enumerate(self.dots)}
        super().__init__({**steps, "unread": In(3), result: Out(24)})

    def elaborate(self, platform: Any) -> Module:
        """Describe the hardware."""
        m = Module()
        m.submodules += self.dots
        for index, dot in enumerate(self.dots):
            wiring.connect(m, wiring.flipped(getattr(self, f"steps_{index}")), dot.steps)
        sums = [dot.sums.payload.c for dot in self.dots]
        m.d.sync += getattr(self, self.result).eq(sums[0] - sums[1])
        return m


def test_component_with_components_of_two_designs_is_clean(tmp_path: Path) -> None:
    text = export(Engine())
    assert text.name == "engine"
    assert lint(text.verilog, "engine", tmp_path) == ""
    assert not re.findall(r"\b_\d+_\b|\\|\$\d", text.verilog)
    assert len(re.findall(r"^module engine_mac", text.verilog, re.MULTILINE)) == 2
    assert text.port_names == ["clk", "rst", *NAMES, "unread", "difference"]
    assert json.loads(text.metadata)["ports"][-1] == {"name": "difference", "direction": "out", "width": 24}


def test_component_whose_port_is_called_as_a_keyword_is_refused() -> None:
    with pytest.raises(UserError, match="port 'signed' has no name of Verilog"):
        export(Engine("signed"))


def test_wide_operand_is_refused_by_its_name() -> None:
    with pytest.raises(UserError, match=r"^format fp32 has 32 bits: dot takes operands of at most 16$"):
        export(make_design("dot", format_a="fp32"))


def test_metadata_tells_the_last_bit_of_a_fixed_point_accumulator_only() -> None:
    last_bits = [
        json.loads(export(make_design("dot", acc=acc)).metadata)["accumulator"]["lsb_exponent"]
        for acc in ("fixed:24:-3", "fp32")
    ]
    assert last_bits == [-3, None]


def test_header_names_the_command_that_makes_the_file_again() -> None:
    design = make_design("array", rows=2, cols=3, mul="exact")
    command = re.search(r"lmul verilog (.*)", export(design).verilog)
    assert command
    kind, *options = command[1].split()
    values = dict(zip([name.removeprefix("--") for name in options[::2]], options[1::2], strict=True))
    typed = {name: int(value) if value.isdigit() else value for name, value in values.items()}
    assert make_design(kind, **typed) == design  # type: ignore[arg-type]


def test_exports_are_the_same_bytes_in_another_process() -> None:
    script = "from lmul.design import make_design as d; from lmul.hdl import export as e; x = e(d('array'));"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script + "print(x.verilog, x.metadata)"],
            capture_output=True, check=True, env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1")
    ]  # fmt: skip
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"\nmodule ") == 8
