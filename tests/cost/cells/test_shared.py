"""Blocks that designs have in common have one netlist, and ratios then tell what the products did."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lmul.cost.cells.measure import Conditions
from lmul.cost.cells.noise import AREA, ENERGY, ratios
from lmul.cost.cells.shared import Shared, estimate_shared, shared_figures
from lmul.cost.library.reader import default_library
from lmul.cost.netlist.modules import read_modules
from lmul.design import make_design
from lmul.workloads import default_operands

MULTIPLIERS = ("mitchell", "lmul", "exact")


def shared(
    kind: str, cache: Path, seeds: int, *, muls: Sequence[str] = MULTIPLIERS, **options: object
) -> Shared:
    designs = [make_design(kind, mul=mul, acc="fixed:16:1", out="raw", **options) for mul in muls]  # type: ignore[arg-type]
    conditions = Conditions(seeds=seeds, precision=0.05)
    return estimate_shared(
        designs, default_operands()[:1], default_library(), conditions=conditions, cache=cache
    )


@pytest.fixture(scope="module")
def dot(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    return shared("dot", tmp_path_factory.mktemp("cells"), 2, lanes=2)


def test_blocks_of_the_same_logic_are_the_same_cells(dot: Shared) -> None:
    modules = [read_modules(cost.mapped.json) for cost in dot.costs]
    for name in dot.alike:
        bodies = [
            {modules_.block(full): body for full, body in modules_.bodies.items()}[
                "" if name == "top" else name
            ]
            for modules_ in modules
        ]
        kinds = [sorted(cell["type"] for cell in body["cells"].values()) for body in bodies]
        # Cells of the library alone; instances of blocks have the design's name in theirs.
        own = [
            [kind for kind in each if not kind.startswith(m.top)]
            for each, m in zip(kinds, modules, strict=True)
        ]
        assert own[0] == own[1] == own[2], name
    assert "mac" in dot.alike and "product" not in dot.alike
    areas = [{name: block.area_um2 for name, block in cost.measured.blocks.items()} for cost in dot.costs]
    assert areas[0]["mac"] == areas[1]["mac"] == areas[2]["mac"]
    assert areas[1]["product"] < areas[2]["product"]
    assert dot.share == pytest.approx(
        sum(areas[2][name] for name in areas[2] if (name or "top") in dot.alike) / sum(areas[2].values())
    )


def test_designs_that_differ_in_a_constant_differ_in_their_products_alone(dot: Shared) -> None:
    areas = [{name: block.area_um2 for name, block in cost.measured.blocks.items()} for cost in dot.costs[:2]]
    assert {name for name in areas[0] if areas[0][name] != areas[1][name]} <= {"product"}
    ours = ratios(dot.costs, paired=True)
    assert ours[0][AREA].value == pytest.approx(ours[1][AREA].value, abs=0.02)


def test_one_seed_is_kept_for_all_sides(dot: Shared) -> None:
    assert len({cost.script.rpartition(":")[2] for cost in dot.costs}) == 1
    assert len({cost.script.partition(",")[0] for cost in dot.costs}) == 1
    assert all(len(cost.of_seeds) == 2 for cost in dot.costs)
    figures = shared_figures(dot)
    json.dumps(figures)
    assert figures[0]["ratios"]["over"] == "exact" and "ratios" not in figures[-1]
    low, high = figures[0]["ratios"][ENERGY][1:]
    assert low < figures[0]["ratios"][ENERGY][0] < high


def test_an_array_is_shared_as_its_part_is(tmp_path: Path) -> None:
    found = shared("array", tmp_path, 1, muls=MULTIPLIERS[1:], lanes=1, rows=5, cols=1)
    assert all(cost.part is not None for cost in found.costs)
    areas = [{name: block.area_um2 for name, block in cost.measured.blocks.items()} for cost in found.costs]
    assert areas[0]["product"] < areas[1]["product"]
    assert all(
        areas[0][name] == pytest.approx(areas[1][name]) for name in ("array", "core", "element", "mac")
    )
