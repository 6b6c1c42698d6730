"""Can a file crash the reader, hang it, or make it allocate much more than it holds?

    python -m benchmarks.fuzz --files 1000000 --log benchmarks/results/fuzz.jsonl

Each block mutates 10,000 small networks of every form; each mutant is either refused by one FileError of one line or
is a network that writes and reads again, within a second and a memory of four times its size plus one MiB.
"""

import argparse
import random
import signal
import time
import tracemalloc
from typing import Any

from benchmarks.sweep import sweep
from nncomp.files import FileError, from_bytes, to_bytes
from tests.strategies.hostile import good_networks, mutated

BLOCK = 10_000


def block(seed: int, files: int) -> dict[str, Any]:
    """What `files` mutants drawn by `seed` did; anything but a network or a FileError ends the program."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # a hang becomes a KeyboardInterrupt, with its place
    rng, good = random.Random(seed), [to_bytes(network) for network in good_networks()]
    refused, excess, slowest = 0, 0, 0.0
    tracemalloc.start()
    for _ in range(files):
        content = mutated(rng.choice(good), rng)
        tracemalloc.reset_peak()
        before, start = tracemalloc.get_traced_memory()[0], time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        try:
            network = from_bytes(content)
        except FileError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 500, str(error)
            network = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        slowest = max(slowest, time.perf_counter() - start)
        excess = max(excess, tracemalloc.get_traced_memory()[1] - before - 4 * len(content))
        assert excess < 2**20, (excess, content)
        assert network is None or from_bytes(to_bytes(network)).fingerprint() == network.fingerprint()
    tracemalloc.stop()
    return {"refused": refused, "slowest_s": round(slowest, 4), "excess_bytes": excess}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=BLOCK, help=f"how many, in blocks of {BLOCK:,}")
    parser.add_argument("--log", default="fuzz.jsonl", help="one line per block; those that are there are not repeated")
    args = parser.parse_args()
    blocks = [{"seed": seed, "files": BLOCK} for seed in range(-(-args.files // BLOCK))]
    results = list(sweep(args.log, blocks, block))
    files, refused = (sum(r[key] for r in results) for key in ("files", "refused"))
    slowest, excess = (max(r[key] for r in results) for key in ("slowest_s", "excess_bytes"))
    print(f"{files:,} files: {refused:,} refused, {files - refused:,} networks; no crash, no hang;")
    print(f"slowest {slowest} s, peak of all allocations at most 4 times the file and {excess / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
