"""How much smaller a network can be for a tenth of a point: `python -m benchmarks.search mnist`.

A 784-300-100-10 learns MNIST by the preset `lenet-300-100`; then `Search` looks for the smallest network within 0.1
points on the validation split, once for each seed. The test split is measured once, when a search has ended, of the
network given and the one chosen. Every trial is kept as it is done and each seed is a line of the result file, so that
what is there is not done again.
"""

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.sweep import sweep
from nncomp.data import Data, load_data
from nncomp.files import load, save
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.search import PruneAndShare, Search, Workers, workers
from nncomp.search.trial import content_of
from nncomp.steps.recipe import Recipe


def trained(data: Data, seed: int, file: Path) -> MLP:
    """The dense network of a seed, trained where there is no file of it yet."""
    if not file.exists():
        recipe = Recipe.load("lenet-300-100", seed)
        assert recipe.network is not None and recipe.train is not None
        file.parent.mkdir(parents=True, exist_ok=True)
        save(file, recipe.train(MLP.init(recipe.network.sizes, seed=seed), data.without_test()))
    return load(file)


def added(file: Path, seconds: float) -> float:
    """The seconds of all runs of a search so far: it may have been stopped, or gone on with for more trials."""
    total = seconds + (json.loads(file.read_text()) if file.exists() else 0.0)
    file.write_text(json.dumps(total))
    return total


def measure(
    folder: str | None, at_work: Workers, out: Path, seed: int, trials: int, max_drop: float, alpha: float
) -> dict[str, Any]:
    """The search of one seed, and what the test split has to say of its end."""
    source, place = partial(load_data, "mnist", folder), out / f"alpha-{alpha:g}" / f"seed-{seed}"
    data = source()
    assert data.test is not None
    network, began = trained(data, seed, place / "given.safetensors"), time.perf_counter()
    search = Search(max_drop / 100, trials, seed=seed, space=PruneAndShare(alpha=alpha))
    found = search(network, source, place, at_work, lambda done, of: print(f"seed {seed}: {done} of {of}", flush=True))
    seconds = added(place / "seconds.json", time.perf_counter() - began)
    found.plot(place / "front.png")
    before, after = (100 * (1 - accuracy(n, data.test)) for n in (network, found.network))
    sizes = [len(content_of(n)) for n in (network, found.network)]
    told = {"drop": 100 * found.chosen.drop, "test": after, "test_drop": after - before, "seconds": seconds}
    return told | {"size": sizes[1], "ratio": sizes[0] / sizes[1], **found.chosen.parameters}


def main(arguments: Sequence[str] | None = None) -> None:
    """Search for what is missing, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search mnist", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--trials", type=int, default=Search.trials)
    parser.add_argument("--max-drop", type=float, default=0.1, help="percentage points of the validation split")
    parser.add_argument("--alpha", type=float, default=PruneAndShare.alpha, help="0: trials learn from labels alone")
    parser.add_argument("--workers", type=int, default=2, help="processes to work in, one thread each")
    parser.add_argument("--data", help="folder of MNIST's files; NNCOMP_DATA if not given")
    parser.add_argument("--folder", type=Path, default=Path("build/search"), help="folder of the searches")
    parser.add_argument("--out", default="benchmarks/results/search-mnist.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    dials = {"trials": options.trials, "max_drop": options.max_drop, "alpha": options.alpha}
    rows = [{"seed": seed, **dials} for seed in options.seeds]
    with workers(options.workers) as at_work:
        results = list(sweep(options.out, rows, partial(measure, options.data, at_work, options.folder)))
    print("\nseed   kB  times smaller  drop on validation, test  test error %  seconds")
    for r in results:
        print(
            f"{r['seed']:4} {r['size'] / 1e3:5.1f} {r['ratio']:8.1f} {r['drop']:20.2f} {r['test_drop']:6.2f} "
            f"{r['test']:10.2f} {r['seconds']:10.0f}"
        )
    ratios, drops = [r["ratio"] for r in results], [r["test_drop"] for r in results]
    print(f"\n{min(ratios):.1f} times smaller at least, {mean(drops):+.3f} points lost on the test split on average")
