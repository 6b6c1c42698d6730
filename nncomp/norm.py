"""Batch normalization with its backward pass written out (Ioffe & Szegedy 2015)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np


class NormSaved(NamedTuple):
    """What the backward pass needs: the normalized batch, and 1 / standard deviation of each feature."""

    x_hat: np.ndarray
    inv_std: np.ndarray
    mean: np.ndarray
    var: np.ndarray


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """`y = gamma (x - mean) / sqrt(var + eps) + beta`, per feature.

    In training, mean and (biased) variance are the batch's, and `track` moves the running ones towards them by
    `momentum`, the variance unbiased as in PyTorch. Afterwards the running ones are used, and `affine` folds them away.

    >>> norm = BatchNorm.init(1, np.float64)
    >>> norm.forward(np.array([[1.0], [3.0]]))[0].round(3)
    array([[-1.],
           [ 1.]])
    """

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    eps: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        arrays = (self.gamma, self.beta, self.mean, self.var)
        if any(a.ndim != 1 or a.shape != self.gamma.shape for a in arrays):
            raise ValueError(f"batch norm holds four vectors of one length, not {[a.shape for a in arrays]}")
        if any(a.dtype != self.gamma.dtype or not np.isfinite(a).all() for a in arrays):
            raise ValueError(f"batch norm holds finite vectors of one dtype, not {[str(a.dtype) for a in arrays]}")
        if (self.var < 0).any() or self.eps <= 0:
            raise ValueError(f"variances are at least 0 and eps above 0, not {self.var.min()} and {self.eps}")

    @classmethod
    def init(cls, features: int, dtype: np.dtype | type = np.float32) -> Self:
        """The identity to start from: gamma 1, beta 0, running mean 0 and variance 1."""
        return cls(
            np.ones(features, dtype), np.zeros(features, dtype), np.zeros(features, dtype), np.ones(features, dtype)
        )

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        """The trainable arrays."""
        return self.gamma, self.beta

    @property
    def nbytes(self) -> int:
        """Bytes stored."""
        return self.gamma.nbytes + self.beta.nbytes + self.mean.nbytes + self.var.nbytes

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        """The same statistics with other gamma and beta."""
        return replace(self, gamma=params[0], beta=params[1])

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Self:
        """The norm with each of its four vectors changed alike."""
        gamma, beta, mean, var = (change(a) for a in (self.gamma, self.beta, self.mean, self.var))
        return replace(self, gamma=gamma, beta=beta, mean=mean, var=var)

    def copied(self) -> Self:
        """The same norm, sharing no array."""
        return self.changed(np.copy)

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """`(a, b)` with `y = a x + b`, from the running statistics."""
        a = self.gamma / np.sqrt(self.var + self.gamma.dtype.type(self.eps))
        return a, self.beta - a * self.mean

    def apply(self, x: np.ndarray) -> np.ndarray:
        """`x (batch, features)` normalized by the running statistics."""
        a, b = self.affine()
        return a * x + b

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, NormSaved]:
        """`x (batch, features)` normalized by its own statistics; a batch of one has none and raises."""
        if x.shape[0] < 2:
            raise ValueError(f"batch normalization in training needs at least 2 samples, not {x.shape[0]}")
        mean, var = x.mean(axis=0), x.var(axis=0)
        inv_std = 1 / np.sqrt(var + x.dtype.type(self.eps))
        x_hat = (x - mean) * inv_std
        return self.gamma * x_hat + self.beta, NormSaved(x_hat, inv_std, mean, var)

    def vjp(self, saved: NormSaved, dy: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """`dx = gamma / std (dy - mean(dy) - x_hat mean(dy x_hat))`, `dgamma = sum dy x_hat`, `dbeta = sum dy`."""
        batch = dy.dtype.type(dy.shape[0])
        dgamma, dbeta = (dy * saved.x_hat).sum(axis=0), dy.sum(axis=0)
        dx = self.gamma * saved.inv_std * (dy - dbeta / batch - saved.x_hat * (dgamma / batch))
        return dx, (dgamma, dbeta)

    def track(self, saved: NormSaved) -> None:
        """Move the running statistics, in place, towards a batch's: only `train` does this, on its own copy."""
        batch, m = saved.x_hat.shape[0], self.mean.dtype.type(self.momentum)
        self.mean[...] += m * (saved.mean - self.mean)
        self.var[...] += m * (saved.var * self.var.dtype.type(batch / (batch - 1)) - self.var)
