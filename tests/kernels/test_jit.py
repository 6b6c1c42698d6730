"""The cache of compiled kernels: never stale, whole or not at all, and harmless where it cannot be written."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

import nncomp
from nncomp.kernels.int8 import int8_matmul

compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled with the JIT off")

USE = """
import numpy as np
from nncomp.kernels import int8
one = np.ones((1, 3), np.int8)
print(int8.int8_matmul(one, one, np.array([0]), np.array([0]))[0, 0], *(
    (sum(int8._int8_matmul.stats.cache_hits.values()), sum(int8._int8_matmul.stats.cache_misses.values()))
))
"""


def run(code: str, cache: Path, package: Path | None = None, **environment: str) -> str:
    """What `code` prints in a process of its own, with its own cache folder."""
    path = str((package or Path(nncomp.__file__).parents[1]).resolve())
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": path, **environment}
    done = subprocess.run([sys.executable, "-c", code], env=env, cwd=path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@compiled_only
def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    assert run(USE, tmp_path) == "3 0 1"
    assert run(USE, tmp_path) == "3 1 0"


@compiled_only
def test_a_stale_kernel_is_impossible(tmp_path: Path) -> None:
    """Neither an edit of the same length and date, nor one in another file of the kernels, meets old machine code."""
    package = tmp_path / "nncomp"
    shutil.copytree(Path(nncomp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    source = package / "kernels" / "int8.py"
    assert run(USE, tmp_path / "cache", tmp_path) == "3 0 1"
    text, date = source.read_text(), source.stat().st_mtime_ns
    source.write_text(text.replace("total = np.int32(0)", "total = np.int32(7)"))
    os.utime(source, ns=(date, date))
    shutil.rmtree(package / "kernels" / "__pycache__", ignore_errors=True)  # Python's own cache trusts the date
    assert run(USE, tmp_path / "cache", tmp_path) == "10 0 1"
    other = package / "kernels" / "sparse.py"
    other.write_text(other.read_text() + "# edited\n")
    assert run(USE, tmp_path / "cache", tmp_path) == "10 0 1"
    source.write_text(text)
    assert run(USE, tmp_path / "cache", tmp_path) == "3 0 1"


@compiled_only
@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "not a pickle"])
def test_a_broken_entry_is_compiled_anew_and_replaced(tmp_path: Path, damage: str) -> None:
    import hashlib

    run(USE, tmp_path)
    (entry,) = (tmp_path / "nncomp-kernels").iterdir()
    good = entry.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    garbage = b"garbage, though its checksum holds"
    entry.write_bytes(
        {
            "empty": b"",
            "half": good[: len(good) // 2],
            "flipped": bytes(flipped),
            "not a pickle": hashlib.sha256(garbage).digest() + garbage,
        }[damage]
    )
    assert run(USE, tmp_path) == "3 0 1"
    assert run(USE, tmp_path) == "3 1 0"


@compiled_only
def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert run(USE, tmp_path / "file" / "cache") == "3 0 1"
    assert run(USE, tmp_path / "none", HOME="/nonexistent", NUMBA_CACHE_DIR="", XDG_CACHE_HOME="/proc/none") == "3 0 1"


@compiled_only
def test_bounds_checks_never_meet_entries_without_them(tmp_path: Path) -> None:
    wild = """
import numpy as np
from nncomp.kernels.sparse import masked_matmul
x, starts = np.ones((2, 3)), np.array([0, 1])
masked_matmul(x, np.ones(1), np.array([1], np.uint8), starts)
try:
    if __import__("numba").config.BOUNDSCHECK:
        masked_matmul(x, np.ones(1), np.array([200], np.uint8), starts)
    print("unchecked")
except IndexError:
    print("caught")
"""
    assert run(wild, tmp_path, NUMBA_BOUNDSCHECK="0") == "unchecked"
    assert run(wild, tmp_path, NUMBA_BOUNDSCHECK="1") == "caught"


def test_the_jit_off_gives_the_same_integers(tmp_path: Path) -> None:
    code = USE.split("print")[0] + "print(int8.int8_matmul(one, one, np.array([0]), np.array([0]))[0, 0])"
    assert run(code, tmp_path, NUMBA_DISABLE_JIT="1") == "3"
    assert not (tmp_path / "nncomp-kernels").exists()


@compiled_only
def test_importing_compiles_nothing(tmp_path: Path) -> None:
    run("import nncomp.kernels.int8, nncomp.kernels.sparse, nncomp.kernels.elementwise", tmp_path)
    assert not (tmp_path / "nncomp-kernels").exists()


def test_eight_threads_get_the_bits_of_one(large: int) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, (n, large)).astype(np.int8) for n in (9, 11))
    zero = np.zeros(11, np.int32)
    expected = int8_matmul(a, b, zero[:9], zero).tobytes()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: int8_matmul(a, b, zero[:9], zero).tobytes(), range(64))) == {expected}
