"""GPFQ: weights are rounded one by one, each so that the outputs come back to where they were (Lybrand & Saab 2021)."""

import numpy as np

from nncomp.formats import Grid
from nncomp.quantize.checks import check_inputs


def gpfq(W: np.ndarray, X: np.ndarray, grid: Grid, X_new: np.ndarray | None = None) -> np.ndarray:
    """Codes (out, in) of `W (out, in)`, greedy along the path of the outputs on `X (samples, in)`.

        q_t = Q(<X~_t, u_{t-1} + w_t X_t> / ||X~_t||^2),   u_t = u_{t-1} + w_t X_t - q_t X~_t,   u_0 = 0,

    for each row w and t = 1 ... in: of all values of the grid, q_t leaves the smallest `||u_t||`, where u is what the
    outputs lack so far (Lybrand & Saab 2021). `X_new (samples, in)`: X~, the inputs that the network has once its
    layers before are quantized (Zhang, Zhou & Saab 2023), or None for X itself. A weight whose X~_t is 0 is rounded.

    >>> from nncomp.formats import Uniform
    >>> grid = Grid(Uniform(bits=4), np.array([[1.0]]))
    >>> X = np.ones((1, 4))  # all that counts is the sum
    >>> gpfq(np.array([[0.4, 0.4, 0.4, 0.4]]), X, grid)
    array([[0, 1, 0, 1]], dtype=int8)
    """
    check_inputs(W, X)
    X_new = X if X_new is None else X_new
    check_inputs(W, X_new)
    if X_new.shape != X.shape:
        raise ValueError(f"new inputs are {X.shape} as the old ones, not {X_new.shape}")
    grid.check(W.shape)
    codes, U = np.empty(W.shape, grid.format.dtype), np.zeros((len(W), len(X)))
    for t, (x, x_new) in enumerate(zip(X.T.astype(np.float64), X_new.T.astype(np.float64))):
        U += np.outer(W[:, t], x)
        energy, column = x_new @ x_new, grid.column(t)
        wanted = U @ x_new / energy if energy > 0 else W[:, t]
        codes[:, [t]] = column.encode(wanted[:, None])
        U -= np.outer(column.decode(codes[:, [t]]), x_new)
    return codes
