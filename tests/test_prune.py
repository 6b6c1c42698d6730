"""Masks: exact counts, nesting, ties by position, degenerate layers; schedules at their printed values."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nncomp.prune import (
    alternating,
    constant,
    cosine,
    cubic,
    exponential,
    inc_cube,
    iterative,
    keep_above,
    keep_globally,
    keep_in_proportion,
    keep_largest,
    linear,
    magnitude,
    nncf_polynomial,
    row_l1,
    sparseml_polynomial,
)
from tests.strategies.weights import matrices

scores = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 4).map(float))
sparsities = st.floats(0, 1)


@given(scores, sparsities)
def test_keeps_the_largest_and_exactly_as_many_as_asked(s: np.ndarray, sparsity: float) -> None:
    mask = keep_largest(s, sparsity)
    assert mask.dtype == bool and mask.shape == s.shape
    assert (~mask).sum() == round(sparsity * s.size)
    # Ranked by score, then position: what is kept is a prefix of that order.
    order = sorted(range(s.size), key=lambda i: (-s.flat[i], i))
    assert sorted(order[: mask.sum()]) == np.flatnonzero(mask).tolist()


@given(scores, sparsities, sparsities)
def test_masks_are_nested(s: np.ndarray, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert not (keep_largest(s, high) & ~keep_largest(s, low)).any()


@given(st.lists(scores, min_size=1, max_size=4), sparsities)
def test_global_ranks_all_layers_together(layers: list[np.ndarray], sparsity: float) -> None:
    masks = keep_globally(layers, sparsity)
    flat = keep_largest(np.concatenate([s.reshape(-1) for s in layers]), sparsity)
    np.testing.assert_array_equal(np.concatenate([m.reshape(-1) for m in masks]), flat)
    assert [m.shape for m in masks] == [s.shape for s in layers]


@given(st.lists(st.tuples(scores, st.floats(0.1, 1)), min_size=1, max_size=4), sparsities)
def test_in_proportion_each_layer_goes_as_far_as_its_share(
    layers: list[tuple[np.ndarray, float]], sparsity: float
) -> None:
    """By bisection for the one factor that all layers have in common."""
    parts, relative = zip(*layers)
    low, high = 0.0, 100.0
    for _ in range(100):
        e = (low + high) / 2
        gone = sum(min(1.0, e * r) * s.size for s, r in layers)
        low, high = (e, high) if gone < sparsity * sum(s.size for s in parts) else (low, e)
    for mask, s, r in zip(keep_in_proportion(parts, sparsity, relative), parts, relative):
        assert mask.shape == s.shape and abs((~mask).sum() - min(1.0, e * r) * s.size) <= 0.5 + 1e-6
        np.testing.assert_array_equal(mask, keep_largest(s, (~mask).sum() / s.size))


def test_in_proportion_alike_at_the_ends_and_what_cannot_be() -> None:
    layers = [np.arange(8.0), np.arange(4.0)]
    assert [m.sum() for m in keep_in_proportion(layers, 0.75)] == [2, 1]
    assert [m.sum() for m in keep_in_proportion(layers, 0.5, (0.75, 0.0))] == [2, 4]
    assert [m.sum() for m in keep_in_proportion(layers, 0.0, (0.0, 0.0))] == [8, 4]
    assert [m.sum() for m in keep_in_proportion(layers, 1.0, (0.1, 0.9))] == [0, 0]


@given(matrices(), st.randoms())
def test_permuting_weights_permutes_their_mask(w: np.ndarray, random) -> None:  # type: ignore[no-untyped-def]
    w = w + np.arange(w.size, dtype=w.dtype).reshape(w.shape) * 1e-3  # no ties
    if len(np.unique(np.abs(w))) < w.size:
        return
    order = random.sample(range(len(w)), len(w))
    np.testing.assert_array_equal(keep_largest(magnitude(w[order]), 0.5), keep_largest(magnitude(w), 0.5)[order])


@given(matrices())
def test_scores_by_loops(w: np.ndarray) -> None:
    assert magnitude(w).tolist() == [[abs(v) for v in row] for row in w.tolist()]
    np.testing.assert_allclose(row_l1(w), [[sum(abs(v) for v in row)] for row in w.tolist()], rtol=1e-5)


def test_threshold() -> None:
    s = np.array([[0.0, 1.0, 2.0]])
    assert keep_above(s, 1.0).tolist() == [[False, False, True]]
    assert keep_above(s, np.inf).sum() == 0 and keep_above(s, -np.inf).all()


def test_an_all_equal_layer_is_pruned_by_half_not_whole() -> None:
    """Comparing with the k-th value prunes everything here, as several frameworks do."""
    assert keep_largest(np.ones((2, 2)), 0.5).tolist() == [[True, True], [False, False]]


TABLE = {  # what the systems' users see on the way to 0.9, at 0, 25, 50, 75 and 100 %
    constant: [0.9, 0.9, 0.9, 0.9, 0.9],
    linear: [0.0, 0.225, 0.45, 0.675, 0.9],
    cubic: [0.0, 0.52, 0.787, 0.886, 0.9],
    inc_cube: [0.0, 0.014, 0.113, 0.38, 0.9],
    exponential: [0.0, 0.438, 0.684, 0.822, 0.9],
    cosine: [0.0, 0.069, 0.264, 0.556, 0.9],
    nncf_polynomial: [0.0, 0.205, 0.418, 0.642, 0.9],
    sparseml_polynomial: [1.8, 1.406, 1.125, 0.956, 0.9],
}


@pytest.mark.parametrize("schedule", TABLE)
def test_schedules_at_their_printed_values(schedule) -> None:  # type: ignore[no-untyped-def]
    assert [round(schedule(t / 4, 0.9), 3) for t in range(5)] == TABLE[schedule]
    assert schedule(-1.0, 0.9) == schedule(0.0, 0.9) and schedule(2.0, 0.9) == schedule(1.0, 0.9)
    with pytest.raises(ValueError, match="between 0 and 1, not 1.5"):
        schedule(0.5, 1.5)


@given(st.floats(0, 1), st.integers(1, 8))
def test_a_schedule_ends_at_what_was_asked_and_never_falls(sparsity: float, rounds: int) -> None:
    stairs = partial(iterative, rounds=rounds)
    for schedule in [s for s in TABLE if s is not sparseml_polynomial] + [stairs]:
        curve = [schedule(t / 64, sparsity) for t in range(65)]
        assert curve[-1] == sparsity and curve == sorted(curve) and min(curve) >= 0
    at = np.minimum(np.arange(64) * rounds // 64 + 1, rounds)  # each step holds for its share of the time
    np.testing.assert_allclose(
        [stairs(t / 64, sparsity) for t in range(64)], 1 - (1 - sparsity) ** (at / rounds), atol=1e-12
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keep_largest(np.ones(3), 1.5), "between 0 and 1, not 1.5"),
        (lambda: keep_largest(np.ones(3), -0.1), "between 0 and 1, not -0.1"),
        (lambda: keep_largest(np.array([1.0, np.nan]), 0.5), r"floats without NaN, .* not float64 \(2,\)"),
        (lambda: keep_largest(np.array([0, 1], np.uint8), 0.5), r"not uint8 \(2,\)"),
        (lambda: alternating(0.5, 0.5, periods=0), "at least 1 period, not 0"),
        (lambda: iterative(0.5, 0.5, rounds=0), "at least 1 round, not 0"),
        (lambda: keep_above(np.array([np.nan]), 0.5), "NaN"),
        (lambda: keep_in_proportion([np.ones(3)], 0.5, (1.0, 1.0)), "are 1 numbers of at least 0, one a layer"),
        (lambda: keep_in_proportion([np.ones(3)], 0.5, (-1.0,)), "numbers of at least 0"),
        (lambda: keep_in_proportion([np.ones(3), np.ones(3)], 0.6, (1.0, 0.0)), "layers go whose relative"),
        (lambda: keep_above(np.ones(1), np.nan), "threshold nan"),
    ],
)
def test_bad_input_gets_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
