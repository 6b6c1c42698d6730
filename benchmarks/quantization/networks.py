"""What quantization after training costs a network: `python -m benchmarks.quantization networks`.

A 784-300-100-10 learns MNIST or Fashion-MNIST, all 60,000 samples, and is quantized by what 2,000 of them bring its
layers; nothing is trained afterwards, and nothing was chosen on the test split, whose errors are shown: means over
seeds, and by how much they are worse than those of the network in floats. Each seed is a line of the result file, and
what is there is not done again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.pruning.at_start import joined
from benchmarks.sweep import sweep
from benchmarks.training import SIZES
from nncomp.data import Data, load_data
from nncomp.formats import PerGroup, Uniform, mxfp4, nf4, q4_0
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import k_best, optimal_kmeans
from nncomp.steps import CompressionStep, FineTune, Quantize, Share

LEARNING = FineTune(20, optimizer=Adam(2e-3), schedule=Cosine(), dropout=(0.1, 0.0, 0.0))
SEARCH = partial(k_best, K=8)
WAYS: dict[str, CompressionStep] = {
    "W8A8": Quantize(),
    "W4A8": Quantize(Uniform(4), method=SEARCH),
    "W4A8, rounded": Quantize(Uniform(4)),
    "W3 by 32": Quantize(Uniform(3), PerGroup(32), inputs=None, method=SEARCH),
    "W3 by 32, rounded": Quantize(Uniform(3), PerGroup(32), inputs=None),
    "W2 by 32": Quantize(Uniform(2), PerGroup(32), inputs=None, method=SEARCH),
    "16 values": Share(16, optimal_kmeans),
    "MXFP4": Quantize(mxfp4, inputs=None),
    "NF4": Quantize(nf4, inputs=None),
    "Q4_0": Quantize(q4_0, inputs=None),
}


def measure(data: Data, seed: int) -> dict[str, Any]:
    """The test errors of one network, in floats and quantized in each way."""
    assert data.test is not None
    network = replace(LEARNING, seed=seed)(MLP.init(SIZES, seed=seed), data.without_test())
    networks = {"float": network} | {name: way(network, data.without_test()) for name, way in WAYS.items()}
    return {name: 100 * (1 - accuracy(quantized, data.test)) for name, quantized in networks.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and quantize what is missing, print the table."""
    name = "python -m benchmarks.quantization networks"
    parser = argparse.ArgumentParser(prog=name, description=__doc__.splitlines()[0])
    parser.add_argument("--on", nargs="+", choices=("mnist", "fashion-mnist"), default=["mnist", "fashion-mnist"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", help="folder of the IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/quantization-networks.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    splits = {on: load_data(on, options.data) for on in options.on}
    splits = {on: replace(data, train=joined(data.train, data.validation)) for on, data in splits.items()}
    configurations = [{"on": on, "seed": seed} for on in options.on for seed in options.seeds]
    found: dict[str, list[dict[str, float]]] = {on: [] for on in options.on}
    for result in sweep(options.out, configurations, lambda on, seed: measure(splits[on], seed)):
        found[result["on"]].append(result)
        print(f"{result['on']} seed {result['seed']}: {result['float']:.2f} % in floats", flush=True)
    print(f"\n{'test error, and above that in floats':24}" + "".join(f"{on:>24}" for on in options.on))
    for way in ("float", *WAYS):
        cells = [(mean(r[way] for r in runs), mean(r[way] - r["float"] for r in runs)) for runs in found.values()]
        print(f"{way:36}" + "".join(f"{error:14.2f} ({above:+.2f})  " for error, above in cells))
