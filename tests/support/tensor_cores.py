"""Steps of tensor cores, of a published model and measured: what each is, and how it was called."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmul.golden import Arithmetic, find_format, fused_step
from lmul.golden.accumulators import UNITS, tensor_core

MODELLED = Path(__file__).parent / "vectors" / "tensor_core.npz"

MEASURED = Path(os.environ.get("LMUL_VECTORS", ""), "silicon.npz")

Steps = Mapping[str, NDArray[Any]]


def combinations(file: Path) -> list[str]:
    """Name the combinations of a file without block scales, none where there is no such file."""
    if not file.is_file():
        return []
    with np.load(file) as stored:
        names = sorted({key.rpartition("/")[0] for key in stored})
        return [name for name in names if f"{name}/sa" not in stored]


def steps(file: Path, name: str) -> Steps:
    """Read a, b, c and d of a combination."""
    with np.load(file) as stored:
        return {part: stored[f"{name}/{part}"] for part in "abcd"}


def arithmetic(name: str, mul: str = "exact") -> Arithmetic:
    """Give the arithmetic of a combination, such as `h100-fp8/e4m3xe5m2` or `a100/tf32`."""
    unit, _, formats = name.partition("/")
    pair = [find_format("e8m10" if word == "tf32" else word) for word in formats.split("x")]
    first, second = pair[0], pair[-1]
    gpu = unit.partition("-")[0]
    assert gpu in UNITS
    _, _, lanes = tensor_core(gpu, (first, second))
    return Arithmetic(
        format=first,
        format_b=second if second != first else None,
        mul=mul,
        acc=gpu,
        lanes=lanes,
        out="raw",
        subnormals="full",
    )


def canonical(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Give codes of fp32 with one NaN."""
    nan = (codes & 0x7FFFFFFF) > 0x7F800000
    return np.where(nan, np.uint32(0x7FC00000), codes)


def called(name: str, given: Steps) -> NDArray[np.uint32]:
    """Give d as the units were called: a step, two of half the lanes, or one from 0 to which c is added."""
    unit, _, format_ = name.partition("/")
    a, b, c, own = given["a"], given["b"], given["c"], arithmetic(name)
    if (unit, format_ in {"e4m3", "e5m2"}) == ("b200", True):
        product = fused_step(a, b, np.zeros_like(c), own)
        with np.errstate(over="ignore", invalid="ignore"):
            return (product.view(np.float32) + c.view(np.float32)).view(np.uint32)
    for first in range(0, a.shape[1], own.lanes if unit == "ada" else a.shape[1]):
        part = slice(first, first + (own.lanes if unit == "ada" else a.shape[1]))
        c = fused_step(a[:, part], b[:, part], c, own)
    return c
