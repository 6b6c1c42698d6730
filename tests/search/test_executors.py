"""Tasks done here, in processes and by any executor: the same results, each once, deaths survived, errors told."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from nncomp.search import Workers, workers


def square(x: int) -> int:
    return x * x


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def dies_once(mark: str, x: int) -> int:
    """Ends its process, the first time it is called with this file."""
    if not os.path.exists(mark):
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fails(x: int) -> int:
    raise ValueError(f"no good: {x}")


def test_here_and_in_processes_the_same(tmp_path: Path) -> None:
    tasks = {x: (x,) for x in range(7)}
    for many in (1, 2):
        with workers(many) as at_work:
            assert dict(at_work.each(square, tasks)) == {x: x * x for x in range(7)}
            assert set(dict(at_work.each(blas_threads, {0: ()}))[0]) == {1}
            assert dict(at_work.each(square, {})) == {}


def test_what_is_done_is_handed_over_before_the_rest() -> None:
    done = Workers().each(square, {0: (3,), 1: ("not a number",)})
    assert next(done) == (0, 9)
    with pytest.raises(TypeError):
        next(done)


def test_a_process_that_dies_costs_its_task_nothing_but_time(tmp_path: Path) -> None:
    tasks = {x: (str(tmp_path / f"mark{x % 2}"), x) for x in range(6)}
    with workers(2) as at_work:
        assert dict(at_work.each(dies_once, tasks)) == {x: x for x in range(6)}


def test_a_task_that_kills_every_worker_is_one_error_and_the_others_are_done() -> None:
    with workers(2) as at_work, pytest.raises(ChildProcessError, match="workers died 3 times in a row"):
        list(at_work.each(dies, {0: ()}))


def test_an_error_of_a_task_is_told_as_it_was() -> None:
    with workers(2) as at_work, pytest.raises(ValueError, match="no good: 4"):
        list(at_work.each(fails, {4: (4,)}))


class Breaks(Executor):
    """Breaks at every third task."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, function, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.count += 1
        if self.count == 3:
            raise BrokenExecutor
        future: Future[object] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def test_any_executor_will_do_and_one_that_breaks_while_it_is_given_tasks() -> None:
    opened = []

    def opening() -> Executor:
        opened.append(Breaks())
        return opened[-1]

    assert dict(Workers(opening).each(square, {x: (x,) for x in range(7)})) == {x: x * x for x in range(7)}
    assert len(opened) == 4
    with ThreadPoolExecutor(4) as threads:
        assert dict(Workers(lambda: threads).each(square, {2: (2,)})) == {2: 4}


def test_tasks_that_whoever_had_them_gives_up_are_one_error() -> None:
    class GivesUp(Breaks):
        def submit(self, function, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            future: Future[object] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(ChildProcessError, match="the tasks were given up"):
        list(Workers(GivesUp).each(square, {2: (2,)}))


def test_one_task_at_a_time_in_a_process() -> None:
    inside, most = [0], [0]
    lock = threading.Lock()

    def task() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.01)
        with lock:
            inside[0] -= 1

    with ThreadPoolExecutor(4) as threads:
        list(Workers(lambda: threads).each(task, dict.fromkeys(range(8), ())))
    assert most == [1]


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = f"""
import os, pathlib, time
from nncomp.search import workers
def work(i):
    pathlib.Path({str(tmp_path)!r}, f"pid{{i}}").write_text(str(os.getpid()))
    time.sleep(600)
with workers(2) as at_work:
    list(at_work.each(work, {{0: (0,), 1: (1,)}}))
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    files = [tmp_path / "pid0", tmp_path / "pid1"]
    wait(lambda: all(file.exists() and file.read_text() for file in files))
    parent.kill()
    parent.wait()
    pids = [int(file.read_text()) for file in files]
    wait(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait(happened, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_no_processes_are_no_workers() -> None:
    with pytest.raises(ValueError, match="at least one process"), workers(0):
        pass
