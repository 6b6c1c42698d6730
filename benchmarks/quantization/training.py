"""Few bits when a network is trained for them: `python -m benchmarks.quantization training`.

MNIST or Fashion-MNIST, pixels of 8 bits, batch norm; no distillation, and no augmentation but for the widest, whose
pictures are moved by up to a pixel as they are learned (1.14 % of the validation split wrong after 40 epochs, 1.86
without). A network in floats learns first, then through its quantization (`WAYS`). All 60,000 samples are learned and
errors are those on the test split, means over seeds, and the worst; settings were chosen on the validation split. Each
training is a line of the result file, and what is there is not done again; `--ways` and `--seeds` choose some, so that
several processes can share the work, each with a file of its own.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.pruning.at_start import joined
from benchmarks.sweep import sweep
from nncomp.augment import Jitter
from nncomp.data import Data, load_data
from nncomp.formats import PerRow, Uniform
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune, Quantize
from nncomp.steps.quantize import Through
from nncomp.transforms import LSQ, TWN, XNOR, learned_step


class Way(NamedTuple):
    """Hidden layers, what weights train through, the bits of what enters hidden layers, a published error; how."""

    hidden: tuple[int, ...]
    through: Through
    inputs: int | None = None
    published: float | None = None
    epochs: int = 50
    batch: int = 100
    jitter: int = 0


LENET, NARROW, WIDE = (300, 100), (256, 256, 256), (1024, 1024, 1024)
TWO = LSQ(Uniform(2), PerRow())
WAYS = {
    "784-300-100-10, ternary": Way(LENET, TWN()),
    "784-300-100-10, W2": Way(LENET, TWO),
    "3 x 256, W2A2": Way(NARROW, TWO, 2, 1.34),
    "3 x 256, W1A2": Way(NARROW, XNOR(), 2, 1.69),
    "3 x 256, W1A1": Way(NARROW, XNOR(), 1, 2.19, epochs=80),
    "3 x 1024, W1A1": Way(WIDE, XNOR(), 1, 1.12, epochs=80, batch=200, jitter=1),
}


def measure(data: Data, way: str, seed: int, epochs: int) -> dict[str, Any]:
    """The test errors of one network: in floats after a fifth of the epochs, and of few bits after the rest."""
    assert data.test is not None
    hidden, through, inputs, _, _, batch, jitter = WAYS[way]
    inside = 0.1 if inputs == 2 or jitter else 0.0  # signs learn less by heart
    dropout = (0.2 if inputs == 2 else 0.1, *[inside] * len(hidden))
    first = epochs // 5
    augment = Jitter(jitter) if jitter else None
    learning = FineTune(first, batch, Adam(2e-3), Cosine(), dropout, augment, seed=seed)
    network = learning(MLP.init([784, *hidden, 10], norm=True, seed=seed), data.without_test())
    errors = {"float": 100 * (1 - accuracy(network, data.test))}
    step = Quantize(through=through, inputs=None, during=replace(learning, epochs=epochs - first))
    if inputs:
        step = replace(step, inputs=codes(inputs), first_inputs=codes(8), train_inputs=learned_step)
    return errors | {"error": 100 * (1 - accuracy(step(network, data.without_test()), data.test))}


def codes(bits: int) -> Uniform:
    return Uniform(bits, signed=False, symmetric=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table."""
    name = "python -m benchmarks.quantization training"
    parser = argparse.ArgumentParser(prog=name, description=__doc__.splitlines()[0])
    parser.add_argument("--on", nargs="+", choices=("mnist", "fashion-mnist"), default=["mnist", "fashion-mnist"])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", help="folder of the IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/quantization-training.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    splits = {on: load_data(on, options.data) for on in options.on}
    splits = {on: replace(data, train=joined(data.train, data.validation)) for on, data in splits.items()}
    configurations = [
        {"on": on, "way": way, "seed": seed, "epochs": WAYS[way].epochs}
        for on in options.on
        for way in options.ways
        for seed in options.seeds
    ]
    results = []
    for result in sweep(options.out, configurations, lambda on, **setting: measure(splits[on], **setting)):
        results.append(result)
        print("{on} {way} seed {seed}: {error:.2f} %, {float:.2f} % in floats before".format(**result), flush=True)
    print(*table(results), sep="\n")


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """For each way: the mean error and the worst, beside the published one and that in floats."""
    lines = [f"{'':24} {'published':>9}  {'mean (worst), seeds; in floats before'}"]
    for on, way in dict.fromkeys((r["on"], r["way"]) for r in results):
        runs = [r for r in results if (r["on"], r["way"]) == (on, way)]
        errors, figure = [r["error"] for r in runs], WAYS[way].published if on == "mnist" else None
        told = f"{mean(errors):.2f} ({max(errors):.2f}), {len(runs)}; {mean(r['float'] for r in runs):.2f}"
        lines.append(f"{way:24} {figure or '':>9}  {told:32} {on}")
    return lines
