"""Results kept by what they were made from: found again, made once, never stale."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lmul
from lmul.host.cache import cached, program_digest, program_sources

PACKAGE = Path(lmul.__file__).parent


def test_what_two_runs_want_at_once_is_made_once(tmp_path: Path) -> None:
    made = []

    def make() -> int:
        made.append(threading.get_ident())
        time.sleep(0.2)
        return 7

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: cached(tmp_path, "key", make), range(2))) == [7, 7]
    assert len(made) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


@pytest.mark.parametrize("damage", ["", "{}", "0" * 64 + "\n[1]", "\x00", "not json"])
def test_damaged_entry_is_made_again(damage: str, tmp_path: Path) -> None:
    made = []

    def make() -> list[int]:
        made.append(1)
        return [1, 2]

    assert cached(tmp_path, "key", make) == cached(tmp_path, "key", make) == [1, 2]
    assert len(made) == 1
    (entry,) = tmp_path.iterdir()
    entry.write_text(damage)
    assert cached(tmp_path, "key", make) == [1, 2]
    assert len(made) == 2
    assert cached(tmp_path, "other", make) == [1, 2]
    assert len(made) == 3


def test_interrupted_work_leaves_what_was_finished(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    cached(tmp_path, 1, lambda: "done")
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, 2, interrupted)
    assert len(list(tmp_path.iterdir())) == 1
    assert cached(tmp_path, 1, interrupted) == "done"


def _fill(directory: Path, start: Callable[[], object]) -> None:
    start()
    for key in range(40):
        assert cached(directory, key, lambda key=key: ["x" * 10_000, key]) == ["x" * 10_000, key]


def test_two_runs_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    runs = [context.Process(target=_fill, args=(tmp_path, barrier.wait)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [run.exitcode for run in runs] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 40
    _fill(tmp_path, threading.Event().is_set)


def test_a_part_of_the_program_is_all_that_is_in_it() -> None:
    nested = [path.relative_to(PACKAGE).as_posix() for path in program_sources("sim", "design.py")]
    assert {"design.py", "sim/stimulus/tiles.py", "sim/benches/dot.py"} < set(nested)
    assert set(program_sources()) == set(program_sources("."))
    assert set(program_sources("cost", "hdl")) < set(program_sources())


@pytest.mark.parametrize("part", ["nothing", "nothing.py", "py.typed", "cost/*.py"])
def test_a_part_without_a_source_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="no source"):
        program_digest("cost", part)
