"""Draw what pruning does to a network that has learned MNIST: `python -m benchmarks.pruning pictures`.

Three pictures: what each layer's sparsity alone costs; which inputs each method keeps in the first layer; and the error
on the validation split against the sparsity of all layers, nothing trained afterwards.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.training import SIZES, mnist
from nncomp.data import Data
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import alps, keep_each_row, keep_largest, magnitude, obc, random, ria, snip, sparsegpt, synflow, wanda
from nncomp.search import layer_sensitivity
from nncomp.steps import CompressionStep, Prune, Reconstruct
from nncomp.training import train

SPARSITIES = [0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99]
WAYS: dict[str, Callable[[float], CompressionStep]] = {
    "random": lambda s: Prune(s, random, keep_largest),
    "magnitude": lambda s: Prune(s, magnitude, keep_largest),
    "SNIP": lambda s: Prune(s, snip, keep_largest),
    "SynFlow": lambda s: Prune(s, synflow, keep_largest),
    "Wanda": lambda s: Prune(s, wanda, keep_each_row),
    "RIA": lambda s: Prune(s, ria, keep_largest),
    "SparseGPT": lambda s: Reconstruct(s, sparsegpt),
    "ALPS": lambda s: Reconstruct(s, alps),
    "OBC": lambda s: Reconstruct(s, obc),
}


def draw_sensitivity(network: MLP, data: Data, file: Path) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    panel = figure.subplots()
    found = layer_sensitivity(network, data, [Prune(s, keep=keep_largest) for s in SPARSITIES])
    for layer, scores in zip(network.layers, found.score):
        out, inputs = layer.weight.shape
        panel.plot(SPARSITIES, 100 * (1 - scores), "o-", markersize=3, label=f"{out} x {inputs}")
    _finish(panel, "sparsity of this layer alone", "by magnitude, not trained afterwards")
    figure.savefig(file, dpi=110)


def draw_masks(network: MLP, data: Data, file: Path) -> None:
    """Of every pixel, how many of the first layer's weights are kept at 90 %."""
    figure = Figure(figsize=(12, 3), layout="constrained")
    panels = figure.subplots(1, len(WAYS))
    for (name, way), panel in zip(WAYS.items(), panels):
        counts = (way(0.9)(network, data).layers[0].weight.dense() != 0).sum(axis=0)
        panel.imshow(counts.reshape(28, 28), cmap="magma", vmin=0, vmax=100)
        panel.set_title(name, fontsize=9)
        panel.axis("off")
    figure.suptitle("weights kept at each pixel, of 300, the first layer 90 % pruned (black: none, white: 100 or more)")
    figure.savefig(file, dpi=110)


def draw_errors(network: MLP, data: Data, file: Path) -> None:
    figure = Figure(figsize=(7, 5), layout="constrained")
    panel = figure.subplots()
    fast = {name: way for name, way in WAYS.items() if name != "OBC"}
    for i, (name, way) in enumerate(fast.items()):
        errors = [100 * (1 - accuracy(way(s)(network, data), data.validation)) for s in SPARSITIES]
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning pictures", description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results", help="folder of the pictures")
    options = parser.parse_args(arguments)
    data, out = mnist(options.data), Path(options.out)
    network = train(MLP.init(SIZES), data.train, optimizer=Adam(2e-3), schedule=Cosine(), epochs=20)
    draw_sensitivity(network, data, out / "pruning-sensitivity.png")
    draw_masks(network, data, out / "pruning-masks.png")
    draw_errors(network, data, out / "pruning-errors.png")
