"""One epoch of fine-tuning a pruned network, through the masked kernels and dense: `python -m benchmarks.fine_tuning`.

An MLP 784-300-100-10 that learned MNIST for two epochs is pruned by magnitude and goes on by Adam (rate 0.001) in
float32 on one thread: as it is stored (`Sparse`); dense, every weight trained, which is the least that any dense
fine-tuning costs; and in PyTorch, the weights multiplied by a mask after each update. Before any timing, the masked
ones must turn the same batch into the same new weights.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.timing import compared, interleaved, machine, on_threads, save, table
from benchmarks.training import RATE, SIZES, mnist, nncomp_epoch, torch_epoch
from nncomp.data import Split
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.prune import keep_largest, magnitude
from nncomp.training import train
from nncomp.weights import Dense


def pruned(network: MLP, sparsity: float) -> tuple[MLP, MLP, list[np.ndarray]]:
    """The network with its smallest weights gone, as `Sparse` and as `Dense`; and the masks."""
    masks = [keep_largest(magnitude(layer.weight.dense()), sparsity) for layer in network.layers]
    left = iter(masks)
    sparse = network.with_layers(lambda layer: replace(layer, weight=layer.weight.masked(next(left))))
    return sparse, sparse.with_layers(_dense), masks


def _dense(layer: Linear) -> Linear:
    return replace(layer, weight=Dense(layer.weight.dense()))


def check_one_step(sparse: MLP, dense: MLP, masks: Sequence[np.ndarray], data: Split, batch: int) -> float:
    """The largest difference between two parameters after one step, as a fraction of the step's length."""
    one = Split(data.x[:batch], data.y[:batch])
    ours = nncomp_epoch(sparse, one, batch, 0)[1].with_layers(_dense)
    theirs = torch_epoch(dense, one, batch, 0, masks)[1]
    pairs = [(p, q) for a, b in zip(ours.params, theirs.params) for p, q in zip(a, b, strict=True)]
    difference = max(float(np.abs(p - q).max()) for p, q in pairs) / RATE
    if not difference <= 0.1:
        raise AssertionError(f"one step gives parameters apart by {difference} of the step")
    return difference


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, warm up, time, print."""
    parser = argparse.ArgumentParser(description="One epoch of fine-tuning a pruned network, sparse and dense.")
    parser.add_argument("--sparsity", type=float, default=0.98, help="the fraction of each layer's weights to prune")
    parser.add_argument("--epochs", type=int, default=7, help="epochs to time of each, one a turn")
    parser.add_argument("--batch", type=int, default=100, choices=(32, 100, 512), help="samples a step")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--json", help="file to write the records to")
    options = parser.parse_args(arguments)
    data, batch = mnist(options.data), options.batch
    with on_threads(1):
        described = machine()
        trained = train(MLP.init(SIZES), data.train, epochs=2)
        sparse, dense, masks = pruned(trained, options.sparsity)
        difference = check_one_step(sparse, dense, masks, data.train, batch)
        print(f"one step: parameters at most {difference:.0e} of the step's length apart")
        tasks = {
            "sparse": lambda: nncomp_epoch(sparse, data.train, batch, 0),
            "dense": lambda: nncomp_epoch(dense, data.train, batch, 0),
            "PyTorch, masked": lambda: torch_epoch(dense, data.train, batch, 0, masks),
        }
        for name, task in tasks.items():
            print(f"  {name}: training loss {task()[0]:.4f}")
        records = compared(interleaved(tasks, options.epochs), "sparse")
    print(
        f"\nseconds an epoch, {100 * options.sparsity:g} % sparse, {len(data.train)} samples, batch {batch}, one thread"
    )
    print(f"{described['cpu']}; {options.epochs} epochs each, in turn\n\n{table(records, 'sparse')}")
    if options.json:
        setting = {"benchmark": "fine_tuning", "data": data.name, "sparsity": options.sparsity, "batch": batch}
        save(options.json, [setting | record for record in records], described)


if __name__ == "__main__":
    main()
