"""The training loop: shuffled batches, a loss, the backward pass, an update; on a private copy of the network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from itertools import chain
from typing import Protocol, Self

import numpy as np
from threadpoolctl import threadpool_limits

from nncomp.data import Split
from nncomp.hooks import Hook
from nncomp.losses import cross_entropy
from nncomp.measure import accuracy, check_labelled
from nncomp.network import MLP, backward, forward
from nncomp.optim import Adam, Constant, Optimizer, Schedule
from nncomp.progress import Progress


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
    """The objective of labelled data: `loss(logits, labels) -> (loss, dlogits)`."""

    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]] = cross_entropy

    params = ()

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return self

    def __call__(
        self, outputs: list[np.ndarray], batch: Batch
    ) -> tuple[float, dict[int, np.ndarray], tuple[np.ndarray, ...]]:
        loss, gradient = self.loss(outputs[-1], batch.y)
        return loss, {len(outputs) - 1: gradient}, ()


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
    hooks: Sequence[Hook] = (),
    validation: Split | None = None,
    patience: int | None = None,
    seed: int = 0,
    threads: int = 1,
) -> MLP:
    """A trained copy of `network`; the given one is unchanged.

    Each epoch goes once through `data` in batches of `batch`, in an order drawn by `seed`; a last batch that is
    smaller counts too. `dropout` is one rate per layer, for its inputs. With `patience`, training stops after that
    many epochs without a higher accuracy on `validation`, and the best network is returned. The BLAS library runs on
    `threads` threads meanwhile: the same number gives the same bits. That setting is the process's, so train in
    processes of their own rather than in threads side by side.

    >>> x, y = np.eye(2, dtype=np.float32), np.array([0, 1])
    >>> network = train(MLP.init([2, 2]), Split(x, y), optimizer=Adam(rate=0.1), epochs=50)
    >>> network(x).argmax(axis=1)
    array([0, 1])
    """
    if epochs < 1 or batch < 1:
        raise ValueError(f"at least one epoch and one sample a batch, not {epochs} and {batch}")
    if patience is not None:
        if validation is None or patience < 1:
            raise ValueError(f"stopping early needs a validation split and a patience of at least 1, not {patience}")
        check_labelled(validation)
        network.check(validation.x)
    check_last_batch(network, len(data), batch)
    start = network.copied()
    x, shared = start.check(data.x), start.params
    loss = loss.with_params(tuple(p.copy() for p in loss.params))
    params = [*chain.from_iterable(shared), *loss.params]
    running = [a for layer in start.layers if layer.norm is not None for a in (layer.norm.mean, layer.norm.var)]
    options = (epochs, batch, schedule, dropout, patience, validation, seed, threads)
    acting = [hook for hook in hooks if is_dataclass(hook)]
    settings = (network, data, loss, optimizer, options, acting)
    progress = Progress(settings, [*params, *running], optimizer.init(params), np.random.default_rng(seed), hooks)
    updates = epochs * -(-len(data) // batch)
    for hook in hooks:
        hook.before_training(updates, start)
    for hook in hooks:
        hook.resume(progress)
    network, finished = start.with_params(shared), progress.epoch == epochs or progress.since == patience
    with threadpool_limits(threads, "blas"), np.errstate(over="ignore", invalid="ignore"):  # divergence is told by name
        while not finished:
            total = 0.0
            for index in _batches(progress.rng.permutation(len(data)), batch):
                chosen = Batch(x[index], data.y[index], index)
                value, gradients, dloss = _gradients(network, loss, chosen, dropout, progress)
                t = progress.t = progress.t + 1
                for hook in hooks:
                    hook.after_backward(t, network, gradients)
                factor = schedule((t - 1) / updates)
                optimizer.update(params, [*chain.from_iterable(gradients), *dloss], progress.slots, t, factor)
                network = start.with_params(shared)  # new layers: nothing prepared outlives an update
                for hook in hooks:
                    hook.after_update(t, network)
                total += value * len(index)
            progress.epoch += 1
            network = start.with_params(shared)  # hooks may have changed arrays since
            for hook in hooks:
                hook.after_epoch(progress.epoch, network, total / len(data))
            if patience is not None and validation is not None:
                progress.judge(accuracy(start.with_params(shared), validation))
            finished = progress.epoch == epochs or progress.since == patience
            for hook in hooks:
                hook.keep(progress, finished)
    progress.take_best()
    return start.with_params(shared).copied()


def check_last_batch(network: MLP, samples: int, batch: int) -> None:
    """Raise where batch norm would meet a batch of one, which it cannot standardize."""
    if samples % batch == 1 and any(layer.norm is not None for layer in network.layers):
        raise ValueError(f"{samples} samples leave a last batch of one, which batch norm cannot standardize")


def _batches(order: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    for start in range(0, len(order), batch):
        yield order[start : start + batch]


def _gradients(
    network: MLP, loss: Objective, batch: Batch, dropout: Sequence[float], progress: Progress
) -> tuple[float, list[tuple[np.ndarray, ...]], tuple[np.ndarray, ...]]:
    y, tape = forward(network, batch.x, dropout, progress.rng)
    if not np.isfinite(y).all():
        raise ValueError(f"training diverged: NaN or infinite outputs at update {progress.t + 1}; try a smaller rate")
    value, at_outputs, dloss = loss([saved.a for saved in tape], batch)
    for layer, saved in zip(network.layers, tape):
        if layer.norm is not None and saved.norm is not None:
            layer.norm.track(saved.norm)
    return value, backward(network, tape, at_outputs), dloss
