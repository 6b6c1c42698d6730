"""Proximal steps: each solves its subproblem, as a general optimizer finds; training by them makes exact zeros."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from nncomp.data import Data, Split
from nncomp.hooks.proximal import L1, GroupLasso, shrink_groups, shrink_l1
from nncomp.network import MLP
from nncomp.optim import SGD
from nncomp.steps import FineTune, Prune, Shrink, Sparsify
from nncomp.weights import Sparse
from tests.strategies.weights import seeds

strengths = st.sampled_from([0.0, 0.1, 0.7, 2.0])


@given(seeds, strengths)
@example(969448, 0.1)  # where differences of the problem mislead the optimizer
@settings(max_examples=30)
def test_soft_thresholds_solve_their_problem(seed: int, s: float) -> None:
    """In w = p - q with p, q >= 0 the penalty is smooth, and a general optimizer can find the minimum."""
    v = np.random.default_rng(seed).standard_normal(4)

    def problem(pq: np.ndarray) -> float:
        p, q = pq[:4], pq[4:]
        return float(((p - q - v) ** 2).sum() / 2 + s * (p + q).sum())

    def slope(pq: np.ndarray) -> np.ndarray:
        off = pq[:4] - pq[4:] - v
        return np.concatenate([off + s, s - off])

    options = {"ftol": 1e-15, "gtol": 1e-10}
    found = minimize(problem, np.ones(8), jac=slope, bounds=[(0, None)] * 8, method="L-BFGS-B", options=options)
    np.testing.assert_allclose(shrink_l1(v, s), found.x[:4] - found.x[4:], atol=1e-4)


@given(seeds, strengths, st.sampled_from([0, 1]))
@settings(max_examples=30)
def test_group_shrinkage_solves_its_problem(seed: int, s: float, axis: int) -> None:
    """By its optimality: a group left is `v - w = s w / |w|`, one that is gone had at most the length s."""
    V = np.random.default_rng(seed).standard_normal((3, 4))
    W = shrink_groups(V, s, axis)
    for v, w in zip(V.T if axis == 0 else V, W.T if axis == 0 else W):
        if w.any():
            np.testing.assert_allclose(v - w, s * w / np.linalg.norm(w), atol=1e-12)
        else:
            assert np.linalg.norm(v) <= s
        start = v + 1e-3  # and no other point is better, as the optimizer says

        def problem(u: np.ndarray, v: np.ndarray = v) -> float:
            return float(((u - v) ** 2).sum() / 2 + s * np.linalg.norm(u))

        assert problem(w) <= minimize(problem, start, method="Nelder-Mead").fun + 1e-9


RNG = np.random.default_rng(4)
Y = RNG.integers(0, 3, 120)
X = np.hstack([RNG.standard_normal((120, 5)) + 2 * np.eye(3, 5)[Y], RNG.standard_normal((120, 5))]).astype(np.float32)
DATA = Data(Split(X, Y), Split(X[:20], Y[:20]))
NETWORK = MLP.init([10, 12, 3])
DURING = FineTune(epochs=30, batch=20, optimizer=SGD(0.05))


def test_training_makes_exact_zeros_that_stay_pruned() -> None:
    trained = DURING(NETWORK, DATA, [L1(0.003)])
    zeros = [int((layer.weight.dense() == 0).sum()) for layer in trained.layers]
    assert sum(zeros) > 20 and trained(X).argmax(axis=1).tolist() != [0] * 120
    sparse = DURING(Prune(0.3)(NETWORK, DATA), DATA, [L1(0.003)])
    assert all(isinstance(layer.weight, Sparse) for layer in sparse.layers)


def test_as_a_step_what_is_left_ships_sparse() -> None:
    for by in (L1(0.003), GroupLasso(0.02)):
        step, trained = Sparsify(by, DURING)(NETWORK, DATA), DURING(NETWORK, DATA, [by])
        for layer, plain in zip(step.layers, trained.layers):
            assert isinstance(layer.weight, Sparse)
            np.testing.assert_array_equal(layer.weight.dense(), plain.weight.dense())
            assert layer.weight.multiply_adds == np.count_nonzero(plain.weight.dense())


def test_group_lasso_empties_whole_columns_which_can_be_taken_out() -> None:
    trained = DURING(NETWORK, DATA, [GroupLasso(0.02)])
    columns = [layer.weight.dense().any(axis=0) for layer in trained.layers]
    assert not columns[0].all() and not columns[1].all(), "inputs and neurons"
    small = Shrink(refit=False)(trained, DATA)
    assert small.sizes[1] <= int(columns[1].sum()) < 12
    np.testing.assert_allclose(small(X), trained(X), rtol=1e-4, atol=1e-4)
    rows = DURING(NETWORK, DATA, [GroupLasso(0.02, axis=1)]).layers[0].weight.dense().any(axis=1)
    assert not rows.all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L1(-1.0), "a strength is at least 0 and finite, not -1.0"),
        (lambda: GroupLasso(np.nan), "a strength is at least 0"),
        (lambda: GroupLasso(0.1, axis=2), "not 2"),
    ],
)
def test_bad_settings(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
