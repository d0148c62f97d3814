"""Killed at any moment: nothing half-written under its name, and the next run gives what it always gives.

`LMUL_KILLS` and `LMUL_SEED` change how often and when.
"""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.host.runs import SCRATCH, WRITERS, command, contents, run

KILLS = int(os.environ.get("LMUL_KILLS", "40"))
SEED = int(os.environ.get("LMUL_SEED", "1"))

TEMPORARY = "temporary"
"""The directory of temporary files of all runs, beside theirs."""

PER_DIRECTORY = 8
"""Kills one after the other before a run may end, fewer once one came too late: what was finished is kept."""


def kill(directory: Path, words: tuple[str, ...], delay: float, group: bool) -> bool:
    """Start a command and kill it after some seconds, alone or with all that it started; tell if it lived."""
    process = subprocess.Popen(
        command(*words),
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(directory.parent / TEMPORARY)},
    )
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def check_kills(place: Path, words: tuple[str, ...], kills: int) -> int:
    """Kill a command at random moments; give how many kills found it alive."""
    draw = random.Random(SEED)  # noqa: S311
    (place / "whole").mkdir()
    (place / TEMPORARY).mkdir()
    environment = os.environ | {"TMPDIR": str(place / TEMPORARY)}
    start = time.monotonic()
    undisturbed = run(place / "whole", *words)
    seconds = time.monotonic() - start
    assert undisturbed.status == 0, undisturbed
    results = contents(place / "whole", SCRATCH)
    assert results
    alive = number = 0
    while number < kills:
        first, lived = number, True
        directory = place / f"killed{first}"
        directory.mkdir()
        while lived and number < min(kills, first + PER_DIRECTORY):
            delay, group = draw.uniform(0, seconds), bool(draw.getrandbits(1))
            lived = kill(directory, words, delay, group)
            found = contents(directory, SCRATCH)
            assert found.items() <= results.items(), (SEED, number, delay, group)
            number, alive = number + 1, alive + lived
        again = run(directory, *words, env=environment)
        assert not list((place / TEMPORARY).glob("lmul-*-*")), (SEED, first)
        assert (again.status, again.out) == (0, undisturbed.out), (SEED, first, again)
        assert contents(directory, SCRATCH) == results, (SEED, first)
        parts = list(directory.rglob(".lmul-*.part"))
        assert len(parts) <= PER_DIRECTORY
    return alive


def test_a_run_after_a_kill_gives_the_same_bytes(tmp_path: Path) -> None:
    check_kills(tmp_path, WRITERS["verilog"], 3)


@pytest.mark.long
@pytest.mark.parametrize("row", WRITERS)
def test_runs_after_many_kills_give_the_same_bytes(
    row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alive = check_kills(tmp_path, WRITERS[row], KILLS)
    with capsys.disabled():
        print(f"\n{row}: {KILLS} kills of seed {SEED}, {alive} of a run that was not at its end")
    assert alive > 0
