"""Beside what papers printed for 784-300-100-10 on MNIST: `python -m benchmarks.pruning published`.

Each row is one setting of one method, fixed beforehand, and all of its seeds in the file that `training` leaves.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.pruning.training import WEIGHTS


class Row(NamedTuple):
    """A published figure, and the setting that stands beside it."""

    result: str
    figure: str
    source: str
    method: str
    dial: float


ROWS = [
    Row("weights and connections", "12x at 1.59", "Han et al. 2015", "gradual", 28.0),
    Row("dynamic network surgery", "56x at 1.99", "Guo et al. 2016", "gradual", 66.0),
    Row("sparse variational dropout", "68x at 1.92", "Molchanov et al. 2017", "variational dropout", 4.5),
    Row("gradual pruning, its weights moving", "-", "after Liu et al. 2021", "gradual, moving", 66.0),
    Row("the same, smaller", "-", "", "gradual, moving", 100.0),
    Row("RigL", "-", "Evci et al. 2020", "RigL", 66.0),
    Row("RigL, FLOPs without what is dead", "12.6 K at 1.48", "Evci et al. 2020", "gradual, moving", 43.0),
    Row("the same, smaller", "6.2 K at 1.69", "Evci et al. 2020", "gradual, moving", 86.0),
    Row("lottery tickets", "-", "Frankle & Carbin 2019", "ticket", 28.0),
]
LONGER = 2


def page(results: Sequence[dict[str, Any]]) -> str:
    """The table in Markdown; rows without results are left out."""
    lines = [
        "# Pruned while training, 784-300-100-10", "",
        "Test error in %, means over seeds (the worst); no augmentation, no distillation; `ways.py` says how each",
        "trains. FLOPs: two for each kept weight, without those of dead inputs and neurons.", "",
        "| result | published | source | ours by | fewer weights | FLOPs | MNIST | Fashion-MNIST | seeds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in ROWS:
        runs = [r for r in results if (r["method"], r["dial"], r["longer"]) == (row.method, row.dial, LONGER)]
        errors = {on: [r["error"] for r in runs if r["on"] == on] for on in ("mnist", "fashion-mnist")}
        if not errors["mnist"]:
            continue
        times = WEIGHTS / mean(r["kept"] for r in runs if r["on"] == "mnist")
        flops = 2e-3 * mean(r["alive"] for r in runs if r["on"] == "mnist")
        told = [f"{mean(e):.2f} ({max(e):.2f})" if e else "" for e in errors.values()]
        first = [r["first"] for r in runs if r["on"] == "mnist" and "first" in r]
        dense = f", dense {mean(first):.2f}" if row.method == "ticket" and first else ""
        lines.append(
            f"| {row.result} | {row.figure} | {row.source} | {row.method} | {times:.1f}x | {flops:.1f} K | "
            f"{told[0]}{dense} | {told[1]} | {', '.join(str(len(e)) for e in errors.values() if e)} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning published", description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="benchmarks/results/pruning-training.jsonl", help="file of the results")
    parser.add_argument("--out", default="benchmarks/results/pruning-training.md", help="file of the table")
    options = parser.parse_args(arguments)
    table = page([json.loads(line) for line in Path(options.results).read_text().splitlines()])
    print(table)
    Path(options.out).write_text(table)
