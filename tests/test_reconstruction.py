"""Layer-wise reconstruction: against least squares, brute force over all masks, and textbook loops of the surgeon."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.layerwise import damped, gram, inverse_without, output_error
from nncomp.prune import (
    alps,
    keep_each_row,
    keep_largest,
    keep_n_of_m,
    magnitude,
    obc,
    obd,
    obs,
    obs_update,
    refit,
    sparsegpt,
)
from tests.strategies.weights import seeds

METHODS = [sparsegpt, obc, alps]
each_method = pytest.mark.parametrize("method", METHODS)


def layer(seed: int, rows: int = 3, inputs: int = 6, samples: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and correlated inputs of full rank."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, inputs)), rng.standard_normal((samples, inputs)) @ rng.random((inputs, inputs))


def constrained(w: np.ndarray, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The least squares of one row's outputs by the kept inputs alone, from X itself."""
    new = np.zeros_like(w)
    new[kept] = np.linalg.lstsq(X[:, kept], X @ w, rcond=None)[0]
    return new


def best_of_all(w: np.ndarray, X: np.ndarray, pruned: int) -> float:
    """The least squared error of a row's outputs that any choice of so many weights to prune can have."""
    keeps = (~np.isin(np.arange(w.size), gone) for gone in itertools.combinations(range(w.size), pruned))
    return min(float(((X @ (w - constrained(w, X, kept))) ** 2).sum()) for kept in keeps)


def error(W: np.ndarray, W_new: np.ndarray, X: np.ndarray) -> float:
    return float(((X @ (W - W_new).T) ** 2).sum())


@given(seeds, st.floats(0, 1))
def test_refit_is_the_constrained_least_squares(seed: int, sparsity: float) -> None:
    W, X = layer(seed)
    mask = keep_largest(magnitude(W), sparsity)
    new = refit(W, mask, gram(X))
    np.testing.assert_allclose(new, [constrained(w, X, kept) for w, kept in zip(W, mask)], atol=1e-6)
    assert (new[~mask] == 0).all()
    assert error(W, new, X) <= error(W, np.where(mask, W, 0), X) * (1 + 1e-9)
    np.testing.assert_allclose(
        output_error(W, new, gram(X)), error(W, new, X) / error(W, 0 * W, X), rtol=1e-6, atol=1e-12
    )


@given(seeds)
def test_a_damped_refit_is_ridge_regression(seed: int) -> None:
    W, X = layer(seed)
    mask, H = keep_largest(magnitude(W), 0.5), gram(X)
    ridge = np.sqrt(0.1 * np.diag(H).mean())
    for w, kept, new in zip(W, mask, refit(W, mask, H, damp=0.1)):
        rows = np.vstack([X[:, kept], ridge * np.eye(kept.sum())])
        wanted = np.concatenate([X @ w, ridge * w[kept]])
        np.testing.assert_allclose(new[kept], np.linalg.lstsq(rows, wanted, rcond=None)[0], atol=1e-8)


def test_collinear_inputs_share_the_change() -> None:
    """Inputs 1 and 2 are one: of all the solutions, the nearest to what was there."""
    X = np.random.default_rng(0).standard_normal((9, 3))[:, [0, 1, 1]]
    new = refit(np.array([[1.0, 2.0, 4.0]]), np.array([[True, True, True]]), gram(X))
    assert new.tolist() == [[1, 2, 4]]
    X[:, 0] = X[:, 1]
    new = refit(np.array([[1.0, 2.0, 4.0]]), np.array([[False, True, True]]), gram(X))
    np.testing.assert_allclose(new, [[0, 2.5, 4.5]])


@given(seeds)
def test_the_surgeon_removes_the_weight_that_brute_force_shows_best(seed: int) -> None:
    W, X = layer(seed, rows=1)
    w, H_inv = W[0], np.linalg.inv(gram(X))
    losses = [((X @ (w - constrained(w, X, np.arange(6) != q))) ** 2).sum() / 2 for q in range(6)]
    np.testing.assert_allclose(obs(w, H_inv), losses, rtol=1e-5)
    q = int(np.argmin(losses))
    new = obs_update(w, H_inv, q)
    np.testing.assert_allclose(new, constrained(w, X, np.arange(6) != q), atol=1e-6)
    assert new[q] == 0 and int(np.argmin(obs(w, H_inv))) == q
    np.testing.assert_allclose(obc(W, gram(X), 1 / 6, damp=0.0)[0], new, atol=1e-6)


@given(seeds)
def test_on_a_diagonal_the_surgeon_is_brain_damage(seed: int) -> None:
    w, h = np.random.default_rng(seed).random((2, 7)) + 0.1
    np.testing.assert_allclose(obs(w, np.diag(1 / h)), obd(w, h), rtol=1e-12)
    new = obs_update(w, np.diag(1 / h), 3)
    assert new[3] == 0 and np.delete(new, 3).tolist() == np.delete(w, 3).tolist()


@given(seeds, st.integers(0, 5))
@example(11370, 0)
def test_the_inverse_without_a_weight(seed: int, q: int) -> None:
    H = gram(layer(seed)[1]).astype(np.float64)
    rest, H_inv = np.delete(np.arange(6), q), np.linalg.inv(H)
    smaller = inverse_without(H_inv, q)
    expected = np.linalg.inv(H[np.ix_(rest, rest)])
    error = 64 * np.finfo(np.float64).eps * np.linalg.cond(H) * np.abs(H_inv).max()  # of either inverse
    np.testing.assert_allclose(smaller[np.ix_(rest, rest)], expected, rtol=0, atol=error)
    assert not smaller[q].any() and not smaller[:, q].any()


def sparsegpt_loops(W: np.ndarray, H: np.ndarray, sparsity: float, block: int, damp: float) -> np.ndarray:
    """The surgeon from the left to the right: each column's inverse Hessian is that of the columns still to come."""
    W, H = W.copy(), H + damp * np.diag(H).mean() * np.eye(len(H))
    for first in range(0, len(H), block):
        last = min(first + block, len(H))
        d = [np.linalg.inv(H[j:, j:])[0, 0] for j in range(first, last)]
        mask = keep_largest(W[:, first:last] ** 2 / np.array(d), sparsity)
        for i, j in enumerate(range(first, last)):
            H_inv = np.linalg.inv(H[j:, j:])
            for row, w in enumerate(W):
                if not mask[row, i]:
                    w[j:] -= w[j] / H_inv[0, 0] * H_inv[:, 0]
                    w[j] = 0
    return W


@given(seeds, st.sampled_from([1, 2, 4, 100]), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_sparsegpt_equals_loops(seed: int, block: int, sparsity: float) -> None:
    W, X = layer(seed)
    ours, loops = (f(W, gram(X), sparsity, block=block, damp=0.01) for f in (sparsegpt, sparsegpt_loops))
    np.testing.assert_allclose(ours, loops, atol=1e-6 * np.abs(loops).max())
    assert (ours == 0).tolist() == (loops == 0).tolist()


@given(seeds, st.floats(0, 1))
def test_with_independent_inputs_sparsegpt_is_magnitude_pruning(seed: int, sparsity: float) -> None:
    W, _ = layer(seed)
    mask = keep_largest(magnitude(W), sparsity)
    np.testing.assert_array_equal(sparsegpt(W, np.eye(6), sparsity), np.where(mask, W, 0))
    np.testing.assert_array_equal(
        sparsegpt(W, np.eye(6), 2 / 3, (1, 3)), np.where(keep_n_of_m(magnitude(W), 1, 3), W, 0)
    )


@each_method
@given(seed=seeds, sparsity=st.floats(0, 1))
def test_exactly_as_many_as_asked_and_no_better_than_the_optimum(method, seed: int, sparsity: float) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(seed, rows=1)
    new, H = method(W, gram(X), sparsity), gram(X)
    assert (new == 0).sum() == round(sparsity * 6) and new.dtype == W.dtype
    assert error(W, new, X) >= best_of_all(W[0], X, round(sparsity * 6)) * (1 - 1e-6) - 1e-9
    assert method(W.astype(np.float32), H, sparsity).dtype == np.float32


def test_how_near_each_comes_to_the_optimum() -> None:
    """Of eight weights in each of a hundred rows, four pruned: what is lost, over the least that could be."""
    pairs = [layer(seed, rows=1, inputs=8, samples=40) for seed in range(100)]
    optimum = sum(best_of_all(W[0], X, 4) for W, X in pairs)

    def gap(method) -> float:  # type: ignore[no-untyped-def]
        return sum(error(W, method(W, gram(X)), X) for W, X in pairs) / optimum

    exact = {method: gap(lambda W, H, m=method: m(W, H, 0.5, damp=1e-9)) for method in METHODS}
    plain = gap(lambda W, H: np.where(keep_each_row(magnitude(W), 0.5), W, 0))
    refitted = gap(lambda W, H: refit(W, keep_each_row(magnitude(W), 0.5), H))
    assert 1 <= exact[obc] < exact[sparsegpt] < plain and exact[alps] < refitted < plain, (exact, refitted, plain)


@each_method
def test_n_of_m_is_kept(method) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(0, rows=4, inputs=8)
    if method is not obc:
        assert ((method(W, gram(X), 0.5, (2, 4)) != 0).reshape(4, 2, 4).sum(axis=2) == 2).all()


@each_method
def test_permuting_outputs_permutes_the_result(method) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(1, rows=5)
    order = [3, 1, 4, 0, 2]
    np.testing.assert_allclose(method(W[order], gram(X), 0.5), method(W, gram(X), 0.5)[order], atol=1e-9)


@pytest.mark.parametrize("method", [obc, alps])
def test_permuting_inputs_permutes_the_result(method) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(2)
    order = [3, 1, 4, 0, 2, 5]
    permuted = method(W[:, order], gram(X[:, order]), 0.5)
    np.testing.assert_allclose(permuted, method(W, gram(X), 0.5)[:, order], atol=1e-6)


@each_method
def test_inputs_that_are_always_zero_go_first(method) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(3, rows=2)
    X[:, [1, 4]] = 0
    W[:, [1, 4]] = 100
    new = method(W, gram(X), 1 / 3)
    assert (new[:, [1, 4]] == 0).all() and error(W, new, X) < 1e-9


@each_method
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1)])
def test_degenerate_layers(method, shape: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    """Rows of zeros, one column, equal weights, inputs that are never there."""
    for W in (np.zeros(shape), np.ones(shape)):
        for H in (np.zeros((shape[1],) * 2), np.eye(shape[1]), np.ones((shape[1],) * 2)):
            new = method(W, H, 0.5)
            assert new.shape == shape and np.isfinite(new).all() and (new == 0).sum() >= round(0.5 * W.size)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: refit(np.ones((2, 3)), np.ones((2, 3), bool), np.eye(2)), "(out, in) = (2, 3), not float64 (2, 2)"),
        (lambda: refit(np.ones((2, 2)), np.ones((2, 2)), np.eye(2)), "boolean of that shape, not float64 (2, 2)"),
        (lambda: refit(np.ones((2, 2)), np.ones((2, 2), bool), np.eye(2), damp=-1), "at least 0, not -1"),
        (lambda: obc(np.ones((2, 2)), np.array([[1.0, 2.0], [0.0, 1.0]]), 0.5), "asymmetric or not positive"),
        (lambda: obc(np.ones((2, 2)), np.array([[1.0, 2.0], [2.0, 1.0]]), 0.5), "no sum of inputs' products"),
        (lambda: alps(np.ones((2, 2)), -np.eye(2), 0.5), "not positive"),
        (lambda: alps(np.ones((2, 4)), np.eye(4), 0.6, (2, 4)), "2 of every 4 is not a sparsity of 0.6"),
        (lambda: sparsegpt(np.ones((2, 4)), np.eye(4), np.nan, (2, 4)), "is not a sparsity of nan"),
        (lambda: alps(np.ones((2, 4)), np.eye(4), 0.5, most=0), "at least 1 step, not 0.1 and 0"),
        (lambda: alps(np.ones((2, 4)), np.eye(4), 0.5, damp=np.nan), "at least 0, not nan"),
        (lambda: output_error(np.ones((2, 2)), np.ones((1, 2)), np.eye(2)), "are (2, 2) as the old ones, not (1, 2)"),
        (lambda: obs_update(np.ones(2), np.zeros((2, 2)), 0), "no weight 0 left to prune"),
        (lambda: obs_update(np.ones(2), np.eye(2), 5), "no weight 5 left"),
        (lambda: obs(np.ones(2), -np.eye(2)), "nothing below 0"),
        (lambda: obs(np.ones(2, int), np.eye(2)), "not int64 (2,)"),
        (lambda: inverse_without(np.ones((2, 3)), 0), "an inverse Hessian is (n, n)"),
        (lambda: sparsegpt(np.array([[np.nan]]), np.eye(1), 0.5), "weights are finite; of float64 (1, 1), 1 are not"),
        (lambda: sparsegpt(np.ones((1, 1)), np.eye(1), 0.5, block=0), "at least 1 column, not 0"),
        (lambda: sparsegpt(np.ones((1, 1)), np.eye(1), 1.5), "between 0 and 1, not 1.5"),
        (lambda: alps(np.ones((1, 1)), np.eye(1), 0.5, rho=0), "rho is above 0 and finite"),
        (lambda: alps(np.ones(3), np.eye(3), 0.5), "weights are floats (out, in), not float64 (3,)"),
        (lambda: obs(np.ones(2), np.eye(3)), "not float64 (2,) and (3, 3)"),
        (lambda: obd(np.ones(2), np.ones(3)), "are finite and of one shape"),
        (lambda: damped(np.eye(2), np.inf), "not inf"),
    ],
)  # fmt: skip
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
