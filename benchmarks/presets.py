"""What the recipes that come with the library reach: `python -m benchmarks.presets`.

Every preset on MNIST, three seeds: the test error of the network it trains and of the one it ends with, and the bytes
of its file, integers coded or not. Each run is a line of the result file, and what is there is not done again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.sweep import sweep
from nncomp.data import Data, load_data
from nncomp.files import to_bytes
from nncomp.fingerprint import fingerprint
from nncomp.measure import accuracy
from nncomp.steps import Recipe
from nncomp.steps.recipe import presets

ON_MNIST = [name for name in presets() if Recipe.load(name).data == "mnist"]


def measure(data: Data, preset: str, seed: int, **_: Any) -> dict[str, Any]:
    """Errors in % and bytes."""
    recipe = Recipe.load(preset, seed)
    assert recipe.train is not None and recipe.network is not None and data.test is not None
    trained = recipe.train(recipe.network, data.without_test())
    network = recipe(data.without_test(), trained)
    return {
        "trained": 100 * (1 - accuracy(trained, data.test)),
        "error": 100 * (1 - accuracy(network, data.test)),
        "dense bytes": len(to_bytes(trained)),
        "bytes": len(to_bytes(network)),
        "coded": len(to_bytes(network, coded=True)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.presets", description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", choices=ON_MNIST, default=ON_MNIST)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/presets.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data("mnist", options.data)
    asked = [
        {"preset": name, "seed": seed, "recipe": fingerprint(Recipe.load(name).text)[:8]}
        for name in options.presets
        for seed in options.seeds
    ]
    results = []
    for result in sweep(options.out, asked, lambda **setting: measure(data, **setting)):
        results.append(result)
        print(
            "{preset} seed {seed}: {error:.2f} %, {bytes:,} bytes; {trained:.2f} % before".format(**result), flush=True
        )
    page = table(results)
    print(page)
    Path(options.out).with_suffix(".md").write_text(page)


def table(results: Sequence[dict[str, Any]]) -> str:
    """In Markdown, a row a preset."""
    lines = [
        "# What the presets reach on MNIST", "",
        "`nncomp compress PRESET`: test error in %, means, the worst in brackets; kB of the file, lineage aside.", "",
        "| preset | trained | in the end | file kB | coded kB | seeds |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for preset in dict.fromkeys(r["preset"] for r in results):
        runs = [r for r in results if r["preset"] == preset]
        errors = [r["error"] for r in runs]
        plain, coded = (mean(r[name] for r in runs) / 1e3 for name in ("bytes", "coded"))
        told = f"{mean(errors):.2f} ({max(errors):.2f})"
        lines.append(
            f"| {preset} | {mean(r['trained'] for r in runs):.2f} | {told} | {plain:.1f} | {coded:.1f} | {len(runs)} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
