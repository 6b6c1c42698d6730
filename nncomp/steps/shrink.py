"""Getting smaller as a step: what does nothing leaves the network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.prune import keep_largest, row_l2
from nncomp.scoring import asked, scores_of
from nncomp.shown import shown, word
from nncomp.shrinking import shrink, without_neurons


@dataclass(frozen=True, repr=False)
class Shrink:
    """Remove dead neurons, which changes no output; and before, of each hidden layer, the `fraction` of lowest scores.

    `scores`: from what it asks for (`Evidence`) to a column (out, 1). For each that goes, the next layer is refitted
    (`compensate`), or with `refit = false` just left without. Both look at the first `samples` of the training split.

    >>> from nncomp.data import load_data
    >>> Shrink(0.5)(MLP.init([64, 32, 16, 10]), load_data("digits")).sizes
    [64, 16, 8, 10]
    """

    fraction: float = 0.0
    scores: Callable[..., np.ndarray] = row_l2
    samples: int = 2048
    refit: bool = True

    __repr__ = shown

    def __post_init__(self) -> None:
        asked(self.scores)
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"the fraction of neurons to remove is between 0 and 1, not {self.fraction}")
        check_whole(self, samples=1)

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        samples = data.train.first(self.samples)
        for i in range(len(network.layers) - 1):
            scores = scores_of(self.scores, Evidence(network, samples))[i]
            if scores.shape != (network.sizes[i + 1], 1):
                raise ValueError(f"{word(self.scores)} scores {scores.shape}: neurons go by one score a row")
            kept = keep_largest(scores, self.fraction)[:, 0]
            network = without_neurons(network, i, kept, samples.x if self.refit else None)
        return shrink(network)
