"""Verilog that is written from cells says what they do: nothing is lost, nothing is left over."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.hdl.verilog.export import clocking, component, describe, export
from lmul.hdl.verilog.expressions import Expression, Read, expression
from lmul.hdl.verilog.module_text import module_text
from lmul.hdl.verilog.netlist import Cell, read_netlists
from lmul.hdl.verilog.unread import cut_unread
from lmul.host.verilog_names import KEYWORDS
from lmul.programs.yosys import run_yosys
from tests.support.hdl.drawn_designs import drawn_designs, operand_bits
from tests.support.hdl.export_proof import prove_export
from tests.support.hdl.lint import lint, slang_is_silent

QUICK, LONG = 8, 500
"""Drawn designs of `make test` and of `make test-long`."""

QUICK_BITS = 96
"""Operand bits of those of `make test`."""

PORTS = """\
module {name}(input clk, input rst, input [3:0] a, input [3:0] b, input c, output {y} [7:0] y, output {z} z);
  {body}
endmodule
{others}
"""

ARITHMETIC = [
    "assign y = (a + b) >> 1; assign z = c;",
    "wire [3:0] s = a + b; assign y = s >> 1; assign z = s > a;",
    "wire [4:0] s = a + b; assign y = s >> 1; assign z = s > {b, c};",
    "wire [3:0] s = a - b; assign y = {s, s} + c; assign z = s[3];",
    "wire [3:0] s = a * b; assign y = s * a; assign z = |s;",
    "wire [7:0] s = a * b; assign y[3:0] = s[7:4]; assign y[7:4] = s[3:0]; assign z = s == b;",
    "wire [3:0] s = a + b; assign y = c ? s : b; assign z = (c ? s : b) < a;",
    "wire [4:0] s = ~a; assign y = s; assign z = s == b;",
    "wire [3:0] n = -a; assign y = n + b; assign z = n[0] & c;",
    "wire [4:0] s = a + b; assign y = s[4]; assign z = c;",
    "wire [7:0] s = a + b + c; assign y = s[6:2]; assign z = c;",
    "wire s = a + b; assign y = {s, s, 1'b0, a}; assign z = s;",
    "wire [3:0] s = a + b; assign y = $signed(s); assign z = s[2];",
]
SIGNED = [
    "assign y = $signed(a) + $signed(b); assign z = $signed(a) < $signed(b);",
    "assign y = $signed(a) * $signed(b); assign z = $signed(a + b) <= $signed(2'b10);",
    "assign y = ($signed(a) >>> b[1:0]) ^ b; assign z = $signed({a, c}) >= $signed(b);",
    "wire signed [3:0] s = $signed(a) >>> b[1:0]; assign y = s; assign z = s == $signed(b);",
    "wire signed [7:0] s = $signed(a) - $signed({1'b0, b}); assign y = s >>> 2; assign z = s > 0;",
]
BITWISE = [
    "assign y = {8{^(~a)}} & ~{a, b}; assign z = ~^a;",
    "assign y = ^~a; assign z = ~&{~a[0], c, b[1]};",
    "assign y = a ~^ b; assign z = !(a && b) || c;",
    "assign y = {a, 4'b0} >> b; assign z = a << b;",
    "assign y = {{4{a[3]}}, a} | {4{b[1:0]}}; assign z = |{a[0], b[0]};",
    "assign y = a >> {b, c}; assign z = (a == 0) != (b > 3);",
    "wire [3:0] n = ~(a ^ b); assign y = {n[0], n[3:1], n}; assign z = &n[2:1];",
    "assign y = c ? a : rst ? b : 4'd9; assign z = c ? a[1] : b[1];",
]
CHOICES = [
    "always @* case (a) 1: y = b; 2: y = {b, a}; 4: y = 7; default: y = c; endcase always @* z = c;",
    "always @* begin y = {a, b}; z = y[a[2:0]]; end",
]
REGISTERS = [
    "always @(posedge clk) y <= {a, b}; always @(posedge clk) if (c) z <= a[0];",
    "always @(posedge clk) if (rst) y <= 8'h5a; else y <= a + b; always @(posedge clk) z <= ~z;",
    "always @(posedge clk) if (!rst) y <= 8'h12; else if (!c) y <= a; always @(posedge clk) z <= y[2];",
    "always @(posedge clk) if (c) begin if (rst) y <= 3; else y <= y + a; end always @(posedge clk) z <= c;",
    "reg [7:0] s; always @(posedge clk) begin s <= {a, b}; y <= s[6:3]; z <= s[0]; end",
    "reg [7:0] s; always @(posedge clk) if (rst) s <= 8'hc3; else s <= s + b;"
    " always @* begin y = s[7:2]; z = c; end",
]
ASYNCHRONOUS = [
    "always @(posedge clk or posedge rst) if (rst) y <= 8'h5a; else y <= a + b; always @* z = c;",
    "always @(posedge clk or negedge rst) if (!rst) y <= 8'h5a; else if (c) y <= a; always @* z = c;",
    "always @(negedge clk or negedge rst) if (!rst) y <= 1; else y <= a; always @(negedge clk) z <= c;",
]
GROUPS = {
    "arithmetic": ("wire", ARITHMETIC),
    "signs": ("wire", SIGNED),
    "bits": ("wire", BITWISE),
    "choices": ("reg", CHOICES),
    "registers": ("reg", REGISTERS),
    "asynchronous resets": ("reg", ASYNCHRONOUS),
}

NARROWED = r"^{1'h0, (.*)}$"

PLACED = """
module inner(input [7:0] p, input [3:0] never, output [7:0] q, output [3:0] also);
  assign q = {p[7], p[4:3], p[0], p[7:4]} + 1; assign also = p[3:0] + never;
endmodule
"""


def rewrite(body: str, directory: Path, *, others: str = "", kind: str = "wire") -> tuple[str, str]:
    """Write a module from its cells, and give it beside its RTLIL."""
    text = PORTS.format(name="t", body=body, others=others, y=kind, z=kind)
    (directory / "t.v").write_text(text)
    commands = [
        "read_verilog -sv t.v",
        "hierarchy -check -top t",
        "proc",
        "opt_expr",
        "wreduce",
        "opt_clean -purge",
    ]
    commands += ["opt_dff", "opt_clean -purge", "write_rtlil t.il", "write_json t.json"]
    run_yosys(commands, directory)
    netlists = read_netlists((directory / "t.json").read_text())
    needed = cut_unread(netlists, "t")
    written = "\n".join(module_text(netlists[name], needed[name]) for name in needed)
    return (directory / "t.il").read_text(), written


def check_design(design: Design, directory: Path) -> None:
    """Lint an export, look at its names, and prove it equal to what Amaranth described."""
    text = export(design)
    assert lint(text.verilog, text.name, directory) == ""
    assert slang_is_silent(directory / "lint.v", text.name)
    assert not re.findall(r"\b_\d+_\b|\\|\$\d", text.verilog)
    _, rtlil = describe(component(design), text.name, clocking(design))
    assert prove_export(rtlil, text.verilog, text.name, directory)


SMALL = list(islice((design for design in drawn_designs() if operand_bits(design) <= QUICK_BITS), QUICK))


@pytest.mark.parametrize("design", SMALL, ids=lambda design: design.name)
def test_drawn_designs_are_clean_and_equal_what_amaranth_described(design: Design, tmp_path: Path) -> None:
    check_design(design, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, LONG, 20))
def test_more_drawn_designs_are_clean_and_equal_what_amaranth_described(first: int, tmp_path: Path) -> None:
    for design in islice(drawn_designs(), first, min(first + 20, LONG)):
        check_design(design, tmp_path)


def side_by_side(bodies: Sequence[str], kind: str) -> tuple[str, str]:
    """Make a module of each body, and the body of one that has them all, for one proof."""
    modules, places, outputs = [], [], []
    for index, body in enumerate(bodies):
        modules.append(PORTS.format(name=f"t{index}", body=body, others="", y=kind, z=kind))
        outputs.append(f"wire [7:0] y{index}; wire z{index};")
        pins = ", ".join(f".{pin}({pin})" for pin in ("clk", "rst", "a", "b", "c"))
        places.append(f"t{index} i{index}({pins}, .y(y{index}), .z(z{index}));")
    joined = [" ^ ".join(f"{output}{index}" for index in range(len(bodies))) for output in "yz"]
    whole = " ".join([*outputs, *places, f"assign y = {joined[0]}; assign z = {joined[1]};"])
    return whole, "\n".join(modules)


@pytest.mark.parametrize("group", GROUPS)
def test_modules_are_what_their_cells_are(group: str, tmp_path: Path) -> None:
    kind, bodies = GROUPS[group]
    whole, others = side_by_side(bodies, kind)
    rtlil, text = rewrite(whole, tmp_path, others=others)
    assert lint(text, "t", tmp_path) == ""
    assert text.count("\nmodule ") == len(bodies)
    assert prove_export(rtlil, text, "t", tmp_path)


def test_asynchronous_load_is_written_as_it_was_read(tmp_path: Path) -> None:
    body = "always @(posedge clk or negedge rst) if (!rst) y <= {a, b}; else if (c) y <= a; always @* z = c;"
    _, text = rewrite(body, tmp_path, kind="reg")
    assert lint(text, "t", tmp_path) == ""
    process = [
        "always @(posedge clk or negedge rst)",
        "if (!rst) y <= {a, b};",
        "else if (c) y <= {4'h0, a};",
    ]
    assert "\n    ".join(process) in text


def test_ports_lose_the_bits_that_nobody_reads(tmp_path: Path) -> None:
    body = "wire [7:0] q; inner i(.p({a, b}), .never(b), .q(q)); assign y = q[6:2]; assign z = c;"
    rtlil, text = rewrite(body, tmp_path, others=PLACED)
    assert "never" not in text
    assert "also" not in text
    assert lint(text, "t", tmp_path) == ""
    assert prove_export(rtlil, text, "t", tmp_path)


@pytest.mark.parametrize("design", [make_design("mul"), make_design("dot", lanes=2)], ids=lambda d: d.name)
def test_lost_carry_is_noticed(design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(cell: Cell, read: Read) -> Expression:
        """Add no wider than the operands are, and put the sum where no width reaches it."""
        if cell.kind != "$add":
            return expression(cell, read)
        parts = [read(cell.inputs[port]) for port in "AB"]
        parts = [re.sub(NARROWED, r"{\1}", read(cell.inputs[port]).operand) for port in "AB"]
        return Expression(f"{{{' + '.join(parts)}}}")

    monkeypatch.setattr("lmul.hdl.verilog.module_text.expression", narrow)
    text = export.__wrapped__(design)
    monkeypatch.undo()
    assert text.verilog != export(design).verilog
    _, rtlil = describe(component(design), text.name, clocking(design))
    assert prove_export(rtlil, text.verilog, text.name, tmp_path) is False


def test_cell_without_verilog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^t: there is no Verilog for a cell of the kind \$div$"):
        rewrite("assign y = a / b; assign z = c;", tmp_path)


def test_wires_are_called_what_no_language_has_taken(tmp_path: Path) -> None:
    body = "wire [3:0] delete = a + b, masked = a & b; assign y = {delete, masked} + c; assign z = &delete;"
    _, text = rewrite(body, tmp_path)
    assert "wire [3:0] delete_1;" in text
    assert "delete" in KEYWORDS
    assert lint(text, "t", tmp_path) == ""
