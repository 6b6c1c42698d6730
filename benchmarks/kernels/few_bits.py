"""Weights of few bits, for one sample, where reading them is the work; and products of signs."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from benchmarks.kernels.case import Case, Task, equals, sums
from nncomp.kernels.binary import binary_matmul, binary_matmul_reference, binary_pack
from nncomp.kernels.int8 import int8_matmul
from nncomp.kernels.lookup import lookup_matmul, lookup_pack
from nncomp.kernels.lowbit import lowbit_matmul, lowbit_pack
from nncomp.kernels.pack import int8_pack

SIDES, BATCHES = (4096, 8192), (1, 4)
"""64 MiB of float32, and 256."""


def lowbit_cases(quick: bool, threads: int) -> Iterator[Case]:
    """int8 activations: W4A8, W2A8, ternary."""
    rng = np.random.default_rng(0)
    kinds = ("int4", 4, -8, 7), ("int2", 2, -2, 1), ("ternary", 2, -1, 1)
    for side, (kernel, bits, low, high) in product(SIDES[:1] if quick else SIDES, kinds):
        b = rng.integers(low, high, (side, side), np.int8, endpoint=True)
        packed, eight = lowbit_pack(b, bits), int8_pack(b)
        for batch in (1,) if quick else BATCHES:
            a = rng.integers(0, 256, (batch, side)).astype(np.uint8)
            yield Case(
                kernel, f"{side} x {side}, uint8 activations, batch {batch}",
                lambda a=a, packed=packed: lowbit_matmul(a, packed),
                {"nncomp int8": lambda a=a, eight=eight: int8_matmul(a, eight)},
                equals(a.astype(np.int32) @ b.T.astype(np.int32)), packed.panels.nbytes, "read",
            )  # fmt: skip


def lookup_cases(quick: bool, threads: int) -> Iterator[Case]:
    """Float activations: 4-bit weights, and codebooks of 16 and of 4 values."""
    rng = np.random.default_rng(0)
    books = ("int4", np.arange(-8.0, 8.0)), ("lookup", np.sort(rng.standard_normal(16))), ("lookup", np.arange(4.0))
    for side, (kernel, book) in product(SIDES[:1] if quick else SIDES, books):
        codebook = book.astype(np.float32)
        indices = rng.integers(0, codebook.size, (side, side)).astype(np.uint8)
        packed, w = lookup_pack(indices, codebook), codebook[indices]
        for batch in (1,) if quick else BATCHES:
            x = rng.standard_normal((batch, side)).astype(np.float32)
            rivals: dict[str, Task] = {"OpenBLAS": lambda x=x, w=w: x @ w.T}
            if batch == 1:
                rivals["OpenBLAS, matrix by vector"] = lambda x=x, w=w: w @ x[0]
            yield Case(
                kernel, f"{side} x {side}, {codebook.size} values, float activations, batch {batch}",
                lambda x=x, packed=packed: lookup_matmul(x, packed), rivals, sums(x, w), packed.words.nbytes, "read",
                exact=False,
            )  # fmt: skip


def binary_cases(quick: bool, threads: int) -> Iterator[Case]:
    """The signs of the activations are taken in each call."""
    rng = np.random.default_rng(0)
    for (n, k), m in product(((300, 784),) if quick else ((300, 784), (1024, 1024)), (1, 128, 1024)):
        x, w = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((n, k)).astype(np.float32)
        packed, signs = binary_pack(w), np.where(w >= 0, np.float32(1), np.float32(-1))
        yield Case(
            "binary", f"{m} x {k} x {n}", lambda x=x, packed=packed: binary_matmul(x, packed),
            {"OpenBLAS": lambda x=x, signs=signs: x @ signs.T}, equals(binary_matmul_reference(x, w)), 2 * m * k * n,
            "signs",
        )  # fmt: skip
