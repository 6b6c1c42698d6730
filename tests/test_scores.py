"""Scores and structured masks: against loops, equivariant, invariant where the method is, defined at zero weights."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nncomp.prune import (
    input_norms,
    keep_blocks,
    keep_each_group,
    keep_each_row,
    keep_largest,
    keep_n_of_m,
    prune_n_of_m,
    ria,
    wanda,
)
from tests.strategies.weights import matrices, seeds

scores = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.integers(0, 4).map(float))


@given(matrices(), seeds)
def test_wanda_and_ria_by_loops(w: np.ndarray, seed: int) -> None:
    X = np.random.default_rng(seed).standard_normal((5, w.shape[1])).astype(w.dtype)
    norms = input_norms(X)
    rows, w64 = w.tolist(), np.abs(w.astype(np.float64))
    lengths = [sum(v * v for v in column) ** 0.5 for column in X.T.tolist()]
    np.testing.assert_allclose(wanda(w, norms), [[abs(v) * n for v, n in zip(row, lengths)] for row in rows], rtol=1e-5)
    relative = [
        [w64[i, j] and w64[i, j] / w64[:, j].sum() + w64[i, j] / w64[i].sum() for j in range(w.shape[1])]
        for i in range(len(w))
    ]
    np.testing.assert_allclose(ria(w, norms), np.array(relative) * np.sqrt(lengths), rtol=1e-4, atol=1e-12)


@given(seeds)
def test_what_does_not_change_a_score(seed: int) -> None:
    """RIA does not see a layer's scale, Wanda's ranking within rows not that of a row; both follow permutations."""
    rng = np.random.default_rng(seed)
    w, norms = rng.standard_normal((4, 6)), rng.random(6)
    np.testing.assert_allclose(ria(8 * w, norms), ria(w, norms), rtol=1e-12)
    rows = 2.0 ** rng.integers(-3, 4, (4, 1))
    same = keep_each_row(wanda(w * rows, norms), 0.5)
    np.testing.assert_array_equal(same, keep_each_row(wanda(w, norms), 0.5))
    i, j = rng.permutation(4), rng.permutation(6)
    for method in (wanda, ria):
        permuted = method(w[i][:, j], norms[j])
        np.testing.assert_allclose(permuted, method(w, norms)[i][:, j], rtol=1e-12)


@given(scores, st.integers(1, 5), st.data())
def test_n_of_m_by_loops(s: np.ndarray, m: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, m))
    mask = keep_n_of_m(s, n, m)
    for row, kept in zip(s.tolist(), mask.tolist()):
        for first in range(0, len(row), m):
            group = range(first, min(first + m, len(row)))
            best = sorted(group, key=lambda j: (-row[j], j))[:n]
            assert [j for j in group if kept[j]] == sorted(best)


@given(scores, st.integers(1, 5), st.data())
def test_what_n_of_m_counts(s: np.ndarray, m: int, data: st.DataObject) -> None:
    """Of whole groups n stay, or n go; asked as a sparsity, half to even."""
    n = data.draw(st.integers(0, m))
    whole = s[:, : s.shape[1] // m * m]
    if whole.size:
        for keep, stay in ((keep_n_of_m, n), (prune_n_of_m, m - n)):
            assert (keep(whole, n, m).reshape(-1, m).sum(axis=1) == stay).all()
    sparsity = data.draw(st.floats(0, 1))
    if round(sparsity * m) < m or sparsity == 1:
        np.testing.assert_array_equal(keep_each_group(s, sparsity, m), prune_n_of_m(s, round(sparsity * m), m))
    else:
        with pytest.raises(ValueError, match=f"keeps none of {m} neighbours"):
            keep_each_group(s, sparsity, m)


@given(scores, st.floats(0, 1), st.integers(1, 4), st.integers(1, 4))
def test_blocks_by_loops(s: np.ndarray, sparsity: float, height: int, width: int) -> None:
    mask = keep_blocks(s, sparsity, (height, width))
    corners = [(i, j) for i in range(0, s.shape[0], height) for j in range(0, s.shape[1], width)]
    blocks = [(slice(i, i + height), slice(j, j + width)) for i, j in corners]
    assert all(mask[block].all() or not mask[block].any() for block in blocks)
    assert sum(not mask[block].any() for block in blocks) == round(sparsity * len(blocks))
    order = sorted(range(len(blocks)), key=lambda b: (-s[blocks[b]].sum(), b))
    assert [b for b in range(len(blocks)) if mask[blocks[b]].any()] == sorted(
        order[: len(blocks) - round(sparsity * len(blocks))]
    )
    np.testing.assert_array_equal(keep_blocks(s, sparsity, (1, 1)), keep_largest(s, sparsity))


@given(scores, st.floats(0, 1), st.floats(0, 1))
def test_each_row_keeps_as_many_and_masks_are_nested(s: np.ndarray, a: float, b: float) -> None:
    low, high = sorted((a, b))
    mask = keep_each_row(s, high)
    assert ((~mask).sum(axis=1) == round(high * s.shape[1])).all()
    assert not (mask & ~keep_each_row(s, low)).any()


def test_weights_that_are_all_zero_have_scores_of_zero() -> None:
    for method in (wanda, ria):
        assert not method(np.zeros((2, 3)), np.ones(3)).any() and not method(np.ones((2, 3)), np.zeros(3)).any()
    assert ria(np.array([[0.0, 0.0], [0.0, 1.0]]), np.ones(2)).tolist() == [[0, 0], [0, 2]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wanda(np.ones((2, 3)), np.ones(2)), "(2, 3) have 3 input norms of at least 0, not (2,)"),
        (lambda: ria(np.ones((2, 3)), -np.ones(3)), "have 3 input norms"),
        (lambda: wanda(np.full((1, 1), np.inf), np.ones(1)), "weights are finite; of float64 (1, 1), 1 are not"),
        (lambda: keep_n_of_m(np.ones((2, 4)), 3, 2), "not 3 of 2"),
        (lambda: prune_n_of_m(np.ones((2, 4)), 3, 2), "0 <= n <= m and m at least 1, not -1 of 2"),
        (lambda: keep_each_group(np.ones((2, 4)), 1.5), "between 0 and 1, not 1.5"),
        (lambda: keep_n_of_m(np.ones(4), 1, 2), "not float64 (4,)"),
        (lambda: keep_blocks(np.ones((2, 4)), 0.5, (0, 2)), "at least one row and one column, not (0, 2)"),
        (lambda: keep_each_row(np.array([[np.nan]]), 0.5), "without NaN"),
        (lambda: keep_each_row(np.ones((0, 3)), 0.5), "not empty, not float64 (0, 3)"),
    ],
)  # fmt: skip
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
