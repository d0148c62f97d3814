"""Dot products and arrays of every format, multiplier, accumulator and output equal the golden model."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations, cycle, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmul.design import Design, make_design
from lmul.errors import UserError
from lmul.golden import Format, quantise
from lmul.golden.formats.format import Integer
from lmul.hdl import Export, export
from lmul.hdl.framework.supported import check_built
from lmul.sim.simulate import SimulationRun, simulate
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.stress_operands import terms_beyond_output
from tests.support.golden.cases import edge_codes
from tests.support.hdl.drawn_designs import drawn_dots
from tests.support.hdl.matrix.batch import simulate_batch

ExportTo = Callable[[Design], tuple[Export, Path]]

CHOICES: dict[str, tuple[Any, ...]] = {
    "format_a": ("e4m3", "e5m2", "e3m4", "e3m2", "e2m3", "e2m1", "bf16", "fp16", "e6m5"),
    "format_b": (None, "e2m1", "e5m2", "e8m4"),
    "mul": ("lmul", "mitchell", "addm", "addc", "exact"),
    "acc": (
        *("exact", "fixed:24:-6", "fixed:9:3", "fixed:70:-40", "fp32", "bf16", "fp16"),
        *("fused:25", "fused:13:13", "fused:7:5:rne"),
    ),
    "out": ("fp32", "bf16", "raw"),
    "lanes": (1, 2, 3, 4, 5),
    "subnormals": ("flush", "full"),
    "pipeline": (0, 1, 2, 3, 4),
    "carry": ("propagate", "save"),
    "interleave": (1, 2, 3),
    "addend": (False, True),
    "isolate": (False, True),
}

ARRAYS = [
    ("array", {"format": "bf16", "acc": "fp32", "out": "bf16", "lanes": 2, "rows": 2, "cols": 3}),
    ("array", {"format_a": "e3m2", "format_b": "e2m1", "acc": "fixed:9:3", "lanes": 1, "rows": 3, "cols": 2}),
    ("array", {"format_a": "e5m2", "subnormals": "full", "out": "raw", "lanes": 3, "rows": 1, "cols": 2}),
    ("array", {"format": "e8m2", "acc": "fixed:9:120", "dataflow": "ws", "pipeline": 3, "cols": 2}),
    (
        "array",
        {
            "format": "e5m2",
            "mul": "exact",
            "acc": "h100",
            "subnormals": "full",
            "pipeline": 2,
            "interleave": 2,
            "lanes": 3,
            "rows": 2,
            "cols": 1,
        },
    ),
    (
        "array",
        {"format": "bf16", "acc": "fused:9:7:rne", "dataflow": "ws", "pipeline": 2, "lanes": 2, "cols": 2},
    ),
]

OUTPUTS_TOO_SMALL = [
    {"format": "bf16", "acc": "fp32", "out": "bf16", "lanes": 1},
    {"format": "bf16", "acc": "fp32", "out": "bf16", "mul": "exact", "pipeline": 4},
    {"format": "e8m2", "acc": "fixed:9:120", "lanes": 3},
    {"format": "bf16", "acc": "fixed:12:118", "out": "bf16", "pipeline": 3},
    {"format_a": "e5m2", "format_b": "e8m4", "acc": "fixed:11:119", "pipeline": 4, "lanes": 2},
]
"""Dot products with finite sums whose output is infinite."""


BATCH = 30
"""Designs in one simulation."""


CANDIDATES = 300
"""Designs that are drawn for each that is taken."""


@cache
def pairwise() -> Sequence[dict[str, Any]]:
    """Draw designs until every two choices of different options were together in one.

    Of those drawn at a time the one with most pairs that no other has had yet is taken.
    """
    rng = np.random.default_rng(1)
    seen: set[Any] = set()
    found: list[dict[str, Any]] = []
    misses = 0
    while misses < 3000 // CANDIDATES:
        drawn = [
            {name: values[rng.integers(len(values))] for name, values in CHOICES.items()}
            for _ in range(CANDIDATES)
        ]
        drawn.sort(key=lambda options: len(pairs(options) - seen), reverse=True)
        best = next(filter(is_built, drawn), None)
        if best is None or pairs(best) <= seen:
            misses += 1
            continue
        seen |= pairs(best)
        misses = 0
        found.append(best)
    return found


def pairs(options: dict[str, Any]) -> set[Any]:
    """Give every two choices of a design."""
    return set(combinations(options.items(), 2))


def is_built(options: dict[str, Any]) -> bool:
    """Tell whether there is hardware of a dot product."""
    try:
        check_built(make_design("dot", **options))
    except UserError:
        return False
    return True


def all_choices(format_a: str, format_b: str | None) -> Iterator[Design]:
    """Give all designs with hardware of two formats; the choices of structure take turns."""
    numeric = ("mul", "acc", "out", "subnormals")
    structures = [
        {"lanes": lanes, "pipeline": pipeline, "carry": carry}
        for lanes in (*CHOICES["lanes"], 8)
        for pipeline in CHOICES["pipeline"]
        for carry in CHOICES["carry"]
    ]
    turn = cycle(np.random.default_rng(1).permutation(len(structures)).tolist())
    for choice in product(*(CHOICES[name] for name in numeric)):
        options: dict[str, Any] = dict(zip(numeric, choice, strict=True))
        structure = structures[next(turn)]
        carry = structure["carry"] if options["acc"] == "exact" else "propagate"
        options |= structure | {"carry": carry, "format_a": format_a, "format_b": format_b}
        try:
            design = make_design("dot", **options)
            check_built(design)
        except UserError:
            continue
        yield design


def matrices(design: Design) -> Matrices:
    """Draw codes of every kind, edges, and numbers of one size, K of a few lanes and no multiple of them."""
    rng = np.random.default_rng(1)

    def codes(format_: Format, shape: tuple[int, int], kind: str) -> Any:
        if kind == "numbers":
            scaled = quantise(rng.normal(size=shape) * 2.0 ** rng.integers(-4, 4), format_)
            return scaled.codes
        usual = rng.integers(0, 1 << format_.width, shape)
        if not isinstance(format_, Integer):
            finite = (usual & format_.magnitude_mask) <= format_.largest_finite
            usual = np.where(finite | (rng.random(shape) < 0.05), usual, usual & format_.mantissa_mask)
        return (rng.choice(edge_codes(format_), shape) if kind == "edges" else usual).astype(format_.dtype)

    first, second = design.formats
    shapes = ((5, 1, 5), (6, 2 * design.lanes + 1, 4), (4, 4 * design.lanes, 4))
    products = [
        (codes(first, (m, k), kind), codes(second, (k, n), kind))
        for kind in ("any", "edges", "numbers")
        for m, k, n in shapes
    ]
    for sign in (0, 1):
        terms = terms_beyond_output(design, sign) or [(0, 0, 0)]
        a, b = np.array([codes for _, *codes in terms]).T
        products.append((a[None].astype(first.dtype), b[:, None].astype(second.dtype)))
    return products


def compare(design: Design, export_to: ExportTo, shared: Path) -> None:
    text, path = export_to(design)
    ports = text.port_names
    run = SimulationRun(
        design,
        [path],
        text.name,
        ports,
        matrices(design),
        path.parent / "build",
        testcase="pauses",
    )
    result = simulate(run)
    assert result.compared >= 3 * (25 + 24 + 16)


@pytest.mark.parametrize(("kind", "options"), ARRAYS)
def test_sums_of_arrays_are_right_for_codes_of_every_kind(
    kind: str, options: dict[str, Any], export_to: ExportTo, shared: Path
) -> None:
    compare(make_design(kind, **options), export_to, shared)


def compare_batch(designs: Sequence[Design], tmp_path: Path, shared: Path) -> None:
    products = [matrices(design) for design in designs]
    compared = simulate_batch(designs, products, tmp_path)
    assert compared == len(designs) * (3 * (25 + 24 + 16) + 2)


@pytest.mark.parametrize("batch", range(3))
def test_dot_products_are_right_for_every_two_choices(batch: int, tmp_path: Path, shared: Path) -> None:
    drawn = [make_design("dot", **options) for options in (*pairwise(), *OUTPUTS_TOO_SMALL)]
    compare_batch([*drawn, *drawn_dots(6, lambda design: design.integer)][batch::3], tmp_path, shared)


@pytest.mark.full
@pytest.mark.parametrize("format_b", CHOICES["format_b"])
@pytest.mark.parametrize("format_a", CHOICES["format_a"])
def test_dot_products_are_right_for_all_choices(
    format_a: str, format_b: str | None, tmp_path: Path, shared: Path
) -> None:
    designs = list(all_choices(format_a, format_b))
    for first in range(0, len(designs), BATCH):
        compare_batch(designs[first : first + BATCH], tmp_path / str(first), shared)


def test_designs_without_hardware_are_refused() -> None:
    for options, words in (
        ({"mul": "formula"}, "mul formula"),
        ({"format": "fp32", "acc": "fp32"}, "at most 16"),
        ({"format": "bf16", "acc": "exact"}, "more than 128"),
        ({"acc": "fixed:24:-130"}, "take out raw"),
    ):
        with pytest.raises(UserError, match=words):
            export(make_design("dot", **options))
