"""Which scripts of mapping are tried: the slow ones only where a cheaper one came close."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from lmul.cost.cells.estimate import Cost, estimate
from lmul.cost.cells.measure import Block, Conditions, Measured
from lmul.cost.library.reader import default_library
from lmul.cost.mapping.designs import scripts_for
from lmul.cost.mapping.scripts import CLOSE, SynthesisScript, hopeless, with_seeds
from lmul.cost.power.energy import Energy
from lmul.design import make_design
from lmul.workloads import default_operands

OTHER, CHEAP = SynthesisScript("other", (), ""), SynthesisScript("cheap", (), "")
SLOW = SynthesisScript("slow", (), "", after="cheap")
ALL = (SLOW, OTHER, CHEAP)


def test_a_script_is_hopeless_where_the_one_before_it_was_far_from_the_best() -> None:
    far, near = CLOSE + 0.01, CLOSE - 0.01
    assert hopeless(ALL, {"other": 5.0, "cheap": 5.0 * far}) == {"slow": pytest.approx(far)}
    assert hopeless(ALL, {"other": 5.0, "cheap": 5.0 * near}) == {}
    assert hopeless(ALL, {"other": 5.0, "cheap": 4.0}) == {}


def test_nothing_is_hopeless_before_anything_was_tried() -> None:
    assert hopeless(ALL, {}) == {}
    assert hopeless(ALL, {"other": 1.0}) == {}


def test_what_one_seed_tries_does_not_depend_on_another() -> None:
    scripts = with_seeds(ALL, 2)
    products = {"other:1": 10.0, "cheap:1": 10.0, "other:2": 1.0, "cheap:2": 2.0}
    assert hopeless(scripts, products) == {"slow:2": 2.0}


@dataclass
class Tried:
    """An estimate of made-up products of area and energy."""

    cost: Cost
    mapped: list[str]
    told: list[tuple[int, int]]


def try_scripts(
    monkeypatch: pytest.MonkeyPatch, products: Mapping[str, float], conditions: Conditions
) -> Tried:
    mapped: list[str] = []

    def map_to_cells(*_: Any, scripts: Sequence[SynthesisScript], progress: Any, **__: Any) -> dict[str, Any]:
        for done, script in enumerate(scripts, start=1):
            mapped.append(script.name)
            progress(done, len(scripts))
        return {script.name: SimpleNamespace(library=None) for script in scripts}

    def measure_under(_: Any, netlists: Mapping[str, Any], *__: Any) -> Iterator[tuple[str, Measured]]:
        for name in netlists:
            block = Block(1.0, {}, *[Energy(products[name], 0.0, 0.0, 0.0)] * 4)
            yield name, Measured({"": block}, 1.0, 1.0, (), 0.0, 1, 1)

    monkeypatch.setattr("lmul.cost.cells.estimate.map_to_cells", map_to_cells)
    monkeypatch.setattr("lmul.cost.cells.estimate.measure_under", measure_under)
    told: list[tuple[int, int]] = []
    cost = estimate(
        make_design("mul", format="e2m1"),
        default_operands()[:1],
        default_library(),
        conditions=conditions,
        scripts=ALL,
        progress=lambda done, total: told.append((done, total)),
    )
    return Tried(cost, mapped, told)


def test_hopeless_scripts_are_not_mapped_but_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = try_scripts(monkeypatch, {"other": 1.0, "cheap": 2.0}, Conditions())
    assert tried.mapped == list(tried.cost.candidates) == ["other", "cheap"]
    assert tried.cost.stopped == {"slow": 2.0}
    assert tried.told[-1] == (4, 4)


def test_scripts_that_may_win_are_mapped_and_keep_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = try_scripts(monkeypatch, {"other": 1.0, "cheap": 1.0, "slow": 0.5}, Conditions())
    assert tried.mapped == ["other", "cheap", "slow"]
    assert list(tried.cost.candidates) == ["slow", "other", "cheap"]
    assert (tried.cost.script, tried.cost.stopped) == ("slow", {})
    assert tried.told[-1] == (6, 6)


def test_under_a_clock_every_script_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    products = {"other": 1.0, "cheap": 2.0, "slow": 3.0}
    tried = try_scripts(monkeypatch, products, Conditions(period_ps=500.0))
    assert set(tried.mapped) == set(products)
    # Far behind as the one before it was, what it gives is kept: it may be the one that meets the period.
    assert (set(tried.cost.candidates), tried.cost.stopped) == (set(products), {})


@pytest.mark.parametrize("format_", ["e2m1", "e4m3", "fp16", "fp32"])
@pytest.mark.parametrize("adder", [True, False])
def test_a_script_comes_after_one_that_is_always_tried(format_: str, adder: bool) -> None:
    scripts = [one for one in scripts_for(make_design("mul", format=format_)) if one.suits(adder)]
    first = {script.name for script in scripts if not script.after}
    assert {script.after for script in scripts if script.after} <= first


@pytest.mark.parametrize("adder", [True, False])
def test_sums_have_scripts_with_and_without_full_adders_of_the_library(adder: bool) -> None:
    scripts = [one for one in scripts_for(make_design("dot", lanes=8)) if one.suits(adder)]
    assert len(scripts) >= 2
    assert all(script.full_adders == adder for script in scripts)
