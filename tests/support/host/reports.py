"""A small report, made once."""

from pathlib import Path

import numpy as np
import pytest

from lmul.host.files import locked
from tests.support.cost.small_library import small_library
from tests.support.host.runs import run

SMALL = (
    *("report", "--formats=e2m1,int4", "--multipliers=lmul,exact"),
    *("--operands=small.npz", "--liberty=small.lib", "--build=build"),
)


REPORT_SECONDS = 900
"""Longest that a small report may take: half a minute, many times that on a busy machine."""


def shared_report(place: Path) -> Path:
    """Make a small report once for all test processes."""
    pytest.importorskip("vl_convert")
    with locked(place):
        if not (place / "out" / "index.html").exists():
            rng = np.random.default_rng(1)
            (place / "small.lib").write_text(small_library())
            np.savez(place / "small.npz", a=rng.normal(size=(8, 24)), b=rng.normal(size=(24, 8)))
            made = run(place, *SMALL, "--output=out", seconds=REPORT_SECONDS, cheap=True)
            assert made.status == 0, made
    return place
