"""The best weights on a given mask: least squares on a layer's own outputs."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nncomp.layerwise import check_damp, check_layer
from nncomp.prune.checks import check_mask


def refit(W: np.ndarray, mask: np.ndarray, H: np.ndarray, damp: float = 0.0) -> np.ndarray:
    """The kept weights that lose least of the outputs: row by row `w'_K = w_K + (H_KK + l I)^-1 H_KP w_P`.

    K: what `mask (out, in)` keeps of a row, P: what it prunes; `H (in, in)`: `gram` of the inputs. With l = 0 that is
    exact on those inputs, by the pseudoinverse: where inputs are collinear, of all the best ones those nearest to w_K.
    On others, it goes wrong where these hardly vary; `damp` then asks for `l = damp mean(diag H)`, the least squares
    with `l ||w' - w||^2` added.

    >>> from nncomp.layerwise import gram
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
