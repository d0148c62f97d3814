"""The page of ports says of each design what its exports have."""

import re

import pytest

from lmul.design import Design, make_design
from lmul.hdl import export
from lmul.hdl.axi_stream import whole_bytes
from tests.support.paths import DOCS

DESIGNS = {
    "mul": [make_design("mul"), make_design("mul", format="bf16", pipeline=2)],
    "dot": [
        make_design("dot", lanes=3, format_a="e5m2", format_b="e2m1", out="bf16"),
        make_design("dot", lanes=2, acc="fixed:21:-8", out="raw", reset_active="low"),
        make_design("dot", lanes=3, acc="h100", addend=True),
        make_design("dot", lanes=32, acc="fused:35", format="e2m1", scale="nvfp4"),
    ],
    "dot --stream": [
        make_design("dot", lanes=3, format_a="e3m2", format_b="bf16", acc="fp16", stream=True),
        make_design("dot", lanes=3, acc="fused:7:5", addend=True, stream=True),
        make_design("dot", lanes=2, acc="fused:7:5", format="e2m3", addend=True, stream=True, scale="mx"),
    ],
    "array": [
        make_design("array", rows=2, cols=3, lanes=1, format="e2m1", acc="fused:9", scale="mx"),
        make_design("array", rows=2, cols=3, lanes=1, format_a="e3m2", acc="fixed:21:-8", out="raw"),
        make_design("array", rows=3, cols=1, lanes=1, format="e2m1", dataflow="ws"),
    ],
}


def tables() -> dict[str, list[list[str]]]:
    """Give the rows of ports below each heading that names a design."""
    sections = re.split(r"^## `(.*)`$", (DOCS / "ports.md").read_text(), flags=re.MULTILINE)[1:]
    rows = (re.findall(r"^\| (`.*) \|$", text, re.MULTILINE) for text in sections[1::2])
    return {
        name: [[cell.strip() for cell in row.split(" | ")] for row in found]
        for name, found in zip(sections[::2], rows, strict=True)
    }


def width(formula: str, design: Design) -> int:
    """Work out a width of the page."""
    first, second = design.formats
    letters = {"WA": first.width, "WB": second.width, "N": design.lanes, "A": design.output_bits}
    letters |= {"R": design.rows, "C": design.cols, "S": design.scales_a_step, "AD": 32 * design.addend}
    return int(eval(formula.strip("`"), {"bytes": whole_bytes}, letters))  # noqa: S307


@pytest.mark.parametrize(("name", "design"), [(name, one) for name, some in DESIGNS.items() for one in some])
def test_ports_of_an_export_are_those_of_the_page(name: str, design: Design) -> None:
    given = {"clk": design.clock_name, "rst": design.reset_name}
    written = []
    for port, direction, formula, there, meaning in tables()[name]:
        is_there = {"always": True, "with `--pipeline`": design.pipeline, "with `--addend`": design.addend}
        is_there["with `--scale`"] = design.block_scale
        assert meaning
        if is_there[there]:
            plain = port.strip("`")
            written.append((given.get(plain, plain), direction, width(formula, design)))
    found = [(port["name"], port["direction"], port["width"]) for port in export(design).ports]
    assert sorted(written) == sorted(found)


def test_every_design_has_a_table() -> None:
    assert tables().keys() == DESIGNS.keys()
