"""What others do with exported files: programs read metadata, FuseSoC the core file, tools the Verilog."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from lmul.design import (
    CARRIES,
    DATAFLOWS,
    INTERLEAVE_LIMIT,
    LIMITS,
    PARAMETERS,
    PIPELINE_LIMIT,
    RESET_LEVELS,
    RESETS,
    Design,
    make_design,
)
from lmul.golden import OUTPUTS, OVERFLOWS, SUBNORMALS
from lmul.hdl import Export, export
from lmul.kinds import KINDS
from lmul.sim.simulators.verilator import verilator_environment
from tests.support.hdl.designs import CHOICES, name_of
from tests.support.paths import EXAMPLES

with_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Read the schema from the installed package."""
    content: dict[str, Any] = json.loads((files("lmul.hdl.verilog") / "metadata.schema.json").read_text())
    Draft202012Validator.check_schema(content)
    return content


@pytest.mark.parametrize("design", [*CHOICES, make_design("mul", format="fp32", pipeline=4)], ids=name_of)
def test_metadata_is_as_the_schema_says(design: Design, schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(json.loads(export(design).metadata))


@pytest.mark.parametrize(
    "change",
    [
        lambda metadata: metadata.update(more=1),
        lambda metadata: metadata.pop("latency_cycles"),
        lambda metadata: metadata["parameters"].pop("format"),
        lambda metadata: metadata["parameters"].update(format_a="e4m3"),
        lambda metadata: metadata["ports"][0].update(direction="inout"),
        lambda metadata: metadata["parameters"].update(lanes=33),
    ],
)
def test_schema_refuses_other_content(change: Callable[[Any], object], schema: dict[str, Any]) -> None:
    metadata = json.loads(export(make_design("dot")).metadata)
    change(metadata)
    if metadata["parameters"].get("format_a"):
        metadata["parameters"].pop("format")
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate(metadata)


def test_schema_has_the_choices_that_designs_have(schema: dict[str, Any]) -> None:
    parameters = schema["properties"]["parameters"]["properties"]
    assert parameters.keys() == {"kind", "format_a", "format_b"} | {n for p in PARAMETERS.values() for n in p}
    choices = {
        "kind": KINDS,
        "out": OUTPUTS,
        "subnormals": SUBNORMALS,
        "overflow": OVERFLOWS,
        "carry": CARRIES,
        "dataflow": DATAFLOWS,
        "reset": RESETS,
        "reset_active": RESET_LEVELS,
    }
    for name, known in choices.items():
        assert parameters[name]["enum"] == list(known)
    for name, limit in (LIMITS | {"pipeline": PIPELINE_LIMIT, "interleave": INTERLEAVE_LIMIT}).items():
        assert parameters[name]["maximum"] == limit


@pytest.mark.parametrize("kind", KINDS)
def test_fusesoc_reads_the_core_file(kind: str, tmp_path: Path) -> None:
    text = export(make_design(kind), f"mine_{kind}")
    write(tmp_path, text)
    # Its configuration is the user's.
    environment = verilator_environment() | {"HOME": str(tmp_path)}
    fusesoc = [sys.executable, "-m", "fusesoc.main", "--cores-root", "."]
    result = call([*fusesoc, "run", "--target", "lint", text.name], tmp_path, env=environment)
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stdout + result.stderr


def write(directory: Path, text: Export) -> None:
    for name, content in text.files.items():
        (directory / name).write_text(content)


@pytest.fixture
def axi_stream(tmp_path: Path) -> Path:
    """Copy the example and export its array beside it."""
    directory = shutil.copytree(EXAMPLES / "axi-stream", tmp_path / "axi")
    write(directory, export(make_design("array", rows=2, cols=2, lanes=2)))
    return directory


@with_icarus
def test_array_between_fifos_gives_the_rows_of_the_model(axi_stream: Path) -> None:
    assert simulate(axi_stream).startswith("PASS: 26 rows")


@with_icarus
def test_testbench_of_the_fifos_notices_a_wrong_bit(axi_stream: Path) -> None:
    path = axi_stream / "axis_fifo.v"
    path.write_text(
        path.read_text().replace("s_axis_tlast, s_axis_tdata};", "s_axis_tlast, s_axis_tdata ^ 1'b1};")
    )
    assert simulate(axi_stream).startswith("FAIL: row 0 ")


def simulate(directory: Path) -> str:
    """Run the testbench of the example under Icarus Verilog."""
    sizes = call([sys.executable, "vectors.py", "."], directory).stdout.split()
    sources = sorted(path.name for path in directory.glob("*.v"))
    built = call(["iverilog", "-g2005", "-Wall", *sizes, "-s", "testbench", "-o", "sim", *sources], directory)
    assert built.stderr == ""
    return call(["vvp", "sim"], directory).stdout


def call(
    command: list[str], directory: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)


def test_fifos_and_array_are_clean_under_verilator(axi_stream: Path) -> None:
    sources = [path.name for path in axi_stream.glob("*.v") if path.name != "testbench.v"]
    command = ["verilator", "--lint-only", "-Wall", "--top-module", "array_between_fifos", *sources]
    # Ports that are left open on purpose.
    command.append("-Wno-PINCONNECTEMPTY")
    result = call(command, axi_stream, env=verilator_environment())
    assert result.returncode == 0, result.stderr


def test_librelane_configuration_names_what_is_exported(tmp_path: Path) -> None:
    config = json.loads((EXAMPLES / "librelane" / "config.json").read_text())
    text = export(make_design("dot"))
    write(tmp_path, text)
    assert config["DESIGN_NAME"] == text.name
    assert (tmp_path / config["VERILOG_FILES"].removeprefix("dir::")).is_file()
    assert config["CLOCK_PORT"] in text.port_names
    assert config["CLOCK_PERIOD"] > 0


def test_siliconcompiler_script_names_what_is_exported() -> None:
    directory = EXAMPLES / "siliconcompiler"
    script = (directory / "build.py").read_text()
    name = re.search(r'^NAME = "(\w+)"$', script, re.MULTILINE)
    text = export(make_design("dot"))
    assert name
    assert name[1] == text.name
    clock = re.search(r"get_ports (\w+)", (directory / "clock.sdc").read_text())
    assert clock
    assert clock[1] in text.port_names


def test_siliconcompiler_takes_the_script(tmp_path: Path) -> None:
    pytest.importorskip("siliconcompiler")
    directory = shutil.copytree(EXAMPLES / "siliconcompiler", tmp_path / "sc")
    write(directory, export(make_design("dot")))
    project = runpy.run_path(os.fspath(directory / "build.py"))["project"]()
    assert project.check_manifest()
