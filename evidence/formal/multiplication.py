"""Multipliers give what SPEC.md says, for every pair of operands."""

from functools import partial
from itertools import product

from lmul.design import Design, make_design
from lmul.evidence.formal.claims import DUT, Claim, Fault, edited, instance, specification
from lmul.golden import OVERFLOWS, SUBNORMALS

SPECIALS = ("finite", "fn", "ieee")

MULTIPLIERS = (
    *(
        (format_, mul)
        for mul in ("lmul", "mitchell", "addm")
        for format_ in ("fp32", "bf16", "fp16", "e5m2", "e4m3")
    ),
    *((format_, "addc") for format_ in ("e4m3", "e5m2", "e3m4")),
    *((format_, "exact") for format_ in ("e4m3", "e5m2", "e3m4")),
)

INTEGERS = (("int8", "int8"), ("int4", "int4"), ("int8", "int4"))

EDITS = {
    "flush exact": ("ties round up", r" & \(\|rounded\[\d+:0\]\)\} :", "} :"),
    "flush addc": ("no correction", r" \+ \{\d+'h0, carry\}", ""),
    "full": ("ties round up", r"(round_up = shifted\[\d+\]) & .*;", r"\1;"),
}
"""What mutants change in the Verilog: what it does, where, and the new text."""


def multiplier_claims() -> list[Claim]:
    """Claim that each multiplier equals the specification under each policy."""
    designs = [
        make_design("mul", format=format_, mul=mul, subnormals=subnormals, overflow=overflow)
        for format_, mul in MULTIPLIERS
        for subnormals, overflow in product(SUBNORMALS, OVERFLOWS)
    ]
    exact = make_design("mul", format="bf16", mul="exact")
    return [*map(multiplier_claim, designs), multiplier_claim(exact)]


def integer_claims() -> list[Claim]:
    """Claim that each multiplier of integers gives whole products."""
    return [integer_claim(make_design("mul", format_a=first, format_b=second)) for first, second in INTEGERS]


def multiplier_claim(design: Design) -> Claim:
    """Claim that a combinational multiplier equals the specification for every pair of operands."""
    mutant = EDITS.get("full" if design.subnormals == "full" else f"flush {design.mul}")

    def faulty(verilog: str) -> dict[str, str]:
        if mutant is None:
            return _sources(design, verilog, wrong_constant=1)
        return _sources(design, edited(verilog, *mutant[1:]))

    return Claim(
        says="product as specified",
        design=design,
        sources=partial(_sources, design),
        mutant=mutant[0] if mutant else "the constant is 1 larger",
        mutant_sources=faulty,
        method="sec",
    )


def integer_claim(design: Design) -> Claim:
    """Claim that a multiplier of integers gives the whole product of every pair of operands."""
    first, second = (format_.width - 1 for format_ in design.formats)

    def sources(verilog: str) -> dict[str, str]:
        claim = f"""
module claim (input signed [{first}:0] a, input signed [{second}:0] b);
  wire signed [{design.product_bits - 1}:0] p;
  {instance(DUT, "dut", ["a", "b", "p"])}
  always @* assert (p == a * b);
endmodule
"""
        return {"dut.v": verilog, "claim.sv": claim}

    what = "a partial product with one sign bit is not inverted"
    return Claim.with_fault(
        Fault(what, rf"(bits\[{first}\] = )~", r"\1"),
        says="whole product",
        design=design,
        sources=sources,
        method="sec",
    )


def _sources(design: Design, verilog: str, *, wrong_constant: int = 0) -> dict[str, str]:
    format_ = design.format
    parameters = {
        "E": format_.exponent_bits,
        "M": format_.mantissa_bits,
        "SPECIALS": SPECIALS.index(format_.specials),
        "MUL": {"addc": 1, "exact": 2, "addm": 3}.get(design.mul, 0),
        "C": design.mul_constant + wrong_constant,
        "FULL": int(design.subnormals == "full"),
        "INFINITE": int(design.overflow == "ieee"),
    }
    top = format_.width - 1
    claim = f"""
module claim (input [{top}:0] a, input [{top}:0] b);
  wire [{top}:0] p, specified;
  {instance(DUT, "dut", ["a", "b", "p"])}
  {instance("multiplier_spec", "spec", ["a", "b", "specified"], parameters)}
  always @* assert (p == specified);
endmodule
"""
    return {"dut.v": verilog, "spec.sv": specification("multiplier_spec.sv"), "claim.sv": claim}
