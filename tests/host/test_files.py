"""Disks that are full, directories that must not be written, names that are taken, runs at the same time."""

import fcntl
import gzip
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from lmul.cost.library.reader import LARGEST_TEXT
from lmul.errors import UserError
from lmul.host.files import STALE_SECONDS, check_output, locked, scratch, user_cache, write_files
from lmul.workloads.operands import LARGEST_ARRAY
from tests.support.cost.tiny_library import LIBRARY
from tests.support.host.runs import SCRATCH, SPACE, WRITERS, contents, run, run_here, write_small

EXPORT = ("verilog", "mul", "--format", "e2m1", "-o", "out")
NAMES = ["lmul_e2m1_mul.core", "lmul_e2m1_mul.json", "lmul_e2m1_mul.v"]
NOBODY = 65534


@contextmanager
def mounted(directory: Path, options: str) -> Iterator[None]:
    """Mount a small file system in memory; skip the test where that is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root that may mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def old_results(place: Path) -> Path:
    """Make results of an earlier version, which must stay whatever happens."""
    (place / "out").mkdir()
    for name in NAMES:
        (place / "out" / name).write_text("old")
    return place


def test_a_full_disk_leaves_the_old_files(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=16k"):
        before = contents(old_results(tmp_path))
        (tmp_path / "filler").write_bytes(bytes(4096))
        assert "No space left" in run(tmp_path, *EXPORT).refusal()
        (tmp_path / "filler").unlink()
        assert contents(tmp_path) == before


def test_a_disk_that_a_simulation_fills_is_told(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    with mounted(tmp_path / "full", "size=2100k"):  # Too small by a little for what the compiler writes.
        words = ("sim", "mul", "--format", "e2m1", "--build=full")
        assert "No space left" in run(tmp_path, *words).refusal()


@pytest.mark.parametrize("words", [EXPORT, WRITERS["gates"]], ids=lambda words: words[0])
def test_a_file_that_may_not_grow_leaves_the_old_files(words: tuple[str, ...], tmp_path: Path) -> None:
    before = contents(old_results(tmp_path))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    assert "File too large" in run(tmp_path, *words, preexec_fn=limit).refusal()
    after = contents(tmp_path, SCRATCH + "|build.*")
    assert after == before
    assert not list(tmp_path.rglob("*.part"))


def test_a_sweep_whose_results_fill_the_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "one.toml").write_text('[space]\ndesign = "mul"\nformat = "e2m1"')
    words = ("explore", "one.toml", *write_small(tmp_path, LIBRARY), "--json=out.json")
    with mounted(tmp_path / "full", "size=64k"):
        (tmp_path / "full" / "filler").write_bytes(bytes(56 << 10))
        assert "full" in run(tmp_path, *words, "--results=full/results.sqlite", cheap=True).refusal()
        assert not (tmp_path / "out.json").exists()
        (tmp_path / "full" / "filler").unlink()
        first = run(tmp_path, *words, "--results=full/results.sqlite", cheap=True)
        second = run(tmp_path, *words, "--results=full/results.sqlite", "--verbose", cheap=True)
        assert (first.status, second.status) == (0, 0)
        assert first.out == second.out
        assert "0 evaluated" in second.err


@pytest.mark.parametrize("words", [("verilog", "mul", "-o", "-"), ("list",)], ids=lambda words: words[0])
def test_standard_output_on_a_full_disk(words: tuple[str, ...], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "lmul", *words]
        found = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path
        )
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "No space left" in found.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "| head -c 1"])
def test_closed_streams_are_no_error(closed: str, tmp_path: Path) -> None:
    script = f'"$1" -m lmul verilog mul --format e2m1 -o - {closed}; exit ${{PIPESTATUS[0]}}'
    words = ["bash", "-c", script, "bash", sys.executable]
    found = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_file_system_that_must_not_be_written(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=1m"):
        before = contents(old_results(tmp_path))
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        for words in (EXPORT, WRITERS["error"], WRITERS["cost"], WRITERS["explore"], WRITERS["sim"]):
            line = run(tmp_path, *words).refusal()
            assert "must not be written" in line or "Read-only" in line
        assert contents(tmp_path) == before


def _write_as_nobody(directory: Path) -> None:
    if not os.geteuid():  # Modes say nothing to root.
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    for refused in (check_output, lambda path: write_files(path.parent, {path.name: "text"})):
        with pytest.raises(UserError, match="must not be written"):
            refused(directory / "file")


def test_a_directory_of_somebody_else(tmp_path: Path) -> None:
    # Where nobody else may come is no place for this test, as pytest's own directories.
    with tempfile.TemporaryDirectory() as name:
        before = contents(old_results(Path(name)))
        Path(name).chmod(0o555)
        process = multiprocessing.get_context("fork").Process(target=_write_as_nobody, args=(Path(name),))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert contents(Path(name)) == before
        Path(name).chmod(0o755)


OUTPUTS = [
    ("verilog", "mul", "-o"),
    ("cost", "mul", "--estimate", "paper", "--json"),
    ("cost", "mul", "--csv"),
    ("cost", "mul", "--netlist"),
    ("cost", "mul", "--accelergy"),
    ("cost", "mul", "--build"),
    ("sim", "mul", "--build"),
    ("explore", str(SPACE), "--json"),
    ("explore", str(SPACE), "--plot"),
    ("explore", str(SPACE), "--results"),
    ("explore", str(SPACE), "--build"),
    ("error", "--json"),
    ("error", "--plot"),
]


@pytest.mark.parametrize("words", OUTPUTS, ids=" ".join)
def test_an_output_below_a_file_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert "directory" in run_here(tmp_path, [*words, "file/below.svg"]).refusal()
    assert contents(tmp_path) == {"file": b"text"}


@pytest.mark.parametrize("taken", ["directory", "pipe", "device", "link"])
def test_a_name_that_is_taken_by_no_file_is_refused(taken: str, tmp_path: Path) -> None:
    path = tmp_path / "taken"
    if taken == "directory":
        path.mkdir()
    elif taken == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null" if taken == "device" else tmp_path)
    with pytest.raises(UserError, match="directory, a pipe or a device"):
        check_output(path)
    with pytest.raises(UserError, match="directory, a pipe or a device"):
        write_files(tmp_path, {"first": "text", "taken": "text"})
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]
    assert path.exists()
    assert not path.is_file()


@pytest.mark.parametrize(
    "words",
    [
        ("verilog", "mul", "--config"),
        ("error", "--operands"),
        ("sim", "mul", "--operands"),
        ("cost", "mul", "--liberty"),
        ("explore",),
        ("explore", str(SPACE), "--operands"),
        ("explore", str(SPACE), "--liberty"),
        ("compare", "pipe"),
    ],
    ids=lambda words: words[-1],
)
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "."])
def test_an_input_that_is_no_file_is_refused(words: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "cannot read" in run_here(tmp_path, [*words, kind]).refusal()


def test_temporary_files_of_killed_runs_are_removed_when_old(tmp_path: Path) -> None:
    old, young, other = (tmp_path / name for name in (".lmul-1.part", ".lmul-2.part", "x.part"))
    for path in (old, young, other):
        path.write_text("half")
    long_ago = time.time() - STALE_SECONDS - 1
    for path in (old, other):
        os.utime(path, (long_ago, long_ago))
    write_files(tmp_path, {"whole": "text"})
    assert sorted(contents(tmp_path)) == [".lmul-2.part", "whole", "x.part"]


def test_scratch_directories_of_processes_that_are_gone_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    for name in ("gone", "held"):
        (tmp_path / f"lmul-{ended.pid}-{name}" / "below").mkdir(parents=True)
    (tmp_path / "lmul-1-of_another").mkdir()
    (tmp_path / f"lmul-{ended.pid}-link").symlink_to(tmp_path / "lmul-1-of_another")
    held = os.open(tmp_path / f"lmul-{ended.pid}-held", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    with scratch() as own:
        assert own.parent == tmp_path
        left = {path.name.rpartition("-")[2] for path in tmp_path.iterdir() if path != own}
    os.close(held)
    assert left == {"held", "of_another", "link"}
    assert not own.exists()


def test_files_are_as_private_as_the_user_asks(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        (path,) = write_files(tmp_path, {"whole": "text"})
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, {"whole": "text"})
    assert not list(tmp_path.iterdir())


def test_a_lock_is_waited_for(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with locked(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path):
        thread.start()
        while "Waiting" not in capfd.readouterr().err:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def at_once(place: Path, commands: list[tuple[str, ...]]) -> list[str]:
    """Run commands at the same time in one directory; give what each printed."""
    place.mkdir()
    with ThreadPoolExecutor(len(commands)) as pool:
        runs = list(pool.map(lambda words: run(place, *words), commands))
    assert [found.status for found in runs] == [0] * len(commands), runs
    return [found.out for found in runs]


def test_two_runs_at_once_give_the_same_bytes(tmp_path: Path) -> None:
    check_two("verilog", tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("row", WRITERS)
def test_two_runs_of_any_command_at_once_give_the_same_bytes(row: str, tmp_path: Path) -> None:
    check_two(row, tmp_path)


def check_two(row: str, place: Path) -> None:
    words = WRITERS[row]
    (alone,) = at_once(place / "alone", [words])
    assert at_once(place / "both", [words, words]) == [alone, alone]
    assert contents(place / "both", SCRATCH) == contents(place / "alone", SCRATCH)


@pytest.mark.long
def test_different_commands_at_once_give_what_each_gives_alone(tmp_path: Path) -> None:
    chosen = [WRITERS[row] for row in ("cost", "netlist", "sim", "gates", "verilog")]
    alone: dict[str, bytes | None] = {}
    printed = []
    for number, words in enumerate(chosen):
        printed += at_once(tmp_path / str(number), [words])
        alone |= contents(tmp_path / str(number), SCRATCH)
    assert at_once(tmp_path / "all", chosen) == printed
    assert contents(tmp_path / "all", SCRATCH) == alone


def test_operands_that_unpack_to_too_much_are_refused(tmp_path: Path) -> None:
    """A gigabyte of zeros in a megabyte."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w") as member,
    ):
        for _ in range(LARGEST_ARRAY >> 24):
            member.write(bytes(1 << 24))
        member.write(b"!")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "a") as archive:
        archive.writestr("b.npy", "")
    assert "unpacks to" in run(tmp_path, "error", "--operands", "bomb.npz", preexec_fn=limit).refusal()


def test_a_library_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.lib", "wb", compresslevel=1) as file:
        for _ in range((LARGEST_TEXT >> 24) + 1):
            file.write(b" " * (1 << 24))
    assert "unpacks to more than" in run_here(tmp_path, ["cost", "mul", "--liberty", "bomb.lib"]).refusal()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LMUL_CACHE": "own"}, "own"),
        ({"XDG_CACHE_HOME": "xdg"}, "xdg/lmul"),
        ({"HOME": "home"}, "home/.cache/lmul"),
        ({"LMUL_CACHE": "file/below"}, "temporary/lmul-{uid}"),
    ],
)
def test_cache_of_a_user_is_where_it_can_be_written(
    variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    for name in ("LMUL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    found = user_cache()
    assert found == tmp_path / expected.format(uid=os.getuid())
    assert found.is_dir()


def test_cache_that_others_could_have_filled_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"lmul-{os.getuid()}").symlink_to(tmp_path / "theirs")
    monkeypatch.setenv("LMUL_CACHE", "/dev/null/none")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(UserError, match="set LMUL_CACHE"):
        user_cache()
