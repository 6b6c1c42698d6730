"""One chart of all methods that prune while training: `python -m benchmarks.pruning chart`.

Error on the test split against how many times fewer weights are left, a panel for each data set: the mean over seeds,
and from the best to the worst. The results are those that `training --longer 0.25` left in its file. Rates were chosen
on MNIST; on Fashion-MNIST they are too high for some: gradually or in turn, one training of three dies, and is shown.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.figure import Figure

from benchmarks.pruning.training import METHODS, WEIGHTS

MARKERS = "osv^<>DPX*"
LENGTH = 0.25
"""Of the usual: what a chart of all methods can take."""


def draw(results: Sequence[dict[str, Any]], file: str | Path) -> None:
    names = list(dict.fromkeys(r["on"] for r in results))
    figure = Figure(figsize=(6.5 * len(names) + 2, 6), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for panel, name in zip(panels, names):
        for k, method in enumerate(METHODS):
            points = _points(r for r in results if (r["on"], r["method"], r["longer"]) == (name, method, LENGTH))
            if points:
                x, y, below, above = zip(*points)
                style = f"{MARKERS[k % len(MARKERS)]}-"
                panel.errorbar(x, y, (below, above), fmt=style, color=f"C{k % 10}", alpha=0.5 + 0.5 * (k < 10),
                               markersize=5, linewidth=1, capsize=2, label=method)  # fmt: skip
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks([2, 5, 10, 20, 50, 100, 200], ["2", "5", "10", "20", "50", "100", "200"])
        low, high = panel.get_ylim()
        ticks = [t for t in (1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50) if low <= t <= high]
        panel.set_yticks(ticks, [f"{t:g}" for t in ticks])
        panel.minorticks_off()
        panel.grid(alpha=0.3)
        panel.set_xlabel("times fewer weights")
        panel.set_title(name)
    panels[0].set_ylabel("test error, %: mean, best and worst of the seeds")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    figure.savefig(file, dpi=110)


def _points(results: Iterable[dict[str, Any]]) -> list[tuple[float, float, float, float]]:
    """For each dial: times fewer weights, mean error, and how far down and up the seeds are from it."""
    dials: dict[float, list[dict[str, Any]]] = {}
    for result in results:
        dials.setdefault(result["dial"], []).append(result)
    found = []
    for runs in dials.values():
        errors = [r["error"] for r in runs]
        middle = mean(errors)
        found.append((WEIGHTS / mean(r["kept"] for r in runs), middle, middle - min(errors), max(errors) - middle))
    return sorted(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning chart", description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="benchmarks/results/pruning-training.jsonl", help="file of the results")
    parser.add_argument("--out", default="benchmarks/results/pruning-training.png", help="file of the picture")
    options = parser.parse_args(arguments)
    draw([json.loads(line) for line in Path(options.results).read_text().splitlines()], options.out)
