"""Optimizers: how a gradient becomes an update, in place, one fused pass per array; and how the rate changes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.kernels.elementwise import adam, sgd

Schedule = Callable[[float], float]
"""Progress from 0 to 1 in, the factor on the optimizer's rate out."""


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
    """Adam with decoupled decay (Loshchilov & Hutter 2019), scaled by the rate, as in PyTorch: `w -= rate decay w`."""

    weight_decay: float = 0.01

    decoupled = True


Optimizer = SGD | Adam


@dataclass(frozen=True)
class Constant:
    """The same rate throughout."""

    def __call__(self, progress: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Step:
    """The rate times `factor` at each of the `at` fractions of the training that has passed.

    >>> [Step(at=(0.5, 0.75), factor=0.1)(t) for t in (0.4, 0.5)]
    [1.0, 0.1]
    """

    at: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __call__(self, progress: float) -> float:
        return self.factor ** sum(progress >= t for t in self.at)


@dataclass(frozen=True)
class Cosine:
    """`factor = last + (1 - last) (1 + cos(pi t)) / 2` (Loshchilov & Hutter 2017, equation 5, without restarts).

    >>> [round(Cosine()(t), 6) for t in (0, 0.5, 1)]
    [1.0, 0.5, 0.0]
    """

    last: float = 0.0

    def __call__(self, progress: float) -> float:
        return self.last + (1 - self.last) * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class OneCycle:
    """Half a cosine from `first` up to 1 over the `warmup` fraction, another down to `last` (after Smith & Topin 2018).

    >>> [round(OneCycle()(t), 6) for t in (0, 0.3, 1)]
    [0.04, 1.0, 0.0]
    """

    warmup: float = 0.3
    first: float = 0.04
    last: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.warmup < 1:
            raise ValueError(f"the warm-up is a fraction between 0 and 1, not {self.warmup}")

    def __call__(self, progress: float) -> float:
        if progress < self.warmup:
            return Cosine(self.first)(1 - progress / self.warmup)
        return Cosine(self.last)((progress - self.warmup) / (1 - self.warmup))


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
