"""Every kernel's work, here and in other processes with caches of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numba.core.event import install_recorder

from nncomp.kernels import elementwise, int8, pack

compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled with the JIT off")


def everything(form: str = "") -> list[float]:
    """Results of a few kernels of each kind, where all agree to the bit; form `_reference` for what they mean."""
    rng = np.random.default_rng(0)
    results: list[np.ndarray] = []

    def update(name: str, *arrays: np.ndarray, **settings: Any) -> None:
        w, g, *state = (a.copy() for a in arrays)
        updated = getattr(elementwise, name + form)(w, g, *state, **settings)
        results.extend(updated or (w, *state))

    for dtype in (np.float32, np.float64):
        w, g, m, v = rng.random((4, 7)).astype(dtype)
        update("adam", w, g, m, v, rate=0.1, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.01, t=2)
        update("sgd", w, g, v, rate=0.1, momentum=0.9, nesterov=True)
    a, b = rng.integers(0, 256, (5, 3)).astype(np.uint8), rng.integers(-128, 128, (2, 3)).astype(np.int8)
    codes = a, b, np.arange(5), np.arange(2)
    results.append(
        int8.int8_matmul_reference(*codes) if form else int8.int8_matmul(a, pack.int8_pack(b, codes[3]), codes[2])
    )
    return [float(value) for array in results for value in array.flat]


ENTRIES = 5  # Adam and SGD in two float types, an integer product


def print_counted() -> None:
    """For another process to do `everything`, and say what came of it."""
    with install_recorder("numba:compile") as compilations:
        results = everything()
    kernels = {k for module in (elementwise, int8) for k in vars(module).values() if isinstance(k, Dispatcher)}
    hits = sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels)
    misses = sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels)
    assert bool(compilations.buffer) == bool(misses)
    print(json.dumps([results, hits, misses]))


COUNTED = "from tests.kernels.processes import print_counted; print_counted()"


def start(code: str, cache: Path, house: Path | None = None, **environment: str) -> subprocess.Popen:
    """`code` in a process of its own, all of Numba's settings the default ones; `house` holds the package."""
    root = str(house or Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    # Python's own cache of bytecode trusts size and date, so it must not stand between an edit and its effect.
    env = plain | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | environment
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], env=env, cwd=root, stdout=pipe, stderr=pipe, text=True)


def finish(process: subprocess.Popen) -> str:
    """What the process printed."""
    try:
        out, err = process.communicate(timeout=100)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(err)
    return out.strip()


def run(code: str, cache: Path, house: Path | None = None, **environment: str) -> str:
    return finish(start(code, cache, house, **environment))


class Counts(NamedTuple):
    """How many kernels came from the cache, and how many were compiled."""

    hits: int
    misses: int


def checked(counted: str) -> Counts:
    """The counts of a process that ran `COUNTED`, all of whose results must equal their references."""
    results, *counts = json.loads(counted)
    assert results == everything("_reference")
    return Counts(*counts)


def work(cache: Path, **environment: str) -> Counts:
    return checked(run(COUNTED, cache, **environment))
