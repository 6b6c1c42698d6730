"""What the methods ask of the arrays they are given."""

from numbers import Real

import numpy as np

from nncomp.layerwise import check_weights, described


def wide(a: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """`a` in the dtype it shares with `others`, float32 at least: sums and products of halves leave their range."""
    return a.astype(np.result_type(a, *others, np.float32), copy=False)


def check_sparsity(sparsity: float) -> None:
    """Raise unless `sparsity` is a fraction."""
    if not isinstance(sparsity, Real) or not 0 <= sparsity <= 1:
        raise ValueError(f"a sparsity is between 0 and 1, not {sparsity!r}")


def check_ramp(ramp: float) -> None:
    """Raise unless `ramp` is a fraction of a training, above 0."""
    if not isinstance(ramp, Real) or not 0 < ramp <= 1:
        raise ValueError(f"the ramp is a fraction of the training, above 0 and at most 1, not {ramp!r}")


def check_mask(W: np.ndarray, mask: np.ndarray) -> None:
    """Raise unless `mask` is boolean of the weights' shape."""
    if not isinstance(mask, np.ndarray) or mask.shape != W.shape or mask.dtype != bool:
        raise ValueError(f"a mask for weights {W.shape} is boolean of that shape, not {described(mask)}")


def check_inputs(W: np.ndarray, norms: np.ndarray) -> None:
    """Raise unless there is one norm of at least 0 for each input of W (out, in)."""
    check_weights(W)
    norms = np.asarray(norms)
    if norms.shape != W.shape[1:] or not (np.isfinite(norms).all() and (norms >= 0).all()):
        raise ValueError(
            f"weights (out, in) = {W.shape} have {W.shape[1]} input norms of at least 0, not {norms.shape} from "
            f"{norms.min(initial=np.inf)} to {norms.max(initial=-np.inf)}"
        )


def check_samples(W: np.ndarray, X: np.ndarray, dy: np.ndarray) -> None:
    """Raise unless weights W (out, in) have finite inputs (N, in) and gradients (N, out), N at least 1."""
    check_weights(W)
    if X.shape != (len(dy), W.shape[1]) or dy.shape != (len(X), W.shape[0]) or len(X) == 0:
        raise ValueError(
            f"weights (out, in) = {W.shape} have inputs (N, in) and gradients (N, out), not {X.shape} and {dy.shape}"
        )
    if not (np.isfinite(X).all() and np.isfinite(dy).all()):
        raise ValueError(f"inputs {X.shape} or gradients {dy.shape} hold NaN or infinity")


def check_pattern(sparsity: float, pattern: tuple[int, int]) -> None:
    """Raise unless keeping n of every m, `pattern (n, m)`, is what the sparsity says."""
    n, m = pattern
    if m < 1 or not np.isclose(sparsity, 1 - n / m):
        raise ValueError(f"{n} of every {m} is not a sparsity of {sparsity}")
