"""Draw what pruning does to a network that has learned MNIST: `python -m benchmarks.pruning_pictures`.

Three pictures: what each layer's sparsity alone costs; which inputs each method keeps in the first layer; and the error
on the validation split against the sparsity of all layers, nothing trained afterwards.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.training import SIZES, mnist
from nncomp.data import Data
from nncomp.learning_rate import Cosine
from nncomp.losses import cross_entropy
from nncomp.measure import accuracy
from nncomp.network import MLP, backward, forward
from nncomp.optim import Adam
from nncomp.prune import (
    alps,
    gram,
    input_norms,
    keep_each_row,
    keep_largest,
    magnitude,
    obc,
    random,
    ria,
    snip,
    sparsegpt,
    synflow,
    wanda,
)
from nncomp.sensitivity import layer_sensitivity
from nncomp.training import train
from nncomp.weights import Sparse

SPARSITIES = [0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99]
SAMPLES = 2048
Method = Callable[[int, np.ndarray, np.ndarray, float], np.ndarray]
"""From a layer's number, weights, inputs and a sparsity to the pruned weights."""


def methods(network: MLP, data: Data) -> dict[str, Method]:
    """Every method as a function of one layer."""
    y, tape = forward(network, data.train.x[:SAMPLES])
    g = backward(network, tape, {len(tape) - 1: cross_entropy(y, data.train.y[:SAMPLES])[1]})
    flow = synflow([layer.weight.dense() for layer in network.layers])
    return {
        "random": lambda i, W, X, s: np.where(keep_largest(random(W), s), W, 0),
        "magnitude": lambda i, W, X, s: np.where(keep_largest(magnitude(W), s), W, 0),
        "SNIP": lambda i, W, X, s: np.where(keep_largest(snip(W, g[i][0]), s), W, 0),
        "SynFlow": lambda i, W, X, s: np.where(keep_largest(flow[i], s), W, 0),
        "Wanda": lambda i, W, X, s: np.where(keep_each_row(wanda(W, input_norms(X)), s), W, 0),
        "RIA": lambda i, W, X, s: np.where(keep_largest(ria(W, input_norms(X)), s), W, 0),
        "SparseGPT": lambda i, W, X, s: sparsegpt(W, gram(X), s),
        "ALPS": lambda i, W, X, s: alps(W, gram(X), s),
        "OBC": lambda i, W, X, s: obc(W, gram(X), s),
    }


def pruned(network: MLP, x: np.ndarray, method: Method, sparsity: float) -> MLP:
    """Layer by layer, each on what the pruned ones before it hand on."""
    layers = []
    for i, layer in enumerate(network.layers):
        W = method(i, layer.weight.dense(), x, sparsity)
        layers.append(replace(layer, weight=Sparse.from_dense(W)))
        x = layers[-1](x)
    return MLP(tuple(layers))


def draw_sensitivity(network: MLP, data: Data, file: Path) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    panel = figure.subplots()
    for layer, scores in zip(network.layers, layer_sensitivity(network, data.validation, SPARSITIES)):
        out, inputs = layer.weight.shape
        panel.plot(SPARSITIES, 100 * (1 - scores), "o-", markersize=3, label=f"{out} x {inputs}")
    _finish(panel, "sparsity of this layer alone", "by magnitude, not trained afterwards")
    figure.savefig(file, dpi=110)


def draw_masks(network: MLP, data: Data, ways: dict[str, Method], file: Path) -> None:
    """Of every pixel, how many of the first layer's weights are kept at 90 %."""
    figure = Figure(figsize=(12, 3), layout="constrained")
    panels = figure.subplots(1, len(ways))
    x, W = data.train.x[:SAMPLES], network.layers[0].weight.dense()
    for (name, method), panel in zip(ways.items(), panels):
        counts = (method(0, W, x, 0.9) != 0).sum(axis=0).reshape(28, 28)
        panel.imshow(counts, cmap="magma", vmin=0, vmax=100)
        panel.set_title(name, fontsize=9)
        panel.axis("off")
    figure.suptitle("weights kept at each pixel, of 300, the first layer 90 % pruned (black: none, white: 100 or more)")
    figure.savefig(file, dpi=110)


def draw_errors(network: MLP, data: Data, ways: dict[str, Method], file: Path) -> None:
    figure = Figure(figsize=(7, 5), layout="constrained")
    panel = figure.subplots()
    for i, (name, method) in enumerate(ways.items()):
        networks = (pruned(network, data.train.x[:SAMPLES], method, s) for s in SPARSITIES)
        errors = [100 * (1 - accuracy(made, data.validation)) for made in networks]
        panel.plot(SPARSITIES, errors, "o-", markersize=3, color=f"C{i}", label=name)
        print(name, [round(e, 2) for e in errors], flush=True)
    _finish(panel, "sparsity of every layer", "not trained afterwards")
    figure.savefig(file, dpi=110)


def _finish(panel: Any, what: str, title: str) -> None:
    panel.set_yscale("log")
    panel.set_yticks([1, 2, 5, 10, 20, 50, 90], ["1", "2", "5", "10", "20", "50", "90"])
    panel.minorticks_off()
    panel.set_xlabel(what)
    panel.set_ylabel("error on the validation split, %")
    panel.set_title(title, fontsize=10)
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, prune, draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning_pictures", description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results", help="folder of the pictures")
    options = parser.parse_args(arguments)
    data, out = mnist(options.data), Path(options.out)
    network = train(MLP.init(SIZES), data.train, optimizer=Adam(2e-3), schedule=Cosine(), epochs=20)
    ways = methods(network, data)
    draw_sensitivity(network, data, out / "pruning-sensitivity.png")
    draw_masks(network, data, ways, out / "pruning-masks.png")
    draw_errors(network, data, {n: m for n, m in ways.items() if n != "OBC"}, out / "pruning-errors.png")


if __name__ == "__main__":
    main()
