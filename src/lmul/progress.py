"""Progress of long work on standard error: a bar on a terminal, a plain line elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lmul.errors import printable

Report = Callable[[int, int], None]


@contextmanager
def working(what: str) -> Iterator[Report]:
    """Show that something is being done.

    Parameters
    ----------
    what : str
        A line such as "Mapping lmul to cells".

    Yields
    ------
    callable
        Takes the numbers of finished and of all pieces of work.
    """
    what = printable(what)
    if not sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr, flush=True)
        yield lambda _done, _total: None
        return
    description = TextColumn("{task.description}", markup=False)
    columns = (description, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
