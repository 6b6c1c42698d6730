"""A recipe is a list of steps, folded over a network."""

from collections.abc import Iterator, Sequence
from functools import reduce

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.steps.guard import Guard
from nncomp.steps.original import taken
from nncomp.steps.step import CompressionStep


def compress(
    network: MLP, steps: Sequence[CompressionStep], data: Data, hooks: Sequence[Hook] = (), guard: Guard | None = None
) -> MLP:
    """The network after all `steps`, each given the training and validation splits of `data`.

    With a `guard`, steps that take it too far from the given network are halved, left out, or end the run.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune, Quantize
    >>> small = compress(MLP.init([64, 10]), [Prune(0.5), Quantize()], load_data("digits"))
    >>> small.layers[0].weight.multiply_adds
    320
    """
    return reduce(lambda _, stage: stage[1], stages(network, steps, data, hooks, guard), network)


def stages(
    network: MLP, steps: Sequence[CompressionStep], data: Data, hooks: Sequence[Hook] = (), guard: Guard | None = None
) -> Iterator[tuple[str, MLP]]:
    """The name of each step and the network after it, one at a time as they are done.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune, Quantize
    >>> [name for name, _ in stages(MLP.init([64, 10]), [Prune(0.5), Quantize()], load_data("digits"))]
    ['Prune', 'Quantize']
    """
    original = network
    for name, step in zip(step_names(steps), steps):
        if guard is None:
            network = taken(step, network, original, data, hooks)
        else:
            network, _ = guard(step, network, original, data, lambda _: hooks)
        yield name, network


def step_names(steps: Sequence[CompressionStep]) -> list[str]:
    """What each step is, numbered from the second of a kind: Quantize, Distill, Quantize 2."""
    kinds = [type(step).__name__ for step in steps]
    counts = [kinds[: i + 1].count(kind) for i, kind in enumerate(kinds)]
    return [kind if count == 1 else f"{kind} {count}" for kind, count in zip(kinds, counts)]
