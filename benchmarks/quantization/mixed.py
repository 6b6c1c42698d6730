"""Bits by layer: `python -m benchmarks.quantization mixed`.

A 784-300-100-10 learns MNIST. Each layer is rounded by GPTQ to 2, 3, 4, 6 and 8 bits. Beside networks of one number of
bits stand, at most as large, the exact optimum of the sums of what each layer alone loses, and of all 125 networks the
one that truly loses least. Loss: the cross-entropy of 2,000 samples that choices are made on, and of the validation
split, which nothing was chosen by.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from itertools import product

import numpy as np

from benchmarks.training import SIZES, mnist
from nncomp.data import Split
from nncomp.formats import Uniform
from nncomp.learning_rate import Cosine
from nncomp.losses import cross_entropy
from nncomp.measure import accuracy, outputs
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import gptq, hawq
from nncomp.steps import FineTune, MixedPrecision, Quantize

BITS = (2, 3, 4, 6, 8)
CHOICES = tuple(Quantize(Uniform(bits), inputs=None, method=gptq) for bits in BITS)


def loss(network: MLP, split: Split) -> float:
    return cross_entropy(outputs(network, split.x).astype(np.float64), split.y)[0]


def stored(network: MLP) -> float:
    """Bits of a weight, scales included."""
    shapes = [layer.weight.shape for layer in network.layers]
    return 8 * sum(layer.weight.nbytes for layer in network.layers) / sum(out * inputs for out, inputs in shapes)


def bits_of(network: MLP) -> str:
    return " ".join(str(layer.weight.grid.format.bits) for layer in network.layers)  # type: ignore[attr-defined]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, quantize in all ways, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quantization mixed", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--epochs", type=int, default=20, help="epochs of the training before")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    options = parser.parse_args(arguments)
    data = mnist(options.data)
    network = FineTune(options.epochs, optimizer=Adam(2e-3), schedule=Cosine())(MLP.init(SIZES), data)
    samples = data.train.first(2000)
    uniform = [choice(network, data) for choice in CHOICES]
    every = [MLP(tuple(uniform[k].layers[i] for i, k in enumerate(c))) for c in product(range(len(BITS)), repeat=3)]
    losses = {id(n): loss(n, samples) for n in every}

    def row(name: str, n: MLP) -> None:
        told = (
            f"{loss(n, samples):10.4f} {loss(n, data.validation):10.4f} {100 * (1 - accuracy(n, data.validation)):7.2f}"
        )
        print(f"{name:34} {bits_of(n):8} {stored(n):6.2f} {told}", flush=True)

    print(f"{'':34} {'bits':8} {'stored':>6} {'loss':>10} {'validation':>10} {'error %':>7}")
    print(f"{'in floats':34} {'':8} {32:6} {loss(network, samples):10.4f} {loss(network, data.validation):10.4f}")
    for own in uniform:
        size = stored(own)
        print()
        row("the same everywhere", own)
        mixed = partial(MixedPrecision, size, CHOICES)
        row("least sum of what layers lose", mixed()(network, data))
        row("least sum by HAWQ's curvature", mixed(sensitivity=hawq)(network, data))
        row("the best of all", min((n for n in every if stored(n) <= size), key=lambda n: losses[id(n)]))
