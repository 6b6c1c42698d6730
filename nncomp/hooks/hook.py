"""What can be done in the middle of a training."""

from collections.abc import Callable, Mapping

import numpy as np

from nncomp.network import MLP
from nncomp.progress import Progress
from nncomp.weights import Sparse

Gradients = Callable[[], list[np.ndarray]]


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

    def rewire(self, t: int, network: MLP, gradients: Gradients) -> Mapping[int, Sparse]:
        """After each update: for some of the `Sparse` layers, by number, another pattern of as many weights.

        `gradients()` are those of the whole matrices (out, in) for the batch just seen, absent weights included; it
        costs a dense pass, and only if it is called; the arrays are the caller's to change. What the optimizer
        remembers of a weight stays with it; of a new one it remembers nothing.
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
