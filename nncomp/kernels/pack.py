"""The weights' 8-bit codes as the integer kernels read them, and the bound that keeps their sums in int32."""

from typing import NamedTuple

import numpy as np

from nncomp.kernels.memory import aligned_empty
from nncomp.kernels.simd.matrix import DEPTH
from nncomp.kernels.simd.path import GROUP, LANES, MATRIX

WHOLE = DEPTH if MATRIX else GROUP
"""Panels have a multiple of so many inputs."""
NO_ZEROS = np.empty(0, np.int32)
LARGEST_SUM = 2**31 - 1


def fits_int32(b: np.ndarray, b_zero: np.ndarray) -> bool:
    """Whether int32 holds every row's sum of `(a - a_zero) (b - b_zero)`, whatever the 8-bit activations a.

    >>> fits_int32(np.full((1, 65_793), -128, np.int8), np.zeros(1, int))
    True
    >>> fits_int32(np.full((1, 65_794), -128, np.int8), np.zeros(1, int))
    False
    """
    largest = np.abs(b.astype(np.int16) - b_zero.astype(np.int16)[:, None]).sum(axis=1, dtype=np.int64)
    return bool(255 * largest.max(initial=0) <= LARGEST_SUM)


def check_int32(b: np.ndarray, b_zero: np.ndarray) -> None:
    """Raise unless `fits_int32`."""
    if not fits_int32(b, b_zero):
        raise ValueError(f"a sum over these {b.shape[1]} codes can overflow int32; any {LARGEST_K} fit")


class Packed(NamedTuple):
    """The weights as `int8_matmul` reads them."""

    panels: np.ndarray
    """int8 (N / LANES, K / GROUP, LANES, GROUP), flat: the codes, less 128 if they were uint8, filled up with zeros."""
    sums: np.ndarray
    """int32: the sum of each row of codes."""
    zeros: np.ndarray
    """int32: each row's zero point, shifted as the codes are; empty if all are 0."""
    outputs: int
    inputs: int


LARGEST_K = LARGEST_SUM // (255 * 255)
"""The longest sum that int32 holds whatever the codes: every factor is at most 255 in size."""


def int8_pack(b: np.ndarray, b_zero: np.ndarray | None = None) -> Packed:
    """Pack the weights' codes `b (N, K)` and their zero points (N); a ValueError where a sum could leave int32.

    >>> int8_pack(np.array([[-128, 1, 5]], np.int8)).sums[:1]
    array([-122], dtype=int32)
    """
    outputs, inputs = b.shape
    zero = np.zeros(outputs, np.int32) if b_zero is None else b_zero.astype(np.int32)
    check_int32(b, zero)
    shift = np.int32(128 if b.dtype == np.uint8 else 0)
    wide, deep = -outputs % LANES, -inputs % WHOLE
    signed = np.pad((b ^ np.uint8(shift)).view(np.int8) if shift else b, ((0, wide), (0, deep)))
    registers = signed.reshape(len(signed) // LANES, LANES, signed.shape[1] // GROUP, GROUP).transpose(0, 2, 1, 3)
    panels = aligned_empty(registers.shape, np.int8)
    panels[...] = registers
    zero -= shift
    zero = np.pad(zero, (0, wide)) if zero.any() else NO_ZEROS
    return Packed(panels.reshape(-1), signed.sum(axis=1, dtype=np.int32), zero, outputs, inputs)
