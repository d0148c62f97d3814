"""The notebook of the examples runs, and shows what it prints."""

import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.support.paths import EXAMPLES
from tests.support.project import notebooks

NOTEBOOK = notebooks.read(EXAMPLES / "pytorch" / "your_model.ipynb")


def without_numbers(text: str) -> list[str]:
    """Give the words of a text; random weights, and so numbers, may be others with another version."""
    return re.sub(r"'.*'|[-+]?\d[\d.,]*", "#", text).split()


def test_notebook_prints_what_is_stored_in_it_but_for_numbers() -> None:
    printed = notebooks.run(NOTEBOOK)
    shown = [notebooks.stored(cell) for cell in notebooks.code_cells(NOTEBOOK)]
    assert list(map(without_numbers, printed)) == list(map(without_numbers, shown))
    losses = [float(loss) for text in printed for loss in re.findall(r"loss (\d+\.\d+)", text)]
    before, converted, *steps, restored = losses
    assert 0 < abs(converted - before) < 0.1
    assert steps[0] == converted
    assert sorted(steps, reverse=True) == steps
    assert restored < steps[-1]


def test_notebook_is_run_at_a_small_size() -> None:
    first, *_ = notebooks.code_cells(NOTEBOOK)
    assert "".join(first["source"]) == 'MODEL = ""'
