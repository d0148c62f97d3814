"""Which arithmetic to build: by one rule, of made-up figures and of those that are recorded."""

import pytest

from lmul.design import make_design
from lmul.llm.arithmetics import recorded_arithmetics
from lmul.llm.suites import arithmetics_suite
from lmul.report.arithmetics import Point, choose, on_front, recorded_points, scale_ratios
from lmul.report.sections.arithmetics import arithmetics_chart, arithmetics_sentences, arithmetics_table
from lmul.scheme import parse_scheme


def point(words: str, energy: float, ratio: float, half_width: float = 0.02) -> Point:
    return Point(words, energy, energy, energy, ratio, half_width, 1024, ("cost", "llm"), energy)


WIDE = point("exact,e4m3,all-but-head", 200, 1.05)
NARROW = point("exact,e4m3,all-but-head,acc=fused:13:13,lanes=16", 150, 1.06)
COARSE = point("exact,e4m3,all-but-head,acc=fused:4,lanes=16", 50, 1.5)
INTEGER = point("exact,int8,row,all-but-head", 100, 1.03)
ADDED = point("lmul,e4m3,all-but-head,acc=fused:25,lanes=16", 90, 1.2)


def test_the_least_energy_of_those_as_accurate_as_conventional_fp8_is_chosen() -> None:
    found = choose([WIDE, NARROW, COARSE, INTEGER, ADDED])
    assert found is not None
    # The coarse sum is no standard: it is not as accurate as exact sums are.
    assert found.level == pytest.approx(1.07) and found.standard == NARROW
    assert found.best == INTEGER and found.share == pytest.approx(100 / 150) and found.dominates
    assert list(found.nearest) == [ADDED, COARSE] and list(found.ties) == []


def test_what_is_less_accurate_dominates_nothing() -> None:
    found = choose([WIDE, NARROW, ADDED])
    assert found is not None and found.best is found.standard is NARROW and not found.dominates
    assert list(found.nearest) == [ADDED]


def test_energies_of_which_no_difference_is_shown_are_ties() -> None:
    other = point("addc,e4m3,all-but-head,acc=fused:25,lanes=16", 101, 1.05)
    found = choose([WIDE, INTEGER, other])
    assert found is not None and found.best == INTEGER and list(found.ties) == [other]


def test_without_conventional_fp8_with_exact_sums_nothing_is_chosen() -> None:
    assert choose([INTEGER, ADDED]) is None and choose([NARROW, ADDED]) is None
    scaled = point("exact,e4m3,all-but-head,acc=fused:25,lanes=16,scale=mx", 200, 1.0)
    assert not scaled.standard and choose([scaled]) is None


def test_what_block_scales_take_is_beside_the_same_unit_without() -> None:
    scaled = point("exact,e4m3,scale=mx,all-but-head,acc=fused:13:13,lanes=16", 165, 1.09)
    other = point("exact,e4m3,scale=mx,all-but-head,acc=fused:25,lanes=16", 165, 1.09)
    found = scale_ratios([NARROW, WIDE, INTEGER, scaled, other])
    assert list(found) == [scaled] and found[scaled].value == pytest.approx(1.1)
    *_, told = arithmetics_sentences()
    assert told.startswith("Area with block scales") and "lmul e4m3 scale=mx fused:13:13 1.0" in told


def test_the_front_is_of_energy_and_perplexity() -> None:
    assert on_front([WIDE, NARROW, COARSE, INTEGER, ADDED]) == [False, False, True, True, True]


def test_names_leave_out_what_all_have_in_common() -> None:
    assert NARROW.name == "exact e4m3 fused:13:13" and INTEGER.name == "exact int8 row"


def test_units_that_are_recorded_have_the_arithmetic_that_was_read_with() -> None:
    for row in recorded_arithmetics():
        scheme, design = parse_scheme(row["arithmetic"]), make_design(**row["unit"]["design"])
        assert scheme is not None
        for name in ("mul", "formats", "acc", "scale", "subnormals"):
            assert getattr(scheme.arithmetic, name) == getattr(design, name), (row["arithmetic"], name)
        assert design.lanes == 16 and row["arithmetic"] in row["model"]["measured_by"]


def test_what_is_recorded_is_of_the_suite_and_told() -> None:
    words = [one.words for one in recorded_points()]
    assert words == [name for name in arithmetics_suite() if name in words] and len(words) >= 3
    schemes = [parse_scheme(name) for name in arithmetics_suite()]
    assert all(scheme and scheme.scope == "all-but-head" for scheme in schemes)
    assert len({scheme.name for scheme in schemes if scheme}) == len(schemes)
    assert len(arithmetics_table().rows) == len(words)
    named = [row for row in arithmetics_chart().values if row["front"] != "beaten"]
    assert named and all(row["label"] == row["front"] for row in named)
    assert all(arithmetics_sentences())
