"""Error against weights kept when pruning is part of the training: `python -m benchmarks.pruning training`.

A 784-300-100-10 on MNIST or Fashion-MNIST, by every method that prunes as it trains (`ways.py`); no augmentation, no
distillation. All 60,000 samples are learned and errors are those on the test split: means over seeds, and the worst.
Each training is a line of the result file, and what is there is not done again; `--methods`, `--dials` and `--seeds`
choose some, so that several processes can share the work, each with a file of its own.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from statistics import mean
from typing import Any

from benchmarks.pruning.at_start import joined
from benchmarks.pruning.ways import BY_BUDGET, BY_PRICE, Setting
from benchmarks.sweep import sweep
from benchmarks.training import SIZES
from nncomp.data import Data, load_data
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.shrinking import shrink
from nncomp.steps import compress

WEIGHTS = sum(inputs * outputs for inputs, outputs in pairwise(SIZES))
TIMES = (28.0, 66.0, 100.0)
METHODS = [*BY_BUDGET, *BY_PRICE]


def measure(data: Data, method: str, dial: float, seed: int, longer: float) -> dict[str, Any]:
    """The test error of one network, the weights it keeps, and those of them that an output depends on an input by.

    `first`: the error after the first step, which of a ticket is the dense network it came from.
    """
    assert data.test is not None
    setting = Setting(MLP.init(SIZES, seed=seed), data.without_test(), seed, longer)
    steps = BY_BUDGET[method](1 - 1 / dial, setting) if method in BY_BUDGET else BY_PRICE[method][0](dial, setting)
    first = compress(setting.start, steps[:1], data)
    network = compress(first, steps[1:], data)
    errors = {name: 100 * (1 - accuracy(n, data.test)) for name, n in (("error", network), ("first", first))}
    return errors | {name: _kept(n) for name, n in (("kept", network), ("alive", shrink(network)))}


def _kept(network: MLP) -> int:
    return sum(layer.weight.multiply_adds for layer in network.layers)


def lines(results: Iterable[dict[str, Any]]) -> list[str]:
    """One for each method and dial: how many times fewer weights, test errors, FLOPs."""
    found = []
    for (on, method, dial, longer), group in groupby(results, lambda r: tuple(r[k] for k in KEYS)):
        runs = list(group)
        errors, times = [r["error"] for r in runs], WEIGHTS / mean(r["kept"] for r in runs)
        flops = 2e-3 * mean(r["alive"] for r in runs)
        found.append(
            f"{on:13} {method:20} {dial:8g} x{longer} {len(runs)} {times:6.1f}x {mean(errors):6.2f} ({max(errors):.2f})"
            f" {flops:7.2f} K"
        )
    return found


KEYS = ("on", "method", "dial", "longer")


def number(text: str) -> float:
    """Whole numbers as such: they are part of the key of a result."""
    return int(text) if text.isdigit() else float(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning training", description=__doc__.splitlines()[0])
    parser.add_argument("--on", nargs="+", choices=("mnist", "fashion-mnist"), default=["mnist", "fashion-mnist"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, metavar="METHOD")
    parser.add_argument("--dials", nargs="+", type=float, help="times fewer weights, or strengths; else each method's")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--longer", type=number, default=1, help="train so many times as long; or 0.25")
    parser.add_argument("--data", help="folder of the IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/pruning-training.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    configurations = [
        {"on": on, "method": method, "dial": dial, "seed": seed, "longer": options.longer}
        for on in options.on
        for method in options.methods
        for dial in options.dials or (TIMES if method in BY_BUDGET else BY_PRICE[method][1])
        for seed in options.seeds
    ]
    splits = {on: load_data(on, options.data) for on in options.on}
    splits = {on: replace(data, train=joined(data.train, data.validation)) for on, data in splits.items()}
    results = []
    for result in sweep(options.out, configurations, lambda on, **setting: measure(splits[on], **setting)):
        results.append(result)
        print("{on} {method} {dial:g} seed {seed}: {error:.2f} %, {kept:,} kept".format(**result), flush=True)
    print("\ndata, method, dial, longer, seeds; fewer weights; test error, mean (worst); FLOPs without the dead")
    print(*lines(results), sep="\n")
