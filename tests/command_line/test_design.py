"""Designs: their defaults, their names and arguments, and one line for every parameter that is wrong."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from lmul.design import LIMITS, PARAMETERS, PIPELINE_LIMIT, Design, make_design
from lmul.errors import UserError
from lmul.golden import ACCUMULATORS, E4M3, E5M2, FORMATS, MULTIPLIERS, OUTPUTS
from lmul.kinds import KINDS
from lmul.options import key

DESIGNS = {
    "mul, defaults": make_design("mul"),
    "dot, defaults": make_design("dot"),
    "array, defaults": make_design("array"),
    "mul": make_design("mul", mul="exact", subnormals="full", overflow="ieee", pipeline=2),
    "dot": make_design("dot", mul="exact", out="raw", lanes=5, depth=77),
    "array": make_design("array", mul="exact", out="raw", lanes=2, rows=3, cols=5, depth=77, share=2),
    "array, ws": make_design("array", dataflow="ws", pipeline=2, acc="fp16", rows=3),
    "dot, two formats": make_design("dot", format_b="e2m1", acc="fixed:24:-8", subnormals="full"),
}


def message(kind: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        make_design(kind, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("option", "known"),
    [("format", FORMATS), ("mul", MULTIPLIERS), ("acc", ACCUMULATORS), ("out", OUTPUTS)],
)
@pytest.mark.parametrize("name", ["", "nope", "E4M3", "fp32 ", "two\nlines"])
def test_unknown_names_take_one_line_with_the_known_ones(
    option: str, known: dict[str, Any], name: str
) -> None:
    text = message("dot", **{option: name})
    assert text.startswith(f"{option} {name!r} is unknown: it must be one of {', '.join(known)}")


def test_unknown_kind_takes_one_line_with_the_known_ones() -> None:
    assert message("matrix") == "design 'matrix' is unknown: it must be one of mul, dot, array"


@pytest.mark.parametrize("size", LIMITS)
@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -1,
        10**6,
        2.0,
        "4",
        True,
    ],
)
def test_wrong_sizes_take_one_line_with_the_range(size: str, wrong: Any) -> None:
    text = message("array", **{size: wrong})
    assert text == f"{size} must be a whole number from 1 to {LIMITS[size]}, not {wrong!r}"


@pytest.mark.parametrize("size", LIMITS)
def test_sizes_reach_from_one_to_their_limit(size: str) -> None:
    limit = LIMITS[size]
    for right in (1, limit):
        options: dict[str, Any] = {size: right}
        assert make_design("array", **options).parameters()[size] == right
    assert message("array", **{size: limit + 1}).endswith(f"from 1 to {limit}, not {limit + 1}")


@pytest.mark.parametrize("kind", KINDS)
def test_defaults(kind: str) -> None:
    lanes = {"mul": 1, "dot": 8, "array": 4}[kind]
    assert make_design(kind) == Design(
        kind=kind, format=E4M3, mul="lmul", acc="exact", out="fp32", lanes=lanes, rows=4, cols=4, depth=2048
    )


def test_parameters_are_only_those_that_count() -> None:
    assert DESIGNS["mul"].parameters() == {
        "kind": "mul",
        "format": "e4m3",
        "mul": "exact",
        "subnormals": "full",
        "overflow": "ieee",
        "pipeline": 2,
    }
    dot = {
        "kind": "dot",
        "format": "e4m3",
        "mul": "exact",
        "acc": "exact",
        "out": "raw",
        "lanes": 5,
        "depth": 77,
        "subnormals": "flush",
        "pipeline": 0,
        "carry": "propagate",
    }
    assert DESIGNS["dot"].parameters() == dot
    sizes = {"lanes": 2, "rows": 3, "cols": 5, "share": 2}
    assert DESIGNS["array"].parameters() == dot | {"kind": "array", "dataflow": "os"} | sizes


@pytest.mark.parametrize("label", DESIGNS)
def test_arguments_make_the_same_design(label: str) -> None:
    design = DESIGNS[label]
    kind, *arguments = design.arguments()
    options: dict[str, Any] = dict(argument.removeprefix("--").split(" ") for argument in arguments)
    assert set(options) <= {key(name) for name in PARAMETERS[kind]}
    options = {name.replace("-", "_"): value for name, value in options.items()}
    numbers = {name: int(text) for name, text in options.items() if name in (*LIMITS, "pipeline")}
    assert make_design(kind, **options | numbers) == design


def test_designs_are_values() -> None:
    design = make_design("dot")
    assert len({design, make_design("dot"), make_design("array")}) == 2
    with pytest.raises(FrozenInstanceError):
        design.lanes = 4  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
def test_another_multiplier_changes_nothing_else(kind: str) -> None:
    assert make_design(kind).with_mul("exact") == make_design(kind, mul="exact")
    with pytest.raises(UserError, match=r"^mul 'nope'"):
        make_design(kind).with_mul("nope")


def test_names_are_identifiers_that_tell_multipliers_and_sizes_apart() -> None:
    sizes: tuple[dict[str, Any], ...] = ({"lanes": 3}, {"rows": 3}, {"cols": 3})
    designs = [
        *(make_design(kind, mul=mul) for kind in KINDS for mul in MULTIPLIERS),
        *(replace(make_design(kind), format=E5M2) for kind in KINDS),
        make_design("dot", lanes=3),
        *(make_design("array", **size) for size in sizes),
        *(make_design("mul", pipeline=stages) for stages in range(1, PIPELINE_LIMIT + 1)),
        *(make_design("array", **choice) for choice in ({"dataflow": "ws"}, {"share": 1}, {"carry": "save"})),
        *(make_design("mul", **policy) for policy in ({"subnormals": "full"}, {"overflow": "ieee"})),
        *(make_design(kind, depth=64) for kind in ("dot", "array")),
        make_design("array", depth=64, dataflow="ws"),
    ]
    names = [design.name for design in designs]
    assert all(name.isidentifier() and name.isascii() for name in names)
    assert len(set(names)) == len(names)


def test_one_format_or_two() -> None:
    mixed = make_design("dot", format="e5m2", format_b="e2m1")
    assert [f.name for f in mixed.formats] == ["e5m2", "e2m1"]
    assert mixed.parameters()["format_a"] == "e5m2"
    assert make_design("dot", format_a="e5m2", format_b="e5m2") == make_design("dot", format="e5m2")
    none = "format_b e2m1 beside e4m3: such a product has no format, but of integers"
    assert message("mul", format_b="e2m1") == none
    assert "not for integers: take exact or fixed:BITS:0, or" in message("dot", format="int8", acc="h100")
    assert make_design("mul", format_b="int4", format_a="int8").mul == "exact"
    assert message("mul", lanes=2).startswith("lanes means nothing to mul: it takes format, format_a, ")
    assert message("mul", format="e9m1").startswith("format 'e9m1' is unknown")
    assert message("dot", format_a="").startswith("format_a '' is unknown")
    every = message("dot", format="bf16", format_a="e4m3", format_b="e4m3")
    assert every.startswith("format means nothing beside format_a and format_b")


@pytest.mark.parametrize("wrong", [-1, PIPELINE_LIMIT + 1, 1.0, True])
@pytest.mark.parametrize("kind", KINDS)
def test_pipeline_has_a_limit(kind: str, wrong: Any) -> None:
    assert message(kind, pipeline=wrong) == (
        f"pipeline must be a whole number from 0 to {PIPELINE_LIMIT}, not {wrong!r}"
    )
    longest, shortest = (make_design(kind, pipeline=stages).latency for stages in (PIPELINE_LIMIT, 0))
    assert longest - shortest == PIPELINE_LIMIT


def test_choices_of_an_array_take_one_line_with_the_known_ones() -> None:
    assert message("array", dataflow="is") == "dataflow 'is' is unknown: it must be one of os, ws"
    assert message("dot", carry="skip") == "carry 'skip' is unknown: it must be one of propagate, save"
    for name in ("dataflow", "share", "rows", "cols"):
        assert message("dot", **{name: 1}).startswith(f"{name} means nothing to dot")


@pytest.mark.parametrize(
    ("options", "latency"),
    [
        ({"share": 1}, 4 + 6 + 2),
        ({"share": 2}, 1 + 2 + 4),
        ({"share": 32}, 4),
        ({"share": 1, "pipeline": 3, "carry": "save"}, 4 + 6 + 2 + 4),
        ({"dataflow": "ws", "share": 1}, 4 + 6 + 1),
        ({"dataflow": "ws", "share": 5, "pipeline": 3}, 4 + 1 + 2 + 3),
    ],
)
def test_latency_of_arrays_is_the_way_of_their_waves(options: dict[str, Any], latency: int) -> None:
    assert make_design("array", rows=4, cols=6, **options).latency == latency


def test_weight_stationary_accumulator_is_as_deep_as_the_array() -> None:
    assert make_design("array", dataflow="ws", rows=3, lanes=5).depth == 15
    assert make_design("array", dataflow="ws", rows=3, depth=77).depth == 77
    assert make_design("array", rows=3, lanes=5).depth == 2048


def test_depth_that_is_usual_or_changes_no_bit_is_not_in_the_name() -> None:
    usual = make_design("array", dataflow="ws", rows=3, lanes=5, depth=15)
    assert usual.name == make_design("array", dataflow="ws", rows=3, lanes=5).name
    assert make_design("dot", acc="fp32", depth=64).name == make_design("dot", acc="fp32").name


@pytest.mark.parametrize(
    "acc", ["fixed:\uff12\uff14:1", "fixed:\u0662\u0664:1", "fixed:" + "9" * 5000 + ":1"]
)
def test_numbers_of_an_accumulator_are_short_and_ascii(acc: str) -> None:
    assert message("dot", acc=acc).startswith("acc 'fixed:")


def test_parameters_that_contradict_each_other_are_refused() -> None:
    assert message("mul", mul="addc", format="bf16").startswith("mul 'addc' is defined for at most 4")
    assert message("dot", acc="fixed:1:0").startswith("acc 'fixed:1:0' is out of range")
    assert message("dot", overflow="ieee").startswith("overflow means nothing to dot")


def test_throughput_is_a_product_for_every_multiplier() -> None:
    assert [DESIGNS[kind].products_per_cycle for kind in KINDS] == [1, 5, 30]
