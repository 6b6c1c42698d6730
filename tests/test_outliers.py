"""What is kept apart from the codes: outlier inputs, sensitive weights, split channels."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, PerRow, Uniform, half_up
from nncomp.layerwise import gram
from nncomp.quantize import llm_int8, round_to_nearest, split_channels, spqr, spqr_outliers, spqr_sensitivity
from nncomp.quantize.nearest import fit_grid
from tests.strategies.weights import seeds

EPS = np.finfo(np.float64).eps
dtypes = st.sampled_from([np.float32, np.float64])


def rows_int8(rows: list[list[float]], dtype: type) -> tuple[list[float], list[list[int]]]:
    """The scale of each row, and its codes, by IEEE arithmetic in the dtype, number by number."""
    scales = [dtype(max(abs(dtype(v)) for v in row)) / dtype(127) or dtype(1) for row in rows]
    return scales, [[round(dtype(v) / s) for v in row] for row, s in zip(rows, scales)]


@given(seeds, st.sampled_from([0.0, 2.0, 6.0, np.inf]), dtypes, st.booleans())
def test_llm_int8_is_its_definition(seed: int, threshold: float, dtype: type, prequantized: bool) -> None:
    rng = np.random.default_rng(seed)
    X, W = (rng.standard_normal(shape).astype(dtype) for shape in ((4, 6), (3, 6)))
    X *= np.array([1, 8, 1, 1, 0, 2], dtype)
    X[0, 2] = -6  # on the threshold, and negative
    Y, outliers = llm_int8(X, W, threshold, prequantized)
    assert Y.dtype == dtype and Y.shape == (4, 3)
    assert outliers.tolist() == [any(abs(v) >= threshold for v in X[:, j]) for j in range(6)]
    x_scales, x_codes = rows_int8([[0 if o else v for v, o in zip(row, outliers)] for row in X], dtype)
    w_scales, w_codes = rows_int8(
        [[0 if o and not prequantized else v for v, o in zip(row, outliers)] for row in W], dtype
    )
    for n in range(4):
        for i in range(3):
            whole = sum(x_codes[n][j] * w_codes[i][j] for j in range(6) if not outliers[j])
            terms = [Fraction(float(x_scales[n])) * Fraction(float(w_scales[i])) * whole]
            for j in np.flatnonzero(outliers):
                w = dtype(w_codes[i][j]) * w_scales[i] if prequantized else W[i, j]
                terms.append(Fraction(float(X[n, j])) * Fraction(float(w)))
            # Products and sums in float64, and one rounding to the dtype.
            bound = 10 * EPS * float(sum(map(abs, terms))) + np.finfo(dtype).eps * abs(float(sum(terms)))
            assert abs(float(Y[n, i]) - float(sum(terms))) <= bound


def test_llm_int8_at_its_ends() -> None:
    """All inputs in floats is the float product; none is a product of codes alone, within half a step of each."""
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((5, 8)), rng.standard_normal((3, 8))
    Y, outliers = llm_int8(X, W, threshold=0.0)
    np.testing.assert_allclose(Y, X @ W.T, rtol=0, atol=10 * EPS * (abs(X) @ abs(W).T).max())
    assert outliers.all()
    Y, outliers = llm_int8(X, W, threshold=np.inf)
    dx, dw = (abs(v).max(axis=1) / 254 for v in (X, W))
    bound = np.outer(dx, abs(W).sum(axis=1)) + np.outer(abs(X).sum(axis=1), dw) + 8 * np.outer(dx, dw)
    assert not outliers.any() and (abs(Y - X @ W.T) <= bound).all()


def test_an_outlier_ruins_int8_but_not_the_decomposition() -> None:
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((50, 64)), rng.standard_normal((16, 64))
    X[:, 5] *= 100
    lost = [((llm_int8(X, W, t)[0] - X @ W.T) ** 2).sum() for t in (6.0, np.inf)]
    assert lost[0] < 0.01 * lost[1], lost


@given(seeds)
def test_sensitivity_is_the_least_squares_that_is_left(seed: int) -> None:
    """Weight j is put where it is rounded to, and the others are solved for, from X itself."""
    rng = np.random.default_rng(seed)
    W, X = rng.standard_normal((2, 5)), rng.standard_normal((20, 5)) @ rng.random((5, 5))
    W_new = np.round(W, 1)
    scores = spqr_sensitivity(W, W_new, gram(X), damp=0.0)
    for i, j in np.ndindex(2, 5):
        others, moved = np.delete(X, j, axis=1), X[:, j] * (W[i, j] - W_new[i, j])
        left = moved - others @ np.linalg.lstsq(others, moved, rcond=None)[0]
        np.testing.assert_allclose(scores[i, j], (left @ left) / 2, rtol=1e-4, atol=1e-12)


@given(seeds, st.floats(0, 1))
def test_outliers_are_as_many_as_asked_and_the_costliest(seed: int, fraction: float) -> None:
    rng = np.random.default_rng(seed)
    W, X = rng.standard_normal((3, 5)), rng.standard_normal((20, 5)) @ rng.random((5, 5))
    W_new, H = np.round(W), gram(X)
    mask, scores = spqr_outliers(W, W_new, H, fraction), spqr_sensitivity(W, W_new, H)
    assert mask.sum() == round(fraction * 15) and mask.shape == W.shape and mask.dtype == bool
    if 0 < mask.sum() < 15:
        assert scores[mask].min() >= scores[~mask].max()


def test_ties_are_decided_by_position() -> None:
    lost = np.random.default_rng(0).integers(0, 3, (40, 10)) * 1.0
    ranked = sorted(range(400), key=lambda k: -lost.flat[k])  # a stable sort
    assert np.flatnonzero(spqr_outliers(lost, 0 * lost, np.eye(10), 0.5)).tolist() == sorted(ranked[:200])


def test_sensitivity_of_degenerate_layers() -> None:
    W, H = np.ones((2, 3), np.float32), np.diag([1.0, 0.0, 1.0])
    assert spqr_sensitivity(W, np.zeros_like(W), H, damp=0.0).tolist() == [[0.5, 0, 0.5]] * 2
    assert spqr_outliers(W, np.zeros_like(W), H, 0.5).tolist() == [[True, False, True], [True, False, False]]
    assert not spqr_sensitivity(W, W, H).any()
    assert not spqr_sensitivity(W, 0 * W, 0 * H).any()
    assert (spqr_sensitivity(W, 0 * W, np.ones((3, 3)), damp=0.1) > 0).all()


@given(seeds, st.floats(0, 2), dtypes)
def test_splitting_keeps_the_function(seed: int, fraction: float, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    W = (rng.standard_normal((3, 5)) * np.exp(rng.normal(0, 2, 5))).astype(dtype)
    new, index = split_channels(W, fraction)
    assert new.shape == (3, 5 + math.ceil(fraction * 5)) and new.dtype == dtype and len(index) == new.shape[1]
    for i, j in np.ndindex(3, 5):  # halves are exact
        assert math.fsum(new[i, index == j].tolist()) == W[i, j]
    x = rng.standard_normal((4, 5)).astype(dtype)
    bound = (new.shape[1] + 7) * np.finfo(dtype).eps * (abs(x) @ abs(W).T)
    assert (abs(x[:, index] @ new.T - x @ W.T) <= bound).all()


@given(seeds, st.integers(0, 8), st.sampled_from([0.0, 0.5]))
def test_each_split_is_of_the_largest_column(seed: int, count: int, whole: float) -> None:
    """By loops over parts: the largest is taken apart, the first of those that are equal."""
    W = np.random.default_rng(seed).integers(-8, 9, (3, 4)) * 1.0
    parts = [(j, [float(v) for v in W[:, j]]) for j in range(4)]
    for _ in range(count):
        sizes = [max(map(abs, column)) for _, column in parts]
        k = sizes.index(max(sizes))
        j, column = parts[k]
        split = [abs(v) > whole * sizes[k] for v in column]
        parts[k] = (j, [v / 2 if two else v for v, two in zip(column, split)])
        parts.append((j, [v / 2 if two else 0.0 for v, two in zip(column, split)]))
    new, index = split_channels(W, count / 4, whole=whole)
    assert index.tolist() == [j for j, _ in parts] and new.T.tolist() == [column for _, column in parts]


@given(seeds, st.booleans())
def test_aware_of_the_grid_both_parts_round_to_what_one_weight_did(seed: int, on_a_tie: bool) -> None:
    """floor(2 z) = floor(z) + floor(z + 1/2); on a grid whose step is a power of two, all that is exact."""
    rng = np.random.default_rng(seed)
    W = rng.integers(-200, 200, (3, 4)) / (2.0 if on_a_tie else 32.0)
    step = 2.0 ** rng.integers(-3, 1, (3, 1))
    grid = Grid(Uniform(bits=16, rounding=half_up), step)
    new, index = split_channels(W, 0.75, step)
    split = [grid.decode(grid.encode(new))[:, index == j].sum(axis=1) for j in range(4)]
    once = [j for j in range(4) if (index == j).sum() <= 2]
    assert (np.array(split)[once] == grid.decode(grid.encode(W)).T[once]).all()
    assert all((new[:, index == j].sum(axis=1) == W[:, j]).all() for j in range(4))


def test_splitting_narrows_the_range() -> None:
    rng = np.random.default_rng(0)
    W, X = rng.standard_normal((16, 64)), rng.standard_normal((100, 64))
    W[3, 7] = 12.0

    def lost(new: np.ndarray, index: np.ndarray) -> float:
        codes, grid = round_to_nearest(new, Uniform(bits=4))
        return float(((X[:, index] @ grid.decode(codes).T - X @ W.T)[:, 3] ** 2).sum())

    assert lost(*split_channels(W, 0.05)) < 0.5 * lost(W, np.arange(64))
    new, index = split_channels(np.zeros((2, 3)), 1.0)
    assert not new.any() and index.tolist() == [0, 1, 2, 0, 0, 0]


one = np.ones((1, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: llm_int8(np.ones((2, 3)), np.ones((1, 2))), "floats (samples, 2), not float64 (2, 3)"),
        (lambda: llm_int8(one * np.nan, one), "inputs are finite; of float64 (1, 1), 1 are not"),
        (lambda: llm_int8(one, one * np.inf), "weights are finite; of float64 (1, 1), 1 are not"),
        (lambda: llm_int8(one, one, np.nan), "at least 0, not nan"),
        (lambda: spqr_sensitivity(one, np.ones((1, 2)), one), "are (1, 1) as the old ones, not (1, 2)"),
        (lambda: spqr_sensitivity(np.ones((1, 2)), np.ones((1, 2)), np.ones((2, 2)), 0.0), "H (2, 2) is singular"),
        (lambda: spqr_sensitivity(one, one, -one), "not positive"),
        (lambda: spqr_outliers(one, one, one, 1.5), "between 0 and 1, not 1.5"),
        (lambda: split_channels(one, -0.5), "at least 0, not -0.5 of (1, 1)"),
        (lambda: split_channels(np.ones((2, 0)), 0.5), "not 0.5 of (2, 0)"),
        (lambda: split_channels(one * np.nan, 0.5), "weights are finite"),
        (lambda: split_channels(np.ones((2, 2)), 0.5, np.ones(2)), "one or (2, 1), not (2,)"),
        (lambda: split_channels(one, 0.5, -1.0), "not () from -1.0"),
        (lambda: split_channels(one, 0.5, whole=2.0), "between 0 and 1, not 2.0"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@given(seeds, st.sampled_from([0.0, 0.1, 0.5]))
def test_spqr_is_gptq_around_its_outliers(seed: int, fraction: float) -> None:
    """Column after column by the inverse of what is left; an outlier is not rounded, but moved by those before it."""
    rng = np.random.default_rng(seed)
    W, X = rng.standard_normal((3, 6)), rng.standard_normal((20, 6)) @ rng.random((6, 6))
    H = gram(X)
    codes, grid, found, outliers = spqr(W, H, Uniform(3), fraction=fraction, order=False)
    first = fit_grid(W, Uniform(3), PerRow())
    mask = spqr_outliers(W, first.decode(first.encode(W)), H, fraction)
    np.testing.assert_array_equal(found, mask)
    assert not outliers[~mask].any()
    for i, row in enumerate(W):
        inside = np.abs(row[~mask[i]]).max(initial=0)
        s = inside / 3 if inside else 1.0
        assert grid.scale[i, 0] == pytest.approx(s, rel=1e-12)
        w, H_inv = row.copy(), np.linalg.inv(H + 0.01 * np.diag(H).mean() * np.eye(6))
        for j in range(6):
            value = w[j] if mask[i, j] else min(max(round(w[j] / s), -4), 3) * s
            if mask[i, j]:
                assert outliers[i, j] == pytest.approx(w[j], rel=1e-9)
            else:
                assert codes[i, j] * s == pytest.approx(value, abs=1e-12)
            w -= (w[j] - value) / H_inv[j, j] * H_inv[:, j]
            H_inv = H_inv - np.outer(H_inv[:, j], H_inv[j]) / H_inv[j, j]
