"""A search on a real Dask cluster of two worker processes, one of them killed while it works."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nncomp.search import workers
from tests.search.test_executors import dies_once, fails, square
from tests.search.test_searching import DATA, NETWORK, SEARCH, Found, reference, same  # noqa: F401

distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.stress,
    pytest.mark.filterwarnings("default"),  # what others' event loops warn of at their end
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_the_same_network_though_a_worker_is_killed(cluster, reference: Found, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    killed: list[int] = []

    def watch(done: int, of: int) -> None:
        if done == 1 and not killed:
            with distributed.Client(cluster.scheduler_address) as client:
                killed.extend(list(client.run(os.getpid).values())[:1])
            os.kill(killed[0], signal.SIGKILL)

    with workers(dask=cluster.scheduler_address) as at_work:
        assert same(SEARCH(NETWORK, DATA, tmp_path, at_work, watch), reference)
    assert killed


def test_tasks_whose_worker_dies_are_done_again_and_errors_are_told(cluster, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with workers(dask=cluster.scheduler_address) as at_work:
        assert dict(at_work.each(dies_once, {x: (str(tmp_path / "mark"), x) for x in range(4)})) == {
            x: x for x in range(4)
        }
        assert dict(at_work.each(square, {3: (3,)})) == {3: 9}
        with pytest.raises(ValueError, match="no good: 4"):
            list(at_work.each(fails, {4: (4,)}))
