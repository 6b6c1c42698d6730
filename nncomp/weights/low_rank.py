"""The product of two thin weights: a matrix of few degrees of freedom."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from nncomp.fields import alternatives
from nncomp.weights.dense import Dense
from nncomp.weights.encoded import Encoded
from nncomp.weights.latent import Latent, Noisy
from nncomp.weights.protocol import check_gradient, check_input, check_mask
from nncomp.weights.quantized import Quantized
from nncomp.weights.shared import Shared
from nncomp.weights.sparse import Sparse

Thin = Dense | Sparse | Quantized | Shared | Encoded | Latent


@dataclass(frozen=True, eq=False)
class LowRank:
    """`W = A B`, `A (out, rank)` and `B (rank, in)`: `y = A h` with `h = B x`, in floats whatever the factors are.

    Each factor is stored, multiplied and trained in a form of its own: floats, codes, a codebook; or `Latent`, while it
    trains through what it is to be stored as. `params` are A's, then B's. What is left of a product once single weights
    are pruned is none: it becomes `Sparse`.

    >>> weight = LowRank.of(np.array([[1.0], [2.0]]), np.array([[3.0, 0.0, 4.0]]))
    >>> weight.dense(), weight.multiply_adds
    (array([[3., 0., 4.],
           [6., 0., 8.]]), 5)
    >>> LowRank(weight.A, Sparse.from_dense(weight.B.dense())).multiply_adds
    4
    """

    A: Thin
    B: Thin

    def __post_init__(self) -> None:
        for factor in (self.A, self.B):
            if type(factor) not in alternatives(Thin):
                told = "factors are weights in floats or codes, as `LowRank.of` makes them of arrays"
                raise ValueError(f"{told}, not {type(factor).__name__}")
            if factor.dtype not in (np.float32, np.float64):
                raise ValueError(f"a factor is float32 or float64, not {factor.dtype}")
            if isinstance(factor, Latent) and isinstance(factor.transform, Noisy):
                raise ValueError(f"a factor does not train by chance, as by {type(factor.transform).__name__}")
        if self.A.shape[1] != self.B.shape[0] or self.A.dtype != self.B.dtype:
            given = f"{self.A.dtype} {self.A.shape} and {self.B.dtype} {self.B.shape}"
            raise ValueError(f"factors are (out, rank) and (rank, in) of one dtype, not {given}")
        for name in ("A", "B"):  # as if read from a file: whoever makes the product anew means its factors too
            object.__setattr__(self, name, replace(getattr(self, name)))

    @classmethod
    def of(cls, A: np.ndarray, B: np.ndarray) -> Self:
        """The product of arrays (out, rank) and (rank, in), float32 or float64."""
        return cls(Dense(A), Dense(B))

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
        return self.A.multiply_adds + self.B.multiply_adds

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (*self.A.params, *self.B.params)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        n = len(self.A.params)
        return self._with(self.A.with_params(params[:n]), self.B.with_params(params[n:]))

    def _with(self, A: Any, B: Any) -> Self:
        """Other factors of these shapes, taken as they are, with what training keeps beside them."""
        other = copy(self)
        other.__dict__.update(A=A, B=B)
        return other

    def dense(self) -> np.ndarray:
        return self.A.dense() @ self.B.dense()

    def apply(self, x: np.ndarray) -> np.ndarray:
        """`y = (x B.T) A.T`, never by way of W."""
        check_input(self, x)
        return self.A.apply(self.B.apply(x))

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_input(self, x)
        return self.A.forward(self.B.forward(x)[0])[0], x

    def vjp(
        self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """With `h = x B.T`: A's gradients and `dh = dy A` from h and dy; B's and `dx = dh B` from x and dh."""
        check_gradient(self, saved, dy)
        h, of_B = self.B.forward(saved)
        of_A = self.A.forward(h)[1] if isinstance(self.A, Latent) else h  # of stored forms, it is the input
        dh, dA = self.A.vjp(of_A, dy)
        assert dh is not None
        dx, dB = self.B.vjp(of_B, dh, need_dx)
        return dx, (*dA, *dB)

    def masked(self, mask: np.ndarray) -> "LowRank | Sparse":
        check_mask(self.shape, mask)
        return self if mask.all() else Sparse.from_dense(self.dense(), mask)

    def prepared(self) -> Self:
        return self._with(self.A.prepared(), self.B.prepared())

    def store(self) -> Self:
        """The product of both factors in the form they ship in: itself, unless one is `Latent`."""
        A, B = (factor.store() if isinstance(factor, Latent) else factor for factor in (self.A, self.B))
        return self if A is self.A and B is self.B else type(self)(A, B)  # type: ignore[arg-type]

    def scaled(self, factors: np.ndarray) -> Self:
        """The weight whose row n is `factors[n]` times this one's; a ValueError where A has no such form."""
        if not isinstance(self.A, Dense | Sparse | Quantized):
            raise ValueError(f"batch norm folds into floats and codes, not {type(self.A).__name__}")
        return type(self)(self.A.scaled(factors), self.B)
