"""What a network costs and how well it does: bytes, multiply-adds, accuracy, agreement, latency."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncomp.data import Split
from nncomp.formats.names import name_of
from nncomp.kernels.threads import on_threads
from nncomp.layer import Linear
from nncomp.losses import check_finite, squared_error
from nncomp.network import MLP
from nncomp.weights import Encoded, LowRank, Quantized, Shared, Sparse, Sum, Weight


@dataclass(frozen=True)
class Cost:
    """Sizes of a layer or, added up, of a network.

    `parameters`: entries of the weight matrices and biases, kept or not. `nonzeros`: of them, those that are not 0.
    `stored`: bytes of everything the file holds. `resident`: bytes of all arrays in memory once the layer has run,
    with decoded weights and with what its kernels read.
    `multiply_adds`: with kept weights, for one sample.

    >>> (Cost(parameters=100, stored=50) + Cost(parameters=100, stored=150)).bits_per_weight
    8.0
    """

    parameters: int = 0
    nonzeros: int = 0
    stored: int = 0
    resident: int = 0
    multiply_adds: int = 0

    @property
    def bits_per_weight(self) -> float:
        """Stored bits for each parameter of the dense network."""
        return 8 * self.stored / self.parameters

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))


def layer_cost(layer: Linear) -> Cost:
    """The cost of one layer.

    >>> layer_cost(MLP.init([3, 2]).layers[0])
    Cost(parameters=8, nonzeros=6, stored=32, resident=32, multiply_adds=6)
    """
    extra = sum(getattr(part, "nbytes", 0) for part in (layer.norm, layer.input))
    stored = layer.weight.nbytes + layer.bias.nbytes + extra
    weight = layer.weight.prepared()
    values = weight.values if isinstance(weight, Sparse) else weight.dense()
    nonzeros = np.count_nonzero(values) + np.count_nonzero(layer.bias)
    parameters = layer.weight.shape[0] * (layer.weight.shape[1] + 1)
    return Cost(parameters, int(nonzeros), stored, resident_bytes(layer), layer.weight.multiply_adds)


def resident_bytes(layer: Linear) -> int:
    """Bytes of the arrays that a layer holds, each counted once, after its first call.

    >>> resident_bytes(MLP.init([3, 2]).layers[0])
    32
    """
    fresh = replace(layer, weight=replace(layer.weight))  # type: ignore[type-var]  # without what a training left
    fresh(np.zeros((1, layer.weight.shape[1]), layer.weight.dtype))
    arrays: dict[int, np.ndarray] = {}
    waiting: list[Any] = [fresh]
    while waiting:
        part = waiting.pop()
        if isinstance(part, np.ndarray):
            while isinstance(part.base, np.ndarray):
                part = part.base
            arrays[id(part)] = part
        elif isinstance(part, tuple | list):
            waiting += part
        elif type(part).__module__.startswith("nncomp"):
            waiting += vars(part).values()
    return sum(a.nbytes for a in arrays.values())


def network_cost(network: MLP) -> Cost:
    """The sum over the layers.

    >>> network_cost(MLP.init([3, 4, 2])).multiply_adds
    20
    """
    return sum((layer_cost(layer) for layer in network.layers), Cost())


def outputs(network: MLP, x: np.ndarray, batch: int = 1000) -> np.ndarray:
    """The network's outputs, computed `batch` samples at a time; a ValueError where they are NaN or infinite.

    >>> outputs(MLP.init([3, 2]), np.zeros((4, 3), np.float32)).shape
    (4, 2)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        y = np.concatenate([network(x[i : i + batch]) for i in range(0, max(len(x), 1), batch)])
    check_finite("the network's outputs", y)
    return y


def predictions(network: MLP, x: np.ndarray) -> np.ndarray:
    """The class of the largest output for each sample.

    >>> predictions(MLP.init([3, 2]), np.zeros((4, 3), np.float32))
    array([0, 0, 0, 0])
    """
    return outputs(network, x).argmax(axis=1)


def accuracy(network: MLP, split: Split) -> float:
    """The fraction of samples classified as labelled; a ValueError unless the labels are integers (n,).

    >>> accuracy(MLP.init([3, 2]), Split(np.zeros((4, 3), np.float32), np.array([0, 0, 0, 1])))
    0.75
    """
    check_labelled(split)
    return float(np.mean(predictions(network, split.x) == split.y))


def score(network: MLP, split: Split) -> float:
    """How good a network is: the accuracy on labels (n,), or minus the mean squared error on values (n, outputs).

    >>> network = MLP.init([3, 1])
    >>> score(network, Split(np.zeros((2, 3), np.float32), np.array([[1.0], [3.0]], np.float32)))
    -5.0
    """
    if np.issubdtype(split.y.dtype, np.floating):
        return -squared_error(outputs(network, split.x), split.y)[0]
    return accuracy(network, split)


def check_fit(network: MLP, split: Split, name: str = "") -> None:
    """Raise unless the network takes the split's features and has an output for each of its classes."""
    inputs, classes = network.sizes[0], network.sizes[-1]
    if split.x.shape[1] != inputs:
        raise ValueError(f"the network takes {inputs} features, and {name or 'the data'} has {split.x.shape[1]}")
    if np.issubdtype(split.y.dtype, np.integer) and split.y.max() >= classes:
        raise ValueError(f"the network has {classes} outputs, and {name or 'the data'} has a class {split.y.max()}")


def check_labelled(split: Split) -> None:
    """Raise unless every sample has one integer label."""
    if split.y.ndim != 1 or not np.issubdtype(split.y.dtype, np.integer):
        raise ValueError(f"accuracy needs one integer label per sample, not {split.y.dtype} {split.y.shape}")


def agreement(a: MLP, b: MLP, x: np.ndarray) -> float:
    """The fraction of samples that two networks put in the same class, right or wrong.

    >>> a = MLP.init([3, 2])
    >>> agreement(a, a, np.ones((4, 3), np.float32))
    1.0
    """
    return float(np.mean(predictions(a, x) == predictions(b, x)))


def latency(network: MLP, batch: int, runs: int = 30) -> float:
    """Median seconds of a call on `batch` samples of noise, on one thread, after a call that compiles and prepares.

    >>> latency(MLP.init([3, 2]), batch=1, runs=3) > 0
    True
    """
    if batch < 1 or runs < 1:
        raise ValueError(f"at least one sample and one run are timed, not {batch} and {runs}")
    x = np.random.default_rng(0).random((batch, network.sizes[0])).astype(network.dtype)
    network(x)
    seconds = []
    with on_threads(1):
        for _ in range(runs):
            start = time.perf_counter()
            network(x)
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def form(weight: Weight) -> str:
    """How a weight is kept, in words: `dense float32`, `sparse int8`, `rank 8 int8` of two factors that are, ...

    >>> form(MLP.init([3, 2]).layers[0].weight)
    'dense float32'
    """
    if isinstance(weight, Sum):
        return " + ".join(form(part) for part in weight.parts)
    if isinstance(weight, LowRank):
        forms = dict.fromkeys(form(factor).removeprefix("dense ") for factor in (weight.A, weight.B))
        return f"rank {weight.rank} {' x '.join(forms)}"
    if isinstance(weight, Encoded):
        return name_of(weight.format) or type(weight.format).__name__
    if isinstance(weight, Quantized):
        layout = "sparse" if isinstance(weight.codes, Sparse) else "dense"
        return f"{layout} {'' if weight.grid.format.signed else 'u'}int{weight.grid.format.bits}"
    if isinstance(weight, Shared):
        layout = "sparse " if isinstance(weight.indices, Sparse) else ""
        return f"{layout}shared {weight.codebook.size} {weight.dtype}"
    return f"{type(weight).__name__.lower()} {weight.dtype}"
