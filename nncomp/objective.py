"""What a training minimizes: a batch and what the network makes of it in, a loss and its gradients out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from nncomp.losses import by_targets


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples, their targets, and their positions in the training split (for teacher outputs computed beforehand)."""

    x: np.ndarray
    y: np.ndarray
    index: np.ndarray


class Objective(Protocol):
    """A training loss: the outputs of every layer and the batch in, `(loss, gradients at layer outputs)` out.

    `params` are arrays of its own that train along with the network's; their gradients come third.
    """

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        """Trainable arrays of the loss itself."""

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        """The same loss holding other `params`."""

    def __call__(
        self, outputs: list[np.ndarray], batch: Batch
    ) -> tuple[float, dict[int, np.ndarray], tuple[np.ndarray, ...]]:
        """The loss, its gradient at the output of each layer it looks at, and at `params`."""


@dataclass(frozen=True)
class Supervised:
    """The objective of samples with targets: `loss(outputs, targets) -> (loss, gradient at the outputs)`.

    >>> outputs, batch = [np.zeros((1, 2))], Batch(np.ones((1, 3)), np.array([1]), np.array([0]))
    >>> Supervised()(outputs, batch)
    (0.6931471805599453, {0: array([[ 0.5, -0.5]])}, ())
    """

    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]] = by_targets

    params = ()

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return self

    def __call__(
        self, outputs: list[np.ndarray], batch: Batch
    ) -> tuple[float, dict[int, np.ndarray], tuple[np.ndarray, ...]]:
        loss, gradient = self.loss(outputs[-1], batch.y)
        return loss, {len(outputs) - 1: gradient}, ()
