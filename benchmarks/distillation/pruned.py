"""Distilled, pruned and in 8 bits: `python -m benchmarks.distillation pruned`.

A 784-300-100-10 learns MNIST from Hinton's teacher (that of the first seed), 95 % of its weights pruned meanwhile, and
is quantized to 8 bits, weights and inputs. The same without a teacher stands beside it. All 60,000 samples are learned,
jittered by up to a pixel for student and teacher; errors are those on the test split, settings were chosen on the
validation split. Each training is a line of the result file, and what is there is not done again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.distillation.hinton import MARK, large
from benchmarks.pruning.at_start import joined
from benchmarks.sweep import sweep
from nncomp.augment import Jitter
from nncomp.data import Data, load_data
from nncomp.learning_rate import OneCycle
from nncomp.measure import accuracy, network_cost
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import cubic, keep_globally
from nncomp.steps import Distill, FineTune, Prune, Quantize, compress

SIZES, SPARSITY, EPOCHS, T, ALPHA = [784, 300, 100, 10], 0.95, 80, 4.0, 0.9
LEARNING = FineTune(EPOCHS, optimizer=Adam(2e-3), schedule=OneCycle(), augment=Jitter(1))


def measure(data: Data, teacher: MLP | None, seed: int, epochs: int) -> dict[str, Any]:
    """The error in %, and the bytes of the network."""
    assert data.test is not None
    learning = replace(LEARNING, epochs=epochs, seed=seed)
    during = learning if teacher is None else Distill(teacher=teacher, T=T, alpha=ALPHA, during=learning)
    steps = (Prune(SPARSITY, keep=keep_globally, schedule=cubic, during=during), Quantize())
    network = compress(MLP.init(SIZES, seed=seed), steps, data.without_test())
    return {"error": 100 * (1 - accuracy(network, data.test)), "stored": network_cost(network).stored}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the mean."""
    name = "python -m benchmarks.distillation pruned"
    parser = argparse.ArgumentParser(prog=name, description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--teachers", default="build/teachers", type=Path, help="folder of the teachers")
    parser.add_argument("--out", default="benchmarks/results/distillation-pruned.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data("mnist", options.data)
    data = replace(data, train=joined(data.train, data.validation))
    teacher = large(data.without_test(), options.teachers, 0)
    rows = [
        {"row": row, "seed": seed, "epochs": options.epochs, **dials}
        for row, dials in (("distilled", {"teacher": MARK, "T": T, "alpha": ALPHA}), ("alone", {}))
        for seed in options.seeds
    ]

    def run(row: str, seed: int, epochs: int, **_: Any) -> dict[str, Any]:
        return measure(data, teacher if row == "distilled" else None, seed, epochs)

    results = []
    for result in sweep(options.out, rows, run):
        results.append(result)
        print({key: value for key, value in result.items() if key != "key"}, flush=True)
    for row in ("distilled", "alone"):
        errors = [r["error"] for r in results if r["row"] == row]
        print(f"{row}: {mean(errors):.2f} % ({min(errors):.2f} to {max(errors):.2f}), {len(errors)} seeds")
