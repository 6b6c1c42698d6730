"""The best weights on a given mask: least squares on a layer's own outputs.

Everything layer-wise is measured by what it changes of them on calibration inputs X (samples, in). With `H = XT X`,

    E(W') = ||X (W - W')T||^2 = sum over rows of (w - w') H (w - w')T.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nncomp.prune.checks import check_damp, check_layer, check_mask, check_weights


def gram(X: np.ndarray) -> np.ndarray:
    """`H = XT X (in, in)` of inputs `X (samples, in)`, in float64.

    >>> gram(np.array([[1.0, 2.0], [0.0, 1.0]]))
    array([[1., 2.],
           [2., 5.]])
    """
    if X.ndim != 2:
        raise ValueError(f"inputs are (samples, in), not {X.shape}")
    X = X.astype(np.float64)
    return X.T @ X


def output_error(W: np.ndarray, W_new: np.ndarray, H: np.ndarray) -> float:
    """`||X (W - W_new)T||^2 / ||X WT||^2`, of the outputs' energy the fraction that is lost.

    >>> output_error(np.array([[3.0, 4.0]]), np.array([[3.0, 0.0]]), np.eye(2))
    0.64
    """
    check_layer(W, H)
    check_weights(W_new)
    if W_new.shape != W.shape:
        raise ValueError(f"the new weights are {W.shape} as the old ones, not {W_new.shape}")
    lost, whole = (float(((D @ H) * D).sum()) for D in ((W - W_new).astype(np.float64), W.astype(np.float64)))
    return lost / whole if whole else 0.0


def refit(W: np.ndarray, mask: np.ndarray, H: np.ndarray, damp: float = 0.0) -> np.ndarray:
    """The kept weights that lose least of the outputs: row by row `w'_K = w_K + (H_KK + l I)^-1 H_KP w_P`.

    K: what `mask (out, in)` keeps of a row, P: what it prunes; `H (in, in)`: `gram` of the inputs. With l = 0 that is
    exact on those inputs, by the pseudoinverse: where inputs are collinear, of all the best ones those nearest to w_K.
    On others, it goes wrong where these hardly vary; `damp` then asks for `l = damp mean(diag H)`, the least squares
    with `l ||w' - w||^2` added.

    >>> X = np.array([[1.0, 1.0], [2.0, 2.0]])
    >>> refit(np.array([[3.0, 4.0]]), np.array([[True, False]]), gram(X)).round(6)
    array([[7., 0.]])
    """
    check_layer(W, H)
    check_mask(W, mask)
    check_damp(damp)
    new, ridge = np.where(mask, W, 0).astype(np.float64), damp * np.diag(H).mean()
    for w, kept, row in zip(W.astype(np.float64), mask, new):
        if kept.any() and not kept.all():
            left, right = H[np.ix_(kept, kept)], H[np.ix_(kept, ~kept)] @ w[~kept]
            if ridge > 0:
                row[kept] += cho_solve(cho_factor(left + ridge * np.eye(len(left))), right)
            else:
                row[kept] += np.linalg.lstsq(left, right, rcond=None)[0]
    return new.astype(W.dtype)
