"""Nothing is read beyond an array's end: what lies there is a page that nobody may touch."""

import ctypes
import mmap
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncomp.kernels import binary, blocks, dense, elementwise, encode, int8, linear, lowbit, sparse, sparse_int8
from nncomp.kernels.block_int8 import block_int8_matmul, block_int8_pack
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.pattern import Pattern, sparse_pack
from nncomp.kernels.simd.path import PATH
from nncomp.kernels.weight_grad import masked_weight_grad
from tests.kernels.processes import compiled_only, run

PAGE, NOBODY = mmap.PAGESIZE, 0
SIZES = [(1, 1, 1), (2, 5, 20), (3, 17, 5), (6, 64, 33), (7, 3, 64), (15, 16, 17), (18, 70, 65), (33, 15, 130)]


def guarded(a: np.ndarray) -> np.ndarray:
    """A copy whose last byte is the last before such a page."""
    pages = -(-a.nbytes // PAGE)
    room = mmap.mmap(-1, (pages + 1) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    mprotect = ctypes.CDLL(None).mprotect
    assert mprotect(ctypes.c_void_p(start + pages * PAGE), ctypes.c_size_t(PAGE), NOBODY) == 0
    copy = np.frombuffer(room, a.dtype, a.size, pages * PAGE - a.nbytes).reshape(a.shape)
    copy[...] = a
    return copy


def all_guarded(packed: Any) -> Any:
    return packed._replace(**{name: guarded(a) for name, a in packed._asdict().items() if isinstance(a, np.ndarray)})


def read_to_the_end() -> None:
    """Call every kernel with guarded arrays, of sizes around those of registers and tiles."""
    dense._left_to_blas = lambda x, w: PATH == "scalar"  # type: ignore[assignment]
    for m, n, k in SIZES:
        w, mask = np.ones((n, k), np.float32), np.ones((n, k), bool)
        pattern = Pattern(np.nonzero(mask)[1], np.arange(n + 1) * k, k)
        x, dy, b = guarded(np.ones((m, k), np.float32)), guarded(np.ones((m, n), np.float32)), w.astype(np.int8)
        zero, scale = guarded(np.ones(m, np.int32)), guarded(np.ones(m, np.float32))
        for kind in (np.int8, np.uint8):
            a, grid = guarded(np.ones((m, k), kind)), np.iinfo(kind)
            int8.int8_matmul(a, all_guarded(int8_pack(b, np.ones(n, int))), zero)
            block_int8_matmul(a, all_guarded(block_int8_pack(b)), zero)
            lowbit.lowbit_matmul(a, all_guarded(lowbit.lowbit_pack(b, 4)), zero)
            kept = sparse_int8.sparse_int8_pack(b.ravel(), pattern, np.ones(n, int))
            sparse_int8.sparse_int8_matmul(a, kept, zero)  # type: ignore[arg-type]
            for to in (encode.FIXED, encode.TO_ROW, encode.TO_ALL):
                codes = encode.Codes(int(grid.min), int(grid.max), np.dtype(kind), to, 0, 127.0, scale, zero)
                linear.int8_linear(x, linear.Layer(int8_pack(b), scale[:1], scale[:1], codes))
                encode.encode(x, codes)
        binary.binary_matmul(x, all_guarded(binary.binary_pack(w)))
        blocks.block_matmul(x, all_guarded(blocks.block_pack(w)))
        dense.dense_matmul(x, guarded(w))
        sparse.masked_matmul(x, sparse_pack(guarded(w.ravel()), pattern))
        masked_weight_grad(x, dy, pattern)
        arrays = [guarded(np.ones(k, np.float32)) for _ in range(4)]
        elementwise.adam(*arrays, rate=0.1, beta1=0.9, beta2=0.9, eps=1e-8, decay=0.0, t=1)


@compiled_only
@pytest.mark.skipif(sys.platform != "linux", reason="pages are guarded by Linux's mprotect")
def test_nothing_is_read_beyond_the_end(tmp_path: Path) -> None:
    run("from tests.kernels.test_guard import read_to_the_end; read_to_the_end()", tmp_path)
