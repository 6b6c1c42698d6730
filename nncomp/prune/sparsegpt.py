"""SparseGPT: one pass over the columns that prunes and makes up for it in those to come (Frantar & Alistarh 2023)."""

import numpy as np

from nncomp.layerwise import check_layer, damped
from nncomp.prune.checks import check_pattern
from nncomp.prune.masks import keep_largest
from nncomp.prune.patterns import keep_n_of_m


def sparsegpt(
    W: np.ndarray,
    H: np.ndarray,
    sparsity: float,
    pattern: tuple[int, int] | None = None,
    block: int = 128,
    damp: float = 0.01,
) -> np.ndarray:
    """The weights `W (out, in)`, a fraction of them 0 and the others moved; `H = XT X (in, in)` (algorithm 1).

    With U the upper Cholesky factor of `(H + damp mean(diag H) I)^-1`, the weights of a `block` of columns are ranked
    by `W_ij^2 / U_jj^2` and `round(sparsity n)` of them pruned. Then, column by column, what pruning takes from it,
    `E_j = (W_j - W'_j) / U_jj`, is taken from the columns to come, `W -= E_j U_j`; the blocks to come are ranked by
    what has become of them. With `pattern (n, m)`, n of every m neighbours are kept, which is what
    `sparsity` must say. Weights on inputs that are always 0 go first, even beyond it: nothing can be told of them.

    >>> sparsegpt(np.array([[1.0, 2.0]]), np.array([[2.0, 1.0], [1.0, 2.0]]), sparsity=0.5, damp=0.0).round(6)
    array([[0. , 2.5]])
    """
    check_layer(W, H)
    if pattern is not None:
        check_pattern(sparsity, pattern)
    step = block if pattern is None else pattern[1]
    if step < 1:
        raise ValueError(f"a block has at least 1 column, not {step}")
    W_new, inputs = np.where(np.diag(H) == 0, 0, W).astype(np.float64), W.shape[1]
    U = np.linalg.cholesky(np.linalg.inv(damped(H, damp))).T
    for first in range(0, inputs, step):
        last = min(first + step, inputs)
        part = slice(first, last)
        scores = W_new[:, part] ** 2 / np.diag(U)[part] ** 2
        mask = keep_largest(scores, sparsity) if pattern is None else keep_n_of_m(scores, *pattern)
        E = np.zeros_like(scores)
        for j in range(first, last):
            w, kept = W_new[:, j].copy(), mask[:, j - first]
            E[:, j - first] = np.where(kept, 0, w) / U[j, j]
            W_new[:, j:last] -= np.outer(E[:, j - first], U[j, j:last])
            W_new[:, j] = np.where(kept, w, 0)
        W_new[:, last:] -= E @ U[part, last:]
    return W_new.astype(W.dtype)
