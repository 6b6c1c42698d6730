"""Low-rank pairs: optimal in their metric by Eckart and Young, against all that random search and descent can find."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from nncomp.formats import Uniform
from nncomp.layerwise import gram
from nncomp.quantize import l2qer, lqer, qera, round_to_nearest, svdquant
from tests.strategies.weights import seeds

EPS = np.finfo(np.float64).eps
dtypes = st.sampled_from([np.float32, np.float64])


def layer(seed: int, out: int = 5, inputs: int = 6, samples: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, what they are rounded to, and correlated inputs of full rank."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((out, inputs))
    codes, grid = round_to_nearest(W, Uniform(bits=3))
    return (
        W,
        grid.decode(codes),
        rng.standard_normal((samples, inputs)) @ (rng.random((inputs, inputs)) + np.eye(inputs)),
    )


def lost(E: np.ndarray, A: np.ndarray, B: np.ndarray, X: np.ndarray) -> float:
    return float(((X @ (E - A @ B).T) ** 2).sum())


@given(seeds, st.integers(1, 5), dtypes)
def test_what_is_left_is_the_smaller_singular_values(seed: int, rank: int, dtype: type) -> None:
    """Of the outputs' error itself, by its own singular values: X E^T has those of E H^1/2."""
    W, W_new, X = layer(seed)
    s = np.abs(X).mean(axis=0)
    for metric, (A, B) in {
        "none": lqer(W.astype(dtype), W_new.astype(dtype), rank),
        "sizes": lqer(W.astype(dtype), W_new.astype(dtype), rank, s),
        "mean sizes": l2qer(W.astype(dtype), W_new.astype(dtype), rank, X),
        "inputs": qera(W.astype(dtype), W_new.astype(dtype), rank, gram(X)),
    }.items():
        seen = {"none": np.eye(6), "sizes": np.diag(s), "mean sizes": np.diag(s), "inputs": X}[metric]
        values = np.linalg.svd(seen @ (W - W_new).T, compute_uv=False)
        assert A.shape == (5, rank) and B.shape == (rank, 6) and A.dtype == B.dtype == dtype
        # Rounding the factors costs some eps of the outputs, and the root of H as many as the inputs are uneven.
        noise = 100 * np.finfo(dtype).eps * np.linalg.cond(seen) * np.linalg.norm(seen) * np.linalg.norm(W)
        wanted = np.sqrt((values[rank:] ** 2).sum())
        assert abs(np.sqrt(lost(W - W_new, A.astype(float), B.astype(float), seen)) - wanted) <= noise


@given(seeds, st.integers(1, 4))
def test_no_other_pair_is_better(seed: int, rank: int) -> None:
    """Neither one at random, with the best B for it by least squares, nor one nearby."""
    W, W_new, X = layer(seed)
    E, rng = W - W_new, np.random.default_rng(seed)
    A, B = qera(W, W_new, rank, gram(X))
    ours = lost(E, A, B, X)
    for _ in range(5):
        other = rng.standard_normal(A.shape)
        # X E^T ~ (X B^T) A^T: for a given A, B^T = E^T A^+T whatever X.
        assert ours <= lost(E, other, np.linalg.lstsq(other, E, rcond=None)[0], X) * (1 + 1e-9)
        size = 10.0 ** rng.integers(-4, 0)
        assert ours <= lost(E, A + size * rng.standard_normal(A.shape), B, X) * (1 + 1e-9)
        assert ours <= lost(E, A, B + size * rng.standard_normal(B.shape), X) * (1 + 1e-9)
    for plain in (lqer(W, W_new, rank), lqer(W, W_new, rank, np.abs(X).mean(axis=0))):
        assert ours <= lost(E, *plain, X) * (1 + 1e-9)
    assert ours <= lost(E, 0 * A, 0 * B, X) * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_descent_finds_nothing_better_and_from_elsewhere_the_same(seed: int) -> None:
    W, W_new, X = layer(seed)
    E, rank, rng = W - W_new, 2, np.random.default_rng(seed)
    A, B = qera(W, W_new, rank, gram(X))

    def loss(v: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = v[: A.size].reshape(A.shape), v[A.size :].reshape(B.shape)
        D = -2 * (E - a @ b) @ X.T @ X
        return lost(E, a, b, X), np.concatenate([(D @ b.T).ravel(), (a.T @ D).ravel()])

    ours = lost(E, A, B, X)
    starts = [np.concatenate([A.ravel(), B.ravel()]), *rng.standard_normal((4, A.size + B.size))]
    ends = [minimize(loss, v, jac=True, method="BFGS", options={"maxiter": 2000, "gtol": 1e-9}).fun for v in starts]
    assert ours <= min(ends) * (1 + 1e-9)
    assert min(ends[1:]) <= ours * 1.001, (ends, ours)


@given(seeds)
def test_with_independent_inputs_the_metrics_are_one(seed: int) -> None:
    W, W_new, _ = layer(seed)
    s = np.random.default_rng(seed).random(6) + 0.1
    for ours, wanted in (
        (qera(W, W_new, 2, np.diag(s**2)), lqer(W, W_new, 2, s)),
        (lqer(W, W_new, 2, 3 * s), lqer(W, W_new, 2, s)),
        (lqer(W, W_new, 2, np.ones(6)), lqer(W, W_new, 2)),
        (qera(W, W_new, 2, gram(np.eye(6) * s), damp=1e9), lqer(W, W_new, 2)),
    ):
        np.testing.assert_allclose(np.matmul(*ours), np.matmul(*wanted), atol=1e-6)


@given(seeds, st.integers(1, 4))
def test_fewer_samples_than_inputs(seed: int, samples: int) -> None:
    """H is singular: as many factors as samples leave nothing of the outputs' error."""
    W, W_new, X = layer(seed, samples=samples)
    A, B = qera(W, W_new, rank=4, H=gram(X))
    assert A.shape == (5, 4) and B.shape == (4, 6)
    scale = np.linalg.norm(X) * np.linalg.norm(W)
    # H = X^T X squares what X sees: half of the digits are left where its singular values are small.
    assert np.sqrt(lost(W - W_new, A, B, X)) <= 1e-6 * scale and np.isfinite(A).all() and np.isfinite(B).all()


@given(seeds, st.integers(1, 5), dtypes)
def test_svdquant_is_exact_and_takes_the_largest_parts(seed: int, rank: int, dtype: type) -> None:
    W = layer(seed)[0].astype(dtype)
    L1, L2, R = svdquant(W, rank)
    assert L1.shape == (5, rank) and L2.shape == (rank, 6) and L1.dtype == L2.dtype == R.dtype == dtype
    bound = (rank + 2) * np.finfo(dtype).eps * (abs(L1) @ abs(L2) + abs(W))
    assert (abs(L1 @ L2 + R - W) <= bound).all()
    values = np.linalg.svd(W.astype(np.float64), compute_uv=False)
    noise = 50 * np.finfo(dtype).eps * values[0]
    np.testing.assert_allclose(np.linalg.norm(R, 2), values[rank] if rank < 5 else 0, atol=noise)
    np.testing.assert_allclose(np.linalg.norm(L1, axis=0), values[:rank], atol=noise)
    np.testing.assert_allclose(L2 @ L2.T, np.eye(rank), atol=50 * np.finfo(dtype).eps)


def test_a_matrix_with_an_outlying_part_quantizes_better_beside_it() -> None:
    rng = np.random.default_rng(0)
    W = rng.standard_normal((32, 48)) + 20 * np.outer(rng.standard_normal(32), rng.standard_normal(48))
    L1, L2, R = svdquant(W, 1)

    def rounded(M: np.ndarray) -> np.ndarray:
        codes, grid = round_to_nearest(M, Uniform(bits=4))
        return grid.decode(codes)

    assert ((L1 @ L2 + rounded(R) - W) ** 2).sum() < 0.01 * ((rounded(W) - W) ** 2).sum()


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 3)])
def test_degenerate_layers(shape: tuple[int, int]) -> None:
    W, n = np.ones(shape), shape[1]
    for W_new in (W, 0 * W):
        for pair in (
            lqer(W, W_new, 1),
            *(qera(W, W_new, 1, H) for H in (np.zeros((n, n)), np.eye(n), np.ones((n, n)))),
        ):
            assert all(np.isfinite(part).all() for part in pair)
    np.testing.assert_allclose(np.matmul(*lqer(W, 0 * W, 1)), W, atol=1e-14)
    assert not np.matmul(*qera(W, 0 * W, 1, np.zeros((n, n)))).any()
    assert not any(part.any() for part in (svdquant(0 * W, 1)[0], svdquant(0 * W, 1)[2]))


def test_inputs_that_are_always_0_count_as_the_smallest_that_is_not() -> None:
    W, W_new, X = layer(0)
    X[:, 2] = 0
    s = np.abs(X).mean(axis=0)
    s[2] = np.delete(s, 2).min()
    for ours, its in zip(l2qer(W, W_new, 2, X), lqer(W, W_new, 2, s)):
        np.testing.assert_array_equal(ours, its)
    for ours, its in zip(l2qer(W, W_new, 2, 0 * X), lqer(W, W_new, 2)):
        np.testing.assert_array_equal(ours, its)


W = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lqer(W, W, 0), "a rank is from 1 to 2 for weights (2, 3), not 0"),
        (lambda: qera(W, W, 3, np.eye(3)), "a rank is from 1 to 2 for weights (2, 3), not 3"),
        (lambda: svdquant(W, 3), "from 1 to 2"),
        (lambda: svdquant(W * np.nan, 1), "weights are finite"),
        (lambda: lqer(W, W[:1], 1), "are (2, 3) as the old ones, not (1, 3)"),
        (lambda: lqer(W, W, 1, np.zeros(3)), "sizes of inputs are above 0, not 0.0"),
        (lambda: lqer(W, W, 1, np.ones(2)), "sizes of inputs are 3 floats, not float64 (2,)"),
        (lambda: l2qer(W, W, 1, np.ones((5, 2))), "floats (samples, 3), not float64 (5, 2)"),
        (lambda: qera(W, W, 1, np.eye(2)), "H is finite (in, in)"),
        (lambda: qera(W, W * np.inf, 1, np.eye(3)), "weights are finite"),
        (lambda: qera(W, W, 1, np.eye(3), damp=-1), "at least 0, not -1"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
