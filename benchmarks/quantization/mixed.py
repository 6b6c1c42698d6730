"""Bits by layer: `python -m benchmarks.quantization mixed`.

A 784-300-100-10 learns MNIST. Each layer is rounded by GPTQ to 2, 3, 4, 5, 6 and 8 bits. For some sizes: the most bits
for all layers that fit, the exact optimum of the sums of what each layer alone loses, and of all 216 networks that fit
the one that truly loses least. Loss: the cross-entropy, in thousandths, of 2,000 samples that choices are made on, and
of the validation split, which nothing was chosen by.
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

BITS, SIZES_IN_BITS = (2, 3, 4, 5, 6, 8), (2.05, 2.25, 2.5, 3.05, 3.25, 3.5, 4.05, 4.5)
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
        told = f"{stored(n):6.2f} {1e3 * loss(n, samples):10.3f} {1e3 * loss(n, data.validation):10.1f}"
        print(f"{name:30} {bits_of(n):8} {told} {100 * (1 - accuracy(n, data.validation)):8.2f}", flush=True)

    print(f"{'':30} {'bits':8} {'stored':>6} {'loss':>10} {'validation':>10} {'error %':>8}")
    floats = f"{1e3 * loss(network, samples):10.3f} {1e3 * loss(network, data.validation):10.1f}"
    print(f"{'in floats':39} {32:6} {floats} {100 * (1 - accuracy(network, data.validation)):8.2f}")
    for size in SIZES_IN_BITS:
        print(f"\nat most {size} bits of a weight, scales included")
        mixed = partial(MixedPrecision, size + 0.005, CHOICES)
        row("the same everywhere", [n for n in uniform if stored(n) <= size + 0.005][-1])
        row("least sum of losses", mixed()(network, data))
        row("least sum by HAWQ's curvature", mixed(sensitivity=hawq)(network, data))
        row("the best of all", min((n for n in every if stored(n) <= size + 0.005), key=lambda n: losses[id(n)]))
