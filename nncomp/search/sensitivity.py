"""What each layer alone makes of each way to compress it: the network's loss and score, the layer's bytes and work."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncomp.data import Data, Split
from nncomp.files import from_bytes, to_bytes
from nncomp.losses import by_targets
from nncomp.measure import check_fit, layer_cost, outputs
from nncomp.network import MLP
from nncomp.search.executors import Workers
from nncomp.search.source import Source, case_of, data_of, key_of
from nncomp.shown import aligned
from nncomp.steps import CompressionStep, compress

Choice = CompressionStep | Sequence[CompressionStep]
"""A way to compress: a step, or several in turn; none of them, `()`, leaves a layer as it is."""


class Measured(NamedTuple):
    """Of a network on a split: the cross-entropy of labels or the squared error of values, and its `score`."""

    loss: float
    score: float


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Of each layer i by each choice k: `loss`, `score`, `bytes` and `multiply_adds`, arrays (layers, choices).

    Loss and score are the whole network's, with this layer alone compressed; bytes (all that the layer stores) and
    multiply-adds are the layer's own. `before`: loss and score of the network as it was. `networks`: by each choice,
    the whole network compressed, whose layers these are. `samples`: of the training split, or None for the validation
    split, where all was measured. `of`: the fingerprint of that network and those data.
    """

    names: tuple[str, ...]
    choices: tuple[Choice, ...]
    before: Measured
    networks: tuple[MLP, ...]
    loss: np.ndarray
    score: np.ndarray
    bytes: np.ndarray
    multiply_adds: np.ndarray
    samples: int | None = None
    of: str = ""

    @property
    def rise(self) -> np.ndarray:
        """What each makes the loss rise by."""
        return self.loss - self.before.loss

    def taken(self, chosen: Sequence[int]) -> MLP:
        """The network whose layer i is that of choice `chosen[i]`.

        >>> from nncomp.data import load_data
        >>> from nncomp.steps import Prune
        >>> found = layer_sensitivity(MLP.init([64, 32, 10]), load_data("digits"), [(), Prune(0.75)])
        >>> [layer.weight.multiply_adds for layer in found.taken([1, 0]).layers]
        [461, 320]
        """
        return MLP(tuple(self.networks[k].layers[i] for i, k in enumerate(chosen)))

    def to_json(self) -> str:
        """All that was measured, losses and scores as they are."""
        tables = {name: getattr(self, name).tolist() for name in ("loss", "score", "bytes", "multiply_adds")}
        told = {"choices": list(self.names), "before": self.before._asdict()}
        return json.dumps(told | tables, indent=1)

    def __str__(self) -> str:
        """A table for each layer, with a line for each choice: what the loss rises by, and the rest as it is then."""
        tables = [f"as it is: loss {self.before.loss:.4f}, score {self.before.score:.4f}"]
        for i, layer in enumerate(self.networks[0].layers):
            out, inputs = layer.weight.shape
            lines = [[f"layer {i}, {out} x {inputs}", "rise", "score", "kB", "mult-adds"]]
            for k, name in enumerate(self.names):
                sizes = [f"{self.bytes[i, k] / 1e3:.1f}", f"{self.multiply_adds[i, k]:,}"]
                lines.append([name, f"{self.rise[i, k]:+.4f}", f"{self.score[i, k]:.4f}", *sizes])
            tables.append(aligned(lines))
        return "\n\n".join(tables)


def layer_sensitivity(
    network: MLP,
    data: Source,
    choices: Sequence[Choice] | Mapping[str, Choice],
    samples: int | None = None,
    workers: Workers = Workers(),
) -> Sensitivity:
    """How much each layer minds being compressed alone, by each of the `choices` (after Han et al. 2015, figure 6).

    In a mapping, choices have names to be told by. A choice is followed on the whole network once, with what it asks
    for; then one layer of the result at a time is put into the network as it was, which is measured on the validation
    split, or on the first so many `samples` of the training split, where the validation split is to judge what is made
    of it. `workers` do a choice a task. A ValueError for a choice that changes the widths of layers: they no longer
    fit the others.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune
    >>> found = layer_sensitivity(MLP.init([64, 32, 10]), load_data("digits"), [(), Prune(0.9)])
    >>> found.bytes.tolist(), bool((found.rise[:, 0] == 0).all())
    ([[8320, 966], [1320, 431]], True)
    """
    if not choices:
        raise ValueError("at least one choice is measured")
    if samples is not None and samples < 1:
        raise ValueError(f"at least one sample is measured on, not {samples}")
    loaded = data_of(data)
    check_fit(network, loaded.validation, loaded.name)
    names = list(choices) if isinstance(choices, Mapping) else list(map(named, choices))
    choices = list(choices.values()) if isinstance(choices, Mapping) else choices
    content, key = to_bytes(network), key_of(loaded)
    before = measured(network, split_of(loaded, samples))
    tasks = {k: (content, data, key, steps_of(choice), samples) for k, choice in enumerate(choices)}
    found: dict[int, tuple[bytes, list[Measured]]] = dict(workers.each(_measured_alone, tasks))
    networks = tuple(from_bytes(found[k][0]) for k in range(len(choices)))
    alone = np.array([found[k][1] for k in range(len(choices))])
    costs = [[layer_cost(layer) for layer in compressed.layers] for compressed in networks]
    sizes = np.array([[(cost.stored, cost.multiply_adds) for cost in row] for row in costs])
    loss, score, stored, work = alone[:, :, 0].T, alone[:, :, 1].T, sizes[:, :, 0].T, sizes[:, :, 1].T
    of = case_of(network, key)
    return Sensitivity(tuple(names), tuple(choices), before, networks, loss, score, stored, work, samples, of)


def _measured_alone(
    content: bytes, source: Source, key: str, steps: Sequence[CompressionStep], samples: int | None
) -> tuple[bytes, list[Measured]]:
    """The task of one choice."""
    network, data = from_bytes(content), data_of(source, key)
    compressed = compress(network, steps, data)
    if compressed.sizes != network.sizes:
        raise ValueError(f"{named(steps)} makes {compressed.sizes} of {network.sizes}: its layers fit no other network")
    split = split_of(data, samples)
    alone = [measured(network.with_layer(i, layer), split) for i, layer in enumerate(compressed.layers)]
    return to_bytes(compressed), alone


def split_of(data: Data, samples: int | None) -> Split:
    """The validation split, or the first samples of the training split.

    >>> data = Data.of(np.eye(4, dtype=np.float32), np.arange(4), validation=1)
    >>> len(split_of(data, 2)), split_of(data, None) is data.validation
    (2, True)
    """
    return data.validation if samples is None else data.train.first(samples)


def measured(network: MLP, split: Split) -> Measured:
    """Loss and score of one pass.

    >>> measured(MLP.init([3, 2]), Split(np.zeros((4, 3), np.float32), np.array([0, 0, 0, 1])))
    Measured(loss=0.6931471805599453, score=0.75)
    """
    y = outputs(network, split.x)
    loss = by_targets(y.astype(np.float64), split.y)[0]
    values = np.issubdtype(split.y.dtype, np.floating)
    return Measured(loss, -loss if values else float(np.mean(y.argmax(axis=1) == split.y)))


def steps_of(choice: Choice) -> tuple[CompressionStep, ...]:
    """A choice as steps in turn.

    >>> steps_of(())
    ()
    """
    return tuple(choice) if isinstance(choice, Sequence) else (choice,)


def named(choice: Choice) -> str:
    """A choice in words.

    >>> from nncomp.steps import Prune, Quantize
    >>> named((Prune(0.5), Quantize())), named(())
    ('Prune(sparsity=0.5), Quantize()', 'as it is')
    """
    return ", ".join(repr(step) for step in steps_of(choice)) or "as it is"
