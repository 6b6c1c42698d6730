"""Gradients, and rows of weights, held to a norm: the two classic regularizers that are hooks."""

from dataclasses import dataclass

import numpy as np

from nncomp.hooks.hook import Hook
from nncomp.network import MLP
from nncomp.weights import Dense, Latent, Sparse


@dataclass(frozen=True)
class ClipGradients(Hook):
    """Scale all gradients by `limit / |g|` where their joint norm |g| exceeds `limit` (Pascanu et al. 2013, alg. 1).

    >>> gradients = [(np.array([3.0, 4.0]),)]
    >>> ClipGradients(1.0).after_backward(1, MLP.init([1, 1]), gradients)
    >>> gradients[0][0].round(12)
    array([0.6, 0.8])
    """

    limit: float

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def after_backward(self, t: int, network: MLP, gradients: list[tuple[np.ndarray, ...]]) -> None:
        norm = np.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for layer in gradients for g in layer))
        if not np.isfinite(norm):
            raise ValueError(f"the gradients of update {t} hold NaN or infinity: nothing to clip to")
        if norm > self.limit:
            for layer in gradients:
                for g in layer:
                    g *= g.dtype.type(self.limit / norm)


@dataclass(frozen=True)
class MaxNorm(Hook):
    """Scale each row of a weight back to the norm `limit` where it exceeds it (Srivastava et al. 2014, 5.1).

    Weights whose own values do not train (quantized, shared, encoded, factors, sums) are left as they are.

    >>> from nncomp.layer import Linear
    >>> network = MLP((Linear(Dense(np.array([[3.0, 4.0], [0.0, 0.5]])), np.zeros(2)),))
    >>> MaxNorm(1.0).after_update(1, network)
    >>> network.layers[0].weight.dense()
    array([[0.6, 0.8],
           [0. , 0.5]])
    """

    limit: float

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def after_update(self, t: int, network: MLP) -> None:
        for layer in network.layers:
            match layer.weight:
                case Dense(w=w) | Latent(w=w):
                    w *= self._factor(np.linalg.norm(w, axis=1, keepdims=True))
                case Sparse(values=w, rows=rows):
                    square = np.bincount(rows, w**2, minlength=layer.weight.shape[0])
                    w *= self._factor(np.sqrt(square).astype(w.dtype))[rows]

    def _factor(self, norm: np.ndarray) -> np.ndarray:
        return np.minimum(1, norm.dtype.type(self.limit) / np.maximum(norm, np.finfo(norm.dtype).tiny))


def _check_limit(limit: float) -> None:
    if not limit > 0:
        raise ValueError(f"a norm's limit is positive, not {limit}")
