"""Many Python threads on parallel kernels at once, beside Numba's own parallel loops in either of its layers."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import numba
import numpy as np
import pytest

from nncomp.kernels import binary, dense, int8, linear, sparse, threads, weight_grad
from nncomp.kernels.blocks import block_matmul, block_pack
from nncomp.kernels.encode import TO_ROW, Codes
from nncomp.kernels.lowbit import lowbit_matmul, lowbit_pack
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.pattern import Pattern, sparse_pack
from nncomp.kernels.sparse_int8 import sparse_int8_matmul, sparse_int8_pack
from tests.kernels.processes import compiled_only, run


def tasks() -> Iterator[Callable[[], np.ndarray]]:
    """Kernels, each with work for several threads."""
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(shape, np.float32) for shape in ((256, 512), (512, 512), (256, 512)))
    b, a = rng.integers(-128, 128, (512, 512), np.int8), rng.integers(0, 256, (2048, 512), np.uint8)
    mask = rng.random(w.shape) < 0.5
    columns = np.nonzero(mask)[1]
    pattern = Pattern(columns, np.concatenate([[0], np.cumsum(mask.sum(axis=1))]), 512)
    kept, packed, signs = sparse_pack(w[mask], pattern), int8_pack(b), binary.binary_pack(w)
    ones = np.ones(512, np.float32)
    layer = linear.Layer(packed, ones, ones, Codes(-128, 127, np.dtype(np.int8), TO_ROW))
    yield lambda: int8.int8_matmul(a, packed)
    yield lambda: linear.int8_linear(x, layer)  # type: ignore[return-value]
    yield lambda: sparse.masked_matmul(x, kept)
    yield lambda: sparse.masked_input_grad(dy, w[mask], pattern)
    yield lambda: weight_grad.masked_weight_grad(x, dy, pattern)
    yield lambda: binary.binary_matmul(x, signs)
    yield lambda: dense.dense_matmul(x, w)
    zero, codes, none = np.zeros(len(a), np.int32), b[mask], np.zeros(512, np.int32)
    sparse_codes, few, blocked = sparse_int8_pack(codes, pattern, none), lowbit_pack(b >> 4, 4), block_pack(w)
    yield lambda: sparse_int8_matmul(a, sparse_codes, zero)  # type: ignore[arg-type]
    yield lambda: lowbit_matmul(a, few)
    yield lambda: block_matmul(x, blocked)


def storm(layer: str, seconds: float) -> None:
    """Print how many calls eight threads made, none of which differed from one made alone on one thread."""
    threads.WORTH = 2**12  # so that all of these calls are cut into as many parts as may be
    with threads.limit_threads(1):
        alone = [(task, task().tobytes()) for task in tasks()]
    end = time.monotonic() + seconds

    def calls(which: int) -> int:
        for count, (task, meant) in enumerate(cycle(alone[which:] + alone[:which])):
            if time.monotonic() > end:
                return count
            with threads.limit_threads(2 + which):
                assert task().tobytes() == meant
        raise AssertionError("never")

    with ThreadPoolExecutor(8) as pool:
        counts = [pool.submit(calls, which % len(alone)) for which in range(8)]
        while time.monotonic() < end:  # what a user of Numba does meanwhile
            assert _doubled(np.arange(1000)).sum() == 999_000
        assert numba.threading_layer() == layer
        print(sum(count.result() for count in counts))


@numba.njit(parallel=True)
def _doubled(x):  # type: ignore[no-untyped-def]
    out = np.empty_like(x)
    for i in numba.prange(x.size):
        out[i] = 2 * x[i]
    return out


def stormy(layer: str, seconds: int, cache: Path) -> int:
    code = f"from tests.kernels.test_threads import storm; storm({layer!r}, {seconds})"
    return int(run(code, cache, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="4"))


@compiled_only
@pytest.mark.parametrize(
    "late", ["atexit.register(work)", "threading.Thread(target=lambda: time.sleep(0.3) or work()).start()"]
)
def test_after_the_main_thread_has_ended(late: str, tmp_path: Path) -> None:
    """When no pool takes tasks any more, whoever asks does all the work."""
    code = f"""
import atexit, threading, time
import numpy as np
from nncomp.kernels import threads
from nncomp.kernels.dense import dense_matmul
threads.WORTH = 2**12
x = np.ones((512, 512), np.float32)
def work():
    print(int(dense_matmul(x, x).sum()))
{late}
"""
    assert run(code, tmp_path, NUMBA_NUM_THREADS="4") == str(512**3)


@compiled_only
def test_many_callers_at_once(tmp_path: Path) -> None:
    assert stormy("workqueue", 2, tmp_path) >= 8


@compiled_only
@pytest.mark.stress
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_many_callers_for_a_minute(layer: str, tmp_path: Path) -> None:
    assert stormy(layer, 60, tmp_path) >= 100
