"""The rewriting of Yosys's Verilog changes nothing but how it reads."""

import re
from pathlib import Path

import pytest

from lmul.design import Design, make_design
from lmul.hdl import export
from lmul.hdl.readable import readable
from lmul.yosys import YosysError, run_yosys

STYLE = """\
module t(a, b, c, y, z);
  input [3:0] a;
  wire [3:0] a;
  input [3:0] b;
  wire [3:0] b;
  input c;
  wire c;
  output [3:0] y;
  wire [3:0] y;
  output z;
  wire z;
{declarations}
{body}
endmodule
"""


def rewrite(body: str, *wires: str) -> str:
    declarations = "\n".join(f"  wire {wire};" for wire in wires)
    text = STYLE.format(declarations=declarations, body=body)
    return readable(text, {"t": ["a", "b", "c", "y", "z"]})["t"]


def prove_equal(gold: str, gate: str, top: str, directory: Path) -> None:
    """Let Yosys prove by induction that two files describe the same hardware."""
    commands = []
    for side, text in (("gold", gold), ("gate", gate)):
        (directory / f"{side}.v").write_text(text)
        commands += [f"read_verilog {side}.v", f"prep -flatten -top {top}", f"rename {top} {side}"]
        commands += [f"design -stash {side}"]
    commands += [f"design -copy-from {side} -as {side} {side}" for side in ("gold", "gate")]
    commands += ["equiv_make gold gate equiv", "hierarchy -top equiv", "equiv_simple -undef"]
    run_yosys([*commands, "equiv_induct -undef", "equiv_status -assert"], directory)


@pytest.mark.parametrize(("literal", "extension"), [("2'h1", "2'h0"), ("2'h2", "2'h3")])
def test_signed_literals_are_extended_by_their_sign(literal: str, extension: str) -> None:
    text = rewrite(f"  assign y = $signed({literal}) - $signed(a);\n  assign z = c;")
    assert f"{{{extension}, {literal}}} - a" in text


def test_numbered_wire_with_one_reader_becomes_its_expression() -> None:
    text = rewrite("  assign _1_ = a[0] & a[1];\n  assign z = _1_ | c;\n  assign y = a;", "_1_")
    assert "assign z = (a[0] & a[1]) | c;" in text
    assert "_1_" not in text


def test_carry_that_a_wire_cuts_off_stays_cut_off(tmp_path: Path) -> None:
    body = (
        "  assign _1_ = a + b;\n  assign y = { 3'h0, _1_[3] };\n  assign _2_ = a + b;\n  assign z = _2_ > a;"
    )
    text = rewrite(body, "[3:0] _1_", "[3:0] _2_")
    gold = STYLE.format(declarations="  wire [3:0] _1_;\n  wire [3:0] _2_;", body=body)
    prove_equal(gold, text, "t", tmp_path)


@pytest.mark.parametrize(
    "reader",
    [
        "| _1_",
        "_1_ ? c : a[0]",
        "_1_ == _2_",
        "_1_ > { a, 1'h0 }",
        "$signed(a) >>> _1_",
        "a << _1_",
        "{ _1_, a }",
        "_1_ && c",
    ],
)
@pytest.mark.parametrize("wire", ["a + b", "a * b", "~ a", "a << b", "c << b"])
def test_wider_wire_keeps_the_carry_of_its_expression(reader: str, wire: str, tmp_path: Path) -> None:
    body = f"  assign _1_ = {wire};\n  assign _2_ = b + a;\n  assign z = {reader};\n  assign y = a;"
    wires = "[4:0] _1_", "[4:0] _2_"
    gold = STYLE.format(declarations="\n".join(f"  wire {wire};" for wire in wires), body=body)
    prove_equal(gold, rewrite(body, *wires), "t", tmp_path)


def test_every_reader_of_an_inversion_widens_its_own(tmp_path: Path) -> None:
    body = "  assign _1_ = ~ a[1:0];\n  assign y = _1_;\n  assign z = _1_ == b;"
    gold = STYLE.format(declarations="  wire [3:0] _1_;", body=body)
    prove_equal(gold, rewrite(body, "[3:0] _1_"), "t", tmp_path)


def test_narrow_inversion_is_not_widened(tmp_path: Path) -> None:
    body = "  assign _1_ = ~ c;\n  assign y = a + _1_;\n  assign z = c;"
    text = rewrite(body, "_1_")
    prove_equal(STYLE.format(declarations="  wire _1_;", body=body), text, "t", tmp_path)


def test_proof_notices_a_difference(tmp_path: Path) -> None:
    body = "  assign y = a + b;\n  assign z = c;"
    gold = STYLE.format(declarations="", body=body)
    with pytest.raises(YosysError):
        prove_equal(gold, gold.replace("a + b", "a - b"), "t", tmp_path)


@pytest.mark.parametrize(
    "design",
    [
        make_design("mul", mul="lmul"),
        make_design("mul", mul="exact"),
        make_design("dot", lanes=2, depth=4),
        make_design("dot", lanes=1, depth=4, mul="exact"),
        make_design("array", rows=2, cols=2, lanes=1, depth=4),
    ],
    ids=lambda design: design.name,
)
def test_export_equals_what_yosys_wrote(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def keep(verilog: str, ports: dict[str, list[str]]) -> dict[str, str]:
        written.append(verilog)
        return readable(verilog, ports)

    monkeypatch.setattr("lmul.hdl.verilog.readable", keep)
    text = export.__wrapped__(design)
    gold = re.sub(r"^`default_nettype.*$", "", written[0], flags=re.MULTILINE)
    prove_equal(gold, text.verilog, text.name, tmp_path)
