"""Pruned before it has learned anything: `python -m benchmarks.pruning_at_start`.

A 784-300-100-10 with random weights is pruned to a 20th and to a 50th of them by what SNIP, GraSP, SynFlow and chance
say, then learns MNIST, only the kept weights trained. Errors on the test split after a training that was fixed before:
means over five seeds. Each training is a line of the result file, and what is there is not done again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.sweep import sweep
from benchmarks.training import SIZES, mnist
from nncomp.data import Data
from nncomp.learning_rate import Cosine
from nncomp.losses import cross_entropy
from nncomp.measure import accuracy
from nncomp.network import MLP, backward, forward
from nncomp.optim import AdamW
from nncomp.prune import grasp, keep_globally, random, snip, synflow_masks
from nncomp.training import train

SAMPLES, TIMES, SEEDS = 4096, (20, 50), range(5)
Arrays = list[np.ndarray]


def gradient(network: MLP, data: Data) -> Callable[[Arrays], Arrays]:
    """The loss's gradient on the first samples at other weights."""

    def at(weights: Arrays) -> Arrays:
        other = network.with_params([(w, b) for w, (_, b) in zip(weights, network.params)])
        y, tape = forward(other, data.train.x[:SAMPLES])
        found = backward(other, tape, {len(tape) - 1: cross_entropy(y, data.train.y[:SAMPLES])[1]})
        return [dw for dw, _ in found]

    return at


def masks(method: str, network: MLP, data: Data, sparsity: float, seed: int) -> Arrays:
    """What each method keeps of the network's weights."""
    weights, at = [layer.weight.dense() for layer in network.layers], gradient(network, data)
    if method == "SynFlow":
        return synflow_masks(weights, sparsity)
    if method == "GraSP":
        return keep_globally(grasp(weights, at), sparsity)
    if method == "SNIP":
        return keep_globally([snip(w, g) for w, g in zip(weights, at(weights))], sparsity)
    return keep_globally([random(w, seed + i) for i, w in enumerate(weights)], sparsity)


def measure(data: Data, method: str, times: int, seed: int, epochs: int) -> dict[str, Any]:
    """The test error of one training."""
    network = MLP.init(SIZES, seed=seed, dtype=np.float64)
    kept = iter(masks(method, network, data, 1 - 1 / times, seed))
    float32 = [tuple(p.astype(np.float32) for p in params) for params in network.params]
    sparse = (
        MLP.init(SIZES)
        .with_params(float32)
        .with_layers(lambda layer: replace(layer, weight=layer.weight.masked(next(kept))))
    )
    trained = train(
        sparse, data.train, optimizer=AdamW(4e-3, weight_decay=0.05), schedule=Cosine(), epochs=epochs, seed=seed
    )
    assert data.test is not None
    return {"error": 100 * (1 - accuracy(trained, data.test))}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning_at_start", description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60, help="epochs of each training")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/pruning-at-start.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = mnist(options.data)
    configurations = [
        {"method": method, "times": times, "seed": seed, "epochs": options.epochs}
        for seed in SEEDS
        for method in ("SNIP", "GraSP", "SynFlow", "random")
        for times in TIMES
    ]
    results = []
    for result in sweep(options.out, configurations, lambda **setting: measure(data, **setting)):
        results.append(result)
        print(f"{result['method']:8} 1/{result['times']} seed {result['seed']}: {result['error']:.2f} %", flush=True)
    print(f"\ntest error, means of {len(SEEDS)} seeds" + "".join(f"{f'1/{times}':>8}" for times in TIMES))
    for method in dict.fromkeys(result["method"] for result in results):
        found = ([r["error"] for r in results if (r["method"], r["times"]) == (method, times)] for times in TIMES)
        print(f"{method:33}" + "".join(f"{mean(errors):8.2f}" for errors in found))


if __name__ == "__main__":
    main()
