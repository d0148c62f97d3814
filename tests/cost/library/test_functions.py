"""Boolean functions of Liberty: every operator, precedence, and what is refused."""

import pytest

from lmul.cost.library.functions import parse_function
from lmul.errors import UserError


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("A & B", (0, 0, 0, 1)),
        ("A * B", (0, 0, 0, 1)),
        ("A B", (0, 0, 0, 1)),
        ("A(B)", (0, 0, 0, 1)),
        ("A | B", (0, 1, 1, 1)),
        ("A + B", (0, 1, 1, 1)),
        ("A ^ B", (0, 1, 1, 0)),
        ("!A", (1, 0)),
        ("A'", (1, 0)),
        ("A''", (0, 1)),
        ("!" * 10_001 + "A" + "'" * 10_000, (1, 0)),
        ("!(A B)'", (0, 0, 0, 1)),
        ("A' B", (0, 0, 1, 0)),
        ("!A !B", (1, 0, 0, 0)),
        ("0", (0,)),
        ("1", (1,)),
        ("A & 0 | B ^ 1", (1, 1, 0, 0)),
        ("A + B C", (0, 1, 0, 1, 0, 1, 1, 1)),
        ("A ^ B C", (0, 0, 0, 0, 0, 1, 1, 0)),
        ("A | B ^ C", (0, 1, 1, 1, 1, 1, 0, 1)),
    ],
)
def test_operators_and_precedence(text: str, table: tuple[int, ...]) -> None:
    assert parse_function(text).truth_table() == tuple(map(bool, table))


def test_verilog() -> None:
    assert parse_function("!(A1 * A2) + B' ^ 1").verilog() == "(~(A1 & A2) | (~B ^ 1'b1))"


@pytest.mark.parametrize("text", ["", "A &", "(A", "A)", "A $ B", "!", "2", "(" * 5000 + "A" + ")" * 5000])
def test_what_is_no_function_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="not a Boolean function"):
        parse_function(text)
