"""Work in processes of this machine, any of which may end at any time."""

import os
import signal
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar, cast

from lmul.errors import Parameter, UserError
from lmul.host.files import scratch
from lmul.host.parameters import ParameterError

Task = TypeVar("Task")
Found = TypeVar("Found")

MOST_JOBS = 1024

MOST_DEATHS = 3
"""Processes that may end over one task."""

# A fresh interpreter: one that is copied would have the locks of threads that it lacks.
_CONTEXT = get_context("spawn")


def check_jobs(jobs: int) -> None:
    """Refuse a number of processes that cannot be meant.

    Raises
    ------
    UserError
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise ParameterError("jobs", f"must be a whole number from 1 to {MOST_JOBS}, not {jobs}")


class LocalProcesses(Generic[Task, Found]):
    """Some processes that do tasks, used as a context, at whose end they are no more.

    A process that ends before its result is replaced, and its task begins anew.

    Parameters
    ----------
    work : callable
        Gives the result of a task. It is pickled, and so are tasks and results.
    describe : callable
        Names a task in messages.
    jobs : int
        Processes.
    """

    def __init__(self, work: Callable[[Task], Found], describe: Callable[[Task], str], jobs: int) -> None:
        self._work = work
        self._describe = describe
        self.workers = jobs
        self._tasks: deque[tuple[str, Task]] = deque()
        self._busy: dict[Connection, tuple[str, Task]] = {}
        self._idle: list[Connection] = []
        self._processes: dict[Connection, SpawnProcess] = {}
        self._deaths: Counter[str] = Counter()

    def __enter__(self) -> "LocalProcesses[Task, Found]":
        self._scratch = ExitStack()
        self._place = self._scratch.enter_context(scratch())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            _end_group(process)
        for process in self._processes.values():
            process.join()
        self._scratch.close()

    def submit(self, key: str, task: Task) -> None:
        """Have a task done after those that were submitted before."""
        self._tasks.append((key, task))
        self._assign()

    def take(self) -> tuple[str, Found]:
        """Wait for the next result.

        Raises
        ------
        UserError
            A task cannot be done, or ends every process that takes it.
        """
        while True:
            ready = cast("list[Connection]", wait(list(self._busy)))
            for connection in ready:
                key, task = self._busy.pop(connection)
                try:
                    found = connection.recv()
                except (EOFError, OSError):
                    self._replace(connection, key, task)
                    continue
                self._idle.append(connection)
                self._assign()
                if isinstance(found, UserError):
                    raise found.behind(f"{self._describe(task)}: ")
                if isinstance(found, Exception):
                    raise found
                return key, cast("Found", found)

    def _assign(self) -> None:
        """Give tasks to processes that have none, starting them if there may be more."""
        while self._tasks and (self._idle or len(self._processes) < self.workers):
            connection = self._idle.pop() if self._idle else self._start()
            self._busy[connection] = self._tasks.popleft()
            with suppress(OSError):  # One that has ended is found when its result is taken.
                connection.send(self._busy[connection][1])

    def _start(self) -> Connection:
        ours, theirs = _CONTEXT.Pipe()
        arguments = (theirs, self._work, self._place)
        process = _CONTEXT.Process(target=_serve, args=arguments, daemon=False)
        process.start()
        theirs.close()
        self._processes[ours] = process
        return ours

    def _replace(self, connection: Connection, key: str, task: Task) -> None:
        _end_group(self._processes.pop(connection))
        connection.close()
        self._deaths[key] += 1
        if self._deaths[key] == MOST_DEATHS:
            raise UserError(
                f"{self._describe(task)}: {MOST_DEATHS} processes ended while they measured it: ",
                *("free memory, take fewer ", Parameter("jobs"), ", or leave it out"),
            )
        self._tasks.appendleft((key, task))
        self._assign()


def _end_group(process: SpawnProcess) -> None:
    """End a process with all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()


def _serve(connection: Connection, work: Callable[[Task], Found], place: Path) -> None:
    """Do what comes, until no more can come."""
    # Ctrl-C is for the process that asked; it ends this group.
    os.setpgid(0, 0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tempfile.tempdir = str(place)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            found: Found | Exception = work(task)
        except UserError as error:
            found = UserError(*error.args)  # Of kinds that may not be pickled.
        except Exception as error:
            found = error
        with suppress(OSError):  # Nobody may be waiting any more.
            connection.send(found)


def _end_with_parent() -> None:
    """End this process and what it started as soon as the one that started it has ended, however it did."""
    if parent := parent_process():
        parent.join()
    os.killpg(0, signal.SIGKILL)
