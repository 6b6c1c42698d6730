"""Each layer its own setting, against one for all of the same size: `python -m benchmarks.search allocation`.

A 784-300-100-10 learns MNIST and Fashion-MNIST. Its layers are pruned by magnitude, pruned and refitted by ALPS, or
factored, all by one setting; or each by the setting that the exact allocation gives it, all together of at most as many
bytes, chosen on 5,000 training samples (`choose`); "all ways" may mix these, and rounding by GPTQ. (Bits alone are the
question of `python -m benchmarks.quantization mixed`.) Nothing is trained afterwards. Loss and error are those on the
test split. Each comparison is a line of the result file, and what is there is not done again.
"""

import argparse
from collections.abc import Sequence
from functools import cache
from statistics import mean
from typing import Any

from benchmarks.sweep import sweep
from benchmarks.training import SIZES
from nncomp.data import Data, load_data
from nncomp.formats import Uniform
from nncomp.learning_rate import Cosine
from nncomp.measure import network_cost
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import keep_largest
from nncomp.quantize import gptq
from nncomp.search import Sensitivity, choose, layer_sensitivity
from nncomp.search.sensitivity import measured
from nncomp.steps import CompressionStep, Factor, FineTune, Prune, Quantize, Reconstruct

SPARSITIES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98)
WAYS: dict[str, dict[float, CompressionStep]] = {
    "magnitude": {s: Prune(s, keep=keep_largest) for s in SPARSITIES},
    "ALPS": {s: Reconstruct(s) for s in SPARSITIES},
    "GPTQ": {b: Quantize(Uniform(b), inputs=None, method=gptq) for b in (2, 3, 4, 5, 6, 8)},
    "rank": {r: Factor(rank=r) for r in (*range(4, 41), 44, 48, 64, 100)},
}
LEVELS = {"magnitude": (0.8, 0.9), "ALPS": (0.9, 0.95), "rank": (16, 32)}


@cache
def task(on: str, folder: str | None, seed: int) -> tuple[MLP, Data]:
    """A trained network and its data."""
    data = load_data(on, folder)
    learning = FineTune(20, optimizer=Adam(2e-3), schedule=Cosine(), dropout=(0.1, 0.0, 0.0), seed=seed)
    return learning(MLP.init(SIZES, seed=seed), data.without_test()), data


@cache
def minded(on: str, folder: str | None, seed: int, way: str | None) -> Sensitivity:
    """What each layer loses by the settings of one way, or by those of all."""
    network, data = task(on, folder, seed)
    ways = [WAYS[way]] if way else list(WAYS.values())
    return layer_sensitivity(network, data, [step for steps in ways for step in steps.values()], samples=5000)


def measure(folder: str | None, on: str, seed: int, way: str, level: float) -> dict[str, Any]:
    """Test loss and error in % of one setting for all, of the allocation, and of that with all ways to choose from."""
    network, data = task(on, folder, seed)
    assert data.test is not None
    alike = WAYS[way][level](network, data.without_test())
    size = network_cost(alike).stored
    found = {
        "alike": alike,
        "allocated": choose(network, data, minded(on, folder, seed, way), max_bytes=size).network,
        "all ways": choose(network, data, minded(on, folder, seed, None), max_bytes=size).network,
    }
    told: dict[str, Any] = {"bytes": size}
    for name, compressed in found.items():
        assert network_cost(compressed).stored <= size
        loss, score = measured(compressed, data.test)
        told |= {f"{name} loss": loss, f"{name} error": 100 * (1 - score)}
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare what is missing, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search allocation", description=__doc__.splitlines()[0])
    parser.add_argument("--on", nargs="+", choices=("mnist", "fashion-mnist"), default=["mnist", "fashion-mnist"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", help="folder of the IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/search-allocation.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    settings = [
        {"on": on, "seed": seed, "way": way, "level": level}
        for on in options.on
        for seed in options.seeds
        for way, levels in LEVELS.items()
        for level in levels
    ]
    results = []
    for result in sweep(options.out, settings, lambda **setting: measure(options.data, **setting)):
        results.append(result)
        print({key: value for key, value in result.items() if key != "key"}, flush=True)
    print("\ndata, way, setting for all, kB; loss, error %: one for all, allocated, of all ways; better in how many")
    for on, way, level in dict.fromkeys((r["on"], r["way"], r["level"]) for r in results):
        runs = [r for r in results if (r["on"], r["way"], r["level"]) == (on, way, level)]
        cells = [
            f"{mean(r[f'{name} loss'] for r in runs):.4f} {mean(r[f'{name} error'] for r in runs):6.2f}"
            for name in ("alike", "allocated", "all ways")
        ]
        better = sum(r["allocated loss"] < r["alike loss"] for r in runs)
        kb = mean(r["bytes"] for r in runs) / 1e3
        print(f"{on:14} {way:10} {level:7g} {kb:8.1f}   {'   '.join(cells)}   {better} of {len(runs)}")
