"""Multipliers that others wrote: what is wrong with them is found, named, and told beside their cost."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.cli import main
from lmul.cost.cells import estimate, foreign
from lmul.cost.cells.foreign import Foreign
from lmul.cost.library.reader import default_liberty, read_liberty
from lmul.cost.mapping.mapper import map_design
from lmul.cost.mapping.scripts import RIPPLE_EMAP
from lmul.cost.power.stimulus import RESET_CYCLES
from lmul.cost.power.zero_delay import simulate
from lmul.design import make_design
from lmul.golden import FORMATS, SUBNORMALS, Arithmetic, find_format, multiply
from lmul.sim.native import native
from lmul.sim.rtl.check import check_unit
from lmul.sim.rtl.read import read_unit
from lmul.sim.rtl.unit import Part, Unit
from lmul.sim.rtl.verdict import CLASSES, Verdict, closest
from lmul.sim.rtl.wrapper import Port, wrapper_text
from lmul.sim.stimulus.pairs import code_pairs
from lmul.workloads import Operands

UNITS = Path(__file__).parent / "units"


@pytest.fixture(autouse=True)
def _quick_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile as fast as can be what runs for a moment."""
    monkeypatch.setattr(native, "OPTIMISE", "-O0")


PLAIN = ["--rtl", str(UNITS / "plain.v"), "--top", "plain", "--ports", "a=x,b=y,p=z"]


def sim(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["sim", "mul", *arguments, "--json", str(tmp_path / "found.json")])
    return status, json.loads((tmp_path / "found.json").read_text())


def test_unit_that_is_right_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = sim(tmp_path, *PLAIN)
    assert (status, found["pairs"], found["differ"]) == (0, 1 << 16, 0)
    policies = {"subnormals": "flush", "overflow": "saturate"}
    assert found["closest"] == {"mul": "exact", "format": "e4m3"} | policies
    assert [one["values"] > 0 for one in found["models"]] == [False, True, True, True]
    assert found["outputs_left_out"] == ["inexact"]
    printed = capsys.readouterr()
    assert "all 65,536 products are those of exact --subnormals flush" in printed.out
    assert "Simulating 65,536 pairs ..." in printed.err


@pytest.mark.parametrize(
    ("name", "format_", "status", "classes"),
    [
        ("typed", "e4m3ieee", 0, {"nan_code": 7036}),
        ("piped", "e4m3finite", 1, {"overflow": 10440}),
        ("split", "e4m3", 1, {"normal": 1992}),
        ("serial", "e2m1", 0, {}),
    ],
)
def test_differences_are_counted_in_their_class_alone(
    name: str, format_: str, status: int, classes: dict[str, int], tmp_path: Path
) -> None:
    found = sim(tmp_path, "--rtl", str(UNITS / f"{name}.toml"), "--format", format_)
    assert found[0] == status
    assert found[1]["classes"] == dict.fromkeys(CLASSES, 0) | classes
    assert found[1]["values"] == sum(classes.values()) - classes.get("nan_code", 0)
    for one in (example for some in found[1]["examples"].values() for example in some):
        right = multiply(one["a"], one["b"], Arithmetic(**arithmetic(found[1]["closest"])))
        assert one["expected"] == int(right) != one["found"]
    ends = found[1]["front_ends"]
    assert ends["verilator"] == "read them"
    if name == "typed":  # An array of enumerations.
        assert "typed_pkg.sv:4: syntax error" in ends["read_verilog"]
        assert ends["read_slang"] == "read them"


def arithmetic(model: dict[str, str]) -> dict[str, Any]:
    return model | {"format": find_format(model["format"])}


def test_product_that_moves_and_source_that_verilator_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "serial.v").write_text((UNITS / "serial.v").read_text())
    (tmp_path / "u.toml").write_text((UNITS / "serial.toml").read_text().replace("hold = 6", "hold = 4"))
    assert main(["sim", "mul", "--format", "e2m1", "--rtl", str(tmp_path / "u.toml")]) == 1
    assert "products of serial do not stay after 4 cycles" in capsys.readouterr().err
    # A word of Verilog that Yosys does not know.
    ports = "input [3:0] x, y, output [3:0] z"
    text = f"module u ({ports}); wire small = x[0]; assign z = {{y[3:1], small}};\nendmodule"
    (tmp_path / "u.v").write_text(text)
    options = ["--rtl", str(tmp_path / "u.v"), "--top", "u", "--ports", "a=x,b=y,p=z", "--format", "e2m1"]
    assert main(["sim", "mul", *options]) == 1
    assert re.search(r"Verilator refuses it: .*u\.v:1", capsys.readouterr().out.replace("\n", ""))


def test_wrong_latency_is_told_with_the_right_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (UNITS / "piped.toml").read_text().replace("latency = 2", "latency = 3")
    (tmp_path / "unit.toml").write_text(text.replace('"piped.v"', f'"{UNITS}/piped.v"'))
    assert main(["sim", "mul", "--format", "e4m3finite", "--rtl", str(tmp_path / "unit.toml")]) == 1
    assert "With latency = 2 there would be 10,440 other values" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"--ports": "a=x,b=q,p=z"},
            "port 'q' is not there: the unit has x (input 8), y (input 8), z (output 8)",
        ),
        ({"--ports": "a=x,b=z,p=y"}, "port 'z' is an output: wanted an input"),
        ({"--ports": "a=x,b=y"}, "port p is missing: say where a, b and p are, such as a=x,b=y,p=z"),
        ({"--ports": "a=x,b=y,p"}, "--ports must be such as a=x,b=y,p=z"),
        ({"--ports": "a=x,b=y,p=z,q=z"}, "port of [ports] 'q' is unknown"),
        ({"--ports": "a=x,b=x,p=z"}, "bit 0 of port 'x' is taken twice"),
        ({"--top": "plane"}, "module 'plane' is in none of the files: they have plain"),
        ({"--top": "if"}, "'if' is no name of Verilog"),
        ({"--format": "bf16"}, "a takes bits 0 to 15 of port 'x', which has 8"),
        ({"--format": "e2m1"}, "port 'x' has 8 bits, operands of e2m1 take 4"),
        ({"--rtl": "none.v"}, "cannot read 'none.v'"),
        ({"--seed": "3"}, "--seed means nothing beside --rtl"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    changed: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = dict(zip(PLAIN[::2], PLAIN[1::2], strict=True)) | changed
    assert main(["sim", "mul", *(word for pair in given.items() for word in pair)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("lmul: ")
    assert words in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("files = 3", "files must be a list of files, not 3"),
        ("tops = 'u'", "key 'tops' is unknown: it must be one of files, include, defines, top"),
        ("latency = 2\nhold = 2\nclock = {port = 'ck'}", "takes a pair a cycle, hold of one that does not"),
        ("latency = 2", "name its port in [clock]"),
        ("clock = {port = 'ck'}", "needs latency or hold"),
        ("latency = 99\nclock = {port = 'ck'}", "latency must be from 0 to 64 cycles, not 99"),
        (
            "latency = 1\nclock = {port = 'ck', reset_active = 'up'}",
            "reset_active must be high or low, not 'up'",
        ),
        ("ports = {a = [], b = 'y', p = 'z'}", "a has no part"),
        ("ports = {a = {port = 'x', wide = 3}, b = 'y', p = 'z'}", "a: key 'wide' is unknown"),
        ("ports = {a = {port = 'x', width = 0}, b = 'y', p = 'z'}", "a: width must be a whole number from 1"),
        ("parameters = {W = 1.5}", "parameters: W must be a whole number or a text, not 1.5"),
        ("parameters = {W = '1; x'}", "W must be a whole number, or a text such as 'pkg::FAST'"),
        ("include = ['nowhere']", "is no folder"),
    ],
)
def test_file_that_makes_no_sense_is_refused_by_its_name(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = {"files": f"['{UNITS}/plain.v']", "top": "'plain'", "ports": "{a = 'x', b = 'y', p = 'z'}"}
    lines = [f"{key} = {value}" for key, value in usual.items() if not text.startswith(key)]
    (tmp_path / "unit.toml").write_text("\n".join([*lines, text]))
    assert main(["sim", "mul", "--rtl", str(tmp_path / "unit.toml")]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_syntax_error_is_told_by_all_that_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.v").write_text(
        "module u (input [7:0] x, y, output [7:0] z);\nassign z = x +;\nendmodule\n"
    )
    options = ["--rtl", str(tmp_path / "bad.v"), "--top", "u", "--ports", "a=x,b=y,p=z"]
    assert main(["sim", "mul", *options]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert all(f"{name}: " in error for name in ("read_verilog", "read_slang", "Verilator"))
    assert error.count("bad.v:2") >= 2


def test_input_that_nothing_drives_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (UNITS / "typed.toml").read_text().replace("[ties]\nopcode = 5\n", "")
    text = re.sub(r'"(typed\w*\.sv|inc)"', rf'"{UNITS}/\1"', text)
    (tmp_path / "unit.toml").write_text(text)
    assert main(["sim", "mul", "--rtl", str(tmp_path / "unit.toml"), "--format", "e4m3ieee"]) == 2
    assert "input opcode of typed (8 bits) is neither operand nor tied" in capsys.readouterr().err


def test_parts_of_ports_are_where_they_were_asked_for() -> None:
    unit = read_unit([UNITS / "split.toml"], None, None)
    ports = {"mx": Port("input", 3), "ex": Port("input", 4), "sx": Port("input", 1), "ui": Port("input", 16)}
    ports |= {"z_body": Port("output", 8), "z_sign": Port("output", 1)}
    text = wrapper_text(unit, FORMATS["e4m3"], ports)
    for words in (".mx({a[2:0]})", ".ex({a[6:3]})", ".sx({a[7:7]})", ".ui({b[7:0], 8'd1})"):
        assert words in text
    assert "assign p = {from_z_sign[0:0], from_z_body[6:0]};" in text
    both = Unit((), "u", {"a": (Part("io"),), "b": (Part("io", offset=8),), "p": (Part("z"),)})
    assert ".io({b[7:0], a[7:0]})" in wrapper_text(both, FORMATS["e4m3"], None)


@pytest.mark.parametrize("name", ["e4m3", "e4m3ieee", "e4m3finite", "e5m2"])
def test_every_difference_is_in_the_class_of_its_cause(name: str) -> None:
    """One product of each kind is spoilt at a time, of IEEE's multiplier."""
    format_ = find_format(name)
    a, b = code_pairs(format_).T.astype(format_.dtype)
    model = Arithmetic(format=format_, mul="exact", subnormals="full", overflow="ieee")
    right = multiply(a, b, model)
    largest, tiny, one = format_.largest_finite, 1, format_.bias << format_.mantissa_bits
    spoilt = [("zero_sign", 0, one, format_.sign_mask), ("zero", 0, one, one), ("normal", one, one, 0)]
    spoilt += [("overflow", largest, largest, one), ("subnormal_operand", tiny, one, one)]
    spoilt += [("subnormal_result", format_.smallest_normal, one - 1, one)]
    if format_.nan is not None:
        spoilt += [
            ("nan_code", format_.nan, one, format_.nan | format_.sign_mask),
            ("nan", format_.nan, one, 0),
        ]
    if format_.infinity is not None:
        spoilt += [("infinity", format_.infinity, one, one), ("nan", format_.infinity, 0, one)]
    for kind, x, y, code in spoilt:
        found = np.where((a == x) & (b == y), code, right).astype(format_.dtype)
        assert Verdict(model, a, b, found).classes == {kind: 1}
    assert not Verdict(model, a, b, right).classes


def test_closest_is_the_model_with_the_fewest_other_values() -> None:
    format_ = FORMATS["e5m2"]
    a, b = code_pairs(format_).T.astype(format_.dtype)
    models = [Arithmetic(format=format_, mul=mul, overflow="ieee") for mul in ("lmul", "mitchell", "exact")]
    for model in models:
        found = multiply(a, b, model)
        assert closest(a, b, found, models)[0].model == model


def few_scripts(design: Any, conditions: Any) -> Sequence[Any]:
    return [RIPPLE_EMAP]


def test_cost_stands_beside_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "tried_scripts", few_scripts)
    monkeypatch.setattr(foreign, "tried_scripts", few_scripts)
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "mine.npz", a=rng.normal(size=(8, 48)), b=rng.normal(size=(48, 8)))
    options = ["--format", "e2m1", "--rtl", str(UNITS / "serial.toml")]
    options += ["--operands", str(tmp_path / "mine.npz")]
    files = ["--json", str(tmp_path / "cost.json"), "--csv", str(tmp_path / "cost.csv")]
    build = ["--build", str(tmp_path), "--precision", "20"]
    assert main(["cost", "mul", *options, *files, *build]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Wrong values, of 256 0 0" in printed
    assert "serial: all 256 products are those of exact --subnormals full" in printed
    serial, exact = json.loads((tmp_path / "cost.json").read_text())
    assert (serial["values"], serial["pairs"], serial["products_per_cycle"]) == (0, 256, 1 / 6)
    # The others have its policies, or the comparison would be of unlike things.
    assert exact["design"]["subnormals"] == "full"
    per_cycle = serial["energy_per_cycle_fj"]["total"]
    assert serial["energy_per_product_fj"] == pytest.approx(6 * per_cycle)
    assert serial["area_um2"] > exact["area_um2"]
    header, first = (tmp_path / "cost.csv").read_text().splitlines()[:2]
    assert "rtl:serial" in first
    assert ",pairs,differ,values," in header


@pytest.mark.parametrize(("name", "format_"), [("serial", "e2m1"), ("piped", "e4m3finite")])
def test_netlist_gives_the_products_under_the_stimulus_that_it_is_measured_with(
    name: str, format_: str
) -> None:
    """Out of its reset, each pair held as long as it needs: else the energy would be of something else."""
    rng = np.random.default_rng(1)
    operands = [Operands("mine", rng.normal(size=(8, 16)), rng.normal(size=(16, 8)))]
    models = [make_design("mul", format=format_, mul="exact", subnormals=s) for s in SUBNORMALS]
    unit = read_unit([UNITS / f"{name}.toml"], None, None)
    foreign = Foreign(check_unit(unit, models, remade=True))
    assert foreign.checked.remade == 0
    mapped = map_design(foreign.verilog, foreign.top, read_liberty(default_liberty()), scripts=[RIPPLE_EMAP])
    ports = foreign.stimulus(operands)
    found = simulate(mapped[RIPPLE_EMAP.name].netlist, ports).outputs["p"]
    codes = {port: bits @ (1 << np.arange(bits.shape[2])) for port, bits in (ports | {"p": found}).items()}
    # The product is there when the next pair is, or so many cycles later.
    step, later = unit.cycles_per_product, unit.latency + unit.hold
    pairs = slice(RESET_CYCLES, -later, step)
    expected = multiply(codes["a"][pairs], codes["b"][pairs], foreign.model)
    given = codes["p"][RESET_CYCLES + later :: step]
    # What is too large is the fault of one of them.
    largest = (expected & foreign.model.format.magnitude_mask) == foreign.model.format.largest_finite
    assert ((given == expected) | largest).all()
    assert np.count_nonzero(~largest) > 50


@pytest.mark.parametrize("option", [["--estimate", "gates"], ["--netlist", "out"], ["--top", "u"]])
def test_options_that_mean_nothing_are_refused(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    rtl = [] if option[0] == "--top" else PLAIN
    assert main(["cost", "mul", *rtl, *option]) == 2
    assert "means nothing" in capsys.readouterr().err
