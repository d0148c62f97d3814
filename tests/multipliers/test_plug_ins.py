"""Multipliers of other packages: the example gets everything that the built-in ones have, faults are told."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth import Const, Module, Signal, Value
from amaranth.sim import Simulator

from lmul.multipliers import BUILT_IN, IntegerAdd, Integers, tabulated
from tests.support.cost.tiny_library import LIBRARY
from tests.support.host.plug_ins import EXAMPLE, register
from tests.support.host.runs import Run, run, write_small

WORKING = """
import numpy as np
from amaranth import Const
from lmul.multipliers import IntegerAdd

class Mine(IntegerAdd):
    description = "mine"
    def correction(self, x, y, mantissa_bits): return np.zeros((), dtype=int)
    def hardware(self, m, x, y, constant): return Const(0)
"""

FAULTS = {
    "a module that is not there": ("import nowhere", "ModuleNotFoundError"),
    "a syntax error": ("class", "SyntaxError"),
    "no such class": ("", "AttributeError"),
    "no class of ours": ("class Mine: pass", "derived from lmul.multipliers.IntegerAdd"),
    "no hardware": (WORKING.replace("def hardware", "def software"), "lacks hardware"),
    "no description": (WORKING.replace("description =", "text ="), "with a description"),
    "a model that fails": (WORKING.replace("np.zeros((), dtype=int)", "x.nothing"), "AttributeError"),
    "fractions": (WORKING.replace("dtype=int", "dtype=float"), "must add integers from 0 on"),
    "less than the sum": (WORKING.replace("np.zeros((), dtype=int)", "-(x & y & 1)"), "integers from 0 on"),
    "a form that is none of it": (
        WORKING.replace("IntegerAdd\n", "IntegerAdd\nfrom lmul.multipliers.forms import FieldSum\n", 1)
        .replace("np.zeros((), dtype=int)", "x & y & 1")
        .replace("    def h", "    def form(self, mantissa_bits): return FieldSum()\n    def h"),
        "another correction than its form",
    ),
    "too much": (WORKING.replace("np.zeros((), dtype=int)", "x + y"), "carries into the exponent"),
    "hardware that fails": (WORKING.replace("Const(0)", "x.nothing"), "has no hardware for e4m3"),
}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example beside nothing else."""
    directory = tmp_path_factory.mktemp("example")
    source = shutil.copytree(EXAMPLE, directory / "source")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    target = directory / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", target, source], check=True)
    return target


def run_with(site: Path, directory: Path, *arguments: object, cheap: bool = False) -> Run:
    """Run `lmul` where a directory of plug-ins is installed."""
    found = run(directory, *arguments, cheap=cheap, env={**os.environ, "PYTHONPATH": str(site)})
    found.check()
    return found


def test_example_is_exported_and_named_in_the_metadata(example: Path, tmp_path: Path) -> None:
    found = run_with(example, tmp_path, "verilog", "array", "--mul", "mitchell2", "--acc", "fp32")
    assert found.status == 0, found.err
    (metadata,) = tmp_path.glob("mitchell2_e4m3_array*.json")
    assert json.loads(metadata.read_text())["versions"]["lmul-mitchell2"] == "0.1.0"
    assert "  mitchell2  " in run_with(example, tmp_path, "list", "multipliers").out


@pytest.mark.parametrize("options", [[], ["--format", "e5m2", "--subnormals", "full", "--overflow", "ieee"]])
def test_verilog_of_the_example_is_its_model_for_every_pair(
    example: Path, tmp_path: Path, options: list[str]
) -> None:
    found = run_with(example, tmp_path, "sim", "mul", "--mul", "mitchell2", *options)
    assert found.status == 0, found
    assert "65,536 outputs of 65,536 products, bit-exact, 0 mismatches" in found.out


def test_array_of_the_example_is_simulated_under_stress(example: Path, tmp_path: Path) -> None:
    options = [
        "--rows",
        "2",
        "--cols",
        "2",
        "--lanes",
        "2",
        "--acc",
        "fixed:24:-8",
        "--stress",
        "--seed",
        "1",
    ]
    found = run_with(example, tmp_path, "sim", "array", "--mul", "mitchell2", *options)
    assert found.status == 0, found


def test_cost_and_accuracy_have_the_example(example: Path, tmp_path: Path) -> None:
    compared = ["mul", "--format", "e2m3", "--compare", "mitchell2,mitchell", "--seeds", "1"]
    small = write_small(tmp_path, LIBRARY)
    found = run_with(example, tmp_path, "cost", *compared, *small, "--json", "cost.json", cheap=True)
    assert found.status == 0, found
    costs = json.loads((tmp_path / "cost.json").read_text())
    areas = {cost["design"]["mul"]: cost["area_um2"] for cost in costs}
    assert areas["mitchell2"] > areas["mitchell"]
    found = run_with(example, tmp_path, "error", "--json", "error.json", "--plot", "error.svg")
    assert found.status == 0, found
    codes = json.loads((tmp_path / "error.json").read_text())["codes"]
    assert codes["mitchell2"]["errors"]["rms"] < codes["addm"]["errors"]["rms"]


def test_sweep_takes_the_example_and_measures_it_anew_once_it_changed(example: Path, tmp_path: Path) -> None:
    site = shutil.copytree(example, tmp_path / "site")
    (tmp_path / "space.toml").write_text(
        'objectives = ["area", "error"]\n'
        '[space]\ndesign = "mul"\nformat = "e2m3"\nmul = ["mitchell2", "mitchell"]\n'
    )
    small = write_small(tmp_path, LIBRARY)
    sweep = ["explore", "space.toml", "--jobs", "1", *small, "--json", "front.json", "--verbose"]
    assert run_with(site, tmp_path, *sweep, "--plot", "front.svg", cheap=True).status == 0
    before = (tmp_path / "front.json").read_text()
    module = site / "lmul_mitchell2.py"
    module.write_text(module.read_text().replace("(alike << second)", "(0 * alike << second)"))
    assert run_with(site, tmp_path, *sweep, cheap=True).status == 0
    assert (tmp_path / "front.json").read_text() != before


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_of_a_plug_in_is_one_line_that_names_it(fault: str, tmp_path: Path) -> None:
    source, why = FAULTS[fault]
    site = register(tmp_path / "site", "theirs", "mine = theirs:Mine", source)
    line = run_with(site, tmp_path, "verilog", "mul", "--mul", "mine", "-o", "-").refusal()
    assert why in line
    assert "theirs 1.0" in line or "--mul mine" in line


def test_faulty_plug_ins_do_no_harm_to_what_does_not_ask_for_them(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for number, (source, _) in enumerate(FAULTS.values()):
        register(site, f"theirs{number}", f"mine{number} = theirs{number}:Mine", source)
    assert run_with(site, tmp_path, "verilog", "mul", "-o", "-").status == 0


def test_plug_ins_that_share_a_name_are_refused(tmp_path: Path) -> None:
    site = register(tmp_path / "site", "theirs", "mine = theirs:Mine", WORKING)
    assert run_with(site, tmp_path, "verilog", "mul", "--mul", "mine", "-o", "-").status == 0
    register(site, "ours", "mine = ours:Mine", WORKING)
    line = run_with(site, tmp_path, "verilog", "mul", "--mul", "mine", "-o", "-").refusal()
    assert "theirs 1.0" in line
    assert "ours 1.0" in line


@pytest.mark.parametrize("name", ["lmul", "exact", "a-b"])
def test_plug_in_cannot_take_a_name_that_is_taken_or_none_of_verilog(name: str, tmp_path: Path) -> None:
    site = register(tmp_path / "site", "theirs", f"{name} = theirs:Mine", WORKING)
    assert "theirs 1.0" in run_with(site, tmp_path, "list", "multipliers").refusal()
    assert "theirs 1.0" in run_with(site, tmp_path, "verilog", "mul", "--mul", "other", "-o", "-").refusal()


def test_help_does_not_look_for_plug_ins(tmp_path: Path) -> None:
    site = register(tmp_path / "site", "theirs", "mine = theirs:Mine", "raise SystemExit(7)")
    assert run_with(site, tmp_path, "--help").status == 0


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("mantissa_bits", [1, 2, 3, 4])
def test_hardware_of_a_class_adds_what_its_model_adds(name: str, mantissa_bits: int) -> None:
    multiplier = BUILT_IN[name]
    constant = multiplier.constant(mantissa_bits)
    mantissa = np.arange(1 << mantissa_bits)
    x, y = mantissa[:, None], mantissa[None, :]
    wanted = np.broadcast_to(constant + multiplier.correction(x, y, mantissa_bits), (len(mantissa),) * 2)
    assert np.array_equal(added(multiplier, constant, mantissa_bits), wanted)


def added(multiplier: IntegerAdd, constant: int, mantissa_bits: int) -> Integers:
    """Simulate the hardware of a multiplier's class for every pair of mantissas."""
    m, x, y, result = Module(), Signal(mantissa_bits), Signal(mantissa_bits), Signal(2 * mantissa_bits)
    m.d.comb += result.eq(multiplier.hardware(m, x, y, constant))
    found = np.zeros((1 << mantissa_bits,) * 2, dtype=np.int64)

    async def bench(ctx):  # type: ignore[no-untyped-def]
        for pair in np.ndindex(found.shape):
            ctx.set(x, pair[0])
            ctx.set(y, pair[1])
            found[pair] = ctx.get(result)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def test_table_of_any_small_numbers_is_looked_up() -> None:
    table = np.random.default_rng(1).integers(0, 4, (8, 8))

    class Table(IntegerAdd):
        description = "a table"

        def correction(self, x: Integers, y: Integers, mantissa_bits: int) -> Integers:
            return np.asarray(table[x, y])

        def hardware(self, m: Module, x: Value, y: Value, constant: int) -> Value:
            return tabulated(m, x, y, table, "table") + Const(constant)

    assert np.array_equal(added(Table(), 0, 3), table)


def test_room_of_the_multipliers_imports_no_other() -> None:
    program = "import sys, lmul.multipliers; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    others = [name for name in names.split() if re.match(r"lmul\.(?!multipliers)|amaranth", name)]
    assert not others
