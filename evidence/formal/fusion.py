"""Fused sums are those of the specification: a step's terms aligned, truncated, added at once, rounded.

The design's register begins with any value, and the description takes its running sum from there: so one
cycle is proven from every running sum that is a multiple of a product's least bit, and no larger than sums of
the design can be; with scales of blocks from any that is no larger. That the next one is such a sum again is
proven too, and with it any number of cycles.
"""

from functools import partial
from typing import Any

from lmul.design import Design, make_design
from lmul.evidence.formal.accumulation import INPUTS
from lmul.evidence.formal.claims import DUT, Claim, Fault, instance, specification
from lmul.evidence.formal.multiplication import SPECIALS
from lmul.golden import FP32
from lmul.hdl.accumulator.fused_scale import Scale
from lmul.hdl.multiplier.unrounded import kept_subnormals

LANES = 2

SECONDS = 1800
"""For a proof: many times what one takes on a free machine."""


SIGN = Fault("one sign too few", r"negative_less_1 = .*;", "negative_less_1 = 2'h0;")
CUT = Fault("a place is not cut", r" cut\[1\] = .*;", " cut[1] = 1'h0;")
SCALE = Fault("products are one place too high", r"scaled_reached = (.*) \+", r"scaled_reached = 1 + \1 +")
SCALE_NAN = Fault("a scale of NaN is a number", r" \| \(\(&a\[15:8\]\) \| \(&b\[15:8\]\)\)", "")
INFINITY = Fault("no minus infinity", r"fused_round_minus = .*;", "fused_round_minus = 1'h0;")

SUMS: tuple[tuple[dict[str, Any], Fault], ...] = (
    ({"format": "e4m3", "mul": "lmul", "acc": "fused:4:3"}, CUT),
    ({"format": "e4m3", "mul": "exact", "acc": "fused:4:3"}, SIGN),
    ({"format": "e5m2", "mul": "lmul", "acc": "fused:6:5"}, INFINITY),
    ({"format": "e2m1", "mul": "lmul", "acc": "fused:4:3", "scale": "mx"}, SCALE),
    ({"format": "e2m1", "mul": "exact", "acc": "fused:4:2", "scale": "mx"}, SCALE_NAN),
)
"""Operands and products, and what the mutant has wrong."""


def fusion_claims() -> list[Claim]:
    """Claim that fused sums are right, from every running sum."""
    return [
        fused_claim(make_design("dot", **options, lanes=LANES, out="raw"), fault) for options, fault in SUMS
    ]


def fused_claim(design: Design, fault: Fault) -> Claim:
    """Claim that results and flags are those of the specification, whatever the running sum is."""
    return Claim.with_fault(
        fault,
        says="fused sum as specified",
        design=design,
        sources=partial(_sources, design),
        method="step",
        cycles=2,
        seconds=SECONDS,
    )


def _sources(design: Design, verilog: str) -> dict[str, str]:
    parameters = product_parameters(design) | {
        "LANES": design.lanes,
        "SCALED": int(design.scale == "mx"),
    }
    return step_sources(design, verilog, "fused_spec", ["a", "b"], parameters)


def product_parameters(design: Design) -> dict[str, int]:
    """Give what the specification of a product has to know of a design."""
    format_ = design.format
    return {
        "E": format_.exponent_bits,
        "M": format_.mantissa_bits,
        "SPECIALS": SPECIALS.index(format_.specials),
        "EXACT": int(design.mul == "exact"),
        "C": design.mul_constant,
        "KEPT": int(kept_subnormals(design) == "kept"),
    }


def step_sources(
    design: Design,
    verilog: str,
    spec: str,
    operands: list[str],
    parameters: dict[str, int],
    declared: str = "",
) -> dict[str, str]:
    """Write the claim that a step gives what a specification does.

    Parameters
    ----------
    design : Design
    verilog : str
        Of the design.
    spec : str
        The module in `fused_spec.sv`.
    operands : list of str
        Its inputs beside scales and the running sum.
    parameters : dict of str to int
        Of it, but for those of every fused sum.
    declared : str
        Verilog with those of its inputs that are not the design's.
    """
    fused, scale = design.fused, Scale(design)
    parameters = parameters | {
        "F": fused.fraction_bits,
        "BITS": fused.mantissa_bits,
        "NEAREST": int(fused.nearest),
    }
    scales = ["a_scale", "b_scale"]
    special = "&number[30:23]" if scale.overflows else f"number[30:0] == {FP32.nan}"
    highest = min(scale.highest + FP32.bias, (1 << FP32.exponent_bits) - 1)
    claim = f"""
module claim (
  input clk, rst, in_valid, in_first, in_last,
  input [{design.lanes * design.format.width - 1}:0] a, b,
  input [{8 * max(design.scales_a_step, 1) - 1}:0] a_scale, b_scale
);
  wire [31:0] c, sum;
  wire [2:0] c_flags;
  wire c_valid;
  {instance(DUT, "dut", [*INPUTS, *(scales if design.block_scale else ()), "c", "c_valid", "c_flags"])}
  {declared}
  {instance(spec, "spec", [*operands, *scales, "first", "running", "sum"], parameters)}
  // Registers of the design begin with any value.
  wire first = in_first;
  wire [31:0] running = c;
  function whole(input [31:0] number);
    // Places of the significand below the least bit of a product.
    integer below;
    begin
      below = {design.product_lsb_exponent + FP32.mantissa_bits + FP32.bias} - number[30:23];
      whole = number[30:0] == 0 || {special} || number[30:23] <= {highest}
        && ({int(design.block_scale is not None)} || below <= 0
        || (below <= 23 && ({{1'b1, number[22:0]}} & ((24'd1 << below) - 24'd1)) == 0));
    end
  endfunction
  reg begun = 0, done, reached;
  reg [31:0] expected;
  always @(posedge clk) begin
    begun <= 1;
    done <= !rst && in_valid && in_last;
    reached <= rst || whole(running);
    expected <= rst ? 0 : in_valid ? sum : c;
  end
  always @* if (begun) begin
    assert (c_valid == done);
    assert (!reached || c == expected && whole(c));
    assert (c_flags == {{1'b0, c[30:0] == {FP32.infinity}, c[30:0] > {FP32.infinity}}});
  end
endmodule
"""
    return {"dut.v": verilog, "spec.sv": specification("fused_spec.sv"), "claim.sv": claim}
