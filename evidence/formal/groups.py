"""Fused sums of groups, each summed exactly and scaled, are those of the specification.

A step of 16 lanes or more is too large for one proof. So the Verilog is cut at its nets, and each part is
proven for any value of what comes from the part before: a product is the number that its codes stand for;
the sum of a group is that of any such numbers; a step is as specified for any sums of its groups, any
scales and any running sum.
"""

from functools import partial
from typing import Any

from lmul.design import Design, make_design
from lmul.evidence.formal.claims import DUT, Claim, Fault, edited, instance, specification
from lmul.evidence.formal.fusion import SECONDS, product_parameters, step_sources

GROUP = 16

LANE_PARTS = r"  \w+_(?:align|product) (?:group_\d+|product)_\d+ \([^;]*;\n"
"""The blocks of a lane before the sum of its group. Nets that nothing drives have any value."""

GROUP_SUM, SIGNIFICANDS = r"  assign group_\d+ = .*;\n", r"  assign align_\d+_significand = .*;\n"

MULTIPLIERS = ("lmul", "exact")

ZERO = Fault("zero is a number", r"nonzero = .*;", "nonzero = 1'h1;")
SIGN = Fault("one sign too few", r"(group_0 = .* \+) \{1'h0, group_0_15_sign\}\};", r"\1 2'h0};")
RAISED = r"(\w+\[\d+\]) \| ~\(\|\w+\[\d+:\d+\]\)"
"""The last bit of a scale's exponent field, which of subnormal ones is raised."""

EXPONENT = Fault("the exponent of a subnormal scale is not raised", RAISED, r"\1", places=4)
SECOND = r"a_bits_142_136\(a_scale\[14:8\]\)"
BLOCK = Fault("both blocks have the first one's scale", SECOND, "a_bits_142_136(a_scale[6:0])")
SCALE_NAN = Fault("a scale of NaN is a number", r" \| \(\(&a\[135:128\]\) \| \(&b\[135:128\]\)\)", "")
SIGNIFICAND = Fault("a subnormal scale has its hidden bit", r"\* \{4'h0, \|b\[70:67\], ", "* {5'h1, ")

STEPS: tuple[tuple[dict[str, Any], Fault], ...] = (
    ({"scale": "nvfp4", "mul": "exact", "lanes": 16, "acc": "fused:8:2"}, EXPONENT),
    ({"scale": "nvfp4", "mul": "lmul", "lanes": 32, "acc": "fused:7:2"}, BLOCK),
    ({"scale": "mxfp4", "mul": "lmul", "lanes": 32, "acc": "fused:4:2"}, SCALE_NAN),
)
"""Scales and groups of a step, whose significands lose no bit at its largest exponent; the mutant's fault."""


def group_claims() -> list[Claim]:
    """Claim that steps of groups are right, part by part."""
    parts = [group_design(scale="nvfp4", mul=mul, lanes=GROUP, acc="fused:8:2") for mul in MULTIPLIERS]
    steps = [step_claim(group_design(**options), fault) for options, fault in STEPS]
    return [
        *map(products_claim, parts),
        *map(sum_claim, parts),
        *map(significand_claim, parts),
        *steps,
    ]


def group_design(**options: Any) -> Design:
    """Make a dot product of the one format whose products are summed in groups."""
    return make_design("dot", format="e2m1", out="raw", **options)


def products_claim(design: Design) -> Claim:
    """Claim that what each lane gives its group is the product of its codes."""

    def sources(verilog: str) -> dict[str, str]:
        parameters = product_parameters(design) | {"LANES": GROUP}
        top = GROUP * design.format.width - 1
        claim = f"""
module claim (input [{top}:0] a, input [{top}:0] b);
  wire [{32 * GROUP - 1}:0] numbers;
  {instance(DUT, "dut", ["a", "b"])}
  {instance("products_spec", "spec", ["a", "b", "numbers"], parameters)}
  {_lanes(design)}
  always @* assert ({{{", ".join(reversed(_numbers()))}}} == numbers);
endmodule
"""
        return {"dut.v": verilog, "spec.sv": specification("fused_spec.sv"), "claim.sv": claim}

    return Claim.with_fault(
        ZERO,
        says="products of a group as specified",
        design=design,
        sources=sources,
        method="sec",
    )


def sum_claim(design: Design) -> Claim:
    """Claim that the sum of a group is that of what its lanes give it, whatever that is."""
    bits = design.largest_product.bit_length() + 1

    def lane(number: int) -> str:
        # Inputs go from place to place, in each from lane to lane: so decision diagrams of sums are small.
        sign, *term = (f"x[{number + place * GROUP}]" for place in range(bits))
        return f"""
  assign {_net(f"group_0_{number}_sign")} = {sign};
  assign {_net(f"group_0_{number}_term")} = {{{", ".join(reversed(term))}}};"""

    def sources(verilog: str) -> dict[str, str]:
        claim = f"""
module claim (input [{bits * GROUP - 1}:0] x);
  dut dut ();
  {_lanes(design)}{"".join(map(lane, range(GROUP)))}
  {_nets(design, 0)}
  always @* assert ({_net("group_0")} == {" + ".join(_numbers())});
endmodule
"""
        cut = edited(verilog, LANE_PARTS, "", 2 * GROUP)
        return {"dut.v": cut, "claim.sv": claim}

    return Claim.with_fault(
        SIGN,
        says="sum of a group exact, of any products",
        design=design,
        sources=sources,
        method="bdd",
    )


def significand_claim(design: Design) -> Claim:
    """Claim that the significand of a term is its group's sum times those of its scales, whatever that is."""

    def sources(verilog: str) -> dict[str, str]:
        bits, parameters = _significand_bits(design), {"E4M3": 1, "WIDTH": _group_bits(design)}
        claim = f"""
module claim (input [7:0] a_scale, input [7:0] b_scale);
  wire [{bits - 1}:0] significand;
  {instance(DUT, "dut", ["a_scale", "b_scale"])}
  {_nets(design, 0)}
  wire [{_group_bits(design) - 1}:0] total = {_net("group_0")};
  {instance("group_spec", "spec", ["a_scale", "b_scale", "total", "significand"], parameters | {"S": bits})}
  always @* assert ({_net("align_0_significand")} == significand);
endmodule
"""
        cut = edited(verilog, GROUP_SUM, "")
        return {"dut.v": cut, "spec.sv": specification("fused_spec.sv"), "claim.sv": claim}

    return Claim.with_fault(
        SIGNIFICAND,
        says="significand of a group as specified, of any sum and scales",
        design=design,
        sources=sources,
        method="sec",
    )


def step_claim(design: Design, fault: Fault) -> Claim:
    """Claim that a step is as specified, whatever its groups, its scales and the running sum."""
    return Claim.with_fault(
        fault,
        says="fused sum as specified, of any groups",
        design=design,
        sources=partial(_step_sources, design),
        method="step",
        cycles=2,
        seconds=SECONDS,
    )


def _step_sources(design: Design, verilog: str) -> dict[str, str]:
    groups, bits, number = design.lanes // GROUP, _significand_bits(design), design.scale == "nvfp4"
    parameters = {
        "GROUPS": groups,
        "BLOCKS": design.scales_a_step,
        "E4M3": int(number),
        "S": bits,
        "FRACTION": (6 if number else 0) - design.product_lsb_exponent,
    }
    backwards = range(groups - 1, -1, -1)
    signs = [f"{_net(f'group_{group}')}[{_group_bits(design) - 1}]" for group in backwards]
    significands = [_net(f"align_{group}_significand") for group in backwards]
    declared = [_nets(design, group) for group in range(groups)]
    declared += [f"always @* assume ({net} <= {_largest(design)});" for net in significands]
    declared += [f"wire [{groups - 1}:0] signs = {{{', '.join(signs)}}};"]
    declared += [f"wire [{groups * bits - 1}:0] significands = {{{', '.join(significands)}}};"]
    cut = edited(edited(verilog, GROUP_SUM, "", groups), SIGNIFICANDS, "", groups)
    operands = ["signs", "significands"]
    return step_sources(design, cut, "grouped_spec", operands, parameters, "\n  ".join(declared))


def _net(name: str) -> str:
    """Name a net inside of the design."""
    return f"\\{DUT}.mac.{name} "


def _lanes(design: Design) -> str:
    """Declare what the lanes of the first group give it, and what number that is."""
    bits = design.largest_product.bit_length()
    nets = [
        f"""
  (* hierconn *) wire {_net(f"group_0_{lane}_sign")};
  (* hierconn *) wire [{bits - 1}:0] {_net(f"group_0_{lane}_term")};"""
        for lane in range(GROUP)
    ]
    return f"""{"".join(nets)}
  // An inverted term is one less than its number.
  function signed [31:0] number(input sign, input [{bits - 1}:0] term);
    number = $signed({{sign, term}}) + $signed({{1'b0, sign}});
  endfunction"""


def _numbers() -> list[str]:
    """Give the numbers of the lanes of the first group."""
    lanes = [f"group_0_{lane}" for lane in range(GROUP)]
    return [f"number({_net(f'{lane}_sign')}, {_net(f'{lane}_term')})" for lane in lanes]


def _nets(design: Design, group: int) -> str:
    """Declare the sum of a group, and the significand that comes of it."""
    return f"""(* hierconn *) wire signed [{_group_bits(design) - 1}:0] {_net(f"group_{group}")};
  (* hierconn *) wire [{_significand_bits(design) - 1}:0] {_net(f"align_{group}_significand")};"""


def _group_bits(design: Design) -> int:
    return (GROUP * design.largest_product).bit_length() + 1


def _largest(design: Design) -> int:
    """Give the largest significand of a group."""
    return GROUP * design.largest_product * (15**2 if design.scale == "nvfp4" else 1)


def _significand_bits(design: Design) -> int:
    return _largest(design).bit_length()
