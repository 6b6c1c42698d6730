"""How much of a layer's outputs each way of pruning loses: `python -m benchmarks.pruning layers`.

A 784-300-100-10 learns MNIST. Then its first two layers are pruned alone, by what 2,048 training samples bring them,
and `||X dW||^2 / ||X W||^2` is measured on 4,096 samples that neither training nor pruning has seen; X is what the
dense network brings the layer. `+` means that `refit` chose the kept weights. It has the damping of SparseGPT, ALPS and
OBC: a hundredth of the mean diagonal of X^T X, without which pixels that are rarely lit fit the calibration alone.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.timing import machine, on_threads, save
from benchmarks.training import SIZES, mnist
from nncomp.layerwise import gram, output_error
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import (
    alps,
    input_norms,
    keep_each_row,
    keep_largest,
    keep_n_of_m,
    magnitude,
    obc,
    refit,
    ria,
    sparsegpt,
    wanda,
)
from nncomp.training import train

CALIBRATION, HELD_OUT, DAMP = 2048, 4096, 0.01
LEVELS: dict[str, tuple[float, tuple[int, int] | None]] = {
    "50 %": (0.5, None), "70 %": (0.7, None), "90 %": (0.9, None), "2:4": (0.5, (2, 4))
}  # fmt: skip
METHODS = ("magnitude", "Wanda", "RIA", "SparseGPT")
COLUMNS = (*METHODS, *(f"{name}+" for name in METHODS), "ALPS", "OBC")
Pattern = tuple[int, int] | None


def masks(W: np.ndarray, norms: np.ndarray, sparsity: float, pattern: Pattern) -> Iterator[tuple[str, np.ndarray]]:
    """The masks of the scores: Wanda's by row, as it was published, the others' over the whole layer."""

    def keep(scores: np.ndarray, within: Callable[[np.ndarray, float], np.ndarray]) -> np.ndarray:
        return within(scores, sparsity) if pattern is None else keep_n_of_m(scores, *pattern)

    yield "magnitude", keep(magnitude(W), keep_largest)
    yield "Wanda", keep(wanda(W, norms), keep_each_row)
    yield "RIA", keep(ria(W, norms), keep_largest)


def errors(W: np.ndarray, X: np.ndarray, unseen: np.ndarray, sparsity: float, pattern: Pattern) -> dict[str, float]:
    """What each method loses of the outputs for the unseen inputs."""
    H, judge = gram(X), gram(unseen)
    pruned = {name: np.where(mask, W, 0) for name, mask in masks(W, input_norms(X), sparsity, pattern)}
    pruned["SparseGPT"] = sparsegpt(W, H, sparsity, pattern, damp=DAMP)
    pruned |= {f"{name}+": refit(W, new != 0, H, DAMP) for name, new in pruned.items()}
    pruned["ALPS"] = alps(W, H, sparsity, pattern, damp=DAMP)
    if pattern is None:
        pruned["OBC"] = obc(W, H, sparsity, damp=DAMP)
    return {name: output_error(W, new, judge) for name, new in pruned.items()}


def layers(network: MLP, x: np.ndarray, unseen: np.ndarray) -> Iterator[dict[str, Any]]:
    """A record for each of the first two layers and each level, and their line of the table."""
    print(f"{'layer':9} {'pruned':7}" + "".join(f"{name:>12}" for name in COLUMNS))
    for i in range(2):
        W = network.layers[i].weight.dense()
        for level, (sparsity, pattern) in LEVELS.items():
            found = errors(W, x, unseen, sparsity, pattern)
            cells = (f"{100 * found[name]:11.2f}%" if name in found else f"{'':12}" for name in COLUMNS)
            print(f"{W.shape[0]:3} x {W.shape[1]:3} {level:7}" + "".join(cells), flush=True)
            yield {"layer": i, "shape": W.shape, "level": level, "errors": found}
        x, unseen = network.layers[i](x), network.layers[i](unseen)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, prune, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning layers", description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20, help="epochs of the training before")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--json", help="file to write the records to")
    options = parser.parse_args(arguments)
    data, start = mnist(options.data), time.monotonic()
    with on_threads(1):
        network = train(MLP.init(SIZES), data.train, optimizer=Adam(2e-3), schedule=Cosine(), epochs=options.epochs)
        print(f"trained for {options.epochs} epochs: validation accuracy {accuracy(network, data.validation):.4f}\n")
        records = list(layers(network, data.train.x[:CALIBRATION], data.validation.x[:HELD_OUT]))
    print(f"\n{time.monotonic() - start:.0f} seconds, the training included, on one thread")
    if options.json:
        save(options.json, records, machine())
