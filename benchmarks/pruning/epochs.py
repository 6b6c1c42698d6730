"""What an epoch costs that is sparse from start to end: `python -m benchmarks.pruning epochs`.

A 784-300-100-10 with random weights learns MNIST by SGD with momentum in float32 on one thread: dense; of a random
pattern by Erdos-Renyi budgets, as it is and moved about by each method at its default interval; and by Top-KAST, with
five times as many weights that learn. A timed call is `train` for one epoch. Memory is the peak of what is allocated in
an epoch, data apart, measured in one more epoch that is not timed.
"""

import argparse
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.timing import compared, interleaved, machine, on_threads, save, table
from benchmarks.training import SIZES, mnist
from nncomp.data import Data
from nncomp.hooks import SET, SNFS, DeepR, RigL, TopKAST
from nncomp.network import MLP
from nncomp.optim import SGD
from nncomp.prune import keep_erdos_renyi, random
from nncomp.steps import FineTune, Prune, Regrow, Sparsify

EPOCH = FineTune(epochs=1, optimizer=SGD(0.1))


def rivals(data: Data, sparsity: float) -> dict[str, Callable[[], MLP]]:
    """One epoch of each."""
    dense = MLP.init(SIZES)
    sparse = Prune(sparsity, scores=random, keep=keep_erdos_renyi)(dense, data)
    moving = {type(by).__name__: partial(Regrow(by, EPOCH), sparse, data) for by in (RigL(), SET(), SNFS(), DeepR())}
    kast = Sparsify(TopKAST(sparsity, backward=1 - 5 * (1 - sparsity)), EPOCH)
    return {"static": lambda: EPOCH(sparse, data), **moving, "Top-KAST": partial(kast, dense, data),
            "dense": lambda: EPOCH(dense, data)}  # fmt: skip


def peak(task: Callable[[], MLP]) -> int:
    """Bytes allocated at most at once."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Warm up while memory is measured, time, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning epochs", description=__doc__.splitlines()[0])
    parser.add_argument("--sparsity", type=float, default=0.98, help="the fraction of weights that is 0")
    parser.add_argument("--epochs", type=int, default=7, help="epochs to time of each, one a turn")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--json", help="file to write the records to")
    options = parser.parse_args(arguments)
    data = mnist(options.data)
    with on_threads(1):
        described, tasks = machine(), rivals(data, options.sparsity)
        for task in tasks.values():
            task()
        memory = {name: peak(task) for name, task in tasks.items()}
        records = compared(interleaved(tasks, options.epochs), "static")
    print(f"\nseconds an epoch, {100 * options.sparsity:g} % sparse, {len(data.train)} samples, batch 100, one thread")
    print(f"{described['cpu']}; {options.epochs} epochs each, in turn\n\n{table(records, 'static')}\n")
    dense = records[-1]["median"]
    for record in records:
        name, bytes_ = record["name"], memory[record["name"]]
        print(f"{name:9} {dense / record['median']:5.2f} times as fast as dense, at most {bytes_ / 1e6:6.2f} MB")
    if options.json:
        setting = {"benchmark": "pruning epochs", "data": data.name, "sparsity": options.sparsity, "batch": 100}
        save(options.json, [setting | {"peak": memory[r["name"]]} | r for r in records], described)
