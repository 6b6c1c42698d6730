"""The sum of other weights: codes and what stays in floats beside them."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nncomp.fields import alternatives
from nncomp.weights.dense import Dense
from nncomp.weights.encoded import Encoded
from nncomp.weights.low_rank import LowRank
from nncomp.weights.protocol import Weight
from nncomp.weights.quantized import Quantized
from nncomp.weights.shared import Shared
from nncomp.weights.sparse import Sparse

Part = Dense | Sparse | Quantized | Shared | Encoded | LowRank


@dataclass(frozen=True, eq=False)
class Sum:
    """`W = W_1 + W_2 + ...`, parts of one shape and dtype, each stored, multiplied and trained in a form of its own.

    Codes with outliers in floats (SpQR) are `Quantized` and `Sparse`, those with a low-rank correction (LQER, QERA,
    SVDQuant) `Quantized` and `LowRank`. What costs bytes and multiplications is every part; pruning prunes them all.

    >>> from nncomp.formats import Grid, Uniform
    >>> codes = Quantized(np.array([[4, -2]], np.int8), Grid(Uniform(), np.array([[0.5]])))
    >>> weight = Sum((codes, Sparse.from_dense(np.array([[0.0, 9.0]]))))
    >>> weight.dense(), weight.multiply_adds
    (array([[2., 8.]]), 3)
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a sum has at least one part")
        for part in self.parts:
            if type(part) not in alternatives(Part):
                raise ValueError(f"parts of a sum are stored in floats or codes, not as {type(part).__name__}")
            if isinstance(part, LowRank) and part.store() is not part:
                raise ValueError("parts of a sum are stored in floats or codes, not with a factor that is Latent")
        if len({(part.shape, part.dtype) for part in self.parts}) > 1:
            told = ", ".join(f"{part.dtype} {part.shape}" for part in self.parts)
            raise ValueError(f"parts of a sum have one shape and dtype, not {told}")
        # Parts as if read from a file: whoever makes the sum anew, to train it or to measure it, means them too.
        object.__setattr__(self, "parts", tuple(replace(part) for part in self.parts))

    @classmethod
    def of(cls, *weights: "Part | Sum") -> Self:
        """The sum of weights, some of which may be sums."""
        return cls(tuple(part for w in weights for part in (w.parts if isinstance(w, Sum) else (w,))))

    @property
    def shape(self) -> tuple[int, int]:
        return self.parts[0].shape

    @property
    def dtype(self) -> np.dtype:
        return self.parts[0].dtype

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)

    @property
    def multiply_adds(self) -> int:
        return sum(part.multiply_adds for part in self.parts)

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return tuple(p for part in self.parts for p in part.params)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        parts, first = [], 0
        for part in self.parts:
            last = first + len(part.params)
            parts.append(part.with_params(params[first:last]))
            first = last
        other = copy(self)  # what was checked when it was made still fits: training does this at every update
        other.__dict__.update(parts=tuple(parts))
        return other

    def dense(self) -> np.ndarray:
        return sum((part.dense() for part in self.parts[1:]), self.parts[0].dense())

    def apply(self, x: np.ndarray) -> np.ndarray:
        y = self.parts[0].apply(x)
        for part in self.parts[1:]:
            y += part.apply(x)
        return y

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = self.parts[0].forward(x)[0]
        for part in self.parts[1:]:
            y += part.forward(x)[0]
        return y, x

    def vjp(
        self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """`dx = sum of the parts' dx`; each part's own gradients, one after the other."""
        found = [part.vjp(saved, dy, need_dx) for part in self.parts]
        dx = found[0][0]
        for more, _ in found[1:]:
            dx = None if dx is None or more is None else dx + more
        return dx, tuple(dp for _, dparams in found for dp in dparams)

    def masked(self, mask: np.ndarray) -> Self:
        return type(self)(tuple(part.masked(mask) for part in self.parts))

    def prepared(self) -> Weight:
        """One matrix where a part is dense once it is decoded, or all are sparse; else thin factors stay factors."""
        parts = tuple(part.prepared() for part in self.parts)
        sparse = [part for part in parts if isinstance(part, Sparse)]
        if len(sparse) == len(parts):
            return Sparse.from_dense(self.dense(), np.any([part.mask for part in sparse], axis=0))
        if not all(isinstance(part, Sparse | LowRank) for part in parts):
            return Dense(self.dense())
        return type(self)(parts)

    def scaled(self, factors: np.ndarray) -> Self:
        """The weight whose row n is `factors[n]` times this one's; a ValueError where a part has no such form."""
        parts = []
        for part in self.parts:
            if isinstance(part, Shared | Encoded):
                raise ValueError(f"batch norm folds into floats and codes, not {type(part).__name__}")
            parts.append(part.scaled(factors))
        return type(self)(tuple(parts))
