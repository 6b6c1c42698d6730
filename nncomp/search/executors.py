"""Where tasks run: in this process, in several of its own, on a Dask cluster, or wherever an executor takes them.

A task is a function of a module and values that can be pickled; what it gives may not depend on who runs it. So each
runs with kernels and BLAS at one thread, and one at a time in its process, since the number of BLAS's threads is the
process's.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from nncomp.kernels.threads import on_threads

K = TypeVar("K")
ATTEMPTS = 3
_at_work = threading.Lock()


@dataclass(frozen=True)
class Workers:
    """Who does tasks: `open` gives an executor, a fresh one after it broke; None for this process, in turn.

    `gone`: what a future raises whose worker died. `stop` ends what still runs when nobody waits for it any more.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as executor:
    ...     sorted(Workers(lambda: executor).each(pow, {"a": (2, 3), "b": (3, 2)}))
    [('a', 8), ('b', 9)]
    """

    open: Callable[[], Executor] | None = None
    gone: tuple[type[BaseException], ...] = (BrokenExecutor,)
    stop: Callable[[], object] = lambda: None

    def each(self, function: Callable[..., Any], tasks: Mapping[K, tuple[Any, ...]]) -> Iterator[tuple[K, Any]]:
        """`(key, function(*arguments))` of each task, as they are done.

        A task whose worker died is done again; a ChildProcessError where workers died three times in a row and nothing
        was done in between, or where the scheduler of a cluster is gone. What a task raises is raised here, and the
        others are given up.
        """
        left, deaths = dict(tasks), 0
        while left and self.open is not None:
            before = len(left)
            for key, result in self._round(self.open, function, left):
                del left[key]
                yield key, result
            deaths = deaths + 1 if len(left) == before else 0
            if deaths == ATTEMPTS:
                raise ChildProcessError(f"workers died {ATTEMPTS} times in a row: they may be short of memory")
        for key, arguments in left.items():
            yield key, _task(function, arguments)

    def _round(
        self, open: Callable[[], Executor], function: Callable[..., Any], tasks: Mapping[K, tuple[Any, ...]]
    ) -> Iterator[tuple[K, Any]]:
        """Those of the tasks whose workers lived."""
        futures: dict[Future[Any], K] = {}
        try:
            with suppress(*self.gone):
                executor = open()
                for key, arguments in tasks.items():
                    futures[executor.submit(_task, function, arguments)] = key
            for future in as_completed(futures):
                try:
                    result = future.result()
                except self.gone:
                    continue
                yield futures[future], result
        except CancelledError as error:
            raise ChildProcessError("the tasks were given up: who was to hand them out is gone") from error
        except BaseException:
            for future in futures:
                future.cancel()
            self.stop()
            raise


@contextmanager
def workers(processes: int = 1, dask: str | None = None) -> Iterator[Workers]:
    """So many processes of this machine, one being this one; or those of the Dask cluster whose scheduler is at `dask`.

    The processes are loky's (extra `search`), which need no `if __name__ == "__main__"`; they end with this one,
    however it ends. A cluster (extra `dask`) should have workers of one thread each, on processors of one kind: float
    sums depend on it.

    >>> with workers() as here:
    ...     list(here.each(divmod, {"a": (7, 2)}))
    [('a', (3, 1))]
    """
    if processes < 1:
        raise ValueError(f"at least one process does the work, not {processes}")
    if dask is not None:
        with _cluster(dask) as found:
            yield found
    elif processes == 1:
        yield Workers()
    else:
        with _own(processes) as found:
            yield found


@contextmanager
def _own(processes: int) -> Iterator[Workers]:
    from loky import get_reusable_executor

    opened: list[Any] = []

    def pool() -> Executor:
        opened[:] = [get_reusable_executor(processes, initializer=_end_with, initargs=(os.getpid(),))]
        return opened[0]

    def stop() -> None:
        while opened:
            opened.pop().shutdown(wait=False, kill_workers=True)

    try:
        yield Workers(pool, stop=stop)
    finally:
        stop()


@contextmanager
def _cluster(address: str) -> Iterator[Workers]:
    from distributed import Client
    from distributed.scheduler import KilledWorker

    with Client(address) as client:
        yield Workers(client.get_executor, gone=(BrokenExecutor, KilledWorker))


def _task(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    with _at_work, on_threads(1):
        return function(*arguments)


def _end_with(parent: int) -> None:
    """Let this process end when the one that started it is no more, killed too; Ctrl-C is that one's alone."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
