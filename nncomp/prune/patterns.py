"""Masks with structure: n of every m neighbours, blocks, rows. Ties are decided by position, as in `masks.py`."""

import numpy as np

from nncomp.prune.masks import keep_largest, pruned_count


def keep_n_of_m(scores: np.ndarray, n: int, m: int) -> np.ndarray:
    """Keep the n largest of every m neighbours in a row: 2:4 is `n=2, m=4` (Mishra et al. 2021, section 3).

    A last group that is short keeps at most n too. SparseML, torchao and NVIDIA count so; Intel Neural Compressor,
    TensorFlow Model Optimization and llm-compressor count what goes, as `prune_n_of_m` does.

    >>> keep_n_of_m(np.array([[4.0, 1.0, 2.0, 3.0, 9.0]]), n=2, m=4)
    array([[ True, False, False,  True,  True]])
    """
    if not 0 <= n <= m or m < 1:
        raise ValueError(f"n of every m are kept, 0 <= n <= m and m at least 1, not {n} of {m}")
    _check(scores)
    rows, columns = scores.shape
    padded = np.full((rows, -(-columns // m) * m), -np.inf)
    padded[:, :columns] = scores
    groups = padded.reshape(rows, -1, m)
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, np.argsort(-groups, axis=2, kind="stable")[:, :, :n], True, axis=2)
    return mask.reshape(rows, -1)[:, :columns].copy()


def prune_n_of_m(scores: np.ndarray, n: int, m: int) -> np.ndarray:
    """Prune the n smallest of every m neighbours in a row: `keep_n_of_m` with m - n, so 2:4 is both, 1:4 is not.

    >>> prune_n_of_m(np.array([[4.0, 1.0, 2.0, 3.0]]), n=1, m=4)
    array([[ True, False,  True,  True]])
    """
    return keep_n_of_m(scores, m - n, m)


def keep_each_group(scores: np.ndarray, sparsity: float, m: int = 4) -> np.ndarray:
    """`keep_n_of_m` with `n = m - round(sparsity m)`: at a sparsity of one half, 2:4. None of m is an error below 1.

    >>> keep_each_group(np.array([[4.0, 1.0, 2.0, 3.0]]), sparsity=0.5)
    array([[ True, False, False,  True]])
    """
    n = m - pruned_count(m, sparsity)
    if n == 0 and sparsity < 1:
        raise ValueError(f"a sparsity of {sparsity} keeps none of {m} neighbours: take more at a time")
    return keep_n_of_m(scores, n, m)


def keep_blocks(scores: np.ndarray, sparsity: float, block: tuple[int, int] = (16, 1)) -> np.ndarray:
    """Keep whole blocks of `block` rows x columns, by the sum of their scores; those at the edge may be smaller.

    Of B blocks `round(sparsity B)` go.

    >>> keep_blocks(np.array([[1.0, 1.0, 3.0], [1.0, 1.0, 0.0]]), sparsity=0.5, block=(2, 2))
    array([[ True,  True, False],
           [ True,  True, False]])
    """
    if min(block) < 1:
        raise ValueError(f"a block has at least one row and one column, not {block}")
    _check(scores)
    dead = np.isneginf(scores)  # pruned before: it adds nothing to a block, and a block of such goes first
    sums, living = (_block_sums(a.astype(np.float64), block) for a in (np.where(dead, 0, scores), ~dead))
    mask = keep_largest(np.where(living > 0, sums, -np.inf), sparsity)
    return np.repeat(np.repeat(mask, block[0], axis=0), block[1], axis=1)[: scores.shape[0], : scores.shape[1]]


def _block_sums(a: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    rows = np.add.reduceat(a, range(0, a.shape[0], block[0]), axis=0)
    return np.add.reduceat(rows, range(0, a.shape[1], block[1]), axis=1)


def keep_each_row(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """`keep_largest` within each row: every output keeps as many inputs.

    >>> keep_each_row(np.array([[3.0, 1.0], [5.0, 9.0]]), sparsity=0.5)
    array([[ True, False],
           [False,  True]])
    """
    _check(scores)
    return np.stack([keep_largest(row, sparsity) for row in scores])


def _check(scores: np.ndarray) -> None:
    if scores.ndim != 2 or scores.size == 0 or not np.issubdtype(scores.dtype, np.floating) or np.isnan(scores).any():
        raise ValueError(f"scores are floats (out, in) without NaN and not empty, not {scores.dtype} {scores.shape}")
