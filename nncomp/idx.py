"""The IDX format of MNIST: a magic number that tells type and dimensions, the dimensions, the bytes."""

import math

import numpy as np


def read_idx(content: bytes) -> np.ndarray:
    """Unsigned bytes of up to 8 dimensions; a ValueError for anything else.

    >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    array([7, 8, 9], dtype=uint8)
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError(f"not an IDX file of unsigned bytes: it starts with {content[:4].hex(' ') or 'nothing'}")
    if content[3] > 8:
        raise ValueError(f"an IDX file of {content[3]} dimensions: at most 8 are read")
    head = 4 + 4 * content[3]
    if len(content) < head:
        raise ValueError(f"an IDX file of {content[3]} dimensions ends inside its header")
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, head, 4))
    if len(content) - head != math.prod(shape):
        raise ValueError(f"an IDX file announces shape {shape} and holds {len(content) - head} bytes")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
