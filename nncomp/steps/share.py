"""Weight sharing as a step: a few values for each layer's weights, then trained if asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize import kmeans
from nncomp.quantize.clusters import check_count
from nncomp.scoring import asked, scores_of
from nncomp.shown import shown, word
from nncomp.steps.distill import Training, check_training
from nncomp.weights import Dense, Shared, Sparse

Method = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, repr=False)
class Share:
    """Store each layer's weights as `Shared`: indices into k values of its own, and the pattern it may have.

    `by`: from values w, `k` and `weights` to a codebook and indices: `kmeans`, `optimal_kmeans`, or one with options,
    `partial(kmeans, init=density)`. `importance`: from what it asks for by the names of its arguments (`Evidence`, on
    the first `samples` of the training split) to what each weight counts for, `fisher_importance` or
    `hessian_importance`; without it, or in a layer where none counts, all count alike. With `during`, the values are
    then trained, and the indices stay as they are (Han, Mao & Dally 2016, section 3).

    >>> from nncomp.data import load_data
    >>> network = Share(16)(MLP.init([64, 32, 10]), load_data("digits"))
    >>> [layer.weight.nbytes for layer in network.layers]
    [1088, 224]
    """

    k: int
    by: Method = kmeans
    importance: Callable[..., np.ndarray] | None = None
    samples: int = 2048
    during: Training | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_count(self.k)
        if asked(self.by, "k", "weights") != ["w"]:
            raise ValueError(f"weights are shared by a function of w, k and weights, not {word(self.by)}")
        if self.importance is not None:
            asked(self.importance)
        check_training(self.during)
        check_whole(self, samples=1)

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        weights = [_floats(layer, i) for i, layer in enumerate(network.layers)]
        counts: Sequence[np.ndarray | None] = [None] * len(weights)
        if self.importance is not None:
            counts = scores_of(self.importance, Evidence(network, data.train.first(self.samples)))
        shared = [self._shared(weight, h) for weight, h in zip(weights, counts)]
        network = MLP(tuple(replace(layer, weight=weight) for layer, weight in zip(network.layers, shared)))
        return network if self.during is None else self.during(network, data, hooks)

    def _shared(self, weight: Dense | Sparse, h: np.ndarray | None) -> Shared:
        W, mask = weight.dense(), weight.mask if isinstance(weight, Sparse) else np.ones(weight.shape, bool)
        indices, codebook = np.zeros(W.shape, np.uint8), np.zeros(1, W.dtype)
        if mask.any():
            h = None if h is None else np.broadcast_to(h, W.shape)[mask]
            codebook, found = self.by(w=W[mask], k=self.k, weights=h if h is not None and h.any() else None)
            indices = indices.astype(found.dtype)
            indices[mask] = found
        return Shared.of(indices, codebook, mask if isinstance(weight, Sparse) else None)


def _floats(layer: Linear, i: int) -> Dense | Sparse:
    weight = layer.stored().weight
    if isinstance(weight, Shared):
        return weight.decoded()
    if not isinstance(weight, Dense | Sparse):
        raise ValueError(f"layer {i}: float weights are shared, not {type(weight).__name__}: before quantizing")
    return weight
