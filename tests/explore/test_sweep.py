"""Sweeps whose figures are made up: fronts, what is kept, and that the order of results changes nothing."""

import random
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmul.errors import UserError
from lmul.explore.evaluate import FULL, LOOK, Evaluation, Task
from lmul.explore.search.pareto import front
from lmul.explore.search.search import make_search
from lmul.explore.search.trial import Figures
from lmul.explore.space import Point, read_space
from lmul.explore.store import COLUMNS, TABLE, Store
from lmul.explore.sweep import Sweep, run_sweep
from lmul.metrics import EVALUATED, PERPLEXITY

FINGERPRINT = {"program": "p", "library": "l", "operands": "o", "pyosys": "1", "wires": "", "seeds": 1}

SPACE = """
objectives = ["energy", "area", "error"]
[space]
design = "dot"
format = ["e4m3", "e2m1", "bf16"]
mul = ["lmul", "addc", "exact"]
lanes = [2, 4]
clock = ["none", 1.0]
"""
GUIDED = '[search]\nmethod = "optuna"\ntrials = 16\nahead = 5\n'


def made_up(task: Task) -> dict[str, float]:
    """Give figures that depend on a task alone, some infinite, a look's worse than the full ones."""
    draw = random.Random(task.point.name)  # noqa: S311
    figures = {metric.name: draw.uniform(1, 100) for metric in EVALUATED.values()}
    if draw.random() < 0.1:
        figures["rms_error_percent"] = float("inf")
    return {name: value * (1.2 if task.effort == LOOK else 1) for name, value in figures.items()}


class Shuffled:
    """An engine that finishes tasks in any order, and may be stopped after some."""

    def __init__(self, seed: int, stop_after: int = 10**9) -> None:
        self.workers, self.tasks, self.done = 4, dict[str, Task](), list[str]()
        self.draw, self.stop_after = random.Random(seed), stop_after  # noqa: S311

    def submit(self, key: str, task: Task) -> None:
        """Take a task that it does not have yet."""
        assert key not in self.tasks
        self.tasks[key] = task

    def take(self) -> tuple[str, Evaluation]:
        """Finish one of the tasks."""
        if len(self.done) == self.stop_after:
            raise KeyboardInterrupt
        key = self.draw.choice(sorted(self.tasks))
        self.done.append(key)
        return key, Evaluation(made_up(self.tasks.pop(key)), 1.0)


def sweep(directory: Path, text: str, engine: Shuffled) -> Sweep:
    (directory / "space.toml").write_text(text)
    found = Sweep()
    search, store = make_search(read_space(directory / "space.toml")), Store(directory / "results.sqlite")
    run_sweep(search, store, engine, FINGERPRINT, found, progress=lambda *_: None, finished=lambda *_: None)
    return found


def plain(figures: dict[Point, Figures]) -> dict[Point, dict[str, float]]:
    return {point: dict(values) for point, values in figures.items()}


@given(st.lists(st.tuples(*[st.one_of(st.integers(0, 3), st.just(float("inf")))] * 3), min_size=1))
@settings(derandomize=True, deadline=None)
def test_a_point_is_on_the_front_unless_another_one_beats_it(costs: list[tuple[float, ...]]) -> None:
    def beaten(row: tuple[float, ...]) -> bool:
        return any(all(x <= y for x, y in zip(other, row, strict=True)) and other != row for other in costs)

    assert front(costs) == [bool(np.isfinite(row).all()) and not beaten(row) for row in costs]


@pytest.mark.parametrize("text", [SPACE, SPACE + GUIDED], ids=["grid", "optuna"])
def test_results_depend_on_no_order(text: str, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    found = []
    for seed in range(2):
        (tmp_path / str(seed)).mkdir()
        found.append(plain(sweep(tmp_path / str(seed), text, Shuffled(seed)).figures))
    assert found[0] == found[1]
    assert len(found[0]) > 10


@pytest.mark.parametrize("text", [SPACE, SPACE + GUIDED], ids=["grid", "optuna"])
def test_a_stopped_sweep_goes_on_and_evaluates_nothing_twice(text: str, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "whole").mkdir()
    undisturbed = Shuffled(0)
    whole = sweep(tmp_path / "whole", text, undisturbed)
    done: list[str] = []
    for seed, stop_after in enumerate((5, 0, 4)):
        engine = Shuffled(seed, stop_after)
        with pytest.raises(KeyboardInterrupt):
            sweep(tmp_path, text, engine)
        done += engine.done
    engine = Shuffled(9)
    last = sweep(tmp_path, text, engine)
    assert plain(last.figures) == plain(whole.figures)
    assert sorted(done + engine.done) == sorted(undisturbed.done)
    assert len(last.known) == len(done) == 9
    again = Shuffled(1, stop_after=0)
    assert plain(sweep(tmp_path, text, again).figures) == plain(whole.figures)


def test_optuna_leaves_out_what_looks_beaten_and_finds_the_rest(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    engine = Shuffled(0)
    found = sweep(tmp_path, SPACE + GUIDED, engine)
    with sqlite3.connect(tmp_path / "results.sqlite") as connection:
        efforts = dict(connection.execute(f"SELECT effort, COUNT(*) FROM {TABLE} GROUP BY effort"))  # noqa: S608
    assert efforts == {LOOK: 16, FULL: len(found.figures)}
    assert len(found.figures) < 16
    assert all(dict(values) == made_up(Task(point)) for point, values in found.figures.items())


def test_optuna_asks_for_each_design_of_a_small_space_once(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    text = '[space]\ndesign = "mul"\nformat = ["e4m3", "bf16"]\nmul = ["lmul", "addc"]\n' + GUIDED
    assert len(sweep(tmp_path, text, Shuffled(0)).figures) <= 3


def test_other_programs_read_a_row_an_evaluation_with_a_column_a_figure(tmp_path: Path) -> None:
    task = Task(read_space_point())
    store = Store(tmp_path / "results.sqlite")
    store.add("k", task, Evaluation(made_up(task), 2.5), FINGERPRINT)
    with sqlite3.connect(tmp_path / "results.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute(f"SELECT * FROM {TABLE}")  # noqa: S608
    assert set(row.keys()) == {"key", *COLUMNS}
    assert (row["mul"], row["lanes"], row["clock_ns"], row["seconds"]) == ("exact", 2, 0.5, 2.5)
    assert row["area_um2"] == made_up(task)["area_um2"]
    assert store.figures(["k", "other"]) == {"k": made_up(task)}


def read_space_point() -> Point:
    from lmul.design import make_design

    return Point(make_design("dot", mul="exact", lanes=2), 0.5)


def test_columns_that_an_earlier_version_lacked_are_added(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "results.sqlite") as connection:
        connection.execute(f"CREATE TABLE {TABLE} (key TEXT PRIMARY KEY, kind TEXT)")
        connection.execute(f"INSERT INTO {TABLE} VALUES ('old', 'mul')")  # noqa: S608
    store = Store(tmp_path / "results.sqlite")
    store.add("k", Task(read_space_point()), Evaluation(made_up(Task(read_space_point())), 1.0), FINGERPRINT)
    assert set(store.figures(["k"])) == {"k"}


@pytest.mark.parametrize(
    "content", [b"no database at all, whatever its name", b"SQLite format 3\0" + b"x" * 200]
)
def test_a_file_that_is_no_database_is_refused_and_stays(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "results.sqlite").write_bytes(content)
    with pytest.raises(UserError, match="another file with results"):
        Store(tmp_path / "results.sqlite")
    assert (tmp_path / "results.sqlite").read_bytes() == content


def test_a_row_is_never_written_twice(tmp_path: Path) -> None:
    store, task = Store(tmp_path / "results.sqlite"), Task(read_space_point())
    store.add("k", task, Evaluation(made_up(task), 1.0), FINGERPRINT)
    with pytest.raises(UserError, match="UNIQUE"):
        store.add("k", task, Evaluation(made_up(task), 1.0), FINGERPRINT)


@pytest.mark.parametrize("text", [SPACE, SPACE + GUIDED], ids=["grid", "optuna"])
def test_figures_of_no_evaluation_reach_search_and_result_and_are_not_kept(text: str, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    text = text.replace('"error"', '"perplexity"')
    (tmp_path / "space.toml").write_text(text)
    search = make_search(read_space(tmp_path / "space.toml"))
    ratios = {point: {PERPLEXITY: 1.0 + place} for place, point in enumerate(search.points)}
    found, store = Sweep(beside=ratios), Store(tmp_path / "results.sqlite")
    run_sweep(
        search, store, Shuffled(0), FINGERPRINT, found, progress=lambda *_: None, finished=lambda *_: None
    )
    assert found.figures
    for point, figures in found.figures.items():
        assert figures == made_up(Task(point)) | ratios[point]
    assert PERPLEXITY not in COLUMNS
