"""A network as a list of plain arrays `(W, b)`, the form that every library can make and take."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nncomp.activations import Activation, Identity, ReLU
from nncomp.interchange.arrays import to_numpy
from nncomp.layer import Linear
from nncomp.losses import check_finite
from nncomp.network import MLP
from nncomp.weights import Dense


def from_layers(layers: Sequence[tuple[Any, Any]], activation: Activation = ReLU()) -> MLP:
    """The network `x W.T + b` of each pair (W, b) in turn, `activation` between them; the last gives logits.

    W is (out, in), b (out,) or None for zeros: anything `to_numpy` takes. They are copied, to float64 if any of them is
    that, else to float32. A ValueError, with the layer's number, where a shape does not fit or a number is not finite.

    >>> network = from_layers([(np.eye(3, 2), None), ([[1, -1, 0]], [0.5])])
    >>> network.sizes, network(np.array([[2.0, 3.0]]))
    ([2, 3, 1], array([[-0.5]]))
    """
    arrays = [(to_numpy(w), None if b is None else to_numpy(b)) for w, b in layers]
    dtype = float_dtype(a for pair in arrays for a in pair if a is not None)
    made: list[Linear] = []
    for i, (w, b) in enumerate(arrays):
        inputs = made[-1].weight.shape[0] if made else None
        if w.ndim != 2 or inputs not in (None, w.shape[1]) or (b is not None and b.shape != w.shape[:1]):
            shapes = f"W {w.shape} and b {None if b is None else b.shape}"
            raise ValueError(f"layer {i}: W (out, {inputs or 'in'}) and b (out,) or None, not {shapes}")
        bias = np.zeros(len(w), dtype) if b is None else own(b, dtype, f"layer {i}: b")
        made.append(Linear(Dense(own(w, dtype, f"layer {i}: W")), bias, activation))
    return ending_in_logits(made)


def to_layers(network: MLP) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pair (W, b) of each layer, W (out, in) and b (out,), in new arrays of the network's dtype.

    Weights are decoded from the form they are kept in and batch norms folded into them. Activations and input
    quantizers are not in it: with a quantizer's layers, the pairs compute what the network does on unrounded inputs.

    >>> [(W.shape, b.shape) for W, b in to_layers(MLP.init([4, 3, 2], norm=True))]
    [((3, 4), (3,)), ((2, 3), (2,))]
    """
    decoded = (replace(layer, weight=Dense(layer.weight.dense())).folded() for layer in network.layers)
    return [(np.array(layer.weight.dense()), np.array(layer.bias)) for layer in decoded]


def float_dtype(arrays: Iterable[np.ndarray]) -> np.dtype:
    """float64 if any of the arrays is, else float32.

    >>> float_dtype([np.zeros(1, np.float16), np.zeros(1, np.int64)])
    dtype('float32')
    """
    return np.dtype(np.float64 if any(a.dtype == np.float64 for a in arrays) else np.float32)


def own(a: np.ndarray, dtype: np.dtype, name: str) -> np.ndarray:
    """A copy in `dtype`, contiguous; a ValueError if it holds NaN or infinity."""
    with np.errstate(over="ignore"):  # what is too large for the dtype becomes infinite, and is named
        copy = np.array(a, dtype, order="C")
    check_finite(name, copy)
    return copy


def ending_in_logits(layers: Sequence[Linear]) -> MLP:
    """The network of the layers, the last without its activation; a ValueError where there is none."""
    return MLP((*layers[:-1], *(replace(layer, activation=Identity()) for layer in layers[-1:])))
