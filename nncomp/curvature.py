"""The diagonal of the Hessian by backpropagation, as optimal brain damage takes it (LeCun, Denker & Solla 1990).

Second derivatives go back through the layers as first ones do, by squares of weights and slopes. What one unit's change
does to another of its layer is left out: that is the paper's diagonal approximation, exact for the last layer.
"""

from collections.abc import Callable

import numpy as np

from nncomp.activations import Activation, Identity, LeakyReLU, LogSoftmax, ReLU, Softmax
from nncomp.losses import cross_entropy, log_probabilities, squared_error
from nncomp.network import MLP, forward

Derivatives = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Of a mean loss, from outputs and targets: its first and second derivatives at each output."""


def cross_entropy_derivatives(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(p - t) / n` and `p (1 - p) / n`, p the softmax of `logits (n, classes)`.

    >>> g, h = cross_entropy_derivatives(np.zeros((1, 2)), np.array([1]))
    >>> g, h
    (array([[ 0.5, -0.5]]), array([[0.25, 0.25]]))
    """
    p = np.exp(log_probabilities(logits))
    return cross_entropy(logits, labels)[1], p * (1 - p) / len(p)


def squared_error_derivatives(outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`2 (y - t) / n` and `2 / n` of the mean of squared errors over `outputs` of n numbers.

    >>> squared_error_derivatives(np.array([[3.0]]), np.array([[1.0]]))
    (array([[4.]]), array([[2.]]))
    """
    return squared_error(outputs, targets)[1], np.full_like(outputs, 2 / outputs.size)


def hessian_diagonal(
    network: MLP, x: np.ndarray, targets: np.ndarray, derivatives: Derivatives = cross_entropy_derivatives
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`(d2L/dW2, d2L/db2)` of each layer, for `obd(W, h)`; layers without a norm and with float inputs.

        d2L/dw_ij2 = d2L/da_i2 x_j2                                                              (equation 7)
        d2L/da_i2 = f'(a_i)2 sum_l w_li2 d2L/da_l2 + f''(a_i) dL/dx_i                            (equation 8)

    >>> network = MLP.init([2, 3, 2], dtype=np.float64)
    >>> [h.shape for h, _ in hessian_diagonal(network, np.ones((4, 2)), np.array([0, 1, 1, 0]))]
    [(3, 2), (2, 3)]
    """
    for layer in network.layers:
        if layer.norm is not None or layer.input is not None:
            raise ValueError(
                "second derivatives go through layers without batch norm or input grid: fold the norm first"
            )
    y, tape = forward(network, x)
    g, h = derivatives(y, targets)  # at the layer's outputs
    inputs = [network.check(x), *(saved.a for saved in tape[:-1])]
    found = []
    for layer, saved, seen in zip(reversed(network.layers), reversed(tape), reversed(inputs)):
        slope, bend = _slopes(layer.activation, saved.z)
        g, h = slope * g, slope**2 * h + bend * g  # at its sums
        W = layer.weight.dense()
        found.append((h.T @ seen**2, h.sum(axis=0)))
        g, h = g @ W, h @ W**2
    return found[::-1]


def _slopes(f: Activation, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f'(z), and f''(z): 0 where f is made of straight pieces, kinks included, else a central difference of f'."""
    if isinstance(f, Softmax | LogSoftmax):
        raise ValueError(f"{f} is no function of one number, so it has no f': end the network with logits")
    if isinstance(f, Identity | ReLU | LeakyReLU):
        return f.vjp(z, f.forward(z), np.ones_like(z)), np.zeros_like(z)
    step = np.finfo(z.dtype).eps ** (1 / 3) * np.maximum(np.abs(z), 1)
    slope, ahead, behind = (f.vjp(at, f.forward(at), np.ones_like(z)) for at in (z, z + step, z - step))
    return slope, (ahead - behind) / (2 * step)
