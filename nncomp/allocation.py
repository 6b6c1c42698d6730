"""Which choice each layer gets: the exact least total loss within a total size."""

from collections.abc import Sequence

import numpy as np


def allocate(losses: Sequence[Sequence[float]], sizes: Sequence[Sequence[float]], budget: float) -> list[int]:
    """One choice for each layer: the least `sum losses[i][choice_i]` with `sum sizes[i][choice_i] <= budget`, exactly.

    HAWQ's trade-off (Dong et al. 2020, section 3.2) solved as the multiple-choice knapsack it is: layer by layer, of
    all the totals that can be reached only those are kept that none both smaller and better makes useless, which loses
    no optimum. Of equally good choices the smallest is taken. A ValueError where not even the smallest ones fit.

    >>> allocate([[9.0, 1.0], [5.0, 4.0]], [[2, 8], [2, 8]], budget=10)
    [1, 0]
    """
    if len(losses) != len(sizes) or any(len(a) != len(b) or not len(a) for a, b in zip(losses, sizes)):
        raise ValueError("each layer has as many losses as sizes, at least one")
    if not all(np.isfinite(row).all() for row in (*losses, *sizes)):
        raise ValueError("losses and sizes are finite numbers")
    smallest = sum(min(row) for row in sizes)
    if not smallest <= budget:
        raise ValueError(f"the smallest choices take {smallest:g}, more than {budget:g}")
    size, loss = np.zeros(1), np.zeros(1)
    steps: list[np.ndarray] = []  # layer by layer, of each total kept: its index among all there were
    for own_losses, own_sizes in zip(losses, sizes):
        all_sizes = np.add.outer(size, np.asarray(own_sizes, np.float64)).ravel()
        all_losses = np.add.outer(loss, np.asarray(own_losses, np.float64)).ravel()
        kept = _undominated(all_sizes, all_losses, budget)
        size, loss = all_sizes[kept], all_losses[kept]
        steps.append(kept)
    chosen, at = [], len(size) - 1
    for kept, row in zip(reversed(steps), reversed(losses)):
        at, k = divmod(int(kept[at]), len(row))
        chosen.append(k)
    return chosen[::-1]


def _undominated(size: np.ndarray, loss: np.ndarray, budget: float) -> np.ndarray:
    """Which totals fit and are better than all that are no larger: from the smallest to the best."""
    fitting = np.flatnonzero(size <= budget)
    order = fitting[np.lexsort((loss[fitting], size[fitting]))]
    best = np.minimum.accumulate(loss[order])
    return order[np.append(True, best[1:] < best[:-1])]
