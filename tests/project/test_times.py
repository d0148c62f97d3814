"""The table of what tests take: machines' speeds allowed for, too much growth a failure."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import times


def run_of(seconds: float, calibration: float, files: dict[str, float]) -> dict[str, Any]:
    rows = {f"tests/{name}": {"tests": 2, "seconds": taken} for name, taken in files.items()}
    return {
        "processor_seconds": seconds,
        "calibration_seconds": calibration,
        "tests": 2 * len(rows),
        "files": rows,
    }


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compare a run with 100 s that are recorded of a machine whose loop takes 0.3 s."""

    def compare(run: dict[str, Any]) -> int:
        recorded, found = tmp_path / "recorded.json", tmp_path / "found.json"
        recorded.write_text(json.dumps(run_of(100, 0.3, {"test_a.py": 60, "test_b.py": 30})))
        found.write_text(json.dumps(run))
        monkeypatch.setattr(times, "RECORDED", recorded)
        monkeypatch.setattr(sys, "argv", ["times", str(found)])
        return times.main()

    return compare


@pytest.mark.parametrize(
    ("seconds", "calibration", "status"),
    [(119, 0.3, 0), (121, 0.3, 1), (238, 0.6, 0), (242, 0.6, 1), (70, 0.15, 1)],
)
def test_growth_by_more_than_a_fifth_fails_whatever_the_machine(
    seconds: float, calibration: float, status: int, compare: Any
) -> None:
    assert compare(run_of(seconds, calibration, {"test_a.py": seconds})) == status


def test_files_stand_beside_what_is_recorded_in_seconds_of_this_machine(
    compare: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(run_of(210, 0.6, {"test_b.py": 50, "test_new.py": 100}))
    rows = {
        line.split()[1]: line.split()[3::2] for line in capsys.readouterr().out.splitlines() if ".py" in line
    }
    assert rows == {
        "test_new.py": ["2", "100.0", "0.0", "+100.0"],
        "test_b.py": ["2", "50.0", "60.0", "-10.0"],
    }


def test_run_that_was_not_measured_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["times", str(tmp_path / "none.json")])
    assert times.main() == 2
    assert "run `make test` first" in capsys.readouterr().err
