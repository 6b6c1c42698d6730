"""Every weight stored: the form a network is born in."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nncomp.kernels.dense import dense_matmul
from nncomp.weights.protocol import check_gradient, check_input, check_shape
from nncomp.weights.sparse import Sparse


@dataclass(frozen=True, eq=False)
class Dense:
    """`W = w (out, in)`, float32 or float64.

    >>> Dense(np.array([[1.0, 2.0]])).apply(np.array([[3.0, 4.0]]))
    array([[11.]])
    """

    w: np.ndarray

    def __post_init__(self) -> None:
        if not isinstance(self.w, np.ndarray):
            raise ValueError(f"a weight is an array, not a {type(self.w).__name__}")
        check_shape(self.w.shape)
        if self.w.dtype not in (np.float32, np.float64):
            raise ValueError(f"a weight is float32 or float64, not {self.w.dtype}")

    @property
    def shape(self) -> tuple[int, int]:
        return self.w.shape

    @property
    def dtype(self) -> np.dtype:
        return self.w.dtype

    @property
    def nbytes(self) -> int:
        return self.w.nbytes

    @property
    def multiply_adds(self) -> int:
        return self.w.size

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.w,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return type(self)(*params)

    def dense(self) -> np.ndarray:
        return self.w

    def apply(self, x: np.ndarray) -> np.ndarray:
        check_input(self, x)
        return dense_matmul(x, self.w)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.apply(x), x

    def vjp(
        self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """`dx = dy W`, `dW = dy.T x`."""
        check_gradient(self, saved, dy)
        return (dy @ self.w if need_dx else None), (dy.T @ saved,)

    def masked(self, mask: np.ndarray) -> Sparse:
        return Sparse.from_dense(self.w, mask)

    def prepared(self) -> Self:
        return self

    def scaled(self, factors: np.ndarray) -> Self:
        """The weight whose row n is `factors[n]` times this one's."""
        return type(self)(self.w * factors[:, None])
