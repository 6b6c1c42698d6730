"""Threads: a kernel's outputs cut into ranges, computed side by side without the GIL.

Numba's parallel loops abort the process under one of its threading layers when two threads call them at once, and hang
forked children under another. Here one thread owns each output and computes it in one order, so that the bits never
depend on how many threads there are; and whoever asks for the work does whatever part of it nobody has begun, so that
any number of callers, in any thread or forked child, get through.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import pairwise

from threadpoolctl import threadpool_limits

from nncomp.kernels.jit import config
from nncomp.kernels.simd.path import PATH

CORES = 1 if PATH == "scalar" else int(config.NUMBA_NUM_THREADS)
"""The cores this process may use, or `NUMBA_NUM_THREADS`."""
WORTH = 2**26
"""Multiply-adds of vector registers a thread must get, about 150 microseconds of them: to wake it takes some 50."""
_limit = ContextVar("threads", default=CORES)
_pools: list[ThreadPoolExecutor] = []
os.register_at_fork(after_in_child=_pools.clear)


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Let the kernels called within, by this thread, use at most so many threads.

    >>> with limit_threads(1):
    ...     split(lambda start, stop: print(start, stop), count=10, work=10**12)
    0 10
    """
    if threads < 1:
        raise ValueError(f"a kernel runs on at least one thread, not {threads}")
    token = _limit.set(threads)
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """As `limit_threads`, and the BLAS library's threads too, for the whole process.

    >>> with on_threads(1):
    ...     split(lambda start, stop: print(start, stop), count=10, work=10**12)
    0 10
    """
    with threadpool_limits(threads, "blas"), limit_threads(threads):
        yield


def split(kernel: Callable[[int, int], object], count: int, work: int, step: int = 1) -> None:
    """Call `kernel(start, stop)` on ranges that cover `count` outputs, cut at multiples of `step`.

    `work`: the multiply-adds of all of them.
    """
    steps = -(-count // step)
    parts = min(_limit.get(), work // WORTH, steps)
    if parts <= 1:
        kernel(0, count)
        return
    if not _pools:
        _pools.append(ThreadPoolExecutor(max(CORES, 2) - 1, "nncomp"))
    cuts = [min(steps * i // parts * step, count) for i in range(parts + 1)]
    ranges = list(pairwise(cuts))
    others = [(_submit(kernel, part), part) for part in ranges[1:]]
    kernel(*ranges[0])
    for future, part in reversed(others):
        if future is None or future.cancel():  # nobody has begun it
            kernel(*part)
        else:
            future.result()


def _submit(kernel: Callable[[int, int], object], part: tuple[int, int]) -> Future | None:
    """The part in another thread's hands; None once the interpreter is shutting down."""
    with suppress(RuntimeError):
        return _pools[0].submit(kernel, *part)
    return None
