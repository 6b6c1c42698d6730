"""What a rank costs a network that is not trained again: `python -m benchmarks.factor table`.

A 784-300-100-10 that has learned MNIST, its layers factored by `svd` and by `activation_svd`: all to one rank, and to
the ranks that allocation gives them for as many numbers in all. Errors are those on the test split. Each network is a
line of the result file, and what is there is not done again; it is trained anew only where something is missing.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.sweep import sweep
from benchmarks.training import SIZES
from nncomp.data import load_data
from nncomp.factor import activation_svd, rank_by_budget, svd
from nncomp.learning_rate import Cosine
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import Factor, FineTune
from nncomp.weights import LowRank

LEARNING = FineTune(20, optimizer=Adam(1e-3), schedule=Cosine(), dropout=(0.1, 0.0, 0.0))
BY: dict[str, Callable[..., Any]] = {"svd": svd, "activation_svd": activation_svd}
RANKS = (4, 8, 12, 16, 24, 32, 48, 64)
SHAPES = list(zip(SIZES[1:], SIZES))
WHOLE = sum(out * inputs for out, inputs in SHAPES)
DENSE: dict[str, Any] = {"by": "none", "rank": 0, "allocated": False}


def numbers(rank: int) -> int:
    """How many numbers all weights are when every pair that is smaller than its matrix has this rank."""
    smaller = [rank <= rank_by_budget(shape, shape[0] * shape[1] - 1) for shape in SHAPES]
    return sum(rank * sum(shape) if pair else shape[0] * shape[1] for shape, pair in zip(SHAPES, smaller))


def step(by: str, rank: int, allocated: bool) -> Factor:
    """To one rank, or to ranks that take as much in all."""
    return Factor(budget=numbers(rank) / WHOLE, by=BY[by]) if allocated else Factor(rank=rank, by=BY[by])


def main(arguments: Sequence[str] | None = None) -> None:
    """Factor what is missing, write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.factor table", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/factor.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data("mnist", options.data)
    trained = cache(lambda seed: replace(LEARNING, seed=seed)(MLP.init(SIZES, seed=seed), data.without_test()))

    def measure(seed: int, **setting: Any) -> dict[str, Any]:
        network = trained(seed)
        if setting["by"] != "none":
            network = step(**setting)(network, data.without_test())
        assert data.test is not None
        weights = [layer.weight for layer in network.layers]
        return {
            "error": 100 * (1 - accuracy(network, data.test)),
            "numbers": sum(weight.multiply_adds for weight in weights),
            "ranks": [weight.rank if isinstance(weight, LowRank) else min(weight.shape) for weight in weights],
        }

    settings = [{"by": by, "rank": k, "allocated": a} for k in RANKS for by in BY for a in (False, True)]
    tried = [{"seed": options.seed, **setting} for setting in (DENSE, *settings)]
    results = []
    for result in sweep(options.out, tried, measure):
        results.append(result)
        print({key: value for key, value in result.items() if key != "key"}, flush=True)
    page = table(results)
    print(page)
    Path(options.out).with_suffix(".md").write_text(page)


def table(results: Sequence[dict[str, Any]]) -> str:
    """In Markdown, a row a rank."""
    found = {(r["rank"], r["by"], r["allocated"]): r for r in results}
    lines = [
        "# What a rank costs a 784-300-100-10 on MNIST", "",
        f"Test error in %, one seed, no training after it; {found[0, 'none', False]['error']:.2f} with whole matrices.",
        "Weights: the numbers that all layers hold, as a fraction. One rank: of every layer where the pair is smaller",
        "than the matrix. Allocated: the ranks that leave out least of the sum of the squares of all singular values,",
        "exactly, within as many numbers; a layer at its full rank is a matrix. That sum does not know what a layer is",
        "for: its optimum is not that of the error.", "",
        "| rank | weights | svd | activation_svd | svd, allocated | ranks | activation_svd, allocated | ranks |",
        "|---" * 8 + "|",
    ]  # fmt: skip
    for rank in RANKS:
        cells = [f"{found[rank, by, False]['error']:.2f}" for by in BY]
        for by in BY:
            result = found[rank, by, True]
            cells += [f"{result['error']:.2f}", "-".join(map(str, result["ranks"]))]
        lines.append(f"| {rank} | {numbers(rank) / WHOLE:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
