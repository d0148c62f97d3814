"""Messages name a parameter as it was written: in Python, on the command line, as the key of a file."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from lmul.cli import main
from lmul.design import make_design
from lmul.errors import Parameter, UserError
from lmul.explore.space import read_space
from lmul.golden import E4M3, Arithmetic, encode
from lmul.hdl import export
from lmul.host.parameters import ParameterError
from lmul.host.processes import check_jobs
from lmul.multipliers.table import MultiplierError, check_name
from lmul.options import key, option, words
from lmul.report.plan import Plan

WRONG = {
    "lanes": (0, "{} must be a whole number from 1 to 32, not 0"),
    "clock_name": ("x__", "{} 'x__' names no port: "),
    "acc": ("fp64", "{} 'fp64' is unknown: it must be one of "),
    "mul": ("booth", "{} 'booth' is unknown: it must be one of "),
    "format_b": ("e9m9", "{} 'e9m9' is unknown: it must be one of "),
    "rows": (2, "{} means nothing to dot: it takes "),
}


def refused(run: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        run(*arguments, **options)
    return str(caught.value)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err.removeprefix("lmul: ")


@pytest.mark.parametrize("name", WRONG)
def test_a_parameter_is_named_as_it_was_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    value, text = WRONG[name]
    line = refused(make_design, "dot", **{name: value})
    assert line.startswith(text.format(name))
    assert "--" not in line
    asked = told(capsys, "verilog", "dot", option(name), str(value))
    assert asked.startswith(text.format(option(name)))
    Path("design.toml").write_text(f"{key(name)} = {value!r}")
    asked = told(capsys, "verilog", "dot", "--config", "design.toml")
    assert asked.startswith("design.toml: " + text.format(key(name)))
    assert "--" not in asked
    Path("space.toml").write_text(f"[space]\ndesign = 'dot'\n{name} = {value!r}")
    assert f"{name} " in (asked := refused(read_space, Path("space.toml")))
    assert "--" not in asked


def test_what_the_command_line_takes_instead_of_the_file_is_an_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "design.toml").write_text("lanes = 99\nmul = 'exact'")
    line = told(capsys, "verilog", "dot", f"--config={tmp_path / 'design.toml'}", "--lanes=98")
    assert line.startswith("--lanes must be a whole number from 1 to 32, not 98")


def test_every_parameter_of_a_message_is_named() -> None:
    both = refused(export, make_design("dot", acc="fp32", carry="save"))
    assert both.startswith("carry save is for acc exact and dataflow os, not for acc fp32 and dataflow os: ")
    error = UserError("leave ", Parameter("format_a"), " or ", Parameter("mul"), " out")
    assert error.parameter == "format_a"
    assert error.told(option) == "leave --format-a or --mul out"
    assert str(error.behind("e.toml: ")) == "e.toml: leave format_a or mul out"
    assert UserError("nothing is wrong with any").parameter is None


def test_nothing_below_the_command_line_writes_options() -> None:
    assert refused(check_jobs, 0).startswith("jobs must be a whole number")
    assert refused(Plan, multipliers=("lmul",)).startswith("multipliers must have ")
    with pytest.raises(MultiplierError, match=r"^mul 'booth' is unknown"):
        check_name("booth")
    assert refused(Arithmetic, depth=0) == "depth must be a whole number from 1, not 0"
    assert refused(encode, 1.0, E4M3, "up").startswith("rounding 'up' is unknown")


def test_a_message_survives_the_way_between_processes() -> None:
    error = ParameterError("reset_name", "is taken by ", Parameter("clock_name"))
    assert pickle.loads(pickle.dumps(error)).told(option) == "--reset-name is taken by --clock-name"  # noqa: S301


def test_parameters_are_written_with_their_values() -> None:
    assert words("format_a", "e4m3") == "--format-a e4m3"
    assert words("stream", True) == "--stream"
