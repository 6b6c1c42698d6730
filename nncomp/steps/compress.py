"""A recipe is a list of steps, folded over a network."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Protocol

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP


class CompressionStep(Protocol):
    """A function of a network and of the data it may learn from and choose by, never the test split."""

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        """The network after this step; `hooks` watch any training it does."""


def compress(network: MLP, steps: Sequence[CompressionStep], data: Data, hooks: Sequence[Hook] = ()) -> MLP:
    """The network after all `steps`, each given the training and validation splits of `data`.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune, Quantize
    >>> small = compress(MLP.init([64, 10]), [Prune(0.5), Quantize()], load_data("digits"))
    >>> small.layers[0].weight.multiply_adds
    320
    """
    return reduce(lambda current, step: step(current, data.without_test(), hooks), steps, network)


def stages(
    network: MLP, steps: Sequence[CompressionStep], data: Data, hooks: Sequence[Hook] = ()
) -> Iterator[tuple[str, MLP]]:
    """The name of each step and the network after it, one at a time as they are done.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune, Quantize
    >>> [name for name, _ in stages(MLP.init([64, 10]), [Prune(0.5), Quantize()], load_data("digits"))]
    ['Prune', 'Quantize']
    """
    for name, step in zip(step_names(steps), steps):
        network = step(network, data.without_test(), hooks)
        yield name, network


def step_names(steps: Sequence[CompressionStep]) -> list[str]:
    """What each step is, numbered from the second of a kind: Quantize, Distill, Quantize 2."""
    kinds = [type(step).__name__ for step in steps]
    counts = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind} {count}" for kind, count in zip(kinds, counts)]
