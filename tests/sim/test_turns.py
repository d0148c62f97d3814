"""Dot products that take turns: the order of their steps, and what a design makes of them."""

from typing import Any

import pytest

from lmul.cost.cells.check import check_netlist
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.mapper import map_design
from lmul.design import make_design
from lmul.errors import UserError
from lmul.hdl import export
from lmul.sim.stimulus.turns import FILLER, turns
from tests.support.host import cheap

SMALL = make_design(
    "dot", format="e2m1", lanes=2, acc="fused:7:5", out="raw", pipeline=2, interleave=3, addend=True
)


def test_steps_are_in_turn_and_fillers_where_one_has_ended() -> None:
    assert list(turns([2, 1, 1], 1)) == [(0, 0), (0, 1), (1, 0), (2, 0)]
    assert list(turns([2, 1, 1], 2)) == [(0, 0), (1, 0), (0, 1), (FILLER, 0), (2, 0), (FILLER, 0)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"acc": "exact"}, "^interleave is for fused sums, not for acc exact: take fused:F"),
        ({"acc": "h100", "pipeline": 1}, "^interleave takes pipeline of 2 or more, not 1"),
        ({"acc": "h100", "pipeline": 2, "stream": True}, "^interleave is for a dot without stream"),
        ({"acc": "h100", "pipeline": 2, "interleave": 4}, "^interleave must be a whole number from 1 to 3"),
    ],
)
def test_turns_that_no_sum_can_take_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_design("dot", **{"interleave": 2} | options)


@pytest.mark.parametrize(("counted", "right"), [("turn + 2'h1", True), ("turn + 2'h0", False)])
def test_check_of_a_netlist_takes_turns(counted: str, right: bool, cells: Any) -> None:
    text = export(SMALL)
    assert text.verilog.count("turn + 2'h1") == 1
    verilog = text.verilog.replace("turn + 2'h1", counted)
    found = map_design(verilog, text.name, default_library(), scripts=cheap.SCRIPTS[:1], cache=cells)
    assert (check_netlist(found[cheap.SCRIPTS[0].name].netlist, SMALL) == "") == right
