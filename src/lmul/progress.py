"""Progress of long work on standard error: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lmul.errors import printable

Report = Callable[[int, int], None]

LINE_SECONDS = 30.0
"""Time between two plain lines."""

SPEED_SECONDS = 600.0
"""Time over which the speed is measured that the time left is made of."""


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[Report]:
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
        Takes the numbers of finished and of all pieces of work.
    """
    what = printable(what)
    if quiet:
        yield lambda _done, _total: None
        return
    if not sys.stderr.isatty():
        yield _plain_lines(what)
        return
    description = TextColumn("{task.description}", markup=False)
    times = (TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn())
    columns = (description, BarColumn(), MofNCompleteColumn(), *times)
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=SPEED_SECONDS) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _plain_lines(what: str) -> Report:
    """Print a line now, and one every `LINE_SECONDS`, with the time left once the speed is known."""
    print(f"{what} ...", file=sys.stderr, flush=True)
    last = time.monotonic()
    first: tuple[int, float] | None = None

    def report(done: int, total: int) -> None:
        nonlocal first, last
        now = time.monotonic()
        # What an earlier run has finished took no time in this one: speed counts from the first report.
        first = first or (done, now)
        if now < last + LINE_SECONDS:
            return
        last = now
        kept, begun = first
        line = f"{what}: {done:,} of {total:,}"
        if done > kept:
            seconds = (now - begun) / (done - kept) * (total - done)
            line += f", about {seconds / 60:.0f} min left"
        print(f"{line} ...", file=sys.stderr, flush=True)

    return report
