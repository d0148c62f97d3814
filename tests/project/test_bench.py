"""`make bench` says by how much a goal is missed, and why; the bench of an array notices every fault."""

import importlib
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lmul.design import make_design
from lmul.sim.benches import array, bench
from lmul.sim.stimulus.tiles import Tile
from tests.support.paths import BENCH


@pytest.fixture(scope="module")
def results() -> Iterator[ModuleType]:
    """Import bench/results.py as its scripts do."""
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module("results")
    finally:
        sys.path.remove(str(BENCH))


@pytest.mark.parametrize(
    ("figure", "goal", "at_most", "said"),
    [
        (8550, 10000, False, "14.5 % below the goal"),
        (0.52, 0.5, True, "4.0 % above the goal"),
        (0.5, 0.5, True, None),
        (12, None, True, None),
        (None, 20, False, "what: not measured"),
    ],
)
def test_missed_goal_has_a_line_with_its_shortfall_and_reason(
    results: ModuleType, figure: float | None, goal: float | None, at_most: bool, said: str | None
) -> None:
    lines = results.explain(
        [results.Result("what", "times", figure, goal, at_most=at_most, reason="Physics.")], lambda: 0.5
    )
    assert [said in line and line.endswith(": Physics.") for line in lines] == ([True] if said else [])


@pytest.mark.parametrize(
    ("unit", "speed", "reason", "said"),
    [
        ("s", 0.7, "", "This machine runs the calibration loop at 0.70 of the reference's speed."),
        ("cycles/s", 0.7, "Files.", "Files. This machine runs the calibration loop at 0.70"),
        ("s", 1.1, "", "No reason is known."),
        ("ratio", 0.7, "", "No reason is known."),
    ],
)
def test_slow_machine_is_a_reason_only_of_a_missed_time(
    results: ModuleType, unit: str, speed: float, reason: str, said: str
) -> None:
    at_most = unit == "s"
    missed = results.Result("what", unit, 3 if at_most else 1, 2, at_most=at_most, reason=reason)
    (line,) = results.explain([missed], lambda: speed)
    assert said in line


def test_machine_is_not_measured_where_no_time_is_missed(results: ModuleType) -> None:
    def measure() -> float:
        raise AssertionError

    goals = [("s", 2.0), ("ratio", 0.5)]
    figures = [results.Result("what", unit, 1, goal, at_most=True) for unit, goal in goals]
    assert len(results.explain(figures, measure)) == 1


class Clock:
    """A clock whose edge is awaited, and that says what the array does in each cycle."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self.rising_edge, self.tick = self, tick

    def __await__(self) -> Iterator[None]:
        self.tick()
        return iter(())


TILE = Tile([11, 12], [21, 22], [31, 32], [0, 4])


def fake_array(rows: list[tuple[int, int, int]], ready: list[int]) -> SimpleNamespace:
    """Make an array that gives these rows {data, user, last}, and is ready for `a` in these cycles."""
    names = [f"s_axis_{stream}_t{name}" for stream in "ab" for name in ("data", "last", "valid", "ready")]
    names += [f"m_axis_c_t{name}" for name in ("data", "user", "last", "valid", "ready")]
    dut = SimpleNamespace(**{name: SimpleNamespace(value=0) for name in names}, offered=[])
    coming, readiness = iter(rows), iter(ready)

    def tick() -> None:
        dut.offered.append((dut.s_axis_a_tvalid.value, dut.s_axis_a_tdata.value, dut.s_axis_a_tlast.value))
        dut.s_axis_a_tready.value = next(readiness, 1)
        row = next(coming, None)
        dut.m_axis_c_tvalid.value = int(row is not None)
        if row:
            dut.m_axis_c_tdata.value, dut.m_axis_c_tuser.value, dut.m_axis_c_tlast.value = row

    dut.clk = Clock(tick)
    return dut


def run_back_to_back(
    monkeypatch: pytest.MonkeyPatch, dut: SimpleNamespace, tiles: list[Tile]
) -> array.BackToBack:
    """Run the bench on an array that is none, without its clock, operands and reports."""
    monkeypatch.setattr(bench, "start_clock_and_reset", lambda _: Clock(lambda: None))
    monkeypatch.setattr(bench, "design", lambda: make_design("array", rows=2, cols=1, lanes=1))
    monkeypatch.setattr(bench, "matrices", lambda: [])
    for name in ("report_progress", "report_result"):
        monkeypatch.setattr(bench, name, lambda *_, **__: None)
    found = array.BackToBack(dut)
    coroutine: Coroutine[Any, Any, None] = found.run(tiles)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    return found


GOOD = [(31, 0, 0), (32, 4, 1)]


def test_beats_are_held_until_they_are_taken_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    dut = fake_array([], [1, 0, 0, 1])
    with pytest.raises(AssertionError, match="the result of tile 0 never came"):
        run_back_to_back(monkeypatch, dut, [TILE])
    assert dut.offered[:6] == [(1, 11, 0), (1, 12, 1), (1, 12, 1), (1, 12, 1), (0, 12, 0), (0, 12, 0)]


def test_rows_are_compared_in_every_bit_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run_back_to_back(monkeypatch, fake_array(GOOD * 2, [1, 1, 0, 1]), [TILE, TILE])
    assert (found.compared, found.steps, found.window, found.first_end, found.first_row) == (4, 4, 5, 2, 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(31, 0, 0), (33, 4, 1)], "tile 0 row 1 gave 0x21 with flags 0b0100, the model 0x20 with 0b0100"),
        ([(31, 1, 0), (32, 4, 1)], "tile 0 row 0 gave 0x1f with flags 0b0001, the model 0x1f with 0b0000"),
        ([(31, 0, 1), (32, 4, 1)], "tile 0 gave 1 rows, not 2"),
        ([(31, 0, 0), (32, 4, 0), (32, 4, 1)], "tile 0 gave 3 rows, not 2"),
        ([(31, 0, 0), (32, 4, 0)], "the result of tile 0 never came"),
        ([(31, 0, 0), (32, 4, 1), (31, 0, 0)], "a row came that no tile was sent for"),
    ],
)
def test_back_to_back_bench_notices_a_wrong_row(
    rows: list[tuple[int, int, int]], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError, match=message):
        run_back_to_back(monkeypatch, fake_array(rows, []), [TILE])


def test_progress_is_written_no_more_often_than_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMUL_PROGRESS", str(tmp_path / "progress"))
    monkeypatch.setattr(bench, "_reported", {"at": -bench.PROGRESS_SECONDS})
    written = []
    for done in (0, 1, 9):
        bench.report_progress(done, 9)
        written.append((tmp_path / "progress").read_text())
    assert written == ["0 9", "0 9", "9 9"]
