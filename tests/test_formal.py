"""Model checking: proofs hold, and their mutants are refuted."""

import pytest

from lmul.formal.equivalence import equivalent

COUNTER = """
module counter(input clk, input rst, input step, output reg [3:0] n, output reg [3:0] held, output reg valid);
  always @(posedge clk) if (rst) n <= 0; else if (step) n <= n + 4'd1;
  always @(posedge clk) if (step) held <= n;
  always @(posedge clk) if (rst) valid <= 0; else valid <= step;
endmodule
"""

PRODUCT = "module product(input [3:0] a, b, output [7:0] p); assign p = a * b; endmodule"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [("a * b", "b * a", True), ("a * b", "b * a + (&{a, b})", False)],
)
def test_combinational_modules_are_compared_for_every_input(old: str, new: str, same: bool) -> None:
    assert equivalent(PRODUCT, PRODUCT.replace(old, new), "product") is same


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("n + 4'd1", "~(~n - 4'd1)", True),
        ("n + 4'd1", "n + 4'd1 + (n == 14)", False),
        ("if (rst) n <= 0; else", "", False),
        ("if (step) held <= n", "held <= n", False),
    ],
)
def test_registers_are_compared_in_every_cycle(old: str, new: str, same: bool) -> None:
    assert COUNTER.count(old) == 1
    assert equivalent(COUNTER, COUNTER.replace(old, new), "counter") is same


def test_masked_outputs_count_while_their_valid_is_high() -> None:
    free = COUNTER.replace("if (step) held <= n", "held <= n")
    assert equivalent(COUNTER, free, "counter", masks={"held": "valid"})
    assert (
        equivalent(COUNTER, free.replace("held <= n", "held <= n + 1"), "counter", masks={"held": "valid"})
        is False
    )


def test_other_ports_are_refused() -> None:
    with pytest.raises(ValueError, match="the same ports"):
        equivalent(PRODUCT, PRODUCT.replace("[7:0] p", "[6:0] p"), "product")
