"""Dot products that take turns: the order of their steps, and what a design makes of them."""

from typing import Any

import pytest

from lmul.cost.cells.check import check_netlist
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.mapper import map_design
from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.hdl import export
from lmul.sim.stimulus.turns import FILLER, turns, turns_of_tiles
from tests.support.host import cheap

SMALL = make_design(
    "dot", format="e2m1", lanes=2, acc="fused:7:5", out="raw", pipeline=2, interleave=3, addend=True
)

SMALL_ARRAY = make_design(
    "array", format="e2m1", rows=2, cols=1, lanes=1, acc="fused:7:5", out="raw", pipeline=2, interleave=2
)


def test_steps_are_in_turn_and_fillers_where_one_has_ended() -> None:
    assert list(turns([2, 1, 1], 1)) == [(0, 0), (0, 1), (1, 0), (2, 0)]
    assert list(turns([2, 1, 1], 2)) == [(0, 0), (1, 0), (0, 1), (FILLER, 0), (2, 0), (FILLER, 0)]


def test_tiles_of_one_length_end_as_far_apart_as_they_are_long() -> None:
    assert turns_of_tiles([2, 3], 1) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    zeros = (FILLER, 0)
    begin = [(0, 0), zeros, (0, 1), zeros, (0, 2), (1, 0), (0, 3), (1, 1), (2, 0), (1, 2), (2, 1), (1, 3)]
    assert turns_of_tiles([4, 4, 4], 2) == [*begin, (2, 2), zeros, (2, 3)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"acc": "exact"}, "^interleave is for fused sums, not for acc exact: take fused:F"),
        ({"acc": "h100", "pipeline": 1}, "^interleave takes pipeline of 2 or more, not 1"),
        ({"acc": "h100", "pipeline": 2, "stream": True}, "^interleave is for a dot without stream"),
        ({"kind": "array", "dataflow": "ws"}, "^interleave is for dataflow os: sums of ws travel"),
        ({"acc": "h100", "pipeline": 2, "interleave": 4}, "^interleave must be a whole number from 1 to 3"),
    ],
)
def test_turns_that_no_sum_can_take_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_design(**{"kind": "dot", "acc": "h100", "pipeline": 2, "interleave": 2} | options)


@pytest.mark.parametrize(
    ("design", "text", "other"),
    [(SMALL, "turn + 2'h1", "turn + 2'h0"), (SMALL_ARRAY, "first <= {last, ", "first <= {1'h0, ")],
    ids=lambda value: value.kind if isinstance(value, Design) else "",
)
def test_check_of_a_netlist_takes_turns(design: Design, text: str, other: str, cells: Any) -> None:
    exported = export(design)
    assert exported.verilog.count(text) == 1
    for verilog, right in ((exported.verilog, True), (exported.verilog.replace(text, other), False)):
        found = map_design(verilog, design.name, default_library(), scripts=cheap.SCRIPTS[:1], cache=cells)
        assert (check_netlist(found[cheap.SCRIPTS[0].name].netlist, design) == "") == right
