"""Evaluations on a Dask cluster."""

import logging
import re
from collections.abc import Mapping
from queue import Queue
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lmul.errors import UserError
from lmul.explore.evaluate import Evaluation, Setup, Task, evaluate
from lmul.host.parameters import ParameterError
from lmul.programs.extras import missing

if TYPE_CHECKING:
    from distributed import Future

CONNECT_SECONDS = 15

ADDRESS = re.compile(r"(tcp|tls|wss?|ucx)://([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}", re.ASCII)

_WANTED = "name the one that `dask scheduler` prints, such as tcp://host:8786"


class DaskCluster:
    """An engine that a Dask scheduler's workers are, used as a context.

    A worker that ends is no loss: the scheduler gives its task to another one. The cluster forgets a result
    as soon as it is taken, and everything when this one's connection ends.

    Parameters
    ----------
    setup : Setup
    fingerprint : mapping
    address : str
        Of the scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    UserError
        Dask is not installed, or there is no scheduler.
    """

    def __init__(self, setup: Setup, fingerprint: Mapping[str, Any], address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError:
            raise missing("distributed", "dask") from None
        if ADDRESS.fullmatch(address) is None:
            raise ParameterError("scheduler", f"{address!r} is no address: {_WANTED}")
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # Errors are told in one line, by us.
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, OverflowError) as error:
            unreached = f"{address!r} cannot be reached ({error}): {_WANTED}"
            raise ParameterError("scheduler", unreached) from None
        self._work = setup, fingerprint
        self._futures: dict[str, tuple[Task, Future[Evaluation]]] = {}
        self._finished: Queue[str] = Queue()

    def __enter__(self) -> "DaskCluster":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close(timeout=CONNECT_SECONDS)

    @property
    def workers(self) -> int:
        """Threads of all workers that are there now."""
        return sum(self._client.nthreads().values())

    def submit(self, key: str, task: Task) -> None:
        """Have a task evaluated by any worker."""
        future = self._client.submit(evaluate, task, *self._work, key=f"lmul-{key}")
        self._futures[key] = task, future
        future.add_done_callback(lambda _: self._finished.put(key))

    def take(self) -> tuple[str, Evaluation]:
        """Wait for the next result.

        Raises
        ------
        UserError
            A task cannot be evaluated, or ends every worker that takes it, or the scheduler is gone.
        """
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        key = self._finished.get()
        task, future = self._futures.pop(key)
        try:
            found: Evaluation = future.result()
        except CancelledError:
            raise UserError(
                "the connection to the scheduler is lost: the same command goes on with what is missing"
            ) from None
        except KilledWorker:
            raise UserError(
                f"{task.point.name}: workers ended while they measured it: give them more memory"
            ) from None
        except UserError as error:
            raise error.behind(f"{task.point.name}: ") from None
        except ImportError as error:
            raise UserError(f"{task.point.name}: {error}") from None
        future.release()
        return key, found
