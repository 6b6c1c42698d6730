"""The product of two thin matrices: a weight of few degrees of freedom."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nncomp.kernels.dense import dense_matmul
from nncomp.weights.protocol import check_gradient, check_input, check_mask, check_shape
from nncomp.weights.sparse import Sparse


@dataclass(frozen=True, eq=False)
class LowRank:
    """`W = A B`, `A (out, rank)` and `B (rank, in)`, float32 or float64: `y = (x B.T) A.T`, `rank (out + in)` products.

    Both factors train. What is left of a product once single weights are pruned is none: it becomes `Sparse`.

    >>> weight = LowRank(np.array([[1.0], [2.0]]), np.array([[3.0, 0.0, 4.0]]))
    >>> weight.dense(), weight.multiply_adds
    (array([[3., 0., 4.],
           [6., 0., 8.]]), 5)
    """

    A: np.ndarray
    B: np.ndarray

    def __post_init__(self) -> None:
        for factor in (self.A, self.B):
            check_shape(factor.shape)
            if factor.dtype not in (np.float32, np.float64):
                raise ValueError(f"a factor is float32 or float64, not {factor.dtype}")
        if self.A.shape[1] != self.B.shape[0] or self.A.dtype != self.B.dtype:
            given = f"{self.A.dtype} {self.A.shape} and {self.B.dtype} {self.B.shape}"
            raise ValueError(f"factors are (out, rank) and (rank, in) of one dtype, not {given}")

    @property
    def rank(self) -> int:
        """How many columns A has, and B rows."""
        return self.B.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        return self.A.shape[0], self.B.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self.A.dtype

    @property
    def nbytes(self) -> int:
        return self.A.nbytes + self.B.nbytes

    @property
    def multiply_adds(self) -> int:
        return self.A.size + self.B.size

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return self.A, self.B

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return type(self)(*params)

    def dense(self) -> np.ndarray:
        return self.A @ self.B

    def apply(self, x: np.ndarray) -> np.ndarray:
        """`y = (x B.T) A.T`, never by way of W."""
        check_input(self, x)
        return dense_matmul(dense_matmul(x, self.B), self.A)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.apply(x), x

    def vjp(
        self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """With `h = x B.T` and `dh = dy A`: `dA = dy.T h`, `dB = dh.T x`, `dx = dh B`."""
        check_gradient(self, saved, dy)
        h, dh = dense_matmul(saved, self.B), dy @ self.A
        return (dh @ self.B if need_dx else None), (dy.T @ h, dh.T @ saved)

    def masked(self, mask: np.ndarray) -> "LowRank | Sparse":
        check_mask(self.shape, mask)
        return self if mask.all() else Sparse.from_dense(self.dense(), mask)

    def prepared(self) -> Self:
        return self

    def scaled(self, factors: np.ndarray) -> Self:
        """The weight whose row n is `factors[n]` times this one's."""
        return type(self)(self.A * factors[:, None], self.B)
