"""Scaling before rounding: the float function stays, and what was to be equal or least is."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.activations import LeakyReLU, ReLU
from nncomp.formats import PerGroup, PerRow, PerTensor, Uniform
from nncomp.layerwise import gram
from nncomp.quantize import (
    Percentile,
    awq,
    bias_correction,
    equalize,
    equalize_chain,
    gpfq,
    llm_int8,
    lqer,
    magr,
    qera,
    round_to_nearest,
    signround,
    smoothquant,
    split_channels,
    spqr_outliers,
    svdquant,
)
from tests.strategies.weights import seeds

EPS = np.finfo(np.float64).eps
activations = st.sampled_from([ReLU(), LeakyReLU(0.25)])


def uneven(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Values whose rows and columns reach differently far."""
    return rng.standard_normal(shape) * np.exp(rng.normal(0, 2, (*shape[:1], 1))) * np.exp(rng.normal(0, 2, shape[-1]))


def net(seed: int, layers: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, layers + 1)
    return [uneven(rng, n, m) for m, n in pairwise(sizes)], [rng.standard_normal(n) for n in sizes[1:]]


def outputs(weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, activation) -> np.ndarray:  # type: ignore[no-untyped-def]
    for W, b in zip(weights[:-1], biases[:-1]):
        x = activation(x @ W.T + b)
    return x @ weights[-1].T + biases[-1]


def assert_same_function(old, new, x: np.ndarray, activation) -> None:  # type: ignore[no-untyped-def]
    """Within a few eps for every product and sum on the way, of the outputs that absolute values have.

    A layer of n inputs makes n + 1 roundings of one eps, on each side; scaling makes one for each neighbour that a
    weight has and one for the power that the passes lead to, at most 100 of two each.
    """
    steps = sum(W.shape[1] + 1 for W in old[0]) * 2 + 2 * 2 * 100 * len(old[0])
    whole = outputs([abs(W) for W in old[0]], [abs(b) for b in old[1]], abs(x), lambda z: z)
    assert (abs(outputs(*old, x, activation) - outputs(*new, x, activation)) <= steps * EPS * whole).all()


@given(seeds, activations)
def test_equalize_keeps_the_function_and_both_sides_reach_equally_far(seed: int, activation) -> None:  # type: ignore[no-untyped-def]
    (W1, W2), (b1, b2) = net(seed, 2)
    new1, new_b, new2 = equalize(W1, b1, W2)
    x = np.random.default_rng(seed).standard_normal((7, W1.shape[1]))
    assert_same_function(([W1, W2], [b1, b2]), ([new1, new2], [new_b, b2]), x, activation)
    for i in range(len(W1)):
        r1, r2 = max(abs(v) for v in W1[i]), max(abs(v) for v in W2[:, i])
        np.testing.assert_allclose([abs(new1[i]).max(), abs(new2[:, i]).max()], np.sqrt(r1 * r2), rtol=8 * EPS)


@given(seeds)
def test_no_other_scaling_has_smaller_ranges(seed: int) -> None:
    """R1 R2 of the two matrices is at least max r1_i r2_i for any s, and equalized it is that."""
    (W1, W2), (b1, _) = net(seed, 2)
    new1, _, new2 = equalize(W1, b1, W2)
    product = abs(new1).max() * abs(new2).max()
    s = np.exp(np.random.default_rng(seed).normal(0, 1, (20, len(W1))))
    others = [abs(W1 / t[:, None]).max() * abs(W2 * t).max() for t in s]
    assert product <= min(others) * (1 + 16 * EPS)


@given(seeds, st.integers(1, 4), activations)
def test_a_chain_keeps_its_function_and_ends_equal(seed: int, layers: int, activation) -> None:  # type: ignore[no-untyped-def]
    weights, biases = net(seed, layers)
    kept = [W.copy() for W in weights]
    new, new_b = equalize_chain(weights, biases)
    x = np.random.default_rng(seed).standard_normal((5, weights[0].shape[1]))
    assert_same_function((weights, biases), (new, new_b), x, activation)
    for W1, W2 in pairwise(new):
        np.testing.assert_allclose(abs(W1).max(axis=1), abs(W2).max(axis=0), rtol=1e-5)
    assert all((old == W).all() for W, old in zip(weights, kept))


def test_one_pass_is_pair_by_pair() -> None:
    (A, B, C), (a, b, c) = net(3, 3)
    A1, a1, B1 = equalize(A, a, B)
    B2, b1, C1 = equalize(B1, b, C)
    new, new_b = equalize_chain([A, B, C], [a, b, c], most=1)
    for ours, wanted in zip([*new, *new_b], [A1, B2, C1, a1, b1, c]):
        np.testing.assert_allclose(ours, wanted, rtol=8 * EPS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neurons_without_weights_stay_and_extreme_ones_are_met_halfway(dtype: type) -> None:
    W1, W2 = np.array([[0.0], [4.0], [1e-30]], dtype), np.array([[1.0, 0.0, 1e30]], dtype)
    first, b, second = equalize(W1, np.array([1, 1, 0], dtype), W2)
    assert first.dtype == b.dtype == second.dtype == dtype
    np.testing.assert_allclose(first, [[0], [4], [1]], rtol=1e-6)
    np.testing.assert_allclose(second, [[1, 0, 1]], rtol=1e-6)
    assert b.tolist() == [1, 1, 0]


@given(seeds)
def test_bias_correction_keeps_the_mean_of_each_output(seed: int) -> None:
    rng = np.random.default_rng(seed)
    W, X, b = uneven(rng, 4, 5), rng.random((9, 5)), rng.standard_normal(4)
    codes, grid = round_to_nearest(W, Uniform(bits=3))
    new = grid.decode(codes)
    corrected = bias_correction(W, new, b, X.mean(axis=0))
    for i in range(4):
        wanted, ours = (np.mean([x @ w[i] + v[i] for x in X]) for w, v in ((W, b), (new, corrected)))
        bound = 64 * EPS * (np.abs(X).max(axis=0) @ (abs(W[i]) + abs(new[i])) + abs(b[i]))
        assert abs(wanted - ours) <= bound
    # No other constant loses less of the outputs: what is left has the mean 0.
    lost, moved = (((X @ (W - new).T + b - v) ** 2).sum() for v in (corrected, corrected + rng.normal(0, 0.1, 4)))
    assert lost <= moved * (1 + 1e-9)
    assert bias_correction(W, W, b.astype(np.float32), np.ones(5)).dtype == np.float32


@given(seeds, st.floats(0, 1))
def test_smoothquant_keeps_the_function_and_divides_by_the_exponents(seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    W, X = uneven(rng, 4, 6), uneven(rng, 8, 6)
    x_max = np.abs(X).max(axis=0)
    s = smoothquant(x_max, W, alpha)
    whole = np.abs(X) @ np.abs(W).T
    assert (abs((X / s) @ (W * s).T - X @ W.T) <= 2 * (6 + 2) * EPS * whole).all()
    for j in range(6):
        w_max = max(abs(w) for w in W[:, j])
        # Of inputs and weights, whose largest product is fixed, the weights take the share alpha in logarithms.
        np.testing.assert_allclose(np.log(s[j] * w_max), alpha * np.log(x_max[j] * w_max), atol=1e-13)
        np.testing.assert_allclose(np.log(x_max[j] / s[j]), (1 - alpha) * np.log(x_max[j] * w_max), atol=1e-13)


def test_smoothquant_leaves_what_is_not_there() -> None:
    W = np.array([[2.0, 0.0, 8.0]], np.float32)
    s = smoothquant(np.array([0.0, 3.0, 2.0]), W)
    assert s.tolist() == [1, 1, 0.5] and s.dtype == np.float32
    assert smoothquant(np.array([9.0, 9.0, 9.0]), W, alpha=0).tolist() == [0.5, 1, 0.125]
    assert smoothquant(np.array([9.0, 9.0, 9.0]), W, alpha=1).tolist() == [9, 1, 9]


def lost(W: np.ndarray, X: np.ndarray, s: np.ndarray, format: Uniform, per, ranges) -> float:  # type: ignore[no-untyped-def]
    codes, grid = round_to_nearest(W * s, format, per, ranges)
    return float(((X @ (W - grid.decode(codes) / s).T) ** 2).sum())


grids = st.sampled_from([
    (Uniform(bits=3), PerRow(), Percentile(100.0)),
    (Uniform(bits=4, symmetric=False), PerGroup(3), Percentile(100.0)),
    (Uniform(bits=4), PerTensor(), Percentile(95.0)),
])  # fmt: skip


@given(seeds, grids, st.booleans())
def test_awq_is_the_best_exponent_and_never_worse_than_rounding(seed: int, grid, centered: bool) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    W, X = rng.standard_normal((4, 7)), uneven(rng, 10, 7)
    s = awq(W, X, *grid, steps=8, centered=centered)
    sizes = [np.mean([abs(v) for v in X[:, j]]) for j in range(7)]
    tried = [np.array(sizes) ** (i / 8) for i in range(9)]
    if centered:
        tried = [t / np.sqrt(max(t) * min(t)) for t in tried]
    losses = [lost(W, X, t, *grid) for t in tried]
    ours = lost(W, X, s, *grid)
    assert ours <= lost(W, X, np.ones(7), *grid) * (1 + 1e-9)
    assert ours <= min(losses) * (1 + 1e-9)
    assert any(np.allclose(t, s, rtol=1e-12) for t in tried)


def test_awq_beats_rounding_where_few_inputs_are_large() -> None:
    """The case it is made for: what is lost falls to a fraction of it."""
    rng = np.random.default_rng(0)
    W, X = rng.standard_normal((32, 64)), rng.standard_normal((100, 64))
    X[:, ::16] *= 30
    format, per = Uniform(bits=3), PerRow()
    plain, scaled = (lost(W, X, s, format, per, Percentile(100.0)) for s in (np.ones(64), awq(W, X, format, per)))
    assert scaled < 0.5 * plain, scaled / plain


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_awq_of_degenerate_layers(dtype: type) -> None:
    format, per = Uniform(bits=4), PerRow()
    for W in (np.zeros((2, 3), dtype), np.ones((2, 3), dtype), np.ones((1, 1), dtype)):
        for X in (np.zeros((4, W.shape[1]), dtype), np.ones((1, W.shape[1]), dtype)):
            s = awq(W, X, format, per)
            assert s.shape == W.shape[1:] and s.dtype == dtype and (s == 1).all()
    X = np.array([[4.0, 0.0, 16.0]], dtype)  # input 1 counts as input 0 does
    s = awq(np.array([[0.3, 9.0, 7.0]], dtype), X, format, per)
    assert s[1] == s[0] and (s > 0).all()


def test_what_is_given_stays() -> None:
    """Every method on arrays that cannot be written to, which raises if it tries."""
    rng = np.random.default_rng(0)
    W, V, X, b = rng.standard_normal((4, 4)), rng.standard_normal((4, 4)), rng.standard_normal((9, 4)), np.ones(4)
    H, (_, grid) = gram(X), round_to_nearest(W)
    for array in (W, V, X, b, H):
        array.flags.writeable = False
    results = [
        bias_correction(W, V, b, b), *equalize(W, b, V), smoothquant(b, W), awq(W, X, Uniform(), PerRow()),
        *llm_int8(X, W), spqr_outliers(W, V, H), *split_channels(W, 0.5), *lqer(W, V, 2), *qera(W, V, 2, H),
        *svdquant(W, 2), gpfq(W, X, grid), signround(W, H, grid), magr(W, H),
    ]  # fmt: skip
    assert not any(np.shares_memory(r, a) for r in results for a in (W, V, X, b, H))


def full(value: float, *shape: int) -> np.ndarray:
    return np.full(shape, value, np.float32)


INT8 = (Uniform(), PerRow())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: equalize(full(1, 2, 3), full(1, 2), full(1, 4, 3)), "(4, 3) do not read the outputs of those before"),
        (lambda: equalize(full(1, 2, 3), full(1, 3), full(1, 4, 2)), "biases of layer 0 are 2 floats, not"),
        (lambda: equalize(full(np.nan, 1, 1), full(1, 1), full(1, 1, 1)), "of float32 (1, 1), 1 are not"),
        (lambda: equalize(full(1e-38, 1, 1), full(1e30, 1), full(1e38, 1, 1)), "bias 0 leaves float32"),
        (lambda: equalize_chain([full(1, 1, 1)], []), "there are 1 and 0"),
        (lambda: equalize_chain([full(1, 1, 1)], [full(1, 1)], most=0), "at least 1 pass, not 1e-06 and 0"),
        (lambda: equalize_chain([full(1, 1, 1)], [full(1, 1)], np.nan), "at least 1 pass, not nan and 100"),
        (lambda: bias_correction(full(1, 1, 2), full(1, 2, 2), full(1, 1), full(1, 2)), "(1, 2) as the old ones"),
        (lambda: bias_correction(full(1, 1, 2), full(1, 1, 2), full(1, 2), full(1, 2)), "biases are 1 floats"),
        (lambda: bias_correction(full(1, 1, 2), full(1, 1, 2), full(1, 1), full(np.inf, 2)), "of 2, 2 are not"),
        (lambda: smoothquant(full(1, 2), full(1, 1, 3)), "largest inputs are 3 floats, not float32 (2,)"),
        (lambda: smoothquant(full(-1, 3), full(1, 1, 3)), "not 0.5 and -1.0"),
        (lambda: smoothquant(full(1, 3), full(1, 1, 3), 1.5), "alpha is from 0 to 1"),
        (lambda: smoothquant(full(1, 1), full(1e-45, 1, 1), 0.0), "factors of inputs leave float32"),
        (lambda: awq(full(1, 1, 3), full(1, 4, 2), *INT8), "floats (samples, 3), not float32 (4, 2)"),
        (lambda: awq(full(1, 1, 3), full(1, 0, 3), *INT8), "not float32 (0, 3)"),
        (lambda: awq(full(1, 1, 3), full(np.nan, 1, 3), *INT8), "inputs are finite; of float32 (1, 3), 3 are not"),
        (lambda: awq(full(1, 1, 3), full(1, 1, 3), *INT8, steps=0), "at least 1 step from 0 to 1, not 0"),
    ],
)  # fmt: skip
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
