"""The laws every pruning score obeys: exact counts, nesting, equivariance, invariance, degenerate layers.

A score joins by a line in `SCORES`: how it is had from weights W (out, in), inputs X (n, in) and gradients dy (n, out).
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.prune import (
    column_l2,
    fisher,
    geometric_median,
    grasp,
    input_fisher,
    input_norms,
    keep_each_row,
    keep_largest,
    lamp,
    magnitude,
    obd,
    ria,
    row_l1,
    row_l2,
    snip,
    squared_gradients,
    synflow,
    taylor,
    wanda,
)
from tests.strategies.weights import seeds

Score = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

SCORES: dict[str, Score] = {
    "magnitude": lambda W, X, dy: magnitude(W),
    "lamp": lambda W, X, dy: lamp(W),
    "wanda": lambda W, X, dy: wanda(W, input_norms(X)),
    "ria": lambda W, X, dy: ria(W, input_norms(X)),
    "snip": lambda W, X, dy: snip(W, dy.T @ X),
    "taylor": lambda W, X, dy: taylor(W, dy.T @ X),
    "fisher": lambda W, X, dy: fisher(W, squared_gradients(X, dy)),
    "obd": lambda W, X, dy: obd(W, (dy**2).T @ X**2),
    "grasp": lambda W, X, dy: grasp([W], lambda w: [(X @ w[0].T - dy).T @ X / len(X)])[0],  # of squared errors
    "synflow": lambda W, X, dy: synflow([W])[0],
    "row_l1": lambda W, X, dy: row_l1(W),
    "row_l2": lambda W, X, dy: row_l2(W),
    "geometric_median": lambda W, X, dy: geometric_median(W),
    "input_fisher": lambda W, X, dy: input_fisher(W, X, dy),
    "column_l2": lambda W, X, dy: column_l2(W),
}
EXACT_IN_W = set(SCORES) - {"grasp"}  # whose loss has a scale of its own
every_score = pytest.mark.parametrize("name", SCORES)


def layer(seed: int, out: int = 5, inputs: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((out, inputs)), rng.standard_normal((9, inputs)), rng.standard_normal((9, out))


def degenerate() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    W, X, dy = layer(0)
    rows, columns = np.arange(5)[:, None] % 2, np.arange(7) % 2
    return {
        "zero rows": (W * rows, X, dy),
        "zero columns": (W * columns, X, dy),
        "all zero": (W * 0, X, dy),
        "all equal": (np.ones_like(W), np.ones_like(X), np.ones_like(dy)),
        "dead inputs": (W, X * columns, dy),
        "no gradient": (W, X, dy * 0),
        "one column": (W[:, :1], X[:, :1], dy),
        "one row": (W[:1], X, dy[:, :1]),
        "one weight": (W[:1, :1], X[:, :1], dy[:, :1]),
        "huge": (1e150 * W, X, dy),
        "tiny": (1e-150 * W, X, dy),
    }


@every_score
@pytest.mark.parametrize("case", degenerate())
def test_degenerate_layers_are_pruned_exactly(name: str, case: str) -> None:
    W, X, dy = degenerate()[case]
    with np.errstate(over="ignore"):  # squares of 1e150 times squares are infinite, which still has a rank
        scores = SCORES[name](W, X, dy)
    assert scores.shape in (W.shape, (len(W), 1), (1, W.shape[1])) and not np.isnan(scores).any()
    for sparsity in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert (~keep_largest(scores, sparsity)).sum() == round(sparsity * scores.size)


@every_score
@given(seed=seeds, a=st.floats(0, 1), b=st.floats(0, 1))
def test_masks_are_nested(name: str, seed: int, a: float, b: float) -> None:
    scores = SCORES[name](*layer(seed))
    low, high = sorted((a, b))
    for keep in (keep_largest, keep_each_row):
        assert not (keep(scores, high) & ~keep(scores, low)).any()


@every_score
@given(seed=seeds)
def test_permuting_outputs_and_inputs_permutes_the_scores(name: str, seed: int) -> None:
    W, X, dy = layer(seed)
    rng = np.random.default_rng(seed)
    i, j = rng.permutation(len(W)), rng.permutation(W.shape[1])
    scores = SCORES[name](W, X, dy)
    permuted = SCORES[name](W[i][:, j], X[:, j], dy[:, i])
    expected = scores[i if len(scores) > 1 else slice(None)][:, j if scores.shape[1] > 1 else slice(None)]
    np.testing.assert_allclose(permuted, expected, rtol=1e-6, atol=1e-9 * np.abs(scores).max())


@pytest.mark.parametrize("name", sorted(EXACT_IN_W))
@given(seed=seeds, power=st.integers(-20, 20), sparsity=st.floats(0, 1))
def test_a_scale_of_the_weights_changes_no_mask(name: str, seed: int, power: int, sparsity: float) -> None:
    """A power of two, so that nothing is rounded; the gradient is held."""
    W, X, dy = layer(seed)
    masks = [keep_largest(SCORES[name](scale * W, X, dy), sparsity) for scale in (1.0, 2.0**power)]
    np.testing.assert_array_equal(*masks)


@pytest.mark.parametrize("name", sorted(set(SCORES) - {"row_l1", "row_l2", "geometric_median", "column_l2"}))
@given(seed=seeds)
def test_signs_of_weights_and_gradients_together_change_nothing(name: str, seed: int) -> None:
    W, X, dy = layer(seed)
    np.testing.assert_array_equal(SCORES[name](-W, X, -dy), SCORES[name](W, X, dy))


@pytest.mark.parametrize("name", ["snip", "taylor", "fisher", "obd", "wanda", "magnitude"])
def test_a_pruned_weight_scores_least(name: str) -> None:
    W, X, dy = layer(1)
    W[2, 3] = 0
    assert SCORES[name](W, X, dy)[2, 3] == 0 == SCORES[name](W, X, dy).min()
