"""How many bits each layer gets: the exact least total loss within a size."""

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
    if not np.isfinite([v for row in (*losses, *sizes) for v in row]).all():
        raise ValueError("losses and sizes are finite numbers")
    smallest = sum(min(row) for row in sizes)
    if not smallest <= budget:
        raise ValueError(f"the smallest choices take {smallest:g}, more than {budget:g}")
    reached: list[tuple[float, float, tuple[int, ...]]] = [(0.0, 0.0, ())]
    for own_losses, own_sizes in zip(losses, sizes):
        each = [
            (size + s, loss + l, (*chosen, k))
            for size, loss, chosen in reached
            for k, (l, s) in enumerate(zip(own_losses, own_sizes))
        ]
        reached, best = [], np.inf
        for total in sorted(each):
            if total[0] <= budget and total[1] < best:
                best = total[1]
                reached.append(total)
    return list(reached[-1][2])


def hawq(W: np.ndarray, W_new: np.ndarray, h: np.ndarray) -> float:
    """`tr(H) / n ||W - W_new||^2`: what quantization costs the loss, by the Hessian's mean curvature (equation 1).

    `h`: the Hessian's diagonal, of the weights' shape (Dong et al. 2020, HAWQ-V2).

    >>> hawq(np.array([[1.0, 2.0]]), np.array([[1.0, 1.5]]), h=np.array([[4.0, 2.0]]))
    0.75
    """
    if not W.shape == W_new.shape == h.shape:
        raise ValueError(f"weights, new weights and curvatures are of one shape: {W.shape}, {W_new.shape}, {h.shape}")
    return float(h.mean() * ((W - W_new).astype(np.float64) ** 2).sum())
