"""Matching of hidden layers in distillation: which loss, between which layers, and what it starts with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nncomp.activations import Identity, LeakyReLU
from nncomp.data import Split
from nncomp.distill import (
    activation_boundaries,
    contrastive,
    factor_transfer,
    factors,
    hint,
    margin_relu,
    margins,
    vid,
)
from nncomp.init import he
from nncomp.learning_rate import OneCycle
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.shown import shown
from nncomp.training import train

FeatureLoss = Callable[..., tuple[Any, ...]]
"""`(student, teacher, *params)` in, `(loss, gradient at the student, gradients at params if any)` out."""


@dataclass(frozen=True, repr=False)
class Match:
    """`weight loss(features of a student's layer, features of a teacher's)`: a term of distillation.

    `loss`: one of `nncomp.distill`'s for features or relations. Layers count from 0, or from the end: -1 are the
    logits, -2 the last hidden layer. `activation_boundaries` and `margin_relu` look before the activation, the others
    at the layers' outputs. A regressor starts as `he` draws it; `factor_transfer` trains its paraphraser first, of half
    as many factors as the teacher has features.

    >>> from nncomp.distill import rkd_distance
    >>> Match(rkd_distance, weight=25.0)
    Match(loss=rkd_distance, weight=25.0)
    """

    loss: FeatureLoss = hint
    student: int = -2
    teacher: int = -2
    weight: float = 1.0

    __repr__ = shown

    def __post_init__(self) -> None:
        if not 0 < self.weight < np.inf:
            raise ValueError(f"the weight of a match is positive and finite, not {self.weight}")

    @property
    def before(self) -> bool:
        """Whether it looks before the activation."""
        return _function(self.loss) in (activation_boundaries, margin_relu)

    def begin(self, rng: np.random.Generator, width: int, features: np.ndarray) -> "Begun":
        """What a training starts with, for so many features of the student and the teacher's `features (n, width)`."""
        return STARTS.get(_function(self.loss), _nothing)(self.loss, rng, width, features)


class Begun(NamedTuple):
    """A loss with what it knows of the teacher, what it makes of the teacher's features, and arrays that train."""

    loss: FeatureLoss
    of_teacher: Callable[[np.ndarray], np.ndarray]
    params: tuple[np.ndarray, ...]


def seen(network: MLP, places: Sequence[tuple[int, bool]], x: np.ndarray, batch: int = 1000) -> list[np.ndarray]:
    """The features `(n, width)` at each of the places `(layer, before its activation)`, of samples `x (n, features)`.

    They are those of inference: batch norms have their running statistics.

    >>> [f.shape for f in seen(MLP.init([3, 4, 2]), [(0, True), (1, False)], np.ones((5, 3)))]
    [(5, 4), (5, 2)]
    """
    if not places:
        return []
    parts: list[list[np.ndarray]] = [[] for _ in places]
    sums = [replace(layer, activation=Identity()) for layer in network.layers]
    for i in range(0, len(x), batch):
        a, passed = network.check(x[i : i + batch]), []
        for layer, linear in zip(network.layers, sums):
            z = linear(a)
            a = layer.activation.forward(z)
            passed.append((a, z))
        for part, (index, before) in zip(parts, places):
            part.append(passed[index][before])
    return [np.concatenate(part) for part in parts]


def _function(loss: FeatureLoss) -> FeatureLoss:
    return loss.func if isinstance(loss, partial) else loss


def _same(features: np.ndarray) -> np.ndarray:
    return features


def _nothing(loss: FeatureLoss, rng: np.random.Generator, width: int, features: np.ndarray) -> Begun:
    return Begun(loss, _same, ())


def _linear(rng: np.random.Generator, outputs: int, inputs: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    return he(rng, outputs, inputs).astype(dtype), np.zeros(outputs, dtype)


def _regressor(loss: FeatureLoss, rng: np.random.Generator, width: int, features: np.ndarray) -> Begun:
    if _function(loss) is margin_relu:
        loss = partial(loss, m=margins(features))
    return Begun(loss, _same, _linear(rng, features.shape[1], width, features.dtype))


def _gaussian(loss: FeatureLoss, rng: np.random.Generator, width: int, features: np.ndarray) -> Begun:
    """A variance of 5 to start from, as the authors' code has it."""
    alpha = np.full(features.shape[1], np.log(np.expm1(5.0)), features.dtype)
    return Begun(loss, _same, (*_linear(rng, features.shape[1], width, features.dtype), alpha))


def _embeddings(loss: FeatureLoss, rng: np.random.Generator, width: int, features: np.ndarray) -> Begun:
    """128 dimensions, as the paper has them, or as many as the narrower side."""
    d = min(128, width, features.shape[1])
    own, teachers = (_linear(rng, d, inputs, features.dtype) for inputs in (width, features.shape[1]))
    return Begun(loss, _same, (*own, *teachers))


def _translator(loss: FeatureLoss, rng: np.random.Generator, width: int, features: np.ndarray) -> Begun:
    """The paraphraser, an autoencoder, learns by squared error: 5 epochs of Adam, at least 2,000 updates."""
    inputs = features.shape[1]
    k = max(1, inputs // 2)
    start = MLP.init([inputs, k, inputs], LeakyReLU(0.1), seed=int(rng.integers(2**31)), dtype=features.dtype)
    epochs = max(5, -(-2000 // -(-len(features) // 100)))
    first, _ = train(start, Split(features, features), optimizer=Adam(1e-3), schedule=OneCycle(), epochs=epochs).layers
    made = partial(_factors, W=first.weight.dense(), b=first.bias)
    return Begun(loss, made, _linear(rng, k, width, features.dtype))


def _factors(features: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """In the student's dtype, whatever the teacher's."""
    return factors(features.astype(W.dtype, copy=False), W, b)


Start = Callable[[FeatureLoss, np.random.Generator, int, np.ndarray], Begun]

STARTS: dict[FeatureLoss, Start] = {
    hint: _regressor,
    activation_boundaries: _regressor,
    margin_relu: _regressor,
    vid: _gaussian,
    contrastive: _embeddings,
    factor_transfer: _translator,
}
"""Losses with arrays of their own; the others of `nncomp.distill` have none."""
