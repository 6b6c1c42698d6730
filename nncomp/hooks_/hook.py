"""What can be done in the middle of a training, and the two classic regularizers done so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nncomp.network import MLP
from nncomp.progress import Progress
from nncomp.weights import Dense, Latent, Sparse


class Hook:
    """Called by `train` with its own working copy of the network, the arrays of whose `params` may be changed in place.

    `t` counts updates from 1 to the `total` that `before_training` announced.

    >>> from nncomp import Split, train
    >>> class Told(Hook):
    ...     def after_epoch(self, epoch, network, loss):
    ...         print(epoch, network.sizes)
    >>> data = Split(np.eye(2, dtype=np.float32), np.array([0, 1]))
    >>> _ = train(MLP.init([2, 2]), data, epochs=2, hooks=[Told()])
    1 [2, 2]
    2 [2, 2]
    """

    def before_training(self, total: int, network: MLP) -> None:
        """Once, before the first batch."""

    def resume(self, progress: Progress) -> None:
        """Once, after every hook's `before_training`: the state may be replaced by one that was kept."""

    def after_backward(self, t: int, network: MLP, gradients: list[tuple[np.ndarray, ...]]) -> None:
        """Gradients, one tuple a layer as `network.params`, may be changed in place before the update."""

    def after_update(self, t: int, network: MLP) -> None:
        """After each update."""

    def rewire(self, t: int, network: MLP, gradients: Callable[[], list[np.ndarray]]) -> Mapping[int, Sparse]:
        """After each update: for some of the `Sparse` layers, by number, another pattern of as many weights.

        `gradients()` are those of the whole matrices (out, in) for the batch just seen, absent weights included; it
        costs a dense pass, and only if it is called. What the optimizer remembers of a weight stays with it; of a new
        one it remembers nothing.
        """
        return {}

    def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
        """After each epoch, from 1, with the mean loss of its batches."""

    def keep(self, progress: Progress, finished: bool) -> None:
        """After each epoch, when all else is done, with everything the next one depends on."""

    def state(self) -> dict[str, np.ndarray]:
        """The arrays this hook remembers something by; they are kept, and overwritten when a training is gone on with.

        A hook that changes what is trained is a dataclass too: its fields tell one training from another.
        """
        return {}


@dataclass(frozen=True)
class ClipGradients(Hook):
    """Scale all gradients by `limit / |g|` where their joint norm |g| exceeds `limit` (Pascanu et al. 2013, alg. 1).

    >>> gradients = [(np.array([3.0, 4.0]),)]
    >>> ClipGradients(1.0).after_backward(1, MLP.init([1, 1]), gradients)
    >>> gradients[0][0].round(12)
    array([0.6, 0.8])
    """

    limit: float

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def after_backward(self, t: int, network: MLP, gradients: list[tuple[np.ndarray, ...]]) -> None:
        norm = np.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for layer in gradients for g in layer))
        if not np.isfinite(norm):
            raise ValueError(f"the gradients of update {t} hold NaN or infinity: nothing to clip to")
        if norm > self.limit:
            for layer in gradients:
                for g in layer:
                    g *= g.dtype.type(self.limit / norm)


@dataclass(frozen=True)
class MaxNorm(Hook):
    """Scale each row of a weight back to the norm `limit` where it exceeds it (Srivastava et al. 2014, 5.1).

    Quantized weights, of which the scales alone are trained, are left as they are.

    >>> from nncomp.layer import Linear
    >>> network = MLP((Linear(Dense(np.array([[3.0, 4.0], [0.0, 0.5]])), np.zeros(2)),))
    >>> MaxNorm(1.0).after_update(1, network)
    >>> network.layers[0].weight.dense()
    array([[0.6, 0.8],
           [0. , 0.5]])
    """

    limit: float

    def __post_init__(self) -> None:
        _check_limit(self.limit)

    def after_update(self, t: int, network: MLP) -> None:
        for layer in network.layers:
            w = layer.weight.params[-1]  # of a latent weight, what comes before belongs to its transform
            match layer.weight:
                case Dense() | Latent():
                    w *= self._factor(np.linalg.norm(w, axis=1, keepdims=True))
                case Sparse(rows=rows):
                    square = np.bincount(rows, w**2, minlength=layer.weight.shape[0])
                    w *= self._factor(np.sqrt(square).astype(w.dtype))[rows]

    def _factor(self, norm: np.ndarray) -> np.ndarray:
        return np.minimum(1, norm.dtype.type(self.limit) / np.maximum(norm, np.finfo(norm.dtype).tiny))


def _check_limit(limit: float) -> None:
    if not limit > 0:
        raise ValueError(f"a norm's limit is positive, not {limit}")
