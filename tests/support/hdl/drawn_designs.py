"""Designs drawn from all options that there are, small enough to be written and proven in a second."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from lmul.design import CARRIES, DATAFLOWS, PARAMETERS, PIPELINE_LIMIT, Design, make_design
from lmul.errors import UserError
from lmul.golden import FORMATS, MULTIPLIERS, OUTPUTS, OVERFLOWS, SUBNORMALS
from lmul.golden.formats.block_scale import SCALES
from lmul.golden.formats.format import INTEGERS
from lmul.hdl.framework.supported import check_built

SEED = 24

KINDS = ("mul", "dot", "array")

MOST_OPERAND_BITS = 192
"""Of all lanes, rows and columns of a design."""


def drawn_designs() -> Iterator[Design]:
    """Draw designs with hardware, each once, kinds in turn; for ever, and always the same ones."""
    rng = np.random.default_rng(SEED)
    seen: set[Design] = set()
    while True:
        kind = KINDS[len(seen) % len(KINDS)]
        choices = _choices(kind, rng)
        options = {
            name: choices[name] for name in (*PARAMETERS[kind], "format_a", "format_b") if name in choices
        }
        try:
            design = make_design(kind, **options)
            check_built(design)
        except UserError:
            continue
        if design not in seen and operand_bits(design) <= MOST_OPERAND_BITS:
            seen.add(design)
            yield design


def drawn_dots(count: int, wanted: Callable[[Design], bool]) -> list[Design]:
    """Give the first dot products that are wanted, with the reset that benches of many designs have."""
    dots = (design for design in drawn_designs() if design.kind == "dot" and wanted(design))
    return [replace(dot, reset="sync", reset_active="high", reset_name="rst") for dot in islice(dots, count)]


def _choices(kind: str, rng: np.random.Generator) -> dict[str, Any]:
    """Draw a value of every option; formats that are narrow more often, since all is built for them."""

    def one(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    def format_() -> str:
        odd = f"e{rng.integers(2, 9)}m{rng.integers(1, 8 if kind != 'mul' else 24)}"
        return str(one(*FORMATS, odd, odd, odd, odd))

    # A bound from an option's range, one from around a product of e4m3, and one from anywhere.
    fixed = f"fixed:{one(2, 9, 16, 24, 32, 70, 128)}:{one(-40, -16, -8, -6, -3, 0, 1, 3)}"
    fused = f"fused:{one(4, 9, 13, 25, 40)}:{one(1, 5, 7, 13, 23)}{one('', '', ':rne')}"
    same = kind == "mul" or one(0, 0, 1) == 0
    numbers = {"format": format_()} if same else {"format_a": format_(), "format_b": format_()}
    integer = {"format_a": one(*INTEGERS), "format_b": one(*INTEGERS), "mul": "exact"}
    integer |= {"acc": one("exact", f"fixed:{one(9, 12, 20)}:0"), "out": one("raw", "fp32")}
    integer |= {"subnormals": "flush", "overflow": "saturate"}
    scale = one(*SCALES.values())
    scaled = {"scale": scale.name, "acc": fused, "lanes": one(1, 2, 4) if scale.group == 1 else scale.group}
    scaled |= {"format_a": one(*scale.formats), "format_b": one(*scale.formats)}
    return {
        "mul": one(*MULTIPLIERS),
        "acc": one("exact", "exact", fixed, fixed, "fp32", "bf16", "fp16", fused),
        "out": one(*OUTPUTS),
        "subnormals": one(*SUBNORMALS),
        "overflow": one(*OVERFLOWS),
        "pipeline": int(rng.integers(PIPELINE_LIMIT + 1)),
        "carry": one(*CARRIES),
        "dataflow": one(*DATAFLOWS),
        "reset": one("sync", "sync", "sync", "async"),
        "reset_active": one("high", "high", "high", "low"),
        "lanes": int(rng.integers(1, 9 if kind == "dot" else 4)),
        "rows": int(rng.integers(1, 5)),
        "cols": int(rng.integers(1, 5)),
        "share": one(1, 2, 8),
        "depth": one(None, 4, 100, 2048) if kind == "array" else one(4, 100, 2048),
        **one(numbers, numbers, numbers, integer, scaled),
    }


def operand_bits(design: Design) -> int:
    """Give the operand bits of all lanes, rows and columns."""
    first, second = (format_.width * design.lanes for format_ in design.formats)
    return design.rows * first + design.cols * second if design.kind == "array" else first + second
