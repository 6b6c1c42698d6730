"""Draw what quantization does to a network that has learned MNIST: `python -m benchmarks.quantization pictures`.

Two pictures: the error on the validation split against the bits that weights are stored in, scales included, nothing
trained afterwards; and the grids of 3 bits that each way to choose a range gives, over the histogram of a real row.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.training import SIZES, mnist
from nncomp.data import Data
from nncomp.formats import PerGroup, PerTensor, Uniform
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import (
    ACIQ,
    OCTAV,
    Deviations,
    Entropy,
    MeanSquared,
    Percentile,
    adaround,
    coordinate_descent,
    gptq,
    k_best,
    minmax,
    optimal_kmeans,
)
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range
from nncomp.steps import CompressionStep, FineTune, Quantize, Share

WAYS: dict[str, Callable[[int], CompressionStep]] = {
    "rounded": lambda b: Quantize(Uniform(b), inputs=None),
    "rounded, best range": lambda b: Quantize(Uniform(b), weight_ranges=MeanSquared(Uniform(b)), inputs=None),
    "rounded, groups of 32": lambda b: Quantize(Uniform(b), PerGroup(32), inputs=None),
    "descent": lambda b: Quantize(Uniform(b), inputs=None, method=coordinate_descent),
    "AdaRound": lambda b: Quantize(Uniform(b), inputs=None, method=partial(adaround, steps=1000)),
    "GPTQ": lambda b: Quantize(Uniform(b), inputs=None, method=gptq),
    "K best": lambda b: Quantize(Uniform(b), inputs=None, method=k_best),
    "K best, best range": lambda b: Quantize(
        Uniform(b), weight_ranges=MeanSquared(Uniform(b)), inputs=None, method=k_best
    ),
    "K best, groups of 32": lambda b: Quantize(Uniform(b), PerGroup(32), inputs=None, method=k_best),
    "shared values": lambda b: Share(2**b, optimal_kmeans),
}
BITS, GRID = (2, 3, 4, 5, 6), Uniform(3)
RANGES: dict[str, Range] = {
    "smallest and largest": minmax, "99 %": Percentile(99.0), "3 deviations": Deviations(3.0),
    "least squares": MeanSquared(GRID), "OCTAV": OCTAV(3), "ACIQ, Laplace": ACIQ(3), "entropy": Entropy(512, 8),
}  # fmt: skip


def draw_errors(network: MLP, data: Data, file: Path) -> None:
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    panel = figure.subplots()
    for k, (name, way) in enumerate(WAYS.items()):
        networks = [way(bits)(network, data) for bits in BITS]
        x = [8 * sum(n.layers[i].weight.nbytes for i in range(3)) / _weights(n) for n in networks]
        y = [100 * (1 - accuracy(n, data.validation)) for n in networks]
        panel.plot(x, y, "os^v<>DPX*"[k], linestyle="-", markersize=5, linewidth=1, label=name)
        print(f"{name:24}" + "".join(f"{a:7.2f}: {b:6.2f} %" for a, b in zip(x, y)), flush=True)
    floats = 100 * (1 - accuracy(network, data.validation))
    panel.axhline(floats, color="black", linewidth=0.8, linestyle=":", label="in floats")
    panel.set_yscale("log")
    ticks = [1.5, 2, 3, 5, 10, 20, 50, 90]
    panel.set_yticks(ticks, [f"{t:g}" for t in ticks])
    panel.minorticks_off()
    panel.set_xlabel("bits of a weight as stored, scales and tables counted")
    panel.set_ylabel("error on the validation split, %")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    figure.savefig(file, dpi=110)


def _weights(network: MLP) -> int:
    return sum(layer.weight.shape[0] * layer.weight.shape[1] for layer in network.layers)


def draw_ranges(network: MLP, file: Path) -> None:
    W = network.layers[1].weight.dense()
    w = W[np.abs(W).max(axis=1).argmax()][None]
    figure = Figure(figsize=(8, 5), layout="constrained")
    histogram, grids = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    histogram.hist(w[0], bins=120, color="grey")
    histogram.set_ylabel("weights")
    histogram.set_title("a row of the second layer, and where each range puts seven codes of 3 bits", fontsize=10)
    names = []
    for k, (name, ranges) in enumerate(RANGES.items()):
        grid = fit_grid(w, GRID, PerTensor(), ranges)
        values = grid.decode(np.arange(-3, 4, dtype=np.int8)[None])[0]
        lost = float(((grid.fake(w)[0] - w) ** 2).sum() / (w**2).sum())
        names.append(f"{name}: {100 * lost:.1f} % lost")
        grids.plot(values, np.full(values.size, -k), "|", markersize=14, markeredgewidth=2, color=f"C{k}")
    grids.set_yticks(range(0, -len(names), -1), names, fontsize=8)
    grids.set_ylim(-len(names) + 0.5, 0.5)
    grids.set_xlabel("weight")
    figure.savefig(file, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, draw both."""
    name = "python -m benchmarks.quantization pictures"
    parser = argparse.ArgumentParser(prog=name, description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="epochs of the training before")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results", help="folder of the pictures")
    options = parser.parse_args(arguments)
    data = mnist(options.data)
    network = FineTune(options.epochs, optimizer=Adam(2e-3), schedule=Cosine())(MLP.init(SIZES), data)
    draw_ranges(network, Path(options.out) / "quantization-ranges.png")
    draw_errors(network, data, Path(options.out) / "quantization-errors.png")
