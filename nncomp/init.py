"""Random weights to start from: variance preserved from layer to layer."""

import numpy as np


def he(rng: np.random.Generator, outputs: int, inputs: int) -> np.ndarray:
    """`W ~ N(0, 2 / in)`, (out, in) in float64: keeps the variance through ReLU (He et al. 2015, equation 10).

    >>> W = he(np.random.default_rng(0), 400, 50)
    >>> W.shape, round(float(W.var()) * 50 / 2, 2)
    ((400, 50), 0.99)
    """
    return rng.standard_normal((outputs, inputs)) * np.sqrt(2 / inputs)


def glorot(rng: np.random.Generator, outputs: int, inputs: int) -> np.ndarray:
    """`W ~ U(-l, l)`, `l = sqrt(6 / (in + out))`: for tanh and sigmoid (Glorot & Bengio 2010, equation 16).

    >>> W = glorot(np.random.default_rng(0), 400, 50)
    >>> W.shape, bool(np.abs(W).max() <= np.sqrt(6 / 450))
    ((400, 50), True)
    """
    limit = np.sqrt(6 / (inputs + outputs))
    return rng.uniform(-limit, limit, (outputs, inputs))
