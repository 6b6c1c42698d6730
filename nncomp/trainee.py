"""A network while it is trained: the arrays that change in place, and the network they make up at the moment."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from nncomp.network import MLP
from nncomp.weights import Sparse


class Trainee:
    """A private copy of a network, none of whose arrays anyone else holds.

    >>> trainee = Trainee(MLP.init([3, 2]))
    >>> trainee.params[0][...] = 1
    >>> trainee.network.layers[0].weight.dense().sum()
    np.float32(6.0)
    """

    def __init__(self, network: MLP) -> None:
        self._start = network.copied()
        self._arrays = self._start.params
        # Patterns may change as well: of each sparse layer, its columns and its row starts.
        self._patterns = {
            i: (layer.weight.columns.copy(), layer.weight.row_start.copy())
            for i, layer in enumerate(network.layers)
            if isinstance(layer.weight, Sparse)
        }

    @property
    def network(self) -> MLP:
        """The network of the arrays as they are now: new layers, so that nothing prepared outlives an update."""
        return self._start.with_params(self._arrays)

    @property
    def params(self) -> list[np.ndarray]:
        """What is trained."""
        return list(chain.from_iterable(self._arrays))

    @property
    def tracked(self) -> list[np.ndarray]:
        """What changes along with it: running statistics, patterns."""
        norms = (layer.norm for layer in self._start.layers)
        running = [a for norm in norms if norm is not None for a in (norm.mean, norm.var)]
        return [*running, *chain.from_iterable(self._patterns.values())]

    def read_patterns(self) -> None:
        """See what has been written into the arrays of patterns."""
        for i, (columns, row_start) in self._patterns.items():
            weight = self._start.layers[i].weight
            assert isinstance(weight, Sparse)
            if not (np.array_equal(weight.columns, columns) and np.array_equal(weight.row_start, row_start)):
                self._replace(i, replace(weight, values=self._arrays[i][0], columns=columns, row_start=row_start))

    def rewire(self, i: int, weight: Sparse, slots: Sequence[tuple[np.ndarray, ...]]) -> None:
        """Give layer i the values and the pattern of `weight`, of as many kept weights, in the arrays there are.

        An optimizer's `slots` of `params` move along: those of weights that are new are 0.
        """
        old = self._start.layers[i].weight
        if not isinstance(old, Sparse) or old.shape != weight.shape or old.values.shape != weight.values.shape:
            kept = f"{old.values.size} of {old.shape}" if isinstance(old, Sparse) else "no weights of a pattern"
            raise ValueError(f"layer {i} keeps {kept}: it cannot be rewired to {weight.values.size} of {weight.shape}")
        before, after = old.places, weight.places  # both rise
        at = np.minimum(np.searchsorted(before, after), before.size - 1)
        for array in slots[sum(len(arrays) for arrays in self._arrays[:i])]:
            array[...] = np.where(before[at] == after, array[at], 0)
        self._arrays[i][0][...] = weight.values
        for array, new in zip(self._patterns[i], (weight.columns, weight.row_start)):
            array[...] = new
        self._replace(i, weight)

    def _replace(self, i: int, weight: Sparse) -> None:
        self._start = self._start.with_layer(i, replace(self._start.layers[i], weight=weight))
