"""A design is recommended by one rule, of complete designs, and ties are called ties."""

from lmul.cost.cells.noise import FIGURES, Noise
from lmul.report.rule import Candidate, recommend

SURE = Noise(dict.fromkeys(FIGURES, 0.0), 10)
NOISY = Noise(dict.fromkeys(FIGURES, 0.02), 10)
"""Ratios move by 2 * 0.02 * 2.2 = 9 %."""

ACCEPTED = 1.10

EXACT = Candidate("exact", "", 1.05, 1300.0)
ADDM = Candidate("addm", "", 1.09, 1050.0)
LMUL = Candidate("lmul", "", 1.22, 1000.0)
SCALED = Candidate("lmul", "gain=1.05", 1.08, 1000.0)


def test_the_least_energy_of_the_accurate_ones_is_taken() -> None:
    found = recommend([EXACT, ADDM, LMUL], ACCEPTED, SURE)
    assert (found.best, found.ties, found.nearest, found.unknown) == (ADDM, [], EXACT, [])


def test_a_free_scale_counts_for_every_side() -> None:
    found = recommend([EXACT, ADDM, LMUL, SCALED], ACCEPTED, SURE)
    assert found.best == SCALED
    accurate = Candidate("addm", "gain=0.98", 1.04, 1050.0)
    assert recommend([ADDM, accurate], ACCEPTED, SURE).best == accurate


def test_no_difference_is_a_tie() -> None:
    found = recommend([EXACT, ADDM, LMUL, SCALED], ACCEPTED, NOISY)
    assert (found.best, found.ties) == (SCALED, [ADDM])


def test_one_seed_alone_ties_all() -> None:
    unknown = Noise(dict.fromkeys(FIGURES, float("inf")), 0)
    assert recommend([EXACT, ADDM, SCALED], ACCEPTED, unknown).ties == [EXACT, ADDM]


def test_where_none_is_accurate_none_is_recommended() -> None:
    found = recommend([LMUL, Candidate("exact", "", 1.13, 1300.0)], ACCEPTED, SURE)
    assert found.best is None and found.nearest == Candidate("exact", "", 1.13, 1300.0)


def test_of_a_multiplier_without_accuracy_nothing_is_recommended() -> None:
    plug_in = Candidate("mine", "", None, 10.0)
    found = recommend([EXACT, plug_in], ACCEPTED, SURE)
    assert (found.best, found.unknown) == (EXACT, ["mine"])
    alone = recommend([plug_in], ACCEPTED, SURE)
    assert (alone.best, alone.nearest, alone.unknown) == (None, None, ["mine"])
