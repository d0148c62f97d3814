"""What docs/contributing.md has people do: lists in the tests and the evidence have every row of the tables.

A row that one of them lacks would be a choice that nothing tests.
"""

import re
from collections.abc import Iterable

import pytest

from lmul.evidence.exhaustive import __main__ as exhaustive
from lmul.golden import ACCUMULATORS, OUTPUTS
from lmul.golden.accumulators import UNITS
from lmul.kinds import KINDS
from lmul.multipliers import BUILT_IN
from lmul.sim.simulate import TESTCASES
from tests.golden import test_matmul
from tests.hdl import test_sums
from tests.project import test_ports
from tests.support.paths import DOCS, ROOT

BUILT = (*BUILT_IN, "exact")

SUMS = [word for word in ACCUMULATORS if word not in UNITS]
"""A GPU's name stands for a fused sum."""

TOYS = {"hdl/pair.py", "multipliers/toy.py", "sim/benches/pair.py"}

CASES = [
    ("tests/golden/test_matmul.py, ACCUMULATORS", test_matmul.ACCUMULATORS, SUMS),
    ("tests/golden/test_matmul.py, OUTPUTS", test_matmul.OUTPUTS, OUTPUTS),
    ("tests/hdl/test_sums.py, CHOICES", test_sums.CHOICES["acc"], SUMS),
    ("tests/hdl/test_sums.py, CHOICES", test_sums.CHOICES["out"], OUTPUTS),
    ("tests/hdl/test_sums.py, CHOICES", test_sums.CHOICES["mul"], BUILT),
    ("evidence/exhaustive, MULS", exhaustive.MULS, BUILT),
    ("sim/simulate.py, TESTCASES", TESTCASES, KINDS),
    ("docs/ports.md", [name.partition(" ")[0] for name in test_ports.tables()], KINDS),
]


@pytest.mark.parametrize(("place", "listed", "rows"), CASES)
def test_every_row_of_a_table_is_tried(place: str, listed: Iterable[str], rows: Iterable[str]) -> None:
    lists, table = ({name.partition(":")[0] for name in names} for names in (listed, rows))
    assert lists == table, f"{place} lacks rows, or has others"


def test_files_that_are_to_be_changed_are_there() -> None:
    paths = set(re.findall(r"`([\w/]+/[\w.]+\.\w+)`", (DOCS / "contributing.md").read_text()))
    assert len(paths) > 40
    assert {path for path in paths if not (ROOT / path).is_file()} == TOYS
