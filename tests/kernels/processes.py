"""Every kernel's work, here and in other processes with caches of their own."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numba.core.event import install_recorder

import nncomp.kernels
from nncomp.kernels import (
    binary,
    block_int8,
    blocks,
    elementwise,
    encode,
    int8,
    linear,
    lookup,
    lowbit,
    n_of_m,
    pack,
    sparse,
    sparse_int8,
    weight_grad,
)
from nncomp.kernels import dense as dense_layer
from nncomp.kernels.pattern import Pattern, sparse_pack
from nncomp.kernels.sparse_linear import SparseLayer, sparse_int8_linear

compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled with the JIT off")
Work = tuple[Callable[[], Any], Callable[[], Any]]


def few_works() -> Iterator[Work]:
    """A task of each of a few kernels that are compiled in a second, alone on every path, and what it means."""
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        w, g, m, v = rng.random((4, 7)).astype(dtype)
        adam = dict(rate=0.1, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.01, t=2)
        sgd = dict(rate=0.1, momentum=0.9, nesterov=True)
        yield _updated(elementwise.adam, elementwise.adam_reference, (w, g, m, v), adam)
        yield _updated(elementwise.sgd, elementwise.sgd_reference, (w, g, v), sgd)


def works() -> Iterator[Work]:
    """As `few_works`, of every kernel: of whole numbers, so that both are equal to the bit."""
    yield from few_works()
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        x, dy = rng.integers(-9, 9, (3, 5)).astype(dtype), rng.integers(-9, 9, (3, 2)).astype(dtype)
        values, pattern = np.array([1, 2, 3], dtype), Pattern(np.array([0, 4, 1]), np.array([0, 2, 3]), inputs=5)
        kept, dense = sparse_pack(values, pattern), np.array([[1, 0, 0, 0, 2], [0, 3, 0, 0, 0]], dtype)
        yield lambda x=x, k=kept: sparse.masked_matmul(x, k), lambda x=x, d=dense: x @ d.T
        yield lambda x=x, k=kept: sparse.masked_matmul(x[:1], k), lambda x=x, d=dense: x[:1] @ d.T
        yield lambda y=dy, v=values, p=pattern: sparse.masked_input_grad(y, v, p), lambda y=dy, d=dense: y @ d
        yield (
            lambda x=x, y=dy, p=pattern: weight_grad.masked_weight_grad(x, y, p),
            lambda x=x, y=dy, d=dense: (y.T @ x)[d != 0],
        )
        yield lambda x=x, d=dense: n_of_m.n_of_m_matmul(x, n_of_m.n_of_m_pack(d, 2, 8)), lambda x=x, d=dense: x @ d.T
        yield lambda x=x, d=dense: binary.binary_matmul(x, binary.binary_pack(d)), lambda x=x, d=dense: _signs(x, d)
    x, w = x.astype(np.float32), dense.astype(np.float32)
    wide, many = (np.arange(9 * 2048).reshape(9, 2048) % 5).astype(np.float32), np.ones((32, 2048), np.float32)
    yield lambda: dense_layer.dense_matmul(many, wide), lambda: many @ wide.T
    yield lambda: blocks.block_matmul(x, blocks.block_pack(w)), lambda: x @ w.T
    yield lambda: lookup.lookup_matmul(x, lookup.lookup_pack(w.astype(np.uint8), np.arange(4.0))), lambda: x @ w.T
    b, zero, none = w.astype(np.int8), np.arange(3), np.zeros(2, int)
    for kind in (np.int8, np.uint8):
        a = rng.integers(0, 128, (3, 5)).astype(kind)
        both, product = (int8.int8_matmul_reference(a, b, zero, zeros) for zeros in (np.arange(2), none))
        yield lambda a=a: int8.int8_matmul(a, pack.int8_pack(b, np.arange(2)), zero), lambda p=both: p
        yield lambda a=a: block_int8.block_int8_matmul(a, block_int8.block_int8_pack(b), zero), lambda p=product: p
        yield lambda a=a: lowbit.lowbit_matmul(a, lowbit.lowbit_pack(b, 4), zero), lambda p=product: p
        codes = sparse_int8.sparse_int8_pack(values.astype(np.int8), pattern, none)
        yield lambda a=a, c=codes: sparse_int8.sparse_int8_matmul(a, c, zero), lambda p=product: p
    one = np.ones(2, np.float32)
    for to in (encode.FIXED, encode.TO_ROW):
        grid = encode.Codes(-128, 127, np.dtype(np.int8), to)
        layer, kept_layer = linear.Layer(pack.int8_pack(b), one, one, grid), SparseLayer(codes, one, one, grid, one[0])
        meant = linear.int8_linear_reference(x, grid, b, none, one, one)
        yield lambda k=kept_layer: sparse_int8_linear(x, k), lambda meant=meant: np.maximum(meant, 1)
        yield lambda g=grid: encode.encode(x, g)[0], lambda g=grid: encode.encode_reference(x, g)[0]
        yield lambda layer=layer: linear.int8_linear(x, layer), lambda meant=meant: meant


def _updated(kernel: Callable, reference: Callable, arrays: tuple[np.ndarray, ...], settings: dict) -> Work:
    def ours() -> np.ndarray:
        w, g, *state = (a.copy() for a in arrays)
        kernel(w, g, *state, **settings)
        return np.stack([w, *state])

    return ours, lambda: np.stack(reference(*arrays, **settings))


def _signs(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1, -1) @ np.where(w >= 0, 1, -1).T


def everything(meant: bool = False, works: Callable[[], Iterator[Work]] = few_works) -> list[float]:
    """What the kernels make, or what they should."""
    return [float(value) for work in works() for value in np.asarray(work[meant]()).flat]


def kernels() -> set[Dispatcher]:
    """All that are compiled from the sources in `nncomp/kernels`, and cached."""
    modules = [
        importlib.import_module(f"nncomp.kernels.{m.name}") for m in pkgutil.iter_modules(nncomp.kernels.__path__)
    ]
    found = {k for module in modules for k in vars(module).values() if isinstance(k, Dispatcher)}
    return {k for k in found if k.targetoptions.get("inline") != "always"}


def print_counted(works: Callable[[], Iterator[Work]] = few_works) -> None:
    """For another process to do `everything`, and say what came of it."""
    with install_recorder("numba:compile") as compilations:
        results = everything(works=works)
    hits = sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels())
    misses = sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels())
    assert bool(compilations.buffer) == bool(misses)
    print(json.dumps([results, hits, misses]))


ENTRIES = 4  # Adam and SGD in two float types
COUNTED = "from tests.kernels.processes import print_counted; print_counted()"
COUNTED_ALL = "from tests.kernels.processes import print_counted, works; print_counted(works)"


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
        out, err = process.communicate(timeout=300)
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


def checked(counted: str, works: Callable[[], Iterator[Work]] = few_works) -> Counts:
    """The counts of a process that ran `COUNTED`, all of whose results must be what they should."""
    results, *counts = json.loads(counted)
    assert results == everything(meant=True, works=works)
    return Counts(*counts)


def work(cache: Path, **environment: str) -> Counts:
    return checked(run(COUNTED, cache, **environment))
