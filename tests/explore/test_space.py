"""What a sweep's file says, and what is refused in it."""

from pathlib import Path

import pytest

from lmul.errors import UserError
from lmul.explore.search.search import ListSearch, make_search
from lmul.explore.space import Point, Space, read_space


def space_of(directory: Path, text: str) -> Space:
    (directory / "space.toml").write_text(text)
    return read_space(directory / "space.toml")


def points_of(space: Space) -> list[Point]:
    search = make_search(space)
    assert isinstance(search, ListSearch)
    return [trial.task.point for trial in iter(search.ask, None)]


GRID = """
[space]
design = ["mul", "dot"]
format = ["e4m3", "bf16"]
mul = ["lmul", "addc"]
lanes = [2, 4]
clock = ["none", 1, 0.5]
"""


def test_a_grid_has_every_design_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    points = points_of(space_of(tmp_path, GRID))
    # Three clocks; addc is not defined for bf16; lanes mean nothing to mul.
    assert len(points) == len(set(points)) == 3 * (3 + 3 * 2)
    assert [point.design.kind for point in points] == ["mul"] * 9 + ["dot"] * 18
    assert [point.clock_ns for point in points[:3]] == [None, 1.0, 0.5]


def test_drawn_points_are_some_of_the_grid_and_the_same_for_a_seed(tmp_path: Path) -> None:
    drawn = [
        points_of(space_of(tmp_path, GRID + f'[search]\nmethod = "random"\ntrials = 10\nseed = {seed}'))
        for seed in (1, 1, 2)
    ]
    grid = points_of(space_of(tmp_path, GRID))
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 10
    assert [point for point in grid if point in drawn[0]] == drawn[0]


def test_more_trials_than_designs_are_all_designs(tmp_path: Path) -> None:
    space = space_of(tmp_path, '[space]\ndesign = "mul"\n[search]\nmethod = "random"\ntrials = 9')
    assert len(points_of(space)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["design", "mul, dot, array"]),
        ("space = 3", ["space", "a table"]),
        ("[spaces]", ["spaces", "objectives, dont-use, layout, space, search"]),
        ("objectives = []", ["objectives", "list of names"]),
        ("objectives = ['speed']", ["speed", "energy, area"]),
        ("objectives = ['area', 'area']", ["area", "once"]),
        ("[space]\ndesign = 'adder'", ["adder", "mul, dot, array"]),
        ("[space]\ndesign = []", ["design", "no value"]),
        ("[space]\ndesign = 3", ["design", "text"]),
        ("[space]\ndesign = 'mul'\nlanes = [1, 2]", ["lanes", "nothing to mul"]),
        ("[space]\ndesign = 'dot'\nlines = 1", ["lines", "lanes"]),
        ("[space]\ndesign = 'dot'\nlanes = [8, 99]", ["lanes = 99", "from 1 to 32"]),
        ("[space]\ndesign = 'dot'\nlanes = ['8']", ["lanes", "a number"]),
        ("[space]\ndesign = 'dot'\nlanes = true", ["lanes", "a number"]),
        ("[space]\ndesign = 'mul'\nformat = 'bf16'\nmul = ['lmul', 'addc']", ["addc", "4 mantissa bits"]),
        ("[space]\ndesign = 'mul'\nclock = 0", ["clock", "above 0"]),
        ("[space]\ndesign = 'mul'\nclock = nan", ["clock", "above 0"]),
        ("[space]\ndesign = 'array'\nformat-a = 'e4m3'\nformat_a = 'e5m2'", ["format_a", "twice"]),
        ("[space]\ndesign = 'mul'\n[search]\nmethod = 'best'", ["best", "grid, random, optuna"]),
        ("[space]\ndesign = 'mul'\n[search]\nmethod = ['grid']", ["method", "grid, random, optuna"]),
        ("[space]\ndesign = 'mul'\n[search]\ntrials = 0", ["trials", "from 1 to 100000"]),
        ("[space]\ndesign = 'mul'\n[search]\nbudget = 1", ["budget", "trials"]),
        ("[space]\ndesign = 'dot'\n" + "".join(
            f"{name} = {list(range(1, 33))}\n" for name in ("lanes", "depth", "pipeline", "rows")
        ), ["rows", "nothing to dot"]),
        ("[space]\ndesign = 'array'\n" + "".join(
            f"{name} = {list(range(1, 33))}\n" for name in ("lanes", "depth", "cols", "rows")
        ), ["1,048,576 combinations", "100,000"]),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_told(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        space_of(tmp_path, text)
    assert all(word in str(caught.value) for word in ["space.toml", *words])
