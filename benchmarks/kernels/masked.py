"""The masked layer, forward and both gradients, and its codes, beside OpenBLAS, SciPy and PyTorch (MKL)."""

import warnings
from collections.abc import Iterator
from itertools import product

import numpy as np
import scipy.sparse
import torch

from benchmarks.kernels.case import Case, Task, equals, sums
from nncomp.kernels.int8 import int8_matmul
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.pattern import Pattern, sparse_pack
from nncomp.kernels.sparse import masked_input_grad, masked_matmul
from nncomp.kernels.sparse_int8 import sparse_int8_matmul, sparse_int8_pack
from nncomp.kernels.weight_grad import masked_weight_grad

MATRICES = (300, 784), (1024, 1024), (2048, 2048), (4096, 1024)
"""(out, in)"""
BATCHES, SPARSITIES = (1, 16, 100, 256, 1024), (0.5, 0.7, 0.9, 0.95, 0.98, 0.99)


class Masked:
    """A matrix with a random mask, in the forms that each rival likes best."""

    def __init__(self, shape: tuple[int, int], sparsity: float) -> None:
        rng = np.random.default_rng(int(100 * sparsity))
        self.mask = rng.random(shape) >= sparsity
        self.w = rng.standard_normal(shape).astype(np.float32) * self.mask
        self.csr = scipy.sparse.csr_array(self.w)
        self.values, self.pattern = self.csr.data, Pattern(self.csr.indices, self.csr.indptr, shape[1])
        self.flat = np.flatnonzero(self.mask)

    def torch_csr(self, transposed: bool = False) -> torch.Tensor:
        csr = self.csr.T.tocsr() if transposed else self.csr
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that these tensors are in beta
            return torch.sparse_csr_tensor(
                torch.from_numpy(csr.indptr.astype(np.int64)), torch.from_numpy(csr.indices.astype(np.int64)),
                torch.from_numpy(csr.data), csr.shape,
            )  # fmt: skip


def _batch(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float32)


def _name(shape: tuple[int, int], sparsity: float, batch: int) -> str:
    return f"{shape[0]} x {shape[1]}, {100 * sparsity:.0f} % sparse, batch {batch}"


def matmul_cases(quick: bool, threads: int) -> Iterator[Case]:
    for shape, sparsity in product(MATRICES[:1] if quick else MATRICES, SPARSITIES):
        m = Masked(shape, sparsity)
        kept, csr = sparse_pack(m.values, m.pattern), m.torch_csr()
        for batch in (1, 256) if quick else BATCHES:
            x = _batch(batch, shape[1])
            tx = torch.from_numpy(x)
            rivals: dict[str, Task] = {
                "OpenBLAS": lambda x=x, m=m: x @ m.w.T,
                "scipy": lambda x=x, m=m: np.ascontiguousarray((m.csr @ x.T).T),
                "torch sparse": lambda tx=tx, csr=csr: (csr @ tx.t()).t().contiguous(),
            }
            yield Case(
                "masked_matmul", _name(shape, sparsity, batch), lambda x=x, kept=kept: masked_matmul(x, kept),
                rivals, sums(x, m.w), 2 * m.values.size * batch, "float32", exact=False,
            )  # fmt: skip


def input_grad_cases(quick: bool, threads: int) -> Iterator[Case]:
    """The weights are packed anew in each call: they change in each update."""
    for shape, sparsity in product(MATRICES[:1] if quick else MATRICES, SPARSITIES):
        m = Masked(shape, sparsity)
        csr, transposed = m.torch_csr(transposed=True), m.csr.T.tocsr()
        for batch in (100,) if quick else (16, 100, 256):
            dy = _batch(batch, shape[0])
            tdy = torch.from_numpy(dy)
            rivals: dict[str, Task] = {
                "OpenBLAS": lambda dy=dy, m=m: dy @ m.w,
                "scipy": lambda dy=dy, t=transposed: np.ascontiguousarray((t @ dy.T).T),
                "torch sparse": lambda tdy=tdy, csr=csr: (csr @ tdy.t()).t().contiguous(),
            }
            yield Case(
                "masked_input_grad", _name(shape, sparsity, batch),
                lambda dy=dy, m=m: masked_input_grad(dy, m.values, m.pattern),
                rivals, sums(dy, m.w.T), 2 * m.values.size * batch, "float32", exact=False,
            )  # fmt: skip


def weight_grad_cases(quick: bool, threads: int) -> Iterator[Case]:
    for shape, sparsity in product(MATRICES[:1] if quick else MATRICES, (0.8, 0.9, 0.95, 0.98)):
        m = Masked(shape, sparsity)
        for batch in (100,) if quick else (16, 100, 256, 1024):
            x, dy = _batch(batch, shape[1]), _batch(batch, shape[0])
            whole = sums(dy.T.copy(), x.T.copy())
            rivals: dict[str, Task] = {
                "OpenBLAS, then the mask": lambda x=x, dy=dy, m=m: (dy.T @ x)[m.mask],
                "OpenBLAS, then taken": lambda x=x, dy=dy, m=m: (dy.T @ x).ravel()[m.flat],
                "OpenBLAS, masked": lambda x=x, dy=dy, m=m: (dy.T @ x) * m.mask,
            }
            yield Case(
                "masked_weight_grad", _name(shape, sparsity, batch),
                lambda x=x, dy=dy, m=m: masked_weight_grad(x, dy, m.pattern), rivals,
                lambda result, m=m, whole=whole, x=x, dy=dy: whole(np.where(m.mask, _filled(result, m), dy.T @ x)),
                2 * m.values.size * batch, "float32", exact=False,
            )  # fmt: skip


def _filled(values: np.ndarray, m: Masked) -> np.ndarray:
    full = np.zeros(m.mask.shape, np.float32)
    full[m.mask] = values
    return full


def sparse_int8_cases(quick: bool, threads: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape, sparsity in product(MATRICES[:1] if quick else MATRICES, (0.7, 0.9, 0.95)):
        m = Masked(shape, sparsity)
        codes = rng.integers(1, 128, m.values.size).astype(np.int8)
        csr = scipy.sparse.csr_array((codes.astype(np.int32), m.csr.indices, m.csr.indptr), shape=shape)
        kept = sparse_int8_pack(codes, m.pattern, np.zeros(shape[0], np.int32))
        floats, dense = sparse_pack(codes.astype(np.float32), m.pattern), int8_pack(csr.toarray().astype(np.int8))
        for batch in (100, 256):
            a, zero = rng.integers(0, 256, (batch, shape[1])).astype(np.uint8), np.zeros(batch, np.int32)
            x = a.astype(np.float32)
            rivals: dict[str, Task] = {
                "nncomp float32": lambda x=x, floats=floats: masked_matmul(x, floats),
                "nncomp int8": lambda a=a, dense=dense: int8_matmul(a, dense),
                "scipy int32": lambda a=a, csr=csr: np.ascontiguousarray((csr @ a.T.astype(np.int32)).T),
            }
            yield Case(
                "sparse_int8", _name(shape, sparsity, batch),
                lambda a=a, kept=kept, zero=zero: sparse_int8_matmul(a, kept, zero), rivals,
                equals((csr.astype(np.int64) @ a.T.astype(np.int64)).T), 2 * codes.size * batch, "int8 in vectors",
            )  # fmt: skip
