"""Pruned, shared, coded, in one file: `python -m benchmarks.deep_compression`.

A 784-300-100-10 on MNIST by the three stages of deep compression (Han, Mao & Dally 2016): pruned while it trains, its
kept weights moving on in the sparse network; few values for each layer's weights, which train on; codes and gaps in
what their entropy takes. Bytes are those of the file, whose network, read again, is what errors are measured of. All
60,000 samples are learned, and errors are those on the test split, means over seeds, and the worst; how many values
was chosen with `--validate`, the least error: of 8, 16 and 32 for a 28th of the weights, by three seeds, and of 4, 8
and 16 for a 66th, by one. Each network is a line of the result file, and what is there is not done again; `--ways` and
`--seeds` choose some, so that several processes can share the work, each with a file of its own.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.pruning.at_start import joined
from benchmarks.pruning.training import number
from benchmarks.pruning.ways import Setting, gradual_moving
from benchmarks.sweep import sweep
from benchmarks.training import SIZES
from nncomp.data import Data, load_data
from nncomp.files import entropy_bytes, from_bytes, to_bytes
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import Share, compress


class Way(NamedTuple):
    """How many times fewer weights, values for each layer's; and whose figure it is held against, in bytes and %."""

    times: float
    values: int
    who: str
    bytes: int
    error: float


WAYS = {
    "28x, 16 values": Way(28, 16, "Han et al. 2016", 27_000, 1.58),
    "66x, 16 values": Way(66, 16, "Oktay et al. 2020", 8_560, 1.9),
}


def measure(data: Data, way: str, seed: int, longer: float, validate: bool) -> dict[str, Any]:
    """Errors of one network: pruned, and as it is in its file; the file's bytes, not coded, coded, and their bound."""
    held = data.validation if validate else data.test
    assert held is not None
    if not validate:
        data = replace(data, train=joined(data.train, data.validation))
    setting = Setting(MLP.init(SIZES, seed=seed), data.without_test(), seed, longer)
    pruned = compress(setting.start, gradual_moving(1 - 1 / WAYS[way].times, setting), setting.data)
    share = Share(WAYS[way].values, during=replace(setting.training(20, Adam(1e-3)), dropout=()))
    network = share(pruned, setting.data)
    content = to_bytes(network, coded=True)
    errors = {"pruned": accuracy(pruned, held), "error": accuracy(from_bytes(content), held)}
    return {name: 100 * (1 - right) for name, right in errors.items()} | {
        "plain": len(to_bytes(network)),
        "bytes": len(content),
        "bound": entropy_bytes(network),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.deep_compression", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--longer", type=number, default=1, help="train so many times as long; or 0.25")
    parser.add_argument("--validate", action="store_true", help="errors on the validation split, which is not learned")
    parser.add_argument("--data", help="folder of the IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/deep-compression.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data("mnist", options.data)
    configurations = [
        {"way": way, "seed": seed, "longer": options.longer, "validate": options.validate}
        for way in options.ways
        for seed in options.seeds
    ]
    results = []
    for result in sweep(options.out, configurations, lambda **setting: measure(data, **setting)):
        results.append(result)
        print("{way} seed {seed}: {error:.2f} %, {bytes:,} bytes".format(**result), flush=True)
    print(*table(results), sep="\n")


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """For each way: mean bytes and error and the worst of both, beside the figure it is held against."""
    lines = [f"{'':16} {'bytes (most), bound, not coded':36} {'error % (worst), pruned, seeds':32} published"]
    for name in dict.fromkeys(r["way"] for r in results):
        runs, way = [r for r in results if r["way"] == name], WAYS[name]
        sizes, errors = [r["bytes"] for r in runs], [r["error"] for r in runs]
        bytes_ = f"{mean(sizes):,.0f} ({max(sizes):,}), " + ", ".join(
            f"{mean(r[k] for r in runs):,.0f}" for k in ("bound", "plain")
        )
        told = f"{mean(errors):.2f} ({max(errors):.2f}), {mean(r['pruned'] for r in runs):.2f}, {len(runs)}"
        lines.append(f"{name:16} {bytes_:36} {told:32} {way.bytes:,} bytes at {way.error} %, {way.who}")
    return lines


if __name__ == "__main__":
    main()
