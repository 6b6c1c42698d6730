"""Structured sparsity: blocks of floats and of codes, and n of m, beside OpenBLAS, SciPy and our own other kernels."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import scipy.sparse

from benchmarks.kernels.case import Case, Task, equals, sums
from nncomp.kernels.block_int8 import block_int8_matmul, block_int8_pack
from nncomp.kernels.blocks import block_matmul, block_pack
from nncomp.kernels.int8 import int8_matmul
from nncomp.kernels.n_of_m import n_of_m_matmul, n_of_m_pack
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.pattern import Pattern, sparse_pack
from nncomp.kernels.sparse import masked_matmul

MATRICES, BATCHES = ((1024, 1024), (4096, 1024)), (16, 128, 256)


def _in_blocks(shape: tuple[int, int], block: tuple[int, int], sparsity: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.random((shape[0] // block[0], shape[1] // block[1])) >= sparsity
    return np.repeat(np.repeat(coarse, block[0], axis=0), block[1], axis=1)


def block_cases(quick: bool, threads: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape, sparsity in product(MATRICES[:1] if quick else MATRICES, (0.5, 0.7, 0.9)):
        w = rng.standard_normal(shape).astype(np.float32) * _in_blocks(shape, (16, 1), sparsity)
        b = rng.integers(-128, 128, shape).astype(np.int8) * _in_blocks(shape, (16, 4), sparsity)
        blocks, bsr = block_pack(w), scipy.sparse.bsr_array(w, blocksize=(16, 1))
        codes, packed = block_int8_pack(b), int8_pack(b)
        for batch in (128,) if quick else BATCHES:
            x = rng.standard_normal((batch, shape[1])).astype(np.float32)
            a = rng.integers(0, 256, x.shape).astype(np.uint8)
            name = f"{shape[0]} x {shape[1]}, {100 * sparsity:.0f} % sparse, batch {batch}"
            rivals: dict[str, Task] = {
                "OpenBLAS": lambda x=x, w=w: x @ w.T,
                "scipy": lambda x=x, bsr=bsr: np.ascontiguousarray((bsr @ x.T).T),
            }
            yield Case(
                "block_sparse", f"float32 16 x 1, {name}", lambda x=x, blocks=blocks: block_matmul(x, blocks),
                rivals, sums(x, w), 2 * blocks.values.size * batch, "float32", exact=False,
            )  # fmt: skip
            yield Case(
                "block_sparse", f"int8 16 x 4, {name}", lambda a=a, codes=codes: block_int8_matmul(a, codes),
                {"nncomp int8": lambda a=a, packed=packed: int8_matmul(a, packed)},
                equals((a.astype(np.float64) @ b.T.astype(np.float64)).astype(np.int64)),
                2 * codes.codes.size * batch, "int8 in vectors",
            )  # fmt: skip


def n_of_m_cases(quick: bool, threads: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape, (n, m) in product(MATRICES[:1] if quick else MATRICES, ((2, 4), (1, 4), (4, 8))):
        groups = rng.standard_normal((shape[0], shape[1] // m, m)).astype(np.float32)
        ranks = np.argsort(np.argsort(-np.abs(groups), axis=2), axis=2)
        w = (groups * (ranks < n)).reshape(shape)
        csr, packed = scipy.sparse.csr_array(w), n_of_m_pack(w, n, m)
        kept = sparse_pack(csr.data, Pattern(csr.indices, csr.indptr, shape[1]))
        for batch in (128,) if quick else BATCHES:
            x = rng.standard_normal((batch, shape[1])).astype(np.float32)
            rivals: dict[str, Task] = {
                "OpenBLAS": lambda x=x, w=w: x @ w.T,
                "scipy": lambda x=x, csr=csr: np.ascontiguousarray((csr @ x.T).T),
                "nncomp masked": lambda x=x, kept=kept: masked_matmul(x, kept),
            }
            yield Case(
                "n_of_m", f"{n} of {m}, {shape[0]} x {shape[1]}, batch {batch}",
                lambda x=x, packed=packed: n_of_m_matmul(x, packed), rivals, sums(x, w), 2 * csr.nnz * batch,
                "float32", exact=False,
            )  # fmt: skip
