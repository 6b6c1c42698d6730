"""WoodFisher against the constrained minimum of its own quadratic, found by other means."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.prune import fisher_inverse, woodfisher
from tests.strategies.weights import seeds


def layer(seed: int, out: int = 3, inputs: int = 5, n: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((out, inputs)), rng.standard_normal((n, inputs)), rng.standard_normal((n, out))


def blocks(X: np.ndarray, dy: np.ndarray, block: int, damp: float):  # type: ignore[no-untyped-def]
    """Each block's place, and its Fisher matrix as a sum over samples."""
    for i in range(dy.shape[1]):
        for first in range(0, X.shape[1], block):
            columns = range(first, min(first + block, X.shape[1]))
            gradients = [[dy[n, i] * X[n, j] for j in columns] for n in range(len(X))]
            F = sum(np.outer(g, g) for g in gradients) / len(X) + damp * np.eye(len(columns))
            yield i, list(columns), F, np.array(gradients)


@given(seeds, st.sampled_from([1, 2, 64]), st.floats(0, 1))
def test_the_cheapest_go_and_the_others_make_up_for_them(seed: int, block: int, sparsity: float) -> None:
    W, X, dy = layer(seed)
    new = woodfisher(W, X, dy, sparsity, block, damp=0.1)
    costs = np.zeros(W.shape)
    for i, columns, _, gradients in blocks(X, dy, block, 0.1):
        costs[i, columns] = W[i, columns] ** 2 / (2 * np.diag(fisher_inverse(gradients, damp=0.1)))
    order = sorted(np.ndindex(W.shape), key=lambda at: costs[at])
    gone = order[: round(sparsity * W.size)]
    assert sorted(map(tuple, np.argwhere(new == 0).tolist())) == sorted(gone)
    for i, columns, F, _ in blocks(X, dy, block, 0.1):
        w, moved, free = W[i, columns], new[i, columns], new[i, columns] != 0
        # At the minimum of (w' - w) F (w' - w) over the free ones, its gradient there is 0.
        np.testing.assert_allclose((F @ (moved - w))[free], 0, atol=1e-9 * np.abs(F).max() * np.abs(W).max())


def test_degenerate_layers() -> None:
    W, X, dy = layer(0)
    for w, x, d in (
        (W * 0, X, dy),
        (W, X * 0, dy),
        (W, X, dy * 0),
        (np.ones_like(W), np.ones_like(X), np.ones_like(dy)),
        (W[:, :1], X[:, :1], dy),
        (W[:1], X[:1], dy[:1, :1]),
    ):
        new = woodfisher(w, x, d, 0.5)
        assert np.isfinite(new).all() and (new == 0).sum() >= round(0.5 * w.size)
    assert woodfisher(W.astype(np.float32), X, dy, 0.5).dtype == np.float32
    np.testing.assert_array_equal(woodfisher(W, X, dy, 0.0), W)
    assert not woodfisher(W, X, dy, 1.0).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda W, X, dy: woodfisher(W, X[:, 1:], dy, 0.5), "(3, 5) have inputs (N, in) and gradients (N, out)"),
        (lambda W, X, dy: woodfisher(W, X[:0], dy[:0], 0.5), "not (0, 5) and (0, 3)"),
        (lambda W, X, dy: woodfisher(W * np.nan, X, dy, 0.5), "weights are finite; of float64 (3, 5), 15 are not"),
        (lambda W, X, dy: woodfisher(W, X * np.inf, dy, 0.5), "inputs (8, 5) or gradients (8, 3) hold NaN or infinity"),
        (lambda W, X, dy: woodfisher(W, X, dy, 0.5, damp=0.0), "damping is above 0 and finite"),
        (lambda W, X, dy: woodfisher(W, X, dy, 0.5, block=0), "a block at least 1 weight, not 1e-05 and 0"),
        (lambda W, X, dy: woodfisher(W, X, dy, 1.5), "between 0 and 1, not 1.5"),
    ],
)  # fmt: skip
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call(*layer(0))
