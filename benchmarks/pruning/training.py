"""Error against weights kept when pruning is part of the training: `python -m benchmarks.pruning training`.

A 784-300-100-10 on MNIST or Fashion-MNIST, by methods that prune as they train; no augmentation, no distillation. All
60,000 samples are learned, and errors are those on the test split: means over seeds, and the worst. How each trains is
not yet chosen on the validation split, so these are first figures. Each training is a line of the result file, and what
is there is not done again; `--methods`, `--times` and `--seeds` choose some.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.pruning.at_start import joined
from benchmarks.sweep import sweep
from benchmarks.training import SIZES
from nncomp.data import Data, load_data
from nncomp.hooks import SET, RigL
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import SGD, Adam
from nncomp.prune import alternating, cubic, exponential, keep_erdos_renyi, random
from nncomp.steps import CompressionStep, FineTune, Prune, Regrow, Rewind, Sparsify, compress
from nncomp.transforms import Powerpropagation

DENSE = FineTune(epochs=40, optimizer=Adam(2e-3), schedule=Cosine(), dropout=(0.1, 0.0, 0.0))
SPARSE = FineTune(epochs=150, optimizer=SGD(0.2, weight_decay=5e-5), schedule=Cosine(), dropout=(0.1, 0.0, 0.0))


def gradual(start: MLP, s: float, long: FineTune) -> list[CompressionStep]:
    """Zhu & Gupta: the sparsity grows as a cube from a trained network on."""
    return [DENSE, Prune(s, schedule=cubic, ramp=0.5, interval=200, during=long)]


def in_turn(start: MLP, s: float, long: FineTune) -> list[CompressionStep]:
    """AC/DC."""
    return [Prune(s, schedule=partial(alternating, periods=8), ramp=0.8, interval=200, during=long)]


def moving(by: RigL, start: MLP, s: float, long: FineTune) -> list[CompressionStep]:
    """Sparse from the start, at random, by Erdos-Renyi budgets."""
    return [Prune(s, scores=random, keep=keep_erdos_renyi), Regrow(by, long)]


def static(start: MLP, s: float, long: FineTune) -> list[CompressionStep]:
    """The control: such a start, and no move."""
    return [Prune(s, scores=random, keep=keep_erdos_renyi), long]


def ticket(start: MLP, s: float, long: FineTune) -> list[CompressionStep]:
    """Lottery tickets in five rounds from the untrained network; the last one trains long."""
    rounds = [exponential(k / 5, s) for k in range(1, 6)]
    return [step for left in rounds for step in (DENSE, Prune(left), Rewind(start))] + [long]


def powers(start: MLP, s: float, long: FineTune) -> list[CompressionStep]:
    """Powerpropagation, then pruned at once and fine-tuned."""
    return [Sparsify(Powerpropagation(2.0), DENSE), Prune(s), long]


METHODS: dict[str, Callable[[MLP, float, FineTune], list[CompressionStep]]] = {
    "gradual": gradual, "AC/DC": in_turn, "RigL": partial(moving, RigL(interval=200)), "SET": partial(moving, SET()),
    "random": static, "ticket": ticket, "powerpropagation": powers,
}  # fmt: skip


def measure(data: Data, method: str, times: float, seed: int, epochs: int) -> dict[str, Any]:
    """The test error of one network, and what is left of it."""
    start, long = MLP.init(SIZES, seed=seed), replace(SPARSE, epochs=epochs, seed=seed)
    network = compress(start, METHODS[method](start, 1 - 1 / times, long), data)
    kept = sum(layer.weight.multiply_adds for layer in network.layers)
    assert data.test is not None
    return {"error": 100 * (1 - accuracy(network, data.test)), "kept": kept}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning training", description=__doc__.splitlines()[0])
    parser.add_argument("--on", choices=("mnist", "fashion-mnist"), default="mnist")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--times", nargs="+", type=float, default=[28, 66, 100], help="fewer weights, by this factor")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--epochs", type=int, default=SPARSE.epochs, help="of the long training of each")
    parser.add_argument("--data", help="folder of the IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/pruning-training.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data(options.on, options.data)
    data = replace(data, train=joined(data.train, data.validation))
    configurations = [
        {"on": options.on, "method": method, "times": times, "seed": seed, "epochs": options.epochs}
        for method in options.methods
        for times in options.times
        for seed in options.seeds
    ]
    results = []
    for result in sweep(options.out, configurations, lambda on, **setting: measure(data, **setting)):
        results.append(result)
        print("{method:17} 1/{times:g} seed {seed}: {error:.2f} %, {kept:,} kept".format(**result), flush=True)
    print("\ntest error, mean (worst)" + "".join(f"{f'1/{times:g}':>14}" for times in options.times))
    for method in options.methods:
        found = ([r["error"] for r in results if (r["method"], r["times"]) == (method, t)] for t in options.times)
        print(f"{method:24}" + "".join(f"{f'{mean(errors):.2f} ({max(errors):.2f})':>14}" for errors in found))
