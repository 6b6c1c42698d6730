"""What transforms need of a training: the gradient of their penalty, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from nncomp.fields import check_whole
from nncomp.hooks.hook import Hook
from nncomp.network import MLP
from nncomp.transforms import Movement, Relaxed
from nncomp.weights import Latent


@runtime_checkable
class Costly(Protocol):
    """A transform that a weight's being there costs something."""

    strength: float
    warm: float

    def penalty(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[float, Sequence[np.ndarray]]:
        """The penalty of all weights together, and its gradient at (*p, w)."""


@dataclass(eq=False)
class Penalized(Hook):
    """Train on `loss + strength / samples * sum of penalties`, where a layer's transform has one.

    The loss is a mean over N `samples`, so that a strength of 1 is one penalty for a whole training set. It grows to
    that in proportion to t over the first `warm` of the training.

    >>> from nncomp.layer import Linear
    >>> from nncomp.transforms import HardConcrete
    >>> network = MLP((Linear(Latent.of(HardConcrete(strength=4.0, start=0.0), np.ones((1, 2))), np.zeros(1)),))
    >>> gradients, hook = [tuple(map(np.zeros_like, network.layers[0].params))], Penalized(samples=2)
    >>> hook.before_training(100, network)
    >>> hook.after_backward(1, network, gradients)
    >>> gradients[0][0].round(3)  # 4 / 2 s (1 - s), s = sigmoid(-2 / 3 log(1 / 11))
    array([[0.28, 0.28]])
    """

    samples: int

    def __post_init__(self) -> None:
        check_whole(self, samples=1)

    def before_training(self, total: int, network: MLP) -> None:
        self.total = total

    def after_backward(self, t: int, network: MLP, gradients: list[tuple[np.ndarray, ...]]) -> None:
        for layer, own in zip(network.layers, gradients):
            weight = layer.weight
            if isinstance(weight, Latent) and isinstance(weight.transform, Costly):
                by = weight.transform
                grown = min(t / (by.warm * self.total), 1) if by.warm else 1
                _, slopes = by.penalty(weight.p, weight.w)
                for g, slope in zip(own, slopes):
                    g += slope * g.dtype.type(by.strength * grown / self.samples)


@dataclass(eq=False)
class Timed(Hook):
    """Tell each layer's `Movement`, or what draws its weights onto codes, how far the training is on its ramp.

    >>> from nncomp.layer import Linear
    >>> network = MLP((Linear(Latent.of(Movement(0.9, ramp=0.5), np.ones((1, 2))), np.zeros(1)),))
    >>> hook = Timed()
    >>> hook.before_training(100, network)
    >>> hook.after_update(10, network)
    >>> network.layers[0].weight.p[1]
    array([0.2])
    """

    def before_training(self, total: int, network: MLP) -> None:
        self.total = total

    def after_update(self, t: int, network: MLP) -> None:
        for layer in network.layers:
            if isinstance(layer.weight, Latent) and isinstance(layer.weight.transform, Movement | Relaxed):
                layer.weight.p[-1][...] = min(t / (layer.weight.transform.ramp * self.total), 1)
