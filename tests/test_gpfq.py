"""Which way each weight is rounded: GPFQ against its textbook loop, SignRound against rounding and brute force."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Grid, PerColumn, PerGroup, PerRow, PerTensor, Uniform
from nncomp.layerwise import gram
from nncomp.quantize import gpfq, round_to_nearest, signround
from tests.strategies.weights import seeds

grids = st.sampled_from([
    (Uniform(bits=3), PerRow()),
    (Uniform(bits=2, symmetric=False), PerGroup(4)),
    (Uniform(bits=4, signed=False, symmetric=False), PerColumn()),
    (Uniform(bits=2), PerTensor()),
])  # fmt: skip


def layer(seed: int, rows: int = 3, inputs: int = 6, samples: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Weights, and correlated inputs of full rank."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, inputs)), rng.standard_normal((samples, inputs)) @ rng.random((inputs, inputs))


def lost(W: np.ndarray, W_new: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Of each row's outputs."""
    return ((X @ (W - W_new).T) ** 2).sum(axis=0)


def alphabet(grid: Grid, row: int, column: int) -> list[float]:
    """All values that a weight can have, lowest code first, from the definition `(q - zero_point) scale`."""
    place = (0 if len(grid.scale) == 1 else row, column // grid.group if grid.group else 0)
    zero = grid.format.middle if grid.zero_point is None else int(grid.zero_point[place])
    return [(q - zero) * grid.scale[place] for q in range(grid.format.qmin, grid.format.qmax + 1)]


def gpfq_loops(W: np.ndarray, X: np.ndarray, X_new: np.ndarray, grid: Grid) -> np.ndarray:
    """One neuron at a time, and of all values the one that leaves least: no closed form."""
    codes = np.zeros(W.shape, int)
    for i, w in enumerate(W):
        u = np.zeros(len(X))
        for t in range(len(w)):
            values = alphabet(grid, i, t)
            left = [((u + w[t] * X[:, t] - p * X_new[:, t]) ** 2).sum() for p in values]
            k = int(np.argmin(left))
            codes[i, t] = grid.format.qmin + k
            u = u + w[t] * X[:, t] - values[k] * X_new[:, t]
    return codes


@given(seeds, grids, st.booleans())
def test_gpfq_equals_loops(seed: int, how, changed: bool) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(seed)
    X_new = X + 0.3 * np.random.default_rng(seed).standard_normal(X.shape) if changed else X
    _, grid = round_to_nearest(W, *how)
    codes = gpfq(W, X, grid, X_new if changed else None)
    assert codes.dtype == grid.format.dtype
    np.testing.assert_array_equal(codes, gpfq_loops(W, X, X_new, grid))


def test_gpfq_comes_nearer_to_the_outputs_than_rounding() -> None:
    W, X = layer(0, rows=50, inputs=40, samples=60)
    codes, grid = round_to_nearest(W, Uniform(bits=3))
    plain, greedy = (lost(W, grid.decode(q), X).sum() for q in (codes, gpfq(W, X, grid)))
    assert greedy < 0.5 * plain, greedy / plain


@given(seeds)
def test_with_independent_inputs_gpfq_is_rounding(seed: int) -> None:
    W, _ = layer(seed)
    codes, grid = round_to_nearest(W, Uniform(bits=4))
    X = np.linalg.qr(np.random.default_rng(seed).standard_normal((9, 6)))[0] * 3
    np.testing.assert_array_equal(gpfq(W, X, grid), codes)


def test_with_equal_inputs_what_is_lacking_stays_below_half_a_step() -> None:
    """Of inputs that are one, the sum of weights is all there is, and greedy is sigma-delta."""
    W = np.random.default_rng(0).uniform(-1, 1, (20, 100))
    grid = Grid(Uniform(bits=2, narrow=True), np.ones((1, 1)))
    codes = gpfq(W, np.ones((1, 100)), grid)
    assert abs(np.cumsum(W - codes, axis=1)).max() <= 0.5 + 1e-12 and set(codes.ravel()) == {-1, 0, 1}


def around(k: int, grid: Grid) -> list[int]:
    return [n for n in (k - 1, k, k + 1) if 0 <= n <= grid.format.qmax - grid.format.qmin]


@given(seeds, grids)
def test_signround_is_never_worse_than_rounding_nor_better_than_all(seed: int, how) -> None:  # type: ignore[no-untyped-def]
    W, X = layer(seed, rows=2)
    codes, grid = round_to_nearest(W, *how)
    ours = signround(W, gram(X), grid, steps=30)
    assert ours.dtype == codes.dtype and (ours == signround(W, gram(X), grid, steps=30)).all()
    error, plain = (lost(W, grid.decode(q), X) for q in (ours, codes))
    assert (error <= plain * (1 + 1e-9)).all()
    # Half a step more or less moves no code by more than one, so of so many none is better than the best.
    assert abs(ours.astype(int) - codes).max() <= 1
    for i in range(2):
        near = [[alphabet(grid, i, j)[k] for k in around(int(codes[i, j]) - grid.format.qmin, grid)] for j in range(6)]
        least = min(float(((X @ (W[i] - np.array(w))) ** 2).sum()) for w in itertools.product(*near))
        assert error[i] >= least * (1 - 1e-9)


def test_how_near_signround_comes_to_the_best_roundings() -> None:
    """Of eight weights in each of thirty rows, up or down: what is lost, over the least that could be."""
    ours = plain = best = 0.0
    for seed in range(30):
        W, X = layer(seed, rows=1, inputs=8, samples=40)
        codes, grid = round_to_nearest(W, Uniform(bits=4))
        step, down = grid.scale.item(), np.floor(W[0] / grid.scale.item())
        choices = np.array(list(itertools.product((0, 1), repeat=8)))
        best += float(((X @ (W[0] - (down + choices) * step).T) ** 2).sum(axis=0).min())
        ours += float(lost(W, grid.decode(signround(W, gram(X), grid)), X).sum())
        plain += float(lost(W, grid.decode(codes), X).sum())
    assert best * (1 - 1e-9) <= ours < 2.2 * best < 6 * best < plain, (best, ours, plain)


def signround_loops(W: np.ndarray, X: np.ndarray, scale: float, limit: int, steps: int) -> np.ndarray:
    """Of one row on a symmetric grid, number by number, from the outputs themselves."""
    v, best, least = [0.0] * W.size, None, np.inf
    for t in range(steps + 1):
        moved = [w / scale + o for w, o in zip(W, v)]
        q = [min(max(round(m), -limit - 1), limit) for m in moved]
        error = X @ (np.array(q) * scale - W)
        if error @ error < least:
            best, least = q, error @ error
        for j in range(W.size):
            free = -limit - 1 <= round(moved[j]) <= limit
            v[j] -= (1 - t / steps) / steps * np.sign(error @ X[:, j]) * free
            v[j] = min(max(v[j], -0.5), 0.5)
    return np.array(best)


@given(seeds)
def test_signround_equals_loops(seed: int) -> None:
    W, X = layer(seed, rows=1)
    grid = Grid(Uniform(bits=3), np.array([[abs(W).max() / 5]]))  # some saturate
    ours = signround(W, gram(X), grid, steps=10)
    np.testing.assert_array_equal(ours[0], signround_loops(W[0], X, grid.scale.item(), 3, 10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (3, 3)])
def test_degenerate_layers(shape: tuple[int, int], dtype: type) -> None:
    for W in (np.zeros(shape, dtype), np.full(shape, 0.3, dtype)):
        codes, grid = round_to_nearest(W, Uniform(bits=4))
        for X in (np.zeros((2, shape[1]), dtype), np.eye(shape[1], dtype=dtype)):
            assert (gpfq(W, X, grid) == codes).all() and (signround(W, gram(X), grid, steps=5) == codes).all()
    W = np.array([[0.3, 0.7, -0.4]], dtype)
    codes, grid = round_to_nearest(W, Uniform(bits=2))
    X = np.array([[1.0, 0.0, 2.0]], dtype)
    assert gpfq(W, X, grid)[0, 1] == codes[0, 1] == signround(W, gram(X), grid)[0, 1]


one, grid = np.ones((1, 1)), Grid(Uniform(), np.ones((1, 1)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gpfq(one, np.ones((2, 2)), grid), "floats (samples, 1), not float64 (2, 2)"),
        (lambda: gpfq(one, one, grid, np.ones((2, 1))), "new inputs are (1, 1) as the old ones, not (2, 1)"),
        (lambda: gpfq(one, one, grid, one * np.nan), "inputs are finite"),
        (lambda: gpfq(one * np.inf, one, grid), "weights are finite"),
        (lambda: gpfq(np.ones((3, 1)), one, Grid(Uniform(), np.ones((2, 1)))), "does not fit scales (2, 1)"),
        (lambda: signround(one, np.eye(2), grid), "H is finite (in, in)"),
        (lambda: signround(one * np.nan, one, grid), "weights are finite"),
        (lambda: signround(np.ones((3, 1)), one, Grid(Uniform(), np.ones((2, 1)))), "does not fit scales (2, 1)"),
        (lambda: signround(one, one, grid, steps=0), "at least 1 step and the rate is above 0 and finite, not 0"),
        (lambda: signround(one, one, grid, rate=np.nan), "not 200 and nan"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
