"""Pruned before it has learned anything: `python -m benchmarks.pruning at-start`.

A 784-300-100-10 with random weights is pruned to a 20th and to a 50th of them by what SNIP, GraSP, SynFlow and chance
say, then learns MNIST, only the kept weights trained. How it learns was chosen by SNIP's errors on the validation split
for two other seeds; then all 60,000 samples are learned. Errors are those on the test split, means over five seeds.
Each training is a line of the result file, and what is there is not done again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.sweep import sweep
from benchmarks.training import SIZES, mnist
from nncomp.data import Data, Split
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import SGD
from nncomp.prune import grasp, random, snip, synflow
from nncomp.steps import FineTune, Prune

TIMES, SEEDS = (20, 50), range(5)
LEARNING = FineTune(optimizer=SGD(0.2, weight_decay=5e-5), schedule=Cosine(), dropout=(0.1, 0.0, 0.0))


def pruning(method: str, sparsity: float, seed: int) -> Prune:
    """Each method over all layers together, on the first 4,096 samples; SynFlow in its hundred rounds."""
    if method == "SynFlow":
        return Prune(sparsity, synflow, rounds=100)
    scores: dict[str, Callable[..., Any]] = {"SNIP": snip, "GraSP": grasp, "random": partial(random, seed=seed)}
    return Prune(sparsity, scores[method], samples=4096)


def joined(a: Split, b: Split) -> Split:
    return Split(np.concatenate([a.x, b.x]), np.concatenate([a.y, b.y]))


def measure(data: Data, method: str, times: int, seed: int, epochs: int) -> dict[str, Any]:
    """The test error of one training."""
    data = replace(data, train=joined(data.train, data.validation))
    sparse = pruning(method, 1 - 1 / times, seed)(MLP.init(SIZES, seed=seed), data)
    trained = replace(LEARNING, epochs=epochs, seed=seed)(sparse, data)
    assert data.test is not None
    return {"error": 100 * (1 - accuracy(trained, data.test))}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning at-start", description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=150, help="epochs of each training")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/pruning-at-start.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = mnist(options.data)
    configurations = [
        {"method": method, "times": times, "seed": seed, "epochs": options.epochs}
        for method in ("SNIP", "GraSP", "SynFlow", "random")
        for times in TIMES
        for seed in SEEDS
    ]
    results = []
    for result in sweep(options.out, configurations, lambda **setting: measure(data, **setting)):
        results.append(result)
        print(f"{result['method']:8} 1/{result['times']} seed {result['seed']}: {result['error']:.2f} %", flush=True)
    print(f"\ntest error, means of {len(SEEDS)} seeds" + "".join(f"{f'1/{times}':>8}" for times in TIMES))
    for method in dict.fromkeys(result["method"] for result in results):
        found = ([r["error"] for r in results if (r["method"], r["times"]) == (method, times)] for times in TIMES)
        print(f"{method:33}" + "".join(f"{mean(errors):8.2f}" for errors in found))
