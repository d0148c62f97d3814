"""What several test files share: drawn operands, exported designs, mapped netlists."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Elaboratable
from numpy.typing import NDArray

from lmul.design import Design
from lmul.hdl import Export, export

# Components that are only asked for their ports would warn in whichever test collects them.
Elaboratable._MustUse__silence = True

Matrices = list[tuple[NDArray[Any], NDArray[Any]]]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory that the workers of one run of pytest share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def cells(shared: Path) -> Path:
    """Directory of mapped netlists."""
    directory = shared / "cells"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture
def export_to(tmp_path: Path) -> Callable[[Design], tuple[Export, Path]]:
    """Write a design's Verilog into the test's directory."""

    def write(design: Design) -> tuple[Export, Path]:
        text = export(design)
        path = tmp_path / f"{text.name}.v"
        path.write_text(text.verilog)
        return text, path

    return write


@pytest.fixture
def draw_codes() -> Callable[..., Matrices]:
    """Draw matrix products of e4m3 codes of every kind; NaN, infinite storms and all, if asked."""

    def draw(*shapes: tuple[int, int, int], seed: int = 1, nan: float = 0.0) -> Matrices:
        rng = np.random.default_rng(seed)
        products = []
        for rows, depth, cols in shapes:
            pair = []
            for shape in ((rows, depth), (depth, cols)):
                codes = rng.integers(0, 256, shape).astype(np.uint8)
                codes = np.where(codes % 128 == 127, codes - 1, codes)
                pair.append(np.where(rng.random(shape) < nan, codes | 0x7F, codes).astype(np.uint8))
            products.append((pair[0], pair[1]))
        return products

    return draw
