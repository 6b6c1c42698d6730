"""Training as a step, and as what other steps do meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from nncomp.augment import Jitter
from nncomp.data import Data, Split
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.learning_rate import OneCycle, Schedule
from nncomp.losses import by_targets
from nncomp.network import MLP
from nncomp.objective import Objective, Supervised
from nncomp.optim import Adam, Optimizer
from nncomp.shown import shown
from nncomp.training import train


@dataclass(frozen=True, repr=False)
class FineTune:
    """Train the network in the form it is in: the kept weights of a sparse one, the scales of a quantized one.

    As `train`, with the cross-entropy of labels or the squared error of values. `dropout`: a rate per layer for its
    inputs. `augment` changes each batch at random. `smoothing`: of the labels. `patience`: stop after so many epochs
    without a better validation score and return the best. `threads`: of the BLAS library, part of the recipe because
    float sums depend on it.

    >>> FineTune(epochs=3).optimizer.rate
    0.001
    """

    epochs: int = 10
    batch: int = 100
    optimizer: Optimizer = Adam()
    schedule: Schedule = OneCycle()
    dropout: tuple[float, ...] = ()
    augment: Jitter | None = None
    smoothing: float = 0.0
    patience: int | None = None
    seed: int = 0
    threads: int = 1

    __repr__ = shown

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise ValueError(f"optimizer is an SGD or Adam, not {self.optimizer!r}")
        check_whole(self, epochs=1, batch=1, seed=0, threads=1)
        if self.patience is not None and (not isinstance(self.patience, int) or self.patience < 1):
            raise ValueError(f"patience is a whole number of epochs, at least 1, not {self.patience}")
        if not 0 <= self.smoothing <= 1:
            raise ValueError(f"label smoothing is between 0 and 1, not {self.smoothing}")
        if not all(0 <= rate < 1 for rate in self.dropout):
            raise ValueError(f"rates of dropout are from 0 to below 1, not {self.dropout}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = (), objective: Objective | None = None) -> MLP:
        """The trained network; `objective` replaces the loss."""
        return train(
            network,
            data.train,
            objective or Supervised(partial(by_targets, smoothing=self.smoothing)),
            self.optimizer,
            epochs=self.epochs,
            batch=self.batch,
            schedule=self.schedule,
            dropout=self.dropout,
            augment=self.augment,
            hooks=hooks,
            validation=data.validation,
            patience=self.patience,
            seed=self.seed,
            threads=self.threads,
        )

    def learned(self, split: Split) -> Split:
        """What is learned of a training split: all of it."""
        return split
