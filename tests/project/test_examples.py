"""The examples in docstrings of what other programs are meant to use run, and give what they show."""

import doctest
from pathlib import Path
from typing import Any

import pytest

from lmul import golden, hdl
from lmul.cost.library.reader import read_liberty
from lmul.design import make_design

PUBLIC = {
    f"{room.__name__}.{name}": getattr(room, name)
    for room in (golden, hdl)
    for name in room.__all__
    if getattr(getattr(room, name), "__module__", "").startswith("lmul.") and callable(getattr(room, name))
} | {"make_design": make_design, "read_liberty": read_liberty}
"""Classes and functions; tables of names and formats have nothing to show."""


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_has_an_example_that_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    shown: Any = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name, globs={})
    runner = doctest.DocTestRunner(verbose=False)
    results = [runner.run(example, out=told.append) for example in shown]
    assert sum(result.attempted for result in results) > 0, "it has no example"
    assert sum(result.failed for result in results) == 0, "".join(told)
