"""How much each layer minds being pruned alone: the score of the network against the layer's sparsity."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nncomp.data import Split
from nncomp.evidence import Evidence
from nncomp.measure import score
from nncomp.network import MLP
from nncomp.prune import keep_largest, magnitude
from nncomp.scoring import scores_of


def layer_sensitivity(
    network: MLP,
    split: Split,
    sparsities: Sequence[float],
    scores: Callable[..., Any] = magnitude,
) -> np.ndarray:
    """`s[l, k]`, the network's `score` with layer l alone pruned to `sparsities[k]` (Han et al. 2015, figure 6).

    `scores` is given what it asks for by the names of its arguments (`Evidence`). Nothing is trained.
    Use a split that nothing is chosen by afterwards, or one that the choice is made on.

    >>> x, y = np.eye(3, dtype=np.float32), np.array([0, 1, 1])
    >>> layer_sensitivity(MLP.init([3, 4, 2]), Split(x, y), sparsities=[0.0, 1.0]).shape
    (2, 2)
    """
    found = np.zeros((len(network.layers), len(sparsities)))
    for i, (layer, ranked) in enumerate(zip(network.layers, scores_of(scores, Evidence(network, split)))):
        for k, sparsity in enumerate(sparsities):
            mask = np.broadcast_to(keep_largest(ranked, sparsity), layer.weight.shape)
            pruned = replace(layer, weight=layer.weight.masked(mask))
            found[i, k] = score(network.with_layer(i, pruned), split)
    return found
