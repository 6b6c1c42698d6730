"""One epoch of training, timed beside scikit-learn and PyTorch: `python -m benchmarks.training`.

An MLP 784-300-100-10 with ReLU learns MNIST by Adam (rate 0.001) from cross-entropy, in float32 on one thread. A timed
call starts from given weights and does all that an epoch is: shuffle, and for each batch gather, forward, backward,
update. Before any timing, the three must turn the same weights and the same batch into the same new weights.
"""

import argparse
import os
import warnings
from collections.abc import Callable, Sequence
from itertools import chain, pairwise

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.neural_network import MLPClassifier

from benchmarks.timing import compared, interleaved, machine, on_threads, save, table
from nncomp.data import Data, Split, load_data
from nncomp.hooks import Hook
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.training import train

SIZES, RATE, EPS = [784, 300, 100, 10], 1e-3, 1e-8
Outcome = tuple[float, MLP]  # the mean training loss over the epoch, and the trained network
Epoch = Callable[[MLP, Split, int, int], Outcome]  # from (network, samples, batch size, seed)


class LastLoss(Hook):
    """Remembers the mean training loss of the last epoch."""

    def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
        self.loss = loss


def nncomp_epoch(network: MLP, data: Split, batch: int, seed: int) -> Outcome:
    """nncomp's `train`."""
    last = LastLoss()
    trained = train(network, data, optimizer=Adam(RATE, eps=EPS), epochs=1, batch=batch, seed=seed, hooks=[last])
    return last.loss, trained


def torch_epoch(network: MLP, data: Split, batch: int, seed: int, masks: Sequence[np.ndarray] = ()) -> Outcome:
    """PyTorch's eager loop with what makes it faster: fused Adam, `index_select`, no data loader, ReLU in place.

    After each update the weights are multiplied by the `masks`, if any.
    """
    torch.manual_seed(seed)
    n, x, y = len(data), torch.from_numpy(network.check(data.x)), torch.from_numpy(data.y)
    layers = [(torch.nn.Linear(i, o, dtype=x.dtype), torch.nn.ReLU(inplace=True)) for i, o in pairwise(network.sizes)]
    model = torch.nn.Sequential(*chain.from_iterable(layers))[:-1]
    for p, given in zip(model.parameters(), chain.from_iterable(network.params), strict=True):
        p.data.copy_(torch.from_numpy(given))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, eps=EPS, fused=True)
    weights, kept = list(model.parameters())[::2], [torch.from_numpy(mask.astype(np.float32)) for mask in masks]
    total = 0.0
    for index in torch.randperm(n).split(batch):
        loss = F.cross_entropy(model(x.index_select(0, index)), y.index_select(0, index))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for w, mask in zip(weights, kept):
                w.mul_(mask)
        total += loss.item() * len(index)
    params = [p.detach().numpy() for p in model.parameters()]
    return total / n, network.with_params(list(zip(params[::2], params[1::2])))


def sklearn_epoch(network: MLP, data: Split, batch: int, seed: int, eps: float = EPS) -> Outcome:
    """scikit-learn's `MLPClassifier.fit`, without L2 penalty; `warm_start` makes it start from the given weights."""
    model = MLPClassifier(
        network.sizes[1:-1], alpha=0.0, batch_size=batch, learning_rate_init=RATE, epsilon=eps, max_iter=1,
        warm_start=True, random_state=seed,
    )  # fmt: skip
    classes = np.arange(network.sizes[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are few samples here, and that it would like to go on there
        model.partial_fit(data.x[: len(classes)], classes, classes=classes)  # makes the places to put the weights in
        model.coefs_, model.intercepts_ = map(list, zip(*((w.T.copy(), b.copy()) for w, b in network.params)))
        model.fit(data.x, data.y)
    params = [(np.ascontiguousarray(w.T), b) for w, b in zip(model.coefs_, model.intercepts_)]
    return model.loss_curve_[-1], network.with_params(params)


EPOCHS: dict[str, Epoch] = {"nncomp": nncomp_epoch, "scikit-learn": sklearn_epoch, "PyTorch": torch_epoch}


def check_one_step(dtype: type, tolerance: float, data: Split, batch: int) -> float:
    """The largest difference between any parameters after one step on one batch, as a fraction of the step's length.

    A parameter moves by `rate g / (|g| + eps)`, so where |g| is near eps, rounding in g shows. scikit-learn adds eps
    before the bias correction, which is the same at step 1 for `eps sqrt(1 - beta2)`.
    """
    network = MLP.init(SIZES, dtype=dtype)
    labels = np.concatenate([np.arange(10), data.y[10:batch]])  # every class is there
    one = Split(network.check(data.x[:batch]), labels)
    ours = nncomp_epoch(network, one, batch, 0)[1]
    others = torch_epoch(network, one, batch, 0)[1], sklearn_epoch(network, one, batch, 0, EPS * 0.001**0.5)[1]
    pairs = [(p, q) for other in others for a, b in zip(ours.params, other.params) for p, q in zip(a, b, strict=True)]
    difference = max(float(np.abs(p - q).max()) for p, q in pairs) / RATE
    if not difference <= tolerance or any(not p.dtype == q.dtype == dtype for p, q in pairs):
        raise AssertionError(f"one step of {', '.join(EPOCHS)} gives parameters apart by {difference} of the step")
    return difference


def check_one_epoch(network: MLP, data: Data, batch: int) -> None:
    """Train each for an epoch, which warms it up too, and see that all learn alike."""
    results = {name: epoch(network, data.train, batch, 0) for name, epoch in EPOCHS.items()}
    scores = {name: (loss, accuracy(trained, data.validation)) for name, (loss, trained) in results.items()}
    for name, (loss, score) in scores.items():
        print(f"  {name}: training loss {loss:.4f}, validation accuracy {100 * score:.2f} %")
    losses, accuracies = zip(*scores.values())
    if max(losses) > 1.1 * min(losses) or max(accuracies) - min(accuracies) > 0.05:
        raise AssertionError(f"the rivals do not learn alike: {scores}")


def mnist(folder: str | None) -> Data:
    """MNIST from `folder` or `NNCOMP_DATA`; random samples of its shape where it is not there."""
    try:
        if not (folder or os.environ.get("NNCOMP_DATA")):
            raise FileNotFoundError("neither --data nor NNCOMP_DATA is given")
        return load_data("mnist", folder)
    except FileNotFoundError as missing:
        print(f"RANDOM DATA in place of MNIST: {missing}")
    rng = np.random.default_rng(0)
    return Data.of(rng.random((60_000, 784), np.float32), rng.integers(0, 10, 60_000), 5000, name="random")


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, warm up, time, print."""
    parser = argparse.ArgumentParser(description="One epoch of training beside scikit-learn and PyTorch.")
    parser.add_argument("--epochs", type=int, default=7, help="epochs to time of each, one a turn")
    parser.add_argument("--batch", type=int, default=100, choices=(32, 100, 512), help="samples a step")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--json", help="file to write the records to")
    options = parser.parse_args(arguments)
    data, network = mnist(options.data), MLP.init(SIZES)
    with on_threads(1):
        described = machine()
        for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 0.1)):
            difference = check_one_step(dtype, tolerance, data.train, options.batch)
            print(f"one step in {dtype.__name__}: parameters at most {difference:.0e} of the step's length apart")
        check_one_epoch(network, data, options.batch)
        tasks = {name: lambda e=epoch: e(network, data.train, options.batch, 0) for name, epoch in EPOCHS.items()}
        seconds = interleaved(tasks, options.epochs)
    records = compared(seconds, "nncomp")
    print(f"\nseconds an epoch, {len(data.train)} samples of {data.name}, batch {options.batch}, one thread")
    print(f"{described['cpu']}; {options.epochs} epochs each, in turn\n\n{table(records, 'nncomp')}")
    if options.json:
        setting = {"benchmark": "training", "data": data.name, "samples": len(data.train), "batch": options.batch}
        save(options.json, [setting | record for record in records], described)


if __name__ == "__main__":
    main()
