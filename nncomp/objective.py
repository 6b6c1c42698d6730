"""What a training minimizes: a batch and what the network makes of it in, a loss and its gradients out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np

from nncomp.losses import by_targets


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples, their targets, and their positions in the training split (for teacher outputs computed beforehand).

    `progress`: the fraction of the training that has passed.
    """

    x: np.ndarray
    y: np.ndarray
    index: np.ndarray
    progress: float = 0.0


class Passed(Protocol):
    """What a layer made of the batch."""

    @property
    def z(self) -> np.ndarray:
        """Before the activation."""

    @property
    def a(self) -> np.ndarray:
        """After it: the layer's output."""


class Loss(NamedTuple):
    """A loss and its gradients: by layer, at its output a and before its activation, at z; at the loss's params."""

    value: float
    da: Mapping[int, np.ndarray]
    dz: Mapping[int, np.ndarray] = {}
    dparams: tuple[np.ndarray, ...] = ()


class Objective(Protocol):
    """A training loss: what every layer made of a batch, and the batch in, a `Loss` out.

    `params` are arrays of its own that train along with the network's.
    """

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        """Trainable arrays of the loss itself."""

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        """The same loss holding other `params`."""

    def __call__(self, layers: Sequence[Passed], batch: Batch) -> Loss:
        """The loss, and its gradients at whatever it looks at."""


@dataclass(frozen=True)
class Supervised:
    """The objective of samples with targets: `loss(outputs, targets) -> (loss, gradient at the outputs)`.

    >>> from types import SimpleNamespace
    >>> layers, batch = [SimpleNamespace(a=np.zeros((1, 2)))], Batch(np.ones((1, 3)), np.array([1]), np.array([0]))
    >>> Supervised()(layers, batch).da
    {0: array([[ 0.5, -0.5]])}
    """

    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]] = by_targets

    params = ()

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return self

    def __call__(self, layers: Sequence[Passed], batch: Batch) -> Loss:
        loss, gradient = self.loss(layers[-1].a, batch.y)
        return Loss(loss, {len(layers) - 1: gradient})
