"""Where arrays begin: at a cache line, so that a register's store never touches two of them."""

import numpy as np

from nncomp.kernels.jit import inlined

LINE = 64
"""Bytes of a cache line, and of the widest register."""
CACHED = 2**17
"""Bytes below which an array stays in the caches next to the core, where its beginning makes no difference."""


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """As `np.empty`, a large array beginning at a cache line.

    >>> aligned_empty((512, 512), np.int32).ctypes.data % LINE
    0
    """
    small = np.empty(shape, dtype)
    if small.nbytes < CACHED:
        return small
    room = np.empty(small.nbytes + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + small.nbytes].view(dtype).reshape(shape)


def _aligned_py(size, like):  # type: ignore[no-untyped-def]
    """Within a kernel: `size` numbers of the dtype of `like`, beginning at a cache line."""
    room = np.empty(size + LINE // like.itemsize, like.dtype)
    start = -room.ctypes.data % LINE // like.itemsize
    return room[start : start + size]


aligned = inlined(_aligned_py)
