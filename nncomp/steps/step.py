"""What a step is: a function of a network and of the data it may learn from and choose by."""

from collections.abc import Sequence
from typing import Protocol

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP


class CompressionStep(Protocol):
    """A function of a network and of the data it may learn from and choose by, never the test split."""

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        """The network after this step; `hooks` watch any training it does."""
