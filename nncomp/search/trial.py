"""One trial: steps taken somewhere, and what is measured of the network that comes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nncomp.data import Split
from nncomp.files import from_bytes, to_bytes
from nncomp.losses import by_targets
from nncomp.measure import network_cost, outputs, score
from nncomp.network import MLP
from nncomp.search.source import Source, data_of
from nncomp.steps import CompressionStep, compress


@dataclass(frozen=True)
class Trial:
    """A network that was tried: the `parameters` it came of, bytes of its file, multiply-adds, score on validation.

    `drop`: of the score, from the original network's. `error`: the standard error of that, from sample to sample: the
    same samples are put to both. `failed`: why there is no network, a training that diverged say. `recipe`: its steps
    in TOML, if they have words there.
    """

    key: str
    parameters: dict[str, Any]
    size: int = 0
    multiply_adds: int = 0
    score: float = 0.0
    drop: float = 0.0
    error: float = 0.0
    failed: str = ""
    recipe: str = ""

    def within(self, max_drop: float, caution: float) -> bool:
        """Whether it loses at most `max_drop`, so many standard errors on the safe side.

        >>> trial = Trial("", {}, drop=-0.001, error=0.002)
        >>> trial.within(0.001, caution=1.0), trial.within(0.001, caution=1.5)
        (True, False)
        """
        return not self.failed and self.drop + caution * self.error <= max_drop + 1e-12


def content_of(network: MLP) -> bytes:
    """What is written of a network, and the size of which counts: its file, integers entropy-coded.

    >>> len(content_of(MLP.init([2, 1]))) < 4096
    True
    """
    return to_bytes(network, coded=True)


def attempt(content: bytes, source: Source, key: str, steps: Sequence[CompressionStep]) -> bytes | str:
    """The task of a trial: the content of the compressed network's file, or why there is none.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune
    >>> len(attempt(to_bytes(MLP.init([64, 10])), load_data("digits"), "", [Prune(0.5)])) < 4096
    True
    """
    data = data_of(source, key)
    try:
        network = compress(from_bytes(content), steps, data)
        score(network, data.validation)  # whose outputs may be infinite
        return content_of(network)
    except ValueError as error:
        return str(error)


def judged(key: str, parameters: dict[str, Any], content: bytes, original: np.ndarray, split: Split) -> Trial:
    """A trial measured on `split`, beside the `losses_of` the original network there.

    >>> split = Split(np.zeros((4, 2), np.float32), np.array([0, 0, 0, 1]))
    >>> judged("", {}, to_bytes(MLP.init([2, 2])), np.array([0.0, 0.0, 0.0, 0.0]), split).drop
    0.25
    """
    network = from_bytes(content)
    rise = losses_of(network, split) - original
    error = float(rise.std(ddof=1) / np.sqrt(len(rise)))
    cost = network_cost(network)
    return Trial(key, parameters, len(content), cost.multiply_adds, score(network, split), float(rise.mean()), error)


def losses_of(network: MLP, split: Split) -> np.ndarray:
    """Of each sample 1 where its class is mistaken, else 0; of values their mean squared error: minus the `score`.

    >>> losses_of(MLP.init([2, 2]), Split(np.zeros((2, 2), np.float32), np.array([0, 1])))
    array([0., 1.])
    """
    y = outputs(network, split.x)
    if np.issubdtype(split.y.dtype, np.floating):
        return np.array([by_targets(row[None], target[None])[0] for row, target in zip(y, split.y)])
    return (y.argmax(axis=1) != split.y).astype(np.float64)
