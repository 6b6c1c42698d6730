"""What methods that look at a layer's inputs ask of them."""

import numpy as np

from nncomp.layerwise import check_weights, described


def check_inputs(W: np.ndarray, X: np.ndarray) -> None:
    """Raise unless X is finite floats (samples, in), at least one sample, for weights W (out, in)."""
    check_weights(W)
    floats = isinstance(X, np.ndarray) and X.ndim == 2 and np.issubdtype(X.dtype, np.floating)
    if not floats or X.shape[1] != W.shape[1] or len(X) == 0:
        raise ValueError(f"inputs of weights {W.shape} are floats (samples, {W.shape[1]}), not {described(X)}")
    if not np.isfinite(X).all():
        raise ValueError(f"inputs are finite; of {described(X)}, {int((~np.isfinite(X)).sum())} are not")


def check_vector(v: np.ndarray, length: int, what: str) -> None:
    """Raise unless v is so many finite floats; `what` names them."""
    if not isinstance(v, np.ndarray) or v.shape != (length,) or not np.issubdtype(v.dtype, np.floating):
        raise ValueError(f"{what} are {length} floats, not {described(v)}")
    if not np.isfinite(v).all():
        raise ValueError(f"{what} are finite; of {length}, {int((~np.isfinite(v)).sum())} are not")


def check_pair(W: np.ndarray, W_new: np.ndarray) -> None:
    """Raise unless both are weights (out, in) of one shape."""
    check_weights(W)
    check_weights(W_new)
    if W.shape != W_new.shape:
        raise ValueError(f"the new weights are {W.shape} as the old ones, not {W_new.shape}")
