"""The cache of compiled kernels: filled once, whole or not at all, and harmless where it cannot be written."""

import hashlib
import pickle
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels import elementwise
from nncomp.kernels.jit import EntryFiles, compiled
from tests.kernels.processes import (
    COUNTED,
    COUNTED_ALL,
    ENTRIES,
    Counts,
    checked,
    compiled_only,
    everything,
    finish,
    kernels,
    run,
    start,
    work,
    works,
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that one process filled, for tests that leave it as it is."""
    cache = tmp_path_factory.mktemp("filled")
    assert work(cache) == Counts(hits=0, misses=ENTRIES)
    return cache


@compiled_only
def test_a_second_process_compiles_nothing(filled: Path) -> None:
    assert work(filled) == Counts(hits=ENTRIES, misses=0)
    folder = filled / "nncomp-kernels"
    assert len(list(folder.iterdir())) == ENTRIES, "one file for each, and nothing else"
    assert folder.stat().st_mode & 0o077 == 0, "entries are pickles: nobody else may write them"


@compiled_only
def test_a_second_process_compiles_no_kernel_at_all(tmp_path: Path) -> None:
    """Of all kernels; those that only other kernels call come along with them."""
    first, second = (checked(run(COUNTED_ALL, tmp_path), works) for _ in range(2))
    assert first.hits == 0 and first.misses > 20
    assert second.misses == 0 and second.hits > 15


@compiled_only
def test_processes_that_compile_at_once_do_not_meet(tmp_path: Path) -> None:
    for process in [start(COUNTED, tmp_path) for _ in range(2)]:
        checked(finish(process))
    assert len(list((tmp_path / "nncomp-kernels").iterdir())) == ENTRIES
    assert work(tmp_path) == Counts(hits=ENTRIES, misses=0)


def sealed(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest() + payload


def flipped(entry: bytes, bit: int) -> bytes:
    broken = bytearray(entry)
    broken[bit // 8] ^= 1 << bit % 8
    return bytes(broken)


DAMAGES = [
    lambda e: b"", lambda e: e[:31], lambda e: e[:32], lambda e: e[:33], lambda e: e[: len(e) // 2], lambda e: e[:-1],
    lambda e: e + b"\0", lambda e: flipped(e, 0), lambda e: flipped(e, 8 * 32), lambda e: flipped(e, 4 * len(e)),
    lambda e: sealed(b""), lambda e: sealed(b"no pickle, though its checksum holds"), lambda e: sealed(e[32:-99]),
    lambda e: sealed(pickle.dumps(("a pickle", "of no machine code"))),
]  # fmt: skip


@compiled_only
def test_every_broken_entry_is_compiled_anew_and_replaced(filled: Path, tmp_path: Path) -> None:
    cache = Path(shutil.copytree(filled, tmp_path / "cache"))
    entries = sorted((cache / "nncomp-kernels").iterdir())
    for first in range(0, len(DAMAGES), ENTRIES):
        damages = DAMAGES[first : first + ENTRIES]
        for damage, entry in zip(damages, entries):
            entry.write_bytes(damage(entry.read_bytes()))
        assert work(cache) == Counts(hits=ENTRIES - len(damages), misses=len(damages))
    assert work(cache) == Counts(hits=ENTRIES, misses=0)
    assert sorted((cache / "nncomp-kernels").iterdir()) == entries


@given(st.binary(max_size=200), st.data())
def test_an_entry_is_whole_or_absent(content: bytes, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = EntryFiles(Path(folder) / "not" / "yet", everything)
        assert files.load("key") is None
        files.save("key", content)
        assert files.load("key") == content and files.load("another key") is None
        entry = files.path("key")
        whole = entry.read_bytes()
        cut = data.draw(st.integers(0, len(whole) - 1))
        for broken in (whole[:cut], flipped(whole, data.draw(st.integers(0, 8 * len(whole) - 1)))):
            entry.write_bytes(broken)
            assert files.load("key") is None
        entry.unlink()
        entry.mkdir()
        files.save("key", content)
        assert files.load("key") is None and list(files.folder.iterdir()) == [entry], "no rest of a failed attempt"


@compiled_only
def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert work(tmp_path / "file" / "cache") == Counts(hits=0, misses=ENTRIES)
    assert work(tmp_path, HOME="/nonexistent", NUMBA_CACHE_DIR="", XDG_CACHE_HOME="/proc/none").misses == ENTRIES


@compiled_only
def test_bounds_checks_never_meet_entries_without_them(tmp_path: Path) -> None:
    kernel = """
import numpy as np
from nncomp.kernels.elementwise import _sgd
def call(gradients):
    _sgd(np.ones(3), np.ones(gradients), np.ones(3), 0.1, 0.1, False)
call(3)
print(sum(_sgd.stats.cache_hits.values()))
"""
    beyond = f"{kernel}\ntry:\n    call(2)\nexcept IndexError:\n    print('caught')"
    assert [run(kernel, tmp_path), run(kernel, tmp_path)] == ["0", "1"]
    assert run(beyond, tmp_path, NUMBA_BOUNDSCHECK="1").split() == ["0", "caught"]
    assert run(beyond, tmp_path, NUMBA_BOUNDSCHECK="1").split() == ["1", "caught"], "their own entries serve them"
    assert run(kernel, tmp_path) == "1"


@compiled_only
def test_the_jit_off_gives_the_same_results(tmp_path: Path) -> None:
    assert work(tmp_path, NUMBA_DISABLE_JIT="1") == Counts(hits=0, misses=0)
    assert not list(tmp_path.iterdir())


@compiled_only
def test_importing_compiles_nothing(filled: Path, tmp_path: Path) -> None:
    code = """
from numba.core.event import install_recorder
with install_recorder("numba:compile") as compilations:
    import nncomp.kernels.elementwise, nncomp.kernels.sparse as sparse
print(len(compilations.buffer), sparse._masked_matmul.signatures)
"""
    assert run(code, tmp_path) == run(code, filled) == "0 []"
    assert not list(tmp_path.iterdir())


@compiled_only
def test_only_kernels_are_cached() -> None:
    """The stamp knows no other source; two functions of one name are two functions."""
    added, taken = compiled(lambda a, b: a + b), compiled(lambda a, b: a - b)
    assert (added(5, 3), taken(5, 3), added.stats.cache_path) == (8, 2, None)


@compiled_only
def test_no_kernel_takes_liberties_or_holds_the_gil() -> None:
    """What LLVM makes of leave to reorder, or to forget NaN, differs by processor: no result here need show it."""
    assert kernels()
    for kernel in kernels():
        assert not kernel.targetoptions.get("fastmath") and kernel.targetoptions["nogil"]


def test_eight_threads_get_the_bits_of_one(large: int) -> None:
    """All at once, on kernels that none of them has compiled before."""
    fresh = compiled(elementwise._sgd_py)
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal((2, large))
    gate = Barrier(8)

    def use(_: int) -> tuple[bytes, list[float]]:
        gate.wait()
        own = w.copy()
        fresh(own, g, np.zeros(large), 0.1, 0.9, True)
        return own.tobytes(), everything(works=works)

    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(use, range(32)))
    gate = Barrier(1)
    assert all(one == use(0) for one in many)
    assert many[0][0] == elementwise.sgd_reference(w, g, np.zeros(large), 0.1, 0.9, True)[0].tobytes()
