"""SynFlow: pruning without data, such that no layer is ever emptied before the others (Tanaka et al. 2020)."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nncomp.layerwise import check_weights
from nncomp.prune.checks import check_sparsity
from nncomp.prune.masks import keep_globally
from nncomp.prune.schedules import exponential


def synflow(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`S = dR/dw . w` with `R = 1T |W_L| ... |W_1| 1` of layers' weights (out, in), first to last (equation 2).

    R's derivative is an outer product, so for layer l, of what flows out of it to the end and what flows into it,

        S_l = |W_l| . (|W_L ... W_{l+1}|T 1) (|W_{l-1} ... W_1| 1)T,

    and each layer's scores sum to R: what is conserved (theorem 2).

    >>> [s.tolist() for s in synflow([np.array([[1.0, -2.0]]), np.array([[3.0], [1.0]])])]
    [[[4.0, 8.0]], [[9.0], [3.0]]]
    """
    layers = [np.abs(_checked(W).astype(np.float64)) for W in weights]
    for before, after in pairwise(layers):
        if before.shape[0] != after.shape[1]:
            raise ValueError(f"{before.shape[0]} outputs are followed by {after.shape[1]} inputs")
    into = [np.ones(layers[0].shape[1])]
    for W in layers[:-1]:
        into.append(W @ into[-1])
    out_of = [np.ones(layers[-1].shape[0])]
    for W in layers[:0:-1]:
        out_of.append(W.T @ out_of[-1])
    return [W * np.outer(o, i) for W, o, i in zip(layers, reversed(out_of), into)]


def synflow_masks(weights: Sequence[np.ndarray], sparsity: float, rounds: int = 100) -> list[np.ndarray]:
    """Masks by `rounds` of scoring what is left and keeping `(1 - sparsity)^(k / rounds)` of all (algorithm 1).

    >>> synflow_masks([np.array([[1.0, -2.0]]), np.array([[3.0], [1.0]])], sparsity=0.5, rounds=2)
    [array([[False,  True]]), array([[ True],
           [False]])]
    """
    check_sparsity(sparsity)
    if rounds < 1:
        raise ValueError(f"at least 1 round, not {rounds}")
    masks = [np.ones(W.shape, bool) for W in weights]
    for k in range(1, rounds + 1):
        scores = synflow([W * mask for W, mask in zip(weights, masks)])
        living = [np.where(mask, s, -np.inf) for s, mask in zip(scores, masks)]
        masks = keep_globally(living, exponential(k / rounds, sparsity))
    return masks


def _checked(W: np.ndarray) -> np.ndarray:
    check_weights(W)
    return W
