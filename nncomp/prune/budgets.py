"""How many weights each layer keeps, and scores that make one ranking of all layers come out fair."""

from collections.abc import Sequence

import numpy as np

from nncomp.layerwise import check_weights
from nncomp.prune.checks import check_sparsity
from nncomp.prune.masks import keep_largest


def erdos_renyi(shapes: Sequence[tuple[int, int]], sparsity: float) -> list[float]:
    """Sparsities of layers (out, in) of densities `e (out + in) / (out in)`, at most 1 (Mocanu et al. 2018, eq. 1).

    e is such that all together keep `1 - sparsity` of their weights: small layers stay denser.

    >>> [round(s, 3) for s in erdos_renyi([(300, 784), (100, 300), (10, 100)], sparsity=0.95)]
    [0.962, 0.889, 0.081]
    """
    check_sparsity(sparsity)
    if not shapes or min(map(min, shapes)) < 1:
        raise ValueError(f"layers have at least one output and one input, not {list(shapes)}")
    sizes = np.array([out * inputs for out, inputs in shapes], float)
    sides, full = np.array([out + inputs for out, inputs in shapes], float), np.zeros(len(shapes), bool)
    while True:
        left = (1 - sparsity) * sizes.sum() - sizes[full].sum()
        e = left / sides[~full].sum() if not full.all() else 0.0
        density = np.where(full, 1.0, e * sides / sizes)
        if (density <= 1 + 1e-12).all():
            return [float(1 - min(d, 1.0)) for d in density]
        full |= density > 1


def keep_erdos_renyi(layers: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """`keep_largest` of each layer's scores (out, in) at the sparsity that `erdos_renyi` gives it.

    Each layer's count is rounded on its own, so that all together may be off by half a weight a layer.

    >>> masks = keep_erdos_renyi([np.ones((300, 784)), np.ones((10, 300))], sparsity=0.95)
    >>> [round(float((~mask).mean()), 3) for mask in masks]
    [0.961, 0.117]
    """
    budgets = erdos_renyi([(s.shape[0], s.shape[1]) for s in layers], sparsity)
    return [keep_largest(s, budget) for s, budget in zip(layers, budgets)]


def keep_in_proportion(
    layers: Sequence[np.ndarray], sparsity: float, relative: Sequence[float] = ()
) -> list[np.ndarray]:
    """`keep_largest` of each layer's scores, at sparsities in proportion to `relative`; alike where that is empty.

    They are `e relative`, at most 1, e such that of all weights the fraction `sparsity` goes; so a schedule takes each
    layer from 0 to a budget of its own. Each layer's count is rounded on its own, so that all together may be off by
    half a weight a layer.

    >>> masks = keep_in_proportion([np.ones((10, 10)), np.ones((1, 100))], sparsity=0.3, relative=(0.8, 0.4))
    >>> [int((~mask).sum()) for mask in masks]
    [40, 20]
    """
    check_sparsity(sparsity)
    r = np.array(relative or [1.0] * len(layers), float)
    if len(r) != len(layers) or not (np.isfinite(r).all() and (r >= 0).all()):
        raise ValueError(f"relative sparsities are {len(layers)} numbers of at least 0, one a layer, not {relative}")
    sizes, full = np.array([s.size for s in layers], float), np.zeros(len(layers), bool)
    while True:
        left, share = sparsity * sizes.sum() - sizes[full].sum(), (r * sizes)[~full].sum()
        if left > 1e-9 * sizes.sum() and share == 0:
            raise ValueError(f"at a sparsity of {sparsity}, layers go whose relative sparsity is 0: {relative}")
        budgets = np.where(full, 1.0, r * (left / share if share else 0.0))
        if (budgets <= 1 + 1e-12).all():
            return [keep_largest(s, float(np.clip(budget, 0, 1))) for s, budget in zip(layers, budgets)]
        full |= budgets > 1


def lamp(W: np.ndarray) -> np.ndarray:
    """`w_u^2 / sum of w_v^2 over all v no smaller`: magnitudes to rank across layers (Lee et al. 2021, section 3).

    Of equal weights the earlier counts as the larger, as in every ranking here. The largest has score 1, so no layer is
    ever emptied.

    >>> lamp(np.array([[1.0, -2.0], [2.0, 0.0]])).round(3)
    array([[0.111, 1.   ],
           [0.5  , 0.   ]])
    """
    check_weights(W)
    squares = W.astype(np.float64).ravel() ** 2
    order = np.argsort(-squares, kind="stable")
    scores, sums = np.zeros(W.size), np.cumsum(squares[order])
    scores[order] = np.divide(squares[order], sums, out=np.zeros(W.size), where=sums > 0)
    return scores.reshape(W.shape)
