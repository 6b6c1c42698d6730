"""A matrix in a number format: half precision, fixed point, blocks under a scale, a table, GGUF's bytes."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nncomp.formats.format import Format
from nncomp.weights.dense import Dense
from nncomp.weights.protocol import check_mask, check_shape


@dataclass(frozen=True, eq=False)
class Encoded:
    """`W = format.unpack(parts, shape)`, in floats of `float_bits` 32 or 64; products are those of the decoded W.

    Codes lie without gaps, so `nbytes` are the format's exact bits, scales and the ends of rows and bytes included.
    Nothing of it trains: scales of few bits and shared exponents do not move by gradients.

    >>> from nncomp.formats import mxfp4
    >>> weight = Encoded.of(mxfp4, np.array([[0.1, -0.5, 6.0, 0.0]]))
    >>> weight.dense(), weight.nbytes
    (array([[ 0. , -0.5,  6. ,  0. ]]), 3)
    """

    format: Format
    parts: tuple[np.ndarray, ...]
    shape: tuple[int, int]
    float_bits: int = 32

    def __post_init__(self) -> None:
        check_shape(self.shape)
        if self.float_bits not in (32, 64):
            raise ValueError(f"decoded floats have 32 or 64 bits, not {self.float_bits}")
        if len(self.parts) != 1 + self.format.beside:
            raise ValueError(f"{self.format} is stored in {1 + self.format.beside} arrays, not in {len(self.parts)}")
        with np.errstate(invalid="ignore", over="ignore"):
            check_decoded(self.format, self.dense())

    @classmethod
    def of(cls, format: Format, w: np.ndarray) -> Self:
        """The floats `w (out, in)` rounded to the format; a ValueError where they leave it."""
        Dense(w)  # the same demands on shape and dtype
        check_finite(format, w)
        rows, columns = w.shape
        return cls(format, format.pack(w), (rows, columns), 8 * w.itemsize)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(f"f{self.float_bits // 8}")

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)

    @property
    def multiply_adds(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return ()

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        other = copy(self)
        other.__dict__.setdefault("_decoded", self.prepared())  # once, while the layer around it trains
        return other

    def dense(self) -> np.ndarray:
        return self.format.unpack(self.parts, self.shape).astype(self.dtype)

    def prepared(self) -> Dense:
        kept: Dense | None = self.__dict__.get("_decoded")
        return Dense(self.dense()) if kept is None else kept

    def apply(self, x: np.ndarray) -> np.ndarray:
        return self.prepared().apply(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.apply(x), x

    def vjp(self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True) -> tuple[np.ndarray | None, tuple[()]]:
        """`dx = dy W`."""
        return self.prepared().vjp(saved, dy, need_dx)[0], ()

    def masked(self, mask: np.ndarray) -> Self:
        """What is not kept gets the code of 0; a ValueError where the format has none."""
        check_mask(self.shape, mask)
        return self if mask.all() else replace(self, parts=self.format.pruned(self.parts, self.shape, mask))


def check_finite(format: Format, w: np.ndarray) -> None:
    """Raise unless weights to be encoded are finite."""
    if not np.isfinite(w).all():
        raise ValueError(f"weights of {format} are finite floats")


def check_decoded(format: Format, effective: np.ndarray) -> None:
    """Raise unless decoded weights are finite."""
    if not np.isfinite(effective).all():
        raise ValueError(f"a number of {format} here is NaN or infinite")
