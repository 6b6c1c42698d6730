"""Which distillation loss helps a small network: `python -m benchmarks.distillation ranking`.

A teacher, 784-512-32-10 with dropout, and a student, 784-32-32-10, on MNIST and Fashion-MNIST; the last hidden layers
are as wide, as some losses ask. Each loss stands beside the labels: those of outputs share alpha with them, those of
layers are added with a weight. Eight or nine settings of each, the student alone included (by its weight decay), are
tried with one seed and judged by the validation split; the best is trained on five other seeds, and errors are those on
the test split: what the student gains over labels alone, seed by seed, its mean and the 95 % interval (Student's t).
`costs` times a training step of each, beside one of labels alone. Each training is a line of the result file, and what
is there is not done again.
"""

import argparse
import json
import time
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from benchmarks.distillation.losses import ROWS, trained
from benchmarks.sweep import sweep
from benchmarks.timing import machine
from nncomp.data import Data, load_data
from nncomp.hooks import Hook
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune

TEACHER, STUDENT = [784, 512, 32, 10], [784, 32, 32, 10]
TEACHING = FineTune(40, optimizer=Adam(1e-3), schedule=Cosine(), dropout=(0.1, 0.3, 0.0))
EPOCHS, TUNING, SEEDS = 40, 100, (0, 1, 2, 3, 4)
ON = ("mnist", "fashion-mnist")


def measure(data: Data, teacher: MLP, loss: str, seed: int, epochs: int, **dials: float) -> dict[str, Any]:
    """A student's error in %: of the validation split where dials are chosen, else of the test split."""
    network = trained(loss, teacher, data.without_test(), seed, epochs, dials, STUDENT)
    assert data.test is not None
    return {"error": 100 * (1 - accuracy(network, data.validation if seed == TUNING else data.test))}


def best(results: Sequence[dict[str, Any]], on: str, loss: str) -> dict[str, float]:
    """The dials with the least error on the validation split; the first of equals."""
    tried = [r for r in results if (r["on"], r["loss"], r["seed"]) == (on, loss, TUNING)]
    least = min(tried, key=lambda r: r["error"])
    return {name: least[name] for name in ROWS[loss].grid[0]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, write the table."""
    name = "python -m benchmarks.distillation ranking"
    parser = argparse.ArgumentParser(prog=name, description=__doc__.splitlines()[0])
    parser.add_argument("--on", nargs="+", choices=ON, default=list(ON), help="data sets")
    parser.add_argument("--losses", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="LOSS")
    parser.add_argument("--costs", action="store_true", help="time a step of each instead")
    parser.add_argument("--data", help="folder of the IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/distillation-ranking.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    options.losses = list(dict.fromkeys(["labels alone", *options.losses]))  # what the others are compared with
    splits = {on: load_data(on, options.data) for on in options.on}
    teachers = cache(lambda on: TEACHING(MLP.init(TEACHER, seed=0), splits[on].without_test()))
    out = Path(options.out)
    if options.costs:
        return costs(splits[options.on[0]], options.losses, out.with_name(f"{out.stem}-costs.json"))

    def run(on: str, **setting: Any) -> dict[str, Any]:
        return measure(splits[on], teachers(on), **setting)

    results = []
    tried = [
        {"on": on, "loss": loss, "seed": TUNING, "epochs": EPOCHS, **dials}
        for on in options.on for loss in options.losses for dials in ROWS[loss].grid
    ]  # fmt: skip
    for result in sweep(out, tried, run):
        results.append(result)
        print({key: value for key, value in result.items() if key != "key"}, flush=True)
    chosen = [
        {"on": on, "loss": loss, "seed": seed, "epochs": EPOCHS, **best(results, on, loss)}
        for on in options.on for loss in options.losses for seed in SEEDS
    ]  # fmt: skip
    for result in sweep(out, chosen, run):
        results.append(result)
        print({key: value for key, value in result.items() if key != "key"}, flush=True)
    costs_file = out.with_name(f"{out.stem}-costs.json")
    page = table(results, json.loads(costs_file.read_text())["steps"] if costs_file.exists() else {})
    print(page)
    out.with_suffix(".md").write_text(page)


class Clock(Hook):
    """The seconds between the updates of a training."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def after_update(self, t: int, network: MLP) -> None:
        self.at.append(time.perf_counter())

    def step(self) -> float:
        return median(b - a for a, b in pairwise(self.at))


def costs(data: Data, losses: Sequence[str], file: Path, rounds: int = 9) -> None:
    """A training step of each, of a batch of 100: the median of 50, in turns, as a multiple of labels alone's."""
    few = Data(data.train.first(5000), data.validation)
    teacher = MLP.init(TEACHER)
    seconds: dict[str, list[float]] = {loss: [] for loss in losses}
    for _ in range(rounds):
        for loss, steps in seconds.items():
            clock = Clock()
            trained(loss, teacher, few, 0, 1, ROWS[loss].grid[-1], STUDENT, (clock,))
            steps.append(clock.step())
    ratios = {loss: median(a / b for a, b in zip(steps, seconds["labels alone"])) for loss, steps in seconds.items()}
    file.write_text(json.dumps({"machine": machine(), "steps": ratios}, indent=1) + "\n")
    print(*(f"{loss:24} {ratio:.2f}" for loss, ratio in ratios.items()), sep="\n")


def table(results: Sequence[dict[str, Any]], cost: dict[str, float]) -> str:
    """In Markdown, a row a loss, those that gain most first."""
    names = [on for on in ON if any(r["on"] == on for r in results)]
    error = {(r["on"], r["loss"], r["seed"]): r["error"] for r in results if r["seed"] != TUNING}
    gains = {
        (on, loss): np.array([error[on, "labels alone", s] - error[on, loss, s] for s in SEEDS])
        for on in names for loss in ROWS if (on, loss, SEEDS[-1]) in error
    }  # fmt: skip
    lines = [
        "# What each distillation loss gains a 784-32-32-10", "",
        "Points of test error less than by labels alone, mean of five seeds and 95 % interval; settings chosen on the",
        "validation split. `step`: times as long as one by labels alone.", "",
        f"| loss | {' | '.join(f'{on}, error | gain | settings' for on in names)} | step |",
        "|---" * (2 + 3 * len(names)) + "|",
    ]  # fmt: skip
    ranked = sorted(dict.fromkeys(loss for _, loss in gains), key=lambda l: -sum(gains[on, l].mean() for on in names))
    for loss in ranked:
        cells = []
        for on in names:
            gain = gains[on, loss]
            half = student_t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            mean = np.mean([error[on, loss, s] for s in SEEDS])
            dials = ", ".join(f"{name} {value:g}" for name, value in best(results, on, loss).items())
            cells.append(f"{mean:.2f} | {gain.mean():+.2f} ± {half:.2f} | {dials}")
        lines.append(f"| {loss} | {' | '.join(cells)} | {f'{cost[loss]:.2f}' if loss in cost else ''} |")
    return "\n".join(lines) + "\n"
