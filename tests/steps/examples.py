"""A small network's task, a short training, and every kind of step, for tests of steps."""

import numpy as np

from nncomp.data import Data
from nncomp.factor import svd
from nncomp.formats import Uniform
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import cubic
from nncomp.quantize import Dynamic, optimal_kmeans, spqr
from nncomp.steps import Distill, Factor, FineTune, Preprocess, Prune, Quantize, Reconstruct, Share, Shrink, Update
from nncomp.transforms import LSQ, XNOR
from tests.strategies.data import blobs

DATA = Data(blobs(300, 1), blobs(100, 2), blobs(100, 3), "blobs")
SHORT = FineTune(epochs=2, batch=50, optimizer=Adam(rate=5e-3))
STEPS = [
    FineTune(epochs=1),
    Prune(0.5),
    Prune(0.6, schedule=cubic, during=SHORT),
    Quantize(),
    Quantize(inputs=None),
    Quantize(inputs=Dynamic(Uniform()), during=SHORT),
    Quantize(through=LSQ(Uniform(4)), during=SHORT),
    Quantize(inputs=None, through=XNOR(), during=SHORT),
    Distill(student=MLP.init([12, 6, 4], norm=True), during=SHORT),
    Distill(teacher=MLP.init([12, 4]), during=SHORT),
    Update(SHORT),
    Reconstruct(0.5),
    Shrink(),
    Shrink(0.3),
    Share(8),
    Share(5, optimal_kmeans, during=SHORT),
    Preprocess(),
    Quantize(Uniform(3), rank=2),
    Quantize(Uniform(3), inputs=None, method=spqr),
    Factor(rank=2),
    Factor(budget=0.7, by=svd, during=SHORT),
    Factor(rank=2, by=svd, sparsity=0.95),
]


def total(network: MLP) -> int:
    return sum(layer.weight.shape[0] * layer.weight.shape[1] for layer in network.layers)


def kept(network: MLP) -> int:
    return sum(layer.weight.multiply_adds for layer in network.layers)


def masks_of(network: MLP) -> list[np.ndarray]:
    return [layer.weight.mask for layer in network.layers]


def equal(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
