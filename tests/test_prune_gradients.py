"""Scores from derivatives, SynFlow and layers' budgets: closed forms, conservation, central differences, loops."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.prune import (
    erdos_renyi,
    fisher,
    fisher_inverse,
    grasp,
    input_norms,
    keep_globally,
    lamp,
    magnitude,
    obs,
    row_l2,
    snip,
    squared_gradients,
    synflow,
    synflow_masks,
    taylor,
)
from tests.strategies.weights import matrices, seeds

SIZES = st.lists(st.integers(1, 5), min_size=2, max_size=5)


def chain(sizes: list[int], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((out, inputs)) for inputs, out in pairwise(sizes)]


def flow(weights: list[np.ndarray]) -> float:
    """R of SynFlow: ones through the absolute weights."""
    x = np.ones(weights[0].shape[1])
    for W in weights:
        x = np.abs(W) @ x
    return float(x.sum())


@given(matrices(), seeds)
def test_products_of_weights_and_gradients(w: np.ndarray, seed: int) -> None:
    g = np.random.default_rng(seed).standard_normal(w.shape).astype(w.dtype)
    products = {
        snip: lambda a, b: abs(a * b),
        taylor: lambda a, b: (a * b) ** 2,
        fisher: lambda a, b: a * a * b / 2,
    }
    for ours, one in products.items():
        loops = [[one(a, b) for a, b in zip(*rows)] for rows in zip(w.tolist(), g.tolist())]
        np.testing.assert_allclose(ours(w, g), loops, rtol=1e-5, atol=1e-30)


@given(seeds)
def test_squared_gradients_of_each_sample(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, dy = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    each = np.mean([np.outer(d, v) ** 2 for d, v in zip(dy, x)], axis=0)
    np.testing.assert_allclose(squared_gradients(x, dy), each, rtol=1e-12)


@given(seeds, st.integers(1, 6))
def test_woodfisher_inverts_the_fisher_matrix(seed: int, samples: int) -> None:
    G = np.random.default_rng(seed).standard_normal((samples, 4))
    F = 0.1 * np.eye(4) + G.T @ G / samples
    np.testing.assert_allclose(fisher_inverse(G, damp=0.1), np.linalg.inv(F), rtol=1e-8, atol=1e-10)
    alone = np.diag(G[0])  # each weight seen by a sample of its own: the matrix is diagonal
    w = np.arange(1.0, 5)
    expected = w**2 * (0.1 + np.diag(alone) ** 2 / 4) / 2
    np.testing.assert_allclose(obs(w, fisher_inverse(alone, damp=0.1)), expected, rtol=1e-8)


@given(seeds)
def test_grasp_of_a_quadratic_is_exact(seed: int) -> None:
    """The loss w H w / 2, whose gradient is H w: the scores are w . (H H w)."""
    rng = np.random.default_rng(seed)
    A, w = rng.standard_normal((5, 5)), rng.standard_normal(5)
    H = A @ A.T
    parts = lambda v: [v[:2], v[2:]]  # noqa: E731
    scores = grasp(parts(w), lambda p: parts(H @ np.concatenate(p)))
    expected = w * (H @ H @ w)
    np.testing.assert_allclose(np.concatenate(scores), expected, atol=1e-6 * np.abs(expected).max())
    assert not grasp([w], lambda p: [0 * p[0]])[0].any(), "no gradient, no flow"


def test_grasp_of_a_gradient_that_reuses_its_arrays() -> None:
    same = [np.zeros(2)]

    def gradient(w: list[np.ndarray]) -> list[np.ndarray]:
        same[0][...] = w[0] * np.array([1.0, 10.0])
        return same

    np.testing.assert_allclose(grasp([np.array([1.0, 2.0])], gradient)[0], [1, 400], rtol=1e-6)


def test_halves_are_multiplied_in_single_precision() -> None:
    w, g = np.array([1e-4, 3e-4], np.float16), np.array([1e-3, 1e-3], np.float16)
    for score in (taylor(w, g), fisher(w, g), snip(w, g)):
        assert score.dtype == np.float32 and 0 < score[0] < score[1]
    assert np.isfinite(row_l2(np.full((1, 4), 3e4, np.float16))).all()
    assert np.isfinite(input_norms(np.full((1000, 1), 100, np.float16))).all()


@given(SIZES, seeds)
def test_synflow_is_conserved_and_the_derivative_it_says(sizes: list[int], seed: int) -> None:
    weights = chain(sizes, seed)
    scores = synflow(weights)
    np.testing.assert_allclose([s.sum() for s in scores], flow(weights), rtol=1e-12)
    rng = np.random.default_rng(seed)
    layer = int(rng.integers(len(weights)))
    at = tuple(int(rng.integers(side)) for side in weights[layer].shape)
    less = [W.copy() for W in weights]
    less[layer][at] = 0  # R is linear in every single absolute weight
    np.testing.assert_allclose(scores[layer][at], flow(weights) - flow(less), atol=1e-9 * flow(weights))


@given(SIZES, seeds, st.floats(0, 1), st.integers(1, 20))
def test_synflow_prunes_exactly_and_what_is_left_still_flows(
    sizes: list[int], seed: int, sparsity: float, rounds: int
) -> None:
    weights = chain(sizes, seed)
    masks = synflow_masks(weights, sparsity, rounds)
    total = sum(W.size for W in weights)
    assert sum(int((~mask).sum()) for mask in masks) == round(sparsity * total)


def test_synflow_empties_no_layer_where_magnitudes_do() -> None:
    """A layer of many weights, so small that magnitudes would take it all: at the most, one path is left."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((20, 20)), 1e-3 * rng.standard_normal((20, 20)), rng.standard_normal((3, 20))]
    sparsity = 1 - 12 / 860
    assert not all(mask.any() for mask in keep_globally([magnitude(W) for W in weights], sparsity))
    masks = synflow_masks(weights, sparsity)
    assert flow([W * mask for W, mask in zip(weights, masks)]) > 0


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=4), st.floats(0, 1))
def test_erdos_renyi_keeps_what_was_asked_in_all(shapes: list[tuple[int, int]], sparsity: float) -> None:
    found = erdos_renyi(shapes, sparsity)
    sizes = [out * inputs for out, inputs in shapes]
    assert all(-1e-9 <= s <= 1 for s in found)
    assert sum(s * n for s, n in zip(found, sizes)) == pytest.approx(sparsity * sum(sizes), abs=1e-6 * sum(sizes))
    ratios = [(1 - s) * n / sum(shape) for s, n, shape in zip(found, sizes, shapes) if s > 1e-9]
    assert ratios == pytest.approx(ratios[:1] * len(ratios)), "e is one for all that are not full"


@given(matrices())
def test_lamp_by_loops(w: np.ndarray) -> None:
    flat = [float(v) ** 2 for v in w.astype(np.float64).flat]
    expected = []
    for i, u in enumerate(flat):
        larger = sum(v for j, v in enumerate(flat) if v > u or (v == u and j <= i))
        expected.append(u / larger if larger else 0.0)
    np.testing.assert_allclose(lamp(w).ravel(), expected, rtol=1e-9)
    if w.any():
        assert lamp(w).max() == 1
    np.testing.assert_allclose(lamp(4 * w), lamp(w), rtol=1e-12), "the scale of a layer does not count"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: snip(np.ones(2), np.ones(3)), "of one shape, not float64 (2,) and float64 (3,)"),
        (lambda: taylor(np.ones(1), np.array([np.nan])), "are finite"),
        (lambda: snip(np.array([100], np.int8), np.array([100], np.int8)), "finite floats of one shape, not int8 (1,)"),
        (lambda: lamp(np.array([[1.0, np.nan]])), "weights are finite"),
        (lambda: erdos_renyi([(0, 5)], 0.5), "at least one output and one input, not [(0, 5)]"),
        (lambda: squared_gradients(np.ones((2, 3)), np.ones((3, 2))), "not (2, 3) and (3, 2)"),
        (lambda: grasp([np.ones(2)], lambda w: [np.ones(3)]), "not float64 (2,) and float64 (3,)"),
        (lambda: fisher_inverse(np.ones(3)), "(samples, weights), damping above 0, not (3,)"),
        (lambda: fisher_inverse(np.ones((2, 3)), damp=0.0), "and 0.0"),
        (lambda: synflow([np.ones((2, 3)), np.ones((2, 3))]), "2 outputs are followed by 3 inputs"),
        (lambda: synflow_masks([np.ones((2, 3))], 0.5, rounds=0), "at least 1 round, not 0"),
        (lambda: synflow_masks([np.ones((2, 3))], 1.5), "between 0 and 1, not 1.5"),
        (lambda: erdos_renyi([(2, 3)], -0.5), "between 0 and 1, not -0.5"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
