"""Is anything lost when a process is killed? SIGKILL at random moments of writing files, training and compressing.

    python -m benchmarks.kills --kills 1000 --log benchmarks/results/kills.jsonl

Each run starts a process, kills it after a random time, looks at what it left,
and starts it again, until it ends by itself. Then its result must be, byte for byte, that of a process nobody killed.
After each kill, whatever the process said was done must still be there: the file it wrote last, or a newer one, whole;
the epoch it kept last, or a later one. The log has a line per run; a benchmark that is killed itself goes on from it.
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.sweep import sweep
from nncomp.cli.program import app, making
from nncomp.data import load_data
from nncomp.files import Checkpoint, load, save, write_atomically
from nncomp.files.container import unpack_file
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.progress import Progress
from nncomp.steps import FineTune
from nncomp.steps.run import run

RECIPE = """
data = "digits"
[network]
sizes = [64, 96, 10]
norm = true
[train]
epochs = 60
dropout = [0.1, 0.0]
[[steps]]
step = "Prune"
sparsity = 0.8
schedule = "cubic"
during = { epochs = 40, optimizer = { is = "AdamW", rate = 3e-3 } }
[[steps]]
step = "Quantize"
[[steps]]
step = "FineTune"
epochs = 40
optimizer = { is = "Adam", rate = 1e-2 }
"""


def content(i: int) -> bytes:
    """What the i-th write writes: its number, and bytes that tell a torn file."""
    return f"{i:08d}".encode() + random.Random(i).randbytes(50_000 + 997 * (i % 100))


def write(folder: Path) -> None:
    start = int((folder / "result").read_bytes()[:8]) + 1 if (folder / "result").exists() else 0
    for i in range(start, 400):
        write_atomically(folder / "result", content(i))
        print(i, flush=True)


def wrote(folder: Path, said: int) -> None:
    if said >= 0 or (folder / "result").exists():
        found = (folder / "result").read_bytes()
        number = int(found[:8])
        assert found == content(number) and number >= said, f"{said} was written, {number} is there"


class Say(Hook):
    """Tells the epochs that are safe."""

    def keep(self, progress: Progress, finished: bool) -> None:
        print(progress.epoch, flush=True)


def train(folder: Path) -> None:
    tune = FineTune(epochs=60, optimizer=Adam(rate=3e-3), dropout=(0.1, 0.2), patience=30)
    start = MLP.init([64, 96, 10], norm=True)
    save(folder / "result", tune(start, load_data("digits"), [Checkpoint(folder / "training", every=0), Say()]))


def trained(folder: Path, said: int) -> None:
    if said >= 0 or (folder / "training").exists():
        told = json.loads(unpack_file(folder / "training")[0]["nncomp-training"])["progress"]
        assert told["epoch"] >= said, f"epoch {said} was kept, epoch {told['epoch']} is there"


def compress(folder: Path) -> None:
    making.run = partial(run, every=0)  # keep every epoch: these trainings take a second
    (folder / "recipe.toml").write_text(RECIPE)
    app(["compress", str(folder / "recipe.toml"), "--out", str(folder / "out")], standalone_mode=False)
    write_atomically(folder / "result", (folder / "out" / "network.safetensors").read_bytes())


def compressed(folder: Path, said: int) -> None:
    """A stage that is there is whole."""
    for stage in (folder / "out").glob("**/*.safetensors"):
        load(stage)


KINDS: dict[str, tuple[Callable[[Path], None], Callable[[Path, int], None]]] = {
    "write": (write, wrote),
    "train": (train, trained),
    "compress": (compress, compressed),
}
"""What to do, and what to look at after a kill."""


def start(kind: str, folder: Path) -> "subprocess.Popen[str]":
    """A process at work, past its imports."""
    words = [sys.executable, "-m", "benchmarks.kills", "--child", kind, str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def undisturbed(kind: str) -> tuple[bytes, float]:
    """The result of a process nobody kills, and the seconds it takes."""
    with tempfile.TemporaryDirectory() as name:
        process, began = start(kind, Path(name)), time.perf_counter()
        process.communicate()
        assert process.returncode == 0
        return (Path(name) / "result").read_bytes(), time.perf_counter() - began


def killed(kind: str, seed: int, expected: bytes, longest: float) -> dict[str, Any]:
    """One run of `kind`, killed until it ends by itself; an AssertionError if anything was lost.

    It works for up to `longest` seconds the first time, and each time for up to 5 % longer: every run ends.
    """
    rng, kills = random.Random(f"{kind} {seed}"), 0
    with tempfile.TemporaryDirectory() as name:
        while True:
            process = start(kind, Path(name))
            try:
                said, _ = process.communicate(timeout=rng.uniform(0, longest * 1.05**kills))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                said, _ = process.communicate()
            numbers = [int(word) for word in said.splitlines() if word.isdigit()]
            KINDS[kind][1](Path(name), max(numbers, default=-1))
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, f"{kind} {seed}: exit code {process.returncode}"
            kills += 1
        same = (Path(name) / "result").read_bytes() == expected
        left = sum(1 for p in Path(name).rglob(".*.partial"))
    assert same, f"{kind} {seed}: other bytes after {kills} kills"
    return {"kills": kills, "same_bytes": same, "partial_files_left": left}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="at least so many, in whole runs")
    parser.add_argument("--log", default="kills.jsonl", help="one line per run; those that are there are not repeated")
    parser.add_argument("--child", nargs=2, metavar=("KIND", "FOLDER"), help="what the benchmark starts and kills")
    args = parser.parse_args()
    if args.child:
        load_data("digits")  # which imports what would else be most of the work
        print("ready", flush=True)
        KINDS[args.child[0]][0](Path(args.child[1]))
        os._exit(0)  # at once: an interpreter takes longer to end than some of these may run
    whole = {kind: undisturbed(kind) for kind in KINDS}
    total = dict.fromkeys(KINDS, 0)
    runs = ({"kind": kind, "run": i} for i in itertools.count() for kind in KINDS)
    for result in sweep(args.log, runs, lambda kind, run: killed(kind, run, whole[kind][0], whole[kind][1] / 10)):
        total[result["kind"]] += result["kills"]
        if sum(total.values()) >= args.kills:
            break
    print(f"{sum(total.values())} kills: nothing lost, the same bytes at the end of every run; {total}")


if __name__ == "__main__":
    main()
