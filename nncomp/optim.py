"""Optimizers: how a gradient becomes an update, in place, one fused pass per array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.kernels.elementwise import adam, sgd


@dataclass(frozen=True)
class SGD:
    """`g += weight_decay w`, `v = momentum v + g`, `w -= rate v`; with `nesterov`, `w -= rate (g + momentum v)`.

    PyTorch's form (Sutskever et al. 2013 with the rate outside v). The decay acts on every array it is given.

    >>> w = np.ones(1)
    >>> SGD(rate=0.1).update([w], [np.ones(1)], SGD().init([w]), t=1)
    >>> w
    array([0.9])
    """

    rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_positive(rate=self.rate)
        _check_fractions(momentum=self.momentum)
        _check_at_least_0(weight_decay=self.weight_decay)

    def init(self, params: Sequence[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        """The state to start from: one v per array."""
        return [(np.zeros_like(w),) for w in params]

    def update(
        self,
        params: Sequence[np.ndarray],
        gradients: Sequence[np.ndarray],
        state: Sequence[tuple[np.ndarray, ...]],
        t: int,
        factor: float = 1.0,
    ) -> None:
        """Step t = 1, 2, ... with the rate times `factor`; `params` and `state` change in place."""
        for w, g, (v,) in zip(params, gradients, state, strict=True):
            _check_in_place(w, g, v)
            if self.weight_decay:
                g = g + w.dtype.type(self.weight_decay) * w
            sgd(w, np.ascontiguousarray(g), v, self.rate * factor, self.momentum, self.nesterov)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1); `weight_decay` is added to the gradient, as L2 regularization is.

    >>> w = np.ones(1)
    >>> Adam(rate=0.1, eps=0.0).update([w], [np.full(1, 5.0)], Adam().init([w]), t=1)
    >>> w.round(12)
    array([0.9])
    """

    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_positive(rate=self.rate)
        _check_fractions(beta1=self.beta1, beta2=self.beta2)
        _check_at_least_0(eps=self.eps, weight_decay=self.weight_decay)

    def init(self, params: Sequence[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        """The state to start from: one pair (m, v) per array."""
        return [(np.zeros_like(w), np.zeros_like(w)) for w in params]

    def update(
        self,
        params: Sequence[np.ndarray],
        gradients: Sequence[np.ndarray],
        state: Sequence[tuple[np.ndarray, ...]],
        t: int,
        factor: float = 1.0,
    ) -> None:
        """As `SGD.update`."""
        for w, g, (m, v) in zip(params, gradients, state, strict=True):
            _check_in_place(w, g, m, v)
            if self.weight_decay and not self.decoupled:
                g = g + w.dtype.type(self.weight_decay) * w
            decay = self.weight_decay if self.decoupled else 0.0
            adam(w, np.ascontiguousarray(g), m, v, self.rate * factor, self.beta1, self.beta2, self.eps, decay, t)

    decoupled = False


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled decay (Loshchilov & Hutter 2019), scaled by the rate, as in PyTorch: `w -= rate decay w`.

    >>> w = np.ones(1)
    >>> AdamW(rate=0.1, weight_decay=0.5).update([w], [np.zeros(1)], AdamW().init([w]), t=1)
    >>> w
    array([0.95])
    """

    weight_decay: float = 0.01

    decoupled = True


Optimizer = SGD | Adam


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is positive and finite, not {value}")


def _check_at_least_0(**values: float) -> None:
    for name, value in values.items():
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is at least 0 and finite, not {value}")


def _check_fractions(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} is from 0 to below 1, not {value}")


def _check_in_place(w: np.ndarray, g: np.ndarray, *state: np.ndarray) -> None:
    """Raise unless all fit: the update runs over memory without bounds checks."""
    if g.shape != w.shape or g.dtype != w.dtype:
        raise ValueError(f"cannot update {w.dtype} {w.shape} in place by a gradient {g.dtype} {g.shape}")
    for a in (w, *state):
        if a.shape != w.shape or a.dtype != w.dtype or not (a.flags.c_contiguous and a.flags.writeable):
            raise ValueError(f"{w.dtype} {w.shape} and its state {a.dtype} {a.shape} are not updatable in place")
