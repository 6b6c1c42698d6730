"""Pairs of thin matrices: against LAPACK's other algorithm, reduced-rank regression, descent in turns, brute force."""

import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg import svd as lapack

from nncomp.factor import (
    activation_svd,
    allocate_ranks,
    rank_by_budget,
    rank_by_energy,
    singular_values,
    sparse_plus_low_rank,
    svd,
)
from nncomp.layerwise import gram
from tests.strategies.weights import seeds

dtypes = st.sampled_from([np.float32, np.float64])
sides = st.integers(1, 7)
Pair = tuple[np.ndarray, np.ndarray]


def layer(seed: int, out: int = 5, inputs: int = 6, samples: int = 20) -> Pair:
    """Weights, and correlated inputs of full rank where there are as many samples as inputs."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((samples, inputs)) @ (rng.random((inputs, inputs)) + np.eye(inputs))
    return rng.standard_normal((out, inputs)), X


def values(W: np.ndarray) -> np.ndarray:
    """Singular values by QR iterations, which the library does not use."""
    return np.asarray(lapack(W.astype(np.float64), compute_uv=False, lapack_driver="gesvd"))


def lost(W: np.ndarray, pair: Pair, X: np.ndarray | None = None) -> float:
    """`||X (W - A B)T||^2`, without X of the weights alone."""
    E = W.astype(np.float64) - pair[0].astype(np.float64) @ pair[1].astype(np.float64)
    return float(((E if X is None else X @ E.T) ** 2).sum())


def in_turns(W: np.ndarray, X: np.ndarray, rank: int, rng: np.random.Generator, steps: int = 200) -> Pair:
    """Alternating least squares from a random pair, by regressions on X itself."""
    Y, A = X @ W.T, rng.standard_normal((len(W), rank))
    for _ in range(steps):
        B = np.linalg.lstsq(A, np.linalg.lstsq(X, Y, rcond=None)[0].T, rcond=None)[0]
        A = np.linalg.lstsq(X @ B.T, Y, rcond=None)[0].T
    return A, B


@given(seeds, sides, sides, st.data(), dtypes)
def test_what_a_pair_loses_is_the_other_singular_values(
    seed: int, out: int, inputs: int, data: st.DataObject, dtype: type
) -> None:
    """The sum of their squares entry by entry, the largest of them as a map (Eckart & Young 1936, Mirsky 1960)."""
    W = layer(seed, out, inputs)[0].astype(dtype)
    rank = data.draw(st.integers(1, min(W.shape)))
    A, B = svd(W, rank)
    assert A.shape == (out, rank) and B.shape == (rank, inputs) and A.dtype == B.dtype == dtype
    S = values(W)
    # What is rounded is each factor, some eps of its own size, and the decomposition, some eps of W's.
    noise = 50 * np.finfo(dtype).eps * np.linalg.norm(W)
    assert abs(np.sqrt(lost(W, (A, B))) - np.linalg.norm(S[rank:])) <= noise
    E = W.astype(np.float64) - A.astype(np.float64) @ B
    assert abs(np.linalg.norm(E, 2) - (S[rank] if rank < len(S) else 0)) <= noise
    np.testing.assert_allclose(singular_values(A), S[:rank], atol=noise)
    whole = svd(W, min(W.shape))
    np.testing.assert_array_equal(whole[0][:, :rank], A)
    np.testing.assert_array_equal(whole[1][:rank], B)


@given(seeds, st.integers(1, 4))
def test_no_other_pair_is_nearer(seed: int, rank: int) -> None:
    """In the Frobenius and in the spectral norm: not at random, with the best other half for it, nor nearby."""
    W, rng = layer(seed)[0], np.random.default_rng(seed)
    A, B = svd(W, rank)
    others = [in_turns(W, np.eye(6), rank, rng, steps) for steps in (1, 3)]
    size = 10.0 ** rng.integers(-4, 0)
    others += [(A + size * rng.standard_normal(A.shape), B), (A, B + size * rng.standard_normal(B.shape))]
    for other in others:
        assert lost(W, (A, B)) <= lost(W, other) * (1 + 1e-9)
        assert np.linalg.norm(W - A @ B, 2) <= np.linalg.norm(W - other[0] @ other[1], 2) * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_descent_in_turns_ends_where_the_decompositions_are(seed: int) -> None:
    W, X = layer(seed)
    rng = np.random.default_rng(seed)
    for pair, seen in ((svd(W, 2), np.eye(6)), (activation_svd(W, 2, gram(X)), X)):
        ends = [lost(W, in_turns(W, seen, 2, rng, 500), seen) for _ in range(3)]
        assert lost(W, pair, seen) <= min(ends) * (1 + 1e-9) and min(ends) <= lost(W, pair, seen) * 1.001


@given(seeds, st.integers(1, 5), dtypes)
def test_factors_are_of_one_size_and_no_other_pair_with_the_product_is_smaller(
    seed: int, rank: int, dtype: type
) -> None:
    W = layer(seed)[0].astype(dtype)
    A, B = svd(W, rank)
    np.testing.assert_allclose(A.T @ A, B @ B.T, atol=50 * np.finfo(dtype).eps * np.linalg.norm(W))
    M = np.random.default_rng(seed).standard_normal((rank, rank)) + 3 * np.eye(rank)
    other = np.linalg.norm(A @ M) ** 2 + np.linalg.norm(np.linalg.solve(M, B)) ** 2
    assert np.linalg.norm(A) ** 2 + np.linalg.norm(B) ** 2 <= other * (1 + 1e-4)


def reduced_rank_regression(W: np.ndarray, X: np.ndarray, rank: int) -> np.ndarray:
    """The coefficients of least squares, projected onto the first principal directions of what they fit."""
    beta = np.linalg.lstsq(X, X @ W.T, rcond=None)[0]
    V = lapack(X @ beta, lapack_driver="gesvd")[2][:rank].T
    return np.asarray((beta @ V @ V.T).T)


def by_cholesky(W: np.ndarray, X: np.ndarray, rank: int) -> np.ndarray:
    """SVD-LLM as it is published: truncated after whitening by the Cholesky factor."""
    L = cholesky(X.T @ X, lower=True)
    U, S, VT = lapack(W @ L, lapack_driver="gesvd")
    return np.asarray(U[:, :rank] * S[:rank] @ solve_triangular(L, VT[:rank].T, lower=True, trans=1).T)


@given(seeds, st.integers(1, 5), dtypes)
def test_of_outputs_least_is_lost(seed: int, rank: int, dtype: type) -> None:
    """As much as by regression of reduced rank and by the published whitening; never more than by the plain pair."""
    W, X = layer(seed)
    W = W.astype(dtype)
    A, B = activation_svd(W, rank, gram(X))
    assert A.shape == (5, rank) and B.shape == (rank, 6) and A.dtype == B.dtype == dtype
    # Rounding the factors costs some eps of the outputs, and the root of H as many as the inputs are uneven.
    noise = 100 * np.finfo(dtype).eps * np.linalg.cond(X) * np.linalg.norm(X) * np.linalg.norm(W)
    ours = np.sqrt(lost(W, (A, B), X))
    for oracle in (reduced_rank_regression, by_cholesky):
        wanted = np.linalg.norm(X @ (W - oracle(W.astype(np.float64), X, rank)).T)
        assert abs(ours - wanted) <= noise, oracle
    assert abs(ours - np.linalg.norm(values(X @ W.T)[rank:])) <= noise
    assert ours <= np.sqrt(lost(W, svd(W, rank), X)) + noise
    np.testing.assert_allclose(singular_values(A), values(X @ W.T)[:rank], atol=noise)


@given(seeds, st.integers(1, 5), st.floats(1e-3, 1e3))
def test_of_independent_inputs_of_one_size_it_is_the_plain_one(seed: int, rank: int, size: float) -> None:
    W = layer(seed)[0]
    for pair in (activation_svd(W, rank, size * np.eye(6)), activation_svd(W, rank, gram(layer(seed)[1]), damp=1e12)):
        # Damped, H is the identity but for 1e-12 of it; the product moves by that over the gaps of W's spectrum.
        gap = -np.diff(np.append(values(W), 0))[rank - 1]
        np.testing.assert_allclose(np.matmul(*pair), np.matmul(*svd(W, rank)), atol=1e-10 * (1 + 1 / gap))


@given(seeds, st.integers(1, 4))
def test_fewer_samples_than_inputs(seed: int, samples: int) -> None:
    """As many factors as samples lose nothing of the outputs, and what no input shows is 0."""
    W, X = layer(seed, samples=samples)
    A, B = activation_svd(W, 5, gram(X))
    scale = np.linalg.norm(X) * np.linalg.norm(W)
    # H = X^T X squares what X sees: half of the digits are left where its singular values are small.
    assert np.sqrt(lost(W, (A, B), X)) <= 1e-6 * scale
    hidden = lapack(X)[2][samples:]
    assert np.linalg.norm(A @ B @ hidden.T) <= 1e-6 * np.linalg.norm(A @ B) * np.linalg.cond(X)


whole_spectra = st.lists(st.integers(0, 9), min_size=1, max_size=5).map(lambda v: sorted(map(float, v), reverse=True))


@given(whole_spectra, st.floats(0.01, 1))
def test_the_least_rank_that_keeps_so_much(S: list[float], energy: float) -> None:
    squares = [s * s for s in S]
    k = next(k for k in range(1, len(S) + 1) if sum(squares[:k]) >= energy * sum(squares) * (1 - 1e-12))
    found = rank_by_energy(np.array(S), energy)
    assert found == k or abs(sum(squares[:k]) - energy * sum(squares)) <= 1e-9 * sum(squares)
    assert rank_by_energy(np.array(S), 1.0) == max(1, sum(s > 0 for s in S))


@given(seeds, st.floats(0.05, 1))
def test_a_pair_of_that_rank_keeps_so_much_of_the_outputs(seed: int, energy: float) -> None:
    W, X = layer(seed)
    S = singular_values(activation_svd(W, 5, gram(X))[0])
    k = rank_by_energy(S, energy)
    whole = ((X @ W.T) ** 2).sum()
    assert lost(W, activation_svd(W, k, gram(X)), X) <= (1 - energy + 1e-9) * whole
    assert k == 1 or lost(W, activation_svd(W, k - 1, gram(X)), X) >= (1 - energy - 1e-9) * whole


@given(sides, sides, st.integers(0, 200), st.sampled_from([1, 4, 8]))
def test_the_largest_rank_within_a_budget(out: int, inputs: int, budget: int, itemsize: int) -> None:
    fitting = [k for k in range(min(out, inputs) + 1) if k * (out + inputs) * itemsize <= budget]
    assert rank_by_budget((out, inputs), budget, itemsize) == fitting[-1]


@st.composite
def layers_with_spectra(draw: st.DrawFn) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    """Whole numbers, so that sums of squares are exact."""
    shapes = draw(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9)), min_size=1, max_size=3))
    each = (st.lists(st.integers(0, 9), min_size=min(s), max_size=min(s)) for s in shapes)
    return [np.sort(np.array(draw(one), float))[::-1] for one in each], shapes


@given(layers_with_spectra(), st.integers(0, 150))
def test_ranks_over_layers_are_the_best_of_all(
    layers: tuple[list[np.ndarray], list[tuple[int, int]]], budget: int
) -> None:
    spectra, shapes = layers

    def totals(ranks: tuple[int, ...]) -> tuple[float, int]:
        """What is lost and what it costs; a layer of full rank stays a matrix."""
        loss = sum(float((S[k:] ** 2).sum()) for S, k in zip(spectra, ranks))
        return loss, sum(o * i if k == min(o, i) else k * (o + i) for (o, i), k in zip(shapes, ranks))

    every = map(totals, itertools.product(*(range(1, min(s) + 1) for s in shapes)))
    fitting = [total for total in every if total[1] <= budget]
    if not fitting:
        with pytest.raises(ValueError, match=f"the smallest choices take .*, more than {budget}"):
            allocate_ranks(spectra, shapes, budget)
        return
    ranks = allocate_ranks(spectra, shapes, budget)
    assert totals(tuple(ranks)) == min(fitting)
    for (o, i), k in zip(shapes, ranks):
        assert k == min(o, i) or k * (o + i) < o * i, "a pair that is not smaller than its matrix"


def test_the_best_gain_for_its_cost_is_not_always_the_best_choice() -> None:
    """Of 48 numbers the first ranks take 12 and 18; 12 more would gain 4, 4 / 12 each, and 18 more 4.84, 4.84 / 18."""
    spectra, shapes = [np.array([9, 2, 0, 0, 0, 0.0]), np.array([9, 2.2, 0, 0, 0, 0])], [(6, 6), (12, 6)]
    assert allocate_ranks(spectra, shapes, budget=48) == [1, 2]
    assert allocate_ranks(spectra, shapes, budget=47) == [2, 1]
    assert allocate_ranks([S + 1 for S in spectra], shapes, budget=108) == [6, 6], "whole matrices"


@given(seeds, st.integers(1, 4), st.floats(0, 1))
def test_the_sum_nears_the_matrix_with_every_step(seed: int, rank: int, sparsity: float) -> None:
    W = layer(seed)[0] ** 3
    lost_after = []
    for steps in (1, 2, 3, 5, 9):
        A, B, S = sparse_plus_low_rank(W, rank, sparsity, steps)
        assert np.count_nonzero(S) <= 30 - round(sparsity * 30)
        lost_after.append(float(((W - A @ B - S) ** 2).sum()))
    noise = 1e-12 * (W**2).sum()
    assert all(after <= before + noise for before, after in itertools.pairwise(lost_after))
    assert lost_after[0] <= lost(W, svd(W, rank)) + noise
    assert lost_after[0] <= (np.sort(abs(W), axis=None)[: round(sparsity * 30)] ** 2).sum() + noise, "by pruning alone"


@pytest.mark.parametrize("seed", range(5))
def test_neither_half_can_be_bettered_for_the_other(seed: int) -> None:
    """By brute force over all places for 3 entries, and by the singular values of what they leave."""
    W = layer(seed, 3, 4)[0] ** 3
    A, B, S = sparse_plus_low_rank(W, 1, 0.75, steps=300)
    left = ((W - A @ B - S) ** 2).sum()
    E = (W - A @ B).ravel()
    best = min((np.delete(E, places) ** 2).sum() for places in map(list, itertools.combinations(range(12), 3)))
    assert np.count_nonzero(S) == 3
    np.testing.assert_allclose(left, best, rtol=1e-9)
    np.testing.assert_allclose(left, (values(W - S)[1:] ** 2).sum(), rtol=1e-6)


@given(seeds, dtypes)
def test_limits_of_sparsity(seed: int, dtype: type) -> None:
    """Nothing beside the pair: the plain one. Everything: nothing is lost."""
    W = layer(seed)[0].astype(dtype)
    A, B, S = sparse_plus_low_rank(W, 2, sparsity=1.0)
    assert not S.any() and A.dtype == B.dtype == S.dtype == dtype
    for ours, plain in zip((A, B), svd(W, 2)):
        np.testing.assert_array_equal(ours, plain)
    A, B, S = sparse_plus_low_rank(W, 2, sparsity=0.0)
    assert (abs(A @ B + S - W) <= 4 * np.finfo(dtype).eps * (abs(A) @ abs(B) + abs(W))).all()


def test_a_planted_sum_is_found() -> None:
    """Rank 2 and 20 entries of 600 that stand out, both as they were put in."""
    rng = np.random.default_rng(0)
    L = rng.standard_normal((20, 2)) @ rng.standard_normal((2, 30))
    S = np.zeros(600)
    S[rng.choice(600, 20, replace=False)] = 20 * rng.choice([-1, 1], 20)
    A, B, found = sparse_plus_low_rank(L + S.reshape(20, 30), 2, 1 - 20 / 600, steps=100)
    np.testing.assert_allclose(A @ B, L, atol=1e-6)
    np.testing.assert_allclose(found, S.reshape(20, 30), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 3)])
def test_degenerate_matrices(shape: tuple[int, int]) -> None:
    n = shape[1]
    for W in (np.ones(shape), np.zeros(shape), np.full(shape, 1e-300), np.full(shape, 1e150)):
        for A, B, *_ in (
            svd(W, 1),
            sparse_plus_low_rank(W, 1, 0.5),
            *(activation_svd(W, 1, H) for H in (np.eye(n), np.ones((n, n)))),
        ):
            np.testing.assert_allclose(A @ B, W, rtol=1e-12, atol=1e-310)
        assert not np.matmul(*activation_svd(W, 1, np.zeros((n, n)))).any()
        S = singular_values(svd(W, min(shape))[0])
        assert rank_by_energy(S, 1e-9) == 1 and rank_by_energy(S, 1 - 1e-9) == 1


def test_equal_singular_values_are_falling_after_rounding() -> None:
    for seed in range(20):
        Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((9, 9)))[0].astype(np.float32)
        S = singular_values(svd(Q, 9)[0])
        assert (S[1:] <= S[:-1]).all() and rank_by_energy(S, 0.5) == 5


@given(seeds)
def test_arguments_are_unchanged(seed: int) -> None:
    W, X = layer(seed)
    H = gram(X)
    before = [a.copy() for a in (W, H)]
    for a in (W, H):
        a.flags.writeable = False
    svd(W, 2), activation_svd(W, 2, H), sparse_plus_low_rank(W, 2, 0.5)
    for a, b in zip((W, H), before):
        np.testing.assert_array_equal(a, b)


W = np.ones((2, 3))
S = np.array([2.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: svd(W, 0), "a rank is from 1 to 2 for weights (2, 3), not 0"),
        (lambda: svd(W, 1.5), "a rank is from 1 to 2 for weights (2, 3), not 1.5"),
        (lambda: svd(W, True), "a rank is from 1 to 2 for weights (2, 3), not True"),
        (lambda: svd(W * np.nan, 1), "weights are finite"),
        (lambda: svd(W.astype(int), 1), "weights are floats (out, in), not int64 (2, 3)"),
        (lambda: svd(W[:0], 1), "a rank is from 1 to 0 for weights (0, 3), not 1"),
        (lambda: activation_svd(W, 3, np.eye(3)), "from 1 to 2"),
        (lambda: activation_svd(W, 1, np.eye(2)), "H is finite (in, in)"),
        (lambda: activation_svd(W, 1, np.eye(3), damp=-1), "at least 0, not -1"),
        (lambda: sparse_plus_low_rank(W, 3, 0.5), "from 1 to 2"),
        (lambda: sparse_plus_low_rank(W, 1, 1.5), "a sparsity is between 0 and 1, not 1.5"),
        (lambda: sparse_plus_low_rank(W, 1, 0.5, steps=0), "at least 1 step, not 0"),
        (lambda: singular_values(np.ones(3)), "a factor is finite (out, rank), not float64 (3,)"),
        (lambda: rank_by_energy(S, 0), "a fraction, above 0 and at most 1, not 0"),
        (lambda: rank_by_energy(S, np.nan), "not nan"),
        (lambda: rank_by_energy(S[::-1], 0.5), "singular values are finite, at least 0 and falling, not [1. 2.]"),
        (lambda: rank_by_energy(S * np.nan, 0.5), "finite, at least 0 and falling"),
        (lambda: rank_by_energy(S[:0], 0.5), "floats, one at least, not float64 (0,)"),
        (lambda: rank_by_budget((2, 0), 5), "a matrix (out, in)"),
        (lambda: rank_by_budget((2, 3), -1), "finite and at least 0, not -1"),
        (lambda: rank_by_budget((2, 3), np.nan), "finite and at least 0, not nan"),
        (lambda: allocate_ranks([S], [], 9), "singular values and a shape, not 1 and 0"),
        (lambda: allocate_ranks([S], [(3, 4)], 9), "a matrix (3, 4) has 3 singular values, not 2"),
        (lambda: allocate_ranks([S], [(2, 3)], 4), "the smallest choices take 5, more than 4"),
    ],
)
def test_bad_arguments(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
