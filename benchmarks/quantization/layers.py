"""How much of a layer's outputs each way of rounding loses: `python -m benchmarks.quantization layers`.

A 784-300-100-10 learns MNIST. Then its first two layers are quantized alone, a scale for each row, by what 2,048
training samples bring them, and `||X dW||^2 / ||X W||^2` is measured on 4,096 samples that neither training nor
quantization has seen; X is what the dense network brings the layer. Below, the gaps to the true optimum: rows cut to so
few weights that all of their codes can be tried, and by what factor each method's loss on the calibration samples, all
rows together, is above the least.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from benchmarks.timing import machine, on_threads, save
from benchmarks.training import SIZES, mnist
from nncomp.formats import Grid, PerRow, Uniform
from nncomp.layerwise import damped, gram, output_error, row_losses
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import Incoherent, MeanSquared, adaround, coordinate_descent, gptq, k_best, minmax, obq, spqr
from nncomp.quantize.nearest import fit_grid
from nncomp.training import train

CALIBRATION, HELD_OUT, BITS = 2048, 4096, (4, 3, 2)
Codes = Callable[[np.ndarray, np.ndarray, Grid], np.ndarray]
METHODS: dict[str, Codes] = {
    "absmax": lambda W, H, grid: grid.encode(W),
    "descent": coordinate_descent,
    "AdaRound": adaround,
    "OBQ": obq,
    "GPTQ": lambda W, H, grid: gptq(W, H, grid, order=False),
    "GPTQ, order": gptq,
    "K best": k_best,
}
"""All of them on the grid that covers each row."""
OTHERS = ("range", "range, K best", "LDLQ, turned", "SpQR, 1 %")
WEIGHTS = {4: 6, 3: 8, 2: 12}
"""Of a row whose codes are all tried, by bits: 2^24 of them."""


def quantized(W: np.ndarray, H: np.ndarray, bits: int) -> Iterator[tuple[str, np.ndarray]]:
    """What each method makes of the weights."""
    format = Uniform(bits)
    grid = fit_grid(W, format, PerRow(), minmax)
    for name, method in METHODS.items():
        yield name, grid.decode(method(W, H, grid))
    best = fit_grid(W, format, PerRow(), MeanSquared(format))
    yield "range", best.decode(best.encode(W))
    yield "range, K best", best.decode(k_best(W, H, best))
    codes, around, mask, values = spqr(W, H, format)
    turned = Incoherent.of(W, H, seed=0)
    own = fit_grid(turned.W, format, PerRow(), MeanSquared(format))
    yield "LDLQ, turned", turned.back(own.decode(gptq(turned.W, turned.H, own, order=False)))
    yield "SpQR, 1 %", np.where(mask, values, around.decode(codes))


def layers(network: MLP, x: np.ndarray, unseen: np.ndarray, bits: Sequence[int]) -> Iterator[dict[str, Any]]:
    """A record for each of the first two layers and each number of bits, and their line of the table."""
    print(f"{'layer':9} {'bits':4}" + "".join(f"{name:>14}" for name in (*METHODS, *OTHERS)))
    for i in range(2):
        W, H, judge = network.layers[i].weight.dense(), gram(x), gram(unseen)
        for b in bits:
            found = {name: output_error(W, new, judge) for name, new in quantized(W, H, b)}
            cells = "".join(f"{100 * error:13.3f}%" for error in found.values())
            print(f"{W.shape[0]:3} x {W.shape[1]:3} {b:4}{cells}", flush=True)
            yield {"layer": i, "shape": W.shape, "bits": b, "errors": found}
        x, unseen = network.layers[i](x), network.layers[i](unseen)


def gaps(W: np.ndarray, H: np.ndarray, bits: int, rows: int = 4) -> dict[str, float]:
    """By what factor each method is above the optimum, on the few inputs with the largest diagonal of H."""
    few = np.sort(np.argsort(-np.diag(H))[: WEIGHTS[bits]])
    W, H = np.ascontiguousarray(W[:rows, few]), H[np.ix_(few, few)]
    grid, metric = fit_grid(W, Uniform(bits), PerRow()), damped(H, 0.01)
    least = sum(_least(w, metric, Uniform(bits), s) for w, s in zip(W, grid.scale))
    return {
        name: float(row_losses(W, grid.decode(method(W, H, grid)), metric).sum() / least)
        for name, method in METHODS.items()
    }


def _least(w: np.ndarray, H: np.ndarray, format: Uniform, scale: np.ndarray) -> float:
    """The least loss of a row over all codes: those of its second half for each of its first."""
    half = w.size // 2
    codes = np.array(list(product(range(format.qmin, format.qmax + 1), repeat=half))) * scale.astype(np.float64)
    first, second = w[:half] - codes, w[half:] - codes
    own, other = ((first @ H[:half, :half]) * first).sum(axis=1), ((second @ H[half:, half:]) * second).sum(axis=1)
    cross = 2 * first @ H[:half, half:]
    return float(min((own[k] + other + second @ cross[k]).min() for k in range(len(first))))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, quantize, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quantization layers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--epochs", type=int, default=20, help="epochs of the training before")
    parser.add_argument("--bits", nargs="+", type=int, choices=BITS, default=list(BITS), help="of the weights")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--json", help="file to write the records to")
    options = parser.parse_args(arguments)
    data, start = mnist(options.data), time.monotonic()
    with on_threads(1):
        network = train(MLP.init(SIZES), data.train, optimizer=Adam(2e-3), schedule=Cosine(), epochs=options.epochs)
        print(f"trained for {options.epochs} epochs: validation accuracy {accuracy(network, data.validation):.4f}\n")
        x = data.train.x[:CALIBRATION]
        records = list(layers(network, x, data.validation.x[:HELD_OUT], options.bits))
        W, H = network.layers[0].weight.dense(), gram(x)
        print(f"\n{'loss over the least':19}" + "".join(f"{name:>14}" for name in METHODS))
        for bits in options.bits:
            found = gaps(W, H, bits)
            records.append({"gaps": found, "bits": bits, "weights": WEIGHTS[bits]})
            cells = "".join(f"{gap:14.3f}" for gap in found.values())
            print(f"{WEIGHTS[bits]:2} weights, {bits} bits  {cells}", flush=True)
    print(f"\n{time.monotonic() - start:.0f} seconds, the training included, on one thread")
    if options.json:
        save(options.json, records, machine())
