"""Every format works with all defaults; help and README show the limits and defaults that the code has."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmul.cli import DESIGN_OPTIONS, _parser, main
from lmul.commands.shared.choices import choices, defaults
from lmul.design import (
    EXACT_BITS,
    LIMITS,
    PIPELINE_LIMIT,
    SUM_FORMAT_BITS,
    exact_bits,
    make_design,
)
from lmul.errors import UserError
from lmul.golden import ACCUMULATORS, FORMATS, OUTPUTS, find_format, matmul_codes, multiply, reference
from lmul.golden.accumulators import FIXED_BITS, FIXED_LSB
from lmul.golden.formats.format import EXPONENT_BITS, MANTISSA_BITS
from lmul.hdl import export
from lmul.hdl.framework.supported import check_built
from lmul.kinds import KINDS
from lmul.terminal.parser import with_commands
from tests.support.paths import ROOT

ODD = ("e5m4", "e6m1", "e7m8")
SUMS = [name for name in (*FORMATS, *ODD) if find_format(name).width <= SUM_FORMAT_BITS]
WIDE = [name for name in SUMS if find_format(name).exponent_bits > 5]
COMMANDS = ("verilog", "sim", "cost")


@pytest.mark.parametrize("name", [*FORMATS, *ODD])
def test_every_format_multiplies_with_all_defaults(name: str) -> None:
    design = make_design("mul", format=name)
    one = np.array([design.format.bias << design.format.mantissa_bits], design.format.dtype)
    assert export(design).verilog
    assert multiply(one, one, design) == reference.multiplier(design)(int(one[0]), int(one[0]))


@pytest.mark.parametrize("kind", ["dot", "array"])
@pytest.mark.parametrize("name", SUMS)
def test_every_format_of_sixteen_bits_adds_with_all_defaults(name: str, kind: str) -> None:
    design = make_design(kind, format=name)
    assert export(design).verilog
    codes = np.random.default_rng(1).integers(0, design.format.largest_finite + 1, (2, design.lanes + 1))
    a, b = codes.astype(design.format.dtype)
    right = reference.dot(a.tolist(), b.tolist(), design)
    with np.errstate(over="ignore"):
        assert matmul_codes(a[None], b[:, None], design).output()[0, 0] == right.output


@pytest.mark.parametrize("name", SUMS)
def test_the_accumulator_is_exact_wherever_it_can_be_built(name: str) -> None:
    for options in ({}, {"mul": "exact"}, {"dataflow": "ws"}, {"subnormals": "full", "depth": 1 << 16}):
        design = make_design("array", format=name, **options)
        exact = replace(design, acc="exact")
        assert design.acc == ("fp32" if exact.accumulator_bits > EXACT_BITS else "exact")
        if name in WIDE:
            with pytest.raises(UserError, match=f"more than {EXACT_BITS}: take fp32"):
                check_built(exact)
    assert (make_design("dot", format=name).acc == "fp32") == (name in WIDE)
    assert make_design("mul", format=name).acc == "exact"


def test_the_accumulator_that_was_asked_for_stays() -> None:
    for acc in ("exact", "fixed:24:-8", "bf16"):
        assert make_design("dot", format="bf16", acc=acc).acc == acc


def test_the_accumulator_that_was_chosen_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = (
        f"--acc fp32: the exact sum of bf16 would take {exact_bits(make_design('dot', format='bf16'))} bits"
    )
    assert main(["verilog", "dot", "--format", "bf16", "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{note}, more than {EXACT_BITS}."
    assert main(["verilog", "dot", "--format", "bf16", "-o", "-"]) == 0
    printed = capsys.readouterr()
    assert note not in printed.out
    assert printed.err == f"{note}, more than {EXACT_BITS}.\n"
    for quiet in (["--format", "bf16", "--acc", "fp32"], ["--format", "e5m2"]):
        assert main(["verilog", "dot", *quiet, "-o", "-"]) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--format", "bf16", "--carry", "save"],
            "--carry save is for --acc exact and --dataflow os, not for",
        ),
        (["--format", "bf16", "--acc", "exact"], f"more than {EXACT_BITS}"),
        (["--format", "fp32"], f"at most {SUM_FORMAT_BITS}"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verilog", "dot", *options, "-o", "-"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_what_options_take_and_are_by_default(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    named = {parser.prog.removeprefix("lmul "): parser for parser in with_commands(_parser())}
    page = named[command].format_help()
    for name, (_, text) in DESIGN_OPTIONS.items():
        takes = f": {choices()[name]}" if choices()[name] else ""
        assert f"{text}{takes}; default: {defaults()[name]}\n" in page, name


def test_choices_are_the_limits_of_the_code() -> None:
    for name, limit in (LIMITS | {"pipeline": PIPELINE_LIMIT}).items():
        assert choices()[name].endswith(f" to {limit}")
        with pytest.raises(UserError, match=f" {choices()[name]}, not"):
            make_design("array", **{name: limit + 1})
    for span in (FIXED_BITS, FIXED_LSB, EXPONENT_BITS, MANTISSA_BITS):
        assert f" {span[0]} to {span[-1]}" in choices()["acc"] + choices()["format"]
    assert all(name in choices()["acc"] for name in ACCUMULATORS)
    assert all(name in choices()["out"] for name in OUTPUTS)
    lsb = int(re.findall(r"no LSB below (-\d+)", choices()["out"])[0])
    for out in ("fp32", "bf16"):
        check_built(make_design("dot", acc=f"fixed:24:{lsb}", out=out))
        with pytest.raises(UserError, match="take out raw"):
            check_built(make_design("dot", acc=f"fixed:24:{lsb - 1}", out=out))
    check_built(make_design("dot", acc=f"fixed:24:{lsb - 1}", out="raw"))


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_those_of_designs(kind: str) -> None:
    for name, value in make_design(kind).parameters().items():
        if name != "kind":
            written = defaults()[name.replace("_", "-")]
            assert str(value) == written.split(",")[0] or f"{value} ({kind})" in written


def test_options_in_the_readme_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (`--.*?) \| ?(.*?) \| (.*?) \| .* \|$", (ROOT / "README.md").read_text(), re.M)
    found = {
        option: (takes.replace("`", ""), usual.replace("`", ""))
        for options, takes, usual in rows
        for option in re.findall(r"`--([a-z-]+)`", options)
    }
    for name in DESIGN_OPTIONS:
        assert found[name] == (choices()[name], defaults()[name]), name
