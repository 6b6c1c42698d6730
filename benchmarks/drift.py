"""Data that have moved, and a compressed network taken up again: `python -m benchmarks.drift`.

A 784-300-100-10 learns MNIST, loses 95 % of its weights while it learns on, and gets 8 bits. Batches of 500, a thousand
drawn from the test split and as many from the same pictures rotated by 15 degrees, are checked against the validation
split without their labels: how many raise an alarm. Then it is updated in its stored form on rotated training
pictures: how much of the accuracy that rotation took comes back, and the bytes before and after.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import rotate

from nncomp.data import Data, Split, load_data
from nncomp.drift import Reference
from nncomp.files import to_bytes
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import cubic
from nncomp.steps import FineTune, Prune, Quantize, Update

LEARNING = FineTune(20, optimizer=Adam(1e-3), schedule=Cosine(), dropout=(0.1, 0.0, 0.0))
BATCHES, BATCH, DEGREES = 1000, 500, 15.0


def rotated(split: Split) -> Split:
    """Every picture turned about its middle, linearly interpolated."""
    pictures = split.x.reshape(-1, 28, 28)
    turned = rotate(pictures, DEGREES, axes=(1, 2), reshape=False, order=1)
    return Split(turned.reshape(len(pictures), -1).astype(np.float32), split.y)


def alarms(reference: Reference, split: Split, seed: int) -> float:
    """The fraction of batches, drawn with replacement, that are told from the reference."""
    rng = np.random.default_rng(seed)
    drawn = (split.x[rng.integers(0, len(split), BATCH)] for _ in range(BATCHES))
    return float(np.mean([reference.check(x).alarm for x in drawn]))


def measure(data: Data, seed: int) -> dict[str, Any]:
    """The rates of alarms, accuracies and bytes of one seed."""
    assert data.test is not None
    learning, seen = replace(LEARNING, seed=seed), data.without_test()
    original = learning(MLP.init([784, 300, 100, 10], seed=seed), seen)
    small = Quantize()(Prune(0.95, schedule=cubic, during=learning)(original, seen), seen)
    moved, moved_test = Data(rotated(data.train), rotated(data.validation)), rotated(data.test)
    again = Update(FineTune(10, optimizer=Adam(1e-3), schedule=Cosine(), seed=seed))(small, moved)
    reference = Reference.of(small, original, data.validation.x)
    before, turned, after = accuracy(small, data.test), accuracy(small, moved_test), accuracy(again, moved_test)
    return {
        "seed": seed,
        "false alarms": alarms(reference, data.test, seed),
        "detected": alarms(reference, moved_test, seed),
        "accuracy": before,
        "rotated": turned,
        "updated": after,
        "recovered": (after - turned) / (before - turned),
        "bytes": [len(to_bytes(small)), len(to_bytes(again))],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/drift.json", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data("mnist", options.data)
    results = []
    for seed in options.seeds:
        results.append(measure(data, seed))
        print(json.dumps(results[-1]), flush=True)
    Path(options.out).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
