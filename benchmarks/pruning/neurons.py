"""A small network carved out of a large one, pixels and neurons at a time: `python -m benchmarks.pruning neurons`.

A 784-300-100-10 learns MNIST, shifted by one pixel and turned by eight degrees either way. In forty rounds its pixels
and neurons become 97-71-33 by `input_fisher`, whole ones alone, and after each round it learns from what it was at
first (distillation). So 97 x 71 + 71 x 33 + 33 x 10 multiply-adds are left, 19,120 FLOPs of 2: the size of Dai et al.
2018. Settings were chosen on the validation split, then all 60,000 samples learned; errors are those on the test split.
Each seed is a line of the result file, and what is there is not done again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np
from scipy.ndimage import rotate, shift

from benchmarks.pruning.at_start import joined
from benchmarks.sweep import sweep
from benchmarks.training import SIZES, mnist
from nncomp.data import Data, Split
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam, AdamW
from nncomp.prune import input_fisher, keep_largest
from nncomp.steps import Distill, FineTune, Prune, Shrink

FINAL, ROUNDS, SEEDS = (97, 71, 33), 40, range(5)
TRAIN = FineTune(epochs=8, optimizer=AdamW(2e-3, weight_decay=0.05), schedule=Cosine(), dropout=(0.1, 0.1, 0.0))
SHORT = FineTune(epochs=1, optimizer=Adam(3e-3), schedule=Cosine(last=0.05))


def moved(split: Split) -> Split:
    """The images twice, moved by a pixel to each side, turned by eight degrees to each side: eight times as many."""
    images = split.x.reshape(-1, 28, 28)
    parts = [images, images]
    parts += [shift(images, (0, dy, dx), order=0) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    parts += [rotate(images, angle, axes=(1, 2), reshape=False, order=1) for angle in (8, -8)]
    x = np.concatenate(parts).reshape(-1, 784).clip(0, 1).astype(np.float32)
    return Split(x, np.tile(split.y, len(parts)))


def keep_counts(counts: Sequence[int]) -> Callable[[list[np.ndarray], float], list[np.ndarray]]:
    """So many columns of each layer."""

    def keep(layers: list[np.ndarray], sparsity: float) -> list[np.ndarray]:
        return [keep_largest(s, 1 - n / s.size) for s, n in zip(layers, counts, strict=True)]

    return keep


def measure(data: Data, seed: int, epochs: int) -> dict[str, Any]:
    """The error and the multiply-adds of one network."""
    large = replace(TRAIN, seed=seed)(MLP.init(SIZES, seed=seed), data)
    network, start = large, np.array([784.0, *SIZES[1:-1]])
    for k in range(1, ROUNDS + 1):
        counts = np.rint(start * (np.array(FINAL) / start) ** (k / ROUNDS)).astype(int)
        during = replace(SHORT, seed=seed + k)
        if k == ROUNDS:
            during = replace(during, epochs=epochs, schedule=Cosine())
        for step in (
            Prune(0.0, scores=input_fisher, keep=keep_counts(counts.tolist()), samples=10_000),
            Shrink(),
            Distill(teacher=large, T=4, alpha=0.7, during=during),
        ):
            network = step(network, data)
    assert data.test is not None
    return {
        "large": 100 * (1 - accuracy(large, data.test)),
        "error": 100 * (1 - accuracy(network, data.test)),
        "sizes": [int(network.layers[0].weight.mask.any(axis=0).sum()), *network.sizes[1:]],  # type: ignore[attr-defined]
        "flops": 2 * sum(layer.weight.multiply_adds for layer in network.layers),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is missing, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning neurons", description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60, help="epochs of the last training")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/pruning-neurons.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = mnist(options.data)
    data = replace(data, train=moved(joined(data.train, data.validation)))
    found = []
    for result in sweep(
        options.out, [{"seed": s, "epochs": options.epochs} for s in SEEDS], lambda **s: measure(data, **s)
    ):
        found.append(result)
        sizes = "-".join(map(str, result["sizes"]))
        print(
            f"seed {result['seed']}: {'-'.join(map(str, SIZES))} {result['large']:.2f} %, {sizes} "
            f"{result['error']:.2f} %, {result['flops']:,} FLOPs",
            flush=True,
        )
    print(f"mean {mean(r['error'] for r in found):.2f} %, worst {max(r['error'] for r in found):.2f} %")
