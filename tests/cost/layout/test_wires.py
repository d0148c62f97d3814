"""Wires: trees are as short as they can be, and delays are those that Elmore's formula has."""

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from lmul.cost.layout.wires.steiner import Tree, steiner_tree
from lmul.cost.layout.wires.wiring import WireModel, elmore_ns

MODEL = WireModel((2.0, 3.0), (5.0, 7.0))


def spanning_length(points: NDArray[np.float64]) -> float:
    """Give the length of the least spanning tree, by joining the nearest point again and again."""
    inside, outside, length = [0], list(range(1, len(points))), 0.0
    while outside:
        far = np.abs(points[inside][:, None] - points[outside][None]).sum(axis=2)
        _, nearest = np.unravel_index(far.argmin(), far.shape)
        length += float(far.min())
        inside.append(outside.pop(int(nearest)))
    return length


def least_length(pins: NDArray[np.float64]) -> float:
    """Try all sets of points of the grid, at most two less than there are pins (Hanan)."""
    grid = np.array(list(product(np.unique(pins[:, 0]), np.unique(pins[:, 1]))))
    return min(
        spanning_length(np.vstack([pins, grid[list(chosen)]]))
        for count in range(len(pins) - 1)
        for chosen in combinations(range(len(grid)), count)
    )


def check_joins_all(tree: Tree, pins: NDArray[np.float64]) -> None:
    assert np.array_equal(tree.points[: len(pins)], pins)
    reached = {0}
    for _ in tree.parents:
        reached |= {point for point, parent in enumerate(tree.parents.tolist()) if parent in reached}
    assert reached == set(range(len(tree.points)))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_trees_of_few_pins_are_as_short_as_any(count: int) -> None:
    drawn = np.random.default_rng(count)
    found, wanted = [], []
    for _ in range(8):
        pins = drawn.integers(0, 12, (count, 2)).astype(float)
        tree = steiner_tree(pins)
        check_joins_all(tree, pins)
        found.append(tree.lengths.sum())
        wanted.append(least_length(pins))
    if count < 5:
        assert found == wanted
    # Of five pins one point after the other is not always the best (Kahng and Robins: 0.1 % on average).
    assert sum(wanted) <= sum(found) <= 1.01 * sum(wanted)


@pytest.mark.parametrize("count", [12, 20, 21, 60])
def test_trees_of_many_pins_save_what_steiner_trees_do(count: int) -> None:
    drawn = np.random.default_rng(count)
    saved = []
    for _ in range(10):
        pins = drawn.random((count, 2))
        tree = steiner_tree(pins)
        check_joins_all(tree, pins)
        assert tree.lengths.sum() >= np.ptp(pins, axis=0).sum()
        saved.append(1 - tree.lengths.sum() / spanning_length(pins))
    # The best trees of random points save 11 to 12 %, 1-Steiner ones 10 to 11 % (Kahng and Robins 1992).
    assert np.mean(saved) > 0.075


def test_pins_at_one_place_need_no_wire() -> None:
    assert steiner_tree(np.ones((4, 2))).lengths.sum() == 0


def test_delay_of_a_fork_is_resistance_times_what_lies_behind() -> None:
    # Two um across, then a pin three um further across and one four um up.
    tree = steiner_tree(np.array([[0.0, 0.0], [5.0, 0.0], [2.0, 4.0]]))
    stem, one, other = 2 * 5.0, 3 * 5.0, 4 * 7.0
    stem_ff, one_ff, other_ff = 2 * 2.0, 3 * 2.0, 4 * 3.0
    begin = stem * (stem_ff / 2 + one_ff + other_ff + 10 + 20)
    wanted = [0, begin + one * (one_ff / 2 + 10), begin + other * (other_ff / 2 + 20)]
    assert elmore_ns(tree, MODEL, [0, 10, 20])[:3] == pytest.approx(np.array(wanted) * 1e-6)
