"""The training loop: shuffled batches, a loss, the backward pass, an update; on a private copy of the network."""

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from itertools import chain

import numpy as np

from nncomp.augment import Augmentation
from nncomp.data import Split
from nncomp.fields import NotFinite
from nncomp.hooks import Hook
from nncomp.kernels.threads import on_threads
from nncomp.learning_rate import Constant, Schedule
from nncomp.measure import score
from nncomp.network import MLP, backward, forward
from nncomp.objective import Batch, Objective, Supervised
from nncomp.optim import Adam, Optimizer
from nncomp.progress import Progress
from nncomp.trainee import Trainee
from nncomp.weights import Dense


def train(
    network: MLP,
    data: Split,
    loss: Objective = Supervised(),
    optimizer: Optimizer = Adam(),
    *,
    epochs: int = 10,
    batch: int = 100,
    schedule: Schedule = Constant(),
    dropout: Sequence[float] = (),
    augment: Augmentation | None = None,
    hooks: Sequence[Hook] = (),
    validation: Split | None = None,
    patience: int | None = None,
    seed: int = 0,
    threads: int = 1,
) -> MLP:
    """A trained copy of `network`; the given one is unchanged.

    Each epoch goes once through `data` in batches of `batch`, in an order drawn by `seed`; a last batch that is
    smaller counts too. `dropout` is one rate per layer, for its inputs; `augment` changes
    each batch at random. With `patience`, training stops after that
    many epochs without a higher `score` on `validation`, and the best network is returned. The kernels and
    the BLAS library run on `threads` threads meanwhile: the same number gives the same bits. For BLAS that setting is
    the process's, so train in processes of their own rather than in threads side by side.

    >>> x, y = np.eye(2, dtype=np.float32), np.array([0, 1])
    >>> network = train(MLP.init([2, 2]), Split(x, y), optimizer=Adam(rate=0.1), epochs=50)
    >>> network(x).argmax(axis=1)
    array([0, 1])
    """
    _check(network, data, epochs, batch, validation, patience)
    loss = loss.with_params(tuple(p.copy() for p in loss.params))
    run = _Run(
        Trainee(network),
        network.check(data.x),
        data.y,
        loss,
        optimizer,
        schedule,
        tuple(dropout),
        augment,
        tuple(hooks),
    )
    options = (epochs, batch, schedule, dropout, augment, patience, validation, seed, threads)
    acting = [hook for hook in hooks if is_dataclass(hook)]
    settings = (network, data, loss, optimizer, options, acting)
    slots = optimizer.init(run.params)
    progress = Progress(settings, [*run.params, *run.trainee.tracked], slots, np.random.default_rng(seed), hooks)
    updates = epochs * -(-len(data) // batch)
    for hook in hooks:
        hook.before_training(updates, run.network)
    for hook in hooks:
        hook.resume(progress)
    run.trainee.read_patterns()
    finished = progress.epoch == epochs or progress.since == patience
    with on_threads(threads), np.errstate(over="ignore", invalid="ignore"):  # divergence is told by name
        while not finished:
            order, total = progress.rng.permutation(len(data)), 0.0
            for index in (order[i : i + batch] for i in range(0, len(data), batch)):
                total += run.update(index, progress, updates) * len(index)
            progress.epoch += 1
            for hook in hooks:
                hook.after_epoch(progress.epoch, run.network, total / len(data))
            if patience is not None and validation is not None:
                progress.judge(score(run.network, validation))
            finished = progress.epoch == epochs or progress.since == patience
            for hook in hooks:
                hook.keep(progress, finished)
    progress.take_best()
    run.trainee.read_patterns()
    if not all(np.isfinite(a).all() for a in run.params):
        raise NotFinite(f"training diverged: NaN or infinite weights after update {progress.t}; try a smaller rate")
    return run.network.copied()


@dataclass(frozen=True, eq=False)
class _Run:
    """One training of the `trainee`, in place, and of the arrays of the `loss`, on samples `x` and targets `y`."""

    trainee: Trainee
    x: np.ndarray
    y: np.ndarray
    loss: Objective
    optimizer: Optimizer
    schedule: Schedule
    dropout: tuple[float, ...]
    augment: Augmentation | None
    hooks: tuple[Hook, ...]

    @property
    def network(self) -> MLP:
        return self.trainee.network

    @property
    def params(self) -> list[np.ndarray]:
        """What is trained."""
        return [*self.trainee.params, *self.loss.params]

    def update(self, index: np.ndarray, progress: Progress, updates: int) -> float:
        """One of so many `updates`, on the samples at `index`; returns their mean loss."""
        network, t = self.network, progress.t + 1
        x = self.x[index] if self.augment is None else self.augment(self.x[index], progress.rng)
        batch = Batch(x, self.y[index], index, (t - 1) / updates)
        y, tape = forward(network, batch.x, self.dropout, progress.rng)
        if not np.isfinite(y.max() - y.min()):
            raise NotFinite(f"training diverged: outputs from {y.min()} to {y.max()} at update {t}; try a smaller rate")
        loss = self.loss(tape, batch)
        for layer, saved in zip(network.layers, tape):
            if layer.norm is not None and saved.norm is not None:
                layer.norm.track(saved.norm)
        gradients = backward(network, tape, loss.da, loss.dz)
        for hook in self.hooks:
            hook.after_backward(t, network, gradients)
        factor = self.schedule(batch.progress)
        self.optimizer.update(self.params, [*chain.from_iterable(gradients), *loss.dparams], progress.slots, t, factor)
        progress.t = t
        network = self.network if self.hooks else network
        for hook in self.hooks:
            hook.after_update(t, network)
        for hook in self.hooks:
            for i, weight in hook.rewire(t, network, lambda: self._dense_gradients(batch)).items():
                self.trainee.rewire(i, weight, progress.slots)
                network = self.network
        return loss.value

    def _dense_gradients(self, batch: Batch) -> list[np.ndarray]:
        """Of the whole matrices, as if every weight were kept."""
        network = self.network.with_layers(lambda layer: replace(layer, weight=Dense(layer.weight.dense())))
        _, tape = forward(network, batch.x)
        loss = self.loss(tape, batch)
        return [dw for dw, *_ in backward(network, tape, loss.da, loss.dz)]


def _check(network: MLP, data: Split, epochs: int, batch: int, validation: Split | None, patience: int | None) -> None:
    if epochs < 1 or batch < 1:
        raise ValueError(f"at least one epoch and one sample a batch, not {epochs} and {batch}")
    if patience is not None:
        if validation is None or patience < 1:
            raise ValueError(f"stopping early needs a validation split and a patience of at least 1, not {patience}")
        score(network, validation)  # raises where they do not fit
    check_last_batch(network, len(data), batch)


def check_last_batch(network: MLP, samples: int, batch: int) -> None:
    """Raise where batch norm would meet a batch of one, which it cannot standardize."""
    if samples % batch == 1 and any(layer.norm is not None for layer in network.layers):
        raise ValueError(f"{samples} samples leave a last batch of one, which batch norm cannot standardize")
