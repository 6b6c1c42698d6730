"""Each layer its own way to compress it: the exact optimum of what was measured layer by layer, then held to the whole.

That losses of layers add up is an assumption; it is good where each alone costs little. So the network that comes of it
is measured, and what is promised of it is what was measured of it as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from nncomp.allocation import allocate
from nncomp.measure import network_cost
from nncomp.network import MLP
from nncomp.search.executors import Workers
from nncomp.search.sensitivity import Choice, Measured, Sensitivity, layer_sensitivity, measured, named, split_of
from nncomp.search.source import Source, case_of, data_of, key_of
from nncomp.shown import aligned


@dataclass(frozen=True, eq=False)
class Chosen:
    """The `network` that `choose` made, `choice[i]` of its layer i, and how true the sum of the layers' losses was.

    `predicted`: the loss on the samples the choice was made by, as the sum has it; `loss`: as it is. `before` and
    `after`: loss and score on the validation split of the network given and of this one.

    >>> chosen = Chosen(MLP.init([64, 10]), ((),), 2.41, 2.43, Measured(2.5, 0.11), Measured(2.5, 0.11))
    >>> print(str(chosen).splitlines()[-1])
    loss 2.4300 (2.4100 predicted), validation score 0.1100 (0.1100 before), 2.6 kB, 640 multiply-adds
    """

    network: MLP
    choice: tuple[Choice, ...]
    predicted: float
    loss: float
    before: Measured
    after: Measured

    def __str__(self) -> str:
        lines = [["layer", "choice"], *([str(i), named(choice)] for i, choice in enumerate(self.choice))]
        cost = network_cost(self.network)
        return (
            f"{aligned(lines)}\n\nloss {self.loss:.4f} ({self.predicted:.4f} predicted), validation score "
            f"{self.after.score:.4f} ({self.before.score:.4f} before), {cost.stored / 1e3:.1f} kB, "
            f"{cost.multiply_adds:,} multiply-adds"
        )


def choose(
    network: MLP,
    data: Source,
    choices: Sequence[Choice] | Mapping[str, Choice] | Sensitivity,
    *,
    max_drop: float | None = None,
    max_bytes: float | None = None,
    max_multiply_adds: float | None = None,
    samples: int = 5000,
    workers: Workers = Workers(),
) -> Chosen:
    """Of each layer one of the `choices`: the smallest network that is good enough, or the best that is small enough.

    What each layer alone makes the loss rise by is measured on the first `samples` of the training split
    (`layer_sensitivity`), or was measured of this network before, and is given in place of the choices. The least sum
    within a size is found exactly (`allocate`).

    With `max_bytes`, of all that layers store, or `max_multiply_adds`: of the allocation within it, those that hold one
    layer to one of the choices, and one choice for all layers, the one of the lowest loss on the samples. With
    `max_drop`: the smallest allocation whose score on the validation split is at most that much below the network's,
    found by bisection over sizes. Score against size is not quite monotonic: it is one that holds where the next
    smaller one looked at does not. A ValueError where none holds, or where not even the smallest choices fit.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune
    >>> network, data = MLP.init([64, 32, 10]), load_data("digits")
    >>> found = choose(network, data, [(), Prune(0.5), Prune(0.9)], max_multiply_adds=1000)
    >>> found.choice, network_cost(found.network).multiply_adds
    ((Prune(sparsity=0.9), ()), 481)
    """
    limits = {"max_drop": max_drop, "max_bytes": max_bytes, "max_multiply_adds": max_multiply_adds}
    told = {name: limit for name, limit in limits.items() if limit is not None}
    if len(told) != 1 or not all(_limit(limit) for limit in told.values()):
        raise ValueError(f"one of {', '.join(limits)} is a number of at least 0, not {told or 'none'}")
    found = choices
    if not isinstance(found, Sensitivity):
        found = layer_sensitivity(network, data, found, samples, workers)
    elif found.of != case_of(network, key_of(data_of(data))):
        raise ValueError("this sensitivity is that of another network, or was measured on other data")
    split, held = split_of(data_of(data), found.samples), data_of(data).validation
    before = measured(network, held)
    chosen: Sequence[int]
    if max_drop is not None:
        chosen, after = _smallest(found, before.score - max_drop, lambda n: measured(n, held))
    else:
        sizes = found.bytes if max_bytes is not None else found.multiply_adds
        chosen = _best(found, sizes, next(iter(told.values())), lambda n: measured(n, split).loss)
        after = measured(found.taken(chosen), held)
    best = found.taken(chosen)
    predicted = found.before.loss + sum(found.rise[i, k] for i, k in enumerate(chosen))
    choice = tuple(found.choices[k] for k in chosen)
    return Chosen(best, choice, float(predicted), measured(best, split).loss, before, after)


def _limit(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < np.inf


def _smallest(found: Sensitivity, least: float, measure: Callable[[MLP], Measured]) -> tuple[tuple[int, ...], Measured]:
    """The smallest allocation of this score, and what was measured of it; else the smallest that is one for all."""
    tried: dict[tuple[int, ...], Measured] = {}

    def holds(chosen: Sequence[int]) -> bool:
        key = tuple(chosen)
        if key not in tried:
            tried[key] = measure(found.taken(key))
        return tried[key].score >= least - 1e-12  # scores are differences of rounded numbers

    low, high = int(found.bytes.min(axis=1).sum()), int(found.bytes.max(axis=1).sum())
    best = _allocated(found, found.bytes, high)
    if not holds(best):
        alike = [chosen for chosen in _alike(found) if holds(chosen)]
        if not alike:
            score = max(one.score for one in tried.values())
            raise ValueError(f"no choice keeps a score of {least:.4f}; the best has {score:.4f}")
        best = min(alike, key=lambda chosen: _total(found.bytes, chosen))
        return tuple(best), tried[tuple(best)]
    while low <= high:
        middle = (low + high) // 2
        chosen = _allocated(found, found.bytes, middle)
        if holds(chosen):
            best, high = chosen, _total(found.bytes, chosen) - 1
        else:
            low = middle + 1
    return tuple(best), tried[tuple(best)]


def _best(found: Sensitivity, sizes: np.ndarray, budget: float, measure: Callable[[MLP], float]) -> tuple[int, ...]:
    """Of allocations within the budget the truly best: each layer held to each choice, the others allocated."""
    layers, choices = sizes.shape
    held = [_held(found, sizes, budget, i, k) for i in range(layers) for k in range(choices)]
    alike = [chosen for chosen in _alike(found) if _total(sizes, chosen) <= budget]
    candidates = dict.fromkeys(map(tuple, (_allocated(found, sizes, budget), *alike, *filter(None, held))))
    return min(candidates, key=lambda chosen: measure(found.taken(chosen)))


def _held(found: Sensitivity, sizes: np.ndarray, budget: float, layer: int, choice: int) -> list[int] | None:
    """The allocation that gives one layer this choice; None where that is too large."""
    own, rise = sizes.tolist(), found.rise.tolist()
    own[layer], rise[layer] = [own[layer][choice]], [rise[layer][choice]]
    if sum(map(min, own)) > budget:
        return None
    chosen = allocate(rise, own, budget)
    chosen[layer] = choice
    return chosen


def _allocated(found: Sensitivity, sizes: np.ndarray, budget: float) -> list[int]:
    return allocate(found.rise.tolist(), sizes.tolist(), budget)


def _alike(found: Sensitivity) -> list[list[int]]:
    return [[k] * len(found.bytes) for k in range(len(found.choices))]


def _total(sizes: np.ndarray, chosen: Sequence[int]) -> int:
    return sum(int(sizes[i, k]) for i, k in enumerate(chosen))
