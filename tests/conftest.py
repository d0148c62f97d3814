"""What several test files share: random operands, exported designs, mapped netlists."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.hdl import Elaboratable

from lmul.design import Design
from lmul.hdl import Export, export
from lmul.sim.simulators import verilator
from lmul.sim.stimulus.quick import Matrices
from lmul.sim.stimulus.quick import draw_codes as draw
from tests.support.times import Times

# Components that are only asked for their ports would warn in whichever test collects them.
Elaboratable._MustUse__silence = True

# Designs are thousands of objects that live as long as a test: the search for garbage was 8 % of it.
gc.set_threshold(50_000, 20, 50)

# What runs for milliseconds is not worth optimising.
verilator.OPTIMISE = "-O0"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Have pytest write what the tests take: `tests/support/times.py`."""
    parser.addoption("--times", metavar="FILE", help="write the processor time of each file of tests")


def pytest_configure(config: pytest.Config) -> None:
    """Measure the tests if asked."""
    if config.getoption("times"):
        config.pluginmanager.register(Times(config))


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
    return draw
