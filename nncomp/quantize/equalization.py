"""Cross-layer equalization: neurons are scaled until their own weights and those that read them reach equally far.

With an activation f for which f(s z) = s f(z) for every s > 0, such as ReLU, LeakyReLU and the identity, the network's
function stays what it was, and a scale shared by rows fits each of them better.
"""

from collections.abc import Sequence

import numpy as np

from nncomp.layerwise import check_weights
from nncomp.quantize.checks import check_vector


def equalize(W1: np.ndarray, b1: np.ndarray, W2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`W1 / s, b1 / s, W2 s` with `s_i = sqrt(r1_i r2_i) / r2_i` (Nagel et al. 2019, equation 11).

    `r1_i`: the largest |weight| of row i of `W1 (hidden, in)`; `r2_i`: that of column i of `W2 (out, hidden)`; after
    it, both are `sqrt(r1_i r2_i)`. A neuron that has no weights, or none that read it, stays as it is.

    >>> equalize(np.array([[4.0], [1.0]]), np.array([2.0, 0.0]), np.array([[1.0, 1.0]]))
    (array([[2.],
           [1.]]), array([1., 0.]), array([[2., 1.]]))
    """
    (first, second), (b, _) = equalize_chain([W1, W2], [b1, np.zeros(len(W2), W2.dtype)], most=1)
    return first, b, second


def equalize_chain(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], tolerance: float = 1e-6, most: int = 100
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """`equalize` of every two neighbours, first to last, until no factor is further from 1 than `tolerance`.

    `weights`: (hidden, in), (next, hidden) ...; `biases`: one for each of them, the last of which stays. At most so
    many passes are made (Nagel et al. 2019, section 4.1: iterated until convergence).

    >>> weights, biases = equalize_chain([np.array([[16.0]]), np.array([[1.0]]), np.array([[0.5]])], [np.zeros(1)] * 3)
    >>> [round(w.item(), 5) for w in weights]
    [2.0, 2.0, 2.0]
    """
    _check_chain(weights, biases)
    if not tolerance >= 0 or most < 1:
        raise ValueError(f"a tolerance is at least 0 and there is at least 1 pass, not {tolerance} and {most}")
    Ws, factors = [W.astype(np.float64) for W in weights], [np.ones(len(W)) for W in weights[:-1]]
    for _ in range(most):
        furthest = 0.0
        for i, total in enumerate(factors):
            s = _factors(Ws[i], Ws[i + 1])
            Ws[i], Ws[i + 1] = Ws[i] / s[:, None], Ws[i + 1] * s
            total *= s
            furthest = max(furthest, float(np.abs(s - 1).max(initial=0)))
        if furthest <= tolerance:
            break
    with np.errstate(over="ignore"):  # refused below
        new = [(b / s).astype(b.dtype) for b, s in zip(biases, factors)]
    for i, (b, s) in enumerate(zip(new, factors)):
        if not np.isfinite(b).all():
            raise ValueError(f"bias {i} leaves {b.dtype} when it is divided by {s.min()}")
    return [W.astype(old.dtype) for W, old in zip(Ws, weights)], [*new, *(b.copy() for b in biases[-1:])]


def _factors(W1: np.ndarray, W2: np.ndarray) -> np.ndarray:
    r1, r2 = np.abs(W1).max(axis=1, initial=0), np.abs(W2).max(axis=0, initial=0)
    free = (r1 == 0) | (r2 == 0)
    # Root by root, since r1 r2 can leave the floats.
    return np.where(free, 1.0, np.sqrt(r1) / np.sqrt(np.where(free, 1.0, r2)))


def _check_chain(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
    if len(weights) != len(biases):
        raise ValueError(f"each layer has a weight and a bias, but there are {len(weights)} and {len(biases)}")
    for i, (W, b) in enumerate(zip(weights, biases)):
        check_weights(W)
        check_vector(b, len(W), f"biases of layer {i}")
        if i and W.shape[1] != len(weights[i - 1]):
            raise ValueError(f"weights {W.shape} do not read the outputs of those before, {weights[i - 1].shape}")
