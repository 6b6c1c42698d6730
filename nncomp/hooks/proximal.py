"""Penalties that make weights exactly 0, solved exactly after every update: hooks for a training of dense weights.

prox_s(v) = argmin_w  |w - v|^2 / 2 + s penalty(w)
"""

from dataclasses import dataclass

import numpy as np

from nncomp.hooks.hook import Hook
from nncomp.network import MLP
from nncomp.weights import Dense, Sparse


def shrink_l1(v: np.ndarray, s: float) -> np.ndarray:
    """`sign(v) max(|v| - s, 0)`: the prox of `s sum |w|` (soft thresholding; Parikh & Boyd 2014, section 6.5.2).

    >>> shrink_l1(np.array([3.0, -0.5]), 1.0) + 0.0
    array([2., 0.])
    """
    return np.sign(v) * np.maximum(np.abs(v) - v.dtype.type(s), 0)


def shrink_groups(V: np.ndarray, s: float, axis: int) -> np.ndarray:
    """`v_g max(1 - s / ||v_g||, 0)`: the prox of `s sum_g ||w_g||_2` (Yuan & Lin 2006; Parikh & Boyd, section 6.5.4).

    The groups g of V (out, in) are its columns with `axis=0`, its rows with `axis=1`.

    >>> shrink_groups(np.array([[3.0, 0.1], [4.0, 0.1]]), 1.0, axis=0).round(3)
    array([[2.4, 0. ],
           [3.2, 0. ]])
    """
    norm = np.linalg.norm(V, axis=axis, keepdims=True)
    return V * np.maximum(1 - V.dtype.type(s) / np.maximum(norm, np.finfo(V.dtype).tiny), 0)


@dataclass(frozen=True)
class L1(Hook):
    """`shrink_l1` of every float weight, not of biases, by `strength` after each update.

    >>> from nncomp.layer import Linear
    >>> network = MLP((Linear(Dense(np.array([[3.0, -0.5]])), np.zeros(1)),))
    >>> L1(1.0).after_update(1, network)
    >>> network.layers[0].weight.dense() + 0.0
    array([[2., 0.]])
    """

    strength: float

    def __post_init__(self) -> None:
        _check_strength(self.strength)

    def after_update(self, t: int, network: MLP) -> None:
        for layer in network.layers:
            if isinstance(layer.weight, Dense | Sparse):
                [w] = layer.weight.params
                w[...] = shrink_l1(w, self.strength)


@dataclass(frozen=True)
class GroupLasso(Hook):
    """`shrink_groups` of every dense weight by `strength` after each update: whole columns of it become 0, or rows.

    With columns (`axis=0`), inputs and neurons leave the layer that reads them; `Shrink` then takes them out.

    >>> from nncomp.layer import Linear
    >>> network = MLP((Linear(Dense(np.array([[3.0, 0.1], [4.0, 0.1]])), np.zeros(2)),))
    >>> GroupLasso(1.0).after_update(1, network)
    >>> network.layers[0].weight.dense().round(3)
    array([[2.4, 0. ],
           [3.2, 0. ]])
    """

    strength: float
    axis: int = 0

    def __post_init__(self) -> None:
        _check_strength(self.strength)
        if self.axis not in (0, 1):
            raise ValueError(f"groups are columns, axis 0, or rows, axis 1, not {self.axis}")

    def after_update(self, t: int, network: MLP) -> None:
        for layer in network.layers:
            if isinstance(layer.weight, Dense):
                w = layer.weight.w
                w[...] = shrink_groups(w, self.strength, self.axis)


def _check_strength(strength: float) -> None:
    if not 0 <= strength < np.inf:
        raise ValueError(f"a strength is at least 0 and finite, not {strength}")
