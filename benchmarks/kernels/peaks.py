"""What the machine can do at most, measured in the run it is compared with.

Arithmetic: loops that never leave the registers, the best of 8, 16 and 24 independent accumulators; matrix registers
have room for four. Listed weights, which no masked product outruns: one row without an end, its inputs in the first
cache. Memory: one pass over more than the caches next to the core hold.
"""

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.simd import add, column, differing_bits, dot, fma, packed, row, store, width, zeros
from nncomp.kernels.simd.matrix import LEFT, SHAPES, SIDE, VOID, clear, configure, multiply, release, save
from nncomp.kernels.simd.path import GROUP, LANES, MATRIX, PATH
from nncomp.kernels.simd.tile import BYTE, Emit, intrinsic

STEPS, STREAM, INPUTS, LISTED = 200_000, 2**26, 64, 1024
jit = numba.njit(nogil=True, error_model="numpy")


def peaks() -> dict[str, float]:
    """Operations a second, two a multiply-add, in float32, in codes and on signs; and bytes a second read."""
    if PATH == "scalar":
        return dict.fromkeys(("float32", "listed float32", "int8", "int8 in vectors", "signs", "read"), float("nan"))
    rng = np.random.default_rng(0)
    floats, words, sums = rng.random(4096, np.float32), np.ones(4096, np.uint32), np.zeros(4096, np.int32)
    some = rng.integers(0, 127, 4096).astype(np.int8)
    stream = aligned_empty((STREAM // 4,), np.float32)
    stream[:] = 1
    vectors = 2 * GROUP * LANES * max(n * _rate(f, some, sums) for n, f in DOT.items())
    matrix = 2 * 4 * SIDE * SIDE * 64 * _rate(_matrix, some, sums) if MATRIX else 0.0
    return {
        "float32": 2 * LANES * max(n * _rate(f, floats) for n, f in FMA.items()),
        "listed float32": 2 * 8 * LANES * LISTED * _rate(_listed, *_list(rng, stream), steps=STEPS // LISTED),
        "int8": max(vectors, matrix),
        "int8 in vectors": vectors,
        "signs": 64 * LANES * max(n * _rate(f, words) for n, f in SIGNS.items()),
        "read": stream.nbytes * _rate(_read, stream, steps=1),
    }


def _list(rng: np.random.Generator, room: np.ndarray) -> tuple[np.ndarray, ...]:
    """Weights, their columns, a panel of inputs at the beginning of `room`, and place for the sums."""
    columns = rng.integers(0, INPUTS, LISTED).astype(np.uint16)
    return rng.random(LISTED, np.float32), columns, room[: INPUTS * 8 * LANES], room[: 8 * LANES].copy()


def _rate(loop: Callable[..., Any], *arrays: np.ndarray, steps: int = STEPS) -> float:
    """The most steps a second in five tries."""
    loop(*arrays, steps)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        loop(*arrays, steps)
        seconds.append(time.perf_counter() - start)
    return steps / min(seconds)


def _multiply_add(acc, u, steps):  # type: ignore[no-untyped-def]
    a, b = column(acc, u, 0, 1), row(acc, u, 64)
    for _ in range(steps):
        acc = fma(a, b, acc)
    store(acc, u, 1024, width(acc), 6, width(acc))


def _dot_codes(acc, u, sums, steps):  # type: ignore[no-untyped-def]
    b = packed(acc, u, 64, GROUP * LANES)
    for _ in range(steps):
        acc = dot(acc, b, acc)  # of its own bits, lest the same products be taken out of the loop
    store(acc, sums, 0, width(acc), 6, width(acc))


def _count_signs(acc, u, steps):  # type: ignore[no-untyped-def]
    b = row(acc, u, 0)
    for _ in range(steps):
        acc = add(acc, differing_bits(acc, b))
    store(acc, u, 1024, width(acc), 6, width(acc))


_multiply_add, _dot_codes, _count_signs = (
    numba.njit(inline="always")(f) for f in (_multiply_add, _dot_codes, _count_signs)
)
FMA = {
    8: jit(lambda u, steps: _multiply_add(zeros(2, 4, u), u, steps)),
    16: jit(lambda u, steps: _multiply_add(zeros(4, 4, u), u, steps)),
    24: jit(lambda u, steps: _multiply_add(zeros(6, 4, u), u, steps)),
}
DOT = {
    8: jit(lambda u, sums, steps: _dot_codes(zeros(2, 4, sums), u, sums, steps)),
    16: jit(lambda u, sums, steps: _dot_codes(zeros(4, 4, sums), u, sums, steps)),
    24: jit(lambda u, sums, steps: _dot_codes(zeros(6, 4, sums), u, sums, steps)),
}
SIGNS = {
    8: jit(lambda u, steps: _count_signs(zeros(2, 4, u), u, steps)),
    16: jit(lambda u, steps: _count_signs(zeros(4, 4, u), u, steps)),
    24: jit(lambda u, steps: _count_signs(zeros(6, 4, u), u, steps)),
}


@intrinsic
def _again(_: Any, u: Any) -> Any:
    """Multiply what the matrix registers hold, into each of the four that sum."""

    def emit(*call: Any) -> Any:
        e = Emit(*call)
        for number in range(4):
            left, right = BYTE(LEFT + number // 2), BYTE(LEFT + 2 + number % 2)
            e.call("llvm.x86.tdpbssd", VOID, BYTE(number), left, right)
        return e.context.get_dummy_value()

    return types.void(u), emit


@jit
def _listed(values, columns, panel, y, steps):  # type: ignore[no-untyped-def]
    acc = zeros(1, 8, y)
    for _ in range(steps):
        for j in range(columns.size):
            acc = fma(column(acc, values, j, 0), row(acc, panel, columns[j] * width(acc)), acc)
    store(acc, y, 0, width(acc), 1, width(acc))


@jit
def _matrix(u, sums, steps):  # type: ignore[no-untyped-def]
    configure(SHAPES[SIDE])
    clear(2, 2)
    multiply(2, 2, u, 0, 1024, u, 0, 1024)  # brings codes into the registers
    for _ in range(steps):
        _again(u)
    save(2, 2, sums, 0, 2 * SIDE * SIDE, 2 * SIDE)
    release()


@jit
def _read(u, steps):  # type: ignore[no-untyped-def]
    acc = zeros(1, 8, u)
    for _ in range(steps):
        for i in range(0, u.size, width(acc)):
            acc = add(acc, row(acc, u, i))
    store(acc, u, 0, 0, 1, 1)
