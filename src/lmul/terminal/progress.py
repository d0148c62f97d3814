"""Progress of long work on standard error: a bar on a terminal, plain lines elsewhere."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from lmul.errors import printable

Report = Callable[[int, int], None]

LINE_SECONDS = 30.0
"""Time between two plain lines."""

QUIET_SECONDS = 30.0
"""Time after which a plain line says that a piece of work is still going on."""


class SharedReport(Protocol):
    """A `Report` that may be told what share of the work is done, where pieces are not alike."""

    def __call__(self, done: int, total: int, share: float | None = None) -> None:
        """Hear the numbers of finished and of all pieces of work, and that share, from 0 to 1."""


class TimeLeft:
    """Guesses how long the rest takes: as long for its share as what was done did for its own."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._guess: tuple[float, float] | None = None

    def tell(self, share: float, now: float) -> None:
        """Hear that a share of the work, from 0 to 1, is done at a time in seconds.

        What an earlier run has finished took no time in this one: speed counts from what is told first.
        """
        kept, begun = self._first = self._first or (share, now)
        if share > kept:
            self._guess = (now - begun) / (share - kept) * (1 - share), now

    def seconds(self, now: float) -> float | None:
        """Give the time left, None as long as nothing is known."""
        return self._guess and max(0.0, sum(self._guess) - now)


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[SharedReport]:
    """Show that something is being done.

    Parameters
    ----------
    what : str
        A line such as "Mapping lmul to cells".
    quiet : bool
        Show nothing.

    Yields
    ------
    callable
        Takes the numbers of finished and of all pieces of work, and what share of the work is done: without
        it, every piece counts alike.
    """
    what = printable(what)
    if quiet:
        yield lambda done, total, share=None: None
        return
    if not sys.stderr.isatty():
        with _still_working(what) as heard:
            yield _plain_lines(what, heard)
        return
    description = TextColumn("{task.description}", markup=False)
    count = TextColumn("{task.fields[count]}")
    columns = (description, BarColumn(), count, TimeElapsedColumn(), TextColumn("left:"), _Left())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        left = TimeLeft()
        task = progress.add_task(what, total=None, count="", left=left)

        def report(done: int, total: int, share: float | None = None) -> None:
            share = _share(done, total, share)
            left.tell(share, time.monotonic())
            progress.update(task, completed=share, total=1, count=f"{done:,}/{total:,}")

        yield report


class _Left(ProgressColumn):
    """The time left."""

    def render(self, task: Task) -> Text:
        seconds = task.fields["left"].seconds(time.monotonic())
        return Text("-:--:--" if seconds is None else str(timedelta(seconds=round(seconds))))


def _share(done: int, total: int, share: float | None) -> float:
    if share is not None:
        return share
    return done / total if total else 1.0


@contextmanager
def _still_working(what: str) -> Iterator[threading.Event]:
    """Print a line whenever nothing was heard for `QUIET_SECONDS`: some pieces of work take minutes."""
    heard, over = threading.Event(), threading.Event()

    def tell() -> None:
        for waits in itertools.count(1):
            if over.wait(QUIET_SECONDS):
                return
            if not heard.is_set():
                seconds = waits * QUIET_SECONDS
                print(f"{what}: {seconds:.0f} s, still at it ...", file=sys.stderr, flush=True)
            heard.clear()

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        over.set()
        thread.join()


def _plain_lines(what: str, heard: threading.Event) -> SharedReport:
    """Print a line now, and one every `LINE_SECONDS`, with the time left once the speed is known."""
    print(f"{what} ...", file=sys.stderr, flush=True)
    last = time.monotonic()
    left = TimeLeft()

    def report(done: int, total: int, share: float | None = None) -> None:
        nonlocal last
        now = time.monotonic()
        left.tell(_share(done, total, share), now)
        if now < last + LINE_SECONDS:
            return
        last = now
        heard.set()
        line = f"{what}: {done:,} of {total:,}"
        seconds = left.seconds(now)
        if seconds is not None:
            line += f", about {seconds / 60:.0f} min left"
        print(f"{line} ...", file=sys.stderr, flush=True)

    return report
