"""The flag overflow of a rounded output: set where a finite sum becomes infinite, and nowhere else.

The same dot product with its register as the output tells the sum a cycle before. What is too large follows
from IEEE 754, section 7.4: at least the largest number and half of its last place.
"""

from dataclasses import replace
from functools import partial

from lmul.design import Design, make_design
from lmul.evidence.formal.claims import DUT, Claim, Fault, instance
from lmul.golden import find_format
from lmul.hdl.verilog.export import export

REGISTER = "accumulator"
"""Name of the module that gives the sum itself."""

INPUTS = ["clk", "rst", "a", "b", "in_valid", "in_first", "in_last"]

OUTPUTS = (("fp32", "bf16"), ("fixed:12:118", "bf16"), ("fixed:12:118", "fp32"))
"""Accumulators and outputs that cannot hold all of their sums."""

LANES = 2

BOUND = 5
"""Cycles of a bounded proof, the one of reset included: sums of up to two steps."""


def output_claims() -> list[Claim]:
    """Claim that the flags of outputs are right."""
    return [
        output_claim(make_design("dot", format="bf16", acc=acc, lanes=LANES, out=out)) for acc, out in OUTPUTS
    ]


def output_claim(design: Design) -> Claim:
    """Claim that the flags are those of the sum, and overflow where only the output is infinite."""
    return Claim.with_fault(
        Fault("no overflow flag", r"too_large = .*;", "too_large = 1'h0;"),
        says="overflow is set where a finite sum becomes infinite",
        design=design,
        sources=partial(_sources, design),
        method="bmc" if design.accumulator_format else "pdr",
        cycles=BOUND,
    )


def _sources(design: Design, verilog: str) -> dict[str, str]:
    register = replace(design, out="raw")
    operand, bits, output = (
        design.lanes * design.format.width - 1,
        design.accumulator_bits,
        find_format(design.out),
    )
    claim = f"""
module claim (
  input clk, valid, first, in_last,
  input [{operand}:0] a, b
);
  // A reset of one cycle, then any steps, the first one of them that of a sum.
  reg begun = 0, started = 0;
  wire rst = !begun, in_valid = begun && valid, in_first = first || !started;
  always @(posedge clk) begin
    begun <= 1;
    started <= started || in_valid;
  end

  wire [{output.width - 1}:0] c;
  wire [2:0] c_flags;
  wire c_valid;
  {instance(DUT, "dut", [*INPUTS, "c", "c_valid", "c_flags"])}

  wire [{bits - 1}:0] sum;
  wire [2:0] sum_flags;
  wire sum_valid;
  {REGISTER} accumulator ({", ".join(f".{port}({port})" for port in INPUTS)},
    .c(sum), .c_valid(sum_valid), .c_flags(sum_flags));

  {_too_large(design)}
  reg before_valid = 0, before_too_large;
  reg [2:0] before_flags;
  always @(posedge clk) begin
    before_valid <= sum_valid && begun;
    before_too_large <= too_large && sum_flags[1:0] == 0;
    before_flags <= sum_flags;
  end
  always @* if (begun) begin
    assert (c_valid == before_valid);
    if (c_valid) begin
      assert (c_flags == (before_flags | {{before_too_large, 2'b00}}));
      assert ((c[{output.width - 2}:0] == {output.infinity}) == (before_flags[1] || before_too_large));
    end
  end
endmodule
"""
    return {"dut.v": verilog, "register.v": export(register, REGISTER).verilog, "claim.v": claim}


def _too_large(design: Design) -> str:
    """Write a net that tells whether a sum rounds to more than the largest number of the output."""
    output, register, bits = find_format(design.out), design.accumulator_format, design.accumulator_bits
    least = 2 ** (output.bias + 1) - 2 ** (output.bias - output.mantissa_bits - 1)
    if register:
        code = register.largest_finite + 1 - (1 << (register.mantissa_bits - output.mantissa_bits - 1))
        return f"wire too_large = sum[{bits - 2}:0] >= {code};"
    units = -(-least // 2**design.lsb_exponent)
    return f"wire too_large = (sum[{bits - 1}] ? -sum : sum) >= {bits}'d{units};"
