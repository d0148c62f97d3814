"""Fixed-point sums are the mathematical ones, for dot products of any length.

The specification's register never leaves its range unnoticed: it marks a sum from the first step
that leaves it. So sums are compared as long as they are not marked, and the flags always.
"""

from dataclasses import replace
from typing import Any

from lmul.design import Design, make_design
from lmul.evidence.formal.claims import DUT, Claim, Fault, cleared, instance, specification

INPUTS = ["clk", "rst", "a", "b", "in_valid", "in_first", "in_last"]

DOT_PRODUCTS = (
    ("e2m1", "exact"),
    ("e2m1", "fixed:7:0"),
    ("e2m1", "fixed:5:1"),
    ("e2m3", "exact"),
    ("e2m3", "fixed:8:-1"),
    ("e4m3", "fixed:12:-3"),
    ("e4m3", "exact"),
)

INTEGER_SUMS = ("exact", "fixed:9:0")

LANES = 2
DEPTH = 4

INTERFACES: tuple[dict[str, Any], ...] = (
    {"reset_active": "low", "reset_name": "rst_n"},
    {"reset": "async", "reset_active": "low", "clock_name": "aclk", "reset_name": "aresetn"},
)
"""Clocks and resets other than the usual ones."""


def accumulation_claims() -> list[Claim]:
    """Claim that sums are right, and that `depth` products never leave the exact register's range."""
    designs = [
        make_design("dot", format=format_, acc=acc, lanes=LANES, depth=DEPTH, out="raw")
        for format_, acc in DOT_PRODUCTS
    ]
    designs += [
        make_design("dot", format="int4", acc=acc, lanes=LANES, depth=DEPTH, out="raw")
        for acc in INTEGER_SUMS
    ]
    resets = [replace(designs[0], **interface) for interface in INTERFACES]
    return [*map(sum_claim, designs + resets), *map(depth_claim, designs[:1]), depth_claim(designs[3])]


def sum_claim(design: Design) -> Claim:
    """Claim that sums and flags are those of the specification, whatever is added."""
    compared = "1" if design.saturates else "!overflow"
    properties = f"""
  always @* if (begun && !{cleared(design)}) begin
    assert (c_valid == done);
    if (c_valid && defined) begin
      assert (c_flags == {{overflow, 1'b0, nan}});
      if ({compared} && !nan) assert (c == sum);
    end
  end"""
    if design.saturates:
        fault = Fault("the sum wraps", r"left_range \? .*? : total", "total")
    else:
        fault = Fault("no overflow flag", r"left_range = .*;", "left_range = 0;")
    return Claim.with_fault(
        fault,
        says="sum and flags as specified" if design.saturates else "sum exact, or flagged",
        design=design,
        sources=lambda verilog: _sources(design, verilog, properties),
    )


def depth_claim(design: Design) -> Claim:
    """Claim that sums of no more than `depth` products have no overflow flag."""

    def properties(depth: int) -> str:
        return f"""
  always @* assume (!begun || rst || !in_valid || in_first || products + {LANES} <= {depth});
  always @* assert (!begun || !c_valid || !defined || !c_flags[2]);"""

    return Claim(
        says=f"{design.depth} products never overflow",
        design=design,
        sources=lambda verilog: _sources(design, verilog, properties(design.depth)),
        mutant=f"{2 * design.depth} products",
        mutant_sources=lambda verilog: _sources(design, verilog, properties(2 * design.depth)),
    )


def sum_parameters(design: Design) -> dict[str, int]:
    """Give what the specification of a sum has to know of a design's formats and register."""
    if design.integer:  # Of the fields only their width counts.
        format_ = {"INTEGER": 1, "E": design.format.width - 2, "M": 1}
        return (
            format_
            | {"LANES": design.lanes, "BITS": design.accumulator_bits}
            | {"SATURATES": int(design.saturates)}
        )
    return {
        "E": design.format.exponent_bits,
        "M": design.format.mantissa_bits,
        "C": design.mul_constant,
        "LANES": design.lanes,
        "BITS": design.accumulator_bits,
        "LSB": design.lsb_exponent - design.product_lsb_exponent,
        "SATURATES": int(design.saturates),
    }


def _sources(design: Design, verilog: str, properties: str) -> dict[str, str]:
    format_ = design.format
    parameters = sum_parameters(design) | {"FN": int(format_.specials == "fn")}
    outputs = ["done", "defined", "sum", "overflow", "nan", "products"]
    claim = f"""
module claim (
  input clk, rst, in_valid, in_first, in_last,
  input [{design.lanes * format_.width - 1}:0] a, b
);
  wire signed [{design.accumulator_bits - 1}:0] c, sum;
  wire [2:0] c_flags;
  wire [15:0] products;
  wire c_valid, done, defined, overflow, nan;
  {instance(DUT, "dut", [*INPUTS, "c", "c_valid", "c_flags"])}
  {instance("accumulation_spec", "spec", [*INPUTS, *outputs], parameters)}
  reg begun = 0;
  always @(posedge clk) begun <= 1;
  always @* assume (begun || rst);
{properties}
endmodule
"""
    return {"dut.v": verilog, "spec.sv": specification("accumulation_spec.sv"), "claim.sv": claim}
