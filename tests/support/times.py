"""Processor time of the tests, file by file, beside what was recorded with the project.

pytest writes it where `--times FILE` says (see `tests/conftest.py`). `python -m tests.support.times FILE`
prints the table, and fails if the tests take more than `GROWTH` times the processor time that was recorded.
Machines differ: both times are divided by that of a calibration loop, which runs beside the tests.
"""

import argparse
import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from tests.support.paths import BENCH
from tests.support.scripts import script

RECORDED = Path(__file__).with_name("times.json")

GROWTH = 1.2
"""Processor time over that recorded, from which on `python -m tests.support.times` fails."""

PROPERTY = "processor_seconds"

CALIBRATION = BENCH / "calibration.py"


def processor_seconds() -> float:
    """Give the processor time of this process and of all that it started and that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class Times:
    """A plugin of pytest that adds up processor time, in every process that runs tests.

    Parameters
    ----------
    config : pytest.Config
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._start, self._began = 0.0, time.monotonic()
        self._files: dict[str, list[float]] = defaultdict(list)
        self._calibration: list[float] = []
        self._processes = 0.0

    @property
    def _runs_tests(self) -> bool:
        """Whether this process runs tests, and not only others that do."""
        return hasattr(self._config, "workerinput") or not self._config.getoption("numprocesses", None)

    def pytest_collection_finish(self) -> None:
        """Time the loop while the other processes are busy too."""
        if self._runs_tests:
            self._calibration.append(script(CALIBRATION).calibration_seconds())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        """Begin with a test."""
        self._start = processor_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        """End with a test, fixtures included; what a process of its own began is counted once it ended."""
        report = yield
        if call.when == "teardown":
            report.user_properties.append((PROPERTY, processor_seconds() - self._start))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what any process measured."""
        for name, seconds in report.user_properties:
            if name == PROPERTY and report.when == "teardown":
                self._files[report.nodeid.partition("::")[0]].append(float(seconds))

    def pytest_sessionfinish(self) -> None:
        """Hand the sums to the process that started this one."""
        if not self._runs_tests:
            return
        self._processes = processor_seconds()
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["times"] = [self._processes, self._calibration]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the sums of a process that ended."""
        seconds, calibration = getattr(node, "workeroutput", {}).get("times", (0.0, []))
        self._processes += seconds
        self._calibration += calibration

    def pytest_terminal_summary(self) -> None:
        """Write the file, where the sums of all processes are."""
        if hasattr(self._config, "workerinput"):
            return
        target = Path(self._config.getoption("times"))
        content = {
            "processor_seconds": round(self._processes, 1),
            "wall_seconds": round(time.monotonic() - self._began, 1),
            "calibration_seconds": round(median(self._calibration or [0.0]), 3),
            "tests": sum(map(len, self._files.values())),
            "files": {
                name: {"tests": len(found), "seconds": round(sum(found), 2)}
                for name, found in sorted(self._files.items())
            },
        }
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content, indent=1) + "\n")


def relative(found: Mapping[str, Any]) -> float:
    """Give the processor time of a run in times of the calibration loop."""
    return float(found["processor_seconds"] / found["calibration_seconds"])


def table(found: Mapping[str, Any], recorded: Mapping[str, Any]) -> Table:
    """Set the files of a run beside those recorded, the longest first, all in seconds of this machine."""
    scale = found["calibration_seconds"] / recorded["calibration_seconds"]
    before = {name: scale * row["seconds"] for name, row in recorded["files"].items()}
    rows = Table(title="Processor time of the tests", title_justify="left")
    rows.add_column("File")
    for name in ("Tests", "s", "Recorded, s", "Change, s"):
        rows.add_column(name, justify="right")
    for name, row in sorted(found["files"].items(), key=lambda item: -item[1]["seconds"]):
        was = before.get(name, 0.0)
        change = row["seconds"] - was
        rows.add_row(
            name.removeprefix("tests/"),
            f"{row['tests']:,}",
            f"{row['seconds']:.1f}",
            f"{was:.1f}",
            f"{change:+.1f}",
        )
    total, was = found["processor_seconds"], scale * recorded["processor_seconds"]
    rows.add_section()
    rows.add_row(
        "all, collection too", f"{found['tests']:,}", f"{total:.0f}", f"{was:.0f}", f"{total - was:+.0f}"
    )
    return rows


def main() -> int:
    """Print the table; give 1 if the tests take too much more than was recorded."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.times", description=__doc__)
    parser.add_argument("file", type=Path, help="what `pytest --times FILE` wrote")
    parser.add_argument("--record", action="store_true", help="make it what later runs are compared with")
    options = parser.parse_args()
    if not options.file.is_file():
        print(f"{options.file} is not there: run `make test` first", file=sys.stderr)
        return 2
    found = json.loads(options.file.read_text())
    if options.record:
        RECORDED.write_text(options.file.read_text())
    recorded = json.loads(RECORDED.read_text())
    Console(width=100).print(table(found, recorded))
    growth = relative(found) / relative(recorded)
    print(f"{growth:.2f} times the processor time that is recorded, the speed of the machines allowed for.")
    if growth > GROWTH:
        print(f"That is more than {GROWTH}: make tests cheaper, or record why they are not.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
